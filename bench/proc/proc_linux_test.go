package proc

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func TestChildIsPinnedAndItsTimeIsRead(t *testing.T) {
	cpus, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	cpu := cpus[len(cpus)-1]
	p, err := Start(cpu, "/bin/sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	// Its clock starts before the exec, so wait for what only the loop takes.
	deadline := time.Now().Add(10 * time.Second)
	for used := time.Duration(0); used < 100*time.Millisecond; time.Sleep(time.Millisecond) {
		next, err := p.CPUTime()
		if err != nil {
			t.Fatal(err)
		}
		if next < used {
			t.Fatalf("CPU time went back from %v to %v", used, next)
		}
		if used = next; time.Now().After(deadline) {
			t.Fatalf("the child used only %v of CPU time", used)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("Cpus_allowed_list:\t%d\n", cpu); !strings.Contains(string(status), want) {
		t.Errorf("the child is not on CPU %d alone:\n%s", cpu, status)
	}
	p.Stop()
	p.Stop() // a second time is nothing
}

func TestChildThatEnds(t *testing.T) {
	cpus, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(cpus[0], "/bin/sh", "-c", "echo no port >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitListening(address); err == nil || !strings.Contains(err.Error(), "no port") {
		t.Errorf("WaitListening = %v, want what the child said", err)
	}
}

func TestPinIsUndone(t *testing.T) {
	before, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	undo, err := Pin(before[0])
	if err != nil {
		t.Fatal(err)
	}
	if now, err := CPUs(); err != nil || len(now) != 1 || now[0] != before[0] {
		t.Errorf("pinned to %v, %v; want %d", now, err, before[0])
	}
	undo()
}

func TestTimeAndMemoryOfChildrenCount(t *testing.T) {
	cpus, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	const loop = "while :; do :; done"
	p, err := StartOn(cpus, 1, "/bin/sh", "-c", "sh -c '"+loop+"' & pid=$!; trap 'kill $pid' TERM; wait")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		used, err := p.CPUTime()
		if err != nil {
			t.Fatal(err)
		}
		if used > 100*time.Millisecond {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the child's loop used only %v", used)
		}
	}
	pids, err := p.tree()
	if err != nil || len(pids) != 2 {
		t.Fatalf("tree = %v, %v, want two processes", pids, err)
	}
	if rss, err := p.RSS(); err != nil || rss < 100<<10 || rss > 100<<20 {
		t.Errorf("RSS = %d, %v", rss, err)
	}
}

func TestParseStat(t *testing.T) {
	check := func(line string, wantPid, wantParent int) {
		t.Helper()
		pid, parent, err := parseStat(line)
		if pid != wantPid || parent != wantParent || (err == nil) != (wantPid != 0) {
			t.Errorf("parseStat(%q) = %d, %d, %v", line, pid, parent, err)
		}
	}
	check("12 (sh) S 7 12 12 0", 12, 7)
	check("12 (a) S 3 (b)) R 7 12 12 0", 12, 7)
	check("12 (sh) S", 0, 0)
	check("12 (sh) S x", 0, 0)
	check("", 0, 0)
}
