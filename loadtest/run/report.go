package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A check is something that had to hold.
type check struct {
	what  string
	held  bool
	found string
}

// A report is the summary of one run.
type report struct {
	opt     options
	sc      scenario
	start   time.Time
	seconds float64
	local   bool
	k6      *k6Summary
	proxy   metrics // what its counters grew by; nil when the target is the caller's
	checks  []check
	notes   []string
	plot    string // file name
}

func newReport(opt options, sc scenario) *report {
	return &report{opt: opt, sc: sc, start: time.Now()}
}

func (r *report) passed() bool { return allHeld(r.checks) }

// allHeld is false when nothing had to hold.
func allHeld(checks []check) bool {
	return len(checks) > 0 && !slices.ContainsFunc(checks, func(c check) bool { return !c.held })
}

func (r *report) verdict() string {
	if r.passed() {
		return "passed"
	}
	return "FAILED"
}

// write writes the Markdown and returns its path.
func (r *report) write() (string, error) {
	path := filepath.Join(r.opt.results, r.opt.scenario+".md")
	return path, os.WriteFile(path, []byte(r.markdown()), 0o644)
}

// settings are those of the environment that the scripts read.
var settings = []string{
	"TARGET", "TRAFFIC", "RATE", "DURATION", "VUS", "USERS", "P99", "PEAK", "STEPS", "STEP", "FLOOD", "FLOOD_RATE", "BUSY", "GOOD", "EVERY",
	"REFRESH", "LEAD", "P99_SPIKE", "SETTLED_P99", "CONNECTIONS", "RATES",
}

