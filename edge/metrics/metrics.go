// Package metrics counts, in Prometheus text. It outlives configs: a reload adds and removes series, and resets none.
//
// Every label value comes from the config or from a fixed list, so that no client can make series.
package metrics

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"sallyport/verify"
)

// Gauges are read when metrics are written. Each may be nil.
type Gauges struct {
	InFlight     func() float64
	Connections  func() float64
	AuditDropped func() float64
	// Write appends series whose labels depend on the present State: key sets and endpoints.
	Write func(w io.Writer)
}

// Metrics is all of the process's counters.
type Metrics struct {
	set    *vm.Set
	gauges Gauges

	panics, refused           *vm.Counter
	hits, misses              *vm.Counter
	reloadsGood, reloadsBad   *vm.Counter
	decided                   [numSights]*vm.Histogram
	reloadGood, lastReloadSec atomic.Int64

	// What configs add and remove is not in set: to take one series out of that costs a walk over all of them.
	mu       sync.Mutex
	routes   map[string]*RouteMetrics           // guarded by mu
	verdicts atomic.Pointer[map[string]*counts] // by issuer; "" for none
	none     *RouteMetrics
}

// counts are the verdicts on one issuer's tokens.
type counts [verify.NumReasons]atomic.Uint64

// RouteMetrics are the counters of one route, resolved once. Requests in flight may count on when the route was removed; nobody sees
// it.
type RouteMetrics struct {
	name      string
	answers   [600]atomic.Uint64 // by status
	duration  *vm.PrometheusHistogram
	upstream  *vm.PrometheusHistogram
	durations [2]*vm.Set // duration and upstream, each alone
}

// durationBuckets are the upper bounds of a duration's buckets in seconds, each about twice the one before: from a cached token on a
// fast upstream to what clients wait for at all.
var durationBuckets = []float64{
	10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
}

// New makes the counters.
func New(g Gauges) *Metrics {
	m := &Metrics{set: vm.NewSet(), gauges: g, routes: map[string]*RouteMetrics{}}
	m.panics = m.set.NewCounter("sallyport_panics_total")
	m.refused = m.set.NewCounter("sallyport_connections_refused_total")
	m.reloadsGood = m.set.NewCounter(`sallyport_reloads_total{result="ok"}`)
	m.reloadsBad = m.set.NewCounter(`sallyport_reloads_total{result="failed"}`)
	m.hits = m.set.NewCounter("sallyport_cache_hits_total")
	m.misses = m.set.NewCounter("sallyport_cache_misses_total")
	for sight, name := range sightNames {
		m.decided[sight] = m.set.NewHistogram("sallyport_decision_duration_seconds{cache=" + Label(name) + "}")
	}
	m.none = m.newRoute("")
	m.gauge("sallyport_requests_in_flight", g.InFlight)
	m.gauge("sallyport_connections_open", g.Connections)
	m.gauge("sallyport_audit_dropped_total", g.AuditDropped)
	m.gauge("sallyport_config_last_reload_successful", func() float64 { return float64(m.reloadGood.Load()) })
	m.gauge("sallyport_config_last_reload_success_timestamp_seconds", func() float64 { return float64(m.lastReloadSec.Load()) })
	m.SetIssuers(nil)
	return m
}

func (m *Metrics) gauge(name string, f func() float64) {
	if f != nil {
		m.set.NewGauge(name, f)
	}
}

// Label quotes a label's value as Prometheus text has it. There are three escapes; Go's own would make the whole page unreadable.
func Label(value string) string {
	return `"` + labelEscapes.Replace(strings.ToValidUTF8(value, "\ufffd")) + `"`
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Panic counts a panic that was turned into a 500.
func (m *Metrics) Panic() { m.panics.Inc() }

// ConnectionRefused counts a connection closed because its listener or source had too many.
func (m *Metrics) ConnectionRefused() { m.refused.Inc() }

// ReloadSucceeded notes a config that is in force.
func (m *Metrics) ReloadSucceeded(now time.Time) {
	m.reloadsGood.Inc()
	m.reloadGood.Store(1)
	m.lastReloadSec.Store(now.Unix())
}

// ReloadFailed notes a config that was refused.
func (m *Metrics) ReloadFailed() {
	m.reloadsBad.Inc()
	m.reloadGood.Store(0)
}

// Verified counts a verified token, by whether the claim cache had it.
func (m *Metrics) Verified(cached bool) {
	if cached {
		m.hits.Inc()
	} else {
		m.misses.Inc()
	}
}

// KeyWaits counts n tokens with an unknown key by what became of them; answer is one of a fixed list.
func (m *Metrics) KeyWaits(answer string, n int) {
	m.set.GetOrCreateCounter("sallyport_keyset_unknown_kid_total{answer=" + Label(answer) + "}").Add(n)
}

// A Sight is what the claim cache had of a request's token.
type Sight uint8

// The sights.
const (
	NoToken Sight = iota // none was looked for, or there was not exactly one
	Miss                 // it was not there, be it good or forged
	Hit
	numSights
)

var sightNames = [numSights]string{NoToken: "none", Miss: "miss", Hit: "hit"}

// Decided notes how long a decision took, the wait for a signature's check included. What hits take apart from the others shows
// what a flood of forged tokens costs those who have been seen before.
func (m *Metrics) Decided(s Sight, d time.Duration) { m.decided[s].Update(d.Seconds()) }

// Route returns the counters of the route called name, making them when they are new.
func (m *Metrics) Route(name string) *RouteMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.routes[name]
	if r == nil {
		r = m.newRoute(name)
		m.routes[name] = r
	}
	return r
}

