package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/bench/rig"
	"sallyport/verify/jose"
)

// A fakeClock is moved on by the requests themselves: the path is the real one, and what it takes is what the test says.
type fakeClock struct{ time.Duration }

// The cost of one request of the reference, and of the path when its limits were recorded.
const usual = 1000

// newGate returns a gate whose paths pass requests through the proxy and take cost for each. cost is asked once for a run, with the
// repeat and the run in it as arguments.
func newGate(t *testing.T, out io.Writer, cost func(repeat, run int) time.Duration) *gate {
	t.Helper()
	var now fakeClock
	m, err := rig.NewMemory(rig.Options{Alg: jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	g := &gate{out: out}
	g.clock = clock{now: func() time.Duration { return now.Duration }, length: 10 * usual, rounds: 8, end: time.Now().Add(time.Hour)}
	repeats := 0
	g.setup = func(rig.Options) (path, ref *arm, end func(), err error) {
		repeat, run := repeats, 0
		repeats++
		path = &arm{n: 10, do: func(n int) error {
			c := cost(repeat, run)
			run++
			m.Each = func() { now.Duration += c }
			return m.Run(n)
		}}
		ref = &arm{n: 10, do: func(n int) error {
			now.Duration += time.Duration(n) * usual
			return nil
		}}
		return path, ref, func() {}, nil
	}
	return g
}

// usualLimits are those recorded of a path that takes as long as its reference.
func usualLimits() limits {
	l := limits{}
	for _, c := range cases {
		l[c.name] = entry{1, margin}
	}
	return l
}

func constant(d time.Duration) func(int, int) time.Duration {
	return func(int, int) time.Duration { return d }
}

// One path takes cost, and the limits are those of usual.
func TestTimes(t *testing.T) {
	check := func(what string, cost func(repeat, run int) time.Duration, known limits, wantGood bool, want string) {
		t.Helper()
		var out strings.Builder
		good, err := newGate(t, &out, cost).times(known, nil)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "  "+want+"\n"); good != wantGood || lines != len(cases) {
			t.Errorf("%s: good %v, want %v; %d cases are %q of %d:\n%s", what, good, wantGood, lines, want, len(cases), out.String())
		}
	}
	check("as recorded", constant(usual), usualLimits(), true, "ok")
	check("slowed by 25 %", constant(usual*5/4), usualLimits(), false, "slow")
	check("slowed by 10 %", constant(usual*11/10), usualLimits(), true, "ok")
	check("half of the cost", constant(usual/2), usualLimits(), true, "ok, and so much faster than recorded that the gate is blind: make gate-record")
	check("no limit", constant(usual*5), nil, true, "n/a")
	// Every other run is of the other half of the control.
	halves := func(a, b time.Duration) func(int, int) time.Duration {
		return func(_, run int) time.Duration { return [...]time.Duration{a, b}[run%2] }
	}
	check("control off by 4 %", halves(usual*130/100, usual*125/100), usualLimits(), true, "noisy")
	check("control off by 4 % the other way", halves(usual*125/100, usual*130/100), usualLimits(), true, "noisy")
	check("control off by 2 %", halves(usual*125/100, usual*1275/1000), usualLimits(), false, "slow")
	check("a busy neighbour in seven runs of eight", func(_, run int) time.Duration {
		if run == 2 || run == 5 { // one in each half
			return usual
		}
		return 3 * usual
	}, usualLimits(), true, "ok")
	// Of the three repeats of each case one does not agree.
	for n := range maxRepeats {
		check("one repeat in three within the limit", func(repeat, _ int) time.Duration {
			if repeat%(n+1) == n {
				return usual
			}
			return usual * 5 / 4
		}, usualLimits(), true, "ok")
		check("one repeat in three with a bad control", func(repeat, run int) time.Duration {
			if repeat%maxRepeats == n && run%2 == 0 {
				return usual * 4 / 3
			}
			return usual * 5 / 4
		}, usualLimits(), true, "noisy")
	}
}

// A machine that takes too long says nothing.
func TestTimesOutOfTime(t *testing.T) {
	var out strings.Builder
	g := newGate(t, &out, constant(usual*5/4))
	g.end = time.Now().Add(-time.Second)
	if good, err := g.times(usualLimits(), nil); !good || err != nil || strings.Count(out.String(), "  noisy\n") != len(cases) {
		t.Errorf("times() = %v, %v:\n%s", good, err, out.String())
	}
}

// With -slow what is slow is right, and what is not is wrong.
func TestSlowed(t *testing.T) {
	for cost, want := range map[time.Duration]bool{usual * 5 / 4: true, usual: false} {
		g := newGate(t, io.Discard, constant(cost))
		g.slower = 0.25
		if good, err := g.times(usualLimits(), nil); good != want || err != nil {
			t.Errorf("slowed to %v: %v, %v, want %v", cost, good, err, want)
		}
	}
}

// What is recorded is the middle one, and no repeat with a bad control is among them.
func TestRecord(t *testing.T) {
	costs := []time.Duration{usual * 13 / 10, usual * 9, usual * 11 / 10, usual * 3, usual * 12 / 10, usual / 2}
	g := newGate(t, io.Discard, func(repeat, run int) time.Duration {
		c := costs[repeat%len(costs)]
		if c == usual*9 && run%2 == 0 {
			return c * 2
		}
		return c
	})
	g.recording = true
	recorded := map[string]float64{}
	if _, err := g.times(nil, recorded); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if recorded[c.name] != 1.2 {
			t.Errorf("recorded %s %v, want 1.2", c.name, recorded[c.name])
		}
	}
	g = newGate(t, io.Discard, func(_, run int) time.Duration { return usual * time.Duration(1+run%2) })
	g.recording = true
	if _, err := g.times(nil, recorded); err == nil {
		t.Error("limits are recorded with bad controls")
	}
}

