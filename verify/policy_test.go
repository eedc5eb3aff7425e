package verify_test

import (
	"encoding/json"
	"testing"

	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

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
		if err := w.verify(&tok, token); err != nil {
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
	// A good signature is not enough, should a caller look past what Verify said.
	for claim, want := range map[string]verify.Reason{"aud": verify.ReasonAudience, "nbf": verify.ReasonNotYetValid} {
		bad := w.sign(t, jose.ES256, with(map[string]any{claim: map[string]any{"aud": "x", "nbf": now + 1000}[claim]}))
		if err := w.verify(&fresh, bad); err == nil || !fresh.Verified() {
			t.Fatalf("%s: Verify = %v", claim, err)
		}
		if got := verify.ReasonOf((&verify.Policy{}).Check(&fresh)); got != want {
			t.Errorf("%s: Check of a token that its issuer's policy refuses = %v, want %v", claim, got, want)
		}
	}
}

// What a rule asks for and the token does not have is refused, however the token or the rule is malformed.
func TestPolicyFailsClosed(t *testing.T) {
	w := newWorld(t, jose.ES256)
	roles := func(v any) map[string]any { return map[string]any{"roles": v} }
	rule := func(path claims.Path, anyOf ...string) verify.Policy {
		return verify.Policy{Claims: []verify.ClaimRule{{Path: path, AnyOf: anyOf}}}
	}
	other := *w.issuer
	admin := verify.Policy{Roles: []string{"admin"}}
	for _, c := range []struct {
		name   string
		path   claims.Path // of the issuer's roles
		token  map[string]any
		policy verify.Policy
		want   verify.Reason
	}{
		{"role as a string", claims.Path{"roles"}, roles("admin"), admin, verify.ReasonOK},
		{"roles in an array", claims.Path{"roles"}, roles([]any{1, "admin"}), admin, verify.ReasonOK},
		{"roles as words", claims.Path{"roles"}, roles("admin clerk"), admin, verify.ReasonRole},
		{"roles as an object", claims.Path{"roles"}, roles(map[string]any{"admin": true}), admin, verify.ReasonRole},
		{"roles one deeper", claims.Path{"roles"}, roles([]any{[]string{"admin"}}), admin, verify.ReasonRole},
		{"role in other case", claims.Path{"roles"}, roles("Admin"), admin, verify.ReasonRole},
		{"roles null", claims.Path{"roles"}, roles(json.RawMessage("null")), verify.Policy{Roles: []string{"null", ""}}, verify.ReasonRole},
		{"roles empty", claims.Path{"roles"}, roles([]string{}), verify.Policy{Roles: []string{""}}, verify.ReasonRole},
		{"no roles", claims.Path{"roles"}, nil, verify.Policy{Roles: []string{""}}, verify.ReasonRole},
		{"no roles claim configured", nil, roles("admin"), admin, verify.ReasonRole},
		{"scope is no role", claims.Path{"roles"}, map[string]any{"scope": "admin"}, admin, verify.ReasonRole},
		{"role is no scope", claims.Path{"roles"}, roles("admin"), verify.Policy{Scopes: []string{"admin"}}, verify.ReasonScope},
		{"scope missing", nil, map[string]any{"scope": nil}, verify.Policy{Scopes: []string{"read"}}, verify.ReasonScope},
		{"scope prefix", nil, map[string]any{"scope": "read:all"}, verify.Policy{Scopes: []string{"read"}}, verify.ReasonScope},
		{"rule without values", nil, nil, rule(claims.Path{"sub"}), verify.ReasonClaimValue},
		{"rule without a path", nil, nil, rule(nil, "alice", ""), verify.ReasonClaimValue},
		{"rule into a string", nil, nil, rule(claims.Path{"sub", "0"}, "a"), verify.ReasonClaimValue},
		{"rule into an array", nil, map[string]any{"list": []string{"x"}}, rule(claims.Path{"list", "0"}, "x"), verify.ReasonClaimValue},
		{"two rules, one kept", nil, nil, verify.Policy{Claims: []verify.ClaimRule{
			{Path: claims.Path{"sub"}, AnyOf: []string{"alice"}}, {Path: claims.Path{"sub"}, AnyOf: []string{"bob"}},
		}}, verify.ReasonClaimValue},
		{"another issuer of the same name", nil, nil, verify.Policy{Issuers: []*verify.Issuer{&other}}, verify.ReasonIssuer},
		{"one of two issuers", nil, nil, verify.Policy{Issuers: []*verify.Issuer{&other, w.issuer}}, verify.ReasonOK},
		{"issuer before scope", nil, nil, verify.Policy{Issuers: []*verify.Issuer{&other}, Scopes: []string{"x"}}, verify.ReasonIssuer},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.issuer.RolesClaim = c.path
			var tok verify.Token
			if err := w.verify(&tok, w.sign(t, jose.ES256, with(c.token))); err != nil {
				t.Fatal(err)
			}
			if got := verify.ReasonOf(c.policy.Check(&tok)); got != c.want {
				t.Errorf("Check = %v, want %v", got, c.want)
			}
		})
	}
}
