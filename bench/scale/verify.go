package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"sallyport/bench/arm"
	"sallyport/bench/corpus"
	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/cache"
	"sallyport/verify/jose"
)

const (
	now    = 1_800_000_000
	expiry = now + 86_400
)

var source = netip.MustParseAddr("192.0.2.1")

// A world is a verifier with tokens that it takes.
type world struct {
	v       *verify.Verifier
	issuers []*verify.Issuer
	tokens  [][]byte
}

// newWorld makes issuers, each with so many keys, and one token of each key.
func newWorld(alg jose.Alg, issuers, keys int, c *verify.Cache) (*world, error) {
	w := new(world)
	for i := range issuers {
		name := fmt.Sprintf("https://login.example.com/realms/%d", i)
		var entries []verify.KeyEntry
		for k := range keys {
			s, err := demo.NewSigner(alg, fmt.Sprintf("2026-11-%04d", k), 0)
			if err != nil {
				return nil, err
			}
			key, err := verify.NewKey(alg, s.Public())
			if err != nil {
				return nil, err
			}
			key.Precompute()
			entries = append(entries, verify.KeyEntry{Kid: s.Kid, HasKid: true, Key: key})
			token, err := sign(s, fmt.Appendf(nil, `{"iss":%q,"aud":%q,"sub":"user-%d","scope":"orders.read","exp":%d}`, name, corpus.Audience, k, expiry))
			if err != nil {
				return nil, err
			}
			w.tokens = append(w.tokens, token)
		}
		is := &verify.Issuer{
			Name: name, Audiences: []string{corpus.Audience}, Algs: jose.NewAlgSet(alg), ClockSkew: 10, Type: verify.TypeAccessToken,
			Keys: new(verify.KeyStore),
		}
		is.Keys.Store(verify.NewKeySet(entries))
		w.issuers = append(w.issuers, is)
	}
	var err error
	w.v, err = verify.NewVerifier(w.issuers, verify.Options{MaxTokenBytes: 16 << 10, Cache: c})
	return w, err
}

func sign(s *demo.Signer, payload []byte) ([]byte, error) {
	token, err := s.SignRaw(fmt.Appendf(nil, `{"alg":%q,"typ":"at+jwt","kid":%q}`, s.Alg, s.Kid), payload)
	return []byte(token), err
}

// run verifies the tokens in a random order.
func (w *world) run() func() (float64, error) {
	next, tok := walk(len(w.tokens)), new(verify.Token)
	return arm.Func(func() { must(w.v, tok, w.tokens[next()]) })
}

func must(v *verify.Verifier, tok *verify.Token, raw []byte) {
	if err := v.Verify(tok, raw, now, source); err != nil {
		panic("scale: a good token is refused: " + err.Error())
	}
}

func verifyCurves() []Curve {
	make := func(name, grows string, looks int, alg jose.Alg, cached bool, shape func(n int) (issuers, keys int)) Curve {
		return Curve{Name: name, Grows: grows, Unit: "ns", Expect: Constant, Sizes: tenTo(1000), Looks: looks, Make: func(_ *Env, n int) (Point, error) {
			var c *verify.Cache
			if cached {
				c = verify.NewCache(16 << 20)
			}
			if alg == jose.ES256 {
				if _, err := corpus.UseKernels(); err != nil {
					return Point{}, err
				}
				verify.SetTableBytes(1 << 30) // the look-up of keys is asked for; by default there is room for about 250 tables
			}
			issuers, keys := shape(n)
			w, err := newWorld(alg, issuers, keys, c)
			if err != nil {
				return Point{}, err
			}
			return Point{Run: w.run()}, nil
		}}
	}
	// The token and the issuer or key it names, by a map; of a cached one also slot and entry, and each issuer has its own set of keys.
	issuers := func(n int) (int, int) { return n, 1 }
	keys := func(n int) (int, int) { return 1, n }
	return []Curve{
		make("issuers/cached", "issuers", 6, jose.HS256, true, issuers),
		make("issuers/never-seen-hs256", "issuers", 3, jose.HS256, false, issuers),
		make("keys/cached", "of one issuer", 3, jose.HS256, true, keys),
		make("keys/never-seen-hs256", "of one issuer", 3, jose.HS256, false, keys),
		make("keys/never-seen-es256", "of one issuer", 0, jose.ES256, false, keys),
		{
			Name: "keys/first-tokens-hs256", Grows: "of one issuer", Unit: "ns", Expect: Constant, Sizes: tenTo(1000), Looks: 3,
			Make: func(_ *Env, n int) (Point, error) { return firstTokens(n) },
		},
	}
}

