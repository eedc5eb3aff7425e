package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// wrkResult is the last line of saturation.lua.
type wrkResult struct {
	Requests float64 `json:"requests"`
	Seconds  float64 `json:"seconds"`
	Tokens   float64 `json:"tokens"`
	NotOK    float64 `json:"not_2xx"`
	Connect  float64 `json:"connect"`
	Read     float64 `json:"read"`
	Write    float64 `json:"write"`
	Timeout  float64 `json:"timeout"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
}

// runWrk sends as much as goes through: a warm-up in which every token is seen, and the run.
func runWrk(ctx context.Context, opt options, r *rig, rep *report) error {
	connections, err := strconv.Atoi(cmp.Or(os.Getenv("CONNECTIONS"), "64"))
	if err != nil || connections < 1 {
		return fmt.Errorf("CONNECTIONS=%q is not a number above zero", os.Getenv("CONNECTIONS"))
	}
	duration := cmp.Or(os.Getenv("DURATION"), "10s")
	defer func(start time.Time) { rep.seconds = time.Since(start).Seconds() }(time.Now())
	if _, err := wrkOnce(ctx, opt, r, connections, "2s"); err != nil {
		return err
	}
	before, err := r.metrics(ctx)
	if err != nil {
		return err
	}
	res, err := wrkOnce(ctx, opt, r, connections, duration)
	if err != nil {
		return err
	}
	after, err := r.metrics(ctx)
	if err != nil {
		return err
	}
	d := difference(before, after)
	cores := d["process_cpu_seconds_total"] / res.Seconds
	rep.notes = append(rep.notes, fmt.Sprintf("**%.0f requests/s**, %.1f µs of CPU a request, %.2f processors in use by the proxy; p50 %s, p99 %s of a closed loop "+
		"over %d connections, %.0f tokens in turn. %s", res.Requests/res.Seconds, d["process_cpu_seconds_total"]/res.Requests*1e6, cores,
		ms(res.P50), ms(res.P99), connections, res.Tokens, pinned()))
	rep.checks = append(rep.checks,
		check{"every answer is 200", res.Requests > 0 && res.NotOK == 0, fmt.Sprintf("%.0f requests, %.0f not", res.Requests, res.NotOK)},
		check{"no connection fails", res.Connect+res.Read+res.Write+res.Timeout == 0, fmt.Sprintf("connect %.0f, read %.0f, write %.0f, timeout %.0f", res.Connect, res.Read, res.Write, res.Timeout)},
		check{"the tokens were known", d["sallyport_cache_misses_total"] < 0.01*res.Requests, fmt.Sprintf("%.0f misses", d["sallyport_cache_misses_total"])},
	)
	return nil
}

func wrkOnce(ctx context.Context, opt options, r *rig, connections int, duration string) (*wrkResult, error) {
	argv := append(toolWrk.pinRest(), opt.wrk, "-t", "1", "-c", strconv.Itoa(connections), "-d", duration,
		"-s", filepath.Join(opt.scripts, "wrk", "saturation.lua"), r.target)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "TOKENS="+r.path("tokens"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if res, bad := parseWrk(out); bad == nil {
		return res, nil // with status 1 as well: the errors are in it
	}
	return nil, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
}

func parseWrk(out []byte) (*wrkResult, error) {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var res wrkResult
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &res); err != nil || res.Seconds <= 0 {
		return nil, fmt.Errorf("wrk printed no result (%v): %s", err, out)
	}
	return &res, nil
}

// splitCPUs takes the last processor off a list such as 0-3,8.
func splitCPUs(list string) (rest, last string, ok bool) {
	list = strings.TrimSpace(list)
	i := strings.LastIndexByte(list, ',')
	head, tail := list[:max(i, 0)], list[i+1:]
	from, to, span := strings.Cut(tail, "-")
	if !span {
		return head, tail, head != ""
	}
	a, err := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || a >= b {
		return "", "", false
	}
	tail = from
	if b-1 > a {
		tail = fmt.Sprintf("%d-%d", a, b-1)
	}
	if head != "" {
		tail = head + "," + tail
	}
	return tail, to, true
}

// processors returns the one for the proxy and those for all else, where they can be kept apart.
func processors() (rest, proxy string, ok bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", "", false
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return "", "", false
	}
	_, list, _ := strings.Cut(string(status), "\nCpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	return splitCPUs(list)
}

// pin returns what is put before the command of the proxy: without k6 it has one processor, and all else the others.
func (t tool) pin() []string {
	if _, proxy, ok := processors(); ok && t != toolK6 {
		return []string{"taskset", "-c", proxy}
	}
	return nil
}

func (t tool) pinRest() []string {
	if rest, _, ok := processors(); ok && t == toolWrk {
		return []string{"taskset", "-c", rest}
	}
	return nil
}

func pinned() string {
	if rest, proxy, ok := processors(); ok {
		return fmt.Sprintf("The proxy has processor %s, load and upstream have %s.", proxy, rest)
	}
	return "Proxy, load and upstream share all processors: the figure is the machine's, not the proxy's."
}
