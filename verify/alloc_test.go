//go:build !race

package verify_test

import (
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// What the standard library and circl allocate for one signature on Go 1.26.8. Everything around it allocates nothing, and the
// kernels allocate nothing either.
func TestVerifyAllocs(t *testing.T) {
	withKernels(t, func(t *testing.T, kernels string) {
		w := newWorld(t, jose.HS256, jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA)
		most := map[jose.Alg]float64{}
		if kernels == "std" {
			most = map[jose.Alg]float64{jose.RS256: 12, jose.PS256: 40, jose.ES256: 30, jose.ES384: 40, jose.ES512: 40}
		}
		policy := verify.Policy{Scopes: []string{"read"}}
		for alg := range w.signers {
			token := []byte(w.sign(t, alg, good()))
			var tok verify.Token
			verifyOnce := func() {
				if err := w.v.Verify(&tok, token, now, source); err != nil {
					t.Fatal(err)
				}
				if err := policy.Check(&tok); err != nil {
					t.Fatal(err)
				}
			}
			verifyOnce()
			if got := testing.AllocsPerRun(100, verifyOnce); got > most[alg] {
				t.Errorf("%s: %v allocations, want at most %v", alg, got, most[alg])
			} else {
				t.Logf("%s: %v allocations", alg, got)
			}
		}
		// A refusal allocates nothing either.
		bad := []byte(w.sign(t, jose.HS256, with(map[string]any{"exp": 1})))
		var tok verify.Token
		if got := testing.AllocsPerRun(100, func() { _ = w.v.Verify(&tok, bad, now, source) }); got != 0 {
			t.Errorf("refusal: %v allocations, want 0", got)
		}
	})
}

// A token that is in the cache costs no allocation, whatever its algorithm.
func TestHitAllocs(t *testing.T) {
	w, _, token := cachedWorld(t)
	raw := []byte(token)
	var tok verify.Token
	if got := testing.AllocsPerRun(100, func() {
		if err := w.v.Verify(&tok, raw, now, source); err != nil || !tok.Cached() {
			t.Fatal(err, tok.Cached())
		}
	}); got != 0 {
		t.Errorf("hit: %v allocations, want 0", got)
	}
}

// Neither rules nor the look-up after a new one cost an allocation, be the token named or not.
func TestDenylistAllocs(t *testing.T) {
	w := newWorld(t, jose.HS256)
	d := verify.NewDenylist()
	v := w.withDenylist(t, verify.NewCache(1<<20), d)
	raw := []byte(w.sign(t, jose.HS256, with(map[string]any{"sid": "s", "client_id": "c", "azp": "a", "roles": []any{"x", 1}})))
	var tok verify.Token
	for i, k := range []verify.RuleKind{verify.RuleJTI, verify.RuleSubject, verify.RuleSession, verify.RuleClient, verify.RuleKid} {
		add(t, d, rule(i, k, "nobody"))
	}
	add(t, d, claimRule(10, "nobody", "roles"))
	for n := 20; ; n++ {
		err := v.Verify(&tok, raw, now, source)
		want := error(verify.Err(verify.ReasonRevoked))
		if n == 20 {
			want = nil
		}
		if got := testing.AllocsPerRun(100, func() { err = v.Verify(&tok, raw, now, source) }); got != 0 || (err == nil) != (want == nil) {
			t.Errorf("%v: %v allocations, want 0 and %v", err, got, want)
		}
		if got := testing.AllocsPerRun(100, func() { d.Passes(&tok, now) }); got != 0 {
			t.Errorf("look-up: %v allocations, want 0", got)
		}
		if n == 21 {
			return
		}
		add(t, d, rule(n, verify.RuleSubject, "alice"))
	}
}
