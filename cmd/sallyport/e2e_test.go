package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests of this package that are not about the source itself start the real binary, built with the race detector, as an
// operator does: a config file, signals, HTTP. What they wait for they poll for, since the machine may be slow.

// patience is how long something may take that should happen at once.
const patience = 30 * time.Second

var build struct {
	once sync.Once
	dir  string
	path string
	note string // why it is not the race detector's build
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if build.dir != "" {
		os.RemoveAll(build.dir)
	}
	os.Exit(code)
}

// binary returns the path of the program.
func binary(t *testing.T) string {
	t.Helper()
	build.once.Do(func() {
		if build.dir, build.err = os.MkdirTemp("", "sallyport-test"); build.err != nil {
			return
		}
		build.path = filepath.Join(build.dir, "sallyport")
		if out, err := exec.Command("go", "build", "-race", "-o", build.path, ".").CombinedOutput(); err != nil {
			// The race detector needs cgo and a C compiler.
			build.note = fmt.Sprintf("built without -race: %v\n%s", err, out)
			if out, err = exec.Command("go", "build", "-o", build.path, ".").CombinedOutput(); err != nil {
				build.err = fmt.Errorf("go build: %w\n%s", err, out)
			}
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	if build.note != "" {
		t.Log(build.note)
	}
	return build.path
}

// An output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns everything so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// A process is the program, running.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
}

// start runs the program. At the end of the test it is stopped, and its log looked through for what must never be there.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary(t), args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the state says it
	}()
	t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience):
			p.cmd.Process.Kill()
			<-p.ended
			t.Errorf("%q did not end on SIGTERM; its log:\n%s", args, p.stderr.String())
		}
		for _, bad := range []string{"DATA RACE", "BUG:", "goroutine "} {
			if log := p.stderr.String(); strings.Contains(log, bad) {
				t.Errorf("%q: the log holds %q:\n%s", args, bad, log)
			}
		}
	})
	return p
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("cannot send %v: %v; log:\n%s", sig, err, p.stderr.String())
	}
}

// wait returns the exit status.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("still running after %s; log:\n%s", patience, p.stderr.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// running reports whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// command runs the program to its end.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait() // the state says it
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", patience, what)
		}
	}
}

// A node is `sallyport serve`, serving.
type node struct {
	*process
	listeners []string // bound addresses, sorted
	admin     string   // URL
}

// serve starts the program on a config and waits until it serves.
func serve(t *testing.T, path string) *node {
	t.Helper()
	n := &node{process: start(t, "serve", "-config", path)}
	eventually(t, "serving", func() bool {
		if !n.running() {
			t.Fatalf("serve ended:\n%s", n.stderr.String())
		}
		return n.readAddresses("serving") > 0
	})
	return n
}

// readAddresses takes the addresses of the last record with that message, and returns how many there are.
func (n *node) readAddresses(message string) int {
	records := n.logged(message)
	for _, r := range records {
		n.listeners = nil
		for _, a := range r["listeners"].([]any) {
			n.listeners = append(n.listeners, a.(string))
		}
		n.admin = r["admin"].(string)
	}
	return len(records)
}

// logged returns the log records with that message.
func (n *node) logged(message string) (records []map[string]any) {
	for _, line := range strings.Split(n.stderr.String(), "\n") {
		var r map[string]any
		if json.Unmarshal([]byte(line), &r) == nil && r["msg"] == message {
			records = append(records, r)
		}
	}
	return records
}

func (n *node) url(path string) string { return "http://" + n.listeners[0] + path }

// reload sends SIGHUP and waits until the reload is over, one way or the other.
func (n *node) reload(t *testing.T, result string) {
	t.Helper()
	name := fmt.Sprintf("sallyport_reloads_total{result=%q}", result)
	before, done := n.metric(t, name), len(n.logged("reload: done"))
	n.signal(t, syscall.SIGHUP)
	eventually(t, "a reload that is "+result, func() bool { return n.metric(t, name) > before })
	if result == "ok" { // counted first, then logged
		eventually(t, "the reload in the log", func() bool { return n.readAddresses("reload: done") > done })
	}
}

// fetch returns status and body of an admin page.
func (n *node) fetch(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(n.admin + path)
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, n.stderr.String())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// metric returns the value of a series, 0 when there is none.
func (n *node) metric(t *testing.T, series string) float64 {
	t.Helper()
	_, text := n.fetch(t, "/metrics")
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatalf("series %s: %v", line, err)
			}
			return v
		}
	}
	return 0
}

// An answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// get sends a GET on a connection of its own, with a bearer token unless it is empty.
func get(t *testing.T, url, token string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("X-User", "mallory")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

// lacking returns those of want that are not in text.
func lacking(text string, want ...string) (out []string) {
	for _, w := range want {
		if !strings.Contains(text, w) {
			out = append(out, w)
		}
	}
	return out
}
