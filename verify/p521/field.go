package p521

import (
	"bytes"
	"math/bits"

	"sallyport/verify/ecpub/modinv"
)

// Element is a number modulo p = 2^521 - 1 in radix 2^58, nine limbs, least significant first. It is not in a Montgomery
// domain and not unique: every limb is at most 2^58 + 2^6, and the value may be any number congruent to the one meant. All
// functions take and give that range. The zero value is 0.
//
// 2^522 is 2 modulo p, so a product folds without a division; with six spare bits in a word no sum of products carries beyond
// 128 bits, and additions carry side by side.
type Element [9]uint64

const mask58 = 1<<58 - 1

var (
	modP = modinv.New(append([]byte{1}, bytes.Repeat([]byte{0xff}, 65)...))
	one  = Element{1}
)

// SetPlain sets z to x, a plain number below 2^522 in 64-bit words, least significant first, and returns z.
func (z *Element) SetPlain(x *[9]uint64) *Element {
	z[0] = x[0] & mask58
	z[1] = (x[0]>>58 | x[1]<<6) & mask58
	z[2] = (x[1]>>52 | x[2]<<12) & mask58
	z[3] = (x[2]>>46 | x[3]<<18) & mask58
	z[4] = (x[3]>>40 | x[4]<<24) & mask58
	z[5] = (x[4]>>34 | x[5]<<30) & mask58
	z[6] = (x[5]>>28 | x[6]<<36) & mask58
	z[7] = (x[6]>>22 | x[7]<<42) & mask58
	z[8] = (x[7]>>16 | x[8]<<48) & mask58
	return z
}

// canonical sets z to the one representation in [0, p) with limbs below 2^58.
func (z *Element) canonical(x *Element) {
	t := *x
	// The value is below 2^523. Twice: carry, and bring what is above bit 521 back with the weight 1.
	for range 2 {
		var c uint64
		for i := range t {
			t[i] += c
			c = t[i] >> 58
			if i < 8 {
				t[i] &= mask58
			}
		}
		t[0] += t[8] >> 57
		t[8] &= 1<<57 - 1
	}
	// Now below 2^521, but limb 0 may have one carry left from the last fold only if all other limbs are 0.
	ones := t[8] == 1<<57-1
	for _, v := range t[:8] {
		ones = ones && v == mask58
	}
	if ones {
		t = Element{}
	}
	*z = t
}

// Plain returns z in [0, p) in 64-bit words, least significant first.
func (z *Element) Plain() (w [9]uint64) {
	var t Element
	t.canonical(z)
	for i, v := range t {
		j, b := i*58/64, i*58%64
		w[j] |= v << b
		if b > 6 {
			w[j+1] |= v >> (64 - b)
		}
	}
	return w
}

// IsZero reports whether z is 0 modulo p.
func (z *Element) IsZero() bool {
	var t Element
	t.canonical(z)
	return t == Element{}
}

// Add sets z to x + y and returns z.
func (z *Element) Add(x, y *Element) *Element {
	z.carry(x[0]+y[0], x[1]+y[1], x[2]+y[2], x[3]+y[3], x[4]+y[4], x[5]+y[5], x[6]+y[6], x[7]+y[7], x[8]+y[8])
	return z
}

// carry sets z to t with every limb's excess, at most 2^5, moved to the next limb, and twice that of the highest to the lowest.
func (z *Element) carry(t0, t1, t2, t3, t4, t5, t6, t7, t8 uint64) {
	z[0] = t0&mask58 + t8>>58*2
	z[1] = t1&mask58 + t0>>58
	z[2] = t2&mask58 + t1>>58
	z[3] = t3&mask58 + t2>>58
	z[4] = t4&mask58 + t3>>58
	z[5] = t5&mask58 + t4>>58
	z[6] = t6&mask58 + t5>>58
	z[7] = t7&mask58 + t6>>58
	z[8] = t8&mask58 + t7>>58
}

// Sub sets z to x - y and returns z.
func (z *Element) Sub(x, y *Element) *Element {
	// 4p = 2^523 - 4 in limbs that are each above any limb of y.
	const (
		lowest = 1<<59 - 4
		other  = 1<<59 - 2
	)
	z.carry(x[0]+(lowest-y[0]), x[1]+(other-y[1]), x[2]+(other-y[2]), x[3]+(other-y[3]), x[4]+(other-y[4]),
		x[5]+(other-y[5]), x[6]+(other-y[6]), x[7]+(other-y[7]), x[8]+(other-y[8]))
	return z
}

