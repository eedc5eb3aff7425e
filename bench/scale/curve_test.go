package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"sallyport/verify/jose"
)

func TestSlope(t *testing.T) {
	sizes := tenTo(10_000)
	check := func(name string, cost func(n float64) float64, want float64) {
		t.Helper()
		costs := make([]float64, len(sizes))
		for i, n := range sizes {
			costs[i] = cost(float64(n))
		}
		if got := slope(sizes, costs); math.Abs(got-want) > 0.05 {
			t.Errorf("slope of %s = %.2f, want %.2f", name, got, want)
		}
	}
	check("a constant", func(float64) float64 { return 7 }, 0)
	check("a line", func(n float64) float64 { return 3 * n }, 1)
	check("a line over a fixed cost", func(n float64) float64 { return 100 + 3*n }, 0.98)
	check("a square", func(n float64) float64 { return n * n }, 2)
	check("what falls", func(n float64) float64 { return 1 / n }, 0)
}

func TestWithout(t *testing.T) {
	got := without([]float64{50, 60, 300, 2000}, 2, 100)
	for i, want := range []float64{50, 50, 100, 1800} {
		if got[i] != want {
			t.Errorf("without = %v, want %v at %d", got, want, i)
		}
	}
}

// curveOf is a curve whose cost is a formula.
func curveOf(expect Growth, looks int, cost func(n int) float64, closed *[]int) *Curve {
	return &Curve{Name: "a/b", Grows: "things", Unit: "ns", Expect: expect, Sizes: tenTo(1000), Looks: looks, Make: func(_ *Env, n int) (Point, error) {
		return Point{Run: func() (float64, error) { return cost(n), nil }, Close: func() { *closed = append(*closed, n) }}, nil
	}}
}

func TestMeasureFindsDefects(t *testing.T) {
	check := func(name string, expect Growth, looks int, cost func(n int) float64, want bool) {
		t.Helper()
		var closed []int
		r, err := measure(curveOf(expect, looks, cost, &closed), &Env{Miss: 100}, 3, func(string) {})
		if err != nil || r.Defect() != want {
			t.Errorf("%s: slope %.2f, defect %v, %v, want %v", name, r.Slope, r.Defect(), err, want)
		}
		if len(closed) != 4 || closed[0] != 1000 {
			t.Errorf("%s: closed %v, want all, the last first", name, closed)
		}
	}
	check("constant", Constant, 0, func(int) float64 { return 5 }, false)
	check("constant but for the memory", Constant, 3, func(n int) float64 { return 50 + 250*float64(n)/1000 }, false)
	check("a scan", Constant, 0, func(n int) float64 { return 5 + 2*float64(n) }, true)
	check("a scan of looks", Constant, 3, func(n int) float64 { return 5 + 2*float64(n) }, true)
	check("linear", Linear, 0, func(n int) float64 { return 5 + 2*float64(n) }, false)
	check("a square", Linear, 0, func(n int) float64 { return 5 + float64(n*n)/100 }, true)
}

func TestMeasureStopsAtAnError(t *testing.T) {
	boom := errors.New("boom")
	var closed []int
	c := curveOf(Constant, 0, func(int) float64 { return 1 }, &closed)
	good := c.Make
	c.Make = func(env *Env, n int) (Point, error) {
		p, err := good(env, n)
		if n == 100 {
			p.Run = func() (float64, error) { return 0, boom }
		}
		return p, err
	}
	if _, err := measure(c, &Env{}, 1, func(string) {}); !errors.Is(err, boom) || len(closed) != 4 {
		t.Errorf("%v, closed %v", err, closed)
	}
	c = curveOf(Constant, 0, func(n int) float64 { return float64(n - 1) }, &closed)
	if _, err := measure(c, &Env{}, 1, func(string) {}); err == nil {
		t.Error("a cost of nothing was taken")
	}
}

func TestFiles(t *testing.T) {
	var closed []int
	var results []Result
	for _, e := range []Growth{Constant, Linear} {
		c := curveOf(e, 0, func(n int) float64 { return 2 * float64(n) }, &closed)
		c.Grows = "things & <more>"
		r, err := measure(c, &Env{}, 3, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	var b bytes.Buffer
	if err := writeCSV(&b, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 9 || lines[1] != "a/b,1,ns,2,2,2,constant,1.00,defect" || lines[8] != "a/b,1000,ns,2000,2000,2000,linear,1.00,ok" {
		t.Errorf("CSV:\n%s", b.String())
	}
	b.Reset()
	if err := writeSVG(&b, "a < b", results); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Count(text, "<circle") != 8 || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("SVG:\n%s", text)
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("SVG is not XML: %v", err)
		}
	}
}

// Tokens that are made of a pattern and a signature are those that were signed.
func TestSigStore(t *testing.T) {
	var s sigStore
	if err := s.grow(12); err != nil {
		t.Fatal(err)
	}
	raw, err := sign(s.key, payload(3))
	if err != nil {
		t.Fatal(err)
	}
	want, err := sign(s.key, payload(11))
	if err != nil {
		t.Fatal(err)
	}
	s.set(raw, 11)
	copy(raw[len(raw)-43:], s.sigs[11][:])
	if !bytes.Equal(raw, want) {
		t.Errorf("token 11 = %s, want %s", raw, want)
	}
}

// Each curve can be measured, at its smallest size; those of connections need a binary.
func TestCurves(t *testing.T) {
	env := &Env{Dir: t.TempDir()}
	seen := map[string]bool{}
	for _, c := range curves() {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		if seen[c.Name] = true; strings.HasPrefix(c.Name, "connections/") {
			continue
		}
		p, err := c.Make(env, c.Sizes[0])
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for range 2 {
			if cost, err := p.Run(); err != nil || !(cost > 0) {
				t.Errorf("%s: a cost of %v, %v", c.Name, cost, err)
			}
		}
		if p.Close != nil {
			p.Close()
		}
	}
}

func TestWorldHasATokenForEachKey(t *testing.T) {
	w, err := newWorld(jose.HS256, 3, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := w.entries()
	if err != nil {
		t.Fatal(err)
	}
	kids := map[string]int{}
	for _, k := range keys {
		kids[k.Kid]++
	}
	if len(keys) != 12 || len(kids) != 4 {
		t.Errorf("%d tokens of %d key IDs, want 12 of 4", len(keys), len(kids))
	}
}
