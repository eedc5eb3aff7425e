package rsapub

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
)

// The DER of DigestInfo up to the digest, with the NULL parameters (RFC 8017, 9.2, note 1).
const (
	prefixSHA256 = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	prefixSHA384 = "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
	prefixSHA512 = "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
)

const maxHash = sha512.Size

// ones is what padding is made of.
var ones = [maxSize]byte(bytes.Repeat([]byte{0xff}, maxSize))

// VerifyPKCS1v15VarTime reports whether sig is the RSASSA-PKCS1-v1_5 signature over digest, which was made with h: SHA-256, SHA-384 or
// SHA-512, and no other. sig must be of exactly Size octets. It does not allocate.
func (p *PublicKey) VerifyPKCS1v15VarTime(h crypto.Hash, digest, sig []byte) bool {
	prefix := prefixOf(h)
	if prefix == "" || len(digest) != h.Size() {
		return false
	}
	if p.residues != nil {
		return p.matchesVarTime(&p.residues[h-crypto.SHA256], digest, sig)
	}
	var got, want [maxSize]byte
	if !p.recover(got[:p.size], sig) {
		return false
	}
	encode(want[:p.size], prefix, digest)
	return bytes.Equal(got[:p.size], want[:p.size])
}

// prefixOf returns what stands before a digest, "" for hashes that are not ours.
func prefixOf(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return prefixSHA256
	case crypto.SHA384:
		return prefixSHA384
	case crypto.SHA512:
		return prefixSHA512
	}
	return ""
}

// encode makes em, which is zero, the encoded message of RFC 8017, 9.2: 0x00 ‖ 0x01 ‖ PS ‖ 0x00 ‖ T. At 2048 bits and more PS is
// never short of 8 octets.
func encode(em []byte, prefix string, digest []byte) {
	t := len(em) - len(prefix) - len(digest)
	em[1] = 1
	copy(em[2:t-1], ones[:])
	copy(em[t:], prefix)
	copy(em[t+len(prefix):], digest)
}

// VerifyPSSVarTime reports whether sig is an RSASSA-PSS signature over digest, which was made with h: SHA-256, SHA-384 or SHA-512, and no
// other. MGF1 uses the same hash and the salt is as long as its output (RFC 7518, 3.5). sig must be of exactly Size octets. It does not
// allocate.
func (p *PublicKey) VerifyPSSVarTime(h crypto.Hash, digest, sig []byte) bool {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return false
	}
	hLen := h.Size()
	if len(digest) != hLen {
		return false
	}
	var buf [maxSize]byte
	if !p.recover(buf[:p.size], sig) {
		return false
	}
	// RFC 8017, 9.1.2: EM has bits-1 bits, which is an octet less than the modulus when bits-1 is a multiple of 8.
	em := buf[:p.size]
	if (p.bits-1)%8 == 0 {
		if em[0] != 0 {
			return false
		}
		em = em[1:]
	}
	db := len(em) - hLen - 1
	salt := db - hLen // where the salt begins in DB
	seed := em[db : db+hLen]

	// The one mask that seed stands for, and under it the salt that an honest signer used.
	var mask [maxSize]byte
	mgf1(mask[:db], h, seed)
	var m [8 + 2*maxHash]byte // RFC 8017, 9.1.2, step 12: M' = eight zero octets ‖ mHash ‖ salt
	copy(m[8:], digest)
	for i := range hLen {
		m[8+hLen+i] = em[salt+i] ^ mask[salt+i]
	}
	var sum [maxHash]byte
	hashSum(&sum, h, m[:8+2*hLen])

	// EM = (PS ‖ 0x01 ‖ salt) xor mask, with the excess bits cleared, ‖ H ‖ 0xbc.
	var want [maxSize]byte
	want[salt-1] = 1
	copy(want[salt:db], m[8+hLen:])
	for i := range db {
		want[i] ^= mask[i]
	}
	want[0] &= 0xff >> (8*len(em) - (p.bits - 1))
	copy(want[db:], sum[:hLen])
	want[db+hLen] = 0xbc
	return bytes.Equal(em, want[:len(em)])
}

// mgf1 fills dst with MGF1 of seed (RFC 8017, B.2.1).
func mgf1(dst []byte, h crypto.Hash, seed []byte) {
	var in [maxHash + 4]byte
	var sum [maxHash]byte
	n := copy(in[:], seed)
	for counter := byte(0); len(dst) > 0; counter++ { // at most 512/32 rounds: one octet of the counter's four is enough
		in[n+3] = counter
		hashSum(&sum, h, in[:n+4])
		dst = dst[copy(dst, sum[:h.Size()]):]
	}
}

// hashSum sets the first h.Size() octets of sum to the hash of data.
func hashSum(sum *[maxHash]byte, h crypto.Hash, data []byte) {
	switch h {
	case crypto.SHA256:
		*(*[sha256.Size]byte)(sum[:]) = sha256.Sum256(data)
	case crypto.SHA384:
		*(*[sha512.Size384]byte)(sum[:]) = sha512.Sum384(data)
	case crypto.SHA512:
		*sum = sha512.Sum512(data)
	default:
		panic("sallyport: BUG: rsapub: hash was not checked")
	}
}
