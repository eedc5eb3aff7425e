// Package signatures makes signatures to be verified in turn, by the standard library and by the kernels: so many different ones
// that nothing learns their octets by heart, and that reads of a key's tables are spread as in service.
package signatures

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"

	"sallyport/verify/ecpub"
	"sallyport/verify/edpub"
	"sallyport/verify/rsapub"
)

// Count is how many signatures take turns.
const Count = 1000

// RSA is one key with signatures after PKCS #1 v1.5 over SHA-256 digests.
type RSA struct {
	pub     *rsa.PublicKey
	digests [][32]byte
	sigs    [][]byte
}

// NewRSA makes a key of so many bits and its signatures: some seconds for long keys.
func NewRSA(bits int) (*RSA, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("signatures: cannot make key: %w", err)
	}
	l := &RSA{pub: &key.PublicKey, digests: make([][32]byte, Count), sigs: make([][]byte, Count)}
	for i := range l.sigs {
		l.digests[i] = sha256.Sum256(binary.AppendUvarint(nil, uint64(i)))
		if l.sigs[i], err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, l.digests[i][:]); err != nil {
			return nil, fmt.Errorf("signatures: cannot sign: %w", err)
		}
	}
	return l, nil
}

// Std returns a function that verifies the next signature by crypto/rsa.
func (l *RSA) Std() func() {
	return inTurn(func(i int) bool { return rsa.VerifyPKCS1v15(l.pub, crypto.SHA256, l.digests[i][:], l.sigs[i]) == nil })
}

// Kernel returns a function that verifies the next signature by a kernel.
func (l *RSA) Kernel(k rsapub.Kernel) (func(), error) {
	key, err := rsapub.NewPublicKey(l.pub.N, l.pub.E, k)
	if err != nil {
		return nil, err
	}
	return inTurn(func(i int) bool { return key.VerifyPKCS1v15VarTime(crypto.SHA256, l.digests[i][:], l.sigs[i]) }), nil
}

// ECDSA is one key with signatures over digests of the length that goes with its curve.
type ECDSA struct {
	curve   ecpub.Curve
	pub     *ecdsa.PublicKey
	digests [][]byte
	sigs    [][]byte // r‖s
	asn1    [][]byte
}

// NewECDSA makes a key and its signatures.
func NewECDSA(c ecpub.Curve) (*ECDSA, error) {
	std := map[ecpub.Curve]elliptic.Curve{ecpub.P256: elliptic.P256(), ecpub.P384: elliptic.P384(), ecpub.P521: elliptic.P521()}[c]
	if std == nil {
		return nil, fmt.Errorf("signatures: %s", c)
	}
	key, err := ecdsa.GenerateKey(std, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("signatures: cannot make key: %w", err)
	}
	l := &ECDSA{curve: c, pub: &key.PublicKey}
	size := (std.Params().BitSize + 7) / 8
	for range Count {
		digest := make([]byte, min(size, 64))
		rand.Read(digest)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, fmt.Errorf("signatures: cannot sign: %w", err)
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			return nil, err
		}
		l.digests, l.asn1 = append(l.digests, digest), append(l.asn1, der)
		l.sigs = append(l.sigs, append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
	}
	return l, nil
}

// Std returns a function that verifies the next signature by crypto/ecdsa, from the form that it is quickest with.
func (l *ECDSA) Std() func() {
	return inTurn(func(i int) bool { return ecdsa.VerifyASN1(l.pub, l.digests[i], l.asn1[i]) })
}

// Kernel returns a function that verifies the next signature by a kernel.
func (l *ECDSA) Kernel(k ecpub.Kernel) (func(), error) {
	point, err := l.pub.Bytes()
	if err != nil {
		return nil, err
	}
	key, err := ecpub.NewPublicKey(l.curve, point, k)
	if err != nil {
		return nil, err
	}
	return inTurn(func(i int) bool {
		ok, decided := key.VerifyVarTime(l.digests[i], l.sigs[i])
		return ok && decided
	}), nil
}

// Ed25519 is one key with signatures over messages of the length of a JWT's signing input.
type Ed25519 struct {
	pub      ed25519.PublicKey
	messages [][]byte
	sigs     [][]byte
}

// messageLen is that of the signing input of a small access token, in octets.
const messageLen = 460

// NewEd25519 makes a key and its signatures.
func NewEd25519() (*Ed25519, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("signatures: cannot make key: %w", err)
	}
	l := &Ed25519{pub: pub}
	for range Count {
		m := make([]byte, messageLen)
		rand.Read(m)
		l.messages, l.sigs = append(l.messages, m), append(l.sigs, ed25519.Sign(key, m))
	}
	return l, nil
}

// Std returns a function that verifies the next signature by crypto/ed25519.
func (l *Ed25519) Std() func() {
	return inTurn(func(i int) bool { return ed25519.Verify(l.pub, l.messages[i], l.sigs[i]) })
}

// Kernel returns a function that verifies the next signature by a kernel.
func (l *Ed25519) Kernel(k edpub.Kernel) (func(), error) {
	key, err := edpub.NewPublicKey(l.pub, k)
	if err != nil {
		return nil, err
	}
	return inTurn(func(i int) bool { return key.VerifyVarTime(l.messages[i], l.sigs[i]) }), nil
}

// inTurn calls verify with each index in turn. A refusal is a fault of what is measured.
func inTurn(verify func(i int) bool) func() {
	i := 0
	return func() {
		if !verify(i) {
			panic("signatures: a good signature was refused")
		}
		if i++; i == Count {
			i = 0
		}
	}
}
