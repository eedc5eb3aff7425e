package stats

import (
	"math/rand/v2"
	"testing"
)

func TestMedian(t *testing.T) {
	check := func(want float64, values ...float64) {
		t.Helper()
		if got := Median(values); got != want {
			t.Errorf("Median(%v) = %v, want %v", values, got, want)
		}
	}
	check(3, 3)
	check(2, 1, 3)
	check(2, 3, 2, 1)
	check(2.5, 4, 1, 3, 2)
	values := []float64{3, 1, 2}
	if Median(values); values[0] != 3 {
		t.Errorf("median changed its argument to %v", values)
	}
}

func TestBootstrapIsRepeatable(t *testing.T) {
	values := []float64{1.1, 0.9, 1.0, 1.3, 0.7, 1.05, 0.95}
	if a, b := Bootstrap(values), Bootstrap(values); a != b {
		t.Errorf("Bootstrap = %v, then %v", a, b)
	}
	if got, want := Bootstrap([]float64{2, 2, 2, 2}), (Interval{2, 2}); got != want {
		t.Errorf("Bootstrap of equal values = %v, want %v", got, want)
	}
}

// A 95 % interval must hold the true median 95 times in 100; with 24 values the percentile bootstrap is a little bold.
func TestBootstrapCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials = 200
	covered := 0
	for range trials {
		values := make([]float64, 24)
		for i := range values {
			values[i] = 1.5 + 0.1*rng.NormFloat64()
		}
		if ci := Bootstrap(values); ci.Low <= 1.5 && 1.5 <= ci.High {
			covered++
		}
	}
	if covered < trials*90/100 {
		t.Errorf("the interval held the true median in %d of %d trials, want 90 %% at least", covered, trials)
	}
}