// firstTokens is the cost of the first token of each key after the keys were fetched.
func firstTokens(n int) (Point, error) {
	w, err := newWorld(jose.HS256, 1, n, nil)
	if err != nil {
		return Point{}, err
	}
	entries, err := w.entries()
	if err != nil {
		return Point{}, err
	}
	tok := new(verify.Token)
	return Point{Run: func() (float64, error) {
		runtime.GC()
		var took time.Duration
		rounds := max(1, 4000/n)
		for range rounds {
			w.issuers[0].Keys.Store(verify.NewKeySet(entries))
			start := time.Now()
			for _, t := range w.tokens {
				must(w.v, tok, t)
			}
			took += time.Since(start)
		}
		return float64(took) / float64(rounds*n), nil
	}}, nil
}

// entries finds the keys again by the tokens that they have signed.
func (w *world) entries() ([]verify.KeyEntry, error) {
	tok := new(verify.Token)
	var out []verify.KeyEntry
	for _, t := range w.tokens {
		must(w.v, tok, t)
		out = append(out, verify.KeyEntry{Kid: string(tok.Kid()), HasKid: true, Key: tok.Key()})
	}
	return out, nil
}

func tokenCurves() []Curve {
	var sigs sigStore
	return []Curve{
		{
			Name: "tokens/cached", Grows: "live tokens", Unit: "ns", Expect: Constant, Sizes: tenTo(1_000_000), Looks: 3,
			Make: func(_ *Env, n int) (Point, error) { return liveTokens(&sigs, n) },
		},
		{
			Name: "tokens/insert-into-full", Grows: "live tokens", Unit: "ns", Expect: Constant, Sizes: []int{100, 1000, 10_000, 100_000}, Looks: 3,
			Make: func(_ *Env, n int) (Point, error) { return fullCache(n) },
		},
	}
}

// A sigStore holds the signatures of tokens that differ in one number, so that a million of them take 43 MB.
type sigStore struct {
	key  *demo.Signer
	sigs [][43]byte
	at   int // where the number stands in the token, 12 octets of base64url
}

const serial = 9 // digits: whole groups of base64

func payload(i int) []byte {
	// What stands before the number is a multiple of three octets.
	return fmt.Appendf(nil, `{"jti":"abcd%0*d","iss":"https://login.example.com/realms/0","aud":[%q,"account"],"sub":"f3b1c2d4-5e6f-4a7b-8c9d-0123456789ab",`+
		`"client_id":"web-frontend","scope":"openid profile orders.read","realm_access":{"roles":["clerk","auditor","offline_access"]},"exp":%d}`,
		serial, i, corpus.Audience, expiry)
}

const beforeSerial = len(`{"jti":"abcd`)

// grow signs tokens until there are n.
func (s *sigStore) grow(n int) error {
	if s.key == nil {
		var err error
		if s.key, err = demo.NewSigner(jose.HS256, "k", 0); err != nil {
			return err
		}
	}
	for i := len(s.sigs); i < n; i++ {
		t, err := sign(s.key, payload(i))
		if err != nil {
			return err
		}
		s.at = strings.IndexByte(string(t), '.') + 1 + beforeSerial/3*4
		s.sigs = append(s.sigs, [43]byte(t[len(t)-43:]))
	}
	return nil
}

// set makes t, one of the tokens, that with number i.
func (s *sigStore) set(t []byte, i int) {
	var digits [serial]byte
	for d := serial - 1; d >= 0; d-- {
		digits[d] = byte('0' + i%10)
		i /= 10
	}
	base64.RawURLEncoding.Encode(t[s.at:], digits[:])
}

// liveTokens is a cache that holds n tokens, each of which is asked for.
func liveTokens(s *sigStore, n int) (Point, error) {
	if err := s.grow(n); err != nil {
		return Point{}, err
	}
	c := verify.NewCache(max(1<<20, int64(n)*2560))
	key, err := verify.NewKey(jose.HS256, s.key.Public())
	if err != nil {
		return Point{}, err
	}
	is := &verify.Issuer{
		Name: "https://login.example.com/realms/0", Audiences: []string{corpus.Audience}, Algs: jose.NewAlgSet(jose.HS256), ClockSkew: 10,
		Type: verify.TypeAccessToken, Keys: new(verify.KeyStore),
	}
	is.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: "k", HasKid: true, Key: key}}))
	v, err := verify.NewVerifier([]*verify.Issuer{is}, verify.Options{MaxTokenBytes: 16 << 10, Cache: c})
	if err != nil {
		return Point{}, err
	}
	raw, err := sign(s.key, payload(0))
	if err != nil {
		return Point{}, err
	}
	next, tok := walk(n), new(verify.Token)
	one := func() {
		i := next()
		s.set(raw, i)
		copy(raw[len(raw)-43:], s.sigs[i][:])
		must(v, tok, raw)
	}
	for range n {
		one()
	}
	if held := c.Stats().Entries; held < int64(n) {
		return Point{}, fmt.Errorf("of %d tokens the cache holds %d", n, held)
	}
	return Point{Run: arm.Func(func() {
		if one(); !tok.Cached() {
			panic("scale: a live token was not in the cache")
		}
	})}, nil
}

