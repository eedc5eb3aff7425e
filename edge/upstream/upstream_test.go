package upstream

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

type fakeClient struct{ closed int }

func (c *fakeClient) Close() { c.closed++ }

func newPool(endpoints string, change func(*Config)) *Pool {
	cfg := Config{Name: "test", Endpoints: strings.Fields(endpoints), EjectAfter: 3, EjectFor: 10 * time.Second}
	if change != nil {
		change(&cfg)
	}
	return New(cfg, func(string) Client { return new(fakeClient) })
}

const now = int64(1_000_000)

// picks picks n times, without Done, and returns how often each endpoint was chosen.
func picks(p *Pool, n int) map[string]int {
	got := map[string]int{}
	for range n {
		got[p.Pick(now).Address()]++
	}
	return got
}

// fail lets an exchange with the endpoint called address fail n times.
func fail(t *testing.T, p *Pool, address string, n int, at int64) {
	t.Helper()
	for _, e := range p.endpoints {
		if e.address == address {
			for range n {
				e.inFlight.Add(1)
				e.Done(false, at)
			}
			return
		}
	}
	t.Fatalf("no endpoint %q", address)
}

func ejected(p *Pool, at int64) string {
	var out []string
	for _, s := range p.Status(at) {
		if s.Ejected {
			out = append(out, s.Address)
		}
	}
	return strings.Join(out, " ")
}

func TestPickLeastLoaded(t *testing.T) {
	p := newPool("a b c", nil)
	for name, n := range picks(p, 30) {
		if n != 10 {
			t.Errorf("of 30 exchanges in flight %d are at %s, want 10", n, name)
		}
	}
	// One endpoint is done with two of its exchanges: it gets the next two, whatever the turn.
	var e *Endpoint
	for _, e = range p.endpoints {
		if e.Address() == "b" {
			break
		}
	}
	e.Done(true, now)
	e.Abandon()
	for i := range 2 {
		if got := p.Pick(now); got != e {
			t.Errorf("pick %d: %s, want b, the least loaded", i, got.Address())
		}
	}
}

// Equals are taken in turn, also when each exchange ends before the next begins.
func TestPickTakesTurns(t *testing.T) {
	p := newPool("a b c", nil)
	got := map[string]int{}
	for range 30 {
		e := p.Pick(now)
		got[e.Address()]++
		e.Done(true, now)
	}
	for name, n := range got {
		if n != 10 {
			t.Errorf("of 30 exchanges %d went to %s, want 10", n, name)
		}
	}
}

// Among many endpoints a few are compared, and the load is spread all the same: also where some are ejected or busy.
func TestPickAmongMany(t *testing.T) {
	const n = 1000
	p := newPool(strings.Repeat("x ", n), nil)
	for _, e := range p.endpoints[:n/10] {
		e.ejected.Store(now + 10)
	}
	for _, e := range p.endpoints[n/10 : n/5] {
		e.inFlight.Store(100)
	}
	const each = 5
	for range each * n * 8 / 10 {
		p.Pick(now)
	}
	for i, e := range p.endpoints {
		got, want := e.inFlight.Load(), int64(each)
		switch {
		case i < n/10:
			want = 0
		case i < n/5:
			want = 100
		}
		if want != each && got != want || got < want-each || got > want+each {
			t.Errorf("endpoint %d: %d exchanges in flight, want about %d", i, got, want)
		}
	}
}

func TestStepComesByAll(t *testing.T) {
	for n := uint64(1); n < 300; n++ {
		seen := map[uint64]bool{}
		for i := range n {
			seen[i*stepFor(n)%n] = true
		}
		if uint64(len(seen)) != n {
			t.Errorf("of %d endpoints %d are looked at", n, len(seen))
		}
	}
}

func TestEjection(t *testing.T) {
	p := newPool("a b", nil)
	fail(t, p, "a", 2, now)
	if got := ejected(p, now); got != "" {
		t.Errorf("after 2 failures %q is ejected, want none", got)
	}
	fail(t, p, "a", 1, now)
	if got := ejected(p, now); got != "a" {
		t.Errorf("after 3 failures %q is ejected, want a", got)
	}
	if got := picks(p, 10); got["b"] != 10 {
		t.Errorf("with a ejected: %v, want all at b", got)
	}
	if got := ejected(p, now+9); got != "a" {
		t.Errorf("after 9 s %q is ejected, want a", got)
	}
	if got := ejected(p, now+10); got != "" {
		t.Errorf("after 10 s %q is ejected, want none", got)
	}
	// It comes back on trial: one more failure and it is out again, one success and it is as before.
	fail(t, p, "a", 1, now+10)
	if got := ejected(p, now+19); got != "a" {
		t.Errorf("after a failure on trial %q is ejected, want a", got)
	}
	e := p.endpoints[0]
	e.inFlight.Add(1)
	e.Done(true, now+19)
	fail(t, p, "a", 2, now+19)
	if got := ejected(p, now+19); got != "" {
		t.Errorf("after a success and 2 failures %q is ejected, want none", got)
	}
}

