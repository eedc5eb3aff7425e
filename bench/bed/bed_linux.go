// Package bed puts a proxy, as a process on a CPU of its own, between clients and an upstream that share another CPU.
package bed

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/load"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

// conns is how many connections the clients have, unless Options says otherwise.
const conns = 32

// A Bed is what proxies under test share: the tokens, the requests that bear them, and the CPUs. It belongs to one goroutine.
type Bed struct {
	Requests [][]byte

	dir      string
	corpus   *corpus.Corpus
	measured int // CPU of the proxies
	unpin    func()
}

// New makes so many tokens, and ties the caller to the CPU of the load until Close. dir is for configs and logs.
func New(dir string, alg jose.Alg, tokens int) (*Bed, error) {
	measured, rest, err := proc.Split()
	if err != nil {
		return nil, err
	}
	b := &Bed{dir: dir, measured: measured}
	if b.corpus, err = corpus.New(alg, tokens, time.Now()); err != nil {
		return nil, err
	}
	b.Requests = b.corpus.Requests()
	b.unpin, err = proc.Pin(rest)
	return b, err
}

// Close gives the CPU back.
func (b *Bed) Close() {
	if b.unpin != nil {
		b.unpin()
	}
}

// Options is how sallyport is asked to run.
type Options struct {
	Audit     bool // the audit log goes to a file
	NeverSeen bool // the claim cache is off; else all tokens fit into it, and have been seen after the first turn
	Admin     bool // the admin listener is on, with its profiles
	Conns     int  // connections of clients; 0: 32
}

const config = `
[[listener]]
address = %q
max_connections = %d
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
output = %q
[admin]
address = %q
pprof = %t
[log]
level = "warn"
[cache]
size = %q
`

// A Proxy is running. Load is its clients and its upstream.
type Proxy struct {
	*proc.Process
	Load  *load.Load
	CPU   int
	Admin string // host:port of sallyport's admin listener, "" for none
}

// Bare starts the program bench/bare at path.
func (b *Bed) Bare(path string) (*Proxy, error) {
	return b.start(conns, func(address, upstream string) ([]string, error) {
		return []string{path, "-listen", address, "-upstream", upstream}, nil
	})
}

// Sallyport starts a build of sallyport with a config as somebody would write it: a scope, two claim headers.
func (b *Bed) Sallyport(binary string, opt Options) (*Proxy, error) {
	if opt.Conns == 0 {
		opt.Conns = conns
	}
	admin := ""
	if opt.Admin {
		var err error
		if admin, err = proc.FreeAddress(); err != nil {
			return nil, err
		}
	}
	p, err := b.start(opt.Conns, func(address, upstream string) ([]string, error) {
		dir, err := os.MkdirTemp(b.dir, "sallyport-")
		if err != nil {
			return nil, err
		}
		key, err := b.corpus.WriteKey(dir)
		if err != nil {
			return nil, err
		}
		audit, cache := "off", "64MiB"
		if opt.Audit {
			audit = filepath.Join(dir, "audit.log")
		}
		if opt.NeverSeen {
			cache = "0"
		}
		text := fmt.Sprintf(config, address, max(1000, 2*opt.Conns), corpus.Issuer, corpus.Audience, b.corpus.Signer.Alg.String(), key,
			upstream, audit, admin, opt.Admin, cache)
		path := filepath.Join(dir, "sallyport.toml")
		return []string{binary, "serve", "-config", path}, os.WriteFile(path, []byte(text), 0o600)
	})
	if p != nil {
		p.Admin = admin
	}
	return p, err
}

// start starts a proxy between two free ports, and connects to it.
func (b *Bed) start(n int, command func(address, upstream string) (argv []string, err error)) (_ *Proxy, err error) {
	p := &Proxy{CPU: b.measured}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.Load, err = load.Listen(); err != nil {
		return nil, err
	}
	address, err := proc.FreeAddress()
	if err != nil {
		return nil, err
	}
	argv, err := command(address, p.Load.Upstream())
	if err != nil {
		return nil, err
	}
	if p.Process, err = proc.Start(b.measured, argv...); err != nil {
		return nil, err
	}
	if err = p.WaitListening(address); err != nil {
		return nil, err
	}
	return p, p.Load.Dial(address, n, b.Requests)
}

// Run sends n requests and returns the CPU time that the proxy took for each, in nanoseconds.
func (p *Proxy) Run(n int) (float64, error) {
	before, err := p.CPUTime()
	if err != nil {
		return 0, err
	}
	if _, err := p.Load.Run(n); err != nil {
		return 0, err
	}
	after, err := p.CPUTime()
	return float64(after-before) / float64(n), err
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	if p.Process != nil {
		p.Stop()
	}
	if p.Load != nil {
		p.Load.Close()
	}
}
