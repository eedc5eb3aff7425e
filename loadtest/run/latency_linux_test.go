package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/bench/load"
)

func TestParseRates(t *testing.T) {
	if got, err := parseRates("200,5000"); err != nil || !slices.Equal(got, []float64{200, 5000}) {
		t.Errorf("parseRates = %v, %v", got, err)
	}
	for _, bad := range []string{"", "0", "x", "5,,6", "NaN", "1e9"} {
		if _, err := parseRates(bad); err == nil || !strings.Contains(err.Error(), "RATES") {
			t.Errorf("parseRates(%q) = %v, want an error", bad, err)
		}
	}
}

func TestJudgeRate(t *testing.T) {
	good := load.Tally{Offered: 1000, InTime: 995, Latency: make([]time.Duration, 1000)}
	good.Status[200] = 1000
	if !allHeld(judgeRate(&good, 100, true)) {
		t.Error("995 of 1000 in time fail")
	}
	if row := rateRow(&good, 100); !strings.Contains(row, "n/a") || strings.Contains(row, "cannot follow") {
		t.Errorf("row %q: want no p99.9 of 1000 samples", row)
	}
	late := good
	late.InTime = 980
	if allHeld(judgeRate(&late, 100, true)) || !allHeld(judgeRate(&late, 100, false)) || !strings.Contains(rateRow(&late, 100), "cannot follow") {
		t.Error("980 of 1000 in time: want a failure at the first rate, and a mark at others")
	}
	wrong := good
	wrong.Status[503]++
	if allHeld(judgeRate(&wrong, 100, false)) || allHeld(judgeRate(&load.Tally{}, 100, false)) {
		t.Error("a 503, or no answer at all, passes")
	}
}
