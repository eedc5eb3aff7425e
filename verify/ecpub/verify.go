package ecpub

import (
	"sallyport/verify/ecpub/modinv"
	"sallyport/verify/p256"
	"sallyport/verify/p384"
	"sallyport/verify/p521"
)

// VerifyVarTime reports whether sig is a signature of digest by the key, and whether it could tell: if decided is false, ok is
// false and says nothing, and the caller must ask the standard library.
//
// sig is r‖s, each a big-endian integer as long as a coordinate (RFC 7518, 3.4); another length, or an r or s outside
// [1, n-1], is a wrong signature. digest is a hash of any length, of which the leftmost bits count (FIPS 186-5, 6.4.2). All
// inputs are public: time depends on them. It does not allocate, and keeps neither slice.
func (k *PublicKey) VerifyVarTime(digest, sig []byte) (ok, decided bool) {
	c := &curves[k.curve]
	if len(sig) != 2*c.size {
		return false, true
	}
	var r, s modinv.Nat
	r.SetBytes(sig[:c.size])
	s.SetBytes(sig[c.size:])
	// FIPS 186-5, 6.4.2, step 1, before anything else (CVE-2022-21449).
	if r.IsZero() || s.IsZero() || !c.order.LessVarTime(&r) || !c.order.LessVarTime(&s) {
		return false, true
	}

	u1 := c.hashToNat(digest)
	var u2 modinv.Nat
	c.order.InverseMontVarTime(&s, &s) // 1/s in the Montgomery domain
	c.order.MontMul(&u2, &s, &r)
	c.order.MontMul(&u1, &s, &u1)
	neg1, neg2 := c.makeOdd(&u1), c.makeOdd(&u2)

	// x mod n is r for x = r and, if that is below p, for x = r + n; p is below 2n.
	wraps := r.LessVarTime(&c.gap)
	var rn modinv.Nat
	if wraps {
		rn = r
		c.order.AddM(&rn)
	}
	switch k.curve {
	case P256:
		return k.verify256(&u1, &u2, neg1, neg2, &r, &rn, wraps)
	case P384:
		return k.verify384(&u1, &u2, neg1, neg2, &r, &rn, wraps)
	case P521:
		return k.verify521(&u1, &u2, neg1, neg2, &r, &rn, wraps)
	}
	return false, false
}

// hashToNat returns the leftmost bits of digest, as many as n has. That may be n or more, but is below 2n, which MontMul takes.
func (c *params) hashToNat(digest []byte) modinv.Nat {
	var e modinv.Nat
	if len(digest) < c.size {
		e.SetBytes(digest)
		return e
	}
	e.SetBytes(digest[:c.size])
	if c.excess > 0 {
		e.ShiftRight(c.excess)
	}
	return e
}

// makeOdd replaces an even u in [0, n-1] by n - u, which is odd, and reports whether it did.
func (c *params) makeOdd(u *modinv.Nat) (neg bool) {
	if u[0]&1 == 1 {
		return false
	}
	c.order.Negate(u)
	return true
}

func (k *PublicKey) verify256(u1, u2 *modinv.Nat, neg1, neg2 bool, r, rn *modinv.Nat, wraps bool) (ok, decided bool) {
	a := p256.Scalar{Odd: [4]uint64(u1[:4]), Neg: neg1}
	b := p256.Scalar{Odd: [4]uint64(u2[:4]), Neg: neg2}
	var z p256.Sum
	switch k.kernel {
	case IFMA:
		p256.SumIFMAVarTime(&z, k.g256ifma, k.q256ifma, &a, &b)
	case ADX:
		p256.SumADXVarTime(&z, k.g256, k.q256, &a, &b)
	default:
		p256.SumVarTime(&z, k.g256, k.q256, &a, &b)
	}
	if z.Undefined() {
		return false, false
	}
	return z.HasX((*[4]uint64)(r[:4])) || wraps && z.HasX((*[4]uint64)(rn[:4])), true
}

func (k *PublicKey) verify384(u1, u2 *modinv.Nat, neg1, neg2 bool, r, rn *modinv.Nat, wraps bool) (ok, decided bool) {
	a := p384.Scalar{Odd: [6]uint64(u1[:6]), Neg: neg1}
	b := p384.Scalar{Odd: [6]uint64(u2[:6]), Neg: neg2}
	var z p384.Sum
	p384.SumVarTime(&z, k.g384, k.q384, &a, &b)
	if z.Undefined() {
		return false, false
	}
	return z.HasX((*[6]uint64)(r[:6])) || wraps && z.HasX((*[6]uint64)(rn[:6])), true
}

func (k *PublicKey) verify521(u1, u2 *modinv.Nat, neg1, neg2 bool, r, rn *modinv.Nat, wraps bool) (ok, decided bool) {
	a := p521.Scalar{Odd: *u1, Neg: neg1}
	b := p521.Scalar{Odd: *u2, Neg: neg2}
	var z p521.Sum
	p521.SumVarTime(&z, k.g521, k.q521, &a, &b)
	if z.Undefined() {
		return false, false
	}
	return z.HasX((*[9]uint64)(r)) || wraps && z.HasX((*[9]uint64)(rn)), true
}
