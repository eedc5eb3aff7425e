package main

import (
	"fmt"
	"slices"

	"sallyport/bench/stats"
)

// A Row is what was measured of one peer in one case on so many cores.
type Row struct {
	Peer, Case string
	Cores      int
	State      string // why it was not timed, or not to the end; "" for all well

	// One value a round of the closed loop; the rounds of a group's rows took turns.
	costs []float64 // CPU time of one request, in ns
	rates []float64 // requests a second
	busy  []float64 // part of the cores that was used

	RSS   float64 // MiB, at the end of the closed loop
	Loads []OpenLoad
	// Ratio is the cost by that of bare fasthttp in the same round, and the control that of another bare fasthttp.
	Ratio, Control *Estimate
}

// An OpenLoad is what became of a fixed rate of requests.
type OpenLoad struct {
	Rate    int
	State   string // why it was not, or not wholly, answered; "" for all answered with 200 in time
	Got     float64
	CPU     float64         // µs a request
	Latency stats.Quantiles // of the responses with 200, in ms
}

// An Estimate is a median and its 95 % interval.
type Estimate struct {
	Value float64
	stats.Interval
}

func estimate(values []float64) *Estimate {
	if len(values) == 0 {
		return nil
	}
	return &Estimate{stats.Median(values), stats.Bootstrap(values)}
}

// String returns the estimate as it is printed.
func (e *Estimate) String() string {
	if e == nil {
		return "n/a"
	}
	return fmt.Sprintf("%s %s", stats.Number(e.Value), e.Interval)
}

// timed reports whether there are figures.
func (r *Row) timed() bool { return len(r.costs) > 0 }

func (r *Row) cpu() float64    { return stats.Median(r.costs) / 1000 }
func (r *Row) perSec() float64 { return stats.Median(r.rates) }

// ratio returns num's cost by den's over the rounds that both have; rows of one group took turns. nil: there are none.
func ratio(num, den *Row) *Estimate {
	if num == nil || den == nil {
		return nil
	}
	n := min(len(num.costs), len(den.costs))
	out := make([]float64, n)
	for i := range out {
		out[i] = num.costs[i] / den.costs[i]
	}
	return estimate(out)
}

// find returns the row of a peer and case on one core, nil when there is none.
func find(rows []*Row, peer, name string) *Row {
	if i := slices.IndexFunc(rows, func(r *Row) bool { return r.Peer == peer && r.Case == name && r.Cores == 1 }); i >= 0 {
		return rows[i]
	}
	return nil
}
