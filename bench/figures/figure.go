package main

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
