package main

import (
	"fmt"
	"path/filepath"

	"sallyport/bench/bed"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

// proxyTokens is how many different tokens take turns; one short run sends each once.
const proxyTokens = 5000

func reexec() { proc.Main() }

// proxyFigures compare the CPU time of one request through sallyport with that through the bare proxy. Each has one CPU and
// GOMAXPROCS=1, load and upstream share the other one, and the time is that of the process's own CPU clock.
func proxyFigures() []Figure {
	return []Figure{
		proxyFigure("hs256-audit-on", AtMost(1.4), jose.HS256, bed.Options{Audit: true}),
		proxyFigure("rs256-never-seen", AtMost(1.6), jose.RS256, bed.Options{NeverSeen: true}),
		proxyFigure("es256-never-seen", AtMost(1.7), jose.ES256, bed.Options{NeverSeen: true}),
		proxyFigure("rs256-cached-audit-off", AtMost(1.15), jose.RS256, bed.Options{}),
		proxyFigure("rs256-cached-audit-on", AtMost(1.25), jose.RS256, bed.Options{Audit: true}),
	}
}

// proxyFigure makes one of them. With -against it compares with another build of sallyport instead, and has no goal.
func proxyFigure(name string, goal Goal, alg jose.Alg, opt bed.Options) Figure {
	return Figure{
		Name: "proxy/" + name + "/cpu-vs-bare", Against: "proxy/" + name + "/cpu-vs-other",
		Goal: goal, Lacks: twoCPUs, Ratio: cpuRatio(alg, opt),
	}
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

func cpuRatio(alg jose.Alg, opt bed.Options) func(*Env) (Pair, error) {
	return func(env *Env) (p Pair, err error) {
		b, err := bed.New(env.Dir, alg, proxyTokens)
		if err != nil {
			return p, err
		}
		defer func() {
			if err != nil {
				p.close()
				b.Close()
			}
		}()
		sallyport := func(binary string) (*bed.Proxy, error) { return b.Sallyport(binary, opt) }
		if p.Num, err = proxyArm(sallyport, env.Sallyport); err != nil {
			return p, err
		}
		start, other := b.Bare, filepath.Join(env.Tools, "bare")
		if env.Against != "" {
			start, other = sallyport, env.Against
		}
		if p.Den, err = proxyArm(start, other); err != nil {
			return p, err
		}
		if p.Twin, err = proxyArm(start, other); err != nil {
			return p, err
		}
		stop := p.Num.Close
		p.Num.Close = func() { stop(); b.Close() }
		return p, nil
	}
}

// proxyArm starts the proxy at path. A short run sends each token once; the cost is CPU time in nanoseconds for one request.
func proxyArm(start func(path string) (*bed.Proxy, error), path string) (Arm, error) {
	p, err := start(path)
	if err != nil {
		return Arm{}, err
	}
	run := func() (float64, error) {
		cost, err := p.Run(proxyTokens)
		if err != nil {
			err = fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		return cost, err
	}
	return Arm{Run: run, Close: p.Close}, nil
}
