package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

func TestMain(m *testing.M) {
	proc.Main()
	dir, err := os.MkdirTemp("", "sallyport-peers-test-")
	if err != nil {
		panic(err)
	}
	binaries = sync.OnceValues(func() (string, error) {
		out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "sallyport/bench/bare", "sallyport/cmd/sallyport").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return dir, err
	})
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// binaries is the folder with bare fasthttp and sallyport of this tree.
var binaries func() (dir string, err error)

// testBed has bare fasthttp and sallyport, and nobody else.
func testBed(t *testing.T) *bed {
	t.Helper()
	measured, _, err := proc.Split()
	if err != nil {
		t.Skip(err)
	}
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{
		programs: map[string]*Program{}, dir: t.TempDir(), measured: []int{measured}, upstream: -1, tokens: 200,
		budget: Budget{Seconds: 0.4, Rounds: 3, Run: 20 * time.Millisecond, Slices: 2}, rng: rand.New(rand.NewPCG(1, 2)),
		progress: io.Discard, started: time.Now(),
	}
	for _, s := range sources("", "") {
		b.programs[s.name] = &Program{Name: s.name, Missing: errors.New("not in this test")}
	}
	b.programs[yardstick] = &Program{Argv: []string{filepath.Join(dir, "bare")}}
	b.programs["sallyport"] = &Program{Argv: []string{filepath.Join(dir, "sallyport")}}
	return b
}

func TestGroup(t *testing.T) {
	b := testBed(t)
	rows, err := b.group(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		switch r.Peer {
		case yardstick, "sallyport":
			if len(r.costs) != b.budget.Rounds || r.cpu() <= 1 || r.RSS < 1 || r.Ratio == nil || r.Control == nil || r.State != "" {
				t.Errorf("%+v", r)
			}
		default:
			if r.timed() || !strings.Contains(r.State, "not available: not in this test") {
				t.Errorf("%+v: a peer that is not there", r)
			}
		}
		takes := r.Peer == "sallyport" && r.Case != "es256/"+audited
		if takes != (len(r.Loads) == len(offered)) {
			t.Errorf("%s %s: %d rates", r.Peer, r.Case, len(r.Loads))
		}
	}
	if slow := find(rows, "sallyport", "es256/"+cached); slow == nil || len(slow.Loads) == 0 || (slow.Loads[0].State == "" && slow.Loads[0].Latency.P50 <= 0) {
		t.Errorf("no latency: %+v", slow)
	}
}

// Clients and upstream in threads of their own, as where there are four CPUs.
func TestGroupOnTwoCores(t *testing.T) {
	b := testBed(t)
	cpus, err := proc.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	b.measured, b.upstream = cpus[:2], cpus[1]
	rows, err := b.group(jose.AlgInvalid)
	if err != nil {
		t.Fatal(err)
	}
	r := rows[slices.IndexFunc(rows, func(r *Row) bool { return r.Peer == "sallyport" })]
	if len(r.costs) != b.budget.Rounds || r.Cores != 2 || len(r.Loads) != 0 {
		t.Errorf("%+v", r)
	}
}

// A proxy that lets everything pass must not be timed among those that check.
func TestCheckFindsWhoChecksNothing(t *testing.T) {
	b := testBed(t)
	made, err := corpus.New(jose.ES256, 2, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged, err := corpus.New(jose.ES256, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	open := *entryOf(yardstick, "")
	open.Case = neverSeen
	a := &arm{Row: &Row{Peer: yardstick, Cores: 1}, entry: &open, bed: b}
	defer a.close()
	if err := a.begin(made, forged.Tokens[0]); err == nil || !strings.Contains(err.Error(), "another key is answered with 200") {
		t.Errorf("bare fasthttp was taken for one that checks tokens: %v", err)
	}
	// One that accepts nobody: the tokens are of a key that it does not have.
	a = &arm{Row: &Row{Peer: "sallyport", Cores: 1}, entry: entryOf("sallyport", neverSeen), bed: b}
	defer a.close()
	address, err := a.start(b.programs["sallyport"], forged)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.check(address, made, forged.Tokens[0]); err == nil || !strings.Contains(err.Error(), "a good token: it is answered with 401") {
		t.Errorf("a proxy that refuses everybody: %v", err)
	}
}

func TestParseStatus(t *testing.T) {
	check := func(line string, want int) {
		t.Helper()
		if got, err := parseStatus(line); got != want || (err == nil) != (want != 0) {
			t.Errorf("parseStatus(%q) = %d, %v", line, got, err)
		}
	}
	check("HTTP/1.1 200 OK\r\n", 200)
	check("HTTP/1.1 401 \r\n", 401)
	check("HTTP/1.1 401", 401)
	check("HTTP/1.0 200 OK\r\n", 0)
	check("HTTP/1.1\r\n", 0)
	check("", 0)
}

func TestParseGroups(t *testing.T) {
	got, err := parseGroups("plain,eddsa")
	if err != nil || !slices.Equal(got, []jose.Alg{jose.AlgInvalid, jose.EdDSA}) {
		t.Errorf("parseGroups = %v, %v", got, err)
	}
	for _, bad := range []string{"", "rs256,", "hs256"} {
		if _, err := parseGroups(bad); err == nil {
			t.Errorf("parseGroups(%q) went well", bad)
		}
	}
}
