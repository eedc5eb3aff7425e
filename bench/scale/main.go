// Command scale measures what things cost as the work around them grows, each as a curve, and says "defect" where a cost grows
// faster than it must. It prints a table; a run of all curves leaves scale.csv and scale.svg in bench/results, one of some in bench/out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"

	"sallyport/bench/stats"
)

type options struct {
	run       *regexp.Regexp
	rounds    int
	list      bool
	sallyport string
	out       string
}

func main() {
	reexec()
	opt, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(2)
	}
	defects, err := run(opt, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if defects > 0 {
		os.Exit(1)
	}
}

func parse(args []string) (opt options, err error) {
	fs := flag.NewFlagSet("scale", flag.ExitOnError)
	pattern := fs.String("run", "", "measure only curves whose name matches this regular expression")
	fs.IntVar(&opt.rounds, "rounds", 7, "short runs at each size")
	fs.BoolVar(&opt.list, "list", false, "print the names, measure nothing")
	fs.StringVar(&opt.sallyport, "sallyport", "bin/sallyport", "the binary for connections")
	fs.StringVar(&opt.out, "out", "", "folder for scale.csv and scale.svg")
	if err := fs.Parse(args); err != nil {
		return opt, err
	}
	if fs.NArg() > 0 {
		return opt, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if opt.rounds < 1 {
		return opt, errors.New("-rounds must be 1 or more")
	}
	if opt.out == "" {
		opt.out = "bench/results"
		if *pattern != "" {
			opt.out = "bench/out"
		}
	}
	opt.run, err = regexp.Compile(*pattern)
	return opt, err
}

// run measures the selected curves, prints them and leaves the files. It returns how many of them have a defect.
func run(opt options, out, progress io.Writer) (defects int, err error) {
	var list []*Curve
	for _, c := range curves() {
		if opt.run.MatchString(c.Name) {
			list = append(list, &c)
		}
	}
	if opt.list || len(list) == 0 {
		for _, c := range list {
			fmt.Fprintf(out, "%s, %s: %s expected\n", c.Name, c.Unit, c.Expect.name)
		}
		return 0, nil
	}
	env := &Env{}
	if env.Dir, err = os.MkdirTemp("", "sallyport-scale-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(env.Dir)
	if env.Sallyport, err = filepath.Abs(opt.sallyport); err != nil {
		return 0, err
	}
	if env.Miss, err = memoryLatency(); err != nil {
		return 0, err
	}
	debug.FreeOSMemory()
	fmt.Fprintf(out, "A look at memory takes %s ns.\n", stats.Number(env.Miss))
	begin := time.Now()
	var results []Result
	for i, c := range list {
		r, err := measure(c, env, opt.rounds, func(what string) {
			fmt.Fprintf(progress, "scale: %d/%d %s: %s (%.0fs so far)\n", i+1, len(list), c.Name, what, time.Since(begin).Seconds())
		})
		if err != nil {
			return 0, err
		}
		if r.Defect() {
			defects++
		}
		r.print(out)
		results = append(results, r)
		debug.FreeOSMemory() // what the next one measures
	}
	return defects, leave(opt.out, results)
}

// leave writes the files.
func leave(dir string, results []Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	title := fmt.Sprintf("sallyport: cost as work grows, both axes logarithmic. %s, %s, %s", time.Now().Format(time.DateOnly), cpuName(), runtime.Version())
	for name, write := range map[string]func(io.Writer) error{
		"scale.csv": func(w io.Writer) error { return writeCSV(w, results) },
		"scale.svg": func(w io.Writer) error { return writeSVG(w, title, results) },
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = errors.Join(write(f), f.Close())
		}
		if err != nil {
			return fmt.Errorf("scale: %w", err)
		}
	}
	return nil
}
