package verify_test

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

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