// NoRoute returns the counters of requests that found no route.
func (m *Metrics) NoRoute() *RouteMetrics { return m.none }

func (m *Metrics) newRoute(name string) *RouteMetrics {
	r := &RouteMetrics{name: name, durations: [2]*vm.Set{vm.NewSet(), vm.NewSet()}}
	r.duration = r.durations[0].NewPrometheusHistogramExt("sallyport_request_duration_seconds{route="+Label(name)+"}", durationBuckets)
	r.upstream = r.durations[1].NewPrometheusHistogramExt("sallyport_upstream_duration_seconds{route="+Label(name)+"}", durationBuckets)
	return r
}

// SetRoutes removes the series of routes that are not in names.
func (m *Metrics) SetRoutes(names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep := map[string]bool{}
	for _, n := range names {
		keep[n] = true
	}
	maps.DeleteFunc(m.routes, func(name string, _ *RouteMetrics) bool { return !keep[name] })
}

// Answered counts one answer and how long the request took.
func (r *RouteMetrics) Answered(status int, d time.Duration) {
	if status < 0 || status >= len(r.answers) {
		status = 0
	}
	r.answers[status].Add(1)
	r.duration.Update(d.Seconds())
}

// Upstream notes how long the upstream took to the head of its response.
func (r *RouteMetrics) Upstream(d time.Duration) { r.upstream.Update(d.Seconds()) }

// SetIssuers makes the verdict counters for names and removes those of other issuers.
func (m *Metrics) SetIssuers(names []string) {
	next := map[string]*counts{}
	var old map[string]*counts
	if p := m.verdicts.Load(); p != nil {
		old = *p
	}
	for _, name := range append([]string{""}, names...) {
		if next[name] = old[name]; next[name] == nil {
			next[name] = new(counts)
		}
	}
	m.verdicts.Store(&next)
}

// Verdict counts a decision. issuer is that of a verified token, "" for none.
func (m *Metrics) Verdict(issuer string, r verify.Reason) {
	rows := *m.verdicts.Load()
	row := rows[issuer]
	if row == nil {
		row = rows[""] // an issuer that a reload has just removed
	}
	if r == verify.ReasonInvalid {
		r = verify.ReasonInternal // never set on purpose, so that a series of its own would show 0 for good
	}
	if r < verify.NumReasons {
		row[r].Add(1)
	}
}

// WritePrometheus writes everything, the Go runtime's and the process's own figures included.
func (m *Metrics) WritePrometheus(w io.Writer) {
	m.set.WritePrometheus(w)
	m.writeRoutes(w)
	rows := *m.verdicts.Load()
	for _, issuer := range slices.Sorted(maps.Keys(rows)) {
		for r := verify.ReasonInvalid + 1; r < verify.NumReasons; r++ {
			fmt.Fprintf(w, "sallyport_verdicts_total{issuer=%s,reason=%s} %d\n", Label(issuer), Label(r.String()), rows[issuer][r].Load())
		}
	}
	if m.gauges.Write != nil {
		m.gauges.Write(w)
	}
	vm.WriteProcessMetrics(w)
}

// writeRoutes writes the series of routes, those of one name together.
func (m *Metrics) writeRoutes(w io.Writer) {
	m.mu.Lock()
	list := append(slices.Collect(maps.Values(m.routes)), m.none)
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b *RouteMetrics) int { return strings.Compare(a.name, b.name) })
	for _, r := range list {
		for status := range r.answers {
			if n := r.answers[status].Load(); n > 0 {
				fmt.Fprintf(w, "sallyport_requests_total{route=%s,code=\"%d\"} %d\n", Label(r.name), status, n)
			}
		}
	}
	for i := range 2 {
		for _, r := range list {
			r.durations[i].WritePrometheus(w)
		}
	}
}
