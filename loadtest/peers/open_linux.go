package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"sallyport/bench/load"
	"sallyport/bench/stats"
)

// patience is after how long a response is of no use to anybody.
const patience = time.Second

// newStream returns an open loop over the requests in turn.
func newStream(requests [][]byte) *load.Stream {
	next := 0
	return &load.Stream{
		Source: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Conns: conns, Patience: patience,
		Next: func() []byte {
			next = (next + 1) % len(requests)
			return requests[next]
		},
	}
}

// openLoop offers the rates, each in slices between which the arms take turns.
func (b *bed) openLoop(arms []*arm) {
	var takers []*arm
	for _, a := range arms {
		// Bare fasthttp is the same in all groups, and the audit log's cost is in the closed loop.
		if !a.entry.Twin && !a.entry.Audit && (a.Case == plain || a.Peer != yardstick) {
			takers = append(takers, a)
		}
	}
	for _, rate := range offered {
		b.say("%s: %d requests/s offered, %.1f s for each", titles[group(arms[0].Row)], rate, b.budget.offer(rate).Seconds())
		tries := make([]*offer, len(takers))
		order := make([]int, len(takers))
		for i, a := range takers {
			tries[i], order[i] = &offer{arm: a, rate: rate}, i
			if most := a.perSec(); most < float64(rate) {
				tries[i].State = fmt.Sprintf("cannot follow: %.0f/s at most", most)
			}
		}
		for range b.budget.Slices {
			runtime.GC()
			b.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, i := range order {
				if tries[i].State == "" && tries[i].arm.State == "" {
					tries[i].slice(b.budget.offer(rate) / time.Duration(b.budget.Slices))
				}
			}
		}
		for _, o := range tries {
			o.end()
		}
	}
}

// An offer is one rate to one arm.
type offer struct {
	arm       *arm
	rate      int
	State     string
	latency   []time.Duration
	offered   int
	took, cpu time.Duration
}

func (o *offer) slice(d time.Duration) {
	a := o.arm
	before, err := a.proc.CPUTime()
	if err != nil {
		a.fail(err)
		return
	}
	a.stream.Rate = float64(o.rate)
	tallies, err := a.load.Offer(d, a.stream)
	if err != nil {
		a.fail(err)
		return
	}
	after, err := a.proc.CPUTime()
	if err != nil {
		a.fail(err)
		return
	}
	t := tallies[0]
	o.offered += t.Offered
	o.took += d
	o.cpu += after - before
	o.latency = append(o.latency, t.Latency...)
	if t.InTime < t.Offered {
		o.State = fmt.Sprintf("cannot follow: %d of %d answered with 200 in %s", t.InTime, t.Offered, patience)
	}
}

// end writes down what was found.
func (o *offer) end() {
	l := OpenLoad{Rate: o.rate, State: o.State}
	if o.arm.State != "" {
		l.State = o.arm.State
	}
	if n := len(o.latency); n > 0 {
		l.Got = float64(n) / o.took.Seconds()
		l.CPU = float64(o.cpu.Nanoseconds()) / float64(n) / 1000
		l.Latency = stats.QuantilesOf(o.latency)
	}
	o.arm.Loads = append(o.arm.Loads, l)
}
