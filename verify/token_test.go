package verify_test

import (
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// Nothing of a refused token can be had from the accessors that logs and headers use.
func TestTokenHidesUnverified(t *testing.T) {
	w := newWorld(t, jose.ES256)
	var tok verify.Token
	if err := w.verify(&tok, w.sign(t, jose.ES256, good())); err != nil {
		t.Fatal(err)
	}
	if got := string(tok.Claims().Subject()); got != "alice" {
		t.Errorf("Subject = %q, want alice", got)
	}
	token := w.sign(t, jose.ES256, with(map[string]any{"sub": "mallory"}))
	for _, bad := range []string{token[:len(token)-8] + "AAAAAAAA", "x", ""} {
		if err := w.verify(&tok, bad); err == nil {
			t.Fatal("accepted")
		}
		if tok.Verified() || tok.Issuer() != nil || tok.Key() != nil || tok.Kid() != nil || tok.Claims().Subject() != nil || tok.Expiry() != 0 || tok.Alg() != 0 {
			t.Errorf("a refused token shows %v %v %q %q", tok.Verified(), tok.Issuer(), tok.Kid(), tok.Claims().Subject())
		}
	}
}