// Mul sets z to x·y and returns z. A column is at most 17 products of (2^58+2^6)², so below 2^120.2, and its carry below
// 2^62.2; the last column has no doubled products and carries less than 2^62.
func (z *Element) Mul(x, y *Element) *Element {
	x0, y0 := x[0], y[0]
	x1, y1 := x[1], y[1]
	x2, y2 := x[2], y[2]
	x3, y3 := x[3], y[3]
	x4, y4 := x[4], y[4]
	x5, y5 := x[5], y[5]
	x6, y6 := x[6], y[6]
	x7, y7 := x[7], y[7]
	x8, y8 := x[8], y[8]
	var h, l, hi, lo, c, carry uint64
	// w is 2y: a product of weight 2^522 or more comes back with twice its value.
	w1, w2, w3, w4, w5, w6, w7, w8 := 2*y1, 2*y2, 2*y3, 2*y4, 2*y5, 2*y6, 2*y7, 2*y8

	h, l = bits.Mul64(x0, y0)
	hi, lo = bits.Mul64(x1, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, w6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, w5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, w4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, w3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	r0 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y1)
	hi, lo = bits.Mul64(x1, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, w6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, w5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, w4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r1 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y2)
	hi, lo = bits.Mul64(x1, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, w6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, w5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r2 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y3)
	hi, lo = bits.Mul64(x1, y2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, w6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r3 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y4)
	hi, lo = bits.Mul64(x1, y3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r4 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y5)
	hi, lo = bits.Mul64(x1, y4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, y2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r5 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y6)
	hi, lo = bits.Mul64(x1, y5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, y3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, y2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r6 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y7)
	hi, lo = bits.Mul64(x1, y6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, y4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, y3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, y2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, w8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r7 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, y8)
	hi, lo = bits.Mul64(x1, y7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, y6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, y5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, y4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, y3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, y2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, y1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, y0)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r8 := l & mask58
	carry = h<<6 | l>>58

	// carry is below 2^62 and has the weight 2^522.
	r0 += 2 * carry
	*z = Element{r0 & mask58, r1 + r0>>58, r2, r3, r4, r5, r6, r7, r8}
	return z
}

// Sqr sets z to x² and returns z. The bounds are those of Mul.
func (z *Element) Sqr(x *Element) *Element {
	x0 := x[0]
	x1 := x[1]
	x2 := x[2]
	x3 := x[3]
	x4 := x[4]
	x5 := x[5]
	x6 := x[6]
	x7 := x[7]
	x8 := x[8]
	var h, l, hi, lo, c, carry uint64
	// d is 2x and q is 4x: two equal products are one, and those of weight 2^522 or more count twice.
	d1, d2, d3, d4, d5, d6, d7, d8 := 2*x1, 2*x2, 2*x3, 2*x4, 2*x5, 2*x6, 2*x7, 2*x8
	q5, q6, q7, q8 := 4*x5, 4*x6, 4*x7, 4*x8

	h, l = bits.Mul64(x0, x0)
	hi, lo = bits.Mul64(x1, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, q7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, q6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, q5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	r0 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d1)
	hi, lo = bits.Mul64(x2, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, q7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, q6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, d5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r1 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d2)
	hi, lo = bits.Mul64(x1, x1)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, q7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, q6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r2 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d3)
	hi, lo = bits.Mul64(x1, d2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, q7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, d6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r3 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d4)
	hi, lo = bits.Mul64(x1, d3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, x2)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x5, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, q7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r4 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d5)
	hi, lo = bits.Mul64(x1, d4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, d3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x6, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, d7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r5 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d6)
	hi, lo = bits.Mul64(x1, d5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, d4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, x3)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x7, q8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r6 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d7)
	hi, lo = bits.Mul64(x1, d6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, d5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, d4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x8, d8)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r7 := l & mask58
	carry = h<<6 | l>>58

	h, l = bits.Mul64(x0, d8)
	hi, lo = bits.Mul64(x1, d7)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x2, d6)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x3, d5)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	hi, lo = bits.Mul64(x4, x4)
	l, c = bits.Add64(l, lo, 0)
	h += hi + c
	l, c = bits.Add64(l, carry, 0)
	h += c
	r8 := l & mask58
	carry = h<<6 | l>>58

	// carry is below 2^62 and has the weight 2^522.
	r0 += 2 * carry
	*z = Element{r0 & mask58, r1 + r0>>58, r2, r3, r4, r5, r6, r7, r8}
	return z
}

// InvVarTime sets z to 1/x and returns z, for x that is not 0.
func (z *Element) InvVarTime(x *Element) *Element {
	n := modinv.Nat(x.Plain())
	modP.InverseMontVarTime(&n, &n)
	modP.MontMul(&n, &n, &modinv.Nat{1})
	return z.SetPlain((*[9]uint64)(&n))
}
