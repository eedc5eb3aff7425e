package verify_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

const now = 1_800_000_000

var b64 = base64.RawURLEncoding

// world is one issuer with one key of each algorithm, its kid the algorithm's name.
type world struct {
	signers map[jose.Alg]*demo.Signer
	issuer  *verify.Issuer
	v       *verify.Verifier
}

var allAlgs = func() (a []jose.Alg) {
	for alg := jose.RS256; alg < jose.NumAlgs; alg++ {
		a = append(a, alg)
	}
	return a
}()

var signerCache = map[jose.Alg]*demo.Signer{}

func signerOf(t testing.TB, alg jose.Alg) *demo.Signer {
	t.Helper()
	if s := signerCache[alg]; s != nil {
		return s
	}
	s, err := demo.NewSigner(alg, alg.String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	signerCache[alg] = s
	return s
}

func newWorld(t testing.TB, algs ...jose.Alg) *world {
	t.Helper()
	w := &world{signers: map[jose.Alg]*demo.Signer{}}
	var entries []verify.KeyEntry
	for _, alg := range algs {
		s := signerOf(t, alg)
		k, err := verify.NewKey(alg, s.Public())
		if err != nil {
			t.Fatalf("NewKey(%s): %v", alg, err)
		}
		w.signers[alg] = s
		entries = append(entries, verify.KeyEntry{Kid: s.Kid, HasKid: true, Key: k})
	}
	w.issuer = &verify.Issuer{
		Name: "https://issuer.test", Audiences: []string{"api"}, Algs: jose.NewAlgSet(algs...), ClockSkew: 10,
		Type: verify.TypeAccessToken, Keys: new(verify.KeyStore), RolesClaim: claims.Path{"roles"},
	}
	w.issuer.Keys.Store(verify.NewKeySet(entries))
	w.remake(t)
	return w
}

func (w *world) remake(t testing.TB) {
	t.Helper()
	var err error
	if w.v, err = verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 16 << 10}); err != nil {
		t.Fatal(err)
	}
}

func good() map[string]any {
	return map[string]any{"iss": "https://issuer.test", "aud": "api", "sub": "alice", "iat": now - 10, "exp": now + 300, "scope": "read write", "jti": "1"}
}

