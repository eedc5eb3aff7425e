package p256

import (
	"math/bits"

	"sallyport/verify/ecpub/modinv"
)

// Element is a number modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 in the Montgomery domain, x·2^256 mod p, fully reduced to
// [0, p), in four 64-bit words, least significant first. The zero value is 0.
type Element [4]uint64

// The words of p. p0 is 2^64-1, so -p^-1 mod 2^64 is 1 and a Montgomery step takes the lowest word itself as the multiplier.
const (
	p0 = 0xffffffffffffffff
	p1 = 0x00000000ffffffff
	p2 = 0x0000000000000000
	p3 = 0xffffffff00000001
)

var (
	prime = [32]byte{
		0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	}
	modP = modinv.New(prime[:])
	// rr is 2^512 mod p, as a plain number: Mul by it brings a plain number into the domain.
	rr = Element(([4]uint64)(wordsOf(modP.RR())))
	// one is 1 in the domain.
	one = func() (z Element) { z.SetPlain(&[4]uint64{1}); return z }()
)

func wordsOf(n modinv.Nat) []uint64 { return n[:4] }

// SetPlain sets z to x, a plain number below 2^256, and returns z.
func (z *Element) SetPlain(x *[4]uint64) *Element {
	z.Mul((*Element)(x), &rr)
	return z
}

// Plain returns z out of the Montgomery domain, in [0, p).
func (z *Element) Plain() [4]uint64 {
	var t Element
	t.Mul(z, &Element{1})
	return t
}

// IsZero reports whether z is 0.
func (z *Element) IsZero() bool { return z[0]|z[1]|z[2]|z[3] == 0 }

// Add sets z to x + y and returns z.
func (z *Element) Add(x, y *Element) *Element {
	t0, c := bits.Add64(x[0], y[0], 0)
	t1, c := bits.Add64(x[1], y[1], c)
	t2, c := bits.Add64(x[2], y[2], c)
	t3, c := bits.Add64(x[3], y[3], c)
	z.reduceOnce(t0, t1, t2, t3, c)
	return z
}

// reduceOnce sets z to t modulo p, for t = (t0, …, t4) below 2p.
func (z *Element) reduceOnce(t0, t1, t2, t3, t4 uint64) {
	s0, b := bits.Sub64(t0, p0, 0)
	s1, b := bits.Sub64(t1, p1, b)
	s2, b := bits.Sub64(t2, p2, b)
	s3, b := bits.Sub64(t3, p3, b)
	_, b = bits.Sub64(t4, 0, b)
	keep := -b // all ones if t < p
	z[0] = s0 ^ keep&(s0^t0)
	z[1] = s1 ^ keep&(s1^t1)
	z[2] = s2 ^ keep&(s2^t2)
	z[3] = s3 ^ keep&(s3^t3)
}

// Sub sets z to x - y and returns z.
func (z *Element) Sub(x, y *Element) *Element {
	t0, b := bits.Sub64(x[0], y[0], 0)
	t1, b := bits.Sub64(x[1], y[1], b)
	t2, b := bits.Sub64(x[2], y[2], b)
	t3, b := bits.Sub64(x[3], y[3], b)
	m := -b // all ones if x < y
	var c uint64
	z[0], c = bits.Add64(t0, m, 0) // m & p0
	z[1], c = bits.Add64(t1, m&p1, c)
	z[2], c = bits.Add64(t2, 0, c)
	z[3], _ = bits.Add64(t3, m&p3, c)
	return z
}

