package keys

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// ParsePEM reads one public key: a PUBLIC KEY (PKIX), RSA PUBLIC KEY (PKCS #1) or CERTIFICATE block, of which only the key
// is used. alg is required, since PEM does not say it. An empty kid is none. A private key, or more than one block, is an
// error.
func ParsePEM(data []byte, kid string, alg jose.Alg, opt Options) (Parsed, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return Parsed{}, errors.New("keys: cannot read PEM: no PEM block found")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return Parsed{}, errors.New("keys: cannot read PEM: it must hold one block and nothing else")
	}
	public, err := pemKey(block)
	if err != nil {
		return Parsed{}, fmt.Errorf("keys: cannot read PEM block %q: %w", block.Type, err)
	}
	k, err := verify.NewKeyOpts(alg, public, verify.KeyOptions{MaxRSABits: opt.MaxRSABits})
	if err != nil {
		return Parsed{}, err
	}
	return Parsed{Entries: []verify.KeyEntry{{Kid: kid, HasKid: kid != "", Key: opt.Intern.Intern(k)}}}, nil
}

func pemKey(block *pem.Block) (any, error) {
	switch {
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key: the proxy needs the public one, and nobody but the issuer should have this")
	}
	return nil, errors.New("neither a public key nor a certificate")
}
