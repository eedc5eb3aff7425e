// Command peers runs sallyport and other proxies side by side: the same upstream, the same tokens, the same CPU, in turns. It installs
// what it needs below loadtest/peers/out, and leaves Markdown, CSV and plots in loadtest/results. It must be run in the module's root.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

type options struct {
	seconds   float64
	groups    string
	sallyport string
	caddy     string
	tools     string
	results   string
}

func main() {
	proc.Main()
	var opt options
	flag.Float64Var(&opt.seconds, "seconds", fullSeconds, "seconds of load for each peer in each case; fewer than the default make a short run")
	flag.StringVar(&opt.groups, "groups", "plain,rs256,es256,eddsa", "what to measure")
	flag.StringVar(&opt.sallyport, "sallyport", "bin/sallyport", "the binary to measure")
	flag.StringVar(&opt.caddy, "caddy", "", "a Caddy that holds caddy-jwt; default: the one that is installed")
	flag.StringVar(&opt.tools, "tools", "loadtest/peers/out", "folder for the programs that are installed")
	flag.StringVar(&opt.results, "results", "loadtest/results", "folder for the results")
	flag.Parse()
	if err := run(opt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(opt options) error {
	algs, err := parseGroups(opt.groups)
	if err != nil {
		return err
	}
	if opt.seconds <= 0 {
		return fmt.Errorf("peers: -seconds is %g", opt.seconds)
	}
	dir, err := os.MkdirTemp("", "sallyport-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bed{
		programs: map[string]*Program{}, dir: dir, upstream: -1, tokens: tokens, budget: newBudget(opt.seconds), rng: rand.New(rand.NewPCG(1, uint64(os.Getpid()))),
		progress: os.Stderr, started: time.Now(),
	}
	report, err := describe(b.budget)
	if err != nil {
		return err
	}
	if report.Programs, err = b.install(opt); err != nil {
		return err
	}
	if err := b.measure(algs, report); err != nil {
		return err
	}
	return report.write(opt.results)
}

// parseGroups returns the algorithms whose names are in list, AlgInvalid for plain.
func parseGroups(list string) ([]jose.Alg, error) {
	known := map[string]jose.Alg{plain: jose.AlgInvalid}
	for _, alg := range rsESEd {
		known[strings.ToLower(alg.String())] = alg
	}
	var out []jose.Alg
	for name := range strings.SplitSeq(list, ",") {
		alg, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("peers: there is no group %q", name)
		}
		out = append(out, alg)
	}
	return out, nil
}

// describe says where and when the results are from.
func describe(budget Budget) (*Report, error) {
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	cpus, err := proc.CPUs()
	if err != nil {
		return nil, err
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), "-")
	return &Report{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Commit: strings.TrimSpace(string(commit)), CPU: proc.CPUName(), CPUs: len(cpus),
		Kernel: release, Go: runtime.Version(), Budget: budget,
	}, nil
}

func (b *bed) install(opt options) ([]*Program, error) {
	tools, err := filepath.Abs(opt.tools)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return nil, err
	}
	var out []*Program
	for _, s := range sources(opt.sallyport, opt.caddy) {
		p := s.find(tools)
		if p.Missing != nil {
			b.say("%s is not available: %v", p.Name, p.Missing)
		} else {
			b.say("%s: %s", p.Name, p.Version)
		}
		b.programs[p.Name] = p
		out = append(out, p)
	}
	return out, nil
}

// measure runs all groups on one core, and on two where clients and upstream can have one each as well.
func (b *bed) measure(algs []jose.Alg, report *Report) error {
	cpus, err := proc.CPUs()
	if err != nil {
		return err
	}
	measured, rest, err := proc.Split()
	if err != nil {
		return err
	}
	unpin, err := proc.Pin(rest)
	if err != nil {
		return err
	}
	defer unpin()
	b.measured = []int{measured}
	for _, alg := range algs {
		rows, err := b.group(alg)
		if err != nil {
			return err
		}
		report.Rows = append(report.Rows, rows...)
	}
	report.Outcomes = outcomes(report.Rows)
	two, err := b.twoCores()
	if err != nil {
		return err
	}
	report.Outcomes = slices.Concat(report.Outcomes, []Outcome{two}, elsewhere)
	if len(cpus) < 4 {
		for _, r := range slices.Clone(report.Rows) {
			report.Rows = append(report.Rows, &Row{Peer: r.Peer, Case: r.Case, Cores: 2, State: "needs four CPUs"})
		}
		return nil
	}
	b.measured, b.upstream = cpus[len(cpus)-2:], cpus[1]
	for _, alg := range algs {
		rows, err := b.group(alg)
		if err != nil {
			return err
		}
		report.Rows = append(report.Rows, rows...)
	}
	return nil
}

// write leaves the results in dir.
func (r *Report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var markdown, table bytes.Buffer
	if err := cmp.Or(r.writeMarkdown(&markdown), writeCSV(&table, r.Rows)); err != nil {
		return err
	}
	files := plots(r.Rows)
	files["peers.md"], files["peers.csv"] = markdown.Bytes(), table.Bytes()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	_, err := os.Stdout.Write(markdown.Bytes())
	return err
}
