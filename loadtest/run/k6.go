package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// load runs the tool and puts what it found into rep. r is nil when the target is the caller's.
func (t tool) load(ctx context.Context, opt options, sc scenario, r *rig, rep *report) error {
	switch t {
	case toolWrk:
		return runWrk(ctx, opt, r, rep)
	case toolOpen:
		return runLatency(ctx, r, rep)
	}
	return runK6(ctx, opt, sc, r, rep)
}

// thresholdsCrossed is k6's exit status when all else went well.
const thresholdsCrossed = 99

func runK6(ctx context.Context, opt options, sc scenario, r *rig, rep *report) error {
	base := filepath.Join(opt.results, opt.scenario)
	summary, csv := base+".json", base+".csv"
	args := []string{"run", "--no-usage-report", "--address", "", "--summary-export", summary}
	if info, err := os.Stdout.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		args = append(args, "--quiet")
	}
	if sc.plot {
		args = append(args, "--out", "csv="+csv)
		defer os.Remove(csv)
	}
	if r != nil {
		args = append(args, sc.flags...)
	}
	cmd := exec.CommandContext(ctx, opt.k6, append(args, filepath.Join(opt.scripts, "k6", sc.script))...)
	cmd.Env = append(os.Environ(), "K6_AUTO_EXTENSION_RESOLUTION=false")
	for _, name := range sortedKeys(sc.env) {
		cmd.Env = append(cmd.Env, name+"="+setting(sc, name))
	}
	if r != nil {
		cmd.Env = append(cmd.Env, "TARGET="+r.target, "TOKENS="+r.path("tokens"), "EXPIRED="+r.path("expired"), "TOKENS_NEXT="+r.path("next"),
			"CONTROL="+r.control, "IDENTITY=1")
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// k6 takes a second interrupt as an order to drop everything: it gets one, from here.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var w *watch
	if r != nil && opt.scenario == "soak" {
		w = startWatch(ctx, r)
	}
	start := time.Now()
	err := cmd.Run()
	rep.seconds = time.Since(start).Seconds()
	if w != nil {
		rep.checks = append(rep.checks, w.end(ctx)...)
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != thresholdsCrossed) {
		return fmt.Errorf("k6 did not come to a result: %w", err)
	}
	data, err := os.ReadFile(summary)
	if err != nil {
		return err
	}
	if rep.k6, err = parseSummary(data); err != nil {
		return fmt.Errorf("%s: %w", summary, err)
	}
	held := rep.k6.thresholds()
	rep.checks = append(held, rep.checks...)
	if failed := exit != nil; failed == allHeld(held) {
		return fmt.Errorf("k6's exit status (%v) and its summary %s do not agree", err, summary)
	}
	if opt.scenario == "ramp" {
		rep.notes = append(rep.notes, knee(rep.k6, setting(sc, "STEP"), setting(sc, "P99")))
	}
	if sc.plot {
		return rep.plotFrom(csv)
	}
	return nil
}

// setting returns the caller's value of a setting, or the scenario's.
func setting(sc scenario, name string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return sc.env[name]
}

// k6Summary is what --summary-export writes: by metric, with {tag:value} behind the name of a part.
type k6Summary struct {
	Metrics map[string]k6Metric `json:"metrics"`
}

type k6Metric struct {
	Count  float64 `json:"count"`
	Rate   float64 `json:"rate"`
	Passes float64 `json:"passes"` // of http_req_failed: requests that did fail
	Fails  float64 `json:"fails"`
	Med    float64 `json:"med"`
	P95    float64 `json:"p(95)"`
	P99    float64 `json:"p(99)"`
	P999   float64 `json:"p(99.9)"`
	Max    float64 `json:"max"`
	Value  float64 `json:"value"`
	// Thresholds says of each whether it was crossed.
	Thresholds map[string]bool `json:"thresholds"`
}

func parseSummary(data []byte) (*k6Summary, error) {
	var s k6Summary
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	if len(s.Metrics) == 0 {
		return nil, errors.New("no metrics in it")
	}
	return &s, nil
}

// thresholds returns each threshold as a check.
func (s *k6Summary) thresholds() (out []check) {
	for _, name := range sortedKeys(s.Metrics) {
		m := s.Metrics[name]
		for _, t := range sortedKeys(m.Thresholds) {
			out = append(out, check{name + " " + t, !m.Thresholds[t], m.found(name)})
		}
	}
	return out
}

// found says what was measured.
func (m k6Metric) found(name string) string {
	switch {
	case m.Max > 0 && m.Count > 0:
		return fmt.Sprintf("p99 %s", ms(m.P99))
	case m.Passes+m.Fails > 0:
		return fmt.Sprintf("%.0f of %.0f", m.Passes, m.Passes+m.Fails)
	}
	return fmt.Sprintf("%.0f", m.Count)
}
