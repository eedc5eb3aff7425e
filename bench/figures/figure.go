package main

import "fmt"

// A Figure is one line of the output: something that is measured, and what it must come to.
//
// Exactly one of Ratio, Value and Count is set. Those of a Figure with Long are not run but read from bench/results, unless
// -record asks for them to be measured and written there.
type Figure struct {
	Name string // subject/what, such as verify/rs256-2048/ifma-vs-std
	Goal Goal   // the zero value asks for nothing
	// Against is its name when -against puts another build of sallyport in the place of Den; "" where that means nothing.
	Against string
	Unit    string // of Value and Count, for the reader; a ratio has none
	Long    bool   // takes longer than a run of all figures may
	// Lacks says what this machine lacks for the figure to be measured, "" for nothing. nil: it needs nothing.
	Lacks func() string

	// Ratio is the median of Num/Den over interleaved pairs of short runs.
	Ratio func(env *Env) (Pair, error)
	// Value is the median over short runs.
	Value func(env *Env) (Arm, error)
	// Count is measured once, because it is the same every time.
	Count func(env *Env) (float64, error)
}

// An Arm is one side of a comparison. Run does one short run, of tens of milliseconds, and returns what it cost, in the same
// unit for both sides. Close, which may be nil, ends what the arm has started.
type Arm struct {
	Run   func() (float64, error)
	Close func()
}

func (a Arm) close() {
	if a.Close != nil {
		a.Close()
	}
}

// A Pair is two arms under the same load. Twin is a second Den for the A/A control: what makes equals differ (the
// order of runs, the place of a process in memory) shows there. Where nothing differs between two of a kind it may be
// left out, and Den is measured against itself.
type Pair struct {
	Num, Den, Twin Arm
}

func (p *Pair) close() {
	p.Num.close()
	p.Den.close()
	p.Twin.close()
}

// Env is what a Figure may use.
type Env struct {
	Sallyport string // path of the binary under test
	Against   string // path of the one to compare it with, "" for none
	Tools     string // folder with the built programs of bench: bare, and what Tool has built
	Dir       string // scratch, removed at the end

	processes map[string]*process // of ProcessArm, by path
}

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

// judge compares the whole of ci with the goal. A control whose interval leaves 1 out says that this machine, now, makes
// equals differ by so much; the interval is widened by that before it is believed, in either direction.
func (g Goal) judge(ci interval, control *interval) Verdict {
	if control != nil {
		bias := max(control.Low-1, 1-control.High, 0)
		ci = interval{ci.Low * (1 - bias), ci.High * (1 + bias)}
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
