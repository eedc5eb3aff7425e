package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// palette is one colour for each peer; those that do not know each other differ in lightness too.
var palette = map[string]string{
	"sallyport": "#c2185b", "fasthttp": "#616161", "nginx": "#2e7d32", "haproxy": "#1565c0", "envoy": "#8e24aa", "vmauth": "#ef6c00",
	"caddy-jwt": "#00838f",
}

// A Bar is one line of a bar chart; Value 0 is one that was not measured.
type Bar struct {
	Group, Name, Peer string
	Value             float64
}

// A Series is one line of a line chart, its points in ascending X.
type Series struct {
	Name, Peer string
	X, Y       []float64
}

const (
	svgWidth  = 860
	labelWide = 210
	barHigh   = 18
	axisHigh  = 360
)

// svg collects the elements of one picture.
type svg struct{ strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

func (s *svg) text(x, y float64, anchor, text string) {
	s.add(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, escape(text))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// finish puts the frame around the elements.
func (s *svg) finish(title string, height float64) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="12">
<title>%s</title>
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="10" y="22" font-size="15">%s</text>
%s</svg>
`, svgWidth, height, escape(title), escape(title), s.String())
}

// barChart draws horizontal bars, grouped, with the value behind each.
func barChart(title string, bars []Bar) []byte {
	most := 0.0
	for _, b := range bars {
		most = max(most, b.Value)
	}
	var s svg
	y, group := 40.0, ""
	for _, b := range bars {
		if b.Group != group {
			group = b.Group
			y += 10
			s.text(10, y+13, "start", group)
			y += barHigh
		}
		s.text(labelWide-6, y+13, "end", b.Name)
		if b.Value > 0 {
			width := (svgWidth - labelWide - 70) * b.Value / most
			s.add(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`, labelWide, y+2, width, barHigh-4, palette[b.Peer])
			s.text(labelWide+width+5, y+13, "start", fixed(b.Value, 1))
		} else {
			s.text(labelWide+5, y+13, "start", na)
		}
		y += barHigh
	}
	return s.finish(title, y+15)
}

// lineChart draws series over linear X and logarithmic Y, with the names behind the lines.
func lineChart(title, xLabel, yLabel string, series []Series) []byte {
	left, right, top, bottom := 60.0, svgWidth-190.0, 45.0, 45.0+axisHigh
	lowX, highX, lowY, highY := 0.0, 0.0, math.Inf(1), 0.0
	for _, l := range series {
		for i := range l.X {
			highX, lowY, highY = max(highX, l.X[i]), min(lowY, l.Y[i]), max(highY, l.Y[i])
		}
	}
	var s svg
	if highY > 0 {
		lowY, highY = math.Pow(10, math.Floor(math.Log10(lowY))), math.Pow(10, math.Ceil(math.Log10(highY)))
		if lowY == highY {
			highY *= 10
		}
		x := func(v float64) float64 { return left + (right-left)*(v-lowX)/(highX-lowX) }
		y := func(v float64) float64 {
			return bottom - (bottom-top)*(math.Log10(v)-math.Log10(lowY))/(math.Log10(highY)-math.Log10(lowY))
		}
		for v := lowY; v <= highY*1.001; v *= 10 {
			s.add(`<path d="M%.1f %.1fH%.1f" stroke="#ddd"/>`, left, y(v), right)
			s.text(left-6, y(v)+4, "end", fmt.Sprintf("%g", v))
		}
		seen := map[float64]bool{}
		ends := []float64{}
		for _, l := range series {
			for _, v := range l.X {
				if !seen[v] {
					seen[v] = true
					s.text(x(v), bottom+16, "middle", fmt.Sprintf("%g", v))
				}
			}
			s.line(l, x, y, &ends)
		}
	}
	s.text((left+right)/2, bottom+34, "middle", xLabel)
	s.text(10, top-8, "start", yLabel)
	return s.finish(title, bottom+45)
}

// line draws one series and its name, which goes up until it covers none of those in ends.
func (s *svg) line(l Series, x, y func(float64) float64, ends *[]float64) {
	if len(l.X) == 0 {
		return
	}
	colour, dash := palette[l.Peer], ""
	if strings.Contains(l.Name, cached) {
		dash = ` stroke-dasharray="5 3"`
	}
	var d strings.Builder
	for i := range l.X {
		fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(i, 1)], x(l.X[i]), y(l.Y[i]))
		s.add(`<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x(l.X[i]), y(l.Y[i]), colour)
	}
	s.add(`<path d="%s" fill="none" stroke="%s" stroke-width="2"%s/>`, d.String(), colour, dash)
	last := len(l.X) - 1
	at := y(l.Y[last]) + 4
	for again := true; again; {
		again = false
		for _, e := range *ends {
			if math.Abs(e-at) < 13 {
				at, again = e-13, true
			}
		}
	}
	*ends = append(*ends, at)
	s.add(`<text x="%.1f" y="%.1f" fill="%s">%s</text>`, x(l.X[last])+7, at, colour, escape(l.Name))
}
