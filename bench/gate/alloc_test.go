//go:build !race

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/bench/corpus"
	"sallyport/bench/rig"
	"sallyport/verify/jose"
)

var sink *[64]byte

func TestCountsAllocations(t *testing.T) {
	m, err := rig.NewMemory(rig.Options{Alg: jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n := 0
	for _, c := range []struct {
		each func()
		want bool
		line string
	}{
		{nil, true, "0.00 allocations  ok"},
		{func() { sink = new([64]byte) }, false, "1.00 allocations  too many"},
		{func() {
			if n++; n%10 == 0 {
				sink = new([64]byte)
			}
		}, false, "0.10 allocations  too many"},
	} {
		var out strings.Builder
		m.Each = c.each
		good, err := (&gate{out: &out}).judgeAllocs("x", m)
		if good != c.want || err != nil || !strings.Contains(out.String(), c.line) {
			t.Errorf("judgeAllocs() = %v, %v, %q; want %v, %q", good, err, out.String(), c.want, c.line)
		}
	}
}

// The whole program but for the clock: its status is that of times and allocations.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.txt")
	restore, err := corpus.UseKernels()
	if err != nil {
		t.Fatal(err)
	}
	here := machine()
	restore()
	check := func(what string, write func(), g *gate, wantGood bool, want string) {
		t.Helper()
		var out strings.Builder
		write()
		g.out, g.limits = &out, path
		if good, err := g.run(); good != wantGood || err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: run() = %v, %v, want %v and %q:\n%s", what, good, err, wantGood, want, out.String())
		}
	}
	write := func(machine string) func() {
		return func() {
			recorded := map[string]float64{}
			for _, c := range cases {
				recorded[c.name] = 1
			}
			os.Remove(path)
			if err := writeLimits(path, machine, recorded); err != nil {
				t.Fatal(err)
			}
		}
	}
	check("as recorded", write(here), newGate(t, nil, constant(usual)), true, "never-seen/RS256   0.00 allocations  ok")
	check("slowed by 25 %", write(here), newGate(t, nil, constant(usual*5/4)), false, "slow")
	check("another machine", write("another"), newGate(t, nil, constant(usual*5/4)), true, "n/a: no limit recorded for these kernels")
}
