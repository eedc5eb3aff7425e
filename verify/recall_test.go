package verify_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
	"sallyport/verify/pool"
)

// The rules for cached tokens (SECURITY notes 2.4), one test each: a hit is a shorter way to the claims and to nothing else.

// cachedWorld is a world with a claim cache, in which token has been seen.
func cachedWorld(t *testing.T) (w *world, c *verify.Cache, token string) {
	t.Helper()
	w = newWorld(t, jose.ES256, jose.HS256)
	c = verify.NewCache(1 << 20)
	w.v = w.withCache(t, c)
	token = w.sign(t, jose.ES256, good())
	w.check(t, "first sight", token, verify.ReasonOK)
	return w, c, token
}

func (w *world) withCache(t *testing.T, c *verify.Cache) *verify.Verifier {
	t.Helper()
	v, err := verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 16 << 10, Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// again verifies token at a time and wants it to be a hit, or not, with the given reason.
func again(t *testing.T, v *verify.Verifier, token string, at int64, hit bool, want verify.Reason) {
	t.Helper()
	var tok verify.Token
	if got := verify.ReasonOf(v.Verify(&tok, []byte(token), at, source)); got != want || tok.Cached() != hit {
		t.Errorf("Verify at %+d s = %v, cached %v; want %v, %v", at-now, got, tok.Cached(), want, hit)
	}
}

func TestHitSaysWhatTheTokenSays(t *testing.T) {
	w, _, token := cachedWorld(t)
	var fresh, hit verify.Token
	if err := w.withCache(t, nil).Verify(&fresh, []byte(token), now, source); err != nil {
		t.Fatal(err)
	}
	if err := w.v.Verify(&hit, []byte(token), now, source); err != nil || !hit.Cached() {
		t.Fatalf("Verify = %v, cached %v", err, hit.Cached())
	}
	if fresh.Issuer() != hit.Issuer() || fresh.Key() != hit.Key() || fresh.Alg() != hit.Alg() || string(fresh.Kid()) != string(hit.Kid()) || fresh.Expiry() != hit.Expiry() {
		t.Errorf("a hit differs from the first sight: %v %v", fresh.Kid(), hit.Kid())
	}
	for _, name := range []string{"iss", "sub", "aud", "scope", "jti", "exp", "none"} {
		a, aok := fresh.Claims().Lookup(claims.Path{name})
		b, bok := hit.Claims().Lookup(claims.Path{name})
		if aok != bok || string(a.AppendJSON(nil)) != string(b.AppendJSON(nil)) {
			t.Errorf("claim %s: %s at first, %s on a hit", name, a.AppendJSON(nil), b.AppendJSON(nil))
		}
	}
}

func TestHitChecksTime(t *testing.T) {
	w, _, token := cachedWorld(t)
	again(t, w.v, token, now+309, true, verify.ReasonOK)
	again(t, w.v, token, now+310, true, verify.ReasonExpired)
	again(t, w.v, token, now-21, true, verify.ReasonNotYetValid) // a clock that was set back
}

// The issuer's rules are those of the config that asks, not of the one under which the token came in.
func TestHitChecksThePresentConfig(t *testing.T) {
	w, c, token := cachedWorld(t)
	check := func(what string, change func(is *verify.Issuer), hit bool, want verify.Reason) {
		t.Helper()
		is := *w.issuer
		change(&is)
		v, err := verify.NewVerifier([]*verify.Issuer{&is}, verify.Options{MaxTokenBytes: 16 << 10, Cache: c})
		if err != nil {
			t.Fatal(err)
		}
		var tok verify.Token
		if got := verify.ReasonOf(v.Verify(&tok, []byte(token), now, source)); got != want || tok.Cached() != hit {
			t.Errorf("%s: %v, cached %v; want %v, %v", what, got, tok.Cached(), want, hit)
		}
		w.check(t, "the old config", token, verify.ReasonOK)
	}
	check("nothing", func(*verify.Issuer) {}, true, verify.ReasonOK)
	check("audience", func(is *verify.Issuer) { is.Audiences = []string{"other"} }, true, verify.ReasonAudience)
	check("type", func(is *verify.Issuer) { is.Type = verify.TypeJWTOrAbsent }, true, verify.ReasonType)
	check("lifetime", func(is *verify.Issuer) { is.MaxLifetime = 10 }, true, verify.ReasonLifetime)
	check("required claim", func(is *verify.Issuer) { is.RequiredClaims = []claims.Path{{"email"}} }, true, verify.ReasonClaim)
	check("algorithm", func(is *verify.Issuer) { is.Algs = jose.NewAlgSet(jose.RS256) }, false, verify.ReasonAlgorithm)
	check("issuer", func(is *verify.Issuer) { is.Name = "https://other.test" }, false, verify.ReasonUnverified)
	check("no keys", func(is *verify.Issuer) { is.Keys = new(verify.KeyStore) }, false, verify.ReasonKeysUnavailable)
	small, err := verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 20, Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	again(t, small, token, now, false, verify.ReasonTooLarge)
}

// A route that asks for a claim that nobody asked for before gets it from the entry: no flush is needed.
func TestHitHasEveryClaim(t *testing.T) {
	w, _, _ := cachedWorld(t)
	token := w.sign(t, jose.ES256, with(map[string]any{"tenant": "blue", "realm": map[string]any{"roles": []string{"a\u00e9", "b"}}}))
	w.check(t, "first sight", token, verify.ReasonOK)
	var tok verify.Token
	if err := w.v.Verify(&tok, []byte(token), now, source); err != nil || !tok.Cached() {
		t.Fatal(err, tok.Cached())
	}
	pass := verify.Policy{Claims: []verify.ClaimRule{{Path: claims.Path{"tenant"}, AnyOf: []string{"blue"}}, {Path: claims.Path{"realm", "roles"}, AnyOf: []string{"aé"}}}}
	if err := pass.Check(&tok); err != nil {
		t.Errorf("Check = %v", err)
	}
	refuse := verify.Policy{Scopes: []string{"admin"}}
	if got := verify.ReasonOf(refuse.Check(&tok)); got != verify.ReasonScope {
		t.Errorf("Check = %v, want %v: the route's policy holds on a hit too (CVE-2021-32701)", got, verify.ReasonScope)
	}
}

func TestWithdrawnKeyEndsItsEntries(t *testing.T) {
	w, c, token := cachedWorld(t)
	other, err := demo.NewSigner(jose.ES256, "other", 0)
	if err != nil {
		t.Fatal(err)
	}
	key := func(s *demo.Signer) *verify.Key {
		k, err := verify.NewKey(jose.ES256, s.Public())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	var current *verify.Key
	{
		var tok verify.Token
		if err := w.v.Verify(&tok, []byte(token), now, source); err != nil {
			t.Fatal(err)
		}
		current = tok.Key()
	}
	// The same key in a new set: a refresh that changed nothing.
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "other", HasKid: true, Key: key(other)}, {Kid: "ES256", HasKid: true, Key: current}}))
	again(t, w.v, token, now, true, verify.ReasonOK)
	// The key under another kid: the token's kid names nothing any more.
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "moved", HasKid: true, Key: current}}))
	again(t, w.v, token, now, false, verify.ReasonUnknownKey)
	if got := c.Stats().Entries; got != 0 {
		t.Errorf("%d entries, want the dead one gone", got)
	}
	// Another key under the same kid (CVE-2025-22149).
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: current}}))
	again(t, w.v, token, now, false, verify.ReasonOK)
	again(t, w.v, token, now, true, verify.ReasonOK)
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: key(other)}}))
	again(t, w.v, token, now, false, verify.ReasonSignature)
	// Gone altogether.
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: current}}))
	again(t, w.v, token, now, false, verify.ReasonOK)
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "other", HasKid: true, Key: key(other)}}))
	again(t, w.v, token, now, false, verify.ReasonUnknownKey)
}