// Mul sets z to x·y/2^256 mod p, the product in the domain, and returns z. One of x and y may be any number below 2^256.
//
// Each row adds x·y[i] and then y's Montgomery step: with q the lowest word, adding
// q·p = q·2^192·(2^64 - 2^32 + 1) + q·2^96 - q clears that word. The sum stays below 2p before each row and below
// p·(2^65+1) after its step, so one bit above five words is enough.
func (z *Element) Mul(x, y *Element) *Element {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	var c, t5 uint64

	v := y[0]
	h0, t0 := bits.Mul64(x0, v)
	h1, t1 := bits.Mul64(x1, v)
	h2, t2 := bits.Mul64(x2, v)
	t4, t3 := bits.Mul64(x3, v)
	t1, c = bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, h1, c)
	t3, c = bits.Add64(t3, h2, c)
	t4 += c
	hi, lo := bits.Mul64(t0, p3)
	t1, c = bits.Add64(t1, t0<<32, 0)
	t2, c = bits.Add64(t2, t0>>32, c)
	t3, c = bits.Add64(t3, lo, c)
	t4, t5 = bits.Add64(t4, hi, c)

	v = y[1]
	h0, l0 := bits.Mul64(x0, v)
	h1, l1 := bits.Mul64(x1, v)
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	h2, l2 := bits.Mul64(x2, v)
	h3, l3 := bits.Mul64(x3, v)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5 += c
	t2, c = bits.Add64(t2, h0, 0)
	t3, c = bits.Add64(t3, h1, c)
	t4, c = bits.Add64(t4, h2, c)
	t5, _ = bits.Add64(t5, h3, c)
	hi, lo = bits.Mul64(t1, p3)
	t2, c = bits.Add64(t2, t1<<32, 0)
	t3, c = bits.Add64(t3, t1>>32, c)
	t4, c = bits.Add64(t4, lo, c)
	t5, t0 = bits.Add64(t5, hi, c)

	v = y[2]
	h0, l0 = bits.Mul64(x0, v)
	h1, l1 = bits.Mul64(x1, v)
	t2, c = bits.Add64(t2, l0, 0)
	t3, c = bits.Add64(t3, l1, c)
	h2, l2 = bits.Mul64(x2, v)
	h3, l3 = bits.Mul64(x3, v)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, l3, c)
	t0 += c
	t3, c = bits.Add64(t3, h0, 0)
	t4, c = bits.Add64(t4, h1, c)
	t5, c = bits.Add64(t5, h2, c)
	t0, _ = bits.Add64(t0, h3, c)
	hi, lo = bits.Mul64(t2, p3)
	t3, c = bits.Add64(t3, t2<<32, 0)
	t4, c = bits.Add64(t4, t2>>32, c)
	t5, c = bits.Add64(t5, lo, c)
	t0, t1 = bits.Add64(t0, hi, c)

	v = y[3]
	h0, l0 = bits.Mul64(x0, v)
	h1, l1 = bits.Mul64(x1, v)
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	h2, l2 = bits.Mul64(x2, v)
	h3, l3 = bits.Mul64(x3, v)
	t5, c = bits.Add64(t5, l2, c)
	t0, c = bits.Add64(t0, l3, c)
	t1 += c
	t4, c = bits.Add64(t4, h0, 0)
	t5, c = bits.Add64(t5, h1, c)
	t0, c = bits.Add64(t0, h2, c)
	t1, _ = bits.Add64(t1, h3, c)
	hi, lo = bits.Mul64(t3, p3)
	t4, c = bits.Add64(t4, t3<<32, 0)
	t5, c = bits.Add64(t5, t3>>32, c)
	t0, c = bits.Add64(t0, lo, c)
	t1, t2 = bits.Add64(t1, hi, c)

	z.reduceOnce(t4, t5, t0, t1, t2)
	return z
}

// Sqr sets z to x² in the domain and returns z.
func (z *Element) Sqr(x *Element) *Element {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	var c uint64
	// The products of two different words, then twice that, then the squares.
	h0, t1 := bits.Mul64(x0, x1)
	h1, t2 := bits.Mul64(x0, x2)
	t4, t3 := bits.Mul64(x0, x3)
	t2, c = bits.Add64(t2, h0, 0)
	t3, c = bits.Add64(t3, h1, c)
	t4 += c
	h1, l1 := bits.Mul64(x1, x2)
	h2, l2 := bits.Mul64(x1, x3)
	t3, c = bits.Add64(t3, l1, 0)
	t4, c = bits.Add64(t4, l2, c)
	t5 := h2 + c
	t4, c = bits.Add64(t4, h1, 0)
	h3, l3 := bits.Mul64(x2, x3)
	t5, c = bits.Add64(t5, l3, c)
	t6 := h3 + c

	t7 := t6 >> 63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1

	h0, t0 := bits.Mul64(x0, x0)
	h1, l1 = bits.Mul64(x1, x1)
	t1, c = bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, l1, c)
	h2, l2 = bits.Mul64(x2, x2)
	t3, c = bits.Add64(t3, h1, c)
	t4, c = bits.Add64(t4, l2, c)
	h3, l3 = bits.Mul64(x3, x3)
	t5, c = bits.Add64(t5, h2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7 += h3 + c

	// Four Montgomery steps on the lower half alone: its value stays below 2^256, and the quotient comes out in its place.
	hi, lo := bits.Mul64(t0, p3)
	t1, c = bits.Add64(t1, t0<<32, 0)
	t2, c = bits.Add64(t2, t0>>32, c)
	t3, c = bits.Add64(t3, lo, c)
	t0 = hi + c
	hi, lo = bits.Mul64(t1, p3)
	t2, c = bits.Add64(t2, t1<<32, 0)
	t3, c = bits.Add64(t3, t1>>32, c)
	t0, c = bits.Add64(t0, lo, c)
	t1 = hi + c
	hi, lo = bits.Mul64(t2, p3)
	t3, c = bits.Add64(t3, t2<<32, 0)
	t0, c = bits.Add64(t0, t2>>32, c)
	t1, c = bits.Add64(t1, lo, c)
	t2 = hi + c
	hi, lo = bits.Mul64(t3, p3)
	t0, c = bits.Add64(t0, t3<<32, 0)
	t1, c = bits.Add64(t1, t3>>32, c)
	t2, c = bits.Add64(t2, lo, c)
	t3 = hi + c

	t0, c = bits.Add64(t0, t4, 0)
	t1, c = bits.Add64(t1, t5, c)
	t2, c = bits.Add64(t2, t6, c)
	t3, c = bits.Add64(t3, t7, c)
	z.reduceOnce(t0, t1, t2, t3, c)
	return z
}

// InvVarTime sets z to 1/x in the domain and returns z, for x that is not 0.
func (z *Element) InvVarTime(x *Element) *Element {
	var n modinv.Nat
	copy(n[:], x[:])
	modP.InverseMontVarTime(&n, &n) // (x·R)^-1·R = x^-1, plain
	var t Element
	copy(t[:], n[:4])
	return z.SetPlain((*[4]uint64)(&t))
}
