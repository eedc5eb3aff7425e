package main

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"sallyport/bench/stats"
)

// costing is a row whose rounds cost so many µs each.
func costing(peer, name string, micros ...float64) *Row {
	r := &Row{Peer: peer, Case: name, Cores: 1, RSS: 12.34}
	for _, us := range micros {
		r.costs = append(r.costs, us*1000)
		r.rates = append(r.rates, 1e6/us)
		r.busy = append(r.busy, 1)
	}
	return r
}

func sampleRows() []*Row {
	bare := costing("fasthttp", "rs256/unchecked", 20, 22, 21)
	twin := costing("fasthttp", "rs256/unchecked", 20, 22, 21)
	hit := costing("sallyport", "rs256/cached", 22, 24.2, 23.1)
	envoy := costing("envoy", "rs256/cached", 44, 48.4, 46.2)
	for _, r := range []*Row{bare, hit, envoy} {
		r.Ratio, r.Control = ratio(r, bare), ratio(twin, bare)
	}
	hit.Loads = []OpenLoad{
		{Rate: 2000, Got: 2000, CPU: 30, Latency: stats.Quantiles{P50: 0.1, P99: 0.25, Samples: 4000}},
		{Rate: 15000, Got: 14999.6, CPU: 25, Latency: stats.Quantiles{P50: 0.125, P99: 0.5, P999: 1.5, Samples: 105000}},
	}
	envoy.Loads = []OpenLoad{{Rate: 2000, State: "cannot follow: 1900/s at most"}}
	return []*Row{
		bare, hit, envoy,
		{Peer: "caddy-jwt", Case: "rs256/never-seen", Cores: 1, State: "not available: no | Caddy"},
		{Peer: "sallyport", Case: "rs256/cached", Cores: 2, State: "needs four CPUs"},
	}
}

func TestRatioPairsTheRounds(t *testing.T) {
	r := sampleRows()[1]
	if r.Ratio.Value < 1.0999 || r.Ratio.Value > 1.1001 || r.Ratio.High-r.Ratio.Low > 1e-9 {
		t.Errorf("ratio %v, want 1.1 in every round", r.Ratio)
	}
	if ratio(r, nil) != nil || ratio(r, &Row{}) != nil {
		t.Error("a ratio to what was not measured")
	}
	if got := (*Estimate)(nil).String(); got != "n/a" {
		t.Errorf("no estimate is printed as %q", got)
	}
}

func TestOutcomes(t *testing.T) {
	byName := map[string]Outcome{}
	for _, o := range outcomes(sampleRows()) {
		byName[o.Name] = o
	}
	check := func(name string, want stats.Verdict, note string) {
		t.Helper()
		o, ok := byName[name]
		if !ok || o.Verdict != want || !strings.Contains(o.Note, note) {
			t.Errorf("%s: %+v, want %s and a note of %q", name, o, want, note)
		}
	}
	check("cached RS256 by fasthttp", stats.OK, "")
	check("Envoy with its cache by cached RS256", stats.Short, "")
	check("caddy-jwt by never-seen RS256", stats.NA, "not available")
	check("cached ES256 by fasthttp", stats.NA, "not measured")
}

