package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What keeps serve from starting is told in one go, with what to do, and without a stack.
func TestServeRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	secretKey := func(s *setup) {
		s.issuer = "[[issuer]]\nissuer = \"test\"\naudiences = [\"api\"]\nalgorithms = [\"HS256\"]\n" +
			"[[issuer.keys]]\nkid = \"k1\"\nalgorithm = \"HS256\"\nsecret_file = \"hs.secret\"\n"
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, s *setup)
		want   []string
	}{
		{
			"taken port",
			func(_ *testing.T, s *setup) {
				s.listener = strings.Replace(s.listener, "127.0.0.1:0", taken.Addr().String(), 1)
			},
			[]string{taken.Addr().String() + ": the address is taken", "set another [[listener]] address"},
		},
		{
			"taken admin port",
			func(_ *testing.T, s *setup) { s.extra = "[admin]\naddress = \"" + taken.Addr().String() + "\"\n" },
			[]string{taken.Addr().String() + ": the address is taken", "set another [admin] address"},
		},
		{
			"missing secret",
			func(_ *testing.T, s *setup) { secretKey(s) },
			[]string{"issuer[0].keys[0].secret_file: cannot look at /", "/hs.secret: no such file"},
		},
		{
			"secret that others can read",
			func(t *testing.T, s *setup) {
				secretKey(s)
				s.file(t, "hs.secret", strings.Repeat("s", 32), 0o644)
			},
			[]string{"hs.secret can be read by others (mode 0644): chmod 600 it"},
		},
		{
			"secret that is too short",
			func(t *testing.T, s *setup) {
				secretKey(s)
				s.file(t, "hs.secret", "short", 0o600)
			},
			[]string{"secret of 5 octets is too short (at least 32)"},
		},
		{
			"missing TLS key",
			func(t *testing.T, s *setup) {
				s.file(t, "cert.pem", "x", 0o644)
				s.listener += "[[listener.tls.certificate]]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n"
			},
			[]string{"listener[0].tls.certificate[0].key_file: cannot look at /", "/key.pem: no such file"},
		},
		{
			"audit log without a folder",
			func(_ *testing.T, s *setup) { s.audit = `output = "logs/audit.log"` },
			[]string{"audit.output: there is no folder", "/logs to write it to"},
		},
		{
			// Opening it would wait for a reader for ever.
			"audit pipe without a reader",
			func(t *testing.T, s *setup) {
				if err := syscall.Mkfifo(filepath.Join(s.dir, "pipe"), 0o600); err != nil {
					t.Fatal(err)
				}
				s.audit = `output = "./pipe"`
			},
			[]string{"is a pipe that nobody reads; start its reader first"},
		},
		{
			"every fault of a bad config",
			func(_ *testing.T, s *setup) {
				s.routes = "[[route]]\npath = \"/*\"\nupstream = \"none\"\npubilc = true\n"
				s.limits = "token = \"1GiB\"\n"
			},
			[]string{"route[0].upstream:", "route[0].pubilc: unknown key (did you mean public?)", "limits.token: is out of range", "3 fault(s)"},
		},
		{
			"no TOML",
			func(_ *testing.T, s *setup) { s.issuer = "[[issuer\n" },
			[]string{"sallyport.toml:1: TOML syntax", "1 fault(s)"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSetup(t)
			c.change(t, s)
			text := s.text()
			if s.extra != "" { // TOML has no table twice
				text = strings.Replace(text, "[admin]\naddress = \"127.0.0.1:0\"\n", "", 1)
			}
			s.writeText(t, text)
			code, stdout, stderr := command(t, "", "serve", "-config", s.path)
			if code != 1 || stdout != "" {
				t.Errorf("exit status %d, stdout %q; want 1 and nothing", code, stdout)
			}
			if lacks := lacking(stderr, c.want...); lacks != nil {
				t.Errorf("stderr lacks %q:\n%s", lacks, stderr)
			}
			if strings.Contains(stderr, "goroutine ") {
				t.Errorf("stderr holds a stack:\n%s", stderr)
			}
		})
	}
}

// An issuer whose keys cannot be fetched keeps nobody else from being served, and is picked up when it is there.
func TestServeWithoutProvider(t *testing.T) {
	t.Parallel()
	address, open := reservePort(t)
	s := newSetup(t)
	url := "http://" + address
	s.issuer = fetchedIssuer(url)
	s.write(t)
	n := serve(t, s.path)
	token := s.token(t, map[string]any{"iss": url})
	if status, body := n.fetch(t, "/readyz"); status != 503 || !strings.Contains(body, "issuer "+url+" has no keys yet") {
		t.Errorf("readyz: %d %q, want 503 and the issuer", status, body)
	}
	if status, _ := n.fetch(t, "/healthz"); status != 200 {
		t.Errorf("healthz: %d, want 200: restarting helps nobody", status)
	}
	a := get(t, n.url("/api/x"), token)
	if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || a.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("with a token: %d, Retry-After %q, WWW-Authenticate %q; want 503, some, none: the token may be good",
			a.StatusCode, a.Header.Get("Retry-After"), a.Header.Get("WWW-Authenticate"))
	}
	if a := get(t, n.url("/public/x"), ""); a.StatusCode != 200 {
		t.Errorf("public route: %d, want 200", a.StatusCode)
	}
	eventually(t, "the failed fetch in the log", func() bool {
		return lacking(n.stderr.String(), "cannot fetch", "answered with 503", url, "connection refused", "retry_in") == nil
	})
	newProvider(t, open(), s.signer)
	eventually(t, "ready", func() bool { status, _ := n.fetch(t, "/readyz"); return status == 200 })
	if a := get(t, n.url("/api/x"), token); a.StatusCode != 200 {
		t.Errorf("with keys: %d, want 200", a.StatusCode)
	}
}

// A limit of open files below what the config allows is an outage to come, so it is said at the start.
func TestServeWarnsOfDescriptors(t *testing.T) {
	t.Parallel()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max > 1<<30 {
		t.Skip("open files are not limited here")
	}
	s := newSetup(t)
	const warning = "the limit of open files is lower than what max_connections may need; raise it (ulimit -n, LimitNOFILE=) or lower them"
	if n := serve(t, s.path); len(n.logged(warning)) != 0 {
		t.Errorf("200 connections are warned of:\n%s", n.stderr.String())
	}
	s.listener = strings.Replace(s.listener, "200", fmt.Sprint(limit.Max), 1)
	s.write(t)
	if n := serve(t, s.path); len(n.logged(warning)) != 1 {
		t.Errorf("%d connections are not warned of:\n%s", limit.Max, n.stderr.String())
	}
}

func TestServeWantsConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"serve"}, 2, "-config FILE is required"},
		{[]string{"serve", "-config", filepath.Join(os.TempDir(), "no", "such.toml")}, 1, "no such file"},
		{[]string{"serve", "-config", "x", "y"}, 2, `unexpected argument "y"`},
		{[]string{"serve", "-port", "1"}, 2, "-port"},
	} {
		if code, _, stderr := command(t, "", c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit status %d, stderr %q; want %d, %q", c.args, code, stderr, c.code, c.want)
		}
	}
}
