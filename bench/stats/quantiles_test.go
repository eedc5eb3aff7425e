package stats

import (
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	var few, many []time.Duration
	for i := range enoughForP999 {
		many = append(many, time.Duration(enoughForP999-i)*time.Microsecond)
	}
	few = append(few, many[len(many)-1000:]...)
	check := func(values []time.Duration, want Quantiles) {
		t.Helper()
		if got := QuantilesOf(values); got != want {
			t.Errorf("QuantilesOf %d values = %+v, want %+v", len(values), got, want)
		}
	}
	check([]time.Duration{time.Millisecond}, Quantiles{1, 1, 0, 1})
	check(few, Quantiles{0.501, 0.991, 0, 1000})
	check(many, Quantiles{50.001, 99.001, 99.901, enoughForP999})
}
