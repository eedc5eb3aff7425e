package verify_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

func TestVerifyEveryAlgorithm(t *testing.T) {
	withKernels(t, func(t *testing.T, _ string) { testEveryAlgorithm(t) })
}

func testEveryAlgorithm(t *testing.T) {
	t.Helper()
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
	// 66 octets have room for r+n, of 522 bits at most.
	r := new(big.Int).SetBytes(sig[:66])
	r.Add(r, n).FillBytes(sig[:66])
	w.check(t, "r+n", parts[0]+"."+parts[1]+"."+b64.EncodeToString(sig), verify.ReasonSignature)
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

// withSignature gives the header and payload of token another signature.
func withSignature(token string, sig []byte) string {
	return token[:strings.LastIndexByte(token, '.')+1] + b64.EncodeToString(sig)
}

// privateMember returns a member of a signer's private JWK, decoded.
func privateMember(t *testing.T, s *demo.Signer, name string) []byte {
	t.Helper()
	jwk, err := s.JWK(true)
	if err != nil {
		t.Fatal(err)
	}
	b, err := b64.DecodeString(jwk[name].(string))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Encoded messages that lax parsers of PKCS #1 v1.5 have taken, signed with the right private key: whoever parses the padding
// or the DigestInfo, and does not compare the whole, lets a forger with e = 3 choose the rest (Bleichenbacher 2006; BERserk).
func TestVerifyRejectsLaxPKCS1(t *testing.T) {
	w := newWorld(t, jose.RS256)
	signer := w.signers[jose.RS256]
	n, d := signer.Public().(*rsa.PublicKey).N, new(big.Int).SetBytes(privateMember(t, signer, "d"))
	token := w.sign(t, jose.RS256, good())
	hash := sha256.Sum256([]byte(token[:strings.LastIndexByte(token, '.')]))
	const size = 256
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	// RFC 8017, 9.2, note 1.
	info := join([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, hash[:])
	noNull := join([]byte{0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20}, hash[:])
	longForm := join([]byte{0x30, 0x81, 0x31}, info[2:])
	sha1OID := join([]byte{0x30, 0x2d, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x20}, hash[:])
	ff := func(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }
	// em pads as EMSA-PKCS1-v1_5 does.
	em := func(info []byte) []byte { return join([]byte{0, 1}, ff(size-3-len(info)), []byte{0}, info) }
	spoilt := em(info)
	spoilt[20] = 0xfe
	for _, c := range []struct {
		name string
		em   []byte
		want verify.Reason
	}{
		{"as it should be", em(info), verify.ReasonOK},
		{"no NULL", em(noNull), verify.ReasonSignature},
		{"length in long form", em(longForm), verify.ReasonSignature},
		{"OID of SHA-1", em(sha1OID), verify.ReasonSignature},
		{"hash alone", em(hash[:]), verify.ReasonSignature},
		{"garbage behind", join([]byte{0, 1}, ff(8), []byte{0}, info, ff(size-11-len(info))), verify.ReasonSignature},
		{"zeros behind", join([]byte{0, 1}, ff(8), []byte{0}, info, make([]byte, size-11-len(info))), verify.ReasonSignature},
		{"garbage in the parameters", em(join([]byte{
			0x30, 0x41, 0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x10,
		}, ff(16), []byte{0x04, 0x20}, hash[:])), verify.ReasonSignature},
		{"a padding octet not ff", spoilt, verify.ReasonSignature},
		{"no zero before the info", join([]byte{0, 1}, ff(size-2-len(info)), info), verify.ReasonSignature},
		{"block type 2", join([]byte{0, 2}, ff(size-3-len(info)), []byte{0}, info), verify.ReasonSignature},
		{"block type 0", join([]byte{0, 0}, make([]byte, size-2-len(info)), info), verify.ReasonSignature},
	} {
		sig := new(big.Int).Exp(new(big.Int).SetBytes(c.em), d, n).FillBytes(make([]byte, size))
		w.check(t, c.name, withSignature(token, sig), c.want)
	}
}

// RS256's signature over the same token is none of RS512's or PS256's, though modulus and private key are the same.
func TestVerifyRejectsSignatureOfOtherScheme(t *testing.T) {
	rs := signerOf(t, jose.RS256)
	public := rs.Public().(*rsa.PublicKey)
	for _, alg := range []jose.Alg{jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512} {
		k, err := verify.NewKey(alg, public)
		if err != nil {
			t.Fatal(err)
		}
		input := []byte("header.payload")
		sig, err := rs.Signature(input)
		if err != nil {
			t.Fatal(err)
		}
		if k.VerifySignature(input, sig) {
			t.Errorf("a %s key accepts an RS256 signature", alg)
		}
	}
}

// littleEndian turns 32 octets around, as RFC 8032 has its integers.
func littleEndian(b []byte) *big.Int {
	r := slices.Clone(b)
	slices.Reverse(r)
	return new(big.Int).SetBytes(r)
}

func littleEndianBytes(n *big.Int, size int) []byte {
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

// The group order L of edwards25519 and of edwards448 (RFC 8032, 5.1 and 5.2).
var (
	order25519, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	order448, _   = new(big.Int).SetString(
		"181709681073901722637330951972001133588410340171829515070372549795146003961539585716195755291692375963310293709091662304773755859649779", 10)
)

// S and S+L satisfy the same equation: without a bound on S every signature has a second form (RFC 8032, 5.1.7, step 1).
func TestVerifyRejectsEdwardsSPlusL(t *testing.T) {
	w := newWorld(t, jose.EdDSA, jose.Ed25519, jose.Ed448)
	for alg, c := range map[jose.Alg]struct {
		l    *big.Int
		half int
	}{jose.EdDSA: {order25519, 32}, jose.Ed25519: {order25519, 32}, jose.Ed448: {order448, 57}} {
		token := w.sign(t, alg, good())
		sig, _ := b64.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
		r, s := sig[:c.half], littleEndian(sig[c.half:])
		for k := int64(0); k < 4; k++ {
			more := new(big.Int).Mul(c.l, big.NewInt(k))
			more.Add(more, s)
			want := verify.ReasonSignature
			if k == 0 {
				want = verify.ReasonOK
			}
			sig := append(slices.Clone(r), littleEndianBytes(more, c.half)...)
			w.check(t, fmt.Sprintf("%s: S+%d·L", alg, k), withSignature(token, sig), want)
		}
		w.check(t, alg.String()+": S = L", withSignature(token, append(slices.Clone(r), littleEndianBytes(c.l, c.half)...)), verify.ReasonSignature)
	}
}

// R is compared as octets and not as a point, so that it has one encoding. The signer here takes r = 0, whose R is the identity,
// and signs over the R that is sent: in its canonical form this is a signature, in the other two it is none.
func TestVerifyRejectsNonCanonicalR(t *testing.T) {
	w := newWorld(t, jose.EdDSA)
	signer := w.signers[jose.EdDSA]
	expanded := sha512.Sum512(privateMember(t, signer, "d"))
	expanded[0] &= 248
	expanded[31] = expanded[31]&127 | 64
	a := littleEndian(expanded[:32])
	token := w.sign(t, jose.EdDSA, good())
	input := token[:strings.LastIndexByte(token, '.')]
	public := signer.Public().(ed25519.PublicKey)
	check := func(what, r string, want verify.Reason) {
		t.Helper()
		k := sha512.Sum512([]byte(r + string(public) + input))
		s := new(big.Int).Mul(littleEndian(k[:]), a)
		s.Mod(s, order25519)
		w.check(t, what, withSignature(token, append([]byte(r), littleEndianBytes(s, 32)...)), want)
	}
	check("y = 1", "\x01"+strings.Repeat("\x00", 31), verify.ReasonOK)
	check("y = p+1", "\xee"+strings.Repeat("\xff", 30)+"\x7f", verify.ReasonSignature)
	check("x = 0 with its sign", "\x01"+strings.Repeat("\x00", 30)+"\x80", verify.ReasonSignature)
}

// FIPS 204: a signature has one encoding (algorithm 21: hints in order, unused room zero), and JWS the empty context.
func TestVerifyRejectsMLDSAForms(t *testing.T) {
	w := newWorld(t, jose.MLDSA44, jose.MLDSA65, jose.MLDSA87)
	for alg, c := range map[jose.Alg]struct{ omega, k int }{jose.MLDSA44: {80, 4}, jose.MLDSA65: {55, 6}, jose.MLDSA87: {75, 8}} {
		// A hint with room to spare and two places in one polynomial, which nearly every signature has.
		var token string
		var sig []byte
		at, hints := 0, 0
		for try := 0; ; try++ {
			if try == 100 {
				t.Fatalf("%s: no signature with suitable hints in %d", alg, try)
			}
			token = w.sign(t, alg, with(map[string]any{"jti": strconv.Itoa(try)})) // else it is the same each time
			sig, _ = b64.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
			at = len(sig) - c.omega - c.k
			hints = int(sig[len(sig)-1])
			if first := int(sig[at+c.omega]); hints < c.omega && first >= 2 {
				break
			}
		}
		w.check(t, alg.String(), token, verify.ReasonOK)
		spoil := func(what string, f func(sig []byte)) {
			t.Helper()
			bad := slices.Clone(sig)
			f(bad)
			w.check(t, alg.String()+": "+what, withSignature(token, bad), verify.ReasonSignature)
		}
		spoil("unused hint", func(b []byte) { b[at+c.omega-1] = 1 })
		spoil("hints out of order", func(b []byte) { b[at], b[at+1] = b[at+1], b[at] })
		spoil("hint twice", func(b []byte) { b[at+1] = b[at] })
		spoil("too many hints", func(b []byte) { b[len(b)-1] = byte(c.omega + 1) })
		spoil("counts that fall", func(b []byte) { b[len(b)-1] = b[at+c.omega] - 1 })
		spoil("z out of range", func(b []byte) { clear(b[at-4 : at]) })

		seed := [32]byte(privateMember(t, w.signers[alg], "priv"))
		input := []byte(token[:strings.LastIndexByte(token, '.')])
		for ctx, want := range map[string]verify.Reason{"": verify.ReasonOK, "x": verify.ReasonSignature, "JWS": verify.ReasonSignature} {
			w.check(t, fmt.Sprintf("%s: context %q", alg, ctx), withSignature(token, signMLDSA(t, alg, seed, input, ctx)), want)
		}
	}
}

func signMLDSA(t *testing.T, alg jose.Alg, seed [32]byte, input []byte, ctx string) []byte {
	t.Helper()
	var sig []byte
	var err error
	switch alg {
	case jose.MLDSA44:
		_, key := mldsa44.NewKeyFromSeed(&seed)
		sig = make([]byte, mldsa44.SignatureSize)
		err = mldsa44.SignTo(key, input, []byte(ctx), false, sig)
	case jose.MLDSA65:
		_, key := mldsa65.NewKeyFromSeed(&seed)
		sig = make([]byte, mldsa65.SignatureSize)
		err = mldsa65.SignTo(key, input, []byte(ctx), false, sig)
	case jose.MLDSA87:
		_, key := mldsa87.NewKeyFromSeed(&seed)
		sig = make([]byte, mldsa87.SignatureSize)
		err = mldsa87.SignTo(key, input, []byte(ctx), false, sig)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// Every ECDSA key agrees with crypto/ecdsa on signatures, spoilt ones, and pairs at the edges of the range. It is for kernels of
// our own (CVE-2026-1229: a P-384 one that was wrong for rare points).
func TestVerifyECDSALikeStandardLibrary(t *testing.T) {
	for alg, curve := range map[jose.Alg]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		n := curve.Params().N
		size := (curve.Params().BitSize + 7) / 8
		edges := []*big.Int{
			new(big.Int), big.NewInt(1), big.NewInt(2), new(big.Int).Rsh(n, 1), new(big.Int).Sub(n, big.NewInt(1)), n,
			new(big.Int).Add(n, big.NewInt(1)),
		}
		accepted := 0
		const signers, signatures = 3, 4
		for signer := range signers {
			s, err := demo.NewSigner(alg, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			public := s.Public().(*ecdsa.PublicKey)
			k, err := verify.NewKey(alg, public)
			if err != nil {
				t.Fatal(err)
			}
			input := []byte("header." + s.Alg.String())
			check := func(sig []byte) {
				t.Helper()
				r, v := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
				want := ecdsa.Verify(public, digestOf(alg, input), r, v)
				if got := k.VerifySignature(input, sig); got != want {
					t.Errorf("%s: %x: accepted = %v, want %v", alg, sig, got, want)
				} else if got {
					accepted++
				}
			}
			for range signatures {
				sig, err := s.Signature(input)
				if err != nil {
					t.Fatal(err)
				}
				check(sig)
				sig[len(sig)/3] ^= 0x10
				check(sig)
				sig[len(sig)/3] ^= 0x10
				twin := slices.Clone(sig)
				new(big.Int).Sub(n, new(big.Int).SetBytes(sig[size:])).FillBytes(twin[size:])
				check(twin)
			}
			if signer > 0 {
				continue
			}
			for _, r := range edges {
				for _, v := range edges {
					check(append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...))
				}
			}
		}
		if want := signers * signatures * 2; accepted < want {
			t.Errorf("%s: %d accepted, want at least %d", alg, accepted, want)
		}
	}
}

// digestOf hashes with the SHA-2 function in alg's name.
func digestOf(alg jose.Alg, input []byte) []byte {
	switch alg {
	case jose.ES256:
		d := sha256.Sum256(input)
		return d[:]
	case jose.ES384:
		d := sha512.Sum384(input)
		return d[:]
	}
	d := sha512.Sum512(input)
	return d[:]
}
