package flood

import (
	"bytes"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/load"
	"sallyport/bench/proc"
	"sallyport/verify"
	"sallyport/verify/jose"
)

func TestMain(m *testing.M) {
	proc.Main()
	os.Exit(m.Run())
}

// Forged tokens are all different, and nothing is wrong with them but their signatures.
func TestForger(t *testing.T) {
	for _, alg := range []jose.Alg{jose.RS256, jose.ES256, jose.EdDSA, jose.HS256} {
		c, err := corpus.New(alg, 1, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.Verifier(nil)
		if err != nil {
			t.Fatal(err)
		}
		good := string(corpus.Request(c.Tokens[0]))
		next := forger(c)
		seen := map[string]bool{}
		var tok verify.Token
		for range 200 {
			request := string(next())
			if seen[request] || len(request) != len(good) {
				t.Fatalf("%s: a forged request came twice, or is not as long as a good one", alg)
			}
			seen[request] = true
			_, raw, _ := strings.Cut(request, "Bearer ")
			raw, _, _ = strings.Cut(raw, "\r\n")
			err := v.Verify(&tok, []byte(raw), time.Now().Unix(), netip.Addr{})
			if got := verify.ReasonOf(err); err == nil || got != verify.ReasonSignature {
				t.Fatalf("%s: %v, want signature", alg, got)
			}
		}
	}
}

func TestReadPage(t *testing.T) {
	const text = `# HELP x y
sallyport_pool_verifications_total{how="inline"} 5
sallyport_pool_verifications_total{how="queued"} 7
sallyport_pool_verifications_total{how="shared"} 100
sallyport_pool_rejected_total 3
sallyport_decision_duration_seconds_bucket{cache="hit",vmrange="0...1.000e-09"} 1
sallyport_decision_duration_seconds_bucket{cache="hit",vmrange="1.000e-06...1.136e-06"} 90
sallyport_decision_duration_seconds_bucket{cache="hit",vmrange="1.000e-03...1.136e-03"} 9
sallyport_decision_duration_seconds_bucket{cache="miss",vmrange="1.000e-03...1.136e-03"} 1000
`
	p, err := readPage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if p.verifications() != 12 || p.rejected() != 3 || p.hits.count() != 100 {
		t.Errorf("%v verifications, %v rejected, %v hits", p.verifications(), p.rejected(), p.hits.count())
	}
	for q, want := range map[float64]float64{0.5: 1066, 0.9: 1134, 0.99: 1.12e6, 1: 1.136e6} {
		if got := float64(p.hits.quantile(q)); math.Abs(got/want-1) > 0.01 {
			t.Errorf("quantile %v is %v ns, want %v", q, got, want)
		}
	}
	old := histogram{bounds{1e-6, 1.136e-6}: 90}
	if late := p.hits.minus(old); late.count() != 10 || late.quantile(0.5) < time.Millisecond {
		t.Errorf("what came since: %v", late)
	}
	for _, bad := range []string{"a b\n", `sallyport_decision_duration_seconds_bucket{cache="hit",vmrange="x...y"} 1` + "\n"} {
		if _, err := readPage(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// The whole of it for a moment: both kinds of traffic arrive, and no forged token passes. How good the figures are is no matter here.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a proxy")
	}
	if _, _, err := proc.Split(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "sallyport")
	cmd := exec.Command("go", "build", "-o", binary, "sallyport/cmd/sallyport")
	var out bytes.Buffer
	if cmd.Stderr = &out; cmd.Run() != nil {
		t.Fatalf("cannot build sallyport: %s", out.String())
	}
	b, err := Start(Options{Sallyport: binary, Kernels: "std", Dir: dir, Alg: jose.RS256, Calibrate: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Capacity <= 0 || b.Verifications <= 0 {
		t.Errorf("capacity %v, verifications %v a second", b.Capacity, b.Verifications)
	}
	for _, flooded := range []bool{false, true} {
		p, err := b.Run(200*time.Millisecond, flooded)
		if err != nil {
			t.Fatal(err)
		}
		// On a busy machine not everything is answered in time, but nothing is answered otherwise.
		if n := answered(&p.Good); p.Good.Status[200] != n || p.HitP50 <= 0 || p.HitP99 < p.HitP50 || p.Completed() <= 0 || p.Completed() > 1 {
			t.Errorf("flood %v: %d of %d good, %v, %v", flooded, p.Good.Status[200], n, p.HitP50, p.HitP99)
		}
		f := &p.Flood
		if n := answered(f); (p.Checked > 0) != flooded || (f.Status[401] > 0) != flooded || f.Status[401]+f.Status[503] != n || f.Bare503 > 0 {
			t.Errorf("flood %v: %v checked, %d refused, %d busy, %d bare, of %d", flooded, p.Checked, f.Status[401], f.Status[503], f.Bare503, n)
		}
	}
}

func answered(t *load.Tally) (n int) {
	for _, count := range t.Status {
		n += count
	}
	return n
}
