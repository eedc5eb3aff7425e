package edpub

import "crypto/sha512"

// VerifyVarTime reports whether sig is a signature of message by the key (RFC 8032, 5.1.7, without the cofactor).
//
// sig is R‖S, 64 octets; another length is a wrong signature. message has any length. All inputs are public: time depends on
// them. It does not allocate, and keeps neither slice.
func (p *PublicKey) VerifyVarTime(message, sig []byte) bool {
	if len(sig) != SignatureSize {
		return false
	}
	r := (*[32]byte)(sig[:32])
	var s, k scalar
	if !s.setBytes((*[32]byte)(sig[32:])) {
		return false
	}
	p.hash(&k, r, message)
	var sum point
	if p.kernel == IFMA {
		sum.sumIFMAVarTime(p.bIFMA, p.qIFMA, &s, &k)
	} else {
		sum.sumVarTime(p.b, p.q, &s, &k)
	}
	return sum.encodeVarTime() == *r
}

// hash sets k to SHA-512(R‖A‖M) modulo L.
func (p *PublicKey) hash(k *scalar, r *[32]byte, message []byte) {
	h := sha512.New()
	h.Write(r[:])
	h.Write(p.key[:])
	h.Write(message)
	var sum [64]byte
	h.Sum(sum[:0])
	k.reduce(&sum)
}
