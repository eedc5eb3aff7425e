package verify_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

func ruleID(n int) (id verify.RuleID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

// rule is one of the test issuer's, for tokens of any age and for good, until it is changed.
func rule(n int, kind verify.RuleKind, value string) *verify.Rule {
	return &verify.Rule{ID: ruleID(n), Kind: kind, Issuer: "https://issuer.test", Value: value, IssuedBefore: verify.Always, Until: verify.Never}
}

func (w *world) withDenylist(t testing.TB, c *verify.Cache, d *verify.Denylist) *verify.Verifier {
	t.Helper()
	v, err := verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 16 << 10, Cache: c, Denylist: d})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func add(t testing.TB, d *verify.Denylist, r *verify.Rule) {
	t.Helper()
	if err := d.Add(r); err != nil {
		t.Fatal(err)
	}
}

func claimRule(n int, value string, path ...string) *verify.Rule {
	r := rule(n, verify.RuleClaim, value)
	r.Claim = path
	return r
}

func ruleWith(r *verify.Rule, change func(r *verify.Rule)) *verify.Rule {
	change(r)
	return r
}

func TestDenylistHitsExactly(t *testing.T) {
	w := newWorld(t, jose.ES256)
	token := w.sign(t, jose.ES256, with(map[string]any{
		"sid": "s1", "client_id": "c1", "azp": "a1", "n": 7, "flag": true, "nothing": nil, "groups": []any{"x", 3, []string{"deep"}},
		"realm": map[string]any{"role": "ad\u00e9min"}, "none": nil, "esc": "a\"b",
	}))
	noIat := w.sign(t, jose.ES256, with(map[string]any{"iat": nil}))
	before := func(at int64) func(r *verify.Rule) { return func(r *verify.Rule) { r.IssuedBefore = at } }
	until := func(at int64) func(r *verify.Rule) { return func(r *verify.Rule) { r.Until = at } }
	for _, tt := range []struct {
		what  string
		token string
		rule  *verify.Rule
		hit   bool
	}{
		{"jti", token, rule(1, verify.RuleJTI, "1"), true},
		{"another jti", token, rule(1, verify.RuleJTI, "2"), false},
		{"sub", token, rule(1, verify.RuleSubject, "alice"), true},
		{"a longer sub", token, rule(1, verify.RuleSubject, "alice2"), false},
		{"a shorter sub", token, rule(1, verify.RuleSubject, "alic"), false},
		{"another case", token, rule(1, verify.RuleSubject, "Alice"), false},
		{"sub as jti", token, rule(1, verify.RuleJTI, "alice"), false},
		{"sid", token, rule(1, verify.RuleSession, "s1"), true},
		{"another sid", token, rule(1, verify.RuleSession, "s2"), false},
		{"client_id", token, rule(1, verify.RuleClient, "c1"), true},
		{"azp beside client_id", token, rule(1, verify.RuleClient, "a1"), true},
		{"another client", token, rule(1, verify.RuleClient, "b1"), false},
		{"kid", token, rule(1, verify.RuleKid, "ES256"), true},
		{"another kid", token, rule(1, verify.RuleKid, "es256"), false},
		{"all", token, rule(1, verify.RuleAll, ""), true},
		{"all of another issuer", token, ruleWith(rule(1, verify.RuleAll, ""), func(r *verify.Rule) { r.Issuer += "/" }), false},
		{"sub of another issuer", token, ruleWith(rule(1, verify.RuleSubject, "alice"), func(r *verify.Rule) { r.Issuer = "x" }), false},
		{"a number as written", token, claimRule(1, "7", "n"), true},
		{"a number in other words", token, claimRule(1, "7.0", "n"), false},
		{"a boolean", token, claimRule(1, "true", "flag"), true},
		{"an element", token, claimRule(1, "x", "groups"), true},
		{"a number among elements", token, claimRule(1, "3", "groups"), true},
		{"an element of an element", token, claimRule(1, "deep", "groups"), false},
		{"a nested claim", token, claimRule(1, "adémin", "realm", "role"), true},
		{"an escaped claim", token, claimRule(1, `a"b`, "esc"), true},
		{"a path that goes on", token, claimRule(1, "adémin", "realm", "role", "x"), false},
		{"an object", token, claimRule(1, `{"role":"adémin"}`, "realm"), false},
		{"null", token, claimRule(1, "null", "nothing"), false},
		{"a claim that is absent", token, claimRule(1, "x", "absent"), false},
		{"iat at T", token, ruleWith(rule(1, verify.RuleSubject, "alice"), before(now-10)), true},
		{"iat after T", token, ruleWith(rule(1, verify.RuleSubject, "alice"), before(now-11)), false},
		{"no iat", noIat, ruleWith(rule(1, verify.RuleSubject, "alice"), before(1)), true},
		{"in its last second", token, ruleWith(rule(1, verify.RuleSubject, "alice"), until(now+1)), true},
		{"ended", token, ruleWith(rule(1, verify.RuleSubject, "alice"), until(now)), false},
	} {
		d, c := verify.NewDenylist(), verify.NewCache(1<<20)
		v := w.withDenylist(t, c, d)
		again(t, v, tt.token, now, false, verify.ReasonOK)
		again(t, v, tt.token, now, true, verify.ReasonOK)
		add(t, d, tt.rule)
		want := verify.ReasonOK
		if tt.hit {
			want = verify.ReasonRevoked
		}
		t.Run(tt.what, func(t *testing.T) {
			again(t, v, tt.token, now, true, want)
			again(t, v, tt.token, now, true, want)
			again(t, w.withDenylist(t, nil, d), tt.token, now, false, want) // never seen
			if !d.Remove(tt.rule.ID) || d.Remove(tt.rule.ID) {
				t.Error("Remove does not report what it did")
			}
			again(t, v, tt.token, now, true, verify.ReasonOK)
		})
	}
}