// fullCache is a cache with room for n tokens, into which others are put.
func fullCache(n int) (Point, error) {
	const octets, room = 700, 420
	probe := cache.New[int](1 << 30)
	raw := make([]byte, octets)
	probe.Put(cache.NewEntry[int](probe.Hash(raw), raw, room, expiry), now)
	before := cache.New[int](1 << 30).Stats().Bytes
	c := cache.New[int](int64(n) * (probe.Stats().Bytes - before) * 3 / 2) // a third is the table's
	i := 0
	put := func() {
		i++
		for d := range 8 {
			raw[100+d] = byte(i >> (8 * d))
		}
		c.Put(cache.NewEntry[int](c.Hash(raw), raw, room, expiry), now)
	}
	for c.Stats().Evicted < uint64(n) {
		put()
	}
	if held := c.Stats().Entries; held < int64(n)/2 || held > int64(n)*2 {
		return Point{}, fmt.Errorf("the cache for %d tokens holds %d", n, held)
	}
	return Point{Run: arm.Func(put)}, nil
}

var errSize = errors.New("scale: the claims cannot be made that size")

// claimCurves are of claims sets from 0.3 to 8 KiB, that is of groups or of many claims.
func claimCurves() []Curve {
	octets := []int{300, 1000, 2000, 4000, 8000}
	groups := func(n int) (map[string]any, error) {
		set := map[string]any{}
		var list []string
		for i := 0; ; i++ {
			list = append(list, fmt.Sprintf("/companies/example/departments/%04d", i))
			set["groups"] = list
			if full(set, n) {
				return set, nil
			}
		}
	}
	members := func(n int) (map[string]any, error) {
		set := map[string]any{}
		for i := range 240 {
			if set[fmt.Sprintf("claim_%d", i)] = "a value that is neither short nor long"; full(set, n) {
				return set, nil
			}
		}
		return nil, errSize
	}
	make := func(name string, cached bool, of func(n int) (map[string]any, error)) Curve {
		return Curve{Name: "claims/" + name, Grows: "octets", Unit: "ns", Expect: Linear, Sizes: octets, Make: func(_ *Env, n int) (Point, error) {
			set, err := of(n)
			if err != nil {
				return Point{}, err
			}
			return claimsPoint(set, cached)
		}}
	}
	return []Curve{
		make("groups-cached", true, groups),
		make("groups-never-seen-hs256", false, groups),
		make("members-never-seen-hs256", false, members),
		{
			Name: "claims/names-alike-hs256", Grows: "claims", Unit: "ns", Expect: Linear, Sizes: []int{2, 20, 60, 200},
			Make: func(_ *Env, n int) (Point, error) {
				set := map[string]any{}
				for i := range n {
					set[fmt.Sprintf("a%05dz", i)] = 1 // nothing but the middle tells them apart
				}
				return claimsPoint(set, false)
			},
		},
	}
}

func full(set map[string]any, octets int) bool {
	text, _ := json.Marshal(set) // strings and slices of them
	return len(text) >= octets-150
}

// claimsPoint verifies one token that says what set does.
func claimsPoint(set map[string]any, cached bool) (Point, error) {
	var c *verify.Cache
	if cached {
		c = verify.NewCache(1 << 20)
	}
	w, err := newWorld(jose.HS256, 1, 0, c)
	if err != nil {
		return Point{}, err
	}
	s, err := demo.NewSigner(jose.HS256, "k", 0)
	if err != nil {
		return Point{}, err
	}
	key, err := verify.NewKey(jose.HS256, s.Public())
	if err != nil {
		return Point{}, err
	}
	w.issuers[0].Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: s.Kid, HasKid: true, Key: key}}))
	for name, value := range map[string]any{"iss": w.issuers[0].Name, "aud": corpus.Audience, "scope": "orders.read", "exp": expiry} {
		set[name] = value
	}
	text, err := json.Marshal(set)
	if err != nil {
		return Point{}, err
	}
	token, err := sign(s, text)
	if err != nil {
		return Point{}, err
	}
	w.tokens = [][]byte{token}
	return Point{Run: w.run()}, nil
}
