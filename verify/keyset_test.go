package verify_test

import (
	"slices"
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

func newKey(t *testing.T, alg jose.Alg) *verify.Key {
	t.Helper()
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

// The rules of SECURITY notes 1.3. A wanted key of "" is nil.
func TestKeySetLookup(t *testing.T) {
	names := map[string]*verify.Key{
		"": nil, "es1": newKey(t, jose.ES256), "es2": newKey(t, jose.ES256), "ed": newKey(t, jose.EdDSA), "es384": newKey(t, jose.ES384),
	}
	named := func(k *verify.Key) string {
		for name, other := range names {
			if k == other {
				return name
			}
		}
		return "unknown"
	}
	with := func(kid, key string) verify.KeyEntry { return verify.KeyEntry{Kid: kid, HasKid: true, Key: names[key]} }
	without := func(key string) verify.KeyEntry { return verify.KeyEntry{Key: names[key]} }
	type entries = []verify.KeyEntry
	for _, c := range []struct {
		name   string
		set    entries
		kid    string
		hasKid bool
		alg    jose.Alg
		want   string
	}{
		{"by kid", entries{with("a", "es1"), with("b", "es2")}, "b", true, jose.ES256, "es2"},
		{"by kid, other alg", entries{with("a", "es1"), with("b", "ed")}, "b", true, jose.ES256, ""},
		{"kid unknown", entries{with("a", "es1")}, "x", true, jose.ES256, ""},
		{"kid in other case", entries{with("a", "es1")}, "A", true, jose.ES256, ""},
		{"kid empty", entries{with("", "es1"), with("a", "es2")}, "", true, jose.ES256, "es1"},
		{"kid empty, set without", entries{with("a", "es1")}, "", true, jose.ES256, ""},
		{"no kid, one key", entries{with("a", "es1")}, "", false, jose.ES256, "es1"},
		{"no kid, one of the alg", entries{with("a", "es1"), with("b", "ed"), with("c", "es384")}, "", false, jose.EdDSA, "ed"},
		{"no kid, two of the alg", entries{with("a", "es1"), with("b", "es2")}, "", false, jose.ES256, ""},
		{"no kid, two of the alg, one without", entries{with("a", "es1"), without("es2")}, "", false, jose.ES256, ""},
		{"no kid, none of the alg", entries{with("a", "es1")}, "", false, jose.RS256, ""},
		{"no kid, the same key twice", entries{with("a", "es1"), with("b", "es1")}, "", false, jose.ES256, "es1"},
		{"no kid, kid of the text \"\"", entries{with("", "es1"), with("b", "es2")}, "", false, jose.ES256, ""},
		{"key without kid, token with", entries{without("es1")}, "x", true, jose.ES256, "es1"},
		{"key without kid, token with, another there", entries{without("es1"), with("a", "es2")}, "x", true, jose.ES256, ""},
		{"key with and without kid", entries{with("a", "es1"), without("es1")}, "x", true, jose.ES256, "es1"},
		{"key without and with kid", entries{without("es1"), with("a", "es1")}, "x", true, jose.ES256, "es1"},
		{"key without kid, kid of another alg", entries{without("es1"), with("a", "ed")}, "a", true, jose.ES256, ""},
		{"duplicate kid, one of the alg", entries{with("a", "es1"), with("a", "ed")}, "a", true, jose.EdDSA, "ed"},
		{"duplicate kid, both of the alg", entries{with("a", "es1"), with("a", "es2")}, "a", true, jose.ES256, ""},
		{"duplicate kid, both of the alg, one more", entries{with("a", "es1"), with("a", "ed"), with("a", "es2")}, "a", true, jose.ES256, ""},
		{"duplicate kid, the same key", entries{with("a", "es1"), with("a", "es1")}, "a", true, jose.ES256, "es1"},
		{"duplicate kid, none of the alg", entries{with("a", "es1"), with("a", "ed"), without("es384")}, "a", true, jose.ES384, ""},
		{"alg invalid", entries{with("a", "es1")}, "a", true, jose.AlgInvalid, ""},
		{"alg invalid, no kid", entries{without("es1")}, "", false, jose.AlgInvalid, ""},
		{"alg out of range", entries{with("a", "es1")}, "a", true, jose.NumAlgs, ""},
		{"empty set", nil, "a", true, jose.ES256, ""},
		{"empty set, no kid", nil, "", false, jose.ES256, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := verify.NewKeySet(c.set)
			if got := named(set.Lookup([]byte(c.kid), c.hasKid, c.alg)); got != c.want {
				t.Errorf("Lookup(%q, %v, %s) = %q, want %q", c.kid, c.hasKid, c.alg, got, c.want)
			}
			if set.Len() != len(c.set) {
				t.Errorf("Len = %d, want %d", set.Len(), len(c.set))
			}
			for name, k := range names {
				in := slices.ContainsFunc(c.set, func(e verify.KeyEntry) bool { return e.Key == k })
				if got := set.Contains(k); got != in {
					t.Errorf("Contains(%q) = %v, want %v", name, got, in)
				}
			}
		})
	}
}

// A key that was withdrawn is refused from the next look on, and comes back with the set that has it. The kid of another key,
// taken over by a new one, does not let the old one in (CVE-2025-22149).
func TestVerifyRejectsWithdrawnKey(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := w.sign(t, jose.ES256, good())
	old := w.issuer.Keys.Load()
	w.check(t, "current", token, verify.ReasonOK)
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "other", HasKid: true, Key: newKey(t, jose.ES256)}}))
	w.check(t, "withdrawn", token, verify.ReasonUnknownKey)
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: newKey(t, jose.ES256)}}))
	w.check(t, "replaced under the same kid", token, verify.ReasonSignature)
	w.issuer.Keys.Store(old)
	w.check(t, "back again", token, verify.ReasonOK)
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
