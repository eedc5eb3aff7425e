package main

import (
	"errors"
	"fmt"

	"sallyport/bench/arm"
)

// minPairs is how many pairs a ratio rests on at least.
const minPairs = 20

// A Result is what became of one Figure.
type Result struct {
	Name     string    `json:"name"`
	Value    float64   `json:"value"`
	Interval *interval `json:"interval_95,omitempty"` // nil: counted, not sampled
	Unit     string    `json:"unit,omitempty"`
	Goal     string    `json:"goal"`
	Verdict  Verdict   `json:"verdict"`
	// Control is the A/A control of a ratio.
	Control   *float64  `json:"control,omitempty"`
	Control95 *interval `json:"control_95,omitempty"`
	Note      string    `json:"note,omitempty"`     // why n/a; where and when a recorded figure was taken
	NumCost   float64   `json:"num_cost,omitempty"` // medians of the two arms of a ratio
	DenCost   float64   `json:"den_cost,omitempty"`
}

// measure runs f.
func measure(f *Figure, env *Env, pairs int) (Result, error) {
	r := Result{Name: f.Name, Unit: f.Unit, Goal: f.Goal.String()}
	if f.Lacks != nil {
		if why := f.Lacks(); why != "" {
			r.Verdict, r.Note = NA, why
			return r, nil
		}
	}
	var err error
	switch {
	case f.Ratio != nil:
		err = r.ratio(f, env, pairs)
	case f.Value != nil:
		err = r.sample(f, env, pairs)
	case f.Count != nil:
		if r.Value, err = f.Count(env); err == nil {
			r.Verdict = f.Goal.Judge(interval{Low: r.Value, High: r.Value}, nil)
		}
	default:
		err = errors.New("it measures nothing")
	}
	if err != nil {
		return r, fmt.Errorf("figures: cannot measure %s: %w", f.Name, err)
	}
	return r, nil
}

// ratio runs the pairs of f and, in between, as many of its control, so that both see the same hours of the machine.
func (r *Result) ratio(f *Figure, env *Env, pairs int) error {
	p, err := f.Ratio(env)
	if err != nil {
		return err
	}
	defer p.close()
	twin := p.Twin
	if twin.Run == nil {
		twin = p.Den
	}
	for _, a := range []Arm{p.Num, p.Den, twin} { // warm-up
		if _, err := a.Run(); err != nil {
			return err
		}
	}
	nums, dens := make([]float64, pairs), make([]float64, pairs)
	ratios, controls := make([]float64, pairs), make([]float64, pairs)
	for i := range pairs {
		if nums[i], dens[i], err = runPair(p.Num, p.Den, i); err != nil {
			return err
		}
		a, b, err := runPair(twin, p.Den, i)
		if err != nil {
			return err
		}
		if dens[i] <= 0 || b <= 0 {
			return errors.New("a run cost nothing: it is too short for its clock")
		}
		ratios[i], controls[i] = nums[i]/dens[i], a/b
	}
	ci, control, control95 := bootstrap(ratios), median(controls), bootstrap(controls)
	r.Value, r.Interval = median(ratios), &ci
	r.Control, r.Control95 = &control, &control95
	r.NumCost, r.DenCost = median(nums), median(dens)
	r.Verdict = f.Goal.Judge(ci, &control95)
	return nil
}

// runPair runs a and b, in turns the one and the other first: over two pairs ABBA, so that a machine that gets slower
// favours neither.
func runPair(a, b Arm, i int) (costA, costB float64, err error) {
	if i%2 == 0 {
		if costA, err = a.Run(); err != nil {
			return 0, 0, err
		}
	}
	if costB, err = b.Run(); err != nil {
		return 0, 0, err
	}
	if i%2 == 1 {
		costA, err = a.Run()
	}
	return costA, costB, err
}

// sample takes the median of one arm.
func (r *Result) sample(f *Figure, env *Env, runs int) error {
	a, err := f.Value(env)
	if err != nil {
		return err
	}
	defer a.close()
	if _, err := a.Run(); err != nil { // warm-up
		return err
	}
	costs := make([]float64, runs)
	for i := range costs {
		if costs[i], err = a.Run(); err != nil {
			return err
		}
	}
	ci := bootstrap(costs)
	r.Value, r.Interval = median(costs), &ci
	r.Verdict = f.Goal.Judge(ci, nil)
	return nil
}

// Func makes an Arm of a function in this process; see arm.Func.
func Func(f func()) Arm { return Arm{Run: arm.Func(f)} }

// Compare makes the Ratio of two functions on the same inputs: num's time by den's. A speed-up of new over old is
// Compare(old, new).
func Compare(num, den func()) func(*Env) (Pair, error) {
	return func(*Env) (Pair, error) { return Pair{Num: Func(num), Den: Func(den)}, nil }
}
