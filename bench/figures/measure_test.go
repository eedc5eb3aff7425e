package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// scripted is an arm whose runs cost what cost says.
func scripted(log *[]string, name string, cost func() float64) Arm {
	return Arm{Run: func() (float64, error) {
		if log != nil {
			*log = append(*log, name)
		}
		return cost(), nil
	}}
}

func constant(v float64) func() float64 { return func() float64 { return v } }

func TestRatioInterleavesAndControls(t *testing.T) {
	var log []string
	f := Figure{Name: "x/y", Goal: AtMost(2.5), Ratio: func(*Env) (Pair, error) {
		two := constant(2)
		return Pair{Num: scripted(&log, "n", constant(4)), Den: scripted(&log, "d", two), Twin: scripted(&log, "t", two)}, nil
	}}
	r, err := measure(&f, nil, 20)
	if err != nil {
		t.Fatal(err)
	}
	if r.Value != 2 || *r.Interval != (interval{Low: 2, High: 2}) || r.Verdict != OK || *r.Control != 1 || *r.Control95 != (interval{Low: 1, High: 1}) {
		t.Errorf("result %+v, control %v", r, *r.Control)
	}
	got := strings.Join(log, "")
	want := "ndt" + strings.Repeat("nd"+"td"+"dn"+"dt", 10) // warm-up, then ABBA with the control in between
	if got != want {
		t.Errorf("order of runs %s, want %s", got, want)
	}
}

// A machine that gets slower all the time must not show in the ratio of equals.
func TestRatioOfEqualsOnASlowingMachine(t *testing.T) {
	cost := 100.0
	slowing := func() float64 { cost *= 1.01; return cost }
	f := Figure{Name: "x/y", Goal: AtMost(1.005), Ratio: func(*Env) (Pair, error) {
		return Pair{Num: scripted(nil, "", slowing), Den: scripted(nil, "", slowing)}, nil
	}}
	r, err := measure(&f, nil, 20)
	if err != nil {
		t.Fatal(err)
	}
	if r.Value < 0.999 || r.Value > 1.001 || r.Verdict != Noisy {
		t.Errorf("ratio %v %v, verdict %s; want 1 and noisy, since each pair is 1 %% off in turns", r.Value, *r.Interval, r.Verdict)
	}
}

func TestMeasureOtherKinds(t *testing.T) {
	lacking := Figure{Name: "x", Goal: AtLeast(2), Lacks: func() string { return "no AVX-512" }, Ratio: Compare(func() {}, func() {})}
	if r, err := measure(&lacking, nil, 20); err != nil || r.Verdict != NA || r.Note != "no AVX-512" {
		t.Errorf("lacking: %+v, %v", r, err)
	}
	count := Figure{Name: "x", Goal: Exactly(0), Count: func(*Env) (float64, error) { return 3, nil }}
	if r, err := measure(&count, nil, 20); err != nil || r.Verdict != Short || r.Value != 3 || r.Interval != nil {
		t.Errorf("count: %+v, %v", r, err)
	}
	value := Figure{Name: "x", Goal: AtMost(8), Value: func(*Env) (Arm, error) { return scripted(nil, "", constant(7)), nil }}
	if r, err := measure(&value, nil, 20); err != nil || r.Verdict != OK || r.Value != 7 {
		t.Errorf("value: %+v, %v", r, err)
	}
	broken := Figure{Name: "x", Count: func(*Env) (float64, error) { return 0, errors.New("no") }}
	if _, err := measure(&broken, nil, 20); err == nil {
		t.Error("an error while measuring is lost")
	}
}

func TestCompareFunctions(t *testing.T) {
	x := uint64(1)
	work := func(n int) func() {
		return func() {
			for range n {
				x = x*6364136223846793005 + 1
			}
		}
	}
	f := Figure{Name: "x", Goal: AtLeast(1.5), Ratio: Compare(work(4000), work(1000))}
	r, err := measure(&f, nil, 20)
	if err != nil {
		t.Fatal(err)
	}
	if r.Value < 1.5 || r.Value > 16 || x == 0 {
		t.Errorf("four times the work took %v times as long", r.Value)
	}
}

