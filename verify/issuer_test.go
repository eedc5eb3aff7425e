package verify_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

func TestVerifyTimes(t *testing.T) {
	w := newWorld(t, jose.ES256)
	check := func(c map[string]any, want verify.Reason) {
		t.Helper()
		w.check(t, fmt.Sprint(c), w.sign(t, jose.ES256, with(c)), want)
	}
	check(map[string]any{"exp": now}, verify.ReasonOK) // within the skew of 10 s
	check(map[string]any{"exp": now - 9}, verify.ReasonOK)
	// A token that nobody has seen before is refused unverified; that it has expired is said on a hit only.
	check(map[string]any{"exp": now - 10}, verify.ReasonUnverified)
	check(map[string]any{"exp": json.Number("1799999990.9")}, verify.ReasonUnverified)
	check(map[string]any{"exp": 0}, verify.ReasonUnverified)
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

func TestNewVerifierRejects(t *testing.T) {
	ok := verify.Issuer{Name: "i", Audiences: []string{"a"}, Algs: jose.NewAlgSet(jose.ES256), Type: verify.TypeAccessToken, Keys: new(verify.KeyStore)}
	spoil := map[string]func(*verify.Issuer){
		"no name": func(i *verify.Issuer) { i.Name = "" }, "no keys": func(i *verify.Issuer) { i.Keys = nil },
		"no algs": func(i *verify.Issuer) { i.Algs = 0 }, "no type": func(i *verify.Issuer) { i.Type = 0 },
		"no audience": func(i *verify.Issuer) { i.Audiences = nil }, "both": func(i *verify.Issuer) { i.AudienceUnchecked = true },
		"empty audience": func(i *verify.Issuer) { i.Audiences = []string{"a", ""} },
		"lifetime":       func(i *verify.Issuer) { i.MaxLifetime = -1 }, "type beyond": func(i *verify.Issuer) { i.Type = verify.TypeAnyAccess + 1 },
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
