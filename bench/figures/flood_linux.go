package main

import (
	"errors"
	"time"

	"sallyport/bench/flood"
	"sallyport/verify/jose"
)

// floodPhase is how long the traffic of one run is offered. It is some thousand good requests.
const floodPhase = 400 * time.Millisecond

// floodFigures are what a flood of forged RS256 tokens leaves of good cached traffic, the standard library checking the signatures; see
// package flood.
func floodFigures() []Figure {
	return []Figure{
		{Name: "flood/good-completed", Goal: AtLeast(0.95), Lacks: twoCPUs, Value: func(env *Env) (Arm, error) {
			b, err := startFlood(env)
			if err != nil {
				return Arm{}, err
			}
			return Arm{Close: b.Close, Run: func() (float64, error) {
				p, err := runFlood(b, true)
				return p.Completed(), err
			}}, nil
		}},
		{Name: "flood/hit-p99-ratio", Goal: AtMost(2), Lacks: twoCPUs, Ratio: func(env *Env) (Pair, error) {
			b, err := startFlood(env)
			if err != nil {
				return Pair{}, err
			}
			p99 := func(flooded bool) func() (float64, error) {
				return func() (float64, error) {
					p, err := runFlood(b, flooded)
					return float64(p.HitP99), err
				}
			}
			return Pair{Num: Arm{Run: p99(true), Close: b.Close}, Den: Arm{Run: p99(false)}}, nil
		}},
	}
}

func startFlood(env *Env) (*flood.Bed, error) {
	return flood.Start(flood.Options{Sallyport: env.Sallyport, Kernels: "std", Dir: env.Dir, Alg: jose.RS256})
}

// runFlood runs a phase, in which the flood must be one.
func runFlood(b *flood.Bed, flooded bool) (flood.Phase, error) {
	p, err := b.Run(floodPhase, flooded)
	switch {
	case err != nil:
	case flooded && p.Checked < 100:
		err = errors.New("the flood did not come to the pool")
	case p.Flood.Bare503 > 0:
		err = errors.New("the pool refused without Retry-After")
	case p.Flood.Status[200] > 0:
		err = errors.New("a forged token was let through")
	}
	return p, err
}
