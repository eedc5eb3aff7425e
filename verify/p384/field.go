package p384

import (
	"encoding/hex"
	"math/bits"

	"sallyport/verify/ecpub/modinv"
)

// Element is a number modulo p = 2^384 - 2^128 - 2^96 + 2^32 - 1 in the Montgomery domain, x·2^384 mod p, fully reduced to
// [0, p), in six 64-bit words, least significant first. The zero value is 0.
type Element [6]uint64

// The words of p.
const (
	p0 = 0x00000000ffffffff
	p1 = 0xffffffff00000000
	p2 = 0xfffffffffffffffe
	p3 = 0xffffffffffffffff // and so p4 and p5
)

var (
	modP = modinv.New(primeBytes())
	// rr is 2^768 mod p, as a plain number: Mul by it brings a plain number into the domain.
	rr = elementOf(modP.RR())
	// one is 1 in the domain.
	one = func() (z Element) { z.SetPlain(&[6]uint64{1}); return z }()
)

func primeBytes() []byte {
	b, _ := hex.DecodeString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff")
	return b
}

func elementOf(n modinv.Nat) (z Element) {
	copy(z[:], n[:])
	return z
}

// SetPlain sets z to x, a plain number below 2^384, and returns z.
func (z *Element) SetPlain(x *[6]uint64) *Element {
	z.Mul((*Element)(x), &rr)
	return z
}

// Plain returns z out of the Montgomery domain, in [0, p).
func (z *Element) Plain() [6]uint64 {
	var t Element
	t.Mul(z, &Element{1})
	return t
}

// IsZero reports whether z is 0.
func (z *Element) IsZero() bool { return z[0]|z[1]|z[2]|z[3]|z[4]|z[5] == 0 }

// Add sets z to x + y and returns z.
func (z *Element) Add(x, y *Element) *Element {
	t0, c := bits.Add64(x[0], y[0], 0)
	t1, c := bits.Add64(x[1], y[1], c)
	t2, c := bits.Add64(x[2], y[2], c)
	t3, c := bits.Add64(x[3], y[3], c)
	t4, c := bits.Add64(x[4], y[4], c)
	t5, c := bits.Add64(x[5], y[5], c)
	z.reduceOnce(t0, t1, t2, t3, t4, t5, c)
	return z
}

// reduceOnce sets z to t modulo p, for t = (t0, …, t6) below 2p.
func (z *Element) reduceOnce(t0, t1, t2, t3, t4, t5, t6 uint64) {
	s0, b := bits.Sub64(t0, p0, 0)
	s1, b := bits.Sub64(t1, p1, b)
	s2, b := bits.Sub64(t2, p2, b)
	s3, b := bits.Sub64(t3, p3, b)
	s4, b := bits.Sub64(t4, p3, b)
	s5, b := bits.Sub64(t5, p3, b)
	_, b = bits.Sub64(t6, 0, b)
	keep := -b // all ones if t < p
	z[0] = s0 ^ keep&(s0^t0)
	z[1] = s1 ^ keep&(s1^t1)
	z[2] = s2 ^ keep&(s2^t2)
	z[3] = s3 ^ keep&(s3^t3)
	z[4] = s4 ^ keep&(s4^t4)
	z[5] = s5 ^ keep&(s5^t5)
}

// Sub sets z to x - y and returns z.
func (z *Element) Sub(x, y *Element) *Element {
	t0, b := bits.Sub64(x[0], y[0], 0)
	t1, b := bits.Sub64(x[1], y[1], b)
	t2, b := bits.Sub64(x[2], y[2], b)
	t3, b := bits.Sub64(x[3], y[3], b)
	t4, b := bits.Sub64(x[4], y[4], b)
	t5, b := bits.Sub64(x[5], y[5], b)
	m := -b // all ones if x < y
	var c uint64
	z[0], c = bits.Add64(t0, m&p0, 0)
	z[1], c = bits.Add64(t1, m&p1, c)
	z[2], c = bits.Add64(t2, m&p2, c)
	z[3], c = bits.Add64(t3, m, c)
	z[4], c = bits.Add64(t4, m, c)
	z[5], _ = bits.Add64(t5, m, c)
	return z
}

