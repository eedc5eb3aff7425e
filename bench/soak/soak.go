package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/verify"
	"sallyport/verify/jose"
	"sallyport/verify/pool"

	bench "sallyport/bench/corpus"
)

const (
	goroutines = 32
	// cacheShare is how much of the cache there is for each genuine token: about a third of what one takes.
	cacheShare = 384
	// together is how many goroutines, or nearly, ask about the same unpopular token at the same time.
	together = 8
	keysStay = 2 * time.Millisecond
)

type options struct {
	tokens   uint64 // that go through
	perAlg   int    // genuine tokens of each algorithm
	progress io.Writer
}

// A kind is what is done with a token of a family.
type kind uint8

const (
	genuine kind = iota
	stolen
	changed
	forged // the signature differs
	numKinds
)

var kindNames = [numKinds]string{"genuine", "other key's signature", "changed claims", "forged signature"}

// A report is what a run came to.
type report struct {
	verdicts [numKinds][verify.NumReasons]uint64
	wrong    uint64
	examples []string // of wrong ones
	hits     uint64
	unclear  uint64 // checks of tokens of kid b during which keys changed: more than one verdict is right
	changes  uint64 // of keys
	evicted  uint64
	pool     pool.Stats
	took     time.Duration
}

// A soak is a run.
type soak struct {
	opt       options
	corpus    *corpus
	keys      *verify.KeyStore
	cache     *verify.Cache
	pool      *verify.Pool
	verifiers [len(audiences)]*verify.Verifier

	change atomic.Uint64 // twice the number of the change that is in force, and odd while the next one is made
	next   atomic.Uint64 // tokens begun
	crowd  atomic.Uint64 // see together
	hits   atomic.Uint64
	wrong  atomic.Uint64

	mu     sync.Mutex
	report report
}

func newSoak(opt options) (*soak, error) {
	c, err := newCorpus(opt.perAlg)
	if err != nil {
		return nil, err
	}
	s := &soak{opt: opt, corpus: c, keys: new(verify.KeyStore), cache: verify.NewCache(int64(len(c.families)) * cacheShare)}
	start := time.Now()
	s.pool = verify.NewPool(pool.Options{
		Shards: runtime.GOMAXPROCS(0), Queue: 24, PerSource: 8, MaxWait: int64(time.Second), Clock: func() int64 { return int64(time.Since(start)) },
	})
	for i, audience := range audiences {
		is := &verify.Issuer{
			Name: issuerName, Audiences: []string{audience}, Algs: jose.NewAlgSet(algs[:]...), ClockSkew: clockSkew,
			Type: verify.TypeAccessToken, Keys: s.keys,
		}
		s.verifiers[i], err = verify.NewVerifier([]*verify.Issuer{is}, verify.Options{MaxTokenBytes: 16 << 10, Cache: s.cache, Pool: s.pool})
		if err != nil {
			return nil, err
		}
	}
	s.publish(phases[0])
	return s, nil
}

// publish puts A and, unless it is nobody, b into force.
func (s *soak) publish(b signer) {
	var list []verify.KeyEntry
	for i, alg := range algs {
		list = append(list, verify.KeyEntry{Kid: keyA.kid(alg), HasKid: true, Key: s.corpus.keys[i][keyA]})
		if b != nobody {
			list = append(list, verify.KeyEntry{Kid: b.kid(alg), HasKid: true, Key: s.corpus.keys[i][b]})
		}
	}
	s.keys.Store(verify.NewKeySet(list))
}

// run sends all tokens through.
func run(opt options) (*report, error) {
	restore, err := bench.UseKernels()
	if err != nil {
		return nil, err
	}
	defer restore()
	s, err := newSoak(opt)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	var workers, others sync.WaitGroup
	done := make(chan struct{})
	others.Go(func() { s.changeKeys(done) })
	others.Go(func() { s.tell(done, start) })
	others.Go(func() { // the standard library serves until a key's tables are there
		for _, keys := range s.corpus.keys {
			for _, k := range keys[:foreign] {
				k.Precompute()
			}
		}
	})
	for i := range goroutines {
		workers.Go(func() { s.work(uint64(i)) })
	}
	workers.Wait()
	close(done)
	others.Wait()
	r := &s.report
	r.took, r.hits, r.wrong, r.changes = time.Since(start), s.hits.Load(), s.wrong.Load(), s.change.Load()/2
	r.evicted, r.pool = s.cache.Stats().Evicted, s.pool.Stats()
	return r, nil
}

func (s *soak) changeKeys(done chan struct{}) {
	t := time.NewTicker(keysStay)
	defer t.Stop()
	for i := uint64(1); ; i++ {
		select {
		case <-done:
			return
		case <-t.C:
		}
		s.change.Add(1)
		s.publish(phases[i%uint64(len(phases))])
		s.change.Add(1)
	}
}

// tell writes a line every few seconds.
func (s *soak) tell(done chan struct{}, start time.Time) {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
		}
		n := min(s.next.Load(), s.opt.tokens)
		fmt.Fprintf(s.opt.progress, "soak: %d of %d tokens in %.0fs, %d hits, %d wrong\n", n, s.opt.tokens, time.Since(start).Seconds(), s.hits.Load(), s.wrong.Load())
	}
}

// A draw is the next token to be checked, and who checks it when.
type draw struct {
	kind     kind
	token    *token
	raw      []byte
	audience int
	now      int64
	source   netip.Addr
}

