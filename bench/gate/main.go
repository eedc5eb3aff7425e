// Command gate keeps the path of a request from getting slower unnoticed. It passes requests through the whole proxy in memory, from
// the octets of a head to those of the answer, and compares what that costs with work of the standard library on the same octets, in
// the same run. It prints one line for each case:
//
//	name  cost  ratio  limit  A/A control  ok|slow|noisy|n/a
//
// and ends with status 1 when a case is slow: when three repeats agree that the ratio is above its recorded limit, and the
// control of each is within 3 %. The allocations of a request are counted, and must be none. n/a means that no limit has been recorded
// for this kind of machine.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	cputime "sallyport/bench/arm"
	"sallyport/bench/corpus"
	"sallyport/bench/rig"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// cases are the paths. A token that has been seen costs the same whatever its algorithm.
var cases = []struct {
	name string
	opt  rig.Options
}{
	{"cached", rig.Options{Alg: jose.ES256, Tokens: 1000}},
	{"never-seen/RS256", rig.Options{Alg: jose.RS256, NeverSeen: true}},
	{"never-seen/ES256", rig.Options{Alg: jose.ES256, NeverSeen: true}},
	{"never-seen/EdDSA", rig.Options{Alg: jose.EdDSA, NeverSeen: true}},
}

// A gate is one run of the program.
type gate struct {
	clock
	out       io.Writer
	limits    string // file
	recording bool
	setup     func(rig.Options) (path, ref *arm, end func(), err error)
	slower    float64 // by how much the path is slowed, to prove that the gate sees it; 0: not
}

// maxTime is how long repeats may begin.
const maxTime = 3 * time.Minute

func main() {
	g := gate{clock: clock{now: cputime.ProcessTime, length: time.Millisecond, rounds: 400}, out: os.Stdout}
	g.setup = g.arms
	flag.StringVar(&g.limits, "limits", "bench/gate/limits.txt", "the file of limits")
	flag.BoolVar(&g.recording, "record", false, "write the limits of this machine anew")
	percent := flag.Float64("slow", 0, "slow every path down by so many percent; succeed when the gate sees it")
	flag.Parse()
	g.slower = *percent / 100
	// One processor, so that the process's time is that of the path; collections only between runs.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	g.end = time.Now().Add(maxTime)
	good, err := g.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !good {
		os.Exit(1)
	}
}

// run reports whether all cases are as they should be.
func (g *gate) run() (good bool, err error) {
	restore, err := corpus.UseKernels()
	if err != nil {
		return false, err
	}
	defer restore()
	fmt.Fprintf(g.out, "gate: %s\n", machine())
	var known limits
	recorded := map[string]float64{}
	if !g.recording {
		all, err := readLimits(g.limits)
		if err != nil {
			return false, err
		}
		if known = all[machine()]; known == nil {
			fmt.Fprintln(g.out, "n/a: no limit recorded for these kernels on this processor; make gate-record records them")
		}
	}
	if good, err = g.times(known, recorded); err != nil || g.slower > 0 {
		return good, err
	}
	if g.recording {
		return true, writeLimits(g.limits, machine(), recorded)
	}
	for _, c := range cases {
		c.opt.Audit = true
		fine, err := g.counted(c.name, c.opt)
		if err != nil {
			return false, fmt.Errorf("gate: %s: %w", c.name, err)
		}
		good = good && fine
	}
	return good, nil
}

// times measures all cases.
func (g *gate) times(known limits, recorded map[string]float64) (good bool, err error) {
	good = true
	for _, c := range cases {
		fine, err := g.timed(c.name, c.opt, known[c.name].limit, recorded)
		if err != nil {
			return false, fmt.Errorf("gate: %s: %w", c.name, err)
		}
		good = good && fine
	}
	return good, nil
}

// timed measures one case, and sets recorded when limits are recorded. limit is 0 when there is none.
func (g *gate) timed(name string, opt rig.Options, limit float64, recorded map[string]float64) (fine bool, err error) {
	arms := func() (*arm, *arm, func(), error) { return g.setup(opt) }
	var v verdict
	var r repeat
	switch {
	case g.recording:
		v = ok
		if r, err = g.record(arms); err == nil {
			recorded[name], limit = r.ratio, r.ratio*margin
		}
	case limit == 0:
		v = unknown
		r, err = g.once(arms)
	default:
		v, r, err = g.judge(arms, limit)
	}
	if err != nil {
		return false, err
	}
	fine, note := v != slow, ""
	switch {
	case g.slower > 0 && v == ok:
		fine, note = false, ": the gate does not see that it is slowed"
	case g.slower > 0 && v == slow:
		fine, note = true, ", as it should be"
	case v == ok && r.ratio*1.25 < limit:
		note = ", and so much faster than recorded that the gate is blind: make gate-record"
	}
	fmt.Fprintf(g.out, "%-18s %9s  %6.3f  %6.3f  %.3f  %s%s\n", name, r.cost, r.ratio, limit, r.control, v, note)
	return fine, nil
}

// arms are a path and its reference, warm.
func (g *gate) arms(opt rig.Options) (path, ref *arm, end func(), err error) {
	m, err := rig.NewMemory(opt)
	if err != nil {
		return nil, nil, nil, err
	}
	var public any
	if opt.NeverSeen {
		public = m.Corpus.Signer.Public()
	}
	path, ref = &arm{do: m.Run}, &arm{do: newReference(m.Requests(), public).run}
	if err = warm(m); err == nil && g.slower > 0 {
		m.Each, err = g.spinFor(path)
	}
	if err != nil {
		m.Close()
	}
	return path, ref, m.Close, err
}

// warm runs the path until the tables of its key are made, which a goroutine in the background does.
func warm(m *rig.Memory) error {
	for range 20 {
		if err := m.Run(200); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// spinFor returns a busy loop that takes as long as g.slower of one request on the path.
func (g *gate) spinFor(path *arm) (func(), error) {
	const loops = 1000
	x := uint64(1)
	spin := func(n int) error {
		y := x // in a register: what memory takes differs from run to run
		for range n {
			y = y*6364136223846793005 + 1
		}
		x = y
		return nil
	}
	request, loop := 1e9, 1e9
	for range 50 {
		cost, err := g.clock.run(path)
		if err != nil {
			return nil, err
		}
		request = min(request, cost)
		if cost, err = g.clock.run(&arm{do: func(n int) error { return spin(n * loops) }}); err != nil {
			return nil, err
		}
		loop = min(loop, cost/loops)
	}
	n := int(g.slower * request / loop)
	return func() { _ = spin(n) }, nil
}

// counted counts the allocations of one case, its audit log on.
func (g *gate) counted(name string, opt rig.Options) (fine bool, err error) {
	if opt.NeverSeen && verify.ActiveKernels() == (verify.Kernels{}) {
		fmt.Fprintf(g.out, "%-18s allocations  n/a: the standard library checks signatures here\n", name)
		return true, nil
	}
	m, err := rig.NewMemory(opt)
	if err != nil {
		return false, err
	}
	defer m.Close()
	if err := warm(m); err != nil {
		return false, err
	}
	return g.judgeAllocs(name, m)
}

func (g *gate) judgeAllocs(name string, m *rig.Memory) (fine bool, err error) {
	n, err := m.AllocsPerRequest()
	if err != nil {
		return false, err
	}
	word := "too many"
	if fine = n == 0; fine {
		word = "ok"
	}
	fmt.Fprintf(g.out, "%-18s %.2f allocations  %s\n", name, n, word)
	return fine, nil
}
