package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// line returns r as one line of the table: name, value, 95 % interval, goal, verdict, and behind it what explains them.
func (r *Result) line(width int) string {
	value, ci := "-", "-"
	if r.Verdict != NA || r.Value != 0 {
		value = number(r.Value)
		if r.Unit != "" {
			value += " " + r.Unit
		}
	}
	if r.Interval != nil {
		ci = r.Interval.String()
	}
	var notes []string
	if r.Control != nil {
		notes = append(notes, "control "+number(*r.Control)+" "+r.Control95.String())
	}
	if r.NumCost != 0 || r.DenCost != 0 {
		notes = append(notes, fmt.Sprintf("%s/%s ns", number(r.NumCost), number(r.DenCost)))
	}
	if r.Note != "" {
		notes = append(notes, r.Note)
	}
	line := fmt.Sprintf("%-*s  %-14s  %-16s  %-7s  %-5s  %s", width, r.Name, value, ci, r.Goal, r.Verdict, strings.Join(notes, "; "))
	return strings.TrimRight(line, " ")
}

// writeJSON writes all results as one JSON array.
func writeJSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(results)
}
