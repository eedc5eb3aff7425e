//go:build !race

package verify_test

import (
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// What the standard library and circl allocate for one signature on Go 1.26.8. Everything around it allocates nothing.
func TestVerifyAllocs(t *testing.T) {
	w := newWorld(t, jose.HS256, jose.RS256, jose.ES256, jose.EdDSA)
	policy := verify.Policy{Scopes: []string{"read"}}
	for alg, most := range map[jose.Alg]float64{jose.HS256: 0, jose.EdDSA: 0, jose.RS256: 12, jose.ES256: 30} {
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
		if got := testing.AllocsPerRun(100, verifyOnce); got > most {
			t.Errorf("%s: %v allocations, want at most %v", alg, got, most)
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
}
