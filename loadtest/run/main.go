// Run starts what a load test needs (upstream, issuer, sallyport, tokens), runs it, stops everything and leaves a summary. It is
// behind `make load`. With TARGET and TOKENS in the environment it starts nothing and loads a deployment of yours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// options are the command line.
type options struct {
	scenario  string
	k6        string
	wrk       string
	nginx     string
	sallyport string
	scripts   string // folder with k6/ and wrk/
	results   string
	alg       string
}

func main() {
	opt, err := parseOptions(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "loadtest: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	passed, err := run(ctx, opt)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "loadtest: %v\n", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var opt options
	fs := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	fs.StringVar(&opt.k6, "k6", "bin/k6", "k6's binary")
	fs.StringVar(&opt.wrk, "wrk", "wrk", "wrk's binary")
	fs.StringVar(&opt.nginx, "nginx", "nginx", "nginx's binary, as upstream; where there is none, a small server stands in")
	fs.StringVar(&opt.sallyport, "sallyport", "bin/sallyport", "sallyport's binary")
	fs.StringVar(&opt.scripts, "scripts", "loadtest", "folder of k6/ and wrk/")
	fs.StringVar(&opt.results, "results", "loadtest/results/load", "folder for summaries and logs")
	fs.StringVar(&opt.alg, "alg", "ES256", "algorithm of the tokens")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: loadtest [flags] SCENARIO\n\nscenarios:\n%s\nflags:\n", scenarioList())
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return opt, err
	}
	if fs.NArg() != 1 {
		return opt, fmt.Errorf("want one scenario of:\n%s", scenarioList())
	}
	opt.scenario = fs.Arg(0)
	if _, ok := scenarios[opt.scenario]; !ok {
		return opt, fmt.Errorf("there is no scenario %q, but:\n%s", opt.scenario, scenarioList())
	}
	return opt, nil
}

// run reports whether the scenario's thresholds and checks held.
func run(ctx context.Context, opt options) (passed bool, err error) {
	sc := scenarios[opt.scenario]
	if err := sc.tool.installed(opt); err != nil {
		return false, err
	}
	if err := os.MkdirAll(opt.results, 0o755); err != nil {
		return false, err
	}
	rep := newReport(opt, sc)
	if os.Getenv("TARGET") != "" {
		if os.Getenv("TOKENS") == "" {
			return false, errors.New("TARGET is set and TOKENS is not: a file of tokens that TARGET accepts, one a line")
		}
		if sc.tool != toolK6 {
			return false, fmt.Errorf("%s needs a proxy of its own; leave TARGET out", opt.scenario)
		}
		err = sc.tool.load(ctx, opt, sc, nil, rep)
	} else {
		err = runLocally(ctx, opt, sc, rep)
	}
	if err != nil {
		return false, err
	}
	path, err := rep.write()
	if err != nil {
		return false, err
	}
	fmt.Printf("\n%s: %s; %s\n", opt.scenario, rep.verdict(), path)
	return rep.passed(), nil
}

// runLocally loads a proxy of our own, and looks at its metrics before and after.
func runLocally(ctx context.Context, opt options, sc scenario, rep *report) error {
	r, err := startRig(ctx, opt, sc)
	if err != nil {
		return err
	}
	defer r.stop()
	rep.local = true
	before, err := r.metrics(ctx)
	if err != nil {
		return err
	}
	if err := sc.tool.load(ctx, opt, sc, r, rep); err != nil {
		return err
	}
	after, err := r.metrics(ctx)
	if err != nil {
		return fmt.Errorf("the proxy has gone: %w; see %s", err, r.logPath)
	}
	rep.proxy = difference(before, after)
	rep.checks = append(rep.checks, check{"no panic in the proxy", rep.proxy["sallyport_panics_total"] == 0, ""})
	if sc.check != nil {
		rep.checks = append(rep.checks, sc.check(rep.proxy, rep.seconds)...)
	}
	return nil
}
