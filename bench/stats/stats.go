// Package stats judges what was measured: medians, their intervals, and goals.
package stats

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// resamples is how often the bootstrap draws. With 4000 the ends of a 95 % interval rest on about 100 draws each.
const resamples = 4000

// An Interval is a range of values, both ends included.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Median returns the middle of values, the mean of the two middle ones when their number is even. It does not change values,
// of which there must be at least one.
func Median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// Bootstrap returns the 95 % percentile interval of the median: values are drawn with replacement as often as there are
// values, the median is taken, and the 2.5 % at each end of all the medians are left out (Efron 1979). The seed is fixed, so
// that the same values give the same interval.
func Bootstrap(values []float64) Interval {
	rng := rand.New(rand.NewPCG(0x5a11, 0x9047))
	medians := make([]float64, resamples)
	draw := make([]float64, len(values))
	for i := range medians {
		for j := range draw {
			draw[j] = values[rng.IntN(len(values))]
		}
		medians[i] = Median(draw)
	}
	slices.Sort(medians)
	tail := resamples * 25 / 1000
	return Interval{medians[tail], medians[resamples-1-tail]}
}

// String returns the interval as it is printed.
func (i Interval) String() string { return "[" + Number(i.Low) + ", " + Number(i.High) + "]" }

// Number prints three significant digits of a fraction and all digits of what is larger.
func Number(v float64) string {
	switch {
	case v == float64(int64(v)):
		return strconv.FormatInt(int64(v), 10)
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