// What was refused neither enters nor drives anything out, however much of it comes.
func TestRefusedTokensNeverEnter(t *testing.T) {
	w, c, token := cachedWorld(t)
	before := c.Stats()
	for i := range 2000 {
		forged := fmt.Sprintf("%s%04d", token[:len(token)-4], i)
		var tok verify.Token
		if err := w.v.Verify(&tok, []byte(forged), now, source); err == nil && forged != token {
			t.Fatalf("accepted %s", forged)
		}
	}
	w.check(t, "expired", w.sign(t, jose.HS256, with(map[string]any{"exp": now - 100})), verify.ReasonUnverified)
	if after := c.Stats(); after != before {
		t.Errorf("refused tokens changed the cache from %+v to %+v", before, after)
	}
	again(t, w.v, token, now, true, verify.ReasonOK)
}

// Each octet counts, on a hit too.
func TestHitNeedsEveryOctet(t *testing.T) {
	w, _, token := cachedWorld(t)
	for i := range token {
		c := byte('A')
		if token[i] == c {
			c = 'B'
		}
		changed := token[:i] + string(c) + token[i+1:]
		var tok verify.Token
		if err := w.v.Verify(&tok, []byte(changed), now, source); err == nil || tok.Cached() {
			t.Fatalf("octet %d changed: %v, cached %v", i, err, tok.Cached())
		}
	}
	for _, other := range []string{token + "A", token[:len(token)-1], " " + token, token + "="} {
		var tok verify.Token
		if err := w.v.Verify(&tok, []byte(other), now, source); err == nil || tok.Cached() {
			t.Errorf("%.10q…: %v, cached %v", other, err, tok.Cached())
		}
	}
}

