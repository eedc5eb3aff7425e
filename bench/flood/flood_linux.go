// Package flood measures what a flood of forged tokens costs those whose tokens are known: a real proxy on one CPU, good cached
// traffic that is offered at a fixed part of that CPU, and beside it, from another address, tokens that are well-formed, all
// different, and signed wrongly, at three times what the proxy can verify. Clients and upstream are on the other CPU.
package flood

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/load"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

const (
	// GoodPart is the part of the proxy's CPU that the good traffic takes by itself.
	GoodPart = 0.3
	// FloodFactor is the flood's rate by the rate of verifications that the proxy comes to when it does nothing else.
	FloodFactor = 3

	goodTokens = 1000
	goodConns  = 64
	floodConns = 16
	// floodDepth keeps data for each connection's goroutine in the socket at all times: it is never parked for want of it.
	floodDepth = 32
	// patience is after how long a good client would have given up.
	patience = time.Second
)

var (
	goodSource  = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	floodSource = netip.AddrFrom4([4]byte{127, 0, 0, 3})
)

const config = `
[[listener]]
address = %q
max_connections = 2000
max_requests_per_connection = 1000000000
[[issuer]]
issuer = %q
audiences = [%q]
algorithms = [%q]
[[issuer.keys]]
%s
[[upstream]]
name = "up"
endpoints = [%q]
[[route]]
name = "orders"
path = "/api/orders/*"
require.scopes = ["orders.read"]
claim_headers = { X-User = "sub", X-Roles = "roles" }
upstream = "up"
[audit]
output = "/dev/null"
[admin]
address = %q
[log]
level = "warn"
`

// Options says what is run.
type Options struct {
	Sallyport string   // path of the binary
	Kernels   string   // value of SALLYPORT_KERNELS
	Dir       string   // scratch
	Alg       jose.Alg // of all tokens
	// Calibrate is for how long Capacity and Verifications are measured, each; 0: 2 s.
	Calibrate time.Duration
}

// A Bed is a proxy with both kinds of clients. It belongs to one goroutine.
type Bed struct {
	load    *load.Load
	proxy   *proc.Process
	address string
	admin   string
	good    *load.Stream
	flood   *load.Stream
	undo    []func()

	// Capacity is how many good requests a second take all of the CPU, and Verifications how many signatures of a flood the pool
	// checks a second when there is nothing else. Both are measured by Start.
	Capacity, Verifications float64
}

// Start starts a proxy, fills its cache and measures it.
func Start(opt Options) (b *Bed, err error) {
	b = new(Bed)
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	measured, rest, err := proc.Split()
	if err != nil {
		return nil, err
	}
	c, err := corpus.New(opt.Alg, goodTokens, time.Now())
	if err != nil {
		return nil, err
	}
	unpin, err := proc.Pin(rest)
	if err != nil {
		return nil, err
	}
	b.undo = append(b.undo, unpin)
	if err = b.startProxy(opt, c, measured); err != nil {
		return nil, err
	}
	b.good = &load.Stream{Source: goodSource, Conns: goodConns, Next: turns(c.Requests()), Patience: patience}
	b.flood = &load.Stream{Source: floodSource, Conns: floodConns, Depth: floodDepth, Shed: true, Next: forger(c), Patience: 3 * time.Second}
	for _, s := range []*load.Stream{b.good, b.flood} {
		if err = b.load.DialStream(b.address, s); err != nil {
			return nil, err
		}
	}
	return b, b.calibrate(cmp.Or(opt.Calibrate, 2*time.Second))
}

