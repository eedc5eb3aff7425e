package rsapub

import (
	"crypto"
	"math/big"
)

// residues are what an RSASSA-PKCS1-v1_5 signature for one hash has to have as its 65537th power, for the IFMA kernel, which leaves two of
// its 18 multiplications out: squarings that begin at s itself, and a last factor s, give s^65537·K mod n with K = R^-65536. So the encoded
// message (RFC 8017, 9.2) times K is what they are compared with. It is a constant, that of padding and prefix, and digest·K. All
// residues that are compared are canonical, K has an inverse and both messages are below n: they are equal exactly when s^65537 mod n
// is the encoded message.
type residues struct {
	rows    uint64 // digits of a digest
	padding digits // the encoded message of a digest of zeros, times K mod n
	factor  digits // K·2^(52·rows) mod n: multiplied by a digest of so many rows it is digest·K
}

// residueExponent is the exponent that residues are for.
const residueExponent = 65537

// newResidues returns those of SHA-256, SHA-384 and SHA-512.
func (p *PublicKey) newResidues(n *big.Int) *[3]residues {
	k := new(big.Int).Exp(big.NewInt(2), big.NewInt(digitBits*int64(p.r52.rows)*(residueExponent-1)), n)
	k.ModInverse(k, n) // there is one: n is odd
	set := func(z *digits, x *big.Int) {
		var l limbs64
		fromBig(&l, x.Mod(x, n))
		toDigits(z, &l, p.r52.rows)
	}
	var all [3]residues
	for i := range all {
		h := crypto.SHA256 + crypto.Hash(i)
		r := &all[i]
		r.rows = uint64(8*h.Size()+digitBits-1) / digitBits
		em := make([]byte, p.size)
		encode(em, prefixOf(h), make([]byte, h.Size()))
		set(&r.padding, new(big.Int).Mul(new(big.Int).SetBytes(em), k))
		set(&r.factor, new(big.Int).Lsh(k, digitBits*uint(r.rows)))
	}
	return &all
}

// matchesVarTime reports whether sig is the signature over digest, whose hash r is of. It is false when sig is not of p.size octets or
// not below n.
func (p *PublicKey) matchesVarTime(r *residues, digest, sig []byte) bool {
	var l limbs64
	if !p.representative(&l, sig) {
		return false
	}
	m := &p.r52
	var s, got, d digits
	toDigits(&s, &l, m.rows)
	got = s
	m.sqr(&got, 16)
	m.mul(&got, &s)
	m.reduce(&got)

	setBytes(&l, digest)
	toDigits(&d, &l, r.rows)
	want := r.factor
	m.mulRows(&want, &d, r.rows)
	m.reduce(&want)
	m.add(&want, &r.padding)
	m.reduce(&want)
	return got == want
}

// add sets x to x + y, for x and y below n.
func (m *radix52) add(x, y *digits) {
	var carry uint64
	for i := range m.rows {
		d := x[i] + y[i] + carry
		x[i], carry = d&digitMask, d>>digitBits
	}
}
