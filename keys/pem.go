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
// error. Text before the block is not (RFC 7468, 2: tools write a readable form there); after it nothing may stand.
func ParsePEM(data []byte, kid string, alg jose.Alg, opt Options) (Parsed, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return Parsed{}, errors.New("keys: cannot read PEM: no PEM block found")
	}
	// pem.Decode passes over a block that it cannot read, so blocks are counted by how they begin: the second of two must
	// not silently become the key because the first is damaged.
	if len(bytes.TrimSpace(rest)) > 0 || bytes.Count(data, []byte("-----BEGIN ")) != 1 {
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
		if cert.PublicKey == nil {
			// x509 knows no such key, RSASSA-PSS (RFC 4055, 1.2) for one: a plain rsaEncryption key serves PS256 too.
			return nil, errors.New("its key is of an unknown type")
		}
		return cert.PublicKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key: the proxy needs the public one, and nobody but the issuer should have this")
	}
	return nil, errors.New("neither a public key nor a certificate")
}