// Only failures in a row count, and what says nothing about the endpoint changes nothing.
func TestEjectionCountsInARow(t *testing.T) {
	p := newPool("a b", nil)
	e := p.endpoints[0]
	for range 10 {
		fail(t, p, "a", 2, now)
		e.inFlight.Add(1)
		e.Done(true, now)
	}
	if got := ejected(p, now); got != "" {
		t.Errorf("after never more than 2 failures in a row %q is ejected, want none", got)
	}
	for range 3 {
		fail(t, p, "a", 1, now)
		e.inFlight.Add(1)
		e.Abandon()
	}
	if got := ejected(p, now); got != "a" {
		t.Errorf("after 3 failures with abandoned exchanges between them %q is ejected, want a", got)
	}
	e.inFlight.Add(1)
	e.Abandon()
	if got := ejected(p, now); got != "a" {
		t.Errorf("after an abandoned exchange %q is ejected, want a", got)
	}
}

// With all of them ejected, all are tried: an upstream must not be down because it was.
func TestAllEjected(t *testing.T) {
	p := newPool("a b", nil)
	fail(t, p, "a", 3, now)
	fail(t, p, "b", 3, now)
	if got := picks(p, 10); got["a"] != 5 || got["b"] != 5 {
		t.Errorf("with all ejected: %v, want 5 each", got)
	}
	one := newPool("a", nil)
	fail(t, one, "a", 3, now)
	if got := one.Pick(now).Address(); got != "a" {
		t.Errorf("the only endpoint, ejected: picked %q", got)
	}
}

func TestNoEjection(t *testing.T) {
	p := newPool("a b", func(c *Config) { c.EjectAfter = 0 })
	fail(t, p, "a", 1000, now)
	if got := ejected(p, now); got != "" {
		t.Errorf("with EjectAfter 0 %q is ejected, want none", got)
	}
	// Less than the clock can tell is still an ejection.
	p = newPool("a b", func(c *Config) { c.EjectFor = time.Millisecond })
	fail(t, p, "a", 3, now)
	if got := ejected(p, now); got != "a" {
		t.Errorf("with EjectFor 1ms %q is ejected, want a", got)
	}
}

func TestConcurrentPicks(t *testing.T) {
	p := newPool("a b c", nil)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				e := p.Pick(now + int64(i))
				if i%7 == 0 {
					e.Abandon()
				} else {
					e.Done((i+w)%5 != 0, now+int64(i))
				}
			}
		})
	}
	wg.Wait()
	for _, s := range p.Status(now) {
		if s.InFlight != 0 {
			t.Errorf("%s: %d exchanges in flight at the end, want 0", s.Address, s.InFlight)
		}
	}
}

func TestPoolClose(t *testing.T) {
	p := newPool("a b c", nil)
	p.Close()
	for _, e := range p.endpoints {
		if n := e.Client.(*fakeClient).closed; n != 1 {
			t.Errorf("%s: closed %d times, want once", e.Address(), n)
		}
	}
}

// Every setting that a pool was made with makes it another one.
func TestConfigEqual(t *testing.T) {
	base := Config{Name: "a", Endpoints: []string{"x", "y"}, MaxConnections: 1, TLS: new(tls.Config), TLSKey: "k"}
	if other := base; !base.Equal(other) {
		t.Errorf("equal settings are not equal")
	}
	for name, change := range map[string]func(*Config){
		"Name":            func(c *Config) { c.Name = "b" },
		"Endpoints":       func(c *Config) { c.Endpoints = []string{"y", "x"} },
		"MaxConnections":  func(c *Config) { c.MaxConnections++ },
		"EjectAfter":      func(c *Config) { c.EjectAfter++ },
		"EjectFor":        func(c *Config) { c.EjectFor++ },
		"ConnectTimeout":  func(c *Config) { c.ConnectTimeout++ },
		"ResponseTimeout": func(c *Config) { c.ResponseTimeout++ },
		"IdleTimeout":     func(c *Config) { c.IdleTimeout++ },
		"TLS":             func(c *Config) { c.TLS = nil },
		"TLSKey":          func(c *Config) { c.TLSKey = "l" },
	} {
		other := base
		other.Endpoints = slices.Clone(base.Endpoints)
		change(&other)
		if base.Equal(other) || other.Equal(base) {
			t.Errorf("settings that differ in %s are equal", name)
		}
	}
}