func with(changes map[string]any) map[string]any {
	c := good()
	for k, v := range changes {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

func (w *world) sign(t testing.TB, alg jose.Alg, c map[string]any) string {
	t.Helper()
	s, err := w.signers[alg].Sign("at+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// raw signs header and payload texts as they are.
func (w *world) raw(t testing.TB, alg jose.Alg, header, payload string) string {
	t.Helper()
	s, err := w.signers[alg].SignRaw([]byte(header), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) check(t testing.TB, what, token string, want verify.Reason) {
	t.Helper()
	var tok verify.Token
	if got := verify.ReasonOf(w.v.Verify(&tok, []byte(token), now)); got != want {
		t.Errorf("%s: Verify = %v, want %v (token %.120s)", what, got, want, token)
	}
}

func goodJSON() string {
	b, _ := json.Marshal(good())
	return string(b)
}

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
			if err := w.v.Verify(&tok, []byte(bad), now); err == nil {
				t.Errorf("%s: accepted with octet %d of %d changed", alg, i-dot, len(token)-dot)
			}
		}
		sig, _ := b64.DecodeString(token[dot+1:])
		w.check(t, alg.String()+" signature cut", token[:dot+1]+b64.EncodeToString(sig[:len(sig)-1]), verify.ReasonSignature)
		w.check(t, alg.String()+" signature longer", token[:dot+1]+b64.EncodeToString(append(sig, 0)), verify.ReasonSignature)
	}
}

func TestVerifyRejectsAlgNone(t *testing.T) {
	w := newWorld(t, jose.RS256)
	for _, alg := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `""`, `null`, `["RS256"]`, `{"a":1}`, `1`, `true`, `"rs256"`, `"RS256 "`} {
		h := `{"alg":` + alg + `,"typ":"at+jwt"}`
		token := b64.EncodeToString([]byte(h)) + "." + b64.EncodeToString([]byte(goodJSON())) + "."
		w.check(t, alg+" unsigned", token, verify.ReasonMalformed)
		w.check(t, alg+" with octets", token+"AAAA", verify.ReasonAlgorithm)
	}
	h := `{"typ":"at+jwt"}`
	w.check(t, "alg missing", w.raw(t, jose.RS256, h, goodJSON()), verify.ReasonAlgorithm)
}

// The RSA public key, in every text form that a confused verifier might take for a secret, signs nothing.
func TestVerifyRejectsHS256WithRSAKey(t *testing.T) {
	w := newWorld(t, jose.RS256)
	pub := w.signers[jose.RS256].Public().(*rsa.PublicKey)
	for _, secret := range [][]byte{pub.N.Bytes(), append(pub.N.Bytes(), 1, 0, 1)} {
		k, err := verify.NewKey(jose.HS256, secret)
		if err != nil || k == nil {
			t.Fatal(err)
		}
		thief := hmacToken(t, secret, `{"alg":"HS256","kid":"RS256","typ":"at+jwt"}`, goodJSON())
		w.check(t, "HS256 over RSA modulus", thief, verify.ReasonAlgorithm)
	}
	// Even an issuer that allows HS256 beside RS256 has no such key under that kid.
	w.issuer.Algs = jose.NewAlgSet(jose.RS256, jose.HS256)
	w.remake(t)
	w.check(t, "HS256 allowed, key is RSA", hmacToken(t, pub.N.Bytes(), `{"alg":"HS256","kid":"RS256","typ":"at+jwt"}`, goodJSON()), verify.ReasonUnknownKey)
}

func hmacToken(t *testing.T, secret []byte, header, payload string) string {
	t.Helper()
	jwk := fmt.Sprintf(`{"kty":"oct","alg":"HS256","k":%q}`, b64.EncodeToString(secret))
	s, err := demo.ParseSigner([]byte(jwk))
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.SignRaw([]byte(header), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestVerifyRejectsAlgOfOtherKey(t *testing.T) {
	w := newWorld(t, jose.RS256, jose.RS512, jose.PS256, jose.ES256, jose.EdDSA, jose.Ed25519)
	check := func(signer, alg jose.Alg, kid string, want verify.Reason) {
		t.Helper()
		h := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, kid)
		w.check(t, fmt.Sprintf("%s key %s says %s", signer, kid, alg), w.raw(t, signer, h, goodJSON()), want)
	}
	check(jose.RS256, jose.RS512, "RS256", verify.ReasonUnknownKey)
	check(jose.RS256, jose.PS256, "RS256", verify.ReasonUnknownKey)
	check(jose.EdDSA, jose.Ed25519, "EdDSA", verify.ReasonUnknownKey)
	check(jose.ES256, jose.RS256, "ES256", verify.ReasonUnknownKey)
	check(jose.RS256, jose.RS256, "RS256", verify.ReasonOK)
}

// The header of a forger brings its own key; nothing but the issuer's set is looked at.
func TestVerifyIgnoresEmbeddedKeys(t *testing.T) {
	w := newWorld(t, jose.RS256)
	thief, err := demo.NewSigner(jose.RS256, "thief", 0)
	if err != nil {
		t.Fatal(err)
	}
	jwk, _ := thief.JWK(false)
	embedded, _ := json.Marshal(jwk)
	for _, extra := range []string{
		`"jwk":` + string(embedded), `"jku":"https://thief.test/jwks"`, `"x5u":"https://thief.test/x"`, `"x5c":["AAAA"]`,
	} {
		h := `{"alg":"RS256","kid":"RS256","typ":"at+jwt",` + extra + `}`
		token, _ := thief.SignRaw([]byte(h), []byte(goodJSON()))
		w.check(t, extra[:5], token, verify.ReasonSignature)
		w.check(t, extra[:5]+" own key", w.raw(t, jose.RS256, h, goodJSON()), verify.ReasonOK)
	}
}

func TestVerifyRejectsCritAndB64(t *testing.T) {
	w := newWorld(t, jose.ES256)
	for _, extra := range []string{
		`"crit":["exp"]`, `"crit":[]`, `"crit":null`, `"crit":["b64"],"b64":false`, `"b64":false`, `"b64":true`, `"crit":"b64"`, `"zip":"DEF"`,
		`"\u0063rit":["x"]`,
	} {
		h := `{"alg":"ES256","kid":"ES256","typ":"at+jwt",` + extra + `}`
		w.check(t, extra, w.raw(t, jose.ES256, h, goodJSON()), verify.ReasonCritical)
	}
}

func TestVerifyRejectsDuplicateMembers(t *testing.T) {
	w := newWorld(t, jose.ES256)
	for _, h := range []string{
		`{"alg":"ES256","kid":"ES256","typ":"at+jwt","alg":"ES256"}`,
		`{"alg":"ES256","kid":"ES256","typ":"at+jwt","\u0061lg":"none"}`,
		`{"alg":"ES256","kid":"ES256","typ":"at+jwt","a\/b":1,"a/b":2}`,
	} {
		w.check(t, h, w.raw(t, jose.ES256, h, goodJSON()), verify.ReasonMalformed)
	}
	h := `{"alg":"ES256","kid":"ES256","typ":"at+jwt"}`
	for _, p := range []string{
		`{"iss":"https://issuer.test","aud":"api","exp":1900000000,"exp":1}`,
		`{"iss":"https://issuer.test","aud":"api","exp":1900000000,"\u0065xp":1}`,
		`{"iss":"https://issuer.test","aud":"api","exp":1900000000,"x":{"a":1,"b":{"c":1,"c":2}}}`,
	} {
		w.check(t, p, w.raw(t, jose.ES256, h, p), verify.ReasonMalformed)
	}
}

func TestVerifyRejectsKidInjection(t *testing.T) {
	w := newWorld(t, jose.ES256)
	for _, kid := range []string{`../../../../dev/null`, `' OR 1=1 --`, `ES256\u0000`, `es256`, ``, strings.Repeat("k", 256)} {
		h := `{"alg":"ES256","kid":"` + kid + `","typ":"at+jwt"}`
		w.check(t, kid, w.raw(t, jose.ES256, h, goodJSON()), verify.ReasonUnknownKey)
	}
	h := `{"alg":"ES256","kid":"` + strings.Repeat("k", 257) + `","typ":"at+jwt"}`
	w.check(t, "long kid", w.raw(t, jose.ES256, h, goodJSON()), verify.ReasonMalformed)
	w.check(t, "kid number", w.raw(t, jose.ES256, `{"alg":"ES256","kid":1,"typ":"at+jwt"}`, goodJSON()), verify.ReasonMalformed)
}

func TestVerifyRejectsManyDots(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := w.sign(t, jose.ES256, good())
	for _, bad := range []string{
		"", ".", "..", "...", "a.b", "a.b.", ".b.c", "a..c", token + ".", "." + token, token + "." + token,
		strings.Repeat(".", 8000), strings.Repeat("a.", 4000), `{"payload":"x","signatures":[]}`, "a.b.c.d.e",
	} {
		w.check(t, "dots", bad, verify.ReasonMalformed)
	}
	w.check(t, "too long", strings.Repeat("a", 16<<10+1), verify.ReasonTooLarge)
}

func TestVerifyRejectsLooseBase64(t *testing.T) {
	w := newWorld(t, jose.ES256)
	parts := strings.Split(w.sign(t, jose.ES256, good()), ".")
	for i := range parts {
		for _, spoil := range []func(string) string{
			func(s string) string { return s + "=" }, func(s string) string { return s + "==" },
			func(s string) string { return s[:8] + "\n" + s[8:] }, func(s string) string { return s + "\r\n" },
			func(s string) string { return s[:4] + " " + s[4:] }, func(s string) string { return "+" + s[1:] },
			func(s string) string { return "/" + s[1:] }, func(s string) string { return "\x00" + s[1:] },
			func(s string) string { return "\xff" + s[1:] },
		} {
			p := append([]string(nil), parts...)
			p[i] = spoil(p[i])
			w.check(t, fmt.Sprintf("part %d", i), strings.Join(p, "."), verify.ReasonMalformed)
		}
	}
	// 64 octets end in a character with four unused bits: each other spelling of it is refused.
	sig := parts[2]
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", sig[len(sig)-1])
	other := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1]
	w.check(t, "unused bits", parts[0]+"."+parts[1]+"."+sig[:len(sig)-1]+string(other), verify.ReasonMalformed)
}

func TestVerifyTimes(t *testing.T) {
	w := newWorld(t, jose.ES256)
	check := func(c map[string]any, want verify.Reason) {
		t.Helper()
		w.check(t, fmt.Sprint(c), w.sign(t, jose.ES256, with(c)), want)
	}
	check(map[string]any{"exp": now}, verify.ReasonOK) // within the skew of 10 s
	check(map[string]any{"exp": now - 9}, verify.ReasonOK)
	check(map[string]any{"exp": now - 10}, verify.ReasonExpired)
	check(map[string]any{"exp": json.Number("1799999990.9")}, verify.ReasonExpired)
	check(map[string]any{"exp": 0}, verify.ReasonExpired)
	check(map[string]any{"exp": nil}, verify.ReasonClaim)
	check(map[string]any{"nbf": now + 10}, verify.ReasonOK)
	check(map[string]any{"nbf": now + 11}, verify.ReasonNotYetValid)
	check(map[string]any{"nbf": json.Number("1800000010.5")}, verify.ReasonNotYetValid)
	check(map[string]any{"iat": now + 11}, verify.ReasonNotYetValid)
	check(map[string]any{"exp": json.Number("1.8e9")}, verify.ReasonOK)
	check(map[string]any{"exp": json.Number("18000003e2")}, verify.ReasonOK)
	check(map[string]any{"exp": json.Number("9007199254740992")}, verify.ReasonOK)
	for _, bad := range []string{
		`9007199254740993`, `-1`, `-0`, `1e400`, `9223372036854775808`, `1e19`, `"1900000000"`, `null`, `true`, `[1900000000]`, `{"a":1}`,
		`NaN`, `Infinity`, `-Infinity`, `01900000000`, `+1900000000`, `1900000000.`, `.5`, `0x7fffffff`, `1e`, `1e+`,
	} {
		for _, name := range []string{"exp", "nbf", "iat"} {
			p := `{"iss":"https://issuer.test","aud":"api","sub":"alice","exp":1900000000}`
			if name == "exp" {
				p = `{"iss":"https://issuer.test","aud":"api","sub":"alice","exp":` + bad + `}`
			} else {
				p = p[:len(p)-1] + `,"` + name + `":` + bad + `}`
			}
			w.check(t, name+"="+bad, w.raw(t, jose.ES256, `{"alg":"ES256","kid":"ES256","typ":"at+jwt"}`, p), verify.ReasonMalformed)
		}
	}
	w.issuer.MaxLifetime = 400
	w.remake(t)
	check(map[string]any{"exp": now + 390}, verify.ReasonOK)
	check(map[string]any{"exp": now + 391}, verify.ReasonLifetime)
	check(map[string]any{"iat": nil}, verify.ReasonLifetime)
}

// A claim is named as the reason only once the signature was good (CVE-2024-51744).
func TestVerifySignatureBeforeClaims(t *testing.T) {
	w := newWorld(t, jose.ES256)
	for _, c := range []map[string]any{{"exp": 1}, {"aud": "other"}, {"nbf": now + 1000}} {
		token := w.sign(t, jose.ES256, with(c))
		forged := token[:len(token)-20] + strings.Repeat("A", 20)
		w.check(t, fmt.Sprint(c), forged, verify.ReasonSignature)
	}
	w.check(t, "foreign issuer", w.sign(t, jose.ES256, with(map[string]any{"iss": "https://other.test"})), verify.ReasonUnverified)
	w.check(t, "no issuer", w.sign(t, jose.ES256, with(map[string]any{"iss": nil})), verify.ReasonUnverified)
	w.check(t, "issuer with slash", w.sign(t, jose.ES256, with(map[string]any{"iss": "https://issuer.test/"})), verify.ReasonUnverified)
}

func TestVerifyAudience(t *testing.T) {
	w := newWorld(t, jose.ES256)
	w.issuer.Audiences = []string{"api", "api2"}
	w.remake(t)
	check := func(aud any, want verify.Reason) {
		t.Helper()
		w.check(t, fmt.Sprint(aud), w.sign(t, jose.ES256, with(map[string]any{"aud": aud})), want)
	}
	check("api2", verify.ReasonOK)
	check([]string{"x", "api"}, verify.ReasonOK)
	check("API", verify.ReasonAudience)
	check("api ", verify.ReasonAudience)
	check("", verify.ReasonAudience)
	check([]string{"x", ""}, verify.ReasonAudience)
	check([]string{}, verify.ReasonMalformed) // CVE-2020-26160
	check([]any{"api", 1}, verify.ReasonMalformed)
	check(map[string]any{"api": 1}, verify.ReasonMalformed)
	check(nil, verify.ReasonAudience)

	w.issuer.AudienceClaim = "client_id"
	w.remake(t)
	w.check(t, "client_id", w.sign(t, jose.ES256, with(map[string]any{"aud": nil, "client_id": "api"})), verify.ReasonOK)
	w.check(t, "azp", w.sign(t, jose.ES256, with(map[string]any{"aud": nil, "azp": "api"})), verify.ReasonOK)
	w.check(t, "neither", w.sign(t, jose.ES256, good()), verify.ReasonAudience)
	w.check(t, "client_id other", w.sign(t, jose.ES256, with(map[string]any{"client_id": "x", "azp": "api"})), verify.ReasonAudience)
}

func TestVerifyType(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := func(typ string, c map[string]any) string {
		s, err := w.signers[jose.ES256].Sign(typ, with(c))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(p verify.TypePolicy, typ string, c map[string]any, want verify.Reason) {
		t.Helper()
		w.issuer.Type = p
		w.remake(t)
		w.check(t, fmt.Sprintf("policy %d typ %q %v", p, typ, c), token(typ, c), want)
	}
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"} {
		check(verify.TypeAccessToken, typ, nil, verify.ReasonOK)
		check(verify.TypeJWTOrAbsent, typ, nil, verify.ReasonType)
		check(verify.TypeAnyAccess, typ, nil, verify.ReasonOK)
	}
	for _, typ := range []string{"JWT", "jwt", "application/jwt", ""} {
		check(verify.TypeAccessToken, typ, nil, verify.ReasonType)
		check(verify.TypeJWTOrAbsent, typ, nil, verify.ReasonOK)
		check(verify.TypeAnyAccess, typ, nil, verify.ReasonOK)
	}
	for _, typ := range []string{"logout+jwt", "secevent+jwt", "dpop+jwt", "id_token", "at+jwt ", "application/application/at+jwt", "statuslist+jwt"} {
		for _, p := range []verify.TypePolicy{verify.TypeAccessToken, verify.TypeJWTOrAbsent, verify.TypeAnyAccess} {
			check(p, typ, nil, verify.ReasonType)
		}
	}
	for _, id := range []string{"nonce", "at_hash", "c_hash", "events"} {
		check(verify.TypeJWTOrAbsent, "JWT", map[string]any{id: "x"}, verify.ReasonType)
	}
}

func TestVerifyRejectsBoundToken(t *testing.T) {
	w := newWorld(t, jose.ES256)
	for _, cnf := range []any{map[string]any{"jkt": "x"}, map[string]any{}, "x", 1} {
		w.check(t, fmt.Sprint(cnf), w.sign(t, jose.ES256, with(map[string]any{"cnf": cnf})), verify.ReasonConfirmation)
	}
}

func TestVerifyRejectsBadJSON(t *testing.T) {
	w := newWorld(t, jose.ES256)
	h := `{"alg":"ES256","kid":"ES256","typ":"at+jwt"}`
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	many := `{"iss":"https://issuer.test"`
	for i := range 300 {
		many += fmt.Sprintf(`,"m%d":1`, i)
	}
	for name, p := range map[string]string{
		"trailing data": goodJSON() + "x", "two objects": goodJSON() + goodJSON(), "array": "[" + goodJSON() + "]", "string": `"x"`,
		"BOM": "\xef\xbb\xbf" + goodJSON(), "invalid UTF-8": `{"iss":"` + "\xff" + `"}`, "lone surrogate": `{"iss":"\ud800"}`,
		"low first": `{"iss":"\udc00\ud800"}`, "NUL": "{\"iss\":\"a\x00b\"}", "raw LF": "{\"iss\":\"a\nb\"}", "escape": `{"iss":"\q"}`,
		"deep": deep, "many": many + "}", "comma": `{"iss":"x",}`, "UTF-16": "\xfe\xff\x00{\x00}", "overlong": `{"iss":"` + "\xc0\xaf" + `"}`,
		"empty": "", "spaces": "  ", "comment": `{"iss":"x"/**/}`, "single quotes": `{'iss':'x'}`, "iss number": `{"iss":1}`, "sub array": `{"iss":"https://issuer.test","sub":["a"]}`,
		"scope number": `{"iss":"https://issuer.test","scope":1}`,
	} {
		if name == "empty" {
			w.check(t, name, w.raw(t, jose.ES256, h, p), verify.ReasonMalformed)
			continue
		}
		w.check(t, name, w.raw(t, jose.ES256, h, p), verify.ReasonMalformed)
		if name != "deep" && name != "many" && !strings.Contains(name, "iss") {
			w.check(t, name+" header", w.raw(t, jose.ES256, strings.ReplaceAll(p, "iss", "typ"), goodJSON()), headerReason(name))
		}
	}
	w.check(t, "whitespace around", w.raw(t, jose.ES256, " \r\n\t"+h+" ", "\n"+goodJSON()+"\t"), verify.ReasonOK)
}

// headerReason: what is fine JSON but no header fails for its missing alg.
func headerReason(name string) verify.Reason {
	switch name {
	case "sub array", "scope number":
		return verify.ReasonAlgorithm
	}
	return verify.ReasonMalformed
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

// offCurve is not on P-256. A point can only be put together like this by hand.
//
//lint:ignore SA1019 that is the point
var offCurve = &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}

func TestNewKeyRejects(t *testing.T) {
	rs := signerOf(t, jose.RS256).Public().(*rsa.PublicKey)
	ec := signerOf(t, jose.ES256).Public().(*ecdsa.PublicKey)
	small := &rsa.PublicKey{N: new(big.Int).Rsh(rs.N, 1), E: 65537}
	small.N.SetBit(small.N, 0, 1)
	big8 := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4200), E: 65537}
	big8.N.Add(big8.N, big.NewInt(1))
	check := func(name string, alg jose.Alg, pub any) {
		t.Helper()
		if k, err := verify.NewKey(alg, pub); err == nil || k != nil {
			t.Errorf("%s: NewKey(%s) accepted", name, alg)
		}
	}
	check("2047 bits", jose.RS256, small)
	check("4201 bits", jose.RS256, big8)
	check("even modulus", jose.RS256, &rsa.PublicKey{N: new(big.Int).Add(rs.N, big.NewInt(1)), E: 65537})
	check("e = 1", jose.RS256, &rsa.PublicKey{N: rs.N, E: 1})
	check("e = 3", jose.RS256, &rsa.PublicKey{N: rs.N, E: 3})
	check("e even", jose.RS256, &rsa.PublicKey{N: rs.N, E: 65538})
	check("EC for RS", jose.RS256, ec)
	check("RSA for ES", jose.ES256, rs)
	check("P-256 for ES384", jose.ES384, ec)
	check("off curve", jose.ES256, offCurve)
	check("secret short", jose.HS256, make([]byte, 31))
	check("secret short 512", jose.HS512, make([]byte, 63))
	check("secret for RS", jose.RS256, make([]byte, 64))
	check("RSA for HS", jose.HS256, rs)
	check("unknown type", jose.RS256, "x")
	check("Ed length", jose.EdDSA, ed25519.PublicKey(make([]byte, 31)))
	check("alg invalid", jose.AlgInvalid, rs)
}

