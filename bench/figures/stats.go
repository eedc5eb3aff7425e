package main

import (
	"math/rand/v2"
	"slices"
)

// resamples is how often the bootstrap draws. With 4000 the ends of a 95 % interval rest on about 100 draws each.
const resamples = 4000

// An interval is a range of values, both ends included.
type interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// median returns the middle of values, the mean of the two middle ones when their number is even. It does not change values,
// of which there must be at least one.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// bootstrap returns the 95 % percentile interval of the median: values are drawn with replacement as often as there are
// values, the median is taken, and the 2.5 % at each end of all the medians are left out (Efron 1979). The seed is fixed, so
// that the same values give the same interval.
func bootstrap(values []float64) interval {
	rng := rand.New(rand.NewPCG(0x5a11, 0x9047))
	medians := make([]float64, resamples)
	draw := make([]float64, len(values))
	for i := range medians {
		for j := range draw {
			draw[j] = values[rng.IntN(len(values))]
		}
		medians[i] = median(draw)
	}
	slices.Sort(medians)
	tail := resamples * 25 / 1000
	return interval{medians[tail], medians[resamples-1-tail]}
}
