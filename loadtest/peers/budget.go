package main

import "time"

const (
	tokens = 5000 // different ones, which take turns
	conns  = 64   // keep-alive connections of the clients
)

// A Budget is how much time there is for each peer in each case.
type Budget struct {
	Seconds float64
	Rounds  int           // of the closed loop
	Run     time.Duration // of a round, about
	Slices  int           // of a rate of the open loop
}

// fullSeconds gives 10⁵ samples at the highest rate, so that there is a p99.9.
const fullSeconds = 15

// newBudget shares seconds out: a fifth to the closed loop, the rest to the open one.
func newBudget(seconds float64) Budget {
	b := Budget{Seconds: seconds, Rounds: 24, Slices: 4}
	if seconds < fullSeconds {
		b.Rounds, b.Slices = 5, 1
	}
	b.Run = max(time.Duration(seconds/5/float64(b.Rounds)*float64(time.Second)), 50*time.Millisecond)
	return b
}

// offer is how long rate is offered in all.
func (b Budget) offer(rate int) time.Duration {
	part := 5.0 / 36
	if rate == offered[len(offered)-1] {
		part = 7.0 / 12
	}
	return time.Duration(b.Seconds * 0.8 * part * float64(time.Second))
}

// offered are the rates that all peers are asked to follow, in requests a second.
var offered = []int{2000, 5000, 10000, 15000}
