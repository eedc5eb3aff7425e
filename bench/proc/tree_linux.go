package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the user and system time of all threads of the process and its descendants since they began, from their CPU
// clocks: nanoseconds, not ticks. See clock_getcpuclockid(3). What a descendant took that has ended is not in it.
func (p *Process) CPUTime() (time.Duration, error) {
	pids, err := p.tree()
	if err != nil {
		return 0, err
	}
	const perProcessSched = 2 // CPUCLOCK_SCHED of include/linux/posix-timers.h, for the thread group
	sum := time.Duration(0)
	for _, pid := range pids {
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^pid)<<3|perProcessSched, &ts); err != nil {
			return 0, fmt.Errorf("proc: cannot read the CPU clock of %s: %w", p.cmd.Args[3], err)
		}
		sum += time.Duration(ts.Nano())
	}
	return sum, nil
}

// RSS returns the resident memory of the process and its descendants, in octets. What they share counts for each of them.
func (p *Process) RSS() (int64, error) {
	pids, err := p.tree()
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, fmt.Errorf("proc: cannot read the memory of %s: %w", p.cmd.Args[3], err)
		}
		fields := bytes.Fields(data)
		if len(fields) < 2 {
			return 0, fmt.Errorf("proc: statm of %s is %q", p.cmd.Args[3], data)
		}
		pages, err := strconv.ParseInt(string(fields[1]), 10, 64) // proc_pid_statm(5): resident
		if err != nil {
			return 0, fmt.Errorf("proc: statm of %s is %q", p.cmd.Args[3], data)
		}
		sum += pages * int64(os.Getpagesize())
	}
	return sum, nil
}

// tree returns the process and its descendants, by the parents that all processes name.
func (p *Process) tree() ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return nil, fmt.Errorf("proc: cannot list processes: %w", err)
		}
		pid, parent, err := parseStat(string(data))
		if err != nil {
			return nil, err
		}
		children[parent] = append(children[parent], pid)
	}
	out := []int{p.cmd.Process.Pid}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out, nil
}

// parseStat returns the first and the fourth field of proc_pid_stat(5). The second, the name, may hold anything, ") " too.
func parseStat(line string) (pid, parent int, err error) {
	first, _, _ := strings.Cut(line, " ")
	rest := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if pid, err = strconv.Atoi(first); err == nil && len(rest) > 1 {
		parent, err = strconv.Atoi(rest[1])
	}
	if err != nil || len(rest) < 2 {
		return 0, 0, fmt.Errorf("proc: stat is %q", line)
	}
	return pid, parent, nil
}
