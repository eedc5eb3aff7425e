package verify_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sallyport/edge/demo"
	"sallyport/keys"
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

// The same with an EC key: its point, with and without the octet that says how it is written, is no secret.
func TestVerifyRejectsHS256WithECKey(t *testing.T) {
	w := newWorld(t, jose.ES256, jose.HS256)
	point, err := w.signers[jose.ES256].Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{point, point[1:], point[1:33]} {
		for kid, want := range map[string]verify.Reason{"ES256": verify.ReasonUnknownKey, "HS256": verify.ReasonSignature} {
			h := fmt.Sprintf(`{"alg":"HS256","kid":%q,"typ":"at+jwt"}`, kid)
			w.check(t, "HS256 over the point, kid "+kid, hmacToken(t, secret, h, goodJSON()), want)
		}
		w.check(t, "HS256 over the point, no kid", hmacToken(t, secret, `{"alg":"HS256","typ":"at+jwt"}`, goodJSON()), verify.ReasonSignature)
	}
}

// A JWK without alg serves those of the issuer's algorithms that fit its type, and never as a secret (CVE-2026-44699,
// CVE-2026-22817).
func TestVerifyJWKWithoutAlg(t *testing.T) {
	w := newWorld(t, jose.RS256, jose.PS256, jose.ES256)
	jwk, err := w.signers[jose.RS256].JWK(false)
	if err != nil {
		t.Fatal(err)
	}
	delete(jwk, "alg")
	delete(jwk, "kid")
	text, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	secret := w.signers[jose.RS256].Public().(*rsa.PublicKey).N.Bytes()
	for _, c := range []struct {
		name string
		algs jose.AlgSet
		want map[jose.Alg]verify.Reason // by the token's algorithm
	}{
		{"RS256 and HS256", jose.NewAlgSet(jose.RS256, jose.HS256), map[jose.Alg]verify.Reason{
			jose.RS256: verify.ReasonOK, jose.PS256: verify.ReasonAlgorithm, jose.HS256: verify.ReasonUnknownKey,
		}},
		{"RS256 and PS256", jose.NewAlgSet(jose.RS256, jose.PS256), map[jose.Alg]verify.Reason{
			jose.RS256: verify.ReasonOK, jose.HS256: verify.ReasonAlgorithm,
		}},
		{"nothing that fits", jose.NewAlgSet(jose.ES256, jose.HS256), map[jose.Alg]verify.Reason{
			jose.RS256: verify.ReasonAlgorithm, jose.HS256: verify.ReasonUnknownKey, jose.ES256: verify.ReasonUnknownKey,
		}},
	} {
		parsed, err := keys.ParseJWKS(text, keys.Options{Algs: c.algs})
		if err != nil {
			t.Fatal(err)
		}
		w.issuer.Algs = c.algs
		w.issuer.Keys.Store(verify.NewKeySet(parsed.Entries))
		w.remake(t)
		for alg, want := range c.want {
			h := fmt.Sprintf(`{"alg":%q,"typ":"at+jwt"}`, alg)
			token := ""
			if alg == jose.HS256 {
				token = hmacToken(t, secret, h, goodJSON())
			} else {
				token = w.raw(t, alg, h, goodJSON())
			}
			w.check(t, c.name+": "+alg.String(), token, want)
		}
	}
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
	for _, n := range []int{257, 4000, 10_000} {
		h := `{"alg":"ES256","kid":"` + strings.Repeat("k", n) + `","typ":"at+jwt"}`
		w.check(t, "long kid", w.raw(t, jose.ES256, h, goodJSON()), verify.ReasonMalformed)
	}
	huge := `{"alg":"ES256","kid":"` + strings.Repeat("k", 64<<10) + `","typ":"at+jwt"}`
	w.check(t, "kid of 64 KiB", w.raw(t, jose.ES256, huge, goodJSON()), verify.ReasonTooLarge)
	w.check(t, "kid number", w.raw(t, jose.ES256, `{"alg":"ES256","kid":1,"typ":"at+jwt"}`, goodJSON()), verify.ReasonMalformed)
}

func TestVerifyRejectsManyDots(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := w.sign(t, jose.ES256, good())
	for _, bad := range []string{
		"", ".", "..", "...", "a.b", "a.b.", ".b.c", "a..c", token + ".", "." + token, token + "." + token,
		strings.Repeat(".", 8000), strings.Repeat("a.", 4000),
	} {
		w.check(t, "dots", bad, verify.ReasonMalformed)
	}
	w.check(t, "too long", strings.Repeat("a", 16<<10+1), verify.ReasonTooLarge)
}

