package gate

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"sallyport/edge/demo"
	"sallyport/edge/header"
	"sallyport/edge/route"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

const now = 1_800_000_000

// A fixture is a gate over one issuer and the routes of its table.
type fixture struct {
	gate   *Gate
	rules  *header.Rules
	issuer *verify.Issuer
	signer *demo.Signer
}

func path(t *testing.T, s string) claims.Path {
	t.Helper()
	p, err := claims.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	signer, err := demo.NewSigner(jose.ES256, "k1", 0)
	if err != nil {
		t.Fatal(err)
	}
	key, err := verify.NewKey(jose.ES256, signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{signer: signer, rules: header.NewRules([]string{"X-User", "X-Email", "X-Roles"})}
	f.issuer = &verify.Issuer{
		Name: "https://issuer.test", Audiences: []string{"api"}, Algs: jose.NewAlgSet(jose.ES256), Type: verify.TypeAccessToken,
		Keys: new(verify.KeyStore), RolesClaim: path(t, "roles"),
	}
	f.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "k1", HasKid: true, Key: key}}))
	other := *f.issuer
	other.Name = "https://other.test"
	f.gate = new(Gate)
	if f.gate.Verifier, err = verify.NewVerifier([]*verify.Issuer{f.issuer, &other}, verify.Options{MaxTokenBytes: 8 << 10}); err != nil {
		t.Fatal(err)
	}
	var specs []route.Spec
	add := func(spec route.Spec, rt *Route) {
		specs = append(specs, spec)
		f.gate.Routes = append(f.gate.Routes, rt)
	}
	identity := []ClaimHeader{{"X-User", path(t, "sub")}, {"X-Email", path(t, "email")}, {"X-Roles", path(t, "roles")}}
	add(route.Spec{Host: "api.test", Path: "/*"}, &Route{Name: "api", ClaimHeaders: identity})
	add(route.Spec{Host: "api.test", Path: "/public/*", Methods: []string{"GET"}}, &Route{Name: "public", Public: true, ClaimHeaders: identity})
	add(route.Spec{Host: "api.test", Path: "/admin/*", Methods: []string{"GET", "DELETE"}}, &Route{
		Name: "admin", CORSPreflight: true, Policy: verify.Policy{Scopes: []string{"admin"}}, ClaimHeaders: identity,
	})
	add(route.Spec{Host: "api.test", Path: "/cookie"}, &Route{Name: "cookie", TokenCookie: "session", ClaimHeaders: identity})
	add(route.Spec{Host: "api.test", Path: "/header"}, &Route{Name: "header", TokenHeader: "X-Token", ClaimHeaders: identity})
	add(route.Spec{Host: "api.test", Path: "/other"}, &Route{Name: "other", Policy: verify.Policy{Issuers: []*verify.Issuer{&other}}})
	add(route.Spec{Host: "api.test", Path: "/roles"}, &Route{Name: "roles", Policy: verify.Policy{Roles: []string{"root"}}})
	add(route.Spec{Host: "api.test", Path: "/claims"}, &Route{Name: "claims", Policy: verify.Policy{
		Claims: []verify.ClaimRule{{Path: path(t, "iss"), AnyOf: []string{"https://issuer.test"}}, {Path: path(t, "tenant.id"), AnyOf: []string{"blue", "green"}}},
	}})
	if f.gate.Table, err = route.Compile(specs); err != nil {
		t.Fatal(err)
	}
	f.gate.Prepare([]*verify.Issuer{f.issuer, &other})
	return f
}

