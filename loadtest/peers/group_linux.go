package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/load"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

// A bed is what all arms share: the programs, the CPUs and the time.
type bed struct {
	programs map[string]*Program
	dir      string
	measured []int // CPUs of the proxies
	upstream int   // CPU of the upstream with several cores; -1: it is in the clients' thread
	tokens   int
	budget   Budget
	rng      *rand.Rand
	progress io.Writer
	started  time.Time
}

func (b *bed) cores() int { return len(b.measured) }

func (b *bed) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "peers: %4.0fs %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// An arm is a running peer with its clients and its upstream.
type arm struct {
	*Row
	entry  *Entry
	proc   *proc.Process
	load   *load.Load // the clients, and the upstream unless up is another
	up     *load.Load
	stream *load.Stream
	n      int // requests in a short run
	bed    *bed
}

func (a *arm) close() {
	if a.proc != nil {
		a.proc.Stop()
	}
	for _, l := range []*load.Load{a.load, a.up} {
		if l != nil {
			l.Close()
		}
	}
	a.load, a.up = nil, nil // closed twice, it would close what others have opened since
}

// fail takes an arm out of all that follows.
func (a *arm) fail(err error) {
	a.State = err.Error()
	a.bed.say("%s %s: %v", a.Peer, a.Case, err)
	a.close()
}