// A revoked token is a verified one: the audit log names its subject, and no route passes it.
func TestRevokedTokenIsVerified(t *testing.T) {
	w := newWorld(t, jose.ES256)
	d := verify.NewDenylist()
	add(t, d, rule(1, verify.RuleSubject, "alice"))
	var tok verify.Token
	err := w.withDenylist(t, nil, d).Verify(&tok, []byte(w.sign(t, jose.ES256, good())), now, source)
	if verify.ReasonOf(err) != verify.ReasonRevoked || !tok.Verified() || string(tok.Claims().Subject()) != "alice" {
		t.Errorf("Verify = %v, verified %v, sub %q", err, tok.Verified(), tok.Claims().Subject())
	}
	if got := verify.ReasonOf((&verify.Policy{}).Check(&tok)); got != verify.ReasonRevoked {
		t.Errorf("Check = %v, want %v", got, verify.ReasonRevoked)
	}
}

// What has passed one Denylist has not passed the next, though both have seen as many inserts.
func TestDenylistsShareNoEpoch(t *testing.T) {
	w := newWorld(t, jose.ES256)
	c := verify.NewCache(1 << 20)
	a, b := verify.NewDenylist(), verify.NewDenylist()
	add(t, a, rule(1, verify.RuleSubject, "bob"))
	add(t, b, rule(1, verify.RuleSubject, "alice"))
	token := w.sign(t, jose.ES256, good())
	again(t, w.withDenylist(t, c, a), token, now, false, verify.ReasonOK)
	again(t, w.withDenylist(t, c, a), token, now, true, verify.ReasonOK)
	again(t, w.withDenylist(t, c, b), token, now, true, verify.ReasonRevoked)
}

// Rules that cannot be meant are refused, and so is a look-up too many.
func TestDenylistRefusesRules(t *testing.T) {
	d := verify.NewDenylist()
	for what, r := range map[string]*verify.Rule{
		"no kind":      rule(1, 0, "x"),
		"unknown kind": rule(1, 200, "x"),
		"no value":     rule(1, verify.RuleSubject, ""),
		"a value":      rule(1, verify.RuleAll, "x"),
		"no path":      rule(1, verify.RuleClaim, "x"),
		"a path":       ruleWith(claimRule(1, "x", "y"), func(r *verify.Rule) { r.Kind = verify.RuleJTI }),
		"no issuer":    ruleWith(rule(1, verify.RuleJTI, "x"), func(r *verify.Rule) { r.Issuer = "" }),
		"no end":       ruleWith(rule(1, verify.RuleJTI, "x"), func(r *verify.Rule) { r.Until = 0 }),
		"no age":       ruleWith(rule(1, verify.RuleJTI, "x"), func(r *verify.Rule) { r.IssuedBefore = 0 }),
	} {
		if d.Add(r) == nil {
			t.Errorf("Add takes a rule with %s", what)
		}
	}
	for i := range 16 {
		add(t, d, claimRule(i, "x", fmt.Sprint("claim", i)))
	}
	if d.Add(claimRule(16, "x", "claim16")) == nil {
		t.Error("Add takes a rule for a 17th claim")
	}
	add(t, d, claimRule(16, "y", "claim3"))
	if d.Add(claimRule(16, "z", "claim3")) == nil || d.Len() != 17 {
		t.Errorf("Add takes an ID twice; %d rules", d.Len())
	}
}

