package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A held is a request in flight: its head is sent, and its upstream holds it.
type held struct {
	net.Conn
	br *bufio.Reader
}

func (s *setup) hold(t *testing.T, address, path string) *held {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.up.entered:
	case <-time.After(patience):
		t.Fatal("the upstream does not get the request")
	}
	return &held{c, bufio.NewReader(c)}
}

// answer reads the response.
func (h *held) answer(t *testing.T) answer {
	t.Helper()
	resp, err := http.ReadResponse(h.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%v after %q", err, body)
	}
	return answer{resp, string(body)}
}

// SIGTERM: what is in flight ends well, also on connections of settings that a reload has replaced; nothing new is taken;
// everything is written down.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	n := serve(t, s.path)
	old := s.hold(t, n.listeners[0], "/public/late")
	s.listener += "idle_timeout = \"5m\"\n"
	s.write(t)
	n.reload(t, "ok")
	slow := s.hold(t, n.listeners[0], "/public/slow")
	stream := s.hold(t, n.listeners[0], "/public/stream")
	if line, err := stream.br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	if got := n.metric(t, "sallyport_requests_in_flight"); got != 3 {
		t.Errorf("%v requests in flight, want 3", got)
	}
	n.signal(t, syscall.SIGTERM)
	eventually(t, "new connections being refused", func() bool {
		c, err := net.Dial("tcp", n.listeners[0])
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if status, body := n.fetch(t, "/readyz"); status != 503 || body != "draining\n" {
		t.Errorf("readyz: %d %q, want 503 draining", status, body)
	}
	if !n.running() {
		t.Fatal("it ended with requests in flight")
	}
	check := func(name string, h *held) {
		t.Helper()
		if a := h.answer(t); a.StatusCode != 200 || !a.Close {
			t.Errorf("%s: status %d, close %v; want 200, true", name, a.StatusCode, a.Close)
		}
	}
	close(s.up.release)
	check("slow", slow)
	if rest, err := io.ReadAll(stream.br); err != nil || !strings.Contains(string(rest), "last\n") || !strings.HasSuffix(string(rest), "0\r\n\r\n") {
		t.Errorf("the stream ends with %q, %v; want its last line and its end", rest, err)
	}
	// The last one is on a connection of the settings that were replaced; the present ones have drained by then.
	eventually(t, "two of three having ended", func() bool { return n.metric(t, "sallyport_connections_open") == 1 })
	time.Sleep(200 * time.Millisecond) // what would end too early has time to
	close(s.up.releaseLate)
	check("old settings", old)
	if code := n.wait(t); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
	if got := s.records(t, "audit.log"); len(got) != 3 {
		t.Errorf("%d audit records, want 3: %v", len(got), got)
	}
}

// What does not end is cut off when the time to drain is over, or at once by a second signal.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, limits string
		second       bool
	}{
		{"timeout", `drain_timeout = "300ms"`, false},
		{"second signal", `drain_timeout = "1h"`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSetup(t)
			s.limits = c.limits
			s.listener += strings.Replace(plainListener, "127.0.0.1", "127.0.0.2", 1)
			s.write(t)
			n := serve(t, s.path)
			slow := s.hold(t, n.listeners[0], "/public/slow")
			stream := s.hold(t, n.listeners[0], "/public/ticks")
			// A listener that a reload has removed is drained no longer than the others.
			removed := s.hold(t, n.listeners[1], "/public/removed/ticks")
			s.listener = plainListener
			s.write(t)
			n.reload(t, "ok")
			n.signal(t, syscall.SIGTERM)
			if c.second {
				eventually(t, "draining", func() bool { return len(n.logged("draining")) > 0 })
				n.signal(t, syscall.SIGINT)
			}
			if code := n.wait(t); code != 0 {
				t.Errorf("exit status %d, want 0", code)
			}
			for name, h := range map[string]*held{"slow": slow, "stream": stream, "removed": removed} {
				if rest, err := io.ReadAll(h.br); err == nil && strings.HasSuffix(string(rest), "0\r\n\r\n") {
					t.Errorf("%s: the response looks complete: %q", name, rest)
				}
			}
			// The streams saw their clients go; the request that still waited for its upstream leaves no record, and the log says
			// so.
			reasons := map[string]string{}
			for _, r := range s.records(t, "audit.log") {
				reasons[r["path"].(string)] = r["reason"].(string)
			}
			for _, path := range []string{"/public/ticks", "/public/removed/ticks"} {
				if reasons[path] != "client_gone" {
					t.Errorf("%s: reason %q in the audit log, want client_gone", path, reasons[path])
				}
			}
			if cut := n.logged("requests are cut off without an audit record"); len(cut) != 1 || cut[0]["count"] != 1.0 {
				t.Errorf("the log counts %v requests without a record, want 1", cut)
			}
		})
	}
}
