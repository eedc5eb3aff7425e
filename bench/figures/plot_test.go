package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestPlot(t *testing.T) {
	list := []Figure{{Goal: AtLeast(4)}, {Goal: AtMost(2)}, {Goal: AtMost(2)}, {}, {Goal: Exactly(0)}, {Goal: AtLeast(1)}}
	results := []Result{
		{Name: "a<b", Value: 8, Interval: &interval{Low: 7, High: 9}, Verdict: OK},
		{Name: "slow", Value: 3, Interval: &interval{Low: 2.5, High: 4}, Verdict: Short},
		{Name: "unsure", Value: 2, Verdict: Noisy},
		{Name: "no goal", Value: 1, Verdict: OK},
		{Name: "counted", Value: 0, Verdict: OK},
		{Name: "lacking", Verdict: NA},
	}
	got := string(plot("A & B", list, results))
	d := xml.NewDecoder(strings.NewReader(got))
	circles := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, got)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 3 {
		t.Errorf("%d points, want those of the three figures with a goal that can be missed", circles)
	}
	for _, want := range []string{"a&lt;b", "A &amp; B", "#2e7d32", "#c62828", "#f9a825", "(&lt;= 2)"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in %s", want, got)
		}
	}
	for _, not := range []string{"no goal", "counted", "lacking"} {
		if strings.Contains(got, not) {
			t.Errorf("%s is drawn", not)
		}
	}
}

func TestMargin(t *testing.T) {
	for _, c := range []struct {
		goal    Goal
		v, want float64
	}{{AtLeast(4), 8, 2}, {AtLeast(4), 2, 0.5}, {AtMost(2), 1, 2}, {AtMost(2), 4, 0.5}, {Goal{}, 1, 0}, {Exactly(0), 0, 0}, {AtMost(2), 0, math.Inf(1)}} {
		if got := c.goal.Margin(c.v); got != c.want {
			t.Errorf("margin of %v for %v: %v, want %v", c.v, c.goal, got, c.want)
		}
	}
}
