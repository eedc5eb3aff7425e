package main

import (
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/proc"
	"sallyport/bench/stats"
	"sallyport/verify/jose"
)

// twoCores compares sallyport with GOMAXPROCS=2 with itself with 1 at the same offered load.
func (b *bed) twoCores() (Outcome, error) {
	const rate = 5000
	o := Outcome{Name: "cached RS256 at 5 000/s, GOMAXPROCS=2 by 1", Bound: stats.AtMost(1.1), Verdict: stats.NA}
	cpus, err := proc.CPUs()
	if err != nil {
		return o, err
	}
	own := *b
	if own.measured = cpus[max(0, len(cpus)-2):]; len(cpus) == 2 {
		o.Note = "both CPUs for either, one of them the load's as well"
	}
	made, err := corpus.New(jose.RS256, b.tokens, time.Now())
	if err != nil {
		return o, err
	}
	forged, err := corpus.New(jose.RS256, 1, time.Now())
	if err != nil {
		return o, err
	}
	e := entryOf("sallyport", cached)
	var arms []*arm
	for i, cores := range []int{2, 1, 1} { // the last is for the control
		twin := *e
		twin.Twin = i == 2
		a := &arm{Row: &Row{Peer: e.Peer, Case: "rs256/" + cached, Cores: cores}, entry: &twin, bed: &own}
		defer a.close()
		if err := a.begin(made, forged.Tokens[0]); err != nil {
			o.Note = err.Error()
			return o, nil
		}
		arms = append(arms, a)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	b.say("%s", o.Name)
	for range b.budget.Rounds {
		runtime.GC()
		for _, i := range b.rng.Perm(len(arms)) {
			try := &offer{arm: arms[i], rate: rate}
			try.slice(max(2*b.budget.Run, 200*time.Millisecond))
			if arms[i].State != "" || len(try.latency) == 0 {
				return o, errors.New("peers: sallyport does not answer: " + arms[i].State)
			}
			arms[i].costs = append(arms[i].costs, float64(try.cpu)/float64(len(try.latency)))
		}
	}
	arms[0].Control = ratio(arms[2].Row, arms[1].Row)
	note := o.Note
	o = judge(Goal{Name: o.Name, Bound: o.Bound}, arms[0].Row, arms[1].Row)
	o.Note = note
	return o, nil
}