// Two issuers whose keys have one kid share nothing, and a Token that is used again changes no entry.
func TestEntriesDoNotMix(t *testing.T) {
	a, b := newWorld(t, jose.ES256), newWorld(t, jose.ES256)
	other, err := demo.NewSigner(jose.ES256, "ES256", 0)
	if err != nil {
		t.Fatal(err)
	}
	k, err := verify.NewKey(jose.ES256, other.Public())
	if err != nil {
		t.Fatal(err)
	}
	b.signers = map[jose.Alg]*demo.Signer{jose.ES256: other}
	b.issuer.Name = "https://second.test"
	b.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: k}}))
	v, err := verify.NewVerifier([]*verify.Issuer{a.issuer, b.issuer}, verify.Options{MaxTokenBytes: 16 << 10, Cache: verify.NewCache(1 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for i := range 50 {
		sub := fmt.Sprintf("user-%d-%s", i, strings.Repeat("x", i))
		tokens[sub] = a.sign(t, jose.ES256, with(map[string]any{"sub": sub}))
		tokens[sub+"/2"] = b.sign(t, jose.ES256, with(map[string]any{"sub": sub + "/2", "iss": b.issuer.Name}))
	}
	var tok verify.Token
	for round := range 3 {
		for sub, token := range tokens {
			if err := v.Verify(&tok, []byte(token), now, source); err != nil || tok.Cached() != (round > 0) {
				t.Fatalf("round %d: %v, cached %v", round, err, tok.Cached())
			}
			if got := string(tok.Claims().Subject()); got != sub {
				t.Fatalf("round %d: sub %q, want %q", round, got, sub)
			}
			if want := strings.HasSuffix(sub, "/2"); (tok.Issuer() == b.issuer) != want {
				t.Fatalf("%s is of issuer %s", sub, tok.Issuer().Name)
			}
			tok.Reset()
		}
	}
	// A token of one issuer's key that names the other.
	cross, _ := other.Sign("at+jwt", good())
	if err := v.Verify(&tok, []byte(cross), now, source); verify.ReasonOf(err) != verify.ReasonSignature {
		t.Errorf("a token signed with the other issuer's key: %v", err)
	}
}

func newTestPool(queue int) *verify.Pool {
	start := time.Now()
	return verify.NewPool(pool.Options{Shards: 2, Queue: queue, PerSource: queue, MaxWait: int64(10 * time.Second), Clock: func() int64 { return int64(time.Since(start)) }})
}

// The check of a token may still be under way when its key is replaced under the same kid, or when a reload makes the same key
// anew. Who asks after that is not told how the old one ended.
func TestCheckUnderOldKeyDecidesForNobodyElse(t *testing.T) {
	for name, wrong := range map[string]bool{"replaced": true, "made anew": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, jose.ES256)
			token := w.sign(t, jose.ES256, good())
			present := w.issuer.Keys.Load()
			public := w.signers[jose.ES256].Public()
			if wrong {
				other, err := demo.NewSigner(jose.ES256, "ES256", 0)
				if err != nil {
					t.Fatal(err)
				}
				public = other.Public()
			}
			k, err := verify.NewKey(jose.ES256, public)
			if err != nil {
				t.Fatal(err)
			}
			began, gate := make(chan struct{}), make(chan struct{})
			w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: verify.Hold(k, began, gate)}}))
			p := newTestPool(16)
			v, err := verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 16 << 10, Pool: p})
			if err != nil {
				t.Fatal(err)
			}
			ask := func() <-chan verify.Reason {
				done := make(chan verify.Reason, 1)
				go func() {
					var tok verify.Token
					done <- verify.ReasonOf(v.Verify(&tok, []byte(token), now, source))
				}()
				return done
			}
			first := ask()
			<-began
			w.issuer.Keys.Store(present)
			second := ask()
			for range 1000 {
				if p.Stats().Coalesced > 0 || len(second) > 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			close(gate)
			<-first
			if got := <-second; got != verify.ReasonOK {
				t.Errorf("under the present key: %v, want ok", got)
			}
		})
	}
}

