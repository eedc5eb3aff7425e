package stats

import (
	"slices"
	"time"
)

// enoughForP999 is how many samples the 99.9 % quantile rests on at least: a hundred lie above it.
const enoughForP999 = 100_000

// Quantiles are of latencies, in milliseconds. P999 is 0 when there are too few samples.
type Quantiles struct {
	P50, P99, P999 float64
	Samples        int
}

// QuantilesOf sorts latencies, of which there must be at least one.
func QuantilesOf(latencies []time.Duration) Quantiles {
	slices.Sort(latencies)
	n := len(latencies)
	at := func(q float64) float64 {
		return float64(latencies[min(int(q*float64(n)), n-1)]) / float64(time.Millisecond)
	}
	out := Quantiles{P50: at(0.5), P99: at(0.99), Samples: n}
	if n >= enoughForP999 {
		out.P999 = at(0.999)
	}
	return out
}
