package verify

import (
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"sallyport/verify/jose"
	"sallyport/verify/rsapub"
)

// rsaScheme is RSASSA-PKCS1-v1_5 or RSASSA-PSS (RFC 7518, 3.3 and 3.5), by a kernel that holds the modulus's state, or by the standard
// library: without kernels, for moduli of more than 4096 bits, and for exponents other than 65537.
type rsaScheme struct {
	pub  *rsa.PublicKey
	key  *rsapub.PublicKey // nil: the standard library
	hash crypto.Hash
	pss  bool
	size int
}

func newRSA(alg jose.Alg, pub *rsa.PublicKey, opt KeyOptions) (scheme, []byte, error) {
	if err := fits(alg, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512); err != nil {
		return nil, nil, err
	}
	limit := opt.MaxRSABits
	if limit == 0 {
		limit = defaultMaxRSABits
	}
	limit = min(limit, maxRSABits)
	if pub.N == nil || pub.N.Sign() <= 0 {
		return nil, nil, errors.New("modulus is not positive")
	}
	bits := pub.N.BitLen()
	switch {
	case bits < minRSABits:
		return nil, nil, fmt.Errorf("modulus of %d bits is too short (at least %d)", bits, minRSABits)
	case bits > limit:
		return nil, nil, fmt.Errorf("modulus of %d bits is too long (at most %d)", bits, limit)
	case pub.N.Bit(0) == 0:
		return nil, nil, errors.New("modulus is even")
	case pub.E < 1<<16+1:
		// Small exponents are sound with strict padding checks, but no provider publishes one by choice.
		return nil, nil, errors.New("public exponent is below 65537")
	case pub.E&1 == 0 || pub.E > 1<<31-1:
		return nil, nil, errors.New("public exponent is even or too large")
	case isROCA(pub.N):
		return nil, nil, errors.New("modulus has the ROCA weakness (CVE-2017-15361)")
	}
	own := &rsa.PublicKey{N: new(big.Int).Set(pub.N), E: pub.E}
	material := binary.BigEndian.AppendUint64(nil, uint64(pub.E))
	material = append(material, own.N.Bytes()...)
	pss := alg == jose.PS256 || alg == jose.PS384 || alg == jose.PS512
	s := &rsaScheme{pub: own, hash: hashOf(alg), pss: pss, size: own.Size()}
	if k := ActiveKernels().RSA; k != 0 && bits <= rsapub.MaxBits && pub.E == 65537 {
		var err error
		if s.key, err = rsapub.NewPublicKey(own.N, own.E, k); err != nil {
			return nil, nil, err
		}
	}
	return s, material, nil
}

func (s *rsaScheme) verify(input, sig []byte) bool {
	// RFC 8017, 8.1.2 and 8.2.2, step 1: the length is exactly that of the modulus.
	if len(sig) != s.size {
		return false
	}
	if s.key == nil {
		return s.verifyStd(input, sig)
	}
	var buf [64]byte
	d := digest(s.hash, &buf, input)
	if s.pss {
		return s.key.VerifyPSSVarTime(s.hash, d, sig)
	}
	return s.key.VerifyPKCS1v15VarTime(s.hash, d, sig)
}

// verifyStd is apart because the digest escapes to the heap here.
func (s *rsaScheme) verifyStd(input, sig []byte) bool {
	var buf [64]byte
	d := digest(s.hash, &buf, input)
	if s.pss {
		// RFC 7518, 3.5: the salt is as long as the hash.
		return rsa.VerifyPSS(s.pub, s.hash, d, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash}) == nil
	}
	return rsa.VerifyPKCS1v15(s.pub, s.hash, d, sig) == nil
}

// rocaPrimes are the small primes whose residues give the flawed generator away: for each, a weak modulus is a power of
// 65537 modulo it (Nemec et al., CCS 2017).
var rocaPrimes = [...]uint64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

// isROCA reports whether n has the fingerprint. A sound modulus has it with a chance of about 2^-27.
func isROCA(n *big.Int) bool {
	for _, p := range rocaPrimes {
		residue := new(big.Int).Mod(n, new(big.Int).SetUint64(p)).Uint64()
		found := false
		for x, i := uint64(1), uint64(0); i < p; i++ {
			if x == residue {
				found = true
				break
			}
			x = x * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}
