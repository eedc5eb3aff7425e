package stats

import "fmt"

// A Goal bounds a value from above or below.
type Goal struct {
	op    byte // '<', '>' or '=', 0 for no goal
	bound float64
}

// AtMost, AtLeast and Exactly make goals.
func AtMost(bound float64) Goal  { return Goal{'<', bound} }
func AtLeast(bound float64) Goal { return Goal{'>', bound} }
func Exactly(bound float64) Goal { return Goal{'=', bound} }

// String returns the goal as it is printed.
func (g Goal) String() string {
	switch g.op {
	case '<':
		return fmt.Sprintf("<= %g", g.bound)
	case '>':
		return fmt.Sprintf(">= %g", g.bound)
	case '=':
		return fmt.Sprintf("= %g", g.bound)
	}
	return "-"
}

// Margin returns by what factor v is on the good side of the bound, below 1 on the other; 0 where there is none to be near.
func (g Goal) Margin(v float64) float64 {
	switch g.op {
	case '<':
		return g.bound / v
	case '>':
		return v / g.bound
	}
	return 0
}

// meets reports whether v is on the good side.
func (g Goal) meets(v float64) bool {
	switch g.op {
	case '<':
		return v <= g.bound
	case '>':
		return v >= g.bound
	case '=':
		return v == g.bound
	}
	return true
}

// A Verdict is the last word of a line. Only short makes the program exit 1.
type Verdict string

// The verdicts.
const (
	OK    Verdict = "ok"
	Short Verdict = "short" // the goal is missed, and noise does not explain it
	Noisy Verdict = "noisy" // the interval straddles the goal: nothing is known
	NA    Verdict = "n/a"   // cannot be measured here
)

// Judge compares the whole of ci with the goal. A control whose interval leaves 1 out says that this machine, now, makes
// equals differ by so much; the interval is widened by that before it is believed, in either direction.
func (g Goal) Judge(ci Interval, control *Interval) Verdict {
	if control != nil {
		bias := max(control.Low-1, 1-control.High, 0)
		ci = Interval{ci.Low * (1 - bias), ci.High * (1 + bias)}
	}
	low, high := g.meets(ci.Low), g.meets(ci.High)
	switch {
	case low && high:
		return OK
	case !low && !high && (g.op != '=' || ci.Low > g.bound || ci.High < g.bound):
		return Short
	}
	return Noisy
}
