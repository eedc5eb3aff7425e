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
}
