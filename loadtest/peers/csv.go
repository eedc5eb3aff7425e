package main

import (
	"encoding/csv"
	"io"
	"strconv"
)

var csvHeader = []string{"peer", "case", "cores", "requests_per_s", "cpu_us", "p50_ms", "p99_ms", "p999_ms", "rss_mib"}

const na = "n/a"

// writeCSV writes a line for each row, at its highest rate in a closed loop, and one for each rate that was offered to it, whose case
// ends in @ and the rate. What was not measured is n/a.
func writeCSV(out io.Writer, rows []*Row) error {
	w := csv.NewWriter(out)
	if err := w.Write(csvHeader); err != nil {
		return err
	}
	for _, r := range rows {
		rate, cpu, rss := na, na, na
		if r.timed() {
			rate, cpu, rss = fixed(r.perSec(), 0), fixed(r.cpu(), 2), fixed(r.RSS, 1)
		}
		if err := w.Write([]string{r.Peer, r.Case, itoa(r.Cores), rate, cpu, na, na, na, rss}); err != nil {
			return err
		}
		for _, l := range r.Loads {
			line := []string{r.Peer, r.Case + "@" + itoa(l.Rate), itoa(r.Cores), "cannot follow", na, na, na, na, rss}
			if l.State == "" {
				q := l.Latency
				line = []string{
					r.Peer, r.Case + "@" + itoa(l.Rate), itoa(r.Cores), fixed(l.Got, 0), fixed(l.CPU, 2),
					fixed(q.P50, 3), fixed(q.P99, 3), na, rss,
				}
				if q.P999 > 0 {
					line[7] = fixed(q.P999, 3)
				}
			}
			if err := w.Write(line); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

func fixed(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
