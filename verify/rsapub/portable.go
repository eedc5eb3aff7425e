package rsapub

import "math/bits"

// wide64 is a product of two limbs64, lowest limb first.
type wide64 = [2 * maxLimbs]uint64

// exp64 sets z to s^e mod n, below 2n and below R, for s in [0, n).
func (p *PublicKey) exp64(z, s *limbs64) {
	x := *s
	p.mul64(&x, &p.rr) // s·R
	acc := x
	for i := bits.Len32(p.e) - 2; i > 0; i-- {
		p.sqr64(&acc)
		if p.e>>i&1 == 1 {
			p.mul64(&acc, &x)
		}
	}
	// e is odd: the last factor is s itself, and takes the product out of the Montgomery domain.
	p.sqr64(&acc)
	p.mul64(&acc, s)
	*z = acc
}

// mulPortable sets x to x·y/R mod n, below R, for x and y below R.
func (p *PublicKey) mulPortable(x, y *limbs64) {
	var t wide64
	mulTwin64(&t, x, y, p.limbs)
	p.reducePortable(x, &t)
}

// sqrPortable sets x to x²/R mod n, below R, for x below R.
func (p *PublicKey) sqrPortable(x *limbs64) {
	var t wide64
	sqrTwin64(&t, x, p.limbs)
	p.reducePortable(x, &t)
}

// reducePortable sets x to t/R mod n, below R, for t below R². The lower half of t is used up.
func (p *PublicKey) reducePortable(x *limbs64, t *wide64) {
	carry := reduceTwin64(t, &p.n, p.n0, p.limbs)
	copy(x[:p.limbs], t[p.limbs:2*p.limbs])
	if carry != 0 {
		sub(x[:p.limbs], p.n[:p.limbs])
	}
}

// mulTwin64 sets t, which is zero, to x·y of l limbs each.
func mulTwin64(t *wide64, x, y *limbs64, l int) {
	for i, b := range y[:l] {
		t[i+l] = mulAddRow(t[i:i+l], x[:l], b)
	}
}

// sqrTwin64 sets t, which is zero, to x² of l limbs.
func sqrTwin64(t *wide64, x *limbs64, l int) {
	// The products x[i]·x[j] with i < j once, then doubled, then the squares.
	for i := range l - 1 {
		t[i+l] = mulAddRow(t[2*i+1:i+l], x[i+1:l], x[i])
	}
	var top, carry uint64
	for i, v := range x[:l] {
		hi, lo := bits.Mul64(v, v)
		a, b := t[2*i], t[2*i+1]
		t[2*i], carry = bits.Add64(a<<1|top, lo, carry)
		t[2*i+1], carry = bits.Add64(b<<1|a>>63, hi, carry)
		top = b >> 63
	}
}

// reduceTwin64 adds q·n to t, where q makes the lower half of t zero, and returns the carry out of t. The lower half is lost.
func reduceTwin64(t *wide64, n *limbs64, n0 uint64, l int) (carry uint64) {
	for i := range l {
		c := mulAddRow(t[i:i+l], n[:l], t[i]*n0)
		t[i+l], carry = bits.Add64(t[i+l], c, carry)
	}
	return carry
}

// mulAddRow adds x·y to z, of equal length, and returns the limb that carries out.
//
// Four products are made before their carries are added: a multiplication between two additions would cost the carry flag.
func mulAddRow(z, x []uint64, y uint64) (carry uint64) {
	for len(z) >= 4 && len(x) >= 4 {
		h0, l0 := bits.Mul64(x[0], y)
		h1, l1 := bits.Mul64(x[1], y)
		h2, l2 := bits.Mul64(x[2], y)
		h3, l3 := bits.Mul64(x[3], y)
		var c uint64
		l0, c = bits.Add64(l0, carry, 0)
		l1, c = bits.Add64(l1, h0, c)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		h3, _ = bits.Add64(h3, 0, c)
		z[0], c = bits.Add64(z[0], l0, 0)
		z[1], c = bits.Add64(z[1], l1, c)
		z[2], c = bits.Add64(z[2], l2, c)
		z[3], c = bits.Add64(z[3], l3, c)
		carry, _ = bits.Add64(h3, 0, c)
		z, x = z[4:], x[4:]
	}
	x = x[:len(z)]
	for i := range z {
		hi, lo := bits.Mul64(x[i], y)
		var c uint64
		lo, c = bits.Add64(lo, carry, 0)
		hi, _ = bits.Add64(hi, 0, c)
		z[i], c = bits.Add64(z[i], lo, 0)
		carry, _ = bits.Add64(hi, 0, c)
	}
	return carry
}