func (f *fixture) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	c := map[string]any{"iss": "https://issuer.test", "aud": "api", "sub": "alice", "iat": now - 10, "exp": now + 300, "scope": "read"}
	for k, v := range changes {
		c[k] = v
	}
	s, err := f.signer.Sign("at+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decide runs "METHOD authority target" with the field lines given.
func (f *fixture) decide(t *testing.T, d *Decision, request string, lines ...string) *Decision {
	t.Helper()
	part := strings.SplitN(request, " ", 3)
	var fields header.Fields
	if err := f.rules.Scan(&fields, []byte(strings.Join(append(lines, ""), "\r\n"))); err != nil {
		t.Fatalf("Scan(%q): %v", lines, err)
	}
	d.Reset()
	f.gate.Decide(d, &Request{Method: []byte(part[0]), Authority: []byte(part[1]), Target: []byte(part[2]), Fields: &fields, Now: now})
	return d
}

func TestDecide(t *testing.T) {
	f := newFixture(t)
	good := f.token(t, nil)
	bearer := "Authorization: Bearer " + good
	badSignature := good[:len(good)-8] + strings.Repeat("A", 8)
	for _, tt := range []struct {
		request string
		lines   []string
		reason  verify.Reason
		route   string
		tokens  int
	}{
		{"GET api.test /", []string{bearer}, verify.ReasonOK, "api", 1},
		{"GET API.test.:443 /a/../b?c", []string{bearer}, verify.ReasonOK, "api", 1},
		{"GET api.test http://api.test/x", []string{bearer}, verify.ReasonOK, "api", 1},
		{"GET api.test /", nil, verify.ReasonNoToken, "api", 0},
		{"GET api.test /", []string{"Authorization: Basic YTpi"}, verify.ReasonNoToken, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer"}, verify.ReasonBadCredentials, "api", 1},
		{"GET api.test /", []string{"Authorization:"}, verify.ReasonBadCredentials, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer abc def"}, verify.ReasonBadCredentials, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer abc, Bearer abc"}, verify.ReasonBadCredentials, "api", 1},
		{"GET api.test /", []string{bearer + " " + good}, verify.ReasonBadCredentials, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer =" + strings.Repeat("a", 9<<10)}, verify.ReasonBadCredentials, "api", 1},
		{"GET api.test /header", []string{"X-Token: abc def"}, verify.ReasonMalformed, "header", 1},
		{"GET api.test /", []string{bearer, bearer}, verify.ReasonMultipleTokens, "api", 2},
		{"GET api.test /", []string{bearer, "Authorization: Basic YTpi"}, verify.ReasonMultipleTokens, "api", 2},
		{"GET api.test /", []string{"Authorization: Bearer " + badSignature}, verify.ReasonSignature, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer abc"}, verify.ReasonMalformed, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer " + strings.Repeat("a", 9<<10)}, verify.ReasonTooLarge, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer " + f.token(t, map[string]any{"exp": now - 1000})}, verify.ReasonUnverified, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer " + f.token(t, map[string]any{"aud": "b"})}, verify.ReasonAudience, "api", 1},
		{"GET api.test /", []string{"Authorization: Bearer " + f.token(t, map[string]any{"iss": "https://evil.test"})}, verify.ReasonUnverified, "api", 1},
		// A token counts in its route's one place only.
		{"GET api.test /", []string{"Cookie: session=" + good, "X-Token: " + good}, verify.ReasonNoToken, "api", 0},
		{"GET api.test /?access_token=" + good, nil, verify.ReasonNoToken, "api", 0},

		{"GET api.test /cookie", []string{"Cookie: a=b; session=" + good}, verify.ReasonOK, "cookie", 1},
		{"GET api.test /cookie", []string{"Cookie: a=b", "Cookie: session=\"" + good + "\""}, verify.ReasonOK, "cookie", 1},
		{"GET api.test /cookie", []string{bearer}, verify.ReasonNoToken, "cookie", 0},
		{"GET api.test /cookie", []string{"Cookie: Session=" + good}, verify.ReasonNoToken, "cookie", 0},
		{"GET api.test /cookie", []string{"Cookie: session="}, verify.ReasonBadCredentials, "cookie", 1},
		{"GET api.test /cookie", []string{"Cookie: session=" + good + "; session=" + good}, verify.ReasonMultipleTokens, "cookie", 2},
		{"GET api.test /cookie", []string{"Cookie: session=" + good, "Cookie: session=x"}, verify.ReasonMultipleTokens, "cookie", 2},

		{"GET api.test /header", []string{"x-token: " + good}, verify.ReasonOK, "header", 1},
		{"GET api.test /header", []string{"X-Token: Bearer " + good}, verify.ReasonMalformed, "header", 1},
		{"GET api.test /header", []string{"X-Token:"}, verify.ReasonBadCredentials, "header", 1},
		{"GET api.test /header", []string{"X-Token: " + good, "x-token: " + good}, verify.ReasonMultipleTokens, "header", 2},
		{"GET api.test /header", []string{"X_Token: " + good, bearer}, verify.ReasonNoToken, "header", 0},

		{"GET api.test /public/a", nil, verify.ReasonPublic, "public", 0},
		{"GET api.test /public/a", []string{bearer, bearer, "Authorization: nonsense"}, verify.ReasonPublic, "public", 0},
		{"GET api.test /public/../a", nil, verify.ReasonNoToken, "api", 0},
		{"POST api.test /public/a", []string{bearer}, verify.ReasonMethod, "", 0},
		{"HEAD api.test /public/a", nil, verify.ReasonMethod, "", 0},
		{"get api.test /public/a", nil, verify.ReasonMethod, "", 0},

		{"GET api.test /admin/x", []string{"Authorization: Bearer " + f.token(t, map[string]any{"scope": "read admin"})}, verify.ReasonOK, "admin", 1},
		{"GET api.test /admin/x", []string{bearer}, verify.ReasonScope, "admin", 1},
		{"GET api.test /%61dmin/x", []string{bearer}, verify.ReasonScope, "admin", 1},
		{"GET api.test /public/../admin/x", nil, verify.ReasonNoToken, "admin", 0},
		{"GET api.test /other", []string{bearer}, verify.ReasonIssuer, "other", 1},
		{"GET api.test /roles", []string{bearer}, verify.ReasonRole, "roles", 1},
		{"GET api.test /roles", []string{"Authorization: Bearer " + f.token(t, map[string]any{"roles": []string{"root"}})}, verify.ReasonOK, "roles", 1},

		// Preflights: true ones, for a method that the route has, where the route lets them pass.
		{"OPTIONS api.test /admin/x", []string{"Origin: https://a", "Access-Control-Request-Method: DELETE"}, verify.ReasonPublic, "admin", 0},
		{"OPTIONS api.test /admin/x", []string{"Origin: https://a", "Access-Control-Request-Method: PUT"}, verify.ReasonMethod, "", 0},
		{"OPTIONS api.test /admin/x", []string{"Origin: https://a", "Access-Control-Request-Method:"}, verify.ReasonMethod, "", 0},
		{"OPTIONS api.test /admin/x", []string{"Origin: https://a"}, verify.ReasonMethod, "", 0},
		{"OPTIONS api.test /admin/x", []string{"Access-Control-Request-Method: DELETE"}, verify.ReasonMethod, "", 0},
		{"OPTIONS api.test /admin/x", []string{"Origin: https://a", "Access-Control-Request-Method: DELETE", "Access-Control-Request-Method: GET"}, verify.ReasonMethod, "", 0},
		{"OPTIONS api.test /a", []string{"Origin: https://a", "Access-Control-Request-Method: GET"}, verify.ReasonNoToken, "api", 0},
		{"GET api.test /admin/x", []string{"Origin: https://a", "Access-Control-Request-Method: GET"}, verify.ReasonNoToken, "admin", 0},

		{"GET other.test /", []string{bearer}, verify.ReasonNoRoute, "", 0},
		{"GET api.test.evil /", []string{bearer}, verify.ReasonNoRoute, "", 0},
		{"GET  /", []string{bearer}, verify.ReasonNoRoute, "", 0},
		{"GET api.test:x /", []string{bearer}, verify.ReasonBadRequest, "", 0},
		{"GET u@api.test /", []string{bearer}, verify.ReasonBadRequest, "", 0},
		{"GET api.test /%2e%2e/", []string{bearer}, verify.ReasonBadRequest, "", 0},
		{"GET api.test /a%2fb", []string{bearer}, verify.ReasonBadRequest, "", 0},
		{"OPTIONS api.test *", []string{bearer}, verify.ReasonBadRequest, "", 0},
		{"GET api.test /admin;x/y", []string{bearer}, verify.ReasonNoRoute, "", 0},
	} {
		d := f.decide(t, new(Decision), tt.request, tt.lines...)
		name := ""
		if d.Route != nil {
			name = d.Route.Name
		}
		if d.Reason != tt.reason || name != tt.route || d.Tokens != tt.tokens {
			t.Errorf("%.60s with %.100q: %v, route %q, %d tokens; want %v, %q, %d", tt.request, tt.lines, d.Reason, name, d.Tokens, tt.reason, tt.route, tt.tokens)
		}
		checkDecision(t, tt.request, d)
	}
}

