package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A second is what k6 wrote down of one second of the run.
type second struct {
	passed, refused, busy, failed float64 // answers: valid 200, others 401, others 503, all else
	latency                       []float64
}

// course reads k6's CSV of all samples.
func course(r io.Reader) ([]second, error) {
	rows := csv.NewReader(r)
	head, err := rows.Read()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	for _, name := range []string{"metric_name", "timestamp", "metric_value", "name", "status"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("no column %s", name)
		}
	}
	rows.FieldsPerRecord = len(head)
	rows.ReuseRecord = true
	at := map[int]*second{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if row[column["metric_name"]] != "http_req_duration" || row[column["name"]] == "control" {
			continue
		}
		t, err := strconv.Atoi(row[column["timestamp"]])
		if err != nil {
			return nil, err
		}
		if at[t] == nil {
			at[t] = &second{}
		}
		took, err := strconv.ParseFloat(row[column["metric_value"]], 64)
		if err != nil {
			return nil, err
		}
		at[t].add(row[column["name"]] == "valid", row[column["status"]], took)
	}
	if len(at) == 0 {
		return nil, errors.New("no requests in it")
	}
	times := make([]int, 0, len(at))
	for t := range at {
		times = append(times, t)
	}
	first, last := slices.Min(times), slices.Max(times)
	out := make([]second, last-first+1)
	for t, s := range at {
		out[t-first] = *s
	}
	return out, nil
}

func (s *second) add(valid bool, status string, took float64) {
	switch {
	case valid && status == "200":
		s.passed++
		s.latency = append(s.latency, took)
	case !valid && status == "401":
		s.refused++
	case !valid && status == "503":
		s.busy++
	default:
		s.failed++
	}
}

func (s *second) p99() float64 {
	if len(s.latency) == 0 {
		return 0
	}
	slices.Sort(s.latency)
	return s.latency[min(len(s.latency)*99/100, len(s.latency)-1)]
}

// plotFrom draws the course of the run beside the report.
func (r *report) plotFrom(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	seconds, err := course(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.plot = r.opt.scenario + ".svg"
	return os.WriteFile(filepath.Join(r.opt.results, r.plot), []byte(svg(seconds)), 0o644)
}

// A line is one curve of a plot.
type line struct {
	name, colour string
	values       []float64
}

// svg draws answers a second above, and the p99 of valid requests below.
func svg(seconds []second) string {
	lines := []line{{"valid, 200", "#1a7f37", nil}, {"refused, 401", "#0969da", nil}, {"refused, 503", "#bf8700", nil}, {"wrong", "#cf222e", nil}}
	p99 := line{"p99 of valid requests, ms", "#8250df", nil}
	for i := range seconds {
		s := &seconds[i]
		for j, v := range []float64{s.passed, s.refused, s.busy, s.failed} {
			lines[j].values = append(lines[j].values, v)
		}
		p99.values = append(p99.values, s.p99())
	}
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 440" font-family="sans-serif" font-size="12">` +
		`<rect width="720" height="440" fill="#fff"/>`)
	panel(&b, 30, "answers a second: ", lines)
	panel(&b, 240, "", []line{p99})
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws curves over seconds, 640 by 160, with its top at y.
func panel(b *strings.Builder, y float64, title string, lines []line) {
	const left, width, height = 60, 640, 160
	top, n := 1.0, len(lines[0].values)
	for _, l := range lines {
		top = max(top, slices.Max(l.values))
	}
	fmt.Fprintf(b, `<text x="%d" y="%.0f">%s`, left, y-8, title)
	for _, l := range lines {
		fmt.Fprintf(b, `<tspan fill="%s">%s</tspan>  `, l.colour, l.name)
	}
	fmt.Fprintf(b, `</text><path d="M%d %.0fv%dh%d" stroke="#57606a" fill="none"/>`, left, y, height, width)
	fmt.Fprintf(b, `<text x="%d" y="%.0f" text-anchor="end">%.4g</text><text x="%d" y="%.0f" text-anchor="end">0</text>`, left-6, y+10, top, left-6, y+height)
	fmt.Fprintf(b, `<text x="%d" y="%.0f" text-anchor="end">%d s</text>`, left+width, y+height+16, n-1)
	for _, l := range lines {
		fmt.Fprintf(b, `<polyline fill="none" stroke-width="1.5" stroke="%s" points="`, l.colour)
		for i, v := range l.values {
			fmt.Fprintf(b, "%.1f,%.1f ", left+width*float64(i)/float64(max(n-1, 1)), y+height-height*v/top)
		}
		b.WriteString(`"/>`)
	}
}