// Mul sets z to x·y/2^384 mod p, the product in the domain, and returns z. One of x and y may be any number below 2^384.
//
// The product comes first, then six Montgomery steps on its lower half alone, whose value stays below 2^384. -p^-1 mod 2^64
// is 2^32+1, so q = t0 + 2^32·t0 clears the lowest word when q·p = q·2^384 - q·(2^128 + 2^96 - 2^32 + 1) is added: only
// shifts, no multiplication. (a3, a2, a1) are the words of the second factor above the lowest, which cancels t0.
func (z *Element) Mul(x, y *Element) *Element {
	x0, x1, x2, x3, x4, x5 := x[0], x[1], x[2], x[3], x[4], x[5]
	var c uint64

	v := y[0]
	h0, t0 := bits.Mul64(x0, v)
	h1, t1 := bits.Mul64(x1, v)
	h2, t2 := bits.Mul64(x2, v)
	h3, t3 := bits.Mul64(x3, v)
	h4, t4 := bits.Mul64(x4, v)
	t6, t5 := bits.Mul64(x5, v)
	t1, c = bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, h1, c)
	t3, c = bits.Add64(t3, h2, c)
	t4, c = bits.Add64(t4, h3, c)
	t5, c = bits.Add64(t5, h4, c)
	t6 += c

	v = y[1]
	h0, l0 := bits.Mul64(x0, v)
	h1, l1 := bits.Mul64(x1, v)
	h2, l2 := bits.Mul64(x2, v)
	h3, l3 := bits.Mul64(x3, v)
	h4, l4 := bits.Mul64(x4, v)
	h5, l5 := bits.Mul64(x5, v)
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5, c = bits.Add64(t5, l4, c)
	t6, c = bits.Add64(t6, l5, c)
	t7 := c
	t2, c = bits.Add64(t2, h0, 0)
	t3, c = bits.Add64(t3, h1, c)
	t4, c = bits.Add64(t4, h2, c)
	t5, c = bits.Add64(t5, h3, c)
	t6, c = bits.Add64(t6, h4, c)
	t7, _ = bits.Add64(t7, h5, c)

	v = y[2]
	h0, l0 = bits.Mul64(x0, v)
	h1, l1 = bits.Mul64(x1, v)
	h2, l2 = bits.Mul64(x2, v)
	h3, l3 = bits.Mul64(x3, v)
	h4, l4 = bits.Mul64(x4, v)
	h5, l5 = bits.Mul64(x5, v)
	t2, c = bits.Add64(t2, l0, 0)
	t3, c = bits.Add64(t3, l1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, l3, c)
	t6, c = bits.Add64(t6, l4, c)
	t7, c = bits.Add64(t7, l5, c)
	t8 := c
	t3, c = bits.Add64(t3, h0, 0)
	t4, c = bits.Add64(t4, h1, c)
	t5, c = bits.Add64(t5, h2, c)
	t6, c = bits.Add64(t6, h3, c)
	t7, c = bits.Add64(t7, h4, c)
	t8, _ = bits.Add64(t8, h5, c)

	v = y[3]
	h0, l0 = bits.Mul64(x0, v)
	h1, l1 = bits.Mul64(x1, v)
	h2, l2 = bits.Mul64(x2, v)
	h3, l3 = bits.Mul64(x3, v)
	h4, l4 = bits.Mul64(x4, v)
	h5, l5 = bits.Mul64(x5, v)
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	t5, c = bits.Add64(t5, l2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7, c = bits.Add64(t7, l4, c)
	t8, c = bits.Add64(t8, l5, c)
	t9 := c
	t4, c = bits.Add64(t4, h0, 0)
	t5, c = bits.Add64(t5, h1, c)
	t6, c = bits.Add64(t6, h2, c)
	t7, c = bits.Add64(t7, h3, c)
	t8, c = bits.Add64(t8, h4, c)
	t9, _ = bits.Add64(t9, h5, c)

	v = y[4]
	h0, l0 = bits.Mul64(x0, v)
	h1, l1 = bits.Mul64(x1, v)
	h2, l2 = bits.Mul64(x2, v)
	h3, l3 = bits.Mul64(x3, v)
	h4, l4 = bits.Mul64(x4, v)
	h5, l5 = bits.Mul64(x5, v)
	t4, c = bits.Add64(t4, l0, 0)
	t5, c = bits.Add64(t5, l1, c)
	t6, c = bits.Add64(t6, l2, c)
	t7, c = bits.Add64(t7, l3, c)
	t8, c = bits.Add64(t8, l4, c)
	t9, c = bits.Add64(t9, l5, c)
	t10 := c
	t5, c = bits.Add64(t5, h0, 0)
	t6, c = bits.Add64(t6, h1, c)
	t7, c = bits.Add64(t7, h2, c)
	t8, c = bits.Add64(t8, h3, c)
	t9, c = bits.Add64(t9, h4, c)
	t10, _ = bits.Add64(t10, h5, c)

	v = y[5]
	h0, l0 = bits.Mul64(x0, v)
	h1, l1 = bits.Mul64(x1, v)
	h2, l2 = bits.Mul64(x2, v)
	h3, l3 = bits.Mul64(x3, v)
	h4, l4 = bits.Mul64(x4, v)
	h5, l5 = bits.Mul64(x5, v)
	t5, c = bits.Add64(t5, l0, 0)
	t6, c = bits.Add64(t6, l1, c)
	t7, c = bits.Add64(t7, l2, c)
	t8, c = bits.Add64(t8, l3, c)
	t9, c = bits.Add64(t9, l4, c)
	t10, c = bits.Add64(t10, l5, c)
	t11 := c
	t6, c = bits.Add64(t6, h0, 0)
	t7, c = bits.Add64(t7, h1, c)
	t8, c = bits.Add64(t8, h2, c)
	t9, c = bits.Add64(t9, h3, c)
	t10, c = bits.Add64(t10, h4, c)
	t11, _ = bits.Add64(t11, h5, c)

	var q, ql, qh, a1, a2, a3, b uint64
	q = t0 + t0<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t1, b = bits.Sub64(t1, a1, 0)
	t2, b = bits.Sub64(t2, a2, b)
	t3, b = bits.Sub64(t3, a3, b)
	t4, b = bits.Sub64(t4, 0, b)
	t5, b = bits.Sub64(t5, 0, b)
	t0 = q - b
	q = t1 + t1<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t2, b = bits.Sub64(t2, a1, 0)
	t3, b = bits.Sub64(t3, a2, b)
	t4, b = bits.Sub64(t4, a3, b)
	t5, b = bits.Sub64(t5, 0, b)
	t0, b = bits.Sub64(t0, 0, b)
	t1 = q - b
	q = t2 + t2<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t3, b = bits.Sub64(t3, a1, 0)
	t4, b = bits.Sub64(t4, a2, b)
	t5, b = bits.Sub64(t5, a3, b)
	t0, b = bits.Sub64(t0, 0, b)
	t1, b = bits.Sub64(t1, 0, b)
	t2 = q - b
	q = t3 + t3<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t4, b = bits.Sub64(t4, a1, 0)
	t5, b = bits.Sub64(t5, a2, b)
	t0, b = bits.Sub64(t0, a3, b)
	t1, b = bits.Sub64(t1, 0, b)
	t2, b = bits.Sub64(t2, 0, b)
	t3 = q - b
	q = t4 + t4<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t5, b = bits.Sub64(t5, a1, 0)
	t0, b = bits.Sub64(t0, a2, b)
	t1, b = bits.Sub64(t1, a3, b)
	t2, b = bits.Sub64(t2, 0, b)
	t3, b = bits.Sub64(t3, 0, b)
	t4 = q - b
	q = t5 + t5<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t0, b = bits.Sub64(t0, a1, 0)
	t1, b = bits.Sub64(t1, a2, b)
	t2, b = bits.Sub64(t2, a3, b)
	t3, b = bits.Sub64(t3, 0, b)
	t4, b = bits.Sub64(t4, 0, b)
	t5 = q - b

	t0, c = bits.Add64(t0, t6, 0)
	t1, c = bits.Add64(t1, t7, c)
	t2, c = bits.Add64(t2, t8, c)
	t3, c = bits.Add64(t3, t9, c)
	t4, c = bits.Add64(t4, t10, c)
	t5, c = bits.Add64(t5, t11, c)
	z.reduceOnce(t0, t1, t2, t3, t4, t5, c)
	return z
}

