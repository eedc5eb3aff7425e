package main

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

const (
	// proxyTokens is how many different tokens take turns; one short run sends each once.
	proxyTokens = 5000
	proxyConns  = 32
)

func reexec() { proc.Main() }

// proxyFigures compare the CPU time of one request through sallyport with that through the bare proxy. Each has one CPU and
// GOMAXPROCS=1, load and upstream share the other one, and the time is that of the process's own CPU clock.
func proxyFigures() []Figure {
	return []Figure{
		proxyFigure("hs256-audit-on", AtMost(1.4), proxyOptions{alg: jose.HS256, audit: true}),
		proxyFigure("rs256-never-seen", AtMost(1.6), proxyOptions{alg: jose.RS256, neverSeen: true}),
		proxyFigure("es256-never-seen", AtMost(1.7), proxyOptions{alg: jose.ES256, neverSeen: true}),
		proxyFigure("rs256-cached-audit-off", AtMost(1.15), proxyOptions{alg: jose.RS256}),
		proxyFigure("rs256-cached-audit-on", AtMost(1.25), proxyOptions{alg: jose.RS256, audit: true}),
	}
}

// proxyFigure makes one of them. With -against it compares with another build of sallyport instead, and has no goal.
func proxyFigure(name string, goal Goal, opt proxyOptions) Figure {
	return Figure{
		Name: "proxy/" + name + "/cpu-vs-bare", Against: "proxy/" + name + "/cpu-vs-other",
		Goal: goal, Lacks: twoCPUs, Ratio: cpuRatio(opt),
	}
}

type proxyOptions struct {
	alg       jose.Alg
	audit     bool
	neverSeen bool // the claim cache is off; else all tokens fit into it, and have been seen after the first turn
}

// twoCPUs says what is wrong when proxy and load cannot have a CPU each.
func twoCPUs() string {
	if _, _, err := proc.Split(); err != nil {
		return err.Error()
	}
	return ""
}

// pinTo ties the calling goroutine to a thread on the CPU number i of those that this process may use.
func pinTo(i int) (undo func(), err error) {
	cpus, err := proc.CPUs()
	if err != nil {
		return nil, err
	}
	if i >= len(cpus) {
		return nil, fmt.Errorf("there are %d CPUs", len(cpus))
	}
	return proc.Pin(cpus[i])
}

func cpuRatio(opt proxyOptions) func(*Env) (Pair, error) {
	return func(env *Env) (p Pair, err error) {
		b := &bed{env: env}
		defer func() {
			if err != nil {
				p.close()
				b.close()
			}
		}()
		if err = b.start(opt.alg); err != nil {
			return p, err
		}
		if p.Num, err = b.sallyport(env.Sallyport, opt); err != nil {
			return p, err
		}
		other := b.bare
		if env.Against != "" {
			other = func() (Arm, error) { return b.sallyport(env.Against, opt) }
		}
		if p.Den, err = other(); err != nil {
			return p, err
		}
		if p.Twin, err = other(); err != nil {
			return p, err
		}
		stop := p.Num.Close
		p.Num.Close = func() { stop(); b.close() }
		return p, nil
	}
}

// A bed is what the arms share: the requests and the CPUs.
type bed struct {
	env      *Env
	measured int // CPU of the proxies
	corpus   *corpus.Corpus
	requests [][]byte
	unpin    func()
}

func (b *bed) start(alg jose.Alg) error {
	measured, rest, err := proc.Split()
	if err != nil {
		return err
	}
	b.measured = measured
	if b.corpus, err = corpus.New(alg, proxyTokens, time.Now()); err != nil {
		return err
	}
	b.requests = b.corpus.Requests()
	b.unpin, err = proc.Pin(rest)
	return err
}

func (b *bed) close() {
	if b.unpin != nil {
		b.unpin()
	}
}

func (b *bed) bare() (Arm, error) {
	return b.arm(func(address, upstream string) ([]string, error) {
		return []string{filepath.Join(b.env.Tools, "bare"), "-listen", address, "-upstream", upstream}, nil
	})
}

const proxyConfig = `
[[listener]]
address = %q
max_connections = 1000
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
address = ""
[log]
level = "warn"
[cache]
size = %q
`

// sallyport starts a build of sallyport with a config as somebody would write it: a scope, two claim headers, the audit log in a
// file.
func (b *bed) sallyport(binary string, opt proxyOptions) (Arm, error) {
	return b.arm(func(address, upstream string) ([]string, error) {
		dir, err := os.MkdirTemp(b.env.Dir, "sallyport-")
		if err != nil {
			return nil, err
		}
		key, err := b.corpus.WriteKey(dir)
		if err != nil {
			return nil, err
		}
		audit := "off"
		if opt.audit {
			audit = filepath.Join(dir, "audit.log")
		}
		cache := "64MiB"
		if opt.neverSeen {
			cache = "0"
		}
		config := fmt.Sprintf(proxyConfig, address, corpus.Issuer, corpus.Audience, opt.alg.String(), key, upstream, audit, cache)
		path := filepath.Join(dir, "sallyport.toml")
		return []string{binary, "serve", "-config", path}, os.WriteFile(path, []byte(config), 0o600)
	})
}

// arm starts a proxy between two free ports, connects to it, and makes one short run a turn through all requests. The cost
// is CPU time in nanoseconds for one request.
func (b *bed) arm(command func(address, upstream string) (argv []string, err error)) (Arm, error) {
	l, err := load.Listen()
	if err != nil {
		return Arm{}, err
	}
	address, err := proc.FreeAddress()
	if err != nil {
		l.Close()
		return Arm{}, err
	}
	argv, err := command(address, l.Upstream())
	if err != nil {
		l.Close()
		return Arm{}, err
	}
	p, err := proc.Start(b.measured, argv...)
	if err == nil {
		if err = p.WaitListening(address); err == nil {
			err = l.Dial(address, proxyConns, b.requests)
		}
		if err != nil {
			p.Stop()
		}
	}
	if err != nil {
		l.Close()
		return Arm{}, err
	}
	run := func() (float64, error) {
		before, err := p.CPUTime()
		if err != nil {
			return 0, err
		}
		if _, err := l.Run(len(b.requests)); err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Base(argv[0]), err)
		}
		after, err := p.CPUTime()
		return float64(after-before) / float64(len(b.requests)), err
	}
	return Arm{Run: run, Close: func() { p.Stop(); l.Close() }}, nil
}