// checkDecision holds for every decision, whatever the request.
func checkDecision(t *testing.T, request string, d *Decision) {
	t.Helper()
	allowed := d.Reason == verify.ReasonOK || d.Reason == verify.ReasonPublic
	switch {
	case d.Allowed() != allowed:
		t.Errorf("%.60s: Allowed() = %v for %v", request, d.Allowed(), d.Reason)
	case d.Reason == verify.ReasonOK && !d.Token.Verified():
		t.Errorf("%.60s: ok without a verified token", request)
	case d.Reason == verify.ReasonPublic && !d.Route.Public && !d.Preflight:
		t.Errorf("%.60s: passed without a token on a route that is not public", request)
	case d.Reason != verify.ReasonOK && len(d.Set) > 0:
		t.Errorf("%.60s: %v sets identity fields %q", request, d.Reason, d.Set)
	case allowed && d.Route == nil:
		t.Errorf("%.60s: passed without a route", request)
	case (d.Route == nil) != (d.RouteIndex < 0):
		t.Errorf("%.60s: route %v with the index %d", request, d.Route, d.RouteIndex)
	case (d.Reason == verify.ReasonMethod) != (d.Allow != ""):
		t.Errorf("%.60s: %v with Allow %q", request, d.Reason, d.Allow)
	}
}

