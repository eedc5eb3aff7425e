// Package demo is an OpenID Connect issuer, a signer for every algorithm, and an echo service: for `sallyport demo`, for
// `sallyport token`, for tests and load. It is reached over HTTP like any provider.
package demo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math/big"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"sallyport/verify/jose"
)

// A Signer is a private key with its algorithm and key ID. Its errors go to whoever runs `sallyport token`, and so do not begin with
// the package's name.
type Signer struct {
	Alg jose.Alg
	Kid string
	key any // *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, ed448.PrivateKey, ML-DSA seed, or []byte
}

// seed is an ML-DSA private key in the form of RFC 9964: 32 octets.
type seed [32]byte

// NewSigner makes a key for alg. bits is the size of an RSA modulus, 0 for 2048.
func NewSigner(alg jose.Alg, kid string, bits int) (*Signer, error) {
	s := &Signer{Alg: alg, Kid: kid}
	var err error
	switch alg {
	case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
		if bits == 0 {
			bits = 2048
		}
		s.key, err = rsa.GenerateKey(rand.Reader, bits)
	case jose.ES256, jose.ES384, jose.ES512:
		s.key, err = ecdsa.GenerateKey(curveOf(alg), rand.Reader)
	case jose.EdDSA, jose.Ed25519:
		_, s.key, err = ed25519.GenerateKey(rand.Reader)
	case jose.Ed448:
		_, s.key, err = ed448.GenerateKey(rand.Reader)
	case jose.HS256, jose.HS384, jose.HS512:
		secret := make([]byte, 64)
		_, err = rand.Read(secret)
		s.key = secret
	case jose.MLDSA44, jose.MLDSA65, jose.MLDSA87:
		var sd seed
		_, err = rand.Read(sd[:])
		s.key = sd
	default:
		return nil, fmt.Errorf("cannot make a key for algorithm %q", alg)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make %s key: %w", alg, err)
	}
	return s, nil
}

func curveOf(alg jose.Alg) elliptic.Curve {
	switch alg {
	case jose.ES384:
		return elliptic.P384()
	case jose.ES512:
		return elliptic.P521()
	}
	return elliptic.P256()
}

func hashOf(alg jose.Alg) (crypto.Hash, func() hash.Hash) {
	switch alg {
	case jose.RS256, jose.PS256, jose.ES256, jose.HS256:
		return crypto.SHA256, sha256.New
	case jose.RS384, jose.PS384, jose.ES384, jose.HS384:
		return crypto.SHA384, sha512.New384
	}
	return crypto.SHA512, sha512.New
}

var b64 = base64.RawURLEncoding

// Sign returns the compact JWS of claims. typ is left out when it is empty, kid when the key has none.
func (s *Signer) Sign(typ string, claims map[string]any) (string, error) {
	header := map[string]any{"alg": s.Alg.String()}
	if typ != "" {
		header["typ"] = typ
	}
	if s.Kid != "" {
		header["kid"] = s.Kid
	}
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("cannot encode claims: %w", err)
	}
	return s.SignRaw(h, c)
}

// SignRaw signs the octets of a header and a payload as they are; tests make broken tokens with it.
func (s *Signer) SignRaw(header, payload []byte) (string, error) {
	input := b64.EncodeToString(header) + "." + b64.EncodeToString(payload)
	sig, err := s.Signature([]byte(input))
	if err != nil {
		return "", fmt.Errorf("cannot sign with %s: %w", s.Alg, err)
	}
	return input + "." + b64.EncodeToString(sig), nil
}

