package verify_test

import (
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// FuzzVerify looks for a panic, and for a token that passes without being one of those that were signed.
func FuzzVerify(f *testing.F) {
	w := newWorld(f, jose.ES256, jose.HS256, jose.EdDSA)
	signed := map[string]bool{}
	for _, alg := range []jose.Alg{jose.ES256, jose.HS256, jose.EdDSA} {
		s := w.sign(f, alg, good())
		signed[s] = true
		f.Add([]byte(s))
		f.Add([]byte(s[:len(s)/2]))
	}
	f.Add([]byte("a.b.c"))
	f.Add([]byte("eyJhbGciOiJub25lIn0.e30."))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var tok verify.Token
		if err := w.v.Verify(&tok, raw, now, source); err == nil && !signed[string(raw)] {
			t.Fatalf("accepted %q", raw)
		} else if err != nil && verify.ReasonOf(err) == verify.ReasonInternal {
			t.Fatalf("Verify(%q) = %v", raw, err)
		}
	})
}
