package verify_test

import (
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

func TestKeySetLookup(t *testing.T) {
	key := func(alg jose.Alg) *verify.Key {
		s, err := demo.NewSigner(alg, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		k, err := verify.NewKey(alg, s.Public())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b, c, d := key(jose.ES256), key(jose.ES256), key(jose.EdDSA), key(jose.ES384)
	set := verify.NewKeySet([]verify.KeyEntry{
		{Kid: "a", HasKid: true, Key: a}, {Kid: "b", HasKid: true, Key: b}, {Kid: "a", HasKid: true, Key: c}, {Key: d},
	})
	check := func(kid string, has bool, alg jose.Alg, want *verify.Key) {
		t.Helper()
		if got := set.Lookup([]byte(kid), has, alg); got != want {
			t.Errorf("Lookup(%q, %v, %s) = %p, want %p", kid, has, alg, got, want)
		}
	}
	check("a", true, jose.ES256, a)
	check("a", true, jose.EdDSA, c)
	check("b", true, jose.ES256, b)
	check("b", true, jose.EdDSA, nil)
	check("x", true, jose.ES256, nil)
	check("", false, jose.ES256, nil) // two of them
	check("", false, jose.EdDSA, c)   // the only one
	check("x", true, jose.EdDSA, nil) // it has another kid
	check("x", true, jose.ES384, d)   // published without a kid
	check("", false, jose.ES384, d)   //
	check("a", true, jose.ES384, nil) // the kid is known, with other algorithms
	check("a", true, jose.AlgInvalid, nil)
	twice := verify.NewKeySet([]verify.KeyEntry{{Kid: "k", HasKid: true, Key: a}, {Kid: "k", HasKid: true, Key: b}})
	if got := twice.Lookup([]byte("k"), true, jose.ES256); got != nil {
		t.Errorf("Lookup of a kid with two ES256 keys = %p, want nil", got)
	}
	if !set.Contains(a) || set.Contains(key(jose.ES256)) {
		t.Error("Contains is wrong")
	}
}

func TestVerifyWithoutKeys(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := w.sign(t, jose.ES256, good())
	w.issuer.Keys.Store(verify.NewKeySet(nil))
	w.check(t, "withdrawn", token, verify.ReasonUnknownKey)
	w.issuer.Keys = new(verify.KeyStore)
	w.remake(t)
	w.check(t, "no keys yet", token, verify.ReasonKeysUnavailable)
}
