package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sallyport/bench/proc"
)

// resultsDir holds the figures that take too long to be measured each time. The programs of bench run in the module's root.
const resultsDir = "bench/results"

// A Record is a Result that was taken earlier.
type Record struct {
	Result
	Commit string `json:"commit"` // of the tree that was measured; "-dirty" when it was changed
	Date   string `json:"date"`   // RFC 3339, UTC
	Go     string `json:"go"`
	CPU    string `json:"cpu"`
}

// recordPath is where the record of the figure called name lies.
func recordPath(dir, name string) string {
	return filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".json")
}

// readRecord returns f's last recorded result, judged by today's goal.
func readRecord(dir string, f *Figure) (Result, error) {
	r := Result{Name: f.Name, Unit: f.Unit, Goal: f.Goal.String(), Verdict: NA, Note: "not taken yet: run with -record"}
	data, err := os.ReadFile(recordPath(dir, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("figures: cannot read record: %w", err)
	}
	var rec Record
	if err := json.Unmarshal(data, &rec); err != nil {
		return r, fmt.Errorf("figures: cannot read record of %s: %w", f.Name, err)
	}
	if rec.Name != f.Name || rec.Commit == "" || rec.Date == "" {
		return r, fmt.Errorf("figures: record %s is of %q, commit %q, date %q", recordPath(dir, f.Name), rec.Name, rec.Commit, rec.Date)
	}
	rec.Goal = r.Goal
	ci := interval{Low: rec.Value, High: rec.Value}
	if rec.Interval != nil {
		ci = *rec.Interval
	}
	rec.Verdict = f.Goal.Judge(ci, rec.Control95)
	rec.Note = "taken at " + rec.Commit + " on " + rec.Date
	return rec.Result, nil
}

// writeRecord keeps r, which was measured now.
func writeRecord(dir string, r Result, now time.Time) error {
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	if err != nil {
		return fmt.Errorf("figures: cannot record: no commit: %w", err)
	}
	rec := Record{
		Result: r, Commit: strings.TrimSpace(string(commit)), Date: now.UTC().Format(time.RFC3339),
		Go: runtime.Version(), CPU: proc.CPUName(),
	}
	data, err := json.MarshalIndent(rec, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("figures: cannot record: %w", err)
	}
	if err := os.WriteFile(recordPath(dir, r.Name), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("figures: cannot record: %w", err)
	}
	return nil
}
