package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"sallyport/bench/stats"
)

// The picture is a grid of panels, each in units of pixels.
const (
	panelsAcross = 4
	panelWide    = 240
	panelHigh    = 190
	plotLeft     = 50
	plotTop      = 44
	plotWide     = 170
	plotHigh     = 110
)

// writeSVG draws one panel for each curve, both axes logarithmic; what is expected stands as a thin line through the largest size.
func writeSVG(w io.Writer, title string, results []Result) error {
	var b strings.Builder
	rows := (len(results) + panelsAcross - 1) / panelsAcross
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n"+
		`<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="20" font-size="14">%s</text>`+"\n",
		panelsAcross*panelWide, rows*panelHigh+30, escape(title))
	for i := range results {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`, i%panelsAcross*panelWide, 30+i/panelsAcross*panelHigh)
		results[i].panel(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// panel draws r. The costs take whole decades, two at least, so that what is flat looks flat.
func (r *Result) panel(b *strings.Builder) {
	colour := "#1a7f37"
	if r.Defect() {
		colour = "#cf222e"
	}
	last := r.Rows[len(r.Rows)-1]
	low, high := math.Inf(1), 0.0
	for _, row := range r.Rows {
		low, high = min(low, row.Cost), max(high, row.Cost)
	}
	bottom := math.Floor(math.Log10(low))
	decades := max(math.Ceil(math.Log10(high))-bottom, 2)
	most := max(math.Log10(float64(last.Size)), 1)
	first := math.Log10(float64(r.Rows[0].Size))
	x := func(size float64) float64 { return plotLeft + plotWide*(math.Log10(size)-first)/(most-first) }
	y := func(cost float64) float64 { return plotTop + plotHigh*(1-(math.Log10(cost)-bottom)/decades) }
	fmt.Fprintf(b, `<text x="10" y="16" font-weight="bold">%s</text><text x="10" y="31" fill="%s">%s: slope %.2f, %s expected</text>`,
		escape(r.Name), colour, r.verdict(), r.Slope, r.Expect.name)
	fmt.Fprintf(b, `<path d="M%d %dv%dh%d" fill="none" stroke="#57606a"/>`, plotLeft, plotTop, plotHigh, plotWide)
	for d := 0.0; d <= decades; d++ {
		v := math.Pow(10, bottom+d)
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#eaeef2"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, plotLeft, y(v), plotWide, plotLeft-4, y(v)+4, v)
	}
	if r.Expect == Linear {
		start := max(float64(r.Rows[0].Size), float64(last.Size)*math.Pow(10, bottom)/last.Cost)
		fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#8c959f" stroke-dasharray="3 3"/>`, x(start), y(last.Cost*start/float64(last.Size)), x(float64(last.Size)), y(last.Cost))
	} else {
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#8c959f" stroke-dasharray="3 3"/>`, plotLeft, y(last.Cost), plotWide)
	}
	var line strings.Builder
	for i, row := range r.Rows {
		fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(i, 1)], x(float64(row.Size)), y(row.Cost))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`, x(float64(row.Size)), y(row.Cost), colour)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, line.String(), colour)
	fmt.Fprintf(b, `<text x="%d" y="%d">%d</text><text x="%d" y="%d" text-anchor="end">%d %s</text>`,
		plotLeft, plotTop+plotHigh+14, r.Rows[0].Size, plotLeft+plotWide, plotTop+plotHigh+14, last.Size, escape(r.Grows))
	fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s %s</text>`, plotLeft+plotWide, y(last.Cost)-6, stats.Number(last.Cost), escape(r.Unit))
}
