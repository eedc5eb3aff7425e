package main

import "sallyport/bench/stats"

// A Goal is one thing that the comparison must show: the cost of Num by that of Den.
type Goal struct {
	Name     string
	Num, Den [2]string // peer and case
	Bound    stats.Goal
}

// An Outcome is what became of it.
type Outcome struct {
	Name    string
	Bound   stats.Goal
	Ratio   *Estimate
	Control *Estimate
	Verdict stats.Verdict
	Note    string
}

// goals is every goal that this program can judge.
func goals() []Goal {
	own := func(name string) [2]string { return [2]string{"sallyport", name} }
	bare := func(alg string) [2]string { return [2]string{yardstick, alg + "/" + unchecked} }
	var out []Goal
	for _, g := range []struct {
		alg, name                                     string
		never, envoyCached, haproxyCached             float64
		envoyNeverSeen, haproxyNeverSeen, caddyNeverS float64
	}{
		{"rs256", "RS256", 1.6, 2.7, 2.1, 3.7, 1.5, 6},
		{"es256", "ES256", 1.7, 3.3, 4.3, 5.5, 2.9, 7},
	} {
		hit, miss := own(g.alg+"/"+cached), own(g.alg+"/"+neverSeen)
		peer := func(name, what string) [2]string { return [2]string{name, g.alg + "/" + what} }
		out = append(out,
			Goal{"cached " + g.name + " by fasthttp", hit, bare(g.alg), stats.AtMost(1.15)},
			Goal{"cached " + g.name + " with the audit log by fasthttp", own(g.alg + "/" + audited), bare(g.alg), stats.AtMost(1.25)},
			Goal{"Envoy with its cache by cached " + g.name, peer("envoy", cached), hit, stats.AtLeast(g.envoyCached)},
			Goal{"HAProxy by cached " + g.name, peer("haproxy", neverSeen), hit, stats.AtLeast(g.haproxyCached)},
			Goal{"never-seen " + g.name + " by fasthttp", miss, bare(g.alg), stats.AtMost(g.never)},
			Goal{"Envoy by never-seen " + g.name, peer("envoy", neverSeen), miss, stats.AtLeast(g.envoyNeverSeen)},
			Goal{"HAProxy by never-seen " + g.name, peer("haproxy", neverSeen), miss, stats.AtLeast(g.haproxyNeverSeen)},
			Goal{"caddy-jwt by never-seen " + g.name, peer("caddy-jwt", neverSeen), miss, stats.AtLeast(g.caddyNeverS)},
		)
	}
	return out
}

// elsewhere are goals of the same table that other programs show.
var elsewhere = []Outcome{
	{Name: "in-process whole path, speed-up of -cpu 2", Bound: stats.AtLeast(1.8), Verdict: stats.NA, Note: "a Go benchmark of `bench` shows it, not this program"},
	{Name: "forged flood: good requests that complete, %", Bound: stats.AtLeast(95), Verdict: stats.NA, Note: "`make figures` shows it: flood/good-completed"},
	{Name: "soak of 30 minutes: slope of the live heap, %", Bound: stats.AtMost(1), Verdict: stats.NA, Note: "a scenario of its own"},
}

// outcomes judges the goals.
func outcomes(rows []*Row) []Outcome {
	var out []Outcome
	for _, g := range goals() {
		num, den := find(rows, g.Num[0], g.Num[1]), find(rows, g.Den[0], g.Den[1])
		out = append(out, judge(g, num, den))
	}
	return out
}

func judge(g Goal, num, den *Row) Outcome {
	o := Outcome{Name: g.Name, Bound: g.Bound, Ratio: ratio(num, den), Verdict: stats.NA}
	if o.Ratio == nil {
		o.Note = "not measured"
		for _, r := range []*Row{num, den} {
			if r != nil && r.State != "" {
				o.Note = r.Peer + ": " + r.State
			}
		}
		return o
	}
	o.Control = num.Control
	var control *stats.Interval
	if o.Control != nil {
		control = &o.Control.Interval
	}
	o.Verdict = g.Bound.Judge(o.Ratio.Interval, control)
	return o
}