// Signature returns the signature over input, in the form that JWS wants.
func (s *Signer) Signature(input []byte) ([]byte, error) {
	h, newHash := hashOf(s.Alg)
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		d := sum(newHash, input)
		if s.Alg >= jose.PS256 && s.Alg <= jose.PS512 {
			return rsa.SignPSS(rand.Reader, key, h, d, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, key, h, d)
	case *ecdsa.PrivateKey:
		r, v, err := ecdsa.Sign(rand.Reader, key, sum(newHash, input))
		if err != nil {
			return nil, err
		}
		size := (key.Params().BitSize + 7) / 8
		sig := make([]byte, 2*size)
		r.FillBytes(sig[:size])
		v.FillBytes(sig[size:])
		return sig, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case ed448.PrivateKey:
		return ed448.Sign(key, input, ""), nil
	case seed:
		return signMLDSA(s.Alg, key, input)
	case []byte:
		mac := hmac.New(newHash, key)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	return nil, errors.New("no key")
}

func sum(newHash func() hash.Hash, input []byte) []byte {
	h := newHash()
	h.Write(input)
	return h.Sum(nil)
}

func signMLDSA(alg jose.Alg, sd seed, input []byte) ([]byte, error) {
	var sig []byte
	var err error
	switch alg {
	case jose.MLDSA44:
		_, key := mldsa44.NewKeyFromSeed((*[32]byte)(&sd))
		sig = make([]byte, mldsa44.SignatureSize)
		err = mldsa44.SignTo(key, input, nil, false, sig)
	case jose.MLDSA65:
		_, key := mldsa65.NewKeyFromSeed((*[32]byte)(&sd))
		sig = make([]byte, mldsa65.SignatureSize)
		err = mldsa65.SignTo(key, input, nil, false, sig)
	default:
		_, key := mldsa87.NewKeyFromSeed((*[32]byte)(&sd))
		sig = make([]byte, mldsa87.SignatureSize)
		err = mldsa87.SignTo(key, input, nil, false, sig)
	}
	return sig, err
}

// Secret returns the secret of an HS key, nil for others.
func (s *Signer) Secret() []byte {
	secret, _ := s.key.([]byte)
	return secret
}

// Public returns the public key in the type that verify.NewKey takes; for HS the secret.
func (s *Signer) Public() any {
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		return &key.PublicKey
	case *ecdsa.PrivateKey:
		return &key.PublicKey
	case ed25519.PrivateKey:
		return key.Public()
	case ed448.PrivateKey:
		return key.Public()
	case seed:
		switch s.Alg {
		case jose.MLDSA44:
			pub, _ := mldsa44.NewKeyFromSeed((*[32]byte)(&key))
			return pub
		case jose.MLDSA65:
			pub, _ := mldsa65.NewKeyFromSeed((*[32]byte)(&key))
			return pub
		}
		pub, _ := mldsa87.NewKeyFromSeed((*[32]byte)(&key))
		return pub
	}
	return s.key
}

// JWK returns the key as a JWK, with its private members when private is set. A public JWK of an HS key does not exist.
func (s *Signer) JWK(private bool) (map[string]any, error) {
	jwk := map[string]any{"alg": s.Alg.String(), "use": "sig"}
	if s.Kid != "" {
		jwk["kid"] = s.Kid
	}
	set := func(name string, b []byte) { jwk[name] = b64.EncodeToString(b) }
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		jwk["kty"] = "RSA"
		set("n", key.N.Bytes())
		set("e", big.NewInt(int64(key.E)).Bytes())
		if private {
			set("d", key.D.Bytes())
			set("p", key.Primes[0].Bytes())
			set("q", key.Primes[1].Bytes())
		}
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		size := (len(point) - 1) / 2
		jwk["kty"], jwk["crv"] = "EC", key.Params().Name
		set("x", point[1:1+size])
		set("y", point[1+size:])
		if private {
			d, err := key.Bytes()
			if err != nil {
				return nil, err
			}
			set("d", d)
		}
	case ed25519.PrivateKey:
		jwk["kty"], jwk["crv"] = "OKP", "Ed25519"
		set("x", key.Public().(ed25519.PublicKey))
		if private {
			set("d", key.Seed())
		}
	case ed448.PrivateKey:
		jwk["kty"], jwk["crv"] = "OKP", "Ed448"
		set("x", key.Public().(ed448.PublicKey))
		if private {
			set("d", key.Seed())
		}
	case seed:
		jwk["kty"] = "AKP"
		pub, err := s.Public().(interface{ MarshalBinary() ([]byte, error) }).MarshalBinary()
		if err != nil {
			return nil, err
		}
		set("pub", pub)
		if private {
			set("priv", key[:])
		}
	case []byte:
		if !private {
			return nil, errors.New("a shared secret has no public key: give the proxy a secret_file")
		}
		jwk["kty"] = "oct"
		set("k", key)
	}
	return jwk, nil
}

// SignPSSWithSalt signs with a salt of the given length, which JWS forbids unless it is the hash's; for tests of verifiers.
func SignPSSWithSalt(s *Signer, input []byte, salt int) ([]byte, error) {
	key, ok := s.key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	h, newHash := hashOf(s.Alg)
	return rsa.SignPSS(rand.Reader, key, h, sum(newHash, input), &rsa.PSSOptions{SaltLength: salt})
}
