package edge_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"sallyport/edge"
	"sallyport/edge/config"
)

// write puts text in the config file, in which TOML allows each table once.
func (p *proxy) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *proxy) text(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// adminGet returns the status of an admin page, with a bearer token unless it is empty.
func adminGet(t *testing.T, url, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// The admin listener keeps its socket through every reload that leaves its address, takes what else has changed, its token file's
// content too, and loses nothing by a config that is refused.
func TestReloadAdmin(t *testing.T) {
	p := newProxy(t, newRecorder(t).addr(), baseRoutes)
	base := p.text(t)
	url := p.server.AdminURL()
	with := func(admin string) string {
		return strings.Replace(base, "[admin]\naddress = \"127.0.0.1:0\"\n", "[admin]\n"+admin+"\n", 1)
	}
	reload := func(text string, ok bool) {
		t.Helper()
		p.write(t, text)
		if err := p.server.Reload(); (err == nil) != ok {
			t.Fatalf("Reload = %v, want success: %v", err, ok)
		}
	}
	check := func(path, token string, want int) {
		t.Helper()
		if got, _ := adminGet(t, url+path, token); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	const same = "address = \"127.0.0.1:0\"\n"
	check("/debug/pprof/", "", 404)
	reload(with(same+"pprof = true"), true)
	check("/debug/pprof/", "", 200)

	secret := filepath.Join(p.dir, "admin.token")
	rotate := func(token string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rotate("the-first-admin-token")
	reload(with(same+"token_file = \"admin.token\""), true)
	check("/metrics", "", 401)
	check("/metrics", "the-first-admin-token", 200)
	check("/debug/pprof/", "the-first-admin-token", 404)
	rotate("the-second-admin-token")
	reload(p.text(t), true)
	check("/metrics", "the-first-admin-token", 401)
	check("/metrics", "the-second-admin-token", 200)

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	rotate("short")
	reload(with(same+"token_file = \"admin.token\""), false)
	reload(with("address = \""+taken.Addr().String()+"\""), false)
	reload(strings.Replace(with(same), `output = "audit.log"`, `output = "no/such/folder/audit.log"`, 1), false)
	check("/metrics", "the-second-admin-token", 200)
	if _, text := adminGet(t, url+"/metrics", "the-second-admin-token"); !strings.Contains(text, "sallyport_config_last_reload_successful 0\n") {
		t.Error("the metrics do not tell of the failed reload")
	}

	reload(with("address = \"localhost:0\""), true)
	if moved := p.server.AdminURL(); moved == url || moved == "" {
		t.Errorf("AdminURL = %q after the address has changed from %q", moved, url)
	} else if got, _ := adminGet(t, moved+"/readyz", ""); got != 200 {
		t.Errorf("readyz at the new address: %d, want 200", got)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		c.Close()
		t.Error("the old admin address takes connections")
	}
	reload(with("address = \"\""), true)
	if got := p.server.AdminURL(); got != "" {
		t.Errorf("AdminURL = %q though it is turned off", got)
	}
	reload(base, true)
	url = p.server.AdminURL()
	check("/healthz", "", 200)
}

// Without a file there is nothing to read again, which is no reason to serve less.
func TestReloadWithoutFile(t *testing.T) {
	p := newProxy(t, newRecorder(t).addr(), baseRoutes)
	cfg, _, err := config.Load(p.path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := edge.Start(edge.Options{Config: cfg, LogOutput: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "no config file") {
		t.Errorf("Reload = %v, want an error that says that there is no config file", err)
	}
	p.addr = s.Addr("127.0.0.1:0").String()
	if got := statuses(p.send(t, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")); len(got) != 1 || got[0] != "200" {
		t.Errorf("after that: %v, want 200", got)
	}
}

// A port cannot go from one address to another that overlaps it in one step; the reason given is not somebody else's program.
func TestReloadOverlappingAddress(t *testing.T) {
	p := newProxy(t, newRecorder(t).addr(), baseRoutes)
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, strings.Replace(p.text(t), "[[listener]]\naddress = \"127.0.0.1:0\"", "[[listener]]\naddress = \"0.0.0.0:"+port+"\"", 1))
	if err := p.server.Reload(); err == nil || !strings.Contains(err.Error(), "by a listener of the present config") {
		t.Errorf("Reload = %v, want an error that names our own listener", err)
	}
	if got := statuses(p.send(t, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")); len(got) != 1 || got[0] != "200" {
		t.Errorf("after that: %v, want 200", got)
	}
}

// The log's format cannot change while it runs, and that is said, as often as it is asked for.
func TestReloadLogFormat(t *testing.T) {
	p := newProxy(t, newRecorder(t).addr(), baseRoutes)
	p.write(t, p.text(t)+"\n[log]\nformat = \"text\"\n")
	if err := p.server.Reload(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(p.log.String(), "log.format is read at the start only"); n != 1 {
		t.Errorf("the log says so %d times, want once:\n%s", n, p.log)
	}
}

// A request that ends after its route was removed leaves no series behind.
// Without an audit log there is none to open again.
func TestReloadWithoutAuditLog(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	p.write(t, regexp.MustCompile(`(?m)^output = .*$`).ReplaceAllString(p.text(t), `output = "off"`))
	for range 2 { // away from the log, and on without
		if err := p.server.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	if got := statuses(p.send(t, "GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")); len(got) != 1 || got[0] != "200" {
		t.Errorf("after the reloads: %v, want 200", got)
	}
}

func TestReloadRemovesSeries(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	base := p.text(t)
	p.write(t, base+"[[route]]\nname = \"gone\"\npath = \"/gone\"\npublic = true\nupstream = \"up\"\n")
	if err := p.server.Reload(); err != nil {
		t.Fatal(err)
	}
	p.send(t, "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, text := adminGet(t, p.server.AdminURL()+"/metrics", ""); !strings.Contains(text, `sallyport_requests_total{route="gone",code="200"} 1`) {
		t.Error("the route has no series while it is there")
	}
	entered, release := make(chan struct{}), make(chan struct{})
	up.answer(func(string) string {
		close(entered)
		<-release
		return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
	})
	answered := make(chan string)
	go func() { answered <- p.send(t, "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n") }()
	<-entered
	p.write(t, base)
	if err := p.server.Reload(); err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := statuses(<-answered); len(got) != 1 || got[0] != "202" {
		t.Errorf("the request in flight: %v, want 202", got)
	}
	if _, text := adminGet(t, p.server.AdminURL()+"/metrics", ""); strings.Contains(text, `route="gone"`) {
		t.Error("the removed route has series")
	}
}

// Shutdown joins what retired settings have left, however long their idle timeout is.
func TestShutdownJoinsRetired(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), strings.Replace(baseRoutes, "read_timeout = \"1s\"", "idle_timeout = \"1h\"", 1))
	base := p.text(t)
	var open []net.Conn
	for i := range 3 {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
		// A request, so that the connection is idle and not new.
		if _, err := io.WriteString(c, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.write(t, strings.Replace(base, "idle_timeout = \"1h\"", fmt.Sprintf("idle_timeout = \"%dm\"", 30+i), 1))
		if err := p.server.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p.server.Shutdown(ctx)
	if err := ctx.Err(); err != nil {
		t.Errorf("Shutdown took its whole time: %v", err)
	}
	for i, c := range open {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("connection %d: %v, want its end", i, err)
		}
	}
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	for _, left := range []string{"edge.(*listener)", "edge.(*chanListener)"} {
		if strings.Contains(stacks, left) {
			t.Errorf("%s is still running:\n%s", left, stacks)
		}
	}
}
