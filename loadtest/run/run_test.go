package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/edge/config"
)

func TestParseOptions(t *testing.T) {
	opt, err := parseOptions([]string{"-k6", "x/k6", "-alg", "EdDSA", "mix"})
	if err != nil || opt.scenario != "mix" || opt.k6 != "x/k6" || opt.alg != "EdDSA" {
		t.Errorf("parseOptions = %+v, %v", opt, err)
	}
	check := func(want string, args ...string) {
		t.Helper()
		if _, err := parseOptions(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseOptions(%q) = %v, want %q in it", args, err, want)
		}
	}
	check("unknown-kid", "mixed") // the list of those that there are
	check("want one scenario")
	check("want one scenario", "mix", "smoke")
	check("not defined", "-rate", "3", "mix")
}

// Whatever is missing, the error says how to get it.
func TestInstalled(t *testing.T) {
	t.Setenv("TARGET", "")
	here := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(here, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	check := func(tool tool, opt options, want string) {
		t.Helper()
		if err := tool.installed(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("installed(%+v) = %v, want %q in it", opt, err, want)
		}
	}
	check(toolK6, options{k6: here + "-not", sallyport: here}, "make load")
	check(toolWrk, options{wrk: here + "-not", sallyport: here}, "apt-get install wrk")
	check(toolK6, options{k6: here, sallyport: here + "-not"}, "make build")
	if err := toolK6.installed(options{k6: here, sallyport: here}); err != nil {
		t.Error(err)
	}
}

// Each scenario has its script, what it sets is read there, and the README names it.
func TestScenarios(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lib, err := os.ReadFile("../k6/lib.js")
	if err != nil {
		t.Fatal(err)
	}
	for name, sc := range scenarios {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README does not name %s", name)
		}
		if sc.tool != toolK6 {
			continue
		}
		script, err := os.ReadFile(filepath.Join("../k6", sc.script))
		if err != nil {
			t.Error(err)
		}
		for setting := range sc.env {
			if !strings.Contains(string(script)+string(lib), "'"+setting+"'") {
				t.Errorf("%s sets %s, which %s does not read", name, setting, sc.script)
			}
		}
	}
}