// Sqr sets z to x² in the domain and returns z. Its reduction is that of Mul.
func (z *Element) Sqr(x *Element) *Element {
	x0, x1, x2, x3, x4, x5 := x[0], x[1], x[2], x[3], x[4], x[5]
	var c uint64

	h0, t1 := bits.Mul64(x0, x1)
	h1, t2 := bits.Mul64(x0, x2)
	h2, t3 := bits.Mul64(x0, x3)
	h3, t4 := bits.Mul64(x0, x4)
	t6, t5 := bits.Mul64(x0, x5)
	t2, c = bits.Add64(t2, h0, 0)
	t3, c = bits.Add64(t3, h1, c)
	t4, c = bits.Add64(t4, h2, c)
	t5, c = bits.Add64(t5, h3, c)
	t6 += c

	h0, l0 := bits.Mul64(x1, x2)
	h1, l1 := bits.Mul64(x1, x3)
	h2, l2 := bits.Mul64(x1, x4)
	h3, l3 := bits.Mul64(x1, x5)
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	t5, c = bits.Add64(t5, l2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7 := c
	t4, c = bits.Add64(t4, h0, 0)
	t5, c = bits.Add64(t5, h1, c)
	t6, c = bits.Add64(t6, h2, c)
	t7, _ = bits.Add64(t7, h3, c)

	h0, l0 = bits.Mul64(x2, x3)
	h1, l1 = bits.Mul64(x2, x4)
	h2, l2 = bits.Mul64(x2, x5)
	t5, c = bits.Add64(t5, l0, 0)
	t6, c = bits.Add64(t6, l1, c)
	t7, c = bits.Add64(t7, l2, c)
	t8 := c
	t6, c = bits.Add64(t6, h0, 0)
	t7, c = bits.Add64(t7, h1, c)
	t8, _ = bits.Add64(t8, h2, c)

	h0, l0 = bits.Mul64(x3, x4)
	h1, l1 = bits.Mul64(x3, x5)
	t7, c = bits.Add64(t7, l0, 0)
	t8, c = bits.Add64(t8, l1, c)
	t9 := c
	t8, c = bits.Add64(t8, h0, 0)
	t9, _ = bits.Add64(t9, h1, c)

	h0, l0 = bits.Mul64(x4, x5)
	t9, c = bits.Add64(t9, l0, 0)
	t10 := c
	t10, _ = bits.Add64(t10, h0, 0)

	t11 := t10 >> 63
	t10 = t10<<1 | t9>>63
	t9 = t9<<1 | t8>>63
	t8 = t8<<1 | t7>>63
	t7 = t7<<1 | t6>>63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1

	h0, t0 := bits.Mul64(x0, x0)
	t1, c = bits.Add64(t1, h0, 0)
	h0, l0 = bits.Mul64(x1, x1)
	t2, c = bits.Add64(t2, l0, c)
	t3, c = bits.Add64(t3, h0, c)
	h0, l0 = bits.Mul64(x2, x2)
	t4, c = bits.Add64(t4, l0, c)
	t5, c = bits.Add64(t5, h0, c)
	h0, l0 = bits.Mul64(x3, x3)
	t6, c = bits.Add64(t6, l0, c)
	t7, c = bits.Add64(t7, h0, c)
	h0, l0 = bits.Mul64(x4, x4)
	t8, c = bits.Add64(t8, l0, c)
	t9, c = bits.Add64(t9, h0, c)
	h0, l0 = bits.Mul64(x5, x5)
	t10, c = bits.Add64(t10, l0, c)
	t11, _ = bits.Add64(t11, h0, c)

	var q, ql, qh, a1, a2, a3, b uint64
	q = t0 + t0<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t1, b = bits.Sub64(t1, a1, 0)
	t2, b = bits.Sub64(t2, a2, b)
	t3, b = bits.Sub64(t3, a3, b)
	t4, b = bits.Sub64(t4, 0, b)
	t5, b = bits.Sub64(t5, 0, b)
	t0 = q - b
	q = t1 + t1<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t2, b = bits.Sub64(t2, a1, 0)
	t3, b = bits.Sub64(t3, a2, b)
	t4, b = bits.Sub64(t4, a3, b)
	t5, b = bits.Sub64(t5, 0, b)
	t0, b = bits.Sub64(t0, 0, b)
	t1 = q - b
	q = t2 + t2<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t3, b = bits.Sub64(t3, a1, 0)
	t4, b = bits.Sub64(t4, a2, b)
	t5, b = bits.Sub64(t5, a3, b)
	t0, b = bits.Sub64(t0, 0, b)
	t1, b = bits.Sub64(t1, 0, b)
	t2 = q - b
	q = t3 + t3<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t4, b = bits.Sub64(t4, a1, 0)
	t5, b = bits.Sub64(t5, a2, b)
	t0, b = bits.Sub64(t0, a3, b)
	t1, b = bits.Sub64(t1, 0, b)
	t2, b = bits.Sub64(t2, 0, b)
	t3 = q - b
	q = t4 + t4<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t5, b = bits.Sub64(t5, a1, 0)
	t0, b = bits.Sub64(t0, a2, b)
	t1, b = bits.Sub64(t1, a3, b)
	t2, b = bits.Sub64(t2, 0, b)
	t3, b = bits.Sub64(t3, 0, b)
	t4 = q - b
	q = t5 + t5<<32
	ql, qh = q<<32, q>>32
	_, b = bits.Sub64(q, ql, 0)
	a1, b = bits.Sub64(ql, qh, b)
	a2, a3 = bits.Add64(q, qh, 0)
	a2, b = bits.Sub64(a2, 0, b)
	a3 -= b
	t0, b = bits.Sub64(t0, a1, 0)
	t1, b = bits.Sub64(t1, a2, b)
	t2, b = bits.Sub64(t2, a3, b)
	t3, b = bits.Sub64(t3, 0, b)
	t4, b = bits.Sub64(t4, 0, b)
	t5 = q - b

	t0, c = bits.Add64(t0, t6, 0)
	t1, c = bits.Add64(t1, t7, c)
	t2, c = bits.Add64(t2, t8, c)
	t3, c = bits.Add64(t3, t9, c)
	t4, c = bits.Add64(t4, t10, c)
	t5, c = bits.Add64(t5, t11, c)
	z.reduceOnce(t0, t1, t2, t3, t4, t5, c)
	return z
}

// InvVarTime sets z to 1/x in the domain and returns z, for x that is not 0.
func (z *Element) InvVarTime(x *Element) *Element {
	var n modinv.Nat
	copy(n[:], x[:])
	modP.InverseMontVarTime(&n, &n) // (x·R)^-1·R = x^-1, plain
	t := [6]uint64(elementOf(n))
	return z.SetPlain(&t)
}
