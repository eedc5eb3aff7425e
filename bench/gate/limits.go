package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"sallyport/verify"
)

// margin is what a recorded ratio may grow by: half of the slow-down that must be seen, so that as much noise is in vain on either side.
const margin = 1.12

// limits are the limits of one kind of machine, by case.
type limits map[string]entry

type entry struct{ ratio, limit float64 }

// readLimits reads a file of limits: a line in brackets for each kind of machine, below it the name, recorded ratio and limit of each case.
func readLimits(path string) (map[string]limits, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gate: cannot read the limits: %w", err)
	}
	all := map[string]limits{}
	var present limits
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' {
			present = limits{}
			all[line[1:len(line)-1]] = present
			continue
		}
		words := strings.Fields(line)
		if len(words) != 3 || present == nil {
			return nil, fmt.Errorf("gate: %s:%d: not a case, its ratio and its limit below a kind of machine", path, i+1)
		}
		ratio, err := strconv.ParseFloat(words[1], 64)
		limit, err2 := strconv.ParseFloat(words[2], 64)
		if err != nil || err2 != nil || !(ratio > 0) || !(limit > 0) {
			return nil, fmt.Errorf("gate: %s:%d: %s and %s are no ratios", path, i+1, words[1], words[2])
		}
		present[words[0]] = entry{ratio, limit}
	}
	return all, nil
}

const limitsHead = `# What a request may cost, as a ratio to work of the standard library on the same octets (see bench/gate): for each kind of machine the
# case, the ratio that was recorded, and the limit. "make gate-record" writes the part of the machine that it runs on.
`

// writeLimits writes what was recorded; all else in the file stays.
func writeLimits(path, machine string, recorded map[string]float64) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("gate: cannot read the limits: %w", err)
	}
	out := bytes.NewBufferString(limitsHead)
	keep := false
	for line := range strings.Lines(string(old)) {
		if strings.HasPrefix(line, "[") {
			if keep = strings.TrimSpace(line) != "["+machine+"]"; keep {
				out.WriteByte('\n')
			}
		}
		if keep && strings.TrimSpace(line) != "" {
			out.WriteString(line)
		}
	}
	fmt.Fprintf(out, "\n[%s]\n", machine)
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		fmt.Fprintf(out, "%-18s %7.3f %7.3f\n", name, recorded[name], recorded[name]*margin)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("gate: cannot write the limits: %w", err)
	}
	return nil
}

// machine names what a ratio depends on besides the code: the minor version of Go, the processor and the kernels in use.
func machine() string {
	version := strings.SplitN(runtime.Version(), ".", 3)
	return strings.Join([]string{strings.Join(version[:min(2, len(version))], "."), runtime.GOARCH, processor(), verify.ActiveKernels().String()}, " ")
}

// processor returns maker, family and model where Linux says so.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	var words [3]string
	for lines := bufio.NewScanner(f); lines.Scan() && lines.Text() != ""; {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch value = strings.ReplaceAll(strings.TrimSpace(value), " ", "-"); strings.TrimSpace(name) {
		case "vendor_id", "CPU implementer":
			words[0] = value
		case "cpu family", "CPU architecture":
			words[1] = value
		case "model", "CPU part":
			words[2] = value
		}
	}
	return strings.Join(words[:], "/")
}