// One Decision serves one request after another: nothing of the one before may be left in it.
func TestDecisionIsReused(t *testing.T) {
	f := newFixture(t)
	d := new(Decision)
	token := f.token(t, map[string]any{"sub": "alice", "email": "alice@a.test", "roles": []string{"a", "b,c"}})
	f.decide(t, d, "GET api.test /a/./b?q=1", "Authorization: Bearer "+token)
	var set []string
	for _, s := range d.Set {
		set = append(set, s.Name+"="+string(s.Value))
	}
	if got, want := strings.Join(set, " "), "X-User=alice X-Email=alice@a.test X-Roles=a,b%2Cc"; d.Reason != verify.ReasonOK || got != want {
		t.Errorf("%v, identity fields %q; want %q", d.Reason, got, want)
	}
	if string(d.Host) != "api.test" || string(d.Path) != "/a/b" || string(d.Query) != "q=1" {
		t.Errorf("host %q, path %q, query %q", d.Host, d.Path, d.Query)
	}
	claim := d.claimBuf[:len("alice")]
	for _, request := range []string{"GET api.test /public/x", "GET api.test /", "GET other.test /", "GET api.test /%", "POST api.test /public/x"} {
		f.decide(t, d, request)
		checkDecision(t, request, d)
		if d.Token.Verified() || len(d.Set) != 0 || d.Tokens != 0 {
			t.Errorf("%s: verified %v, set %q, %d tokens left of another request", request, d.Token.Verified(), d.Set, d.Tokens)
		}
	}
	if string(claim) != "\x00\x00\x00\x00\x00" {
		t.Errorf("the claim %q is still in memory", claim)
	}
	// A claim that is absent, null or empty sets no field.
	f.decide(t, d, "GET api.test /", "Authorization: Bearer "+f.token(t, map[string]any{"email": nil, "roles": []string{}}))
	if len(d.Set) != 1 || d.Set[0].Name != "X-User" {
		t.Errorf("identity fields %q, want X-User alone", d.Set)
	}
}