// work checks tokens until enough have been begun.
func (s *soak) work(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x50a4))
	popular := rand.NewZipf(rng, 1.1, 8, uint64(len(s.corpus.families)-1))
	var tok verify.Token
	var d draw
	var verdicts [numKinds][verify.NumReasons]uint64
	unclear := uint64(0)
	for {
		n := s.next.Add(1)
		if n > s.opt.tokens {
			break
		}
		s.draw(&d, rng, popular)
		d.now = begin + int64(n*span/s.opt.tokens)
		from := s.change.Load()
		err := s.verifiers[d.audience].Verify(&tok, d.raw, d.now, d.source)
		to := s.change.Load()
		got := verify.ReasonOK
		if err != nil {
			got = verify.ReasonOf(err)
		}
		verdicts[d.kind][got]++
		if tok.Cached() {
			s.hits.Add(1)
		}
		// Odd is in between: either may have been in force.
		from, to = from/2, (to+1)/2
		if from != to && d.token.named != keyA {
			unclear++
		}
		if want := d.token.wantDuring(d.now, d.audience, from, to); !want.has(got) || !s.same(&tok, d.token, got) {
			s.blame(&d, got, want, &tok)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.unclear += unclear
	for k := range verdicts {
		for r := range verdicts[k] {
			s.report.verdicts[k][r] += verdicts[k][r]
		}
	}
}

// draw chooses a token: seven of eight by popularity, the others from the unpopular end and several goroutines the same at a time.
func (s *soak) draw(d *draw, rng *rand.Rand, popular *rand.Zipf) {
	families := s.corpus.families
	i, salt := popular.Uint64(), rng.Uint64()
	d.kind = [16]kind{stolen, stolen, changed, forged, forged, forged}[salt%16] // the others are genuine
	id := rng.Uint64()
	if salt>>8%8 == 0 {
		id = s.crowd.Add(1) / together
		i = uint64(len(families)) - 1 - id%(uint64(len(families))/2)
		d.kind = [4]kind{genuine, genuine, stolen, forged}[id%4]
	}
	f := &families[i]
	d.token = [numKinds]*token{&f.genuine, &f.stolen, &f.changed, &f.genuine}[d.kind]
	d.raw = d.raw[:0]
	if d.kind == forged {
		t := *d.token
		t.signed = nobody
		d.token = &t
		d.raw = appendForged(d.raw, d.token, id)
	} else {
		d.raw = append(d.raw, d.token.raw...)
	}
	d.audience = int(salt >> 16 & 15 / 15) // of one in 16 requests the other
	d.source = netip.AddrFrom4([4]byte{10, 0, 0, byte(salt >> 24 % 16)})
	if d.kind != genuine {
		d.source = netip.AddrFrom4([4]byte{10, 0, 0, byte(salt >> 24 % 4)})
	}
}

// same reports whether tok says of itself what is true of t: nothing when nobody checked its signature.
func (s *soak) same(tok *verify.Token, t *token, got verify.Reason) bool {
	switch got {
	case verify.ReasonOK, verify.ReasonAudience, verify.ReasonExpired:
		i := 0
		for algs[i] != t.alg {
			i++
		}
		exp, _ := tok.Claims().Expiry()
		return tok.Verified() && tok.Key() == s.corpus.keys[i][t.signed] && tok.Alg() == t.alg && exp == t.exp &&
			string(tok.Claims().Subject()) == t.sub && string(tok.Kid()) == t.named.kid(t.alg)
	}
	return !tok.Verified() && tok.Claims().Subject() == nil
}

func (s *soak) blame(d *draw, got verify.Reason, want verdicts, tok *verify.Token) {
	s.wrong.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.report.examples) < 20 {
		s.report.examples = append(s.report.examples, fmt.Sprintf("%s of %s (named %d, signed %d, exp %+d s, audience %d of %d, cached %v): %v, subject %q, want one of %#x",
			kindNames[d.kind], d.token.sub, d.token.named, d.token.signed, d.token.exp-d.now, d.token.audience, d.audience, tok.Cached(), got, tok.Claims().Subject(), uint64(want)))
	}
}

// busy is the part of all tokens that the pool had no room for.
func (r *report) busy() float64 {
	busy, all := uint64(0), uint64(0)
	for k := range r.verdicts {
		busy += r.verdicts[k][verify.ReasonVerificationBusy]
		for _, n := range r.verdicts[k] {
			all += n
		}
	}
	return float64(busy) / float64(all)
}

// String returns the report as a table.
func (r *report) String() string {
	var b strings.Builder
	for k, name := range kindNames {
		fmt.Fprintf(&b, "%s:", name)
		for reason, n := range r.verdicts[k] {
			if n > 0 {
				fmt.Fprintf(&b, " %v %d", verify.Reason(reason), n)
			}
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "cache: %d hits, %d evictions\npool: %d inline, %d queued, %d shared, %d rejected\n",
		r.hits, r.evicted, r.pool.Inline, r.pool.Queued, r.pool.Coalesced, r.pool.Rejected)
	fmt.Fprintf(&b, "keys: %d changes, and %d checks under way that they concern\ntime: %.1fs\nwrong verdicts: %d\n", r.changes, r.unclear, r.took.Seconds(), r.wrong)
	for _, e := range r.examples {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	return b.String()
}
