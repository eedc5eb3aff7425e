package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify/jose"
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
	before := n.metric(t, name)
	n.signal(t, syscall.SIGHUP)
	eventually(t, "a reload that is "+result, func() bool { return n.metric(t, name) > before })
	if result == "ok" {
		// The admin address may have changed, so the metric comes first only where it has not.
		eventually(t, "the reload in the log", func() bool { return n.readAddresses("reload: done") > 0 })
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

// A service is an upstream that counts, and that holds requests for slow and stream until release is closed, those for late
// until releaseLate is.
type service struct {
	*httptest.Server
	connections, requests         atomic.Int64
	entered, release, releaseLate chan struct{}
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{entered: make(chan struct{}, 100), release: make(chan struct{}), releaseLate: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		hold := func(release chan struct{}) {
			s.entered <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done(): // given up, so that the test can end
			}
		}
		switch filepath.Base(r.URL.Path) {
		case "slow":
			hold(s.release)
		case "late":
			hold(s.releaseLate)
		case "stream":
			io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			hold(s.release)
			io.WriteString(w, "last\n")
			return
		case "ticks":
			s.entered <- struct{}{}
			for r.Context().Err() == nil {
				io.WriteString(w, "tick\n")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
			return
		}
		json.NewEncoder(w).Encode(r.Header)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// A setup is a folder with a config file. The fields are parts of it that tests change before write.
type setup struct {
	dir, path string
	signer    *demo.Signer
	up        *service

	issuer, listener, routes, audit, limits, extra string
}

const (
	plainListener = "[[listener]]\naddress = \"127.0.0.1:0\"\nmax_connections = 200\n"
	usualRoutes   = `
[[route]]
name = "api"
path = "/api/*"
require.scopes = ["read"]
claim_headers = { X-User = "sub" }
upstream = "up"
[[route]]
name = "public"
path = "/public/*"
public = true
upstream = "up"
`
)

// newSetup makes the config of a proxy before a service, with one issuer called "test" whose ES256 key stands in it.
func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{dir: t.TempDir(), up: newService(t), listener: plainListener, routes: usualRoutes, audit: `output = "audit.log"`}
	s.path = filepath.Join(s.dir, "sallyport.toml")
	s.signer = newSigner(t)
	jwk, err := s.signer.JWK(false)
	if err != nil {
		t.Fatal(err)
	}
	key, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	s.issuer = fmt.Sprintf("[[issuer]]\nissuer = \"test\"\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\n[[issuer.keys]]\njwk = '%s'\n", key)
	s.write(t)
	return s
}

func newSigner(t *testing.T) *demo.Signer {
	t.Helper()
	signer, err := demo.NewSigner(jose.ES256, "k1", 0)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// text returns the config.
func (s *setup) text() string {
	return s.issuer + s.listener + s.routes + "[audit]\n" + s.audit + "\n[limits]\n" + s.limits +
		"\n[log]\nlevel = \"debug\"\n[admin]\naddress = \"127.0.0.1:0\"\n" +
		fmt.Sprintf("[[upstream]]\nname = \"up\"\nendpoints = [%q]\n", s.up.Listener.Addr()) + s.extra
}

func (s *setup) write(t *testing.T) { t.Helper(); s.writeText(t, s.text()) }

func (s *setup) writeText(t *testing.T, text string) {
	t.Helper()
	s.file(t, "sallyport.toml", text, 0o600)
}

// file puts a file beside the config, in one step, since a reload may be reading, and returns its path.
func (s *setup) file(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path+".new", mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// token returns a good token with changes.
func (s *setup) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	return mint(t, s.signer, "at+jwt", changes)
}

func mint(t *testing.T, signer *demo.Signer, typ string, changes map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	c := map[string]any{"iss": "test", "aud": "api", "sub": "alice", "scope": "read", "iat": now, "exp": now + 600, "jti": "j1"}
	for name, value := range changes {
		c[name] = value
	}
	token, err := signer.Sign(typ, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// records returns the audit records in a file of the folder; nil when there is none.
func (s *setup) records(t *testing.T, name string) (out []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return parseRecords(t, string(data))
}

func parseRecords(t *testing.T, text string) (out []map[string]any) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line == "" {
			continue
		}
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("audit line %q: %v", line, err)
		}
		out = append(out, r)
	}
	return out
}

// A load is clients that send requests one after another, each on a connection that it keeps. Nothing is retried, as
// net/http would: a connection that ends without having said so is a failure.
type load struct {
	sent, failed, reconnects atomic.Int64
	mu                       sync.Mutex
	first                    string // the first failure
	stop                     chan struct{}
	wg                       sync.WaitGroup
}

// newLoad sends GETs for path with token until finish.
func newLoad(address, path, token string, clients int) *load {
	l := &load{stop: make(chan struct{})}
	request := "GET " + path + " HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	for range clients {
		l.wg.Go(func() {
			for l.connection(address, request) {
				l.reconnects.Add(1)
			}
		})
	}
	return l
}

// connection uses one connection until the server says that it closes it, which is no failure. It reports whether to go on.
func (l *load) connection(address, request string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return l.fail("dial", err)
	}
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		select {
		case <-l.stop:
			return false
		default:
		}
		c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, request); err != nil {
			return l.fail("write", err)
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return l.fail("read", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			return l.fail(resp.Status, err)
		}
		l.sent.Add(1)
		if resp.Close {
			return true
		}
	}
}

func (l *load) fail(what string, err error) bool {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = fmt.Sprintf("%s: %v", what, err)
	}
	return false
}

// more waits until n more requests have been answered.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	want := l.sent.Load() + n
	eventually(t, "requests being answered", func() bool {
		if l.failed.Load() > 0 {
			t.Fatalf("a request failed: %s", l.first)
		}
		return l.sent.Load() >= want
	})
}

// finish ends the load and says whether a request failed.
func (l *load) finish(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", n, l.sent.Load()+n, l.first)
	}
}

// reservePort binds a port on which nobody listens, so that connections to it are refused and nobody else can have it, until
// open.
func reservePort(t *testing.T) (address string, open func() net.Listener) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "reserved")
	t.Cleanup(func() { f.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port), func() net.Listener {
		if err := syscall.Listen(fd, 128); err != nil {
			t.Fatal(err)
		}
		ln, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
}

// A provider is an OpenID provider that counts how often its keys are fetched.
type provider struct {
	url     string
	fetches atomic.Int64
}

func newProvider(t *testing.T, ln net.Listener, signers ...*demo.Signer) *provider {
	t.Helper()
	p := &provider{url: "http://" + ln.Addr().String()}
	list := []map[string]any{}
	for _, s := range signers {
		jwk, err := s.JWK(false)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, jwk)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": p.url, "jwks_uri": p.url + "/jwks"})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		json.NewEncoder(w).Encode(map[string]any{"keys": list})
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return p
}

// fetchedIssuer is the config of an issuer whose keys are fetched.
func fetchedIssuer(url string) string {
	return fmt.Sprintf("[[issuer]]\nissuer = %q\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\ndiscovery = \"oidc\"\nallow_http = true\n", url)
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
