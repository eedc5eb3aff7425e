package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Every request leaves exactly one line, with the id that the client got, whatever became of it.
func TestAuditHasEveryRequest(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	n := serve(t, s.path)
	good := s.token(t, nil)
	forged := mint(t, newSigner(t), "at+jwt", nil)
	noScope := s.token(t, map[string]any{"scope": "other"})
	kinds := []struct{ path, token, reason string }{
		{"/api/good", good, "ok"},
		{"/api/forged", forged, "signature"},
		{"/api/none", "", "no_token"},
		{"/api/garbage", "garbage", "malformed"},
		{"/api/scope", noScope, "scope"},
		{"/public/x", "", "public"},
		{"/elsewhere", good, "no_route"},
	}
	const rounds = 20
	ids := make(map[string]string, rounds*len(kinds)) // path → id
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, k := range kinds {
		wg.Go(func() {
			for i := range rounds {
				path := fmt.Sprintf("%s/%d", k.path, i)
				id, err := requestID(n.url(path), k.token)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				ids[path] = id
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// What never became a request is written down too.
	c, err := net.Dial("tcp", n.listeners[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /public/broken HTTP/1.1\r\nHost : a\r\n\r\n")
	if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, " 400 ") {
		t.Errorf("a broken head is answered with %q", line)
	}
	n.signal(t, syscall.SIGTERM)
	if code := n.wait(t); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
	seen := map[string]int{}
	reasons := map[string]string{}
	for _, r := range s.records(t, "audit.log") {
		path, _ := r["path"].(string)
		seen[path]++
		reasons[path] = r["reason"].(string)
		if got, want := r["request_id"], ids[path]; path != "" && got != want {
			t.Errorf("%s: request_id %v, want %s as the client got it", path, got, want)
		}
	}
	for _, k := range kinds {
		for i := range rounds {
			path := fmt.Sprintf("%s/%d", k.path, i)
			if seen[path] != 1 || reasons[path] != k.reason {
				t.Errorf("%s: %d records with reason %q, want one with %q", path, seen[path], reasons[path], k.reason)
			}
		}
	}
	if seen[""] != 1 || reasons[""] != "bad_request" || len(seen) != rounds*len(kinds)+1 {
		t.Errorf("%d paths in the log, the broken request %d times with %q", len(seen), seen[""], reasons[""])
	}
}

// requestID sends a GET and returns the X-Request-Id of the response; for goroutines.
func requestID(url, token string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("X-Request-Id"), err
}

// logrotate: the file is renamed, SIGHUP opens a new one, and no line is lost between them.
func TestAuditRotates(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	n := serve(t, s.path)
	l := newLoad(n.listeners[0], "/api/x", s.token(t, nil), 2)
	for i := range 3 {
		l.more(t, 20)
		if err := os.Rename(filepath.Join(s.dir, "audit.log"), filepath.Join(s.dir, fmt.Sprintf("audit.log.%d", i))); err != nil {
			t.Fatal(err)
		}
		n.reload(t, "ok")
		eventually(t, "records in the new file", func() bool { return len(s.records(t, "audit.log")) > 0 })
	}
	l.finish(t)
	n.signal(t, syscall.SIGTERM)
	n.wait(t)
	total := len(s.records(t, "audit.log"))
	for i := range 3 {
		total += len(s.records(t, fmt.Sprintf("audit.log.%d", i)))
	}
	if want := int(l.sent.Load()); total != want {
		t.Errorf("%d records in all files, want %d", total, want)
	}
	info, err := os.Stat(filepath.Join(s.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of the audit log %04o, want 0600", got)
	}
}

// No token that was used, good or bad, and no part of one stands in anything that is written.
func TestTokenIsWrittenNowhere(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.audit += "\nwith_query = true"
	s.routes += "[[route]]\nname = \"cookie\"\npath = \"/cookie\"\ntoken_cookie = \"session\"\nupstream = \"up\"\n"
	s.write(t)
	n := serve(t, s.path)
	good := s.token(t, nil)
	tokens := []string{
		good, good[:len(good)-6] + "AAAAAA", mint(t, newSigner(t), "at+jwt", nil),
		s.token(t, map[string]any{"exp": 1}), s.token(t, map[string]any{"aud": "other"}), s.token(t, map[string]any{"iss": "other"}),
		s.token(t, map[string]any{"scope": "other"}), s.token(t, map[string]any{"sub": strings.Repeat("x", 20_000)}), good + ".again",
	}
	for _, token := range tokens {
		for _, field := range []string{
			"Authorization: Bearer " + token, "Authorization: Basic " + token, "Authorization: Bearer " + token + " " + token,
			"Cookie: session=" + token, "Authorization: Bearer " + token + "\r\nAuthorization: Bearer " + token, "Authorization : " + token,
		} {
			for _, path := range []string{"/api/x", "/cookie", "/public/x", "/elsewhere"} {
				body := exchange(t, n.listeners[0], "GET "+path+" HTTP/1.1\r\nHost: a\r\n"+field+"\r\n\r\n")
				if path != "/public/x" { // there the upstream echoes a field that means nothing
					holdsNoToken(t, token, map[string]string{"response": body})
				}
			}
		}
	}
	// A signal to reload, so that the log has what it says then.
	n.reload(t, "ok")
	_, metrics := n.fetch(t, "/metrics")
	n.signal(t, syscall.SIGTERM)
	n.wait(t)
	data, err := os.ReadFile(filepath.Join(s.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(parseRecords(t, string(data))) < len(tokens)*6*4 {
		t.Errorf("fewer records than requests: %s", data)
	}
	for _, token := range tokens {
		holdsNoToken(t, token, map[string]string{
			"audit": string(data), "log": n.stderr.String(), "stdout": n.stdout.String(), "metrics": metrics,
		})
	}
}

// exchange sends one raw request on a connection of its own and returns all that comes back.
func exchange(t *testing.T, address, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(c) // a reset after the answer is fine
	return string(answer)
}

// newPipe makes a named pipe in the folder and opens its end for reading, from which nothing is read until the test does. It is
// full, of empty lines.
func (s *setup) newPipe(t *testing.T) *os.File {
	t.Helper()
	path := filepath.Join(s.dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for block := []byte(strings.Repeat("\n", 4096)); len(block) > 0; {
		if _, err := syscall.Write(fd, block); err == syscall.EAGAIN {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// when_full = "refuse" with a reader that has stopped: 503 before the upstream is asked. Whatever did pass is written down once
// the reader goes on, though many passed at the same moment.
func TestAuditRefusesWhenFull(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	pipe := s.newPipe(t)
	s.audit = "output = \"./pipe\"\nwhen_full = \"refuse\"\nbuffer = 16"
	s.write(t)
	n := serve(t, s.path)
	token := s.token(t, nil)
	var passed, refused, other atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for refused.Load() == 0 && other.Load() == 0 {
				switch status := statusWith(n.url("/api/x"), token); status {
				case 200:
					passed.Add(1)
				case 503:
					refused.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if other.Load() > 0 {
		t.Fatalf("an answer other than 200 and 503; log:\n%s", n.stderr.String())
	}
	a := get(t, n.url("/api/x"), token)
	if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, "overloaded") {
		t.Errorf("while it is full: %d, Retry-After %q, %s; want 503, some, overloaded", a.StatusCode, a.Header.Get("Retry-After"), a.body)
	}
	if a := get(t, n.url("/api/x"), "garbage"); a.StatusCode != 401 {
		t.Errorf("a bad token while it is full: %d, want 401", a.StatusCode)
	}
	refusals := refused.Load() + 1
	if got := n.metric(t, `sallyport_verdicts_total{issuer="test",reason="overloaded"}`); got != float64(refusals) {
		t.Errorf("%v requests are counted as overloaded, want %d", got, refusals)
	}
	if got, want := s.up.requests.Load(), passed.Load(); got != want {
		t.Errorf("the upstream got %d requests, want %d: those that were answered with 200", got, want)
	}
	dropped := n.metric(t, "sallyport_audit_dropped_total")
	if dropped != float64(refusals+1) {
		t.Errorf("%v records are counted as dropped, want those of %d refused requests", dropped, refusals+1)
	}
	// The reader goes on.
	var text strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() { io.Copy(&text, pipe) })
	eventually(t, "requests passing again", func() bool {
		ok := statusWith(n.url("/api/x"), token) == 200
		if ok {
			passed.Add(1)
		}
		return ok
	})
	n.signal(t, syscall.SIGTERM)
	n.wait(t)
	reading.Wait() // the pipe has no writer any more
	allowed := int64(0)
	for _, r := range parseRecords(t, text.String()) {
		if r["verdict"] == "allow" {
			allowed++
		}
	}
	if allowed != passed.Load() {
		t.Errorf("%d requests passed, %d of them are written down", passed.Load(), allowed)
	}
}

// statusWith is for goroutines: the status of a GET, 0 for an error.
func statusWith(url, token string) int {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// when_full = "drop" with a reader that has stopped: requests pass, drops are counted, and neither SIGHUP nor SIGTERM waits for
// the reader.
func TestAuditDropsWhenFull(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.newPipe(t)
	s.audit = "output = \"./pipe\"\nbuffer = 16"
	s.write(t)
	n := serve(t, s.path)
	l := newLoad(n.listeners[0], "/api/x", s.token(t, nil), 2)
	dropped := func() float64 { return n.metric(t, "sallyport_audit_dropped_total") }
	eventually(t, "records being dropped", func() bool { return dropped() > 0 })
	l.more(t, 50)
	n.reload(t, "ok")
	l.more(t, 50)
	// To another log: what the stuck one loses stays counted.
	s.audit = `output = "audit.log"`
	s.write(t)
	before := dropped()
	n.reload(t, "ok")
	if got := dropped(); got < before {
		t.Errorf("%v records dropped after the log was changed, %v before", got, before)
	}
	l.more(t, 10)
	eventually(t, "records in the new log", func() bool { return len(s.records(t, "audit.log")) >= 10 })
	// And back to a pipe that is full, for the end.
	s.audit = `output = "./pipe"`
	s.write(t)
	n.reload(t, "ok")
	l.more(t, 10)
	l.finish(t)
	n.signal(t, syscall.SIGTERM)
	if code := n.wait(t); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
	if len(n.logged("audit: the log takes no records; those that wait are lost")) == 0 {
		t.Errorf("the log does not say that records are lost:\n%s", n.stderr.String())
	}
}
