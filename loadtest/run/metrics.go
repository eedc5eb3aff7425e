package main

import (
	"strconv"
	"strings"
)

// metrics are samples in Prometheus text, by name with labels.
type metrics map[string]float64

func parseMetrics(text string) metrics {
	m := metrics{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			m[line[:i]] = v
		}
	}
	return m
}

// difference returns what counters have grown by; of gauges it is the value after.
func difference(before, after metrics) metrics {
	d := metrics{}
	for name, v := range after {
		base, _, _ := strings.Cut(name, "{")
		if strings.HasSuffix(base, "_total") || strings.HasSuffix(base, "_count") || strings.HasSuffix(base, "_sum") {
			v -= before[name]
		}
		d[name] = v
	}
	return d
}

// sum adds up all samples of one name.
func (m metrics) sum(base string) (total float64) {
	for name, v := range m {
		if name == base || strings.HasPrefix(name, base+"{") {
			total += v
		}
	}
	return total
}

// by adds up the samples of one name by the value of a label, without those that are zero.
func (m metrics) by(base, label string) map[string]float64 {
	out := map[string]float64{}
	for name, v := range m {
		rest, ok := strings.CutPrefix(name, base+"{")
		if !ok || v == 0 {
			continue
		}
		if _, value, ok := strings.Cut(rest, label+`="`); ok {
			value, _, _ = strings.Cut(value, `"`)
			out[value] += v
		}
	}
	return out
}
