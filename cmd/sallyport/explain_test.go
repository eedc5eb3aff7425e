package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

var verdictLine = regexp.MustCompile(`(?m)^verdict +(allowed|refused): (\S+) \(status (\d+)\)$`)

// explain says what serve does, in status and reason, and gives nothing away that could be used as a credential.
func TestExplainAgreesWithServe(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.file(t, "jwks.json", keySet(t, s.signer), 0o644)
	s.issuer = "[[issuer]]\nissuer = \"test\"\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\njwks_file = \"jwks.json\"\n" +
		"max_lifetime = \"1h\"\nrequired_claims = [\"sub\"]\n"
	s.routes += `
[[route]]
name = "staff"
path = "/staff"
require.roles = ["clerk"]
require.claims = { tenant = ["blue"] }
upstream = "up"
`
	s.write(t)
	n := serve(t, s.path)
	good := s.token(t, nil)
	other, err := demo.NewSigner(jose.ES256, "k2", 0)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	for i, c := range []struct{ name, path, token, want, because string }{
		{"good", "/api/x", good, "ok 200", "the request passes"},
		{"forged", "/api/x", mint(t, newSigner(t), "at+jwt", nil), "signature 401", ""},
		{"changed claims", "/api/x", parts[0] + "." + b64([]byte(`{"iss":"test","aud":"api","exp":4102444800}`)) + "." + parts[2], "signature 401", ""},
		{"expired", "/api/x", s.token(t, map[string]any{"exp": 1000}), "unverified 401", ""},
		{"not yet valid", "/api/x", s.token(t, map[string]any{"nbf": 4102444800}), "not_yet_valid 401", ""},
		{"lives too long", "/api/x", s.token(t, map[string]any{"exp": 4102444800}), "lifetime 401", ""},
		{"wrong aud", "/api/x", s.token(t, map[string]any{"aud": "other"}), "audience 401", "the audience is none of api"},
		{"wrong iss", "/api/x", s.token(t, map[string]any{"iss": "test/"}), "unverified 401", ""},
		{"alg none", "/api/x", b64([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + ".", "malformed 401", ""},
		{"alg none, signed", "/api/x", b64([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "." + parts[2], "algorithm 401", ""},
		{"other alg", "/api/x", b64([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"k1"}`)) + "." + parts[1] + "." + parts[2], "algorithm 401", ""},
		{"unknown kid", "/api/x", mint(t, other, "at+jwt", nil), "unknown_key 401", "issuer test: no current key has the token's kid and alg"},
		{"wrong typ", "/api/x", mint(t, s.signer, "JWT", nil), "type 401", ""},
		{"bound to a key", "/api/x", s.token(t, map[string]any{"cnf": map[string]any{"jkt": "x"}}), "confirmation 401", ""},
		{"without sub", "/api/x", s.token(t, map[string]any{"sub": nil}), "malformed 401", "claim sub has the wrong type or range"},
		{"missing scope", "/api/x", s.token(t, map[string]any{"scope": "write"}), "scope 403", "scope read is missing"},
		{"missing role", "/staff", good, "role 403", "claim roles has none of the roles clerk"},
		{"wrong claim", "/staff", s.token(t, map[string]any{"roles": []string{"clerk"}, "tenant": "green"}), "claim_value 403", "claim tenant is none of blue"},
		{"right claim", "/staff", s.token(t, map[string]any{"roles": []string{"clerk"}, "tenant": "blue"}), "ok 200", ""},
		{"opaque", "/api/x", "opaque-token", "malformed 401", ""},
		{"too large", "/api/x", s.token(t, map[string]any{"x": strings.Repeat("x", 16<<10)}), "too_large 401", ""},
		{"no token", "/api/x", "", "no_token 401", ""},
		{"public", "/public/x", "", "public 200", ""},
		{"no route", "/elsewhere", good, "no_route 404", ""},
	} {
		path := fmt.Sprintf("%s?case=%d", c.path, i)
		served := get(t, n.url(path), c.token)
		code, stdout, stderr := command(t, c.token+"\n", "explain", "-config", s.path, "-path", path)
		m := verdictLine.FindStringSubmatch(stdout)
		if m == nil {
			t.Errorf("%s: no verdict in %q, stderr %q", c.name, stdout, stderr)
			continue
		}
		if got := m[2] + " " + m[3]; got != c.want {
			t.Errorf("%s: explained as %q, want %q", c.name, got, c.want)
		}
		if got := strconv.Itoa(served.StatusCode); got != m[3] {
			t.Errorf("%s: served with %s, explained as %s", c.name, got, m[3])
		}
		if allowed := m[3] == "200"; (m[1] == "allowed") != allowed || (code == 0) != allowed {
			t.Errorf("%s: %s with exit status %d", c.name, m[0], code)
		}
		if len(c.token) > 20 {
			holdsNoToken(t, c.token, map[string]string{"explanation": stdout + stderr})
		}
		if c.because != "" && !strings.Contains(stdout, "because    "+c.because+"\n") {
			t.Errorf("%s: because is not %q in\n%s", c.name, c.because, stdout)
		}
		if lacks := lacking(stdout, "because "); lacks != nil {
			t.Errorf("%s: no word of what to do in %q", c.name, stdout)
		}
		// The reason is the audit log's too.
		eventually(t, "the record of "+c.name, func() bool { return len(s.records(t, "audit.log")) > i })
		if r := s.records(t, "audit.log")[i]; r["reason"] != m[2] {
			t.Errorf("%s: reason %v in the audit log, %s explained", c.name, r["reason"], m[2])
		}
	}
}

// With keys that are fetched, explain contacts nobody, and says that the signature was not checked until it is given the keys.
func TestExplainContactsNobody(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	address, _ := reservePort(t)
	url := "http://" + address
	s.issuer = fetchedIssuer(url)
	s.write(t)
	token := s.token(t, map[string]any{"iss": url})
	code, stdout, _ := command(t, token, "explain", "-config", s.path, "-path", "/api/x")
	if lacks := lacking(stdout, "not checked", "verdict    undecided: give -jwks FILE", "would be allowed: ok (status 200)"); code != 1 || lacks != nil || strings.Contains(stdout, "503") {
		t.Errorf("without keys: exit status %d, output lacks %q:\n%s", code, lacks, stdout)
	}
	for want, changes := range map[string]map[string]any{
		"would be refused: audience (status 401)\nbecause    the audience is none of api": {"aud": "other"},
		"would be refused: scope (status 403)\nbecause    scope read is missing":          {"scope": "write"},
	} {
		changes["iss"] = url
		code, stdout, _ := command(t, s.token(t, changes), "explain", "-config", s.path, "-path", "/api/x")
		if lacks := lacking(stdout, "verdict    undecided", want); code != 1 || lacks != nil {
			t.Errorf("without keys: exit status %d, output lacks %q:\n%s", code, lacks, stdout)
		}
	}
	file := s.file(t, "saved.json", keySet(t, s.signer), 0o644)
	code, stdout, _ = command(t, token, "explain", "-config", s.path, "-path", "/api/x", "-jwks", file)
	if lacks := lacking(stdout, "signature  verified", "allowed: ok (status 200)"); code != 0 || lacks != nil {
		t.Errorf("with keys: exit status %d, output lacks %q:\n%s", code, lacks, stdout)
	}
	if code, _, stderr := command(t, token, "explain"); code != 2 || !strings.Contains(stderr, "-config FILE is required") {
		t.Errorf("without -config: exit status %d, %q", code, stderr)
	}
}

// What is given beside or instead of the token is said to be that, rather than decided on as a token that is malformed.
func TestExplainSaysWhatIsWrongWithTheQuestion(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.issuer += "[[issuer]]\nissuer = \"http://127.0.0.1:1\"\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\ndiscovery = \"oidc\"\nallow_http = true\n"
	s.write(t)
	token := s.token(t, nil)
	explain := func(stdin string, args ...string) (int, string, string) {
		var stdout, stderr strings.Builder
		code := runExplain(append([]string{"-config", s.path}, args...), strings.NewReader(stdin), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	for stdin, want := range map[string]string{
		"Bearer " + token:                         `the input begins with "Bearer"; give one token and nothing else`,
		"authorization: bearer " + token:          `the input begins with "authorization:"; give one token`,
		`{"access_token":"` + token + `"}`:        "the input is JSON; give one token",
		`"` + token + `"`:                         "the input is JSON",
		token + "\n" + token:                      "the input holds more than one word or line",
		token[:20] + "\r\n" + token[20:] + "\r\n": "the input holds more than one word or line",
	} {
		code, stdout, stderr := explain(stdin, "-path", "/api/x")
		if code != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%.30q: exit status %d, %q, %q; want 1 and %q", stdin, code, stdout, stderr, want)
		}
		holdsNoToken(t, token, map[string]string{"stderr": stderr})
	}
	// A request that is refused for itself has no token to tell of.
	for args, want := range map[string][]string{
		"-path api/x":             {"bad_request (status 400)\nbecause    the path must begin with /", "hint       the request breaks"},
		"-path /api/x":            {"no_token (status 401)"},
		"-path /api/x -method GE": {"method (status 405)\nbecause    the path of route api has no route for this method; those it has are for DELETE, GET, HEAD"},
	} {
		code, stdout, _ := explain("", strings.Fields(args)...)
		if lacks := lacking(stdout, want...); code != 1 || lacks != nil || strings.Contains(stdout, "absent") || strings.Contains(stdout, "signature") {
			t.Errorf("%s: exit status %d, output lacks %q, or tells of a token:\n%s", args, code, lacks, stdout)
		}
	}
	// Saved keys are for issuers whose keys are fetched, and are public.
	public := s.file(t, "saved.json", keySet(t, s.signer), 0o644)
	code, stdout, _ := explain(token, "-path", "/api/x", "-jwks", public)
	if lacks := lacking(stdout, "note       -jwks was not used", "allowed: ok"); code != 0 || lacks != nil {
		t.Errorf("keys in the config: exit status %d, output lacks %q:\n%s", code, lacks, stdout)
	}
	jwk, err := s.signer.JWK(true)
	if err != nil {
		t.Fatal(err)
	}
	single, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"keys":[` + string(single) + `]}`:       `cannot use -jwks: key 0: it holds the private member "d"`,
		`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`: "cannot use -jwks: key 0: a shared secret",
		string(single): `cannot use -jwks: keys: cannot read JWK set: it is one key; a set is {"keys": [...]}`,
	} {
		file := s.file(t, "bad.json", text, 0o600)
		if code, stdout, stderr := explain(token, "-path", "/api/x", "-jwks", file); code != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("-jwks %.30q: exit status %d, %q, %q; want 1 and %q", text, code, stdout, stderr, want)
		}
	}
}

// What an unverified token says does not speak to the terminal: it could write another verdict over the true one.
func TestExplainShowsNoControlCharacters(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.write(t)
	b64 := base64.RawURLEncoding.EncodeToString
	token := b64([]byte(`{"alg":"ES256","typ":"at+jwt"}`)) + "." + b64([]byte("{\"iss\":\"test\",\"sub\":\"a\u009b2Jb\u202ec\x7f\u00e9\"}")) + ".AAAA"
	var stdout, stderr strings.Builder
	runExplain([]string{"-config", s.path, "-path", "/api/x"}, strings.NewReader(token), &stdout, &stderr)
	want := `sub = "a\u009b2Jb\u202ec\x7fé"`
	if !strings.Contains(stdout.String(), want) {
		t.Errorf("%q, want %q in it; %s", stdout.String(), want, stderr.String())
	}
}
