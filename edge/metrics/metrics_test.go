package metrics

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/verify"
)

// A series is one sample line of Prometheus text: its name with labels, and its value.
var series = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:, ?|\}$|\} ))*)?) ?(\S+)$`)

// write returns all series; a line that is not Prometheus text fails the test.
func write(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	var b bytes.Buffer
	m.WritePrometheus(&b)
	out := map[string]float64{}
	for line := range strings.Lines(b.String()) {
		line, ok := strings.CutSuffix(line, "\n")
		if !ok {
			t.Errorf("%q: the last line has no end", line)
		}
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		part := series.FindStringSubmatch(line)
		if part == nil {
			t.Errorf("%q is not a line of Prometheus text", line)
			continue
		}
		v, err := strconv.ParseFloat(part[2], 64)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		name := strings.TrimSuffix(part[1], " ")
		if _, twice := out[name]; twice {
			t.Errorf("%q is there twice", name)
		}
		out[name] = v
	}
	return out
}

// containing returns the names of the series that hold text.
func containing(all map[string]float64, text string) (names []string) {
	for name := range all {
		if strings.Contains(name, text) {
			names = append(names, name)
		}
	}
	return names
}

func TestCounters(t *testing.T) {
	m := New(Gauges{
		InFlight: func() float64 { return 3 }, Connections: func() float64 { return 4 }, AuditDropped: func() float64 { return 5 },
		Write: func(w io.Writer) { fmt.Fprintf(w, "sallyport_extra{a=\"b\"} 6\n") },
	})
	m.Panic()
	m.ConnectionRefused()
	m.ConnectionRefused()
	m.ReloadFailed()
	m.ReloadSucceeded(time.Unix(1234, 0))
	m.SetIssuers([]string{"https://a"})
	m.Verdict("https://a", verify.ReasonOK)
	m.Verdict("https://a", verify.ReasonOK)
	m.Verdict("https://gone", verify.ReasonExpired)
	m.Verdict("", verify.NumReasons+1) // no such reason: counted nowhere, and no panic
	m.Verdict("", verify.ReasonInvalid)
	r := m.Route("api")
	r.Answered(200, time.Millisecond)
	r.Answered(200, time.Millisecond)
	r.Answered(-1, 0)
	r.Answered(600, 0)
	r.Upstream(time.Second)
	m.NoRoute().Answered(404, 0)
	m.Decided(NoToken, time.Microsecond)
	m.Decided(Miss, time.Second)
	m.Decided(Hit, time.Microsecond)
	m.Decided(Hit, time.Microsecond)
	got := write(t, m)
	for name, want := range map[string]float64{
		"sallyport_requests_in_flight": 3, "sallyport_connections_open": 4, "sallyport_audit_dropped_total": 5, `sallyport_extra{a="b"}`: 6,
		"sallyport_panics_total": 1, "sallyport_connections_refused_total": 2, `sallyport_reloads_total{result="ok"}`: 1, `sallyport_reloads_total{result="failed"}`: 1,
		"sallyport_config_last_reload_successful": 1, "sallyport_config_last_reload_success_timestamp_seconds": 1234,
		`sallyport_verdicts_total{issuer="https://a",reason="ok"}`: 2, `sallyport_verdicts_total{issuer="",reason="expired"}`: 1,
		`sallyport_requests_total{route="api",code="200"}`: 2, `sallyport_requests_total{route="api",code="0"}`: 2, `sallyport_requests_total{route="",code="404"}`: 1,
		`sallyport_request_duration_seconds_count{route="api"}`: 4, `sallyport_upstream_duration_seconds_sum{route="api"}`: 1, `sallyport_decision_duration_seconds_count{cache="none"}`: 1,
		`sallyport_decision_duration_seconds_sum{cache="miss"}`: 1, `sallyport_decision_duration_seconds_count{cache="hit"}`: 2,
	} {
		if g, ok := got[name]; !ok || g != want {
			t.Errorf("%s = %v (there: %v), want %v", name, g, ok, want)
		}
	}
	if n := got[`sallyport_verdicts_total{issuer="",reason="internal"}`]; n != 1 || len(containing(got, "invalid")) > 0 {
		t.Errorf("a verdict that is none: internal = %v, want 1; series %q, want none", n, containing(got, "invalid"))
	}
	m.ReloadFailed()
	if got := write(t, m); got["sallyport_config_last_reload_successful"] != 0 {
		t.Errorf("after a failed reload the last one was successful")
	}
	if m.Route("api") != r {
		t.Errorf("the same route has other counters")
	}
}

// Durations are in cumulative buckets with le, which are what histogram_quantile reads everywhere.
func TestDurationBuckets(t *testing.T) {
	m := New(Gauges{})
	r := m.Route("api")
	for _, d := range []time.Duration{5 * time.Microsecond, 10 * time.Microsecond, 2 * time.Millisecond, time.Minute} {
		r.Answered(200, d)
		r.Upstream(d)
	}
	got := write(t, m)
	for _, name := range []string{"request", "upstream"} {
		last := 0.0
		for _, c := range []struct {
			le   string
			want float64
		}{{"1e-05", 2}, {"2.5e-05", 2}, {"0.001", 2}, {"0.0025", 3}, {"1", 3}, {"10", 3}, {"+Inf", 4}} {
			series := fmt.Sprintf(`sallyport_%s_duration_seconds_bucket{route="api",le="%s"}`, name, c.le)
			if g, ok := got[series]; !ok || g != c.want {
				t.Errorf("%s = %v (there: %v), want %v", series, g, ok, c.want)
			}
		}
		for _, le := range durationBuckets {
			n := got[fmt.Sprintf(`sallyport_%s_duration_seconds_bucket{route="api",le="%v"}`, name, le)]
			if n < last {
				t.Errorf("%s: the bucket up to %v has %v, fewer than the one before", name, le, n)
			}
			last = n
		}
	}
}

// Names come from the config and may hold anything that it allows: Prometheus text knows three escapes and no other.
func TestLabelsAreEscaped(t *testing.T) {
	for _, name := range []string{`say "hi"`, `back\slash`, "line\nbreak", "tab\there", "Zürich", "soft\u00adhyphen", "\u200bzero", "\x7f", "{}=,", "\xff", `\"`, `\`, "\U0001f600"} {
		m := New(Gauges{})
		m.Route(name).Answered(200, 0)
		m.SetIssuers([]string{name})
		m.Verdict(name, verify.ReasonOK)
		got := write(t, m)
		label := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(name, "\ufffd"))
		for _, want := range []string{`sallyport_requests_total{route="` + label + `",code="200"}`, `sallyport_verdicts_total{issuer="` + label + `",reason="ok"}`} {
			if got[want] != 1 {
				t.Errorf("name %q: %s = %v, want 1; there is %q", name, want, got[want], containing(got, "code=\"200\""))
			}
		}
		m.SetRoutes(nil)
		m.SetIssuers(nil)
		if left := containing(write(t, m), label); len(left) > 0 {
			t.Errorf("name %q: %q is left after its removal", name, left)
		}
	}
}