// The reference must find all requests right, or it measures its refusals.
func TestReference(t *testing.T) {
	for _, c := range cases {
		m, err := rig.NewMemory(c.opt)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ref := newReference(m.Requests(), m.Corpus.Signer.Public())
		if err := ref.run(len(m.Requests())); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		last := m.Requests()[0]
		last[len(last)-20] ^= 4 // in the signature
		if err := ref.run(1); err == nil {
			t.Errorf("%s: a forged token is right", c.name)
		}
	}
}

func TestLimitsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.txt")
	for _, machine := range []string{"go1.26 amd64 A rsa=ifma", "go1.26 amd64 B rsa=adx", "go1.26 amd64 A rsa=ifma"} {
		if err := writeLimits(path, machine, map[string]float64{"cached": 1.25, machine[13:14]: 0.5}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readLimits(path)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := all["go1.26 amd64 A rsa=ifma"], all["go1.26 amd64 B rsa=adx"]; len(all) != 2 || len(a) != 2 || len(b) != 2 ||
		a["cached"] != (entry{1.25, 1.4}) || b["B"] != (entry{0.5, 0.56}) {
		t.Errorf("read %v", all)
	}
	for _, text := range []string{"cached 1 1.1\n", "[m]\ncached 1\n", "[m]\ncached 1 x\n", "[m]\ncached 1 0\n", "[m]\ncached NaN 1\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := readLimits(path); err == nil {
			t.Errorf("readLimits of %q: %v", text, all)
		}
	}
}

// A limit that 25 % more would not reach, with some noise, is none.
func TestCommittedLimits(t *testing.T) {
	all, err := readLimits("limits.txt")
	if err != nil {
		t.Fatal(err)
	}
	for machine, known := range all {
		for _, c := range cases {
			if e, has := known[c.name]; !has || e.limit < e.ratio || e.limit > 1.18*e.ratio {
				t.Errorf("[%s] %s: %+v", machine, c.name, e)
			}
		}
		if len(known) != len(cases) {
			t.Errorf("[%s] has %d cases of %d", machine, len(known), len(cases))
		}
	}
	if len(all) == 0 {
		t.Error("there are no limits")
	}
}
