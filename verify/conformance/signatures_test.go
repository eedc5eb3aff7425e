package conformance

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"testing"

	"github.com/c2sp/wycheproof"

	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// parts is a group's public key as Wycheproof takes it apart, or the whole of it in hexadecimal.
type parts struct {
	Curve, Uncompressed, Modulus, PublicExponent, Pk string

	whole string
}

func (p *parts) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &p.whole)
	}
	type plain parts
	return json.Unmarshal(b, (*plain)(p))
}

// joseCurves are JOSE's names; other curves keep Wycheproof's, which JOSE does not know.
var joseCurves = map[string]string{
	"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "edwards25519": "Ed25519", "edwards448": "Ed448",
}

// jwk writes the group's key as a JWK for alg.
func (g *group) jwk(t *testing.T, alg jose.Alg) []byte {
	t.Helper()
	var p parts
	if err := json.Unmarshal(g.PublicKey, &p); err != nil {
		t.Fatal(err)
	}
	b64 := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	uintURL := func(s string) string { return b64(new(big.Int).SetBytes(unhex(t, s)).Bytes()) }
	jwk := map[string]string{"alg": alg.String()}
	crv := p.Curve
	if name, ok := joseCurves[crv]; ok {
		crv = name
	}
	switch {
	case p.Modulus != "":
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", uintURL(p.Modulus), uintURL(p.PublicExponent)
	case p.Uncompressed != "":
		point := unhex(t, p.Uncompressed)
		size := (len(point) - 1) / 2
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", crv, b64(point[1:1+size]), b64(point[1+size:])
	case p.Pk != "":
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", crv, b64(unhex(t, p.Pk))
	case p.whole != "":
		jwk["kty"], jwk["pub"] = "AKP", b64(unhex(t, p.whole))
	default:
		t.Fatalf("a group without a key that we can read: %.200s", g.PublicKey)
	}
	text, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// key makes the group's key for alg, nil when it is refused. Every form in which the file holds the key must come to the
// same: its parts as a JWK, its own JWK, and its DER where crypto/x509 knows the type.
func (g *group) key(t *testing.T, alg jose.Alg) *verify.Key {
	t.Helper()
	var key *verify.Key
	opt := keys.Options{Algs: jose.NewAlgSet(alg), MaxRSABits: 8192}
	if parsed, err := keys.ParseJWK(g.jwk(t, alg), opt); err == nil {
		key = parsed.Entries[0].Key
	}
	same := func(form string, other *verify.Key) {
		t.Helper()
		if (key == nil) != (other == nil) || (key != nil && key.Fingerprint() != other.Fingerprint()) {
			t.Errorf("the key as %s is another than from its parts: %s", form, g.jwk(t, alg))
		}
	}
	var said struct{ Alg string }
	if g.PublicKeyJwk != nil {
		if err := json.Unmarshal(g.PublicKeyJwk, &said); err != nil {
			t.Fatal(err)
		}
	}
	// A JWK that says what it is for is no key for anything else; TestWycheproofJOSE has that.
	if g.PublicKeyJwk != nil && (said.Alg == "" || said.Alg == alg.String()) {
		var other *verify.Key
		if parsed, err := keys.ParseJWK(g.PublicKeyJwk, opt); err == nil {
			other = parsed.Entries[0].Key
		}
		same("JWK", other)
	}
	der, err := hex.DecodeString(g.PublicKeyDer)
	if err != nil {
		t.Fatal(err)
	}
	if public, err := x509.ParsePKIXPublicKey(der); err == nil {
		other, err := verify.NewKeyOpts(alg, public, verify.KeyOptions{MaxRSABits: 8192})
		if err != nil {
			other = nil
		}
		same("DER", other)
	}
	return key
}

// A suite is the files of one signature scheme.
type suite struct {
	files []string // patterns
	algs  []jose.Alg
	// At least so many files, vectors, and (vector, algorithm) pairs that are accepted: nothing is left out unnoticed.
	atLeast [3]int
	// accept says whether a vector is a signature of alg; nil takes the file's word. What is merely "acceptable" is refused.
	accept func(g *group, v *vector, alg jose.Alg) bool
}

// run checks the suite with every kernel that this machine has, forced one after the other.
func (s suite) run(t *testing.T) {
	t.Helper()
	before := verify.ActiveKernels()
	defer verify.UseKernels(before)
	for _, name := range verify.KernelNames {
		if name == "auto" {
			continue // one of the others
		}
		k, err := verify.ChooseKernels(name)
		if err != nil {
			t.Logf("kernels %s: %v", name, err)
			continue
		}
		t.Run(name, func(t *testing.T) {
			verify.UseKernels(k)
			s.once(t)
		})
	}
}

// once checks every vector of every file under every algorithm of the suite.
func (s suite) once(t *testing.T) {
	t.Helper()
	var got [3]int
	for _, pattern := range s.files {
		names, err := fs.Glob(wycheproof.TestVectors, pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no file %s: %v", pattern, err)
		}
		for _, name := range names {
			got[0]++
			groups := load(t, name)
			for i := range groups {
				got[1] += len(groups[i].Tests)
				for _, alg := range s.algs {
					got[2] += s.group(t, name, &groups[i], alg)
				}
			}
		}
	}
	for i, what := range []string{"files", "vectors", "accepted signatures"} {
		if got[i] < s.atLeast[i] {
			t.Errorf("%d %s, want at least %d", got[i], what, s.atLeast[i])
		}
	}
	t.Logf("%d files, %d vectors, %d accepted signatures", got[0], got[1], got[2])
}

// group returns how many vectors were accepted.
func (s suite) group(t *testing.T, name string, g *group, alg jose.Alg) (accepted int) {
	t.Helper()
	key := g.key(t, alg)
	if key != nil {
		key.Precompute() // so that the kernel decides, and not the standard library that serves until it is ready
	}
	for i := range g.Tests {
		v := &g.Tests[i]
		want := v.Result == "valid"
		if s.accept != nil {
			want = s.accept(g, v, alg)
		}
		got := key != nil && key.VerifySignature(unhex(t, v.Msg), unhex(t, v.Sig))
		if got != want {
			t.Errorf("%s %d under %s (%s; %v): accepted = %v, want %v", name, v.TcID, alg, v.Comment, v.Flags, got, want)
		}
		if got {
			accepted++
		}
	}
	return accepted
}

// shaOf is Wycheproof's name of the hash that is in alg's.
func shaOf(alg jose.Alg) string {
	name := alg.String()
	return "SHA-" + name[len(name)-3:]
}

// The p1363 files hold raw r‖s. Those of other curves and hashes are there to be refused.
func TestWycheproofECDSA(t *testing.T) {
	curves := map[jose.Alg]string{jose.ES256: "secp256r1", jose.ES384: "secp384r1", jose.ES512: "secp521r1"}
	hashes := map[jose.Alg]string{jose.ES256: "SHA-256", jose.ES384: "SHA-384", jose.ES512: "SHA-512"}
	suite{
		files: []string{"ecdsa_*_p1363_test.json"}, algs: []jose.Alg{jose.ES256, jose.ES384, jose.ES512},
		atLeast: [3]int{28, 7500, 173 + 193 + 231},
		accept: func(g *group, v *vector, alg jose.Alg) bool {
			var p parts
			return json.Unmarshal(g.PublicKey, &p) == nil && p.Curve == curves[alg] && g.Sha == hashes[alg] && v.Result == "valid"
		},
	}.run(t)
}

// The same schemes in DER, which is no JWS (RFC 7518, 3.4), however good the signature.
func TestWycheproofECDSARejectsDER(t *testing.T) {
	for alg, file := range map[jose.Alg]string{
		jose.ES256: "ecdsa_secp256r1_sha256_test.json", jose.ES384: "ecdsa_secp384r1_sha384_test.json",
		jose.ES512: "ecdsa_secp521r1_sha512_test.json",
	} {
		suite{
			files: []string{file}, algs: []jose.Alg{alg}, atLeast: [3]int{1, 400, 0},
			accept: func(*group, *vector, jose.Alg) bool { return false },
		}.run(t)
	}
}

// Every file of RSASSA-PKCS1-v1_5 verification, under all three algorithms. Refused though valid: the hashes that JWA does
// not have, and keys with e = 3, since NewKey takes none below 65537. The one "acceptable" of each file, a DigestInfo without
// its NULL, is refused. Accepted though invalid: "hashed with SHA-384 instead of SHA-256", which makes it an RS384 signature.
func TestWycheproofRSA(t *testing.T) {
	smallExponents, otherHash := 0, 0
	suite{
		files: []string{"rsa_signature_*_test.json"}, algs: []jose.Alg{jose.RS256, jose.RS384, jose.RS512},
		atLeast: [3]int{24, 6200, 144},
		accept: func(g *group, v *vector, alg jose.Alg) bool {
			var p parts
			if err := json.Unmarshal(g.PublicKey, &p); err != nil {
				t.Fatal(err)
			}
			if v.Comment == fmt.Sprintf("The message is hashed with %s instead of %s.", shaOf(alg), g.Sha) {
				otherHash++
				return true
			}
			if v.Result != "valid" || g.Sha != shaOf(alg) {
				return false
			}
			if p.PublicExponent == "03" {
				smallExponents++
				return false
			}
			return true
		},
	}.run(t)
	if smallExponents == 0 || otherHash == 0 {
		t.Errorf("%d valid vectors with e = 3, %d of another hash: an exception is not needed any more", smallExponents, otherHash)
	}
}

// Every file of RSASSA-PSS verification, under all three algorithms. A JWS has MGF1 with the message's hash and a salt as
// long as that hash (RFC 7518, 3.5), whatever the parameters that the file was made for. So a vector of other parameters is
// refused though valid, and one is accepted though invalid: 69 of rsa_pss_2048_sha256_mgf1_0_test.json, "s_len changed to
// 32", is wrong only in that its salt is not empty as that file asks, and so it is a PS256 signature.
func TestWycheproofPSS(t *testing.T) {
	saltChanged := 0
	suite{
		files: []string{"rsa_pss_*_test.json"}, algs: []jose.Alg{jose.PS256, jose.PS384, jose.PS512},
		atLeast: [3]int{26, 3490, 777},
		accept: func(g *group, v *vector, alg jose.Alg) bool {
			size := map[jose.Alg]int{jose.PS256: 32, jose.PS384: 48, jose.PS512: 64}[alg]
			if g.Sha != shaOf(alg) || g.MgfSha != g.Sha || g.Mgf != "MGF1" {
				return false
			}
			if v.Result == "invalid" && g.SLen != size && v.Comment == fmt.Sprintf("s_len changed to %d", size) {
				saltChanged++
				return true
			}
			return v.Result == "valid" && g.SLen == size
		},
	}.run(t)
	if saltChanged == 0 {
		t.Error("no vector whose salt was changed to the length of the hash: this exception is not needed any more")
	}
}

// Ed25519 keys serve under either of their two names.
func TestWycheproofEd25519(t *testing.T) {
	suite{
		files: []string{"ed25519_test.json"}, algs: []jose.Alg{jose.EdDSA, jose.Ed25519}, atLeast: [3]int{1, 151, 2 * 88},
	}.run(t)
}

func TestWycheproofEd448(t *testing.T) {
	suite{files: []string{"ed448_test.json"}, algs: []jose.Alg{jose.EdDSA, jose.Ed448}, atLeast: [3]int{1, 87, 2 * 17}}.run(t)
}

// A signature over a context, valid as it may be, is none here: JWS has the empty one (RFC 9964).
func TestWycheproofMLDSA(t *testing.T) {
	contexts := 0
	for _, c := range []struct {
		file             string
		alg              jose.Alg
		vectors, accepts int
	}{
		{"mldsa_44_verify_test.json", jose.MLDSA44, 180, 75},
		{"mldsa_65_verify_test.json", jose.MLDSA65, 210, 77},
		{"mldsa_87_verify_test.json", jose.MLDSA87, 241, 69},
	} {
		suite{
			files: []string{c.file}, algs: []jose.Alg{c.alg}, atLeast: [3]int{1, c.vectors, c.accepts},
			accept: func(_ *group, v *vector, _ jose.Alg) bool {
				if v.Result == "valid" && v.Ctx != "" {
					contexts++
					return false
				}
				return v.Result == "valid"
			},
		}.run(t)
	}
	if contexts < 6 {
		t.Errorf("%d valid vectors with a context, want at least 6", contexts)
	}
}

// A shortened tag is valid for HMAC and never for JWS; a secret shorter than the hash is no key (RFC 7518, 3.2).
func TestWycheproofHMAC(t *testing.T) {
	for bits, alg := range map[int]jose.Alg{256: jose.HS256, 384: jose.HS384, 512: jose.HS512} {
		name := fmt.Sprintf("hmac_sha%d_test.json", bits)
		n, accepted, short, cut := 0, 0, 0, 0
		groups := load(t, name)
		for i := range groups {
			for _, v := range groups[i].Tests {
				n++
				secret := unhex(t, v.Key)
				e, err := keys.NewSecret(secret, "", alg)
				if got, want := err == nil, len(secret) >= bits/8; got != want {
					t.Fatalf("%s %d: a secret of %d octets: accepted = %v, want %v", name, v.TcID, len(secret), got, want)
				}
				if err != nil {
					short++
					continue
				}
				want := v.Result == "valid" && groups[i].TagSize == bits
				if v.Result == "valid" && !want {
					cut++
				}
				got := e.Key.VerifySignature(unhex(t, v.Msg), unhex(t, v.Tag))
				if got != want {
					t.Errorf("%s %d (%s): accepted = %v, want %v", name, v.TcID, v.Comment, got, want)
				}
				if got {
					accepted++
				}
			}
		}
		if n < 174 || accepted < 30 || short == 0 || cut == 0 {
			t.Errorf("%s: %d vectors, %d accepted, %d short secrets, %d shortened tags: too few", name, n, accepted, short, cut)
		}
		t.Logf("%s: %d vectors, %d accepted, %d short secrets, %d shortened tags", name, n, accepted, short, cut)
	}
}