// No Verify that begins after Add has returned passes, whoever else verifies and inserts meanwhile.
func TestDenylistIsInForceWhenAddReturns(t *testing.T) {
	w := newWorld(t, jose.ES256)
	const rounds = 300
	tokens := make([][]byte, rounds)
	var gone [rounds]atomic.Bool
	for i := range tokens {
		tokens[i] = []byte(w.sign(t, jose.ES256, with(map[string]any{"jti": fmt.Sprint("j", i)})))
	}
	d := verify.NewDenylist()
	v := w.withDenylist(t, verify.NewCache(8<<20), d)
	var at atomic.Int64
	var wg sync.WaitGroup
	var passed atomic.Int64
	for range 4 {
		wg.Go(func() {
			var tok verify.Token
			for at.Load() < rounds {
				i := int(at.Load())
				for _, k := range []int{i, i - 1, i / 2} {
					if k < 0 || k >= rounds {
						continue
					}
					was := gone[k].Load()
					if err := v.Verify(&tok, tokens[k], now, source); err == nil {
						if passed.Add(1); was {
							t.Errorf("token %d passed after its rule was in force", k)
							return
						}
					} else if verify.ReasonOf(err) != verify.ReasonRevoked {
						t.Errorf("Verify = %v", err)
						return
					}
				}
			}
		})
	}
	for i := range rounds {
		for passed.Load() < int64(i*3) && !t.Failed() { // it has been seen, and is in the cache
		}
		add(t, d, rule(2*i, verify.RuleSubject, fmt.Sprint("other", i)))
		add(t, d, rule(2*i+1, verify.RuleJTI, fmt.Sprint("j", i)))
		gone[i].Store(true)
		at.Store(int64(i + 1))
	}
	at.Store(rounds)
	wg.Wait()
}

// modelRule is a rule as the model sees it.
type modelRule struct {
	rule verify.Rule
	id   int
}

// names reports whether the rule holds for a token of sub and jti, issued at iat.
func (m *modelRule) names(sub, jti string, iat, at int64) bool {
	r := &m.rule
	if r.Until <= at || iat > r.IssuedBefore {
		return false
	}
	switch r.Kind {
	case verify.RuleSubject:
		return r.Value == sub
	case verify.RuleJTI:
		return r.Value == jti
	case verify.RuleClaim:
		return r.Value == "group-"+sub
	}
	return r.Kind == verify.RuleAll
}

// TestDenylistModel drives verifier, cache, key sets and rules through random interleavings of verify, rotate, withdraw, revoke, remove,
// expire and reload, beside a model that keeps lists and remembers nothing.
func TestDenylistModel(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		if !runModel(t, rng) {
			t.Fatalf("seed %d", seed)
		}
	}
}

type modelToken struct {
	sub, jti string
	iat      int64
	key      int
	raw      []byte
}

