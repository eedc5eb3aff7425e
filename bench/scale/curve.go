package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"sallyport/bench/arm"
	"sallyport/bench/stats"
)

// A Curve is what something costs as the work around it grows.
type Curve struct {
	Name   string // subject/what
	Grows  string // what the sizes are
	Unit   string // of the cost
	Expect Growth
	Sizes  []int
	// Looks is how many things of which there are as many as the size one operation looks at, one after the other. In a large table each
	// may miss the caches of the processor, and take as long as memory takes; that is no growth. It needs a cost in nanoseconds.
	Looks int
	// Make prepares the measurement at one size. Those of all sizes are there at the same time, and are closed in
	// reverse order.
	Make func(env *Env, size int) (Point, error)
}

// A Point is one size of a curve. Run does one short run and returns its cost; Close, which may be nil, ends what was started.
type Point struct {
	Run   func() (float64, error)
	Close func()
}

// Env is what a Curve may use.
type Env struct {
	Sallyport string  // path of the binary
	Dir       string  // scratch, removed at the end
	Miss      float64 // memory's latency in nanoseconds
}

// Growth is how a cost may grow.
type Growth struct {
	name  string
	slope float64 // of the cost's logarithm over the size's, at most
}

// A cost that is doubled when the size is multiplied by ten has a slope of 0.3, and what is constant may scatter so much over the last
// decade.
var (
	Constant = Growth{"constant", 0.3}
	Linear   = Growth{"linear", 1.2}
)

// A Row is the result at one size.
type Row struct {
	Size     int
	Cost     float64 // median
	Interval stats.Interval
}

// A Result is what became of a Curve.
type Result struct {
	*Curve
	Rows  []Row
	Slope float64
}

// Defect reports whether the cost grows faster than it must.
func (r *Result) Defect() bool { return r.Slope > r.Expect.slope }

func (r *Result) verdict() string {
	if r.Defect() {
		return "defect"
	}
	return "ok"
}

// slope fits a line through the logarithms of sizes and costs over the last decade of sizes: where sizes are small, fixed costs hide
// how it grows. A cost that falls does not grow: 0.
func slope(sizes []int, costs []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i, size := range sizes {
		if 10*size < sizes[len(sizes)-1] {
			continue
		}
		x, y := math.Log(float64(size)), math.Log(costs[i])
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return max(0, (n*sxy-sx*sy)/(n*sxx-sx*sx))
}

// without returns costs less what looks at memory may take, each miss nanoseconds, but no less than the first cost.
func without(costs []float64, looks int, miss float64) []float64 {
	out := make([]float64, len(costs))
	for i := range costs {
		out[i] = max(costs[i]-float64(looks)*miss, costs[0])
	}
	return out
}

// memoryLatency is how long a look at memory takes that no cache holds, in nanoseconds: a walk in random order through 256 MiB.
func memoryLatency() (float64, error) {
	const line = 16 // uint32s
	next := make([]uint32, 256<<20/4)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(next) / line)
	for i, from := range order {
		next[from*line] = uint32(order[(i+1)%len(order)] * line)
	}
	at := uint32(0)
	run := arm.Func(func() { at = next[at] })
	if _, err := run(); err != nil {
		return 0, err
	}
	return run()
}

// measure takes c: a warm-up, and then rounds, in each of which every size has its turn. The slope is the median of theirs.
func measure(c *Curve, env *Env, rounds int, progress func(string)) (r Result, err error) {
	points := make([]Point, 0, len(c.Sizes))
	defer func() {
		for _, p := range slices.Backward(points) {
			if p.Close != nil {
				p.Close()
			}
		}
		if err != nil {
			err = fmt.Errorf("scale: cannot measure %s: %w", c.Name, err)
		}
	}()
	for _, size := range c.Sizes {
		progress(fmt.Sprintf("making %d", size))
		p, err := c.Make(env, size)
		if err != nil {
			return r, err
		}
		points = append(points, p)
	}
	costs := make([][]float64, len(points)) // by size
	var slopes []float64
	for round := range rounds + 1 {
		progress(fmt.Sprintf("round %d of %d", round, rounds))
		turn := make([]float64, len(points))
		for i, p := range points {
			if turn[i], err = p.Run(); err != nil {
				return r, err
			}
			if !(turn[i] > 0) {
				return r, fmt.Errorf("size %d: a cost of %v", c.Sizes[i], turn[i])
			}
		}
		if round == 0 {
			continue
		}
		for i := range turn {
			costs[i] = append(costs[i], turn[i])
		}
		slopes = append(slopes, slope(c.Sizes, without(turn, c.Looks, env.Miss)))
	}
	r = Result{Curve: c, Slope: stats.Median(slopes)}
	for i, size := range c.Sizes {
		r.Rows = append(r.Rows, Row{size, stats.Median(costs[i]), stats.Bootstrap(costs[i])})
	}
	return r, nil
}

// print writes r for people.
func (r *Result) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s: %s expected, slope %.2f (at most %.1f), %s\n", r.Name, r.Unit, r.Expect.name, r.Slope, r.Expect.slope, r.verdict())
	var sizes, costs strings.Builder
	for _, row := range r.Rows {
		fmt.Fprintf(&sizes, "%11d", row.Size)
		fmt.Fprintf(&costs, "%11s", stats.Number(row.Cost))
	}
	fmt.Fprintf(w, "  %s  %s\n  %-*s  %s\n", r.Grows, sizes.String(), len(r.Grows), "", costs.String())
}

// writeCSV writes all results.
func writeCSV(w io.Writer, results []Result) error {
	if _, err := fmt.Fprintln(w, "curve,size,unit,cost,low,high,expected,slope,verdict"); err != nil {
		return err
	}
	for _, r := range results {
		for _, row := range r.Rows {
			if _, err := fmt.Fprintf(w, "%s,%d,%s,%.4g,%.4g,%.4g,%s,%.2f,%s\n", r.Name, row.Size, r.Unit, row.Cost, row.Interval.Low,
				row.Interval.High, r.Expect.name, r.Slope, r.verdict()); err != nil {
				return err
			}
		}
	}
	return nil
}