func (r *report) command() string {
	c := "make load SCENARIO=" + r.opt.scenario
	for _, name := range settings {
		if v := os.Getenv(name); v != "" {
			c += " " + name + "=" + v
		}
	}
	return c
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %s\n\n%s.\n\n", r.opt.scenario, r.verdict(), r.sc.about)
	fmt.Fprintf(&b, "%s, %.0f s on %s. Again: `%s`\n\n", r.start.UTC().Format("2006-01-02 15:04 UTC"), r.seconds, machine(), r.command())
	if r.local {
		fmt.Fprintf(&b, "Load, proxy and upstream share the machine. %s, tokens %s.\n\n", firstLine(r.opt.sallyport, "version"), r.opt.alg)
	}
	for _, n := range r.notes {
		fmt.Fprintf(&b, "%s\n\n", n)
	}
	fmt.Fprintf(&b, "## What had to hold\n\n| | | found |\n|---|---|---|\n")
	for _, c := range r.checks {
		word := "yes"
		if !c.held {
			word = "**no**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.what, word, c.found)
	}
	if r.k6 != nil {
		r.k6.table(&b)
	}
	if r.plot != "" {
		fmt.Fprintf(&b, "\n![over time](%s)\n", r.plot)
	}
	if r.proxy != nil {
		r.proxy.table(&b, r.seconds)
	}
	return b.String()
}

// table prints a line for all requests and one for each part that has a threshold.
func (s *k6Summary) table(b *strings.Builder) {
	parts := map[string]bool{}
	for name := range s.Metrics {
		base, part, _ := strings.Cut(name, "{")
		if strings.HasPrefix(base, "http_req") && part != "expected_response:true}" {
			parts[part] = true
		}
	}
	fmt.Fprintf(b, "\n## Requests\n\nAs k6 saw them; above some 4 000/s on one core the latency is largely its own.\n\n")
	fmt.Fprintf(b, "| | requests | failed | p50 | p95 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|---|\n")
	names := sortedKeys(parts)
	slices.SortStableFunc(names, byNumber)
	for _, part := range names {
		of := func(base string) (k6Metric, bool) {
			if part != "" {
				base += "{" + part
			}
			m, ok := s.Metrics[base]
			return m, ok
		}
		cells := make([]string, 8)
		cells[0] = strings.TrimSuffix(part, "}")
		if part == "" {
			cells[0] = "all"
		}
		duration, timed := of("http_req_duration")
		if reqs, ok := of("http_reqs"); ok {
			cells[1] = fmt.Sprintf("%.0f", reqs.Count)
		} else if timed {
			cells[1] = fmt.Sprintf("%.0f", duration.Count)
		}
		if failed, ok := of("http_req_failed"); ok {
			cells[2] = fmt.Sprintf("%.0f", failed.Passes)
		}
		if timed && duration.Count > 0 {
			for i, v := range []float64{duration.Med, duration.P95, duration.P99, duration.P999, duration.Max} {
				cells[3+i] = ms(v)
			}
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	if dropped := s.Metrics["dropped_iterations"].Count; dropped > 0 {
		fmt.Fprintf(b, "\n%.0f requests that were due were not sent: no client was free.\n", dropped)
	}
}

var digits = regexp.MustCompile(`\d+`)

// byNumber sorts the steps of a ramp by their rates, and leaves other names as they are.
func byNumber(x, y string) int {
	a, errA := strconv.Atoi(digits.FindString(x))
	b, errB := strconv.Atoi(digits.FindString(y))
	if errA != nil || errB != nil {
		return 0
	}
	return a - b
}

func ms(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) + " ms" }

const verifications = "sallyport_pool_verifications_total"

// table prints what the proxy counted.
func (m metrics) table(b *strings.Builder, seconds float64) {
	fmt.Fprintf(b, "\n## The proxy\n\n| | |\n|---|---|\n")
	requests, cpu := m.sum("sallyport_requests_total"), m["process_cpu_seconds_total"]
	row := func(what, format string, args ...any) {
		fmt.Fprintf(b, "| %s | "+format+" |\n", append([]any{what}, args...)...)
	}
	row("requests", "%.0f", requests)
	if requests > 0 && seconds > 0 {
		row("CPU per request", "%.0f µs; %.2f processors in use", cpu/requests*1e6, cpu/seconds)
	}
	if waited, ok := m["process_pressure_cpu_waiting_seconds_total"]; ok && seconds > 0 {
		// Pressure stall information: much of it means that the figures are the machine's, which had other things to do.
		row("some process waited for a processor", "%.0f %% of the time", 100*waited/seconds)
	}
	row("memory, peak", "%.0f MiB", m["process_resident_memory_peak_bytes"]/(1<<20))
	row("claim cache", "%.0f hits, %.0f misses", m["sallyport_cache_hits_total"], m["sallyport_cache_misses_total"])
	row("signatures checked", "%.0f at once, %.0f queued, %.0f shared, %.0f refused as busy", m[verifications+`{how="inline"}`],
		m[verifications+`{how="queued"}`], m[verifications+`{how="shared"}`], m["sallyport_pool_rejected_total"])
	row("key fetches", "%.0f", m.sum("sallyport_keyset_fetches_total"))
	if n := m.sum("sallyport_reloads_total"); n > 0 {
		row("reloads", "%.0f", n)
	}
	reasons := m.by("sallyport_verdicts_total", "reason")
	for _, reason := range sortedKeys(reasons) {
		row("verdict `"+reason+"`", "%.0f", reasons[reason])
	}
}

// knee names the last step of a ramp at which all was sent and answered below p99 milliseconds.
func knee(s *k6Summary, step, p99 string) string {
	d, err := time.ParseDuration(step)
	limit, err2 := strconv.ParseFloat(p99, 64)
	if err != nil || err2 != nil {
		return fmt.Sprintf("No knee: STEP=%q or P99=%q cannot be read.", step, p99)
	}
	var rates []int
	for name := range s.Metrics {
		if rest, ok := strings.CutPrefix(name, "http_reqs{phase:"); ok {
			if n, err := strconv.Atoi(strings.TrimSuffix(rest, "}")); err == nil {
				rates = append(rates, n)
			}
		}
	}
	slices.Sort(rates)
	last := 0
	for _, rate := range rates {
		part := fmt.Sprintf("{phase:%d}", rate)
		if s.Metrics["http_reqs"+part].Count < 0.98*float64(rate)*d.Seconds() || s.Metrics["http_req_duration"+part].P99 >= limit {
			if last == 0 {
				return fmt.Sprintf("The knee is below %d/s: not all was sent, or p99 was above %s ms.", rate, p99)
			}
			return fmt.Sprintf("The knee is between %d/s and %d/s: up to it everything was sent and p99 stayed below %s ms.", last, rate, p99)
		}
		last = rate
	}
	return fmt.Sprintf("No knee up to %d/s: everything was sent, and p99 stayed below %s ms. Raise PEAK.", last, p99)
}

// machine says what this runs on.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := bytes.Cut(info, []byte("model name")); ok {
			line, _, _ := bytes.Cut(rest, []byte("\n"))
			model = strings.TrimLeft(string(line), "\t: ")
		}
	}
	return fmt.Sprintf("%d processors (%s)", runtime.NumCPU(), model)
}

// firstLine returns the first line that a program prints.
func firstLine(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
