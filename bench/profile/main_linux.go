// Command profile shows where the CPU time and the allocations of the steady path go. It runs the bare proxy and sallyport, each as a
// process on a CPU of its own, under the closed loop of bench/load, and leaves in bench/out a CPU and an allocation profile of
// each of sallyport's and, where perf is installed, its samples; it prints the functions of our own packages by the time that
// is spent in them and in what they call of others, and a table of the parts of a request in microseconds.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sallyport/bench/bed"
	"sallyport/bench/proc"
	"sallyport/bench/stats"
	"sallyport/verify/jose"
)

// tokens is as in bench/figures; one turn sends each once.
const tokens = 5000

// frequency is of perf's samples, in Hertz: a part of 0.1 µs has about a hundred in ten seconds.
const frequency = 2000

type options struct {
	sallyport string
	out       string
	length    time.Duration
}

func main() {
	proc.Main()
	var opt options
	flag.StringVar(&opt.sallyport, "sallyport", "bin/sallyport", "the binary to profile")
	flag.StringVar(&opt.out, "out", "bench/out", "folder for the profiles")
	flag.DurationVar(&opt.length, "length", 10*time.Second, "how long each profile takes, in whole seconds")
	flag.Parse()
	if err := run(opt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(opt options) error {
	if err := os.MkdirAll(opt.out, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sallyport-profile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bare := filepath.Join(dir, "bare")
	if text, err := exec.Command("go", "build", "-o", bare, "./bench/bare").CombinedOutput(); err != nil {
		return fmt.Errorf("profile: cannot build bench/bare: %w: %s", err, text)
	}
	b, err := bed.New(dir, jose.RS256, tokens)
	if err != nil {
		return err
	}
	defer b.Close()
	subjects := []*subject{
		{name: "bare", start: func() (*bed.Proxy, error) { return b.Bare(bare) }},
		{name: "cached", start: func() (*bed.Proxy, error) { return b.Sallyport(opt.sallyport, bed.Options{Admin: true}) }},
		{name: "cached-audit", start: func() (*bed.Proxy, error) { return b.Sallyport(opt.sallyport, bed.Options{Admin: true, Audit: true}) }},
		{name: "never-seen", start: func() (*bed.Proxy, error) {
			return b.Sallyport(opt.sallyport, bed.Options{Admin: true, NeverSeen: true})
		}},
	}
	for _, s := range subjects {
		if s.proxy, err = s.start(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer s.proxy.Close()
	}
	if err := costs(subjects); err != nil {
		return err
	}
	var columns []column
	for i, s := range subjects {
		fmt.Fprintf(os.Stderr, "profile: %d/%d %s\n", i+1, len(subjects), s.name)
		for _, other := range subjects[i:] { // or they would close their idle connections
			if _, err := other.proxy.Load.Run(tokens); err != nil {
				return fmt.Errorf("%s: %w", other.name, err)
			}
		}
		c, err := s.profile(opt)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if c != nil {
			columns = append(columns, *c)
		}
	}
	if len(columns) > 0 {
		printParts(os.Stdout, columns)
	}
	return nil
}

// A subject is a proxy under test.
type subject struct {
	name  string
	start func() (*bed.Proxy, error)
	proxy *bed.Proxy
	cost  float64 // µs of CPU for a request
}

// costs measures what a request costs while nobody looks, in interleaved runs.
func costs(subjects []*subject) error {
	const rounds = 12
	runs := make([][]float64, len(subjects))
	for round := range rounds + 1 {
		for i, s := range subjects {
			cost, err := s.proxy.Run(tokens)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 { // the first one is a warm-up
				runs[i] = append(runs[i], cost/1000)
			}
		}
	}
	for i, s := range subjects {
		s.cost = stats.Median(runs[i])
		fmt.Printf("%-12s %.2f µs of CPU for one request, 95 %% interval %v\n", s.name, s.cost, stats.Bootstrap(runs[i]))
	}
	fmt.Println()
	return nil
}

// profile takes all profiles of s, one after the other, under load. The result is nil where perf is not installed.
func (s *subject) profile(opt options) (*column, error) {
	base := filepath.Join(opt.out, s.name)
	seconds := strconv.Itoa(max(1, int(opt.length/time.Second)))
	if s.proxy.Admin != "" {
		for range 2 { // what was allocated before shows in profiles after two collections
			if err := fetch(os.DevNull, "http://"+s.proxy.Admin+"/debug/pprof/heap?gc=1", 0); err != nil {
				return nil, err
			}
		}
		for _, what := range []string{"profile", "allocs"} {
			path := base + "." + what + ".pb.gz"
			if err := s.loaded(func() error {
				return fetch(path, "http://"+s.proxy.Admin+"/debug/pprof/"+what+"?seconds="+seconds, opt.length)
			}); err != nil {
				return nil, err
			}
			if err := s.top(opt, path, what); err != nil {
				return nil, err
			}
		}
	}
	if _, err := exec.LookPath("perf"); err != nil {
		fmt.Fprintln(os.Stderr, "profile: perf is not installed: no parts of a request")
		return nil, nil
	}
	data := base + ".perf"
	// The whole CPU, since perf loses threads of a process that is running. Without root it needs kernel.perf_event_paranoid = 0.
	err := s.loaded(func() error {
		return command("perf", "record", "-q", "-g", "-F", strconv.Itoa(frequency), "-o", data, "-C", strconv.Itoa(s.proxy.CPU), "--", "sleep", seconds)
	})
	if err != nil {
		return nil, err
	}
	text, err := exec.Command("perf", "script", "-i", data, "--pid", strconv.Itoa(s.proxy.Pid()), "-F", "ip,sym,dso").Output()
	if err != nil {
		return nil, fmt.Errorf("profile: cannot read %s: %w", data, err)
	}
	p, err := takeParts(bytes.NewReader(text))
	if least := frequency * int(opt.length/time.Second) / 4; err == nil && p.total < least {
		err = fmt.Errorf("profile: perf took %d samples, and %d at least were expected", p.total, least)
	}
	return &column{s.name, s.cost, p}, err
}

// loaded sends requests until f, which runs meanwhile, has ended.
func (s *subject) loaded(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	for {
		if _, err := s.proxy.Load.Run(tokens); err != nil {
			return err
		}
		select {
		case err := <-done:
			return err
		default:
		}
	}
}

func fetch(path, url string, length time.Duration) error {
	status, body, err := fasthttp.GetTimeout(nil, url, length+10*time.Second)
	if err == nil && status != fasthttp.StatusOK {
		err = fmt.Errorf("status %d: %.200s", status, body)
	}
	if err != nil {
		return fmt.Errorf("profile: cannot get %s: %w", url, err)
	}
	return os.WriteFile(path, body, 0o644)
}

// top prints our functions. What others do on their behalf, system calls too, counts as theirs.
func (s *subject) top(opt options, path, what string) error {
	fmt.Printf("%s, %s: our functions, each with what it calls of others\n", s.name, what)
	args := []string{"tool", "pprof", "-top", "-nodecount", "30", "-show", "^sallyport/"}
	if what == "allocs" {
		args = append(args, "-sample_index", "alloc_space")
	}
	text, err := exec.Command("go", append(args, opt.sallyport, path)...).Output()
	if err != nil {
		return fmt.Errorf("profile: go tool pprof %s: %w", path, err)
	}
	fmt.Printf("%s\n", text)
	return nil
}

func command(name string, args ...string) error {
	if text, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("profile: %s: %w: %.500s", name, err, text)
	}
	return nil
}
