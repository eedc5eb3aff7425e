package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// A work can be done any number of times in a row.
type work func(n int) error

// A clock measures by short runs.
type clock struct {
	now    func() time.Duration // the process's CPU time
	length time.Duration        // of a run, about
	rounds int                  // runs of each work in one repeat, an even number
	end    time.Time            // no repeat begins later; a machine that takes so long says nothing
}

// A repeat is one measurement of the path by its reference.
type repeat struct {
	ratio float64
	// control is the A/A control: the ratio of one half of the runs by that of the other, which are of the same.
	control float64
	cost    time.Duration // of one request on the path
}

// maxControl is how far from 1 the control may be.
const maxControl = 0.03

func (r repeat) noisy() bool { return math.Abs(r.control-1) > maxControl }

// repeat interleaves runs of path and reference, now the one and now the other first, and takes the least of each: what neighbours
// on the machine cost is in all runs but the luckiest.
func (c *clock) repeat(path, ref *arm) (repeat, error) {
	least := func(a *arm, i int) error {
		cost, err := c.run(a)
		a.least[i%2] = min(a.least[i%2], cost)
		return err
	}
	path.least, ref.least = nothing, nothing
	for i := range c.rounds {
		first, second := path, ref
		if i/2%2 == 1 {
			first, second = ref, path
		}
		if err := least(first, i); err != nil {
			return repeat{}, err
		}
		if err := least(second, i); err != nil {
			return repeat{}, err
		}
		if i%16 == 15 {
			runtime.GC() // of what the reference has left; the collector is off otherwise
		}
	}
	p := min(path.least[0], path.least[1])
	return repeat{
		ratio:   p / min(ref.least[0], ref.least[1]),
		control: path.least[0] / ref.least[0] * ref.least[1] / path.least[1],
		cost:    time.Duration(p),
	}, nil
}

var nothing = [2]float64{math.Inf(1), math.Inf(1)}

// An arm is a work and what it cost.
type arm struct {
	do    work
	n     int        // in a run; 0: not known yet
	least [2]float64 // nanoseconds for one, in each half of the runs
}

// run does one run and returns what one of the work cost, in nanoseconds.
func (c *clock) run(a *arm) (float64, error) {
	for n := 1; a.n == 0; n *= 2 { // the first time
		start := c.now()
		if err := a.do(n); err != nil {
			return 0, err
		}
		if took := c.now() - start; took > c.length/4 {
			a.n = max(1, int(float64(n)*float64(c.length)/float64(took)))
		}
	}
	start := c.now()
	if err := a.do(a.n); err != nil {
		return 0, err
	}
	took := c.now() - start
	if took <= 0 {
		return 0, fmt.Errorf("gate: %d requests took no time", a.n)
	}
	return float64(took) / float64(a.n), nil
}

// A verdict is what the gate says of a case. The zero value is invalid.
type verdict uint8

const (
	invalid verdict = iota
	ok
	slow
	noisy
	unknown // there is no limit to compare with
)

func (v verdict) String() string {
	return [...]string{"invalid", "ok", "slow", "noisy", "n/a"}[v]
}

// maxRepeats is how many repeats must agree that a path is slow.
const maxRepeats = 3

// A setup makes the arms of one repeat. Each repeat has new ones, so that no accident of where things lie in memory is in all.
type setup func() (path, ref *arm, end func(), err error)

// judge repeats until one repeat is within the limit or there are maxRepeats. The path is slow only when all of those say so, and
// the controls of all are good.
func (c *clock) judge(arms setup, limit float64) (v verdict, last repeat, err error) {
	v = slow
	for range maxRepeats {
		if time.Now().After(c.end) {
			return noisy, last, nil
		}
		if last, err = c.once(arms); err != nil {
			return invalid, last, err
		}
		switch {
		case last.noisy():
			v = noisy
		case last.ratio <= limit:
			return ok, last, nil
		}
	}
	return v, last, nil
}

func (c *clock) once(arms setup) (repeat, error) {
	path, ref, end, err := arms()
	if err != nil {
		return repeat{}, err
	}
	defer end()
	return c.repeat(path, ref)
}

// recorded is how many repeats a limit rests on; an odd number.
const recorded = 5

// record returns the middle one of several repeats with good controls.
func (c *clock) record(arms setup) (repeat, error) {
	var good []repeat
	for range 4 * recorded {
		r, err := c.once(arms)
		if err != nil {
			return r, err
		}
		if r.noisy() {
			continue
		}
		if good = append(good, r); len(good) == recorded {
			slices.SortFunc(good, func(a, b repeat) int { return cmp.Compare(a.ratio, b.ratio) })
			return good[recorded/2], nil
		}
	}
	return repeat{}, errors.New("the machine is too busy to record on: the A/A controls are off by more than 3 %")
}
