package main

import "strings"

// plots returns the pictures by file name.
func plots(rows []*Row) map[string][]byte {
	var bars []Bar
	out := map[string][]byte{}
	lines := map[string][]Series{}
	for _, r := range rows {
		if r.Cores != 1 {
			continue
		}
		b := Bar{Group: titles[group(r)], Peer: r.Peer, Name: r.Peer}
		if _, what, ok := strings.Cut(r.Case, "/"); ok {
			b.Name += " " + what
		}
		if r.timed() {
			b.Value = r.cpu()
		}
		bars = append(bars, b)
		l := Series{Name: b.Name, Peer: r.Peer}
		for _, o := range r.Loads {
			if o.State == "" {
				l.X, l.Y = append(l.X, float64(o.Rate)), append(l.Y, o.Latency.P99)
			}
		}
		if len(l.X) > 0 {
			lines[group(r)] = append(lines[group(r)], l)
		}
	}
	out["peers-cpu.svg"] = barChart("CPU time of one request, µs, one core for the proxy", bars)
	for name, series := range lines {
		out["peers-p99-"+name+".svg"] = lineChart("p99 latency at fixed rates, "+titles[name]+", one core for the proxy", "requests offered a second", "ms", series)
	}
	return out
}