func runModel(t *testing.T, rng *rand.Rand) bool {
	w := newWorld(t, jose.ES256)
	var signers []*demo.Signer
	var entries []verify.KeyEntry
	for i := range 2 {
		s, err := demo.NewSigner(jose.ES256, fmt.Sprint("k", i), 0)
		if err != nil {
			t.Fatal(err)
		}
		k, err := verify.NewKey(jose.ES256, s.Public())
		if err != nil {
			t.Fatal(err)
		}
		signers, entries = append(signers, s), append(entries, verify.KeyEntry{Kid: s.Kid, HasKid: true, Key: k})
	}
	var tokens []modelToken
	for i := range 12 {
		m := modelToken{sub: fmt.Sprint("s", i%3), jti: fmt.Sprint("j", i), iat: now - 50 + int64(i), key: i % 2}
		raw, err := signers[m.key].Sign("at+jwt", with(map[string]any{
			"sub": m.sub, "jti": m.jti, "iat": m.iat, "exp": now + 100000, "groups": []string{"a", "group-" + m.sub},
		}))
		if err != nil {
			t.Fatal(err)
		}
		m.raw = []byte(raw)
		tokens = append(tokens, m)
	}
	const issuer = "https://issuer.test"
	d, c := verify.NewDenylist(), verify.NewCache(1<<20)
	v := w.withDenylist(t, c, d)
	var rules []modelRule
	current := [2]bool{true, true}
	setKeys := func() {
		var set []verify.KeyEntry
		for i, yes := range current {
			if yes {
				set = append(set, entries[i])
			}
		}
		w.issuer.Keys.Store(verify.NewKeySet(set))
	}
	setKeys()
	at, next := int64(now), 0
	var tok verify.Token
	for step := range 3000 {
		switch op := rng.IntN(40); {
		case op < 30:
			m := &tokens[rng.IntN(len(tokens))]
			want := verify.ReasonOK
			if !current[m.key] {
				want = verify.ReasonUnknownKey
			}
			for i := range rules {
				if want == verify.ReasonOK && rules[i].names(m.sub, m.jti, m.iat, at) {
					want = verify.ReasonRevoked
				}
			}
			if got := verify.ReasonOf(v.Verify(&tok, m.raw, at, source)); got != want {
				t.Errorf("step %d, %+d s: token %s of %s: %v, want %v (%d rules)", step, at-now, m.jti, m.sub, got, want, len(rules))
				return false
			}
		case op < 33:
			r := verify.Rule{ID: ruleID(next), Issuer: issuer, IssuedBefore: verify.Always, Until: verify.Never}
			switch k := rng.IntN(20); {
			case k < 8:
				r.Kind, r.Value = verify.RuleJTI, fmt.Sprint("j", rng.IntN(12))
			case k < 15:
				r.Kind, r.Value = verify.RuleSubject, fmt.Sprint("s", rng.IntN(3))
			case k < 18:
				r.Kind, r.Claim, r.Value = verify.RuleClaim, claims.Path{"groups"}, fmt.Sprint("group-s", rng.IntN(3))
			default:
				r.Kind = verify.RuleAll
			}
			if rng.IntN(2) == 0 {
				r.IssuedBefore = now - 55 + rng.Int64N(20)
			}
			if rng.IntN(4) > 0 {
				r.Until = at + 1 + rng.Int64N(20)
			}
			add(t, d, &r)
			rules = append(rules, modelRule{r, next})
			next++
		case op < 36:
			if len(rules) > 0 {
				i := rng.IntN(len(rules))
				d.Remove(rules[i].rule.ID)
				rules = append(rules[:i], rules[i+1:]...)
			}
		case op == 36:
			at += rng.Int64N(10) - 1 // a clock may be set back
		case op == 37:
			current[rng.IntN(2)] = rng.IntN(3) > 0
			setKeys()
		case op == 38:
			v = w.withDenylist(t, c, d) // a reload that keeps the store
		default:
			// A reload with another store that has the same rules.
			d = verify.NewDenylist()
			for i := range rules {
				add(t, d, &rules[i].rule)
			}
			v = w.withDenylist(t, c, d)
		}
	}
	return true
}

// A rule that comes while a token is looked up may be missed by that request, and by none after it.
func TestRuleDuringLookup(t *testing.T) {
	w := newWorld(t, jose.HS256)
	d := verify.NewDenylist()
	v, err := verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 8 << 20, Cache: verify.NewCache(64 << 20), Denylist: d})
	if err != nil {
		t.Fatal(err)
	}
	// The look-up of the long claim takes a while, after that of jti.
	raw := []byte(w.sign(t, jose.HS256, with(map[string]any{"long": strings.Repeat("x", 1<<20)})))
	add(t, d, rule(0, verify.RuleJTI, "other"))
	add(t, d, claimRule(1, "x", "long"))
	again(t, v, string(raw), now, false, verify.ReasonOK)
	missed := 0
	for i := range 300 {
		add(t, d, rule(10+2*i, verify.RuleSubject, fmt.Sprint("other", i)))
		began := make(chan struct{})
		ended := make(chan error)
		go func() {
			var tok verify.Token
			close(began)
			ended <- v.Verify(&tok, raw, now, source)
		}()
		<-began
		for end := time.Now().Add(time.Duration(i%100) * 5 * time.Microsecond); time.Now().Before(end); {
		}
		add(t, d, rule(11+2*i, verify.RuleJTI, "1"))
		if <-ended == nil {
			missed++
		}
		again(t, v, string(raw), now, true, verify.ReasonRevoked)
		d.Remove(ruleID(11 + 2*i))
		if t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
	t.Logf("%d of 300 requests passed while the rule came", missed)
}

// Tables stay in order, and small, through a life of inserts and removals.
func TestDenylistTables(t *testing.T) {
	d := verify.NewDenylist()
	rng := rand.New(rand.NewPCG(1, 2))
	const values = 20_000
	var in [values]bool
	for step := range 400_000 {
		// It grows, shrinks and grows again.
		i, grow := rng.IntN(values), step/100_000%2 == 0
		switch {
		case !in[i] && (grow || rng.IntN(8) == 0):
			add(t, d, rule(i, verify.RuleJTI, fmt.Sprint("j", i)))
		case in[i] && (!grow || rng.IntN(8) == 0):
			d.Remove(ruleID(i))
		default:
			continue
		}
		in[i] = !in[i]
		if step%10_000 == 0 {
			if err := d.CheckTables(); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 0
	for i := range in {
		if in[i] {
			n++
			d.Remove(ruleID(i))
		}
	}
	if err := d.CheckTables(); n < 1000 || err != nil || d.Len() != 0 {
		t.Error(n, err, d.Len())
	}
}
