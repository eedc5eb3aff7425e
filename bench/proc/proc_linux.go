// Package proc runs the programs of a measurement: each on one CPU from its first instruction on, its CPU time read from its own
// clock.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pinArg makes this program, run again, pin itself and become another one: affinity set later would not reach the threads
// that have been started by then.
const pinArg = "pin-and-exec"

// Main must be the first thing that main calls: it ends there when the program was run by Start.
func Main() {
	if len(os.Args) < 4 || os.Args[1] != pinArg {
		return
	}
	var set unix.CPUSet
	var err error
	for field := range strings.SplitSeq(os.Args[2], ",") {
		var cpu int
		if cpu, err = strconv.Atoi(field); err != nil {
			break
		}
		set.Set(cpu)
	}
	if err == nil {
		runtime.LockOSThread()
		if err = unix.SchedSetaffinity(0, &set); err == nil {
			err = unix.Exec(os.Args[3], os.Args[3:], os.Environ())
		}
	}
	fmt.Fprintf(os.Stderr, "proc: cannot run %s on CPU %s: %v\n", os.Args[3], os.Args[2], err)
	os.Exit(1)
}

// Pin ties the calling goroutine to its thread, and the thread to one CPU, until undo is called on the same goroutine.
func Pin(cpu int) (undo func(), err error) {
	runtime.LockOSThread()
	var before, set unix.CPUSet
	if err = unix.SchedGetaffinity(0, &before); err == nil {
		set.Set(cpu)
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("proc: cannot pin to CPU %d: %w", cpu, err)
	}
	return func() {
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread() // else the thread stays tied, and ends with its goroutine
		}
	}, nil
}

// CPUs returns the CPUs that this process may use.
func CPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("proc: cannot read affinity: %w", err)
	}
	var out []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			out = append(out, cpu)
		}
	}
	return out, nil
}

// A Process is a running child.
type Process struct {
	cmd    *exec.Cmd
	stderr tail
	ended  chan struct{}
	err    error // valid after ended
	once   sync.Once
}

// Start runs argv on one CPU with GOMAXPROCS=1. The child is killed should this process die.
func Start(cpu int, argv ...string) (*Process, error) { return StartOn([]int{cpu}, 1, argv...) }

// StartOn is Start for several CPUs and another GOMAXPROCS.
func StartOn(cpus []int, maxProcs int, argv ...string) (*Process, error) {
	list := make([]string, len(cpus))
	for i, cpu := range cpus {
		list[i] = strconv.Itoa(cpu)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(self, append([]string{pinArg, strings.Join(list, ",")}, argv...)...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(maxProcs))
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("proc: cannot start %s: %w", argv[0], err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// WaitListening waits until address takes connections.
func (p *Process) WaitListening(address string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("proc: %s ended: %v: %s", p.cmd.Args[3], p.err, p.stderr.String())
		default:
		}
	}
	return fmt.Errorf("proc: %s does not listen on %s: %s", p.cmd.Args[3], address, p.stderr.String())
}

// Pid returns the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop ends the process.
func (p *Process) Stop() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(2 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	})
}

// FreeAddress returns a loopback address that nobody listened on a moment ago.
func FreeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("proc: cannot find a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// tail keeps the end of what a child says.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len() > 4<<10 {
		t.b.Reset()
	}
	return t.b.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// errNotEnough is for machines where proxy and load would share a CPU.
var errNotEnough = errors.New("proc: fewer than two CPUs: proxy and load cannot be told apart")

// Split returns the CPU for what is measured and the one for everything else.
func Split() (measured, rest int, err error) {
	cpus, err := CPUs()
	if err != nil {
		return 0, 0, err
	}
	if len(cpus) < 2 {
		return 0, 0, errNotEnough
	}
	return cpus[len(cpus)-1], cpus[0], nil
}
