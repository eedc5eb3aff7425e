package stats

import "testing"

func TestJudge(t *testing.T) {
	check := func(g Goal, ci Interval, control *Interval, want Verdict) {
		t.Helper()
		if got := g.Judge(ci, control); got != want {
			t.Errorf("goal %s, interval %v, control %v: %s, want %s", g, ci, control, got, want)
		}
	}
	honest, biased := &Interval{0.98, 1.02}, &Interval{1.05, 1.10}
	check(AtMost(1.4), Interval{1.2, 1.3}, honest, OK)
	check(AtMost(1.4), Interval{1.2, 1.4}, honest, OK)
	check(AtMost(1.4), Interval{1.3, 1.5}, honest, Noisy)
	check(AtMost(1.4), Interval{1.41, 1.5}, honest, Short)
	check(AtLeast(4.5), Interval{4.6, 5}, honest, OK)
	check(AtLeast(4.5), Interval{4.4, 5}, honest, Noisy)
	check(AtLeast(4.5), Interval{4.1, 4.4}, honest, Short)
	check(Exactly(0), Interval{0, 0}, nil, OK)
	check(Exactly(0), Interval{0.01, 0.01}, nil, Short)
	check(Exactly(1), Interval{0.9, 1.1}, nil, Noisy)
	check(Goal{}, Interval{3, 4}, honest, OK)

	// Equals that differ by 5 % explain a miss, and a hit, of less than that.
	check(AtMost(1.4), Interval{1.41, 1.45}, biased, Noisy)
	check(AtMost(1.4), Interval{1.36, 1.39}, biased, Noisy)
	check(AtMost(1.4), Interval{1.6, 1.7}, biased, Short)
	check(AtMost(1.4), Interval{1.1, 1.2}, biased, OK)
	check(AtMost(1.4), Interval{1.36, 1.39}, &Interval{0.9, 0.95}, Noisy)
}

func TestGoalString(t *testing.T) {
	for want, g := range map[string]Goal{"<= 1.4": AtMost(1.4), ">= 4.5": AtLeast(4.5), "= 0": Exactly(0), "-": {}} {
		if got := g.String(); got != want {
			t.Errorf("goal is printed as %q, want %q", got, want)
		}
	}
}
