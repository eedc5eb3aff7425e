// Package upstream chooses among the endpoints of one upstream. It knows no protocol; transports lie below it.
package upstream

import (
	"crypto/tls"
	"slices"
	"sync/atomic"
	"time"
)

// Config is one upstream.
type Config struct {
	Name            string
	Endpoints       []string // host:port
	MaxConnections  int      // to each endpoint
	EjectAfter      int      // consecutive failures until an endpoint is left out; 0: never
	EjectFor        time.Duration
	ConnectTimeout  time.Duration
	ResponseTimeout time.Duration
	IdleTimeout     time.Duration
	TLS             *tls.Config
	TLSKey          string // equal keys are equal TLS settings
}

// Equal reports whether a pool made of c can serve o.
func (c Config) Equal(o Config) bool {
	return c.Name == o.Name && slices.Equal(c.Endpoints, o.Endpoints) && c.MaxConnections == o.MaxConnections &&
		c.EjectAfter == o.EjectAfter && c.EjectFor == o.EjectFor && c.ConnectTimeout == o.ConnectTimeout &&
		c.ResponseTimeout == o.ResponseTimeout && c.IdleTimeout == o.IdleTimeout &&
		(c.TLS == nil) == (o.TLS == nil) && c.TLSKey == o.TLSKey
}

// Client is a transport to one endpoint.
type Client interface{ Close() }

// Endpoint is one server of an upstream.
type Endpoint struct {
	Client  Client
	address string
	pool    *Pool

	inFlight atomic.Int64
	failures atomic.Int64 // consecutive
	ejected  atomic.Int64 // Unix seconds until which it is left out; 0: it is not
}

// Address returns host:port.
func (e *Endpoint) Address() string { return e.address }

// Pool is an upstream: its endpoints and their health. It is safe for concurrent use.
type Pool struct {
	cfg       Config
	endpoints []*Endpoint
	step      uint64        // from one endpoint that Pick looks at to the next; comes by all of them
	next      atomic.Uint64 // where the search for the least loaded begins
}

// New makes the pool; dial makes the transport to an endpoint and must not connect.
func New(cfg Config, dial func(endpoint string) Client) *Pool {
	p := &Pool{cfg: cfg}
	for _, a := range cfg.Endpoints {
		p.endpoints = append(p.endpoints, &Endpoint{Client: dial(a), address: a, pool: p})
	}
	p.step = stepFor(uint64(len(p.endpoints)))
	return p
}

// stepFor spreads the looks of one Pick over all n endpoints, so that neighbours in the config that are busy together do not fill it:
// about the golden section of n, and without a divisor in common.
func stepFor(n uint64) uint64 {
	if n <= maxLooks {
		return 1
	}
	step := n * 618 / 1000
	for a, b := n, step; ; a, b = n, step {
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return step
		}
		step++
	}
}

// maxLooks is how many endpoints a Pick compares: the least loaded of so many, another so many each time, is as good as the
// least loaded of all (Mitzenmacher 2001: two do nearly), and a thousand cost 2 µs a request.
const maxLooks = 16

// Pick returns the endpoint with the fewest exchanges in flight, of the next maxLooks in turn that are not ejected, and the next in
// turn among equals. Ejected endpoints are left out while there are others: with all of them ejected the least loaded is tried
// all the same. now is in Unix seconds. The caller must call Done or Abandon on what it gets.
func (p *Pool) Pick(now int64) *Endpoint {
	if len(p.endpoints) == 1 {
		e := p.endpoints[0]
		e.inFlight.Add(1)
		return e
	}
	start := p.next.Add(1)
	e := p.least(start, now, false)
	if e == nil {
		e = p.least(start, now, true)
	}
	e.inFlight.Add(1)
	return e
}

func (p *Pool) least(start uint64, now int64, ejectedToo bool) *Endpoint {
	var best *Endpoint
	var load int64
	n := uint64(len(p.endpoints))
	looks := 0
	for i := range n {
		e := p.endpoints[(start+i*p.step)%n]
		if !ejectedToo && e.ejected.Load() > now {
			continue
		}
		l := e.inFlight.Load()
		if best == nil || l < load {
			best, load = e, l
		}
		if looks++; load == 0 || looks == maxLooks {
			break // nothing has less than none
		}
	}
	return best
}

// Abandon ends an exchange that says nothing about the endpoint: it was not asked, or the client was at fault. Failures stay
// counted: else a client could keep a dead endpoint in use by sending it what is refused.
func (e *Endpoint) Abandon() { e.inFlight.Add(-1) }

// Done ends an exchange. ok says whether the endpoint behaved.
func (e *Endpoint) Done(ok bool, now int64) {
	e.inFlight.Add(-1)
	if ok {
		if e.failures.Load() != 0 {
			e.failures.Store(0)
			e.ejected.Store(0)
		}
		return
	}
	after := int64(e.pool.cfg.EjectAfter)
	if n := e.failures.Add(1); after > 0 && n >= after {
		e.ejected.Store(now + max(int64(e.pool.cfg.EjectFor/time.Second), 1))
	}
}

// Status is one endpoint as metrics show it.
type Status struct {
	Address  string
	InFlight int64
	Ejected  bool
}

// Status returns the endpoints' states at now, in Unix seconds.
func (p *Pool) Status(now int64) []Status {
	out := make([]Status, len(p.endpoints))
	for i, e := range p.endpoints {
		out[i] = Status{Address: e.address, InFlight: e.inFlight.Load(), Ejected: e.ejected.Load() > now}
	}
	return out
}

// Close closes the idle connections of every endpoint. Exchanges in flight end by themselves.
func (p *Pool) Close() {
	for _, e := range p.endpoints {
		e.Client.Close()
	}
}
