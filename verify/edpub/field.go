package edpub

import (
	"encoding/binary"
	"math/bits"

	"sallyport/verify/ecpub/modinv"
)

// element is a number modulo p = 2^255 - 19 in five limbs of 51 bits, least significant first, not in the Montgomery domain.
//
// Limbs may be larger than 51 bits, and the number need not be below p. A "tight" element has limbs below 2^51 + 2^15, which
// every product is. Factors need limbs below 2^54 only, so sums and differences of a few tight elements are not carried.
type element [5]uint64

const mask51 = 1<<51 - 1

var (
	one = element{1}
	// d2 is 2d with d = -121665/121666, the constant of the curve (RFC 8032, 5.1).
	d2 = element{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}
)

// add sets z to x + y, not carried.
func (z *element) add(x, y *element) {
	z[0] = x[0] + y[0]
	z[1] = x[1] + y[1]
	z[2] = x[2] + y[2]
	z[3] = x[3] + y[3]
	z[4] = x[4] + y[4]
}

// sub sets z to x - y + 2p, not carried, for a tight y: its limbs are below those of 2p.
func (z *element) sub(x, y *element) {
	z[0] = x[0] + (1<<52 - 38) - y[0]
	z[1] = x[1] + (1<<52 - 2) - y[1]
	z[2] = x[2] + (1<<52 - 2) - y[2]
	z[3] = x[3] + (1<<52 - 2) - y[3]
	z[4] = x[4] + (1<<52 - 2) - y[4]
}

// mul sets z to x·y, tight, for x and y with limbs below 2^54.
//
// A column is a sum of five products, at most four of them times 19: below 77·2^108, so its carry fits into 64 bits, and 19
// times the carry of the highest column, which has no factor 19, does too.
func (z *element) mul(x, y *element) {
	x0, x1, x2, x3, x4 := x[0], x[1], x[2], x[3], x[4]
	y0, y1, y2, y3, y4 := y[0], y[1], y[2], y[3], y[4]
	u1, u2, u3, u4 := 19*x1, 19*x2, 19*x3, 19*x4 // 2^255 is 19
	var c uint64

	h0, l0 := bits.Mul64(x0, y0)
	h, l := bits.Mul64(u1, y4)
	l0, c = bits.Add64(l0, l, 0)
	h0, _ = bits.Add64(h0, h, c)
	h, l = bits.Mul64(u2, y3)
	l0, c = bits.Add64(l0, l, 0)
	h0, _ = bits.Add64(h0, h, c)
	h, l = bits.Mul64(u3, y2)
	l0, c = bits.Add64(l0, l, 0)
	h0, _ = bits.Add64(h0, h, c)
	h, l = bits.Mul64(u4, y1)
	l0, c = bits.Add64(l0, l, 0)
	h0, _ = bits.Add64(h0, h, c)

	h1, l1 := bits.Mul64(x0, y1)
	h, l = bits.Mul64(x1, y0)
	l1, c = bits.Add64(l1, l, 0)
	h1, _ = bits.Add64(h1, h, c)
	h, l = bits.Mul64(u2, y4)
	l1, c = bits.Add64(l1, l, 0)
	h1, _ = bits.Add64(h1, h, c)
	h, l = bits.Mul64(u3, y3)
	l1, c = bits.Add64(l1, l, 0)
	h1, _ = bits.Add64(h1, h, c)
	h, l = bits.Mul64(u4, y2)
	l1, c = bits.Add64(l1, l, 0)
	h1, _ = bits.Add64(h1, h, c)

	h2, l2 := bits.Mul64(x0, y2)
	h, l = bits.Mul64(x1, y1)
	l2, c = bits.Add64(l2, l, 0)
	h2, _ = bits.Add64(h2, h, c)
	h, l = bits.Mul64(x2, y0)
	l2, c = bits.Add64(l2, l, 0)
	h2, _ = bits.Add64(h2, h, c)
	h, l = bits.Mul64(u3, y4)
	l2, c = bits.Add64(l2, l, 0)
	h2, _ = bits.Add64(h2, h, c)
	h, l = bits.Mul64(u4, y3)
	l2, c = bits.Add64(l2, l, 0)
	h2, _ = bits.Add64(h2, h, c)

	h3, l3 := bits.Mul64(x0, y3)
	h, l = bits.Mul64(x1, y2)
	l3, c = bits.Add64(l3, l, 0)
	h3, _ = bits.Add64(h3, h, c)
	h, l = bits.Mul64(x2, y1)
	l3, c = bits.Add64(l3, l, 0)
	h3, _ = bits.Add64(h3, h, c)
	h, l = bits.Mul64(x3, y0)
	l3, c = bits.Add64(l3, l, 0)
	h3, _ = bits.Add64(h3, h, c)
	h, l = bits.Mul64(u4, y4)
	l3, c = bits.Add64(l3, l, 0)
	h3, _ = bits.Add64(h3, h, c)

	h4, l4 := bits.Mul64(x0, y4)
	h, l = bits.Mul64(x1, y3)
	l4, c = bits.Add64(l4, l, 0)
	h4, _ = bits.Add64(h4, h, c)
	h, l = bits.Mul64(x2, y2)
	l4, c = bits.Add64(l4, l, 0)
	h4, _ = bits.Add64(h4, h, c)
	h, l = bits.Mul64(x3, y1)
	l4, c = bits.Add64(l4, l, 0)
	h4, _ = bits.Add64(h4, h, c)
	h, l = bits.Mul64(x4, y0)
	l4, c = bits.Add64(l4, l, 0)
	h4, _ = bits.Add64(h4, h, c)

	// Two rounds of carries, all limbs at once: the first are below 2^64, the second below 2^13.
	r0 := l0&mask51 + 19*(h4<<13|l4>>51)
	r1 := l1&mask51 + (h0<<13 | l0>>51)
	r2 := l2&mask51 + (h1<<13 | l1>>51)
	r3 := l3&mask51 + (h2<<13 | l2>>51)
	r4 := l4&mask51 + (h3<<13 | l3>>51)
	z[0] = r0&mask51 + 19*(r4>>51)
	z[1] = r1&mask51 + r0>>51
	z[2] = r2&mask51 + r1>>51
	z[3] = r3&mask51 + r2>>51
	z[4] = r4&mask51 + r3>>51
}

