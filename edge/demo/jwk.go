package demo

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/cloudflare/circl/sign/ed448"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// ParseSigner reads a private JWK as JWK writes it.
func ParseSigner(data []byte) (*Signer, error) {
	var j struct{ Kty, Crv, Alg, Kid, N, E, D, P, Q, Priv, K string }
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, fmt.Errorf("cannot read private JWK: %w", err)
	}
	s := &Signer{Alg: jose.ParseAlg([]byte(j.Alg)), Kid: j.Kid}
	if s.Alg == jose.AlgInvalid {
		return nil, fmt.Errorf("cannot read private JWK: unknown alg %q", j.Alg)
	}
	private := map[string]string{"RSA": j.D, "EC": j.D, "OKP": j.D, "AKP": j.Priv, "oct": j.K}[j.Kty]
	d, err := b64.DecodeString(private)
	if err != nil || len(d) == 0 {
		return nil, fmt.Errorf("cannot read private JWK: kty %q without a private member", j.Kty)
	}
	switch j.Kty {
	case "RSA":
		s.key, err = parseRSA(j.N, j.E, j.P, j.Q, d)
	case "EC":
		if curve := curveOf(s.Alg); j.Crv != curve.Params().Name {
			err = fmt.Errorf("crv %.20q does not fit %s", j.Crv, s.Alg)
		} else {
			s.key, err = ecdsa.ParseRawPrivateKey(curve, d)
		}
	case "OKP":
		s.key, err = parseOKP(j.Crv, d)
	case "AKP":
		if len(d) != len(seed{}) {
			return nil, fmt.Errorf("cannot read private JWK: priv is not of %d octets", len(seed{}))
		}
		s.key = seed(d)
	case "oct":
		s.key = d
	}
	if err == nil {
		// The key must be one that the proxy would take for alg: no signer may say in its tokens what it is not.
		_, err = verify.NewKeyOpts(s.Alg, s.Public(), verify.KeyOptions{MaxRSABits: 8192})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read private JWK: %w", err)
	}
	return s, nil
}

func parseRSA(n, e, p, q string, d []byte) (*rsa.PrivateKey, error) {
	var ints [4]*big.Int
	for i, text := range []string{n, e, p, q} {
		b, err := b64.DecodeString(text)
		if err != nil {
			return nil, err
		}
		ints[i] = new(big.Int).SetBytes(b)
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: ints[0], E: int(ints[1].Int64())},
		D:         new(big.Int).SetBytes(d), Primes: []*big.Int{ints[2], ints[3]},
	}
	key.Precompute()
	return key, key.Validate()
}

func parseOKP(crv string, d []byte) (any, error) {
	switch {
	case crv == "Ed25519" && len(d) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(d), nil
	case crv == "Ed448" && len(d) == ed448.SeedSize:
		return ed448.NewKeyFromSeed(d), nil
	}
	return nil, fmt.Errorf("crv %q with %d octets", crv, len(d))
}