// A check may wait in the pool for seconds. A key that is withdrawn meanwhile opens nothing.
func TestKeyWithdrawnDuringCheck(t *testing.T) {
	w, c, _ := cachedWorld(t)
	token := w.sign(t, jose.ES256, with(map[string]any{"sub": "second"}))
	k := w.issuer.Keys.Load().Lookup([]byte("ES256"), true, jose.ES256)
	began, gate := make(chan struct{}), make(chan struct{})
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "ES256", HasKid: true, Key: verify.Hold(k, began, gate)}}))
	before := c.Stats()
	done := make(chan verify.Reason, 1)
	var tok verify.Token
	go func() { done <- verify.ReasonOf(w.v.Verify(&tok, []byte(token), now, source)) }()
	<-began
	w.issuer.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "next", HasKid: true, Key: k}}))
	close(gate)
	if got := <-done; got != verify.ReasonUnknownKey || tok.Verified() {
		t.Errorf("Verify = %v, verified %v; want %v", got, tok.Verified(), verify.ReasonUnknownKey)
	}
	if after := c.Stats(); after != before {
		t.Errorf("it is in the cache: %+v, before %+v", after, before)
	}
}

// Readers, rotation and forgers at once, through cache and pool: no wrong verdict, no mixed identity.
func TestVerifyUnderConcurrency(t *testing.T) {
	w := newWorld(t, jose.ES256, jose.HS256, jose.EdDSA)
	c := verify.NewCache(64 << 10) // small: entries come and go
	v, err := verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 16 << 10, Cache: c, Pool: newTestPool(1 << 12)})
	if err != nil {
		t.Fatal(err)
	}
	type sample struct {
		token, sub string
		good       bool
	}
	var samples []sample
	for i := range 60 {
		sub := fmt.Sprintf("user-%d", i)
		token := w.sign(t, []jose.Alg{jose.ES256, jose.HS256, jose.EdDSA}[i%3], with(map[string]any{"sub": sub}))
		samples = append(samples, sample{token, sub, true})
		forged := token[:len(token)-8] + "AAAAAAAA"
		samples = append(samples, sample{forged, "", false})
	}
	set := w.issuer.Keys.Load()
	var stop atomic.Bool
	var churn, workers sync.WaitGroup
	churn.Go(func() {
		for !stop.Load() {
			w.issuer.Keys.Store(set) // the same keys: no verdict may change
			time.Sleep(100 * time.Microsecond)
		}
	})
	var wrong atomic.Int64
	for g := range 6 {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 9))
			var tok verify.Token
			for range 2000 {
				s := samples[r.IntN(len(samples))]
				err := v.Verify(&tok, []byte(s.token), now, source)
				if (err == nil) != s.good || (s.good && string(tok.Claims().Subject()) != s.sub) {
					wrong.Add(1)
				}
			}
		})
	}
	workers.Wait()
	stop.Store(true)
	churn.Wait()
	if wrong.Load() != 0 {
		t.Errorf("%d wrong verdicts", wrong.Load())
	}
	if c.Stats().Evicted == 0 {
		t.Log("nothing was evicted")
	}
}

