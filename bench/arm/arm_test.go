package arm

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func spin() {
	for start := time.Now(); time.Since(start) < 50*time.Microsecond; {
	}
}

func TestServe(t *testing.T) {
	setups := 0
	arms := map[string]Setup{
		"spin":   func() (func(), error) { setups++; return spin, nil },
		"broken": func() (func(), error) { return nil, errors.New("no key\nto be had") },
	}
	var out strings.Builder
	if err := Serve(strings.NewReader("spin\nspin\nbroken\nother\n"), &out, arms); err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(answers) != 4 {
		t.Fatalf("answers %q to four questions", answers)
	}
	if setups != 1 {
		t.Errorf("set up %d times", setups)
	}
	for _, a := range answers[:2] {
		if cost, err := ParseAnswer(a); err != nil || cost <= 0 {
			t.Errorf("ParseAnswer(%q) = %v, %v", a, cost, err)
		}
	}
	if _, err := ParseAnswer(answers[2]); err == nil || err.Error() != "arm: no key to be had" {
		t.Errorf("ParseAnswer(%q): %v", answers[2], err)
	}
	if _, err := ParseAnswer(answers[3]); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("ParseAnswer(%q): %v", answers[3], err)
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	for _, line := range []string{"", "\n", "0", "-1", "NaN", "12 ns", "panic: no"} {
		if cost, err := ParseAnswer(line); err == nil {
			t.Errorf("ParseAnswer(%q) = %v", line, cost)
		}
	}
}

// What goes before a call must not be in its cost.
func TestFuncAfter(t *testing.T) {
	x := uint64(1)
	before := func() {
		for range 100_000 {
			x = x*6364136223846793005 + 1
		}
	}
	after, err := FuncAfter(before, func() { x++ })()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Func(before)()
	if err != nil {
		t.Fatal(err)
	}
	if after > whole/2 || x == 0 {
		t.Errorf("a call behind one of %.0f ns cost %.0f ns", whole, after)
	}
}