// Both configs are without fault, and a reload from one to the other changes every part.
func TestConfigText(t *testing.T) {
	p := configParams{listen: "127.0.0.1:1", admin: "127.0.0.1:2", issuer: "http://127.0.0.1:3", alg: "ES256", upstream: "127.0.0.1:4", cache: "4MiB"}
	parse := func() *config.Config {
		t.Helper()
		c, err := config.Parse("load", []byte(p.text()), config.OSFiles{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := parse()
	p.changed = true
	b := parse()
	if a.Listeners[0].MaxRequestsPerConn == b.Listeners[0].MaxRequestsPerConn || a.Issuers[0].ClockSkew == b.Issuers[0].ClockSkew ||
		a.Upstreams[0].IdleTimeout == b.Upstreams[0].IdleTimeout || len(a.Routes) == len(b.Routes) {
		t.Error("the changed config has a part as it was")
	}
}

const metricsText = `# HELP x
a_total{route="r",code="200"} 10
a_total{route="r",code="401"} 4
b 7
c_sum 1.5
`

func TestMetrics(t *testing.T) {
	before := parseMetrics(metricsText)
	after := parseMetrics(strings.NewReplacer(" 10", " 25", "b 7", "b 3", "1.5", "2e1").Replace(metricsText))
	d := difference(before, after)
	if got := d.sum("a_total"); got != 15 {
		t.Errorf("sum of counters = %v, want 15", got)
	}
	if by := d.by("a_total", "code"); len(by) != 1 || by["200"] != 15 {
		t.Errorf("by code = %v, want 15 of 200 and nothing else", by)
	}
	if d["b"] != 3 || d["c_sum"] != 18.5 {
		t.Errorf("gauge %v, sum %v; want 3 and 18.5", d["b"], d["c_sum"])
	}
	if got := parseMetrics("a 1\na_total 2").sum("a"); got != 1 {
		t.Errorf("sum of a = %v, want 1: a_total is another name", got)
	}
}

const summaryJSON = `{"metrics":{
 "http_reqs":{"count":300,"rate":10},
 "http_req_duration":{"count":300,"med":1,"p(95)":2,"p(99)":3,"p(99.9)":4,"max":5},
 "http_reqs{kind:valid}":{"count":200,"rate":6,"thresholds":{"count>0":false}},
 "http_req_failed{kind:valid}":{"passes":7,"fails":193,"value":0.035,"thresholds":{"rate==0":true}},
 "dropped_iterations":{"count":9}}}`

func TestReport(t *testing.T) {
	s, err := parseSummary([]byte(summaryJSON))
	if err != nil {
		t.Fatal(err)
	}
	r := newReport(options{scenario: "mix"}, scenario{about: "about"})
	if r.passed() {
		t.Error("a report without checks passes")
	}
	r.k6, r.checks = s, s.thresholds()
	t.Setenv("RATE", "77")
	text := r.markdown()
	for _, want := range []string{
		"# mix: FAILED", "make load SCENARIO=mix RATE=77", "| http_req_failed{kind:valid} rate==0 | **no** | 7 of 200 |",
		"| http_reqs{kind:valid} count>0 | yes | 200 |", "| all | 300 |  | 1.00 ms | 2.00 ms | 3.00 ms | 4.00 ms | 5.00 ms |",
		"| kind:valid | 200 | 7 |", "9 requests that were due were not sent",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	s.Metrics["http_req_failed{kind:valid}"].Thresholds["rate==0"] = false
	if r.checks = s.thresholds(); !r.passed() {
		t.Error("all thresholds held, and the report fails")
	}
	for _, bad := range []string{``, `{}`, `[]`} {
		if _, err := parseSummary([]byte(bad)); err == nil {
			t.Errorf("parseSummary(%q) found something", bad)
		}
	}
}

func TestKnee(t *testing.T) {
	s := &k6Summary{Metrics: map[string]k6Metric{}}
	step := func(rate string, count, p99 float64) {
		s.Metrics["http_reqs{phase:"+rate+"}"] = k6Metric{Count: count}
		s.Metrics["http_req_duration{phase:"+rate+"}"] = k6Metric{P99: p99}
	}
	check := func(want string) {
		t.Helper()
		if got := knee(s, "10s", "50"); !strings.Contains(got, want) {
			t.Errorf("knee = %q, want %q in it", got, want)
		}
	}
	step("500", 5000, 2)
	step("1000", 9990, 3)
	check("No knee up to 1000/s")
	step("1500", 14000, 4) // not all of it sent
	step("2000", 20000, 5) // sent again: it is beyond the knee all the same
	check("between 1000/s and 1500/s")
	step("1000", 10000, 60)
	check("between 500/s and 1000/s")
	step("500", 5000, 50)
	check("below 500/s")
	if got := knee(s, "ten", "50"); !strings.Contains(got, "cannot be read") {
		t.Errorf("knee with a wrong STEP = %q", got)
	}
}

func TestHeapGrowth(t *testing.T) {
	samples := func(f func(i int) float64) (out []heapSample) {
		for i := range 60 {
			out = append(out, heapSample{float64(i), f(i)})
		}
		return out
	}
	check := func(name string, s []heapSample, want float64) {
		t.Helper()
		if got, err := heapGrowth(s); err != nil || math.Abs(got-want) > 0.001 {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	check("flat after its start", samples(func(i int) float64 { return float64(100 + max(0, 15-i)) }), 0)
	check("saw", samples(func(i int) float64 { return float64(1000 + i%2) }), 0)
	check("rising", samples(func(i int) float64 { return float64(1000 + i) }), 39/1039.5)
	if _, err := heapGrowth(samples(func(int) float64 { return 1 })[:12]); err == nil {
		t.Error("12 samples are enough")
	}
}

const csvText = `metric_name,timestamp,metric_value,name,status
http_reqs,100,1,valid,200
http_req_duration,100,4,valid,200
http_req_duration,100,8,valid,200
http_req_duration,102,1,forged,401
http_req_duration,102,1,forged,503
http_req_duration,102,1,forged,200
http_req_duration,102,1,valid,503
http_req_duration,102,1,control,200
`

func TestCourse(t *testing.T) {
	seconds, err := course(strings.NewReader(csvText))
	if err != nil || len(seconds) != 3 {
		t.Fatalf("course = %v, %v; want three seconds", seconds, err)
	}
	if s := seconds[0]; s.passed != 2 || s.p99() != 8 || s.failed != 0 {
		t.Errorf("first second %+v, want 2 passed, p99 8", s)
	}
	if s := seconds[2]; s.refused != 1 || s.busy != 1 || s.failed != 2 || s.passed != 0 {
		t.Errorf("third second %+v, want 1 refused, 1 busy, 2 wrong", s)
	}
	d := xml.NewDecoder(strings.NewReader(svg(seconds)))
	curves := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			curves++
		}
	}
	if curves != 5 {
		t.Errorf("%d curves, want 5", curves)
	}
	for _, bad := range []string{"", "metric_name\n", "metric_name,timestamp,metric_value,name,status\n"} {
		if _, err := course(strings.NewReader(bad)); err == nil {
			t.Errorf("course(%q) found something", bad)
		}
	}
}

func TestSplitCPUs(t *testing.T) {
	check := func(list, rest, last string, ok bool) {
		t.Helper()
		if r, l, o := splitCPUs(list); o != ok || (ok && (r != rest || l != last)) {
			t.Errorf("splitCPUs(%q) = %q, %q, %v", list, r, l, o)
		}
	}
	check("\t0-1", "0", "1", true)
	check("0-3", "0-2", "3", true)
	check("0-3,8", "0-3", "8", true)
	check("0,4-5", "0,4", "5", true)
	check("7", "", "", false)
	check("", "", "", false)
}

func TestParseWrk(t *testing.T) {
	res, err := parseWrk([]byte("Running 10s test\n{\"requests\":50,\"seconds\":2.5,\"not_2xx\":3}\n"))
	if err != nil || res.Requests != 50 || res.Seconds != 2.5 || res.NotOK != 3 {
		t.Errorf("parseWrk = %+v, %v", res, err)
	}
	if _, err := parseWrk([]byte("unable to connect\n")); err == nil {
		t.Error("parseWrk found a result in an error")
	}
}

// The real binary with all that a scenario starts: its tokens pass with their own identity, and rotation and reload happen.
func TestRig(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sallyport")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/sallyport").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	opt := options{scenario: "smoke", sallyport: binary, nginx: "no-such-nginx", results: t.TempDir(), alg: "EdDSA"}
	r, err := startRig(t.Context(), opt, scenario{tokens: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	ask := func(file string) (int, string) {
		t.Helper()
		data, err := os.ReadFile(r.path(file))
		if err != nil {
			t.Fatal(err)
		}
		token, _, _ := strings.Cut(string(data), "\n")
		req, _ := http.NewRequest("GET", r.target, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	check := func(file string, status int, want string) {
		t.Helper()
		if got, body := ask(file); got != status || (status == 200 && body != want) {
			t.Errorf("%s: %d %q, want %d %q", file, got, body, status, want)
		}
	}
	control := func(action string, status int) {
		t.Helper()
		resp, err := http.Post(r.control+"/"+action, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", action, resp.StatusCode, status)
		}
	}
	check("tokens", 200, "tokens-1")
	check("expired", 401, "")
	check("next", 401, "") // its key is not published
	before, err := r.metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	control("publish", 200)
	control("reload", 200)
	control("reload", 200)
	check("tokens", 200, "tokens-1")
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, _ := ask("next"); status == 200 { // when the proxy has looked for the key
			break
		}
	}
	check("next", 200, "next-1")
	after, err := r.metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := difference(before, after)
	if got := d[`sallyport_reloads_total{result="ok"}`]; got != 2 {
		t.Errorf("%v reloads, want 2", got)
	}
	r.stop()
	if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("keys and tokens are left in %s", r.dir)
	}
	if _, err := http.Get(r.target); err == nil {
		t.Error("the proxy still answers")
	}
}