// A reload removes what is no longer in the config, resets nothing else, and a request that is still under way on a removed
// route does not bring its series back.
func TestRemoval(t *testing.T) {
	m := New(Gauges{})
	a, b := m.Route("a"), m.Route("b")
	a.Answered(200, 0)
	b.Answered(200, 0)
	m.SetIssuers([]string{"i", "j"})
	m.Verdict("i", verify.ReasonOK)
	m.Verdict("j", verify.ReasonOK)
	m.SetRoutes([]string{"a"})
	m.SetIssuers([]string{"i"})
	b.Answered(200, 0)
	b.Answered(502, 0) // a status that it had not answered before
	b.Upstream(0)
	m.Verdict("j", verify.ReasonOK)
	got := write(t, m)
	if names := append(containing(got, `route="b"`), containing(got, `issuer="j"`)...); len(names) > 0 {
		t.Errorf("after the removal there are %q", names)
	}
	if got[`sallyport_requests_total{route="a",code="200"}`] != 1 || got[`sallyport_verdicts_total{issuer="i",reason="ok"}`] != 1 {
		t.Errorf("what stays was reset")
	}
	// One that comes back begins anew.
	m.Route("b").Answered(200, 0)
	m.SetIssuers([]string{"i", "j"})
	got = write(t, m)
	if got[`sallyport_requests_total{route="b",code="200"}`] != 1 || got[`sallyport_verdicts_total{issuer="j",reason="ok"}`] != 0 {
		t.Errorf("a route that came back has %v", containing(got, `route="b"`))
	}
}

func TestConcurrentUse(t *testing.T) {
	m := New(Gauges{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				m.Route("a").Answered(200+i%3, 0)
				m.Verdict("i", verify.ReasonOK)
				switch {
				case w == 0 && i%20 == 0:
					m.SetRoutes([]string{"a"})
					m.SetIssuers([]string{"i"})
				case w == 1 && i%20 == 0:
					m.WritePrometheus(io.Discard)
				}
			}
		})
	}
	wg.Wait()
	got := write(t, m)
	total := 0.0
	for _, name := range containing(got, `sallyport_requests_total{route="a"`) {
		total += got[name]
	}
	if total != 800 {
		t.Errorf("%v answers are counted, want 800", total)
	}
	verdicts := got[`sallyport_verdicts_total{issuer="i",reason="ok"}`] + got[`sallyport_verdicts_total{issuer="",reason="ok"}`]
	if verdicts != 800 {
		t.Errorf("%v verdicts are counted, want 800", verdicts)
	}
}