// group measures all entries that take part with alg, AlgInvalid for plain proxying. The rows of peers that could not be had
// say why.
func (b *bed) group(alg jose.Alg) ([]*Row, error) {
	signed := alg
	if alg == jose.AlgInvalid {
		signed = jose.RS256 // plain proxying carries tokens all the same
	}
	made, err := corpus.New(signed, b.tokens, time.Now())
	if err != nil {
		return nil, err
	}
	forged, err := corpus.New(signed, 1, time.Now()) // another key under the same kid
	if err != nil {
		return nil, err
	}
	var rows []*Row
	var arms []*arm
	defer func() {
		for _, a := range arms {
			a.close()
		}
	}()
	list := entriesFor(alg)
	for i := range list {
		e := &list[i]
		a := &arm{Row: &Row{Peer: e.Peer, Case: e.caseName(alg), Cores: b.cores()}, entry: e, bed: b}
		rows = append(rows, a.Row)
		if err := a.begin(made, forged.Tokens[0]); err != nil {
			a.fail(err)
			continue
		}
		arms = append(arms, a)
	}
	b.say("%s: %d of %d are up and were right about good and forged tokens", titles[group(rows[0])], len(arms), len(list))
	if len(arms) == 0 || arms[0].Peer != yardstick {
		return nil, errors.New("peers: bare fasthttp, with which all are compared, does not run: " + rows[0].State)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // this process's collector would take the proxies' CPU
	arms = b.closedLoop(arms)
	if b.cores() == 1 {
		b.openLoop(arms)
	}
	twin := rows[len(rows)-1]
	for _, r := range rows[:len(rows)-1] {
		r.Ratio, r.Control = ratio(r, rows[0]), ratio(twin, rows[0])
	}
	return rows[:len(rows)-1], nil
}

// begin starts the arm's program, checks what it accepts, and warms it up.
func (a *arm) begin(made *corpus.Corpus, forged string) error {
	program := a.bed.programs[a.Peer]
	if program.Missing != nil {
		return fmt.Errorf("not available: %w", program.Missing)
	}
	address, err := a.start(program, made)
	if err != nil {
		return err
	}
	if err := a.check(address, made, forged); err != nil {
		return fmt.Errorf("not timed: %w", err)
	}
	requests := made.Requests()
	if err := a.load.Dial(address, conns, requests); err != nil {
		return err
	}
	a.stream = newStream(requests)
	if err := a.load.DialStream(address, a.stream); err != nil {
		return err
	}
	// A connection on which nothing comes at all is closed by most, within seconds.
	a.stream.Rate, a.stream.Patience = 1000, 10*time.Second
	a.serving(func() { _, err = a.load.Offer(2*conns*time.Millisecond, a.stream) })
	if err != nil {
		return err
	}
	a.stream.Patience = patience
	return a.warmUp()
}

func (a *arm) start(program *Program, made *corpus.Corpus) (address string, err error) {
	if a.load, err = load.Listen(); err != nil {
		return "", err
	}
	up := a.load
	if a.bed.upstream >= 0 {
		if a.up, err = load.Listen(); err != nil {
			return "", err
		}
		up = a.up
	}
	if address, err = proc.FreeAddress(); err != nil {
		return "", err
	}
	twin := ""
	if a.entry.Twin {
		twin = "-twin"
	}
	name := strings.NewReplacer("/", "-", "+", "-").Replace(a.Peer + "-" + a.Case + "-" + itoa(a.Cores) + twin)
	c := &Config{Dir: filepath.Join(a.bed.dir, name), Listen: address, Upstream: up.Upstream(), Cores: a.Cores}
	args, err := a.entry.write(c, made)
	if err != nil {
		return "", err
	}
	// Caddy would keep its state in the user's home.
	argv := slices.Concat([]string{"/usr/bin/env", "XDG_DATA_HOME=" + c.Dir, "XDG_CONFIG_HOME=" + c.Dir}, program.Argv, args)
	if a.proc, err = proc.StartOn(a.bed.measured, a.Cores, argv...); err != nil {
		return "", err
	}
	return address, a.proc.WaitListening(address)
}

// warmUp sends every token twice, which fills the caches, and finds out how many requests a short run has.
func (a *arm) warmUp() error {
	if _, err := a.run(a.bed.tokens); err != nil {
		return err
	}
	took, err := a.run(a.bed.tokens)
	if err != nil {
		return err
	}
	a.n = max(4*conns, int(float64(a.bed.tokens)*float64(a.bed.budget.Run)/float64(took)))
	return nil
}

// run is a closed loop of n requests.
func (a *arm) run(n int) (took time.Duration, err error) {
	a.serving(func() { took, err = a.load.Run(n) })
	return took, err
}

// serving calls f while the upstream serves, from a thread of its own if it has one.
func (a *arm) serving(f func()) {
	if a.up == nil {
		f()
		return
	}
	var wg sync.WaitGroup
	var ended atomic.Bool
	wg.Go(func() {
		undo, err := proc.Pin(a.bed.upstream)
		if err == nil {
			defer undo()
		}
		for err == nil && !ended.Load() {
			_, err = a.up.Offer(5 * time.Millisecond)
		}
	})
	f()
	ended.Store(true)
	wg.Wait()
}

// closedLoop runs the rounds, the arms of each in another order, and returns those that lasted.
func (b *bed) closedLoop(arms []*arm) []*arm {
	order := slices.Clone(arms)
	for i := range b.budget.Rounds {
		runtime.GC()
		b.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, a := range order {
			if err := a.round(); err != nil {
				a.fail(err)
			}
		}
		order = slices.DeleteFunc(order, func(a *arm) bool { return a.State != "" })
		if (i+1)%8 == 0 || i+1 == b.budget.Rounds {
			b.say("%s: round %d of %d", titles[group(arms[0].Row)], i+1, b.budget.Rounds)
		}
	}
	arms = slices.DeleteFunc(slices.Clone(arms), func(a *arm) bool { return a.State != "" })
	for _, a := range arms {
		rss, err := a.proc.RSS()
		if err != nil {
			a.fail(err)
		}
		a.RSS = float64(rss) / (1 << 20)
	}
	return slices.DeleteFunc(arms, func(a *arm) bool { return a.State != "" })
}

func (a *arm) round() error {
	before, err := a.proc.CPUTime()
	if err != nil {
		return err
	}
	took, err := a.run(a.n)
	if err != nil {
		return err
	}
	after, err := a.proc.CPUTime()
	if err != nil {
		return err
	}
	used := float64(after - before)
	if used <= 0 {
		return errors.New("a run cost nothing")
	}
	a.costs = append(a.costs, used/float64(a.n))
	a.rates = append(a.rates, float64(a.n)/took.Seconds())
	a.busy = append(a.busy, used/float64(took)/float64(a.Cores))
	return nil
}