// A header that was seen under a key set is not a way around the next one, nor around the issuer's algorithms.
func TestKnownHeadersEndWithTheirSet(t *testing.T) {
	w := newWorld(t, jose.ES256, jose.HS256)
	w.check(t, "first", w.sign(t, jose.ES256, good()), verify.ReasonOK)
	w.check(t, "known header", w.sign(t, jose.ES256, with(map[string]any{"sub": "b"})), verify.ReasonOK)
	token := w.sign(t, jose.ES256, with(map[string]any{"sub": "c"}))
	w.check(t, "known header, forged", token[:len(token)-8]+"AAAAAAAA", verify.ReasonSignature)
	w.issuer.Algs = jose.NewAlgSet(jose.HS256)
	w.check(t, "known header, algorithm not allowed", token, verify.ReasonAlgorithm)
	w.issuer.Algs = jose.NewAlgSet(jose.ES256, jose.HS256)
	w.issuer.Keys.Store(verify.NewKeySet(nil))
	w.check(t, "known header, key gone", token, verify.ReasonUnknownKey)
}

// An issuer that puts something new into every header fills no memory.
func TestKnownHeadersAreBounded(t *testing.T) {
	w := newWorld(t, jose.HS256)
	for i := range 100 {
		h := fmt.Sprintf(`{"alg":"HS256","kid":"HS256","typ":"at+jwt","x":%d}`, i)
		w.check(t, h, w.raw(t, jose.HS256, h, goodJSON()), verify.ReasonOK)
		w.check(t, h, w.raw(t, jose.HS256, h, goodJSON()), verify.ReasonOK)
	}
	if got := verify.KnownHeaders(w.issuer.Keys.Load()); got == 0 || got > 20 {
		t.Errorf("%d headers are remembered, want a few", got)
	}
}

// To remember a header costs the same, however many are remembered: the first tokens after a change of many keys come at once.
func TestKnownHeadersCostTheSame(t *testing.T) {
	const n = 1000
	s := signerOf(t, jose.HS256)
	key, err := verify.NewKey(jose.HS256, s.Public())
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]verify.KeyEntry, n)
	for i := range entries {
		entries[i] = verify.KeyEntry{Kid: fmt.Sprintf("k%04d", i), HasKid: true, Key: key}
	}
	w := newWorld(t, jose.HS256)
	w.issuer.Keys.Store(verify.NewKeySet(entries))
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = w.raw(t, jose.HS256, fmt.Sprintf(`{"alg":"HS256","kid":"k%04d","typ":"at+jwt"}`, i), goodJSON())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, token := range tokens {
		w.check(t, "first token of a key", token, verify.ReasonOK)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / n; each > 8<<10 {
		t.Errorf("the first token of each of %d keys takes %d octets of the heap", n, each)
	}
	if got := verify.KnownHeaders(w.issuer.Keys.Load()); got != n {
		t.Errorf("%d headers are remembered, want %d", got, n)
	}
}
