// Command figures measures what sallyport promises and prints one line for each figure:
//
//	name  value  [95 % interval]  goal  ok|short|noisy|n/a
//
// A ratio is the median of interleaved pairs of short runs, with a bootstrap interval of that median and, beside it, an A/A
// control of the same length. noisy means that the interval straddles the goal, n/a that this machine lacks something; only
// short ends with status 1. A new figure is one struct in table.go.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"sallyport/bench/proc"
)

type options struct {
	run       *regexp.Regexp
	pairs     int
	list      bool
	json      bool
	record    bool
	plot      string
	sallyport string
	against   string
}

func main() {
	reexec()
	opt, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(2)
	}
	short, err := run(opt, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if short {
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var opt options
	fs := flag.NewFlagSet("figures", flag.ExitOnError)
	pattern := fs.String("run", "", "measure only figures whose name matches this regular expression")
	fs.IntVar(&opt.pairs, "pairs", 24, fmt.Sprintf("pairs of short runs for each ratio, %d at least", minPairs))
	fs.BoolVar(&opt.list, "list", false, "print the names and goals, measure nothing")
	fs.BoolVar(&opt.json, "json", false, "print a JSON array instead of lines")
	fs.BoolVar(&opt.record, "record", false, "measure the long figures that -run matches, and keep them in "+resultsDir)
	fs.StringVar(&opt.plot, "plot", "", "write a picture of all figures beside their goals to this SVG file")
	fs.StringVar(&opt.sallyport, "sallyport", "bin/sallyport", "the binary to measure")
	fs.StringVar(&opt.against, "against", "", "another build of sallyport to compare it with, without goals")
	if err := fs.Parse(args); err != nil {
		return opt, err
	}
	if fs.NArg() > 0 {
		return opt, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if opt.pairs < minPairs {
		return opt, fmt.Errorf("%d pairs are too few to say anything: %d at least", opt.pairs, minPairs)
	}
	var err error
	if opt.run, err = regexp.Compile(*pattern); err != nil {
		return opt, fmt.Errorf("-run: %w", err)
	}
	return opt, nil
}

// run measures the selected figures and prints them. It reports whether one is short.
func run(opt options, out, progress io.Writer) (short bool, err error) {
	var list []Figure
	width := 0
	for _, f := range table() {
		if opt.against != "" {
			f.Name, f.Goal = f.Against, Goal{}
			if f.Name == "" {
				continue
			}
		}
		if opt.run.MatchString(f.Name) && (f.Long || !opt.record) {
			list = append(list, f)
			width = max(width, len(f.Name))
		}
	}
	if opt.list {
		for _, f := range list {
			fmt.Fprintf(out, "%-*s  %s\n", width, f.Name, f.Goal)
		}
		return false, nil
	}
	env, cleanup, err := prepare(opt)
	if err != nil {
		return false, err
	}
	defer cleanup()
	start := time.Now()
	var results []Result
	for i := range list {
		fmt.Fprintf(progress, "figures: %d/%d %s (%.0fs so far)\n", i+1, len(list), list[i].Name, time.Since(start).Seconds())
		r, err := take(&list[i], env, opt)
		if err != nil {
			return false, err
		}
		short = short || r.Verdict == Short
		if results = append(results, r); !opt.json {
			fmt.Fprintln(out, r.line(width))
		}
	}
	if opt.plot != "" {
		title := "sallyport: figures by their goals, " + time.Now().UTC().Format(time.DateOnly) + ", " + proc.CPUName() + ", " + runtime.Version()
		if err := os.WriteFile(opt.plot, plot(title, list, results), 0o644); err != nil {
			return short, fmt.Errorf("figures: cannot write the picture: %w", err)
		}
	}
	if opt.json {
		err = writeJSON(out, results)
	}
	return short, err
}

// take measures f, or reads it where that would take too long.
func take(f *Figure, env *Env, opt options) (Result, error) {
	if f.Long && !opt.record {
		return readRecord(resultsDir, f)
	}
	r, err := measure(f, env, opt.pairs)
	if err == nil && f.Long && r.Verdict != NA {
		err = writeRecord(resultsDir, r, time.Now())
	}
	return r, err
}

// prepare builds the programs that the measurements run.
func prepare(opt options) (*Env, func(), error) {
	dir, err := os.MkdirTemp("", "sallyport-figures-")
	if err != nil {
		return nil, nil, err
	}
	env := &Env{Tools: filepath.Join(dir, "tools"), Dir: dir, Against: opt.against}
	cleanup := func() {
		env.stopProcesses()
		os.RemoveAll(dir)
	}
	if env.Sallyport, err = filepath.Abs(opt.sallyport); err == nil {
		var out []byte
		out, err = exec.Command("go", "build", "-o", env.Tools+string(filepath.Separator), "./bench/bare").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("figures: cannot build the programs of bench: %w: %s", err, out)
		}
	}
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	return env, cleanup, nil
}
