package verify_test

import (
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

func TestVerifyEveryAlgorithm(t *testing.T) {
	w := newWorld(t, allAlgs...)
	for _, alg := range allAlgs {
		token := w.sign(t, alg, good())
		w.check(t, alg.String(), token, verify.ReasonOK)
		// Every single changed octet of the signature is refused, but for those that leave base64url.
		dot := strings.LastIndexByte(token, '.')
		for i := dot + 1; i < len(token); i += 1 + (len(token)-dot)/23 {
			c := byte('A')
			if token[i] == 'A' {
				c = 'Q'
			}
			bad := token[:i] + string(c) + token[i+1:]
			var tok verify.Token
			if err := w.verify(&tok, bad); err == nil {
				t.Errorf("%s: accepted with octet %d of %d changed", alg, i-dot, len(token)-dot)
			}
		}
		sig, _ := b64.DecodeString(token[dot+1:])
		w.check(t, alg.String()+" signature cut", token[:dot+1]+b64.EncodeToString(sig[:len(sig)-1]), verify.ReasonSignature)
		w.check(t, alg.String()+" signature longer", token[:dot+1]+b64.EncodeToString(append(sig, 0)), verify.ReasonSignature)
	}
}

func TestVerifyRejectsPsychicSignature(t *testing.T) {
	w := newWorld(t, jose.ES256, jose.ES384, jose.ES512)
	for alg, curve := range map[jose.Alg]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		n := curve.Params().N
		size := (curve.Params().BitSize + 7) / 8
		input := strings.Join(strings.Split(w.sign(t, alg, good()), ".")[:2], ".")
		for _, r := range []*big.Int{new(big.Int), big.NewInt(1), n, new(big.Int).Add(n, big.NewInt(1))} {
			for _, s := range []*big.Int{new(big.Int), big.NewInt(1), n, new(big.Int).Sub(n, big.NewInt(1))} {
				sig := make([]byte, 2*size)
				r.FillBytes(sig[:size])
				s.FillBytes(sig[size:])
				w.check(t, fmt.Sprintf("%s r=%v s=%v", alg, r, s), input+"."+b64.EncodeToString(sig), verify.ReasonSignature)
			}
		}
	}
}

func TestVerifyRejectsRPlusN(t *testing.T) {
	w := newWorld(t, jose.ES512)
	token := w.sign(t, jose.ES512, good())
	parts := strings.Split(token, ".")
	sig, _ := b64.DecodeString(parts[2])
	n := elliptic.P521().Params().N
	r := new(big.Int).SetBytes(sig[:66])
	if r.Add(r, n).BitLen() <= 528 {
		r.FillBytes(sig[:66])
		w.check(t, "r+n", parts[0]+"."+parts[1]+"."+b64.EncodeToString(sig), verify.ReasonSignature)
	}
}

// The (r, n−s) twin of a signature is valid: JWS has no low-s rule. It is why a token's octets are never an identity.
func TestVerifyAcceptsHighS(t *testing.T) {
	w := newWorld(t, jose.ES256)
	parts := strings.Split(w.sign(t, jose.ES256, good()), ".")
	sig, _ := b64.DecodeString(parts[2])
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	w.check(t, "twin", parts[0]+"."+parts[1]+"."+b64.EncodeToString(sig), verify.ReasonOK)
}

func TestVerifyRejectsDERSignature(t *testing.T) {
	w := newWorld(t, jose.ES256)
	parts := strings.Split(w.sign(t, jose.ES256, good()), ".")
	sig, _ := b64.DecodeString(parts[2])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, "DER", parts[0]+"."+parts[1]+"."+b64.EncodeToString(der), verify.ReasonSignature)
}

func TestVerifyRejectsRSAOutOfRange(t *testing.T) {
	w := newWorld(t, jose.RS256)
	pub := w.signers[jose.RS256].Public().(*rsa.PublicKey)
	parts := strings.Split(w.sign(t, jose.RS256, good()), ".")
	sig, _ := b64.DecodeString(parts[2])
	check := func(what string, b []byte) {
		t.Helper()
		w.check(t, what, parts[0]+"."+parts[1]+"."+b64.EncodeToString(b), verify.ReasonSignature)
	}
	s := new(big.Int).SetBytes(sig)
	check("s+n", new(big.Int).Add(s, pub.N).Bytes())
	for name, v := range map[string]*big.Int{"1": big.NewInt(1), "n-1": new(big.Int).Sub(pub.N, big.NewInt(1)), "n": pub.N} {
		check(name, v.FillBytes(make([]byte, 256)))
	}
	check("zero", make([]byte, 256))
	check("leading zero", append([]byte{0}, sig...))
	check("short", sig[1:])
}

func TestVerifyRejectsPSSWrongSalt(t *testing.T) {
	w := newWorld(t, jose.PS256)
	input := strings.Join(strings.Split(w.sign(t, jose.PS256, good()), ".")[:2], ".")
	for _, salt := range []int{0, 20, 31, 33, 64} {
		sig, err := demo.SignPSSWithSalt(w.signers[jose.PS256], []byte(input), salt)
		if err != nil {
			t.Fatal(err)
		}
		w.check(t, fmt.Sprint("salt ", salt), input+"."+b64.EncodeToString(sig), verify.ReasonSignature)
	}
}