// There is one serialization, the compact one, of signed tokens. In the JSON ones it could be asked which signature was
// verified (CVE-2016-9122); an encrypted token is not read at all (CVE-2024-28180, CVE-2024-28122, CVE-2023-49290).
func TestVerifyRejectsOtherSerializations(t *testing.T) {
	w := newWorld(t, jose.ES256)
	p := strings.Split(w.sign(t, jose.ES256, good()), ".")
	for name, token := range map[string]string{
		"flattened": fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2]),
		"general":   fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2]),
		"two signatures": fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":"e30","signature":"AA"},{"protected":%q,"signature":%q}]}`,
			p[1], p[0], p[2]),
		"dots in JSON":       fmt.Sprintf(`{"a":"%s.%s.%s"}`, p[0], p[1], p[2]),
		"JWE":                strings.Join([]string{b64.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)), "", "AA", "AA", "AA"}, "."),
		"JWE with PBES2":     strings.Join([]string{b64.EncodeToString([]byte(`{"alg":"PBES2-HS256+A128KW","p2c":2147483647}`)), "AA", "AA", "AA", "AA"}, "."),
		"signed parts and 2": strings.Join([]string{p[0], p[1], p[2], p[2], p[2]}, "."),
		"detached":           p[0] + ".." + p[2],
	} {
		w.check(t, name, token, verify.ReasonMalformed)
	}
	// Three parts, but a JWE's header.
	h := `{"alg":"dir","enc":"A256GCM"}`
	w.check(t, "JWE header", w.raw(t, jose.ES256, h, goodJSON()), verify.ReasonAlgorithm)
	// A token inside a token: its payload is no JSON.
	w.check(t, "nested", w.raw(t, jose.ES256, `{"alg":"ES256","kid":"ES256","typ":"at+jwt","cty":"JWT"}`, strings.Join(p, ".")), verify.ReasonMalformed)
}

// The bounds on size, depth and number, each just inside and just outside.
func TestVerifyLimits(t *testing.T) {
	w := newWorld(t, jose.ES256)
	check := func(what, header, payload string, want verify.Reason) {
		t.Helper()
		w.check(t, what, w.raw(t, jose.ES256, header, payload), want)
	}
	const head = `{"alg":"ES256","kid":"ES256","typ":"at+jwt"`
	h, body := head+`}`, strings.TrimSuffix(goodJSON(), "}")
	// RFC 7515 has no bound; SECURITY notes 2.1: 4 KiB of header, a depth of 16, 256 members.
	pad := func(n int) string { return head + `,"x":"` + strings.Repeat("x", n-len(head)-len(`,"x":""}`)) + `"}` }
	check("header of 4 KiB", pad(4<<10), goodJSON(), verify.ReasonOK)
	check("header above 4 KiB", pad(4<<10+1), goodJSON(), verify.ReasonMalformed)
	nest := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	check("depth 16", h, body+`,"x":`+nest(15)+`}`, verify.ReasonOK)
	check("depth 17", h, body+`,"x":`+nest(16)+`}`, verify.ReasonMalformed)
	check("depth 5000", h, body+`,"x":`+nest(5000)+`}`, verify.ReasonMalformed)
	check("depth 16 in the header", head+`,"x":`+nest(15)+`}`, goodJSON(), verify.ReasonOK)
	check("depth 17 in the header", head+`,"x":`+nest(16)+`}`, goodJSON(), verify.ReasonMalformed)
	members := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf(`,"m%d":1`, i)
		}
		return s
	}
	own := len(good())
	check("256 members", h, body+members(256-own)+`}`, verify.ReasonOK)
	check("257 members", h, body+members(257-own)+`}`, verify.ReasonMalformed)
	check("256 members in the header", head+members(256-3)+`}`, goodJSON(), verify.ReasonOK)
	check("257 members in the header", head+members(257-3)+`}`, goodJSON(), verify.ReasonMalformed)
	check("257 elements", h, body+`,"x":[`+strings.Repeat("0,", 256)+`0]}`, verify.ReasonMalformed)
	long := strings.Repeat("x", 11<<10)
	check("a long string", h, body+`,"x":"`+long+`"}`, verify.ReasonOK)
	check("a long token", h, body+`,"x":"`+long+long+`"}`, verify.ReasonTooLarge)
	check("a number of 65 digits", h, body+`,"x":`+strings.Repeat("1", 65)+`}`, verify.ReasonMalformed)
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

// A claim is named as the reason only once the signature was good (CVE-2024-51744): before that, what is refused to save the
// check is unverified and nothing else.
func TestVerifySignatureBeforeClaims(t *testing.T) {
	w := newWorld(t, jose.ES256)
	expired := w.sign(t, jose.ES256, with(map[string]any{"exp": 1}))
	w.check(t, "expired", expired, verify.ReasonUnverified)
	w.check(t, "expired and forged", expired[:len(expired)-20]+strings.Repeat("A", 20), verify.ReasonUnverified)
	for _, c := range []map[string]any{{"aud": "other"}, {"nbf": now + 1000}} {
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
