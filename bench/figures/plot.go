package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

const (
	plotWidth  = 900.0
	plotNames  = 330.0 // where the axis begins
	plotValues = 150.0 // what is left of it for the values
	plotLine   = 18.0
)

// plot draws each result that has a goal as its margin, a factor on the good side of the goal, on a logarithmic axis: right of the line is met.
// The thin bar is the 95 % interval.
func plot(title string, list []Figure, results []Result) []byte {
	low, high := 0.5, 2.0
	type line struct {
		r            *Result
		at, from, to float64
		goal         Goal
	}
	var lines []line
	for i := range results {
		r, g := &results[i], list[i].Goal
		at := g.Margin(r.Value)
		if at <= 0 || math.IsInf(at, 0) || r.Verdict == NA {
			continue
		}
		l := line{r, at, at, at, g}
		if r.Interval != nil {
			a, b := g.Margin(r.Interval.Low), g.Margin(r.Interval.High)
			l.from, l.to = min(a, b), max(a, b)
		}
		low, high = min(low, l.from), max(high, l.to)
		lines = append(lines, l)
	}
	x := func(v float64) float64 {
		return plotNames + (plotWidth-plotNames-plotValues)*math.Log(v/low)/math.Log(high/low)
	}
	var s strings.Builder
	bottom := 50 + plotLine*float64(len(lines))
	for v := 0.5; v <= high; v *= 2 {
		if v >= low {
			fmt.Fprintf(&s, `<path d="M%.1f 40V%.1f" stroke="%s"/><text x="%.1f" y="%.1f" text-anchor="middle">%g×</text>`+"\n",
				x(v), bottom, map[bool]string{true: "#000", false: "#ddd"}[v == 1], x(v), bottom+15, v)
		}
	}
	for i, l := range lines {
		y := 50 + plotLine*float64(i)
		colour := map[Verdict]string{OK: "#2e7d32", Short: "#c62828"}[l.r.Verdict]
		if colour == "" {
			colour = "#f9a825"
		}
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, plotNames-8, y+12, escape(l.r.Name))
		fmt.Fprintf(&s, `<path d="M%.1f %.1fH%.1f" stroke="%s" stroke-width="3"/>`, x(l.from), y+8, x(l.to), colour)
		fmt.Fprintf(&s, `<circle cx="%.1f" cy="%.1f" r="4.5" fill="%s"/>`, x(l.at), y+8, colour)
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f">%s %s</text>`+"\n", plotWidth-plotValues+12, y+12, number(l.r.Value), escape("("+l.goal.String()+")"))
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">
<title>%s</title>
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="10" y="22" font-size="15">%[3]s</text>
%[4]s</svg>
`, plotWidth, bottom+25, escape(title), s.String())
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
