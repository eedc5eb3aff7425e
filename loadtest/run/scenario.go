package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A scenario is a script with what it needs.
type scenario struct {
	about  string
	tool   tool
	script string            // in k6/
	env    map[string]string // settings that the caller's environment does not have
	tokens int               // how many are minted
	cache  string            // size of the claim cache; default 64MiB
	flags  []string          // of k6
	plot   bool              // draw its course over time
	check  func(proxy metrics, seconds float64) []check
}

const (
	few  = 1000
	many = 100_000
)

// ownAddresses gives each of k6's clients an address of its own, since the proxy treats each fairly.
var ownAddresses = []string{"--local-ips", "127.0.1.1-127.0.1.250"}

var scenarios = map[string]scenario{
	"smoke":  {about: "one of everything, 20 s", script: "smoke.js", tokens: few},
	"steady": {about: "as a real edge sees it, at one rate", script: "steady.js", tokens: many},
	"cached": {about: "1 000 known tokens", script: "steady.js", env: map[string]string{"TRAFFIC": "cached"}, tokens: few},
	"distinct": {
		about: "never the same token twice", script: "steady.js", env: map[string]string{"TRAFFIC": "distinct"}, tokens: many,
		check: func(p metrics, _ float64) []check {
			return []check{{"no token was known before", p["sallyport_cache_hits_total"] == 0, fmt.Sprintf("%.0f cache hits", p["sallyport_cache_hits_total"])}}
		},
	},
	"mix": {
		about: "Zipf over 100 000 users, 5 % expired, 1 % forged", script: "steady.js", env: map[string]string{"TRAFFIC": "mix"}, tokens: many,
	},
	"ramp":  {about: "up to the knee", script: "ramp.js", env: map[string]string{"STEP": "6s", "P99": "50"}, tokens: few},
	"spike": {about: "ten times the rate at once, and back", script: "spike.js", tokens: many, plot: true},
	"soak": {
		about: "half an hour; heap and goroutines must not grow", script: "soak.js", tokens: many,
		cache: "4MiB", // full within the first third: what fills as it should is no leak
	},
	"forged": {
		about: "flood of tokens with a wrong signature", script: "flood.js", env: map[string]string{"FLOOD": "forged"}, tokens: few,
		flags: ownAddresses, plot: true,
	},
	"unknown-kid": {
		about: "flood of tokens that name keys nobody has", script: "flood.js", env: map[string]string{"FLOOD": "unknown_kid"}, tokens: few,
		flags: ownAddresses, plot: true, check: checkFetches,
	},
	"rotation": {
		about: "the issuer changes its key", script: "rotation.js", tokens: few, plot: true, check: checkFetches,
	},
	"reload": {
		about: "another config every second", script: "reload.js", tokens: many, plot: true,
		check: func(p metrics, _ float64) []check {
			done, failed := p[`sallyport_reloads_total{result="ok"}`], p[`sallyport_reloads_total{result="failed"}`]
			return []check{{"reloads happened, and none failed", done > 1 && failed == 0, fmt.Sprintf("%.0f done, %.0f failed", done, failed)}}
		},
	},
	"latency":    {about: "at fixed rates (RATES), from when each request was due; not k6", tool: toolOpen, tokens: 5000},
	"saturation": {about: "wrk: as much as goes through (CONNECTIONS, DURATION)", tool: toolWrk, tokens: 5000},
}

// checkFetches holds that whatever kids the clients name, the issuer is asked for its keys once a second at most.
func checkFetches(p metrics, seconds float64) []check {
	n := p.sum("sallyport_keyset_fetches_total")
	return []check{{"key fetches: at most one a second", n > 0 && n <= seconds+1, fmt.Sprintf("%.0f in %.0f s", n, seconds)}}
}

func scenarioList() string {
	var b strings.Builder
	for _, name := range sortedKeys(scenarios) {
		fmt.Fprintf(&b, "  %-12s %s\n", name, scenarios[name].about)
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// A tool makes the load.
type tool int

const (
	toolK6 tool = iota
	toolWrk
	toolOpen // bench/load
)

// installed says what to do where the tool is missing.
func (t tool) installed(opt options) error {
	switch t {
	case toolK6:
		if _, err := exec.LookPath(opt.k6); err != nil {
			return fmt.Errorf("%s is missing: `make load` installs it, with go install go.k6.io/k6 into bin/", opt.k6)
		}
	case toolWrk:
		if _, err := exec.LookPath(opt.wrk); err != nil {
			return fmt.Errorf("%s is missing: apt-get install wrk", opt.wrk)
		}
	}
	if os.Getenv("TARGET") != "" {
		return nil
	}
	if _, err := os.Stat(opt.sallyport); err != nil {
		return fmt.Errorf("%s is missing: make build", opt.sallyport)
	}
	return nil
}