// smallOrder are the encodings of all points whose order divides 8, the non-canonical ones included.
func TestNewKeyRejectsSmallOrderEd25519(t *testing.T) {
	for _, h := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		// not canonical: y ≥ p, or x = 0 with its sign
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		// not on the curve
		"0200000000000000000000000000000000000000000000000000000000000000",
	} {
		var key [32]byte
		fmt.Sscanf(h, "%x", new([]byte))
		for i := range key {
			fmt.Sscanf(h[2*i:2*i+2], "%02x", &key[i])
		}
		if _, err := verify.NewKey(jose.EdDSA, ed25519.PublicKey(key[:])); err == nil {
			t.Errorf("NewKey(%s) accepted", h)
		}
	}
	for range 20 {
		pub, _, _ := ed25519.GenerateKey(nil)
		if _, err := verify.NewKey(jose.EdDSA, pub); err != nil {
			t.Errorf("NewKey(%x): %v", pub, err)
		}
	}
}

func TestKeySetLookup(t *testing.T) {
	key := func(alg jose.Alg) *verify.Key {
		s, err := demo.NewSigner(alg, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		k, err := verify.NewKey(alg, s.Public())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b, c, d := key(jose.ES256), key(jose.ES256), key(jose.EdDSA), key(jose.ES384)
	set := verify.NewKeySet([]verify.KeyEntry{
		{Kid: "a", HasKid: true, Key: a}, {Kid: "b", HasKid: true, Key: b}, {Kid: "a", HasKid: true, Key: c}, {Key: d},
	})
	check := func(kid string, has bool, alg jose.Alg, want *verify.Key) {
		t.Helper()
		if got := set.Lookup([]byte(kid), has, alg); got != want {
			t.Errorf("Lookup(%q, %v, %s) = %p, want %p", kid, has, alg, got, want)
		}
	}
	check("a", true, jose.ES256, a)
	check("a", true, jose.EdDSA, c)
	check("b", true, jose.ES256, b)
	check("b", true, jose.EdDSA, nil)
	check("x", true, jose.ES256, nil)
	check("", false, jose.ES256, nil) // two of them
	check("", false, jose.EdDSA, c)   // the only one
	check("x", true, jose.EdDSA, nil) // it has another kid
	check("x", true, jose.ES384, d)   // published without a kid
	check("", false, jose.ES384, d)   //
	check("a", true, jose.ES384, nil) // the kid is known, with other algorithms
	check("a", true, jose.AlgInvalid, nil)
	twice := verify.NewKeySet([]verify.KeyEntry{{Kid: "k", HasKid: true, Key: a}, {Kid: "k", HasKid: true, Key: b}})
	if got := twice.Lookup([]byte("k"), true, jose.ES256); got != nil {
		t.Errorf("Lookup of a kid with two ES256 keys = %p, want nil", got)
	}
	if !set.Contains(a) || set.Contains(key(jose.ES256)) {
		t.Error("Contains is wrong")
	}
}

func TestPolicy(t *testing.T) {
	w := newWorld(t, jose.ES256)
	w.issuer.RolesClaim = claims.Path{"realm_access", "roles"}
	other := *w.issuer
	token := w.sign(t, jose.ES256, with(map[string]any{
		"scope": "read  write:all", "scp": []string{"extra"}, "realm_access": map[string]any{"roles": []string{"clerk"}},
		"tenant": "blue", "level": 3, "vip": true, "groups": []any{"g1", 7}, "nothing": json.RawMessage("null"),
	}))
	var tok verify.Token
	check := func(p verify.Policy, want verify.Reason) {
		t.Helper()
		if err := w.v.Verify(&tok, []byte(token), now); err != nil {
			t.Fatal(err)
		}
		if got := verify.ReasonOf(p.Check(&tok)); got != want {
			t.Errorf("Check(%+v) = %v, want %v", p, got, want)
		}
	}
	claim := func(path string, anyOf ...string) verify.Policy {
		p, _ := claims.ParsePath(path)
		return verify.Policy{Claims: []verify.ClaimRule{{Path: p, AnyOf: anyOf}}}
	}
	check(verify.Policy{}, verify.ReasonOK)
	check(verify.Policy{Issuers: []*verify.Issuer{w.issuer}}, verify.ReasonOK)
	check(verify.Policy{Issuers: []*verify.Issuer{&other}}, verify.ReasonIssuer)
	check(verify.Policy{Scopes: []string{"read", "write:all", "extra"}}, verify.ReasonOK)
	check(verify.Policy{Scopes: []string{"read", "write"}}, verify.ReasonScope)
	check(verify.Policy{Scopes: []string{""}}, verify.ReasonScope)
	check(verify.Policy{Roles: []string{"admin", "clerk"}}, verify.ReasonOK)
	check(verify.Policy{Roles: []string{"admin"}}, verify.ReasonRole)
	check(claim("tenant", "red", "blue"), verify.ReasonOK)
	check(claim("tenant", "Blue"), verify.ReasonClaimValue)
	check(claim("level", "3"), verify.ReasonOK)
	check(claim("level", "3.0"), verify.ReasonClaimValue)
	check(claim("vip", "true"), verify.ReasonOK)
	check(claim("groups", "7"), verify.ReasonOK)
	check(claim("nothing", "null"), verify.ReasonClaimValue)
	check(claim("absent", ""), verify.ReasonClaimValue)
	check(claim("tenant.deeper", "blue"), verify.ReasonClaimValue)
	var fresh verify.Token
	if err := (&verify.Policy{}).Check(&fresh); verify.ReasonOf(err) != verify.ReasonSignature {
		t.Errorf("Check of an unverified token = %v, want a refusal", err)
	}
}

// Nothing of a refused token can be had from the accessors that logs and headers use.
func TestTokenHidesUnverified(t *testing.T) {
	w := newWorld(t, jose.ES256)
	var tok verify.Token
	if err := w.v.Verify(&tok, []byte(w.sign(t, jose.ES256, good())), now); err != nil {
		t.Fatal(err)
	}
	if got := string(tok.Claims().Subject()); got != "alice" {
		t.Errorf("Subject = %q, want alice", got)
	}
	token := w.sign(t, jose.ES256, with(map[string]any{"sub": "mallory"}))
	for _, bad := range []string{token[:len(token)-8] + "AAAAAAAA", "x", ""} {
		if err := w.v.Verify(&tok, []byte(bad), now); err == nil {
			t.Fatal("accepted")
		}
		if tok.Verified() || tok.Issuer() != nil || tok.Key() != nil || tok.Kid() != nil || tok.Claims().Subject() != nil || tok.Expiry() != 0 || tok.Alg() != 0 {
			t.Errorf("a refused token shows %v %v %q %q", tok.Verified(), tok.Issuer(), tok.Kid(), tok.Claims().Subject())
		}
	}
}

func TestNewVerifierRejects(t *testing.T) {
	ok := verify.Issuer{Name: "i", Audiences: []string{"a"}, Algs: jose.NewAlgSet(jose.ES256), Type: verify.TypeAccessToken, Keys: new(verify.KeyStore)}
	spoil := map[string]func(*verify.Issuer){
		"no name": func(i *verify.Issuer) { i.Name = "" }, "no keys": func(i *verify.Issuer) { i.Keys = nil },
		"no algs": func(i *verify.Issuer) { i.Algs = 0 }, "no type": func(i *verify.Issuer) { i.Type = 0 },
		"no audience": func(i *verify.Issuer) { i.Audiences = nil }, "both": func(i *verify.Issuer) { i.AudienceUnchecked = true },
		"skew": func(i *verify.Issuer) { i.ClockSkew = -1 }, "audience claim": func(i *verify.Issuer) { i.AudienceClaim = "x" },
	}
	for name, f := range spoil {
		is := ok
		f(&is)
		if _, err := verify.NewVerifier([]*verify.Issuer{&is}, verify.Options{MaxTokenBytes: 100}); err == nil {
			t.Errorf("%s: NewVerifier accepted", name)
		}
	}
	if _, err := verify.NewVerifier([]*verify.Issuer{&ok, &ok}, verify.Options{MaxTokenBytes: 100}); err == nil {
		t.Error("NewVerifier accepted an issuer twice")
	}
	if _, err := verify.NewVerifier(nil, verify.Options{}); err == nil {
		t.Error("NewVerifier accepted no size limit")
	}
}

func TestVerifyWithoutKeys(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := w.sign(t, jose.ES256, good())
	w.issuer.Keys.Store(verify.NewKeySet(nil))
	w.check(t, "withdrawn", token, verify.ReasonUnknownKey)
	w.issuer.Keys = new(verify.KeyStore)
	w.remake(t)
	w.check(t, "no keys yet", token, verify.ReasonKeysUnavailable)
}

func TestReasonWords(t *testing.T) {
	seen := map[string]verify.Reason{}
	for r := range verify.NumReasons {
		word := r.String()
		if other, ok := seen[word]; ok || word == "" {
			t.Errorf("Reason %d: word %q is empty or that of %d", r, word, other)
		}
		seen[word] = r
		if got := verify.ReasonOf(fmt.Errorf("wrapped: %w", verify.Err(r))); got != r {
			t.Errorf("ReasonOf(%v) = %v", r, got)
		}
	}
	if verify.ReasonOf(fmt.Errorf("foreign")) != verify.ReasonInternal {
		t.Error("a foreign error is not internal")
	}
}
