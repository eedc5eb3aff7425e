package rsapub

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
)

// vector is a signature over the hash of "sallyport".
type vector struct {
	e    int
	hash crypto.Hash
	pss  bool
	n    string // hexadecimal
	sig  string
}

// SelfTest checks the kernel against known answers: signatures that are valid, the same with one bit changed, and powers whose value
// algebra gives. It is for the time of booting, when a kernel that fails can still be left out; it takes about 2 ms.
func SelfTest(k Kernel) error {
	if !Supported(k) {
		return fmt.Errorf("rsapub: cannot test kernel %q: not supported here", k)
	}
	for i := range vectors {
		if err := vectors[i].check(k); err != nil {
			return fmt.Errorf("rsapub: self-test of kernel %q failed: vector %d: %w", k, i, err)
		}
	}
	for _, bits := range []int{2048, 3072, 4096} {
		if err := checkPowers(bits, k); err != nil {
			return fmt.Errorf("rsapub: self-test of kernel %q failed: %w", k, err)
		}
	}
	return nil
}

func (v *vector) check(k Kernel) error {
	n, err := hex.DecodeString(v.n)
	if err != nil {
		return err
	}
	sig, err := hex.DecodeString(v.sig)
	if err != nil {
		return err
	}
	p, err := NewPublicKey(new(big.Int).SetBytes(n), v.e, k)
	if err != nil {
		return err
	}
	var digest []byte
	switch v.hash {
	case crypto.SHA256:
		d := sha256.Sum256([]byte("sallyport"))
		digest = d[:]
	case crypto.SHA384:
		d := sha512.Sum384([]byte("sallyport"))
		digest = d[:]
	default:
		d := sha512.Sum512([]byte("sallyport"))
		digest = d[:]
	}
	verify, other := p.VerifyPKCS1v15VarTime, p.VerifyPSSVarTime
	if v.pss {
		verify, other = other, verify
	}
	if !verify(v.hash, digest, sig) {
		return errors.New("valid signature refused")
	}
	if other(v.hash, digest, sig) {
		return errors.New("signature of the other scheme accepted")
	}
	digest[len(digest)-1] ^= 1
	if verify(v.hash, digest, sig) {
		return errors.New("wrong digest accepted")
	}
	digest[len(digest)-1] ^= 1
	for _, at := range []int{1, len(sig) / 2, len(sig) - 1} {
		sig[at] ^= 1
		if verify(v.hash, digest, sig) {
			return fmt.Errorf("signature with octet %d changed accepted", at)
		}
		sig[at] ^= 1
	}
	return nil
}

// checkPowers checks 65537th powers of 0, 1, 2^i and -2^i modulo 2^bits - 1, where 2^i is a cyclic shift: its 65537th power is
// 2^(65537·i mod bits). These values are long runs of zeros or ones, and so exercise the carries.
func checkPowers(bits int, k Kernel) error {
	const e = 65537
	one := big.NewInt(1)
	n := new(big.Int).Lsh(one, uint(bits))
	n.Sub(n, one)
	p, err := NewPublicKey(n, e, k)
	if err != nil {
		return err
	}
	for _, i := range []int{-1, 0, 52, 1023, bits - 1} {
		s, want := new(big.Int), new(big.Int)
		if i >= 0 {
			s.Lsh(one, uint(i))
			want.Lsh(one, uint(e*i%bits))
		}
		for _, sign := range []string{"", "-"} {
			var x, z, w limbs64
			fromBig(&x, s)
			fromBig(&w, want)
			p.expVarTime(&z, &x)
			if z != w {
				return fmt.Errorf("wrong power of %s2^%d mod 2^%d-1", sign, i, bits)
			}
			if i >= 0 { // e is odd: (-s)^e = -(s^e)
				s.Sub(n, s)
				want.Sub(n, want)
			}
		}
	}
	return nil
}