func (b *Bed) startProxy(opt Options, c *corpus.Corpus, cpu int) (err error) {
	if b.load, err = load.Listen(); err != nil {
		return err
	}
	if b.address, err = proc.FreeAddress(); err != nil {
		return err
	}
	if b.admin, err = proc.FreeAddress(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(opt.Dir, "flood-")
	if err != nil {
		return err
	}
	key, err := c.WriteKey(dir)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(config, b.address, corpus.Issuer, corpus.Audience, opt.Alg.String(), key, b.load.Upstream(), b.admin)
	path := filepath.Join(dir, "sallyport.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	if opt.Kernels != "" {
		before, was := os.LookupEnv("SALLYPORT_KERNELS")
		os.Setenv("SALLYPORT_KERNELS", opt.Kernels) // the child takes it from here
		defer func() {
			if os.Unsetenv("SALLYPORT_KERNELS"); was {
				os.Setenv("SALLYPORT_KERNELS", before)
			}
		}()
	}
	if b.proxy, err = proc.Start(cpu, opt.Sallyport, "serve", "-config", path); err != nil {
		return err
	}
	return b.proxy.WaitListening(b.address)
}

// Close ends everything.
func (b *Bed) Close() {
	if b.proxy != nil {
		b.proxy.Stop()
	}
	if b.load != nil {
		b.load.Close()
	}
	for _, f := range b.undo {
		f()
	}
}

func turns(list [][]byte) func() []byte {
	next := 0
	return func() []byte {
		r := list[next]
		if next++; next == len(list) {
			next = 0
		}
		return r
	}
}

// base64url without the last quarter: its digits do not touch the trailing bits of a segment.
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// forger returns a source of requests with tokens that differ from a good one in their signatures alone, each in another way. A
// signature stays of the right length and in range, so that it takes as long to refuse as it can.
func forger(c *corpus.Corpus) func() []byte {
	request := corpus.Request(c.Tokens[0])
	sig := []byte(c.Tokens[0][strings.LastIndexByte(c.Tokens[0], '.')+1:])
	at := strings.Index(string(request), string(sig)) + len(sig)/2
	counter := uint64(time.Now().UnixNano())
	return func() []byte {
		counter++
		for i := range 10 { // 60 bits
			request[at+i] = digits[counter>>(6*i)&63]
		}
		return request
	}
}

// saturate runs one stream for d as fast as the proxy takes it.
func (b *Bed) saturate(s *load.Stream, d time.Duration) (load.Tally, error) {
	rate, shed := s.Rate, s.Shed
	s.Rate, s.Shed = 500_000, true
	tallies, err := b.load.Offer(d, s)
	s.Rate, s.Shed = rate, shed
	if err != nil {
		return load.Tally{}, err
	}
	return tallies[0], nil
}

// calibrate measures Capacity and Verifications, and sets the rates by them.
func (b *Bed) calibrate(d time.Duration) error {
	for sent := 0; sent < goodTokens; { // fills the cache, however busy the machine is
		tally, err := b.saturate(b.good, d/2)
		if err != nil {
			return err
		}
		if tally.Sent == 0 {
			return errors.New("flood: the proxy takes no requests")
		}
		sent += tally.Sent
	}
	before, err := b.proxy.CPUTime()
	if err != nil {
		return err
	}
	tally, err := b.saturate(b.good, d)
	if err != nil {
		return err
	}
	after, err := b.proxy.CPUTime()
	if err != nil {
		return err
	}
	if tally.Status[200] != tally.Sent || tally.Sent == 0 {
		return fmt.Errorf("flood: %d of %d good requests were answered with 200", tally.Status[200], tally.Sent)
	}
	b.Capacity = float64(tally.Sent) / (after - before).Seconds()
	b.good.Rate = GoodPart * b.Capacity

	old, err := b.scrape()
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := b.saturate(b.flood, d); err != nil {
		return err
	}
	took := time.Since(start)
	now, err := b.scrape()
	if err != nil {
		return err
	}
	checked := now.verifications() - old.verifications()
	if checked < 1 {
		return errors.New("flood: the flood did not come to the pool")
	}
	b.Verifications = checked / took.Seconds()
	b.flood.Rate = FloodFactor * b.Verifications
	return nil
}

// A Phase is what one run came to.
type Phase struct {
	Good, Flood load.Tally
	HitP50      time.Duration // time to decide on a token that was in the cache, measured in the proxy
	HitP99      time.Duration
	Checked     float64 // signatures
	Rejected    float64 // by the pool
}

// Completed is the part of the offered good requests that were answered well and in time.
func (p *Phase) Completed() float64 { return float64(p.Good.InTime) / float64(p.Good.Offered) }

// Run offers the good traffic for d, and the flood beside it when flooded is set.
func (b *Bed) Run(d time.Duration, flooded bool) (Phase, error) {
	var p Phase
	streams := []*load.Stream{b.good}
	if flooded {
		streams = append(streams, b.flood)
	}
	old, err := b.scrape()
	if err != nil {
		return p, err
	}
	tallies, err := b.load.Offer(d, streams...)
	if err != nil {
		return p, err
	}
	now, err := b.scrape()
	if err != nil {
		return p, err
	}
	p.Good = tallies[0]
	if flooded {
		p.Flood = tallies[1]
	}
	p.Checked = now.verifications() - old.verifications()
	p.Rejected = now.rejected() - old.rejected()
	hits := now.hits.minus(old.hits)
	p.HitP50, p.HitP99 = hits.quantile(0.5), hits.quantile(0.99)
	if n := hits.count(); n < uint64(p.Good.Status[200]) {
		return p, fmt.Errorf("flood: %d of %d good requests were not answered from the cache", p.Good.Status[200]-int(n), p.Good.Status[200])
	}
	if p.Good.Status[200] == 0 {
		return p, errors.New("flood: no good request was answered")
	}
	return p, nil
}
