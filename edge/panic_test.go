package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"sallyport/edge/config"
	"sallyport/edge/metrics"
	"sallyport/verify"
)

const panicConfig = `
[[listener]]
address = "127.0.0.1:0"
max_connections = 100
[[issuer]]
issuer = "test"
audiences = ["api"]
algorithms = ["ES256"]
[[issuer.keys]]
jwk = '{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'
[[upstream]]
name = "up"
endpoints = [%q]
[[route]]
path = "/api/*"
upstream = "up"
[[route]]
path = "/public/*"
public = true
upstream = "up"
[audit]
output = %q
[admin]
address = ""
`

// A panic while a request is decided or forwarded is a 500, counted, written down and the end of its connection; the process, and
// every other request, goes on. The panics come of a State from which parts were taken.
func TestPanicIs500(t *testing.T) {
	up := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go up.Serve(ln)
	defer up.Close()
	file := filepath.Join(t.TempDir(), "audit.log")
	cfg, err := config.Parse("test", fmt.Appendf(nil, panicConfig, ln.Addr(), file), config.OSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(Options{Config: cfg, LogOutput: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	address := s.Addr("127.0.0.1:0").String()
	good := s.state.Load()

	ask := func(request string) (*http.Response, string) {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		return resp, string(body)
	}
	const token = "Authorization: Bearer e30.e30.e30\r\n"
	panics := 0
	check := func(name string, take func(*State), request string) {
		t.Helper()
		broken := *good
		take(&broken)
		s.state.Store(&broken)
		resp, body := ask(request)
		if resp.StatusCode != 500 || !resp.Close || !strings.Contains(body, `"error":"internal error"`) {
			t.Errorf("%s: %d, close %v, %s; want 500, true, internal error", name, resp.StatusCode, resp.Close, body)
		}
		panics++
		if got := figure(t, s.metrics, "sallyport_panics_total"); got != fmt.Sprint(panics) {
			t.Errorf("%s: %s panics are counted, want %d", name, got, panics)
		}
	}
	for range 3 {
		check("no verifier", func(st *State) { st.gate.Verifier = nil }, "GET /api/x HTTP/1.1\r\nHost: a\r\n"+token+"\r\n")
		check("no routes", func(st *State) { st.gate.Routes = nil }, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
		check("no rules", func(st *State) { st.rules, st.gate.Table = nil, nil }, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
		check("before the body is asked for", func(st *State) { st.gate.Verifier = nil },
			"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"+token+"\r\n")
		check("no upstream", func(st *State) {
			st.routes = []*routeState{good.routes[0], new(*good.routes[1])}
			st.routes[1].pool = nil
		}, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	s.state.Store(good)
	if resp, _ := ask("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n"); resp.StatusCode != 200 {
		t.Errorf("after the panics: %d, want 200", resp.StatusCode)
	}
	if got := s.inFlight.Load(); got != 0 {
		t.Errorf("%d requests are in flight, want 0", got)
	}
	s.Shutdown(context.Background())
	checkInternal(t, file, panics)
}

// figure returns the value of a series as it is written.
func figure(t *testing.T, m *metrics.Metrics, series string) string {
	t.Helper()
	var b strings.Builder
	m.WritePrometheus(&b)
	for line := range strings.Lines(b.String()) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// A panic while a streamed body is read is not in the handler any more. The response breaks off; the process goes on.
func TestPanicInStreamEndsResponse(t *testing.T) {
	s := &Server{log: slog.New(slog.DiscardHandler), metrics: metrics.New(metrics.Gauges{})}
	x := &exchange{call: call{server: s}}
	// A connection that belongs to no client, which cannot be.
	cn := reflect.ValueOf(&x.up).Elem().FieldByName("cn")
	reflect.NewAt(cn.Type(), unsafe.Pointer(cn.UnsafeAddr())).Elem().Set(reflect.New(cn.Type().Elem()))
	n, err := x.Read(make([]byte, 10))
	if n != 0 || err != errPanicked || x.reason != verify.ReasonInternal {
		t.Errorf("Read = %d, %v, reason %v; want 0, %v, %v", n, err, x.reason, errPanicked, verify.ReasonInternal)
	}
	if got := figure(t, s.metrics, "sallyport_panics_total"); got != "1" {
		t.Errorf("%s panics are counted, want 1", got)
	}
}

// A large request body is read by a goroutine of its own, where nobody else would recover. The upload ends; the process goes on.
func TestPanicInUploadEndsRequest(t *testing.T) {
	s := &Server{log: slog.New(slog.DiscardHandler), metrics: metrics.New(metrics.Gauges{})}
	body := &bodyReader{server: s, timeout: time.Second} // of no connection, which cannot be
	n, err := body.Read(make([]byte, 10))
	if n != 0 || err != errPanicked || !body.panicked.Load() {
		t.Errorf("Read = %d, %v, panicked %v; want 0, %v, true", n, err, body.panicked.Load(), errPanicked)
	}
	if got := figure(t, s.metrics, "sallyport_panics_total"); got != "1" {
		t.Errorf("%s panics are counted, want 1", got)
	}
}

// checkInternal counts the records of internal errors in an audit log.
func checkInternal(t *testing.T, file string, want int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(data), `"verdict":"error","reason":"internal"`); got != want {
		t.Errorf("%d records of internal errors, want %d:\n%s", got, want, data)
	}
}