// carry makes z tight, for limbs below 2^61.
func (z *element) carry() {
	c0, c1, c2, c3, c4 := z[0]>>51, z[1]>>51, z[2]>>51, z[3]>>51, z[4]>>51
	z[0] = z[0]&mask51 + 19*c4 // below 2^51 + 19·2^10
	z[1] = z[1]&mask51 + c0
	z[2] = z[2]&mask51 + c1
	z[3] = z[3]&mask51 + c2
	z[4] = z[4]&mask51 + c3
}

// words returns z, tight, in [0, p), in four words, least significant first.
func (z *element) words() [4]uint64 {
	// z is below 2^255 + 2^220, so below 2p: q is 1 if z ≥ p, that is if z + 19 ≥ 2^255.
	q := (z[0] + 19) >> 51
	q = (z[1] + q) >> 51
	q = (z[2] + q) >> 51
	q = (z[3] + q) >> 51
	q = (z[4] + q) >> 51
	// z - q·p = z + 19q - q·2^255.
	t0 := z[0] + 19*q
	t1 := z[1] + t0>>51
	t2 := z[2] + t1>>51
	t3 := z[3] + t2>>51
	t4 := z[4] + t3>>51
	t0, t1, t2, t3, t4 = t0&mask51, t1&mask51, t2&mask51, t3&mask51, t4&mask51
	return [4]uint64{t0 | t1<<51, t1>>13 | t2<<38, t2>>26 | t3<<25, t3>>39 | t4<<12}
}

// setWords sets z to w, below 2^255, tight.
func (z *element) setWords(w *[4]uint64) {
	z[0] = w[0] & mask51
	z[1] = (w[0]>>51 | w[1]<<13) & mask51
	z[2] = (w[1]>>38 | w[2]<<26) & mask51
	z[3] = (w[2]>>25 | w[3]<<39) & mask51
	z[4] = w[3] >> 12 & mask51
}

var field = modinv.New(fieldPrime.FillBytes(make([]byte, 32)))

// invertVarTime sets z to 1/x, tight, for a tight x that is not 0 modulo p.
func (z *element) invertVarTime(x *element) {
	// modinv returns R/y with R = 2^256, which is 38: 38x goes in.
	t := *x
	for i := range t {
		t[i] *= 38
	}
	t.carry()
	w := t.words()
	var n modinv.Nat
	copy(n[:], w[:])
	field.InverseMontVarTime(&n, &n)
	z.setWords((*[4]uint64)(n[:4]))
}

// encode returns the encoding of the point (x, y), both tight: y, little-endian, and the lowest bit of x on top (RFC 8032,
// 5.1.2).
func encode(x, y *element) (b [32]byte) {
	w := y.words()
	xw := x.words()
	w[3] |= xw[0] << 63
	for i, v := range w {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
	return b
}