// Each goal must name rows that there can be.
func TestGoalsNameRealRows(t *testing.T) {
	names := map[[2]string]bool{}
	for _, alg := range rsESEd {
		for _, e := range entriesFor(alg) {
			names[[2]string{e.Peer, e.caseName(alg)}] = true
		}
	}
	for _, g := range goals() {
		if !names[g.Num] || !names[g.Den] {
			t.Errorf("%s compares %v with %v", g.Name, g.Num, g.Den)
		}
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := writeCSV(&out, sampleRows()); err != nil {
		t.Fatal(err)
	}
	want := `peer,case,cores,requests_per_s,cpu_us,p50_ms,p99_ms,p999_ms,rss_mib
fasthttp,rs256/unchecked,1,47619,21.00,n/a,n/a,n/a,12.3
sallyport,rs256/cached,1,43290,23.10,n/a,n/a,n/a,12.3
sallyport,rs256/cached@2000,1,2000,30.00,0.100,0.250,n/a,12.3
sallyport,rs256/cached@15000,1,15000,25.00,0.125,0.500,1.500,12.3
envoy,rs256/cached,1,21645,46.20,n/a,n/a,n/a,12.3
envoy,rs256/cached@2000,1,cannot follow,n/a,n/a,n/a,n/a,12.3
caddy-jwt,rs256/never-seen,1,n/a,n/a,n/a,n/a,n/a,n/a
sallyport,rs256/cached,2,n/a,n/a,n/a,n/a,n/a,n/a
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if _, err := csv.NewReader(&out).ReadAll(); err != nil {
		t.Error(err)
	}
}

func TestMarkdown(t *testing.T) {
	r := &Report{
		Date: "2026-11-25", Commit: "abc", CPU: "EPYC", CPUs: 2, Kernel: "6.1", Go: "go1.26", Budget: newBudget(2), Rows: sampleRows(),
		Outcomes: outcomes(sampleRows()),
		Programs: []*Program{{Name: "envoy", Version: "1.40"}, {Name: "caddy-jwt", Missing: errors.New("no Caddy")}},
	}
	var out bytes.Buffer
	if err := r.writeMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"**A short run",
		"| cached RS256 by fasthttp | <= 1.15 | 1.1 [1.1, 1.1] | 1 [1, 1] | ok |  |",
		"| Envoy with its cache by cached RS256 | >= 2.7 | 2 [2, 2] | 1 [1, 1] | short |  |",
		"## RS256, one core for the proxy",
		"| envoy | rs256/cached | 46.2 [44.0, 48.4] | 2.2 [2.2, 2.2] | 21645 | 100 % | 12 |  |",
		"| caddy-jwt | rs256/never-seen | n/a | n/a | n/a | n/a | n/a | not available: no \\| Caddy |",
		"## 2 cores for the proxy\n\nn/a",
		"| sallyport | rs256/cached | 0.10 / 0.25 | 0.12 / 0.50 / 1.50 |",
		"| envoy | rs256/cached | cannot follow: 1900/s at most |",
		"| caddy-jwt | not available: no Caddy |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	full := *r
	full.Budget = newBudget(fullSeconds)
	out.Reset()
	if err := full.writeMarkdown(&out); err != nil || strings.Contains(out.String(), "short run") {
		t.Errorf("a full run is called short, or %v", err)
	}
}

func TestMarkdownReportsErrors(t *testing.T) {
	if err := (&Report{Rows: sampleRows()}).writeMarkdown(full{}); err == nil {
		t.Error("what was not written was not noticed")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// svgElements counts the elements of a picture, which must be well-formed.
func svgElements(t *testing.T, data []byte) map[string]int {
	t.Helper()
	count := map[string]int{}
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return count
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
}

func TestPlots(t *testing.T) {
	got := plots(sampleRows())
	if len(got) != 2 {
		t.Fatalf("%d pictures", len(got))
	}
	cpu := svgElements(t, got["peers-cpu.svg"])
	if cpu["rect"] != 1+3 { // the background and those that were timed
		t.Errorf("%v in the bars", cpu)
	}
	if !bytes.Contains(got["peers-cpu.svg"], []byte(">n/a<")) {
		t.Error("a peer without figures is not in the picture")
	}
	line := svgElements(t, got["peers-p99-rs256.svg"])
	if line["circle"] != 2 {
		t.Errorf("%v in the lines", line)
	}
}

func TestSVGEscapes(t *testing.T) {
	data := barChart("a < b & c", []Bar{{Group: "<g>", Name: "\"n\"", Peer: "nginx", Value: 1}, {Group: "<g>", Name: "x"}})
	if n := svgElements(t, data); n["rect"] != 2 {
		t.Errorf("%v", n)
	}
	svgElements(t, lineChart("nothing", "x", "y", nil))
	svgElements(t, lineChart("one point", "x", "y", []Series{{Name: "a<b", X: []float64{1}, Y: []float64{10}}}))
}

func TestBudget(t *testing.T) {
	full, short := newBudget(fullSeconds), newBudget(2)
	if full.Rounds < 20 {
		t.Errorf("%d rounds are too few for an interval", full.Rounds)
	}
	if n := full.offer(15000).Seconds() * 15000; n < 100_000 {
		t.Errorf("%.0f samples are too few for p99.9", n)
	}
	for _, b := range []Budget{full, short} {
		sum := b.Run * time.Duration(b.Rounds)
		for _, rate := range offered {
			sum += b.offer(rate)
		}
		if sum.Seconds() < 0.9*b.Seconds || sum.Seconds() > 1.1*b.Seconds {
			t.Errorf("%g seconds are shared out as %v", b.Seconds, sum)
		}
	}
}
