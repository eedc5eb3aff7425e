package admin

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start serves opt on a free port.
func start(t *testing.T, opt Options, change func(*Server)) *Server {
	t.Helper()
	opt.Address = "127.0.0.1:0"
	if opt.NotReady == nil {
		opt.NotReady = func() []string { return nil }
	}
	opt.Metrics = func(w io.Writer) { _, _ = io.WriteString(w, "a_metric 1\n") }
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(s)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

// ask sends "METHOD path", with a Host and an Authorization field unless they are empty.
func ask(t *testing.T, s *Server, request, host, authorization string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	req, err := http.NewRequest(method, "http://"+s.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestEndpoints(t *testing.T) {
	open := start(t, Options{}, nil)
	token := start(t, Options{Token: []byte("secret"), Pprof: true}, nil)
	profiled := start(t, Options{Pprof: true}, nil)
	down := start(t, Options{NotReady: func() []string { return []string{"no keys", "draining"} }}, nil)
	for _, tt := range []struct {
		what    string
		server  *Server
		request string
		host    string
		auth    string
		status  int
		body    string // the body holds it
	}{
		{"", open, "GET /healthz", "", "", 200, "ok\n"},
		{"", open, "HEAD /healthz", "", "", 200, ""},
		{"", open, "GET /readyz", "", "", 200, "ready\n"},
		{"", down, "GET /readyz", "", "", 503, "no keys\ndraining\n"},
		{"alive though not ready", down, "GET /healthz", "", "", 200, "ok\n"},
		{"", open, "GET /metrics", "", "", 200, "a_metric 1\n"},
		{"", open, "GET /", "", "", 404, ""},
		{"", open, "GET /healthz/", "", "", 404, ""},
		{"", open, "POST /healthz", "", "", 405, ""},
		{"", open, "POST /metrics", "", "", 405, ""},
		{"", open, "DELETE /readyz", "", "", 405, ""},

		{"the switch is off", open, "GET /debug/pprof/", "", "", 404, ""},
		{"the switch is off", open, "GET /debug/pprof/heap", "", "", 404, ""},
		{"", profiled, "GET /debug/pprof/", "", "", 200, "goroutine"},
		{"", profiled, "GET /debug/pprof/goroutine?debug=1", "", "", 200, "goroutine profile"},
		{"", profiled, "GET /debug/pprof/cmdline", "", "", 200, ""},
		{"", profiled, "POST /debug/pprof/symbol", "", "", 405, ""},

		{"no token", token, "GET /metrics", "", "", 401, ""},
		{"another token", token, "GET /metrics", "", "Bearer secreT", 401, ""},
		{"a part of it", token, "GET /metrics", "", "Bearer secre", 401, ""},
		{"and more", token, "GET /metrics", "", "Bearer secret2", 401, ""},
		{"an empty one", token, "GET /metrics", "", "Bearer ", 401, ""},
		{"another scheme", token, "GET /metrics", "", "Basic secret", 401, ""},
		{"no scheme", token, "GET /metrics", "", "secret", 401, ""},
		{"the token", token, "GET /metrics", "", "Bearer secret", 200, "a_metric 1\n"},
		{"the scheme in lower case", token, "GET /metrics", "", "bearer secret", 200, "a_metric 1\n"},
		{"profiles ask too", token, "GET /debug/pprof/", "", "", 401, ""},
		{"profiles ask too", token, "GET /debug/pprof/heap", "", "", 401, ""},
		{"profiles ask too", token, "GET /debug/pprof/profile?seconds=1", "", "", 401, ""},
		{"profiles ask too", token, "GET /debug/pprof/trace?seconds=1", "", "", 401, ""},
		{"profiles ask too", token, "GET /debug/pprof/cmdline", "", "", 401, ""},
		{"profiles ask too", token, "GET /debug/pprof/symbol", "", "", 401, ""},
		{"with the token", token, "GET /debug/pprof/cmdline", "", "Bearer secret", 200, ""},
		{"health never asks", token, "GET /healthz", "", "", 200, "ok\n"},
		{"readiness never asks", token, "GET /readyz", "", "", 200, "ready\n"},

		// A page in a browser that has its own name point here (DNS rebinding).
		{"", open, "GET /metrics", "evil.example", "", 421, ""},
		{"", open, "GET /metrics", "evil.example:9090", "", 421, ""},
		{"", open, "GET /healthz", "localhost.evil.example", "", 421, ""},
		{"", open, "GET /metrics", "127.0.0.1.evil.example", "", 421, ""},
		{"", profiled, "GET /debug/pprof/", "evil.example", "", 421, ""},
		{"", open, "GET /metrics", "localhost", "", 200, "a_metric 1\n"},
		{"", open, "GET /metrics", "localhost:1", "", 200, "a_metric 1\n"},
		{"", open, "GET /metrics", "[::1]:9090", "", 200, "a_metric 1\n"},
		{"", open, "GET /metrics", "[::1]", "", 200, "a_metric 1\n"},
		{"", open, "GET /metrics", "10.0.0.1", "", 200, "a_metric 1\n"},
		{"a token is enough: no page has it", token, "GET /metrics", "node-1.example", "Bearer secret", 200, "a_metric 1\n"},
	} {
		resp, body := ask(t, tt.server, tt.request, tt.host, tt.auth)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s, host %q, authorization %q (%s): %d, %.100q; want %d, %q", tt.request, tt.host, tt.auth, tt.what, resp.StatusCode, body, tt.status, tt.body)
		}
		if h := resp.Header; h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: header %v", tt.request, h)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); (challenge != "") != (tt.status == 401) || strings.Contains(body+challenge, "secret") {
			t.Errorf("%s: %d with the challenge %q", tt.request, tt.status, challenge)
		}
		if strings.Contains(tt.request, "/metrics") && tt.status != 200 && strings.Contains(body, "a_metric") {
			t.Errorf("%s: %d shows metrics", tt.request, tt.status)
		}
	}
}

// A profile runs for the seconds that were asked for, not until the read time-out.
func TestProfileOutlivesReadTimeout(t *testing.T) {
	s := start(t, Options{Pprof: true}, func(s *Server) { s.srv.ReadTimeout = 200 * time.Millisecond })
	began := time.Now()
	resp, body := ask(t, s, "GET /debug/pprof/trace?seconds=1", "", "")
	if took := time.Since(began); resp.StatusCode != 200 || len(body) == 0 || took < time.Second {
		t.Errorf("a trace of 1 s: %d, %d octets after %v", resp.StatusCode, len(body), took)
	}
}

func TestAddressTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := New(Options{Address: ln.Addr().String()}); err == nil || !strings.Contains(err.Error(), "the address is taken") {
		t.Errorf("New on an address in use: %v", err)
	}
	if _, err := New(Options{Address: "256.0.0.1:0"}); err == nil {
		t.Errorf("New on no address: no error")
	}
}

// Close ends Run without an error, and the socket with it.
func TestClose(t *testing.T) {
	s := start(t, Options{}, nil)
	if resp, _ := ask(t, s, "GET /healthz", "", ""); resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	s.Close()
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Errorf("the socket still takes connections after Close")
	}
}