// The detail names the issuer whose keys were asked and the route, by what the config calls them, and says nothing of what has been
// verified: the record's own issuer tells that.
func TestDetail(t *testing.T) {
	f := newFixture(t)
	bearer := func(changes map[string]any) string { return "Authorization: Bearer " + f.token(t, changes) }
	check := func(request, line string, reason verify.Reason, want string) {
		t.Helper()
		d := f.decide(t, new(Decision), request, line)
		if d.Reason != reason || d.Detail != want {
			t.Errorf("%s with %.40q: %v, %q; want %v, %q", request, line, d.Reason, d.Detail, reason, want)
		}
		if d.Token.Issuer() != nil {
			t.Errorf("%s with %.40q: the issuer counts as verified", request, line)
		}
	}
	const get, us = "GET api.test /", "issuer https://issuer.test: "
	good := bearer(nil)
	check(get, "Authorization: Bearer abc", verify.ReasonMalformed, "not three parts of base64url without padding, separated by dots")
	check(get, bearer(map[string]any{"exp": "1"}), verify.ReasonMalformed, "claim exp has the wrong type or range")
	check(get, good[:len(good)-8]+strings.Repeat("A", 8), verify.ReasonSignature, us+"the signature does not verify under its key")
	check(get, bearer(map[string]any{"exp": now - 1000}), verify.ReasonUnverified, us+"exp has passed; the signature was not checked")
	check(get, bearer(map[string]any{"iss": "https://evil.test"}), verify.ReasonUnverified, "iss is none of the configured issuers")
	check(get, bearer(map[string]any{"iss": "https://other.test", "exp": now - 1000}), verify.ReasonUnverified, "issuer https://other.test: exp has passed; the signature was not checked")
	check("PUT api.test /public/x", good, verify.ReasonMethod, "the path of route public has no route for this method")
	check("GET b.test /", good, verify.ReasonNoRoute, "no route for this host and path")
	f.signer.Kid = "k2"
	check(get, bearer(nil), verify.ReasonUnknownKey, us+"no current key has the token's kid and alg")
	f.issuer.Keys.Store(nil)
	check(get, good, verify.ReasonKeysUnavailable, us+"none of its keys could be fetched yet")
	claims := strings.Split(good, ".")[1]
	b64 := base64.RawURLEncoding.EncodeToString
	check(get, "Authorization: Bearer "+b64([]byte(`{"alg":"RS256","typ":"at+jwt"}`))+"."+claims+".AAAA", verify.ReasonAlgorithm, us+"the token's alg is not among its algorithms")
	check(get, "Authorization: Bearer "+b64([]byte(`{"alg":"none"}`))+"."+b64([]byte(`{"iss":"x"}`))+".AAAA", verify.ReasonAlgorithm, "the token's alg is none that can be verified")
}

// What a verified token lacks is named by the config, never by what the token has instead.
func TestDetailOfVerified(t *testing.T) {
	f := newFixture(t)
	f.issuer.RequiredClaims = []claims.Path{{"https://a.test/x"}}
	const mark = "of-the-token"
	check := func(target string, changes map[string]any, reason verify.Reason, want string) {
		t.Helper()
		changes["jti"] = mark
		if changes["https://a.test/x"] == nil {
			changes["https://a.test/x"] = mark
		}
		d := f.decide(t, new(Decision), "GET api.test "+target, "Authorization: Bearer "+f.token(t, changes))
		if d.Reason != reason || d.Detail != want || strings.Contains(d.Detail, mark) || !d.Token.Verified() {
			t.Errorf("%s with %v: %v, %q; want %v, %q", target, changes, d.Reason, d.Detail, reason, want)
		}
	}
	check("/", map[string]any{"aud": mark}, verify.ReasonAudience, "the audience is none of api")
	check("/admin/x", map[string]any{"scope": mark}, verify.ReasonScope, "scope admin is missing")
	check("/roles", map[string]any{"roles": []string{mark}}, verify.ReasonRole, "claim roles has none of the roles root")
	check("/other", map[string]any{}, verify.ReasonIssuer, "the route takes tokens only of https://other.test")
	check("/claims", map[string]any{"tenant": map[string]any{"id": mark}}, verify.ReasonClaimValue, "claim tenant.id is none of blue, green")
	check("/", map[string]any{"nbf": now + 1000}, verify.ReasonNotYetValid, "")
	f.issuer.RequiredClaims = []claims.Path{{"https://a.test/x"}, {"email"}}
	check("/", map[string]any{"email": nil}, verify.ReasonClaim, "claim email is missing or null")
	f.issuer.RequiredClaims = []claims.Path{{"https://a.test/y", "z"}}
	check("/", map[string]any{}, verify.ReasonClaim, "claim /https:~1~1a.test~1y/z is missing or null")
}