func TestLine(t *testing.T) {
	one := 1.0
	check := func(r Result, want string) {
		t.Helper()
		if got := strings.Join(strings.Fields(r.line(10)), " "); got != want {
			t.Errorf("line %q, want %q", got, want)
		}
	}
	check(Result{
		Name: "a/b", Value: 1.2345, Interval: &interval{Low: 1.2, High: 1.3}, Goal: "<= 1.4", Verdict: OK,
		Control: &one, Control95: &interval{Low: 0.98, High: 1.021},
	}, "a/b 1.23 [1.2, 1.3] <= 1.4 ok control 1 [0.98, 1.02]")
	check(Result{Name: "allocs/x", Unit: "allocs", Goal: "= 0", Verdict: OK}, "allocs/x 0 allocs - = 0 ok")
	check(Result{Name: "k", Goal: ">= 4.5", Verdict: NA, Note: "no AVX-512"}, "k - - >= 4.5 n/a no AVX-512")
	check(Result{Name: "k", Value: 12345.6, Goal: "-", Verdict: OK}, "k 12346 - - ok")
}

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	f := Figure{Name: "soak/rss-growth", Goal: AtMost(1.1), Long: true}
	r, err := readRecord(dir, &f)
	if err != nil || r.Verdict != NA {
		t.Fatalf("no record: %+v, %v; want n/a", r, err)
	}
	now := time.Date(2026, 11, 25, 4, 0, 0, 0, time.UTC)
	taken := Result{Name: f.Name, Value: 1.02, Interval: &interval{Low: 1.01, High: 1.2}, Goal: "<= 2", Verdict: OK}
	if err := writeRecord(dir, taken, now); err != nil {
		t.Skip("no commit to be had here: ", err)
	}
	if r, err = readRecord(dir, &f); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != Noisy || r.Goal != "<= 1.1" || r.Value != 1.02 {
		t.Errorf("%+v: want the old value judged by the present goal", r)
	}
	if !strings.HasPrefix(r.Note, "taken at ") || !strings.HasSuffix(r.Note, "on 2026-11-25T04:00:00Z") {
		t.Errorf("note %q lacks commit or date", r.Note)
	}
	other := Figure{Name: "soak_rss-growth", Long: true} // the same file
	if _, err := readRecord(dir, &other); err == nil {
		t.Error("a record of another figure was taken")
	}
	if err := os.WriteFile(recordPath(dir, f.Name), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(dir, &f); err == nil {
		t.Error("a record without commit and date was taken")
	}
}

func TestRunListsAndSelects(t *testing.T) {
	var out, progress bytes.Buffer
	short, err := run(options{run: regexp.MustCompile("^allocs/"), list: true}, &out, &progress)
	if err != nil || short || !strings.Contains(out.String(), "allocs/hs256") || strings.Contains(out.String(), "proxy/") {
		t.Errorf("list: %q, %v, %v", out.String(), short, err)
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := writeJSON(&out, []Result{{Name: "a", Value: 2, Interval: &interval{Low: 1, High: 3}, Goal: "-", Verdict: OK}}); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got[0]["name"] != "a" || got[0]["verdict"] != "ok" {
		t.Errorf("JSON %s: %v", out.String(), err)
	}
}

func TestParseFlags(t *testing.T) {
	if _, err := parse([]string{"-pairs", "19"}); err == nil {
		t.Error("19 pairs were allowed")
	}
	if _, err := parse([]string{"-run", "("}); err == nil {
		t.Error("a broken pattern was allowed")
	}
	if _, err := parse([]string{"all"}); err == nil {
		t.Error("an argument was allowed")
	}
}
