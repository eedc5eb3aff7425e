package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"math/big"

	"sallyport/verify/ecpub"
	"sallyport/verify/jose"
)

// ecdsaScheme is ECDSA with raw r‖s signatures (RFC 7518, 3.4): by a table of the key once precompute has built it, by the standard
// library before, without one, and where the table does not decide.
type ecdsaScheme struct {
	pub    *ecdsa.PublicKey
	curve  ecpub.Curve
	kernel ecpub.Kernel // 0: the standard library
	n      *big.Int
	hash   crypto.Hash
	size   int // octets of r and of s
	point  []byte
	table  keyTable[ecpub.PublicKey]
}

func newECDSA(alg jose.Alg, pub *ecdsa.PublicKey) (scheme, []byte, error) {
	var std elliptic.Curve
	var curve ecpub.Curve
	switch alg {
	case jose.ES256:
		std, curve = elliptic.P256(), ecpub.P256
	case jose.ES384:
		std, curve = elliptic.P384(), ecpub.P384
	case jose.ES512:
		std, curve = elliptic.P521(), ecpub.P521
	default:
		return nil, nil, fits(alg)
	}
	if pub.Curve != std {
		return nil, nil, errors.New("the key's curve does not fit the algorithm")
	}
	point, err := pub.Bytes() // refuses a point off the curve and the one at infinity
	if err != nil {
		return nil, nil, err
	}
	own, err := ecdsa.ParseUncompressedPublicKey(std, point)
	if err != nil {
		return nil, nil, err
	}
	s := &ecdsaScheme{
		pub: own, curve: curve, kernel: kernelOf(curve, ActiveKernels().ECDSA), n: std.Params().N, hash: hashOf(alg),
		size: (std.Params().BitSize + 7) / 8, point: point,
	}
	return s, point, nil
}

// precompute implements precomputer.
func (s *ecdsaScheme) precompute() {
	if s.kernel != 0 {
		s.table.build(func() (*ecpub.PublicKey, error) {
			return ecpub.NewPublicKey(s.curve, s.point, s.kernel)
		}, (*ecpub.PublicKey).MemSize)
	}
}

func (s *ecdsaScheme) verify(input, sig []byte) bool {
	if len(sig) != 2*s.size {
		return false
	}
	var buf [64]byte
	d := digest(s.hash, &buf, input)
	if t := s.table.load(); t != nil {
		if ok, decided := t.VerifyVarTime(d, sig); decided {
			return ok
		}
	}
	// Both in [1, n-1] before anything else (CVE-2022-21449).
	r, v := new(big.Int).SetBytes(sig[:s.size]), new(big.Int).SetBytes(sig[s.size:])
	if r.Sign() == 0 || v.Sign() == 0 || r.Cmp(s.n) >= 0 || v.Cmp(s.n) >= 0 {
		return false
	}
	return ecdsa.Verify(s.pub, d, r, v)
}