// Keys are asked for when a token that could be genuine names one that is not there, and for no other. What comes of it decides.
func TestRefresh(t *testing.T) {
	f := newFixture(t)
	asked := 0
	answer, later := verify.ReasonUnknownKey, int64(now)
	f.gate.Refresh = func(is *verify.Issuer, token *jose.Header, _ netip.Addr) (verify.Reason, int64) {
		asked++
		if is != f.issuer || string(token.Kid) != "k2" || !token.HasKid || token.Alg != jose.ES256 {
			t.Errorf("asked for %s, kid %s, %v", is.Name, token.Kid, token.Alg)
		}
		if answer == verify.ReasonOK {
			key, err := verify.NewKey(jose.ES256, f.signer.Public())
			if err != nil {
				t.Fatal(err)
			}
			f.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "k2", HasKid: true, Key: key}}))
		}
		return answer, later
	}
	check := func(changes map[string]any, reason verify.Reason, want int) {
		t.Helper()
		asked = 0
		if d := f.decide(t, new(Decision), "GET api.test /", "Authorization: Bearer "+f.token(t, changes)); d.Reason != reason || asked != want {
			t.Errorf("with %v: %v, asked %d times; want %v, %d", changes, d.Reason, asked, reason, want)
		}
	}
	check(nil, verify.ReasonOK, 0)
	f.signer.Kid = "k2"
	for _, r := range []verify.Reason{verify.ReasonUnknownKey, verify.ReasonKeysUnavailable, verify.ReasonVerificationBusy} {
		answer = r
		check(nil, r, 1)
	}
	for name, v := range map[string]any{
		"aud": "another", "exp": now - 1000, "nbf": now + 1000, "iss": "https://evil.test", "iat": now + 1000,
	} {
		reason := verify.ReasonUnknownKey
		if name == "iss" {
			reason = verify.ReasonUnverified
		}
		check(map[string]any{name: v}, reason, 0)
	}
	// The second look is at a later time, and is the last.
	answer, later = verify.ReasonOK, now+10_000
	check(nil, verify.ReasonUnverified, 1)
	f.issuer.Keys.Store(verify.NewKeySet(nil))
	later = now
	check(nil, verify.ReasonOK, 1)
	f.issuer.Keys.Store(verify.NewKeySet(nil))
	f.gate.Refresh = func(*verify.Issuer, *jose.Header, netip.Addr) (verify.Reason, int64) {
		asked++
		return verify.ReasonOK, now
	}
	check(nil, verify.ReasonUnknownKey, 1)
	f.gate.Refresh = nil
	check(nil, verify.ReasonUnknownKey, 0)
}

// An error can never end as a reason that lets the request pass.
func TestRefusal(t *testing.T) {
	for r := range verify.NumReasons {
		got := refusal(r)
		if got == verify.ReasonOK || got == verify.ReasonPublic || got == verify.ReasonInvalid {
			t.Errorf("refusal(%v) = %v", r, got)
		}
		if kept := got == r; kept != (r != verify.ReasonOK && r != verify.ReasonPublic && r != verify.ReasonInvalid) {
			t.Errorf("refusal(%v) = %v", r, got)
		}
	}
}
