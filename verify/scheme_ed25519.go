package verify

import (
	"bytes"
	"crypto/ed25519"
	"errors"

	"sallyport/verify/edpub"
	"sallyport/verify/jose"
)

// ed25519Scheme is Ed25519 (RFC 8037), without the cofactor: by a table of the key once precompute has built it, by the standard
// library before and without one. Both accept the same signatures.
type ed25519Scheme struct {
	pub    ed25519.PublicKey
	kernel edpub.Kernel // 0: the standard library
	table  keyTable[edpub.PublicKey]
}

func newEd25519(alg jose.Alg, pub ed25519.PublicKey) (scheme, []byte, error) {
	if err := fits(alg, jose.EdDSA, jose.Ed25519); err != nil {
		return nil, nil, err
	}
	if len(pub) != ed25519.PublicKeySize {
		return nil, nil, errors.New("Ed25519 key is not of 32 octets")
	}
	if err := checkEd25519(pub); err != nil {
		return nil, nil, err
	}
	own := bytes.Clone(pub)
	return &ed25519Scheme{pub: own, kernel: ActiveKernels().EdDSA}, own, nil
}

// precompute implements precomputer.
func (s *ed25519Scheme) precompute() {
	if s.kernel != 0 {
		s.table.build(func() (*edpub.PublicKey, error) {
			return edpub.NewPublicKey(s.pub, s.kernel)
		}, (*edpub.PublicKey).MemSize)
	}
}

func (s *ed25519Scheme) verify(input, sig []byte) bool {
	if t := s.table.load(); t != nil {
		return t.VerifyVarTime(input, sig)
	}
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(s.pub, input, sig)
}
