// Package arm times one side of a comparison by short runs, in this process or in one of its own: what needs another build, or
// libraries that the module does not have, runs as a program that Serve makes an arm of.
package arm

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// runLength is how long a short run of a function lasts, about.
const runLength = 20 * time.Millisecond

// Func returns a function that does one short run of f and returns the cost of one call, in nanoseconds of the calling thread:
// what neighbours on the machine take is not in it. f must do its work on that thread, and must panic when its result is wrong:
// what is measured has to be right. How many calls a run has is found out in the first one.
func Func(f func()) func() (float64, error) {
	n := 0
	return func() (float64, error) {
		runtime.LockOSThread() // whose clock is read
		defer runtime.UnlockOSThread()
		if n == 0 {
			n = calibrate(f)
		}
		start := threadTime()
		for range n {
			f()
		}
		return float64(threadTime()-start) / float64(n), nil
	}
}

// calibrate returns how many calls of f take runLength.
func calibrate(f func()) int {
	for n := 1; ; n *= 2 {
		start := threadTime()
		for range n {
			f()
		}
		if took := threadTime() - start; took > runLength/8 {
			return max(1, int(float64(n)*float64(runLength)/float64(took)))
		}
	}
}

// FuncAfter is Func for one call at a time, each behind a call of before that is not counted. One call is too short for the
// thread's clock, so each is timed by the wall clock, and the run returns the median: a call that lost its CPU is not in that.
func FuncAfter(before, f func()) func() (float64, error) {
	n := 0
	return func() (float64, error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if n == 0 {
			n = calibrate(func() { before(); f() })
		}
		took := make([]time.Duration, n)
		for i := range took {
			before()
			start := time.Now()
			f()
			took[i] = time.Since(start)
		}
		slices.Sort(took)
		return float64(took[n/2]), nil
	}
}

// A Setup makes the function of an arm when it is first asked for.
type Setup func() (func(), error)

// Serve is the program of arms in a process of their own. A line of in is the name of one; a line of out is the answer to it:
// the cost of a call in nanoseconds after one short run, or "error: " and what is wrong. It returns at the end of in.
func Serve(in io.Reader, out io.Writer, arms map[string]Setup) error {
	ready := map[string]func() (float64, error){}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		cost, err := serve(lines.Text(), arms, ready)
		answer := strconv.FormatFloat(cost, 'f', 3, 64)
		if err != nil {
			answer = "error: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func serve(name string, arms map[string]Setup, ready map[string]func() (float64, error)) (float64, error) {
	run := ready[name]
	if run == nil {
		setup := arms[name]
		if setup == nil {
			return 0, fmt.Errorf("there is no arm %q", name)
		}
		f, err := setup()
		if err != nil {
			return 0, err
		}
		run = Func(f)
		ready[name] = run
	}
	return run()
}

// ParseAnswer reads an answer of Serve.
func ParseAnswer(line string) (float64, error) {
	line = strings.TrimSuffix(line, "\n")
	if text, ok := strings.CutPrefix(line, "error: "); ok {
		return 0, fmt.Errorf("arm: %s", text)
	}
	cost, err := strconv.ParseFloat(line, 64)
	if err != nil || !(cost > 0) {
		return 0, fmt.Errorf("arm: the answer %q is no cost", line)
	}
	return cost, nil
}
