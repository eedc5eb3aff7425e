package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// demoLine is what scripts rely on: the one line of demo -json.
type demoLine struct {
	Proxy  string
	Issuer string
	Admin  string
	Token  string `json:"admin_token"`
	Tokens struct {
		Good    string
		Forged  string
		Expired string
		NoScope string `json:"no_scope"`
	}
	Paths struct {
		Good    string
		Forged  string
		Expired string
		NoScope string `json:"no_scope"`
	}
}

func TestDemoJSON(t *testing.T) {
	t.Parallel()
	auditFile := filepath.Join(t.TempDir(), "audit.log")
	p := start(t, "demo", "-json", "-listen", "127.0.0.1:0", "-audit", auditFile)
	eventually(t, "the line", func() bool { return strings.Contains(p.stdout.String(), "\n") || !p.running() })
	var d demoLine
	if err := json.Unmarshal([]byte(p.stdout.String()), &d); err != nil {
		t.Fatalf("stdout %q is not one line of JSON: %v; stderr %q", p.stdout.String(), err, p.stderr.String())
	}
	const invalid = `Bearer realm="sallyport", error="invalid_token", error_description=`
	for _, c := range []struct {
		name, token, path string
		status            int
		challenge         string
		user              []string // what the upstream gets as X-User
	}{
		{name: "good", token: d.Tokens.Good, path: d.Paths.Good, status: 200, user: []string{"alice"}},
		{name: "forged", token: d.Tokens.Forged, path: d.Paths.Forged, status: 401, challenge: invalid + `"the access token is invalid"`},
		{name: "expired", token: d.Tokens.Expired, path: d.Paths.Expired, status: 401, challenge: invalid + `"the access token is invalid"`},
		{
			name: "no_scope", token: d.Tokens.NoScope, path: d.Paths.NoScope, status: 403,
			challenge: `Bearer realm="sallyport", error="insufficient_scope", error_description="a required scope is missing", scope="read"`,
		},
		{name: "no token", path: d.Paths.Good, status: 401, challenge: `Bearer realm="sallyport"`},
		{name: "public", path: "/public/x", status: 200},
		{name: "public with a token", token: d.Tokens.Forged, path: "/public/x", status: 200},
		{name: "no route", token: d.Tokens.Good, path: "/elsewhere", status: 404},
	} {
		a := get(t, d.Proxy+c.path, c.token)
		if a.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, a.StatusCode, c.status)
		}
		if got := a.Header.Get("WWW-Authenticate"); got != c.challenge {
			t.Errorf("%s: WWW-Authenticate %q, want %q", c.name, got, c.challenge)
		}
		if c.status != 200 {
			continue
		}
		var echo struct{ Headers http.Header }
		if err := json.Unmarshal([]byte(a.body), &echo); err != nil {
			t.Fatalf("%s: echo %q: %v", c.name, a.body, err)
		}
		if got := echo.Headers["X-User"]; strings.Join(got, ",") != strings.Join(c.user, ",") {
			t.Errorf("%s: the upstream got X-User %q, want %q", c.name, got, c.user)
		}
		// A public route takes no token, so what the client calls one is a field like any other there.
		if c.path == d.Paths.Good && strings.Contains(a.body, c.token) {
			t.Errorf("%s: the upstream got the token: %s", c.name, a.body)
		}
	}
	if a := get(t, d.Issuer+"/.well-known/openid-configuration", ""); a.StatusCode != 200 || !strings.Contains(a.body, d.Issuer) {
		t.Errorf("discovery: %d %s", a.StatusCode, a.body)
	}
	if a := get(t, d.Admin+"/readyz", ""); a.StatusCode != 200 {
		t.Errorf("readyz: %d %s", a.StatusCode, a.body)
	}
	// There is nothing to reload, and that is no reason to end.
	p.signal(t, syscall.SIGHUP)
	eventually(t, "an answer to SIGHUP", func() bool { return strings.Contains(p.stderr.String(), "no config file") })
	if a := get(t, d.Proxy+d.Paths.Good, d.Tokens.Good); a.StatusCode != 200 {
		t.Errorf("after SIGHUP: status %d, want 200", a.StatusCode)
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
	if n := strings.Count(p.stdout.String(), "\n"); n != 1 {
		t.Errorf("%d lines on stdout, want 1: %q", n, p.stdout.String())
	}
	data, err := os.ReadFile(auditFile)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(parseRecords(t, string(data))); got != 9 {
		t.Errorf("%d audit records, want 9:\n%s", got, data)
	}
	for _, token := range []string{d.Tokens.Good, d.Tokens.Forged, d.Tokens.Expired, d.Tokens.NoScope} {
		holdsNoToken(t, token, map[string]string{"audit": string(data), "log": p.stderr.String()})
	}
}

// The lines that a person copies into a shell do what they say.
func TestDemoCurlLines(t *testing.T) {
	t.Parallel()
	p := start(t, "demo", "-listen", "127.0.0.1:0")
	eventually(t, "the last line", func() bool { return strings.Contains(p.stdout.String(), "| grep") || !p.running() })
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	want := []string{"200", "401", "401", "403", "200", "201", "401"}
	var got []string
	comment := ""
	for _, line := range strings.Split(p.stdout.String(), "\n") {
		switch {
		case strings.HasPrefix(line, "# "):
			comment = line
		case strings.HasPrefix(line, "curl "):
			out, err := exec.Command("sh", "-c", line).Output()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if strings.Contains(line, "| grep") {
				if lacks := lacking(string(out), `reason="ok"} 1`, `reason="signature"} 1`, `reason="scope"} 1`, `reason="revoked"} 1`); lacks != nil {
					t.Errorf("%s: output lacks %q", line, lacks)
				}
				continue
			}
			_, rest, _ := strings.Cut(string(out), " ")
			status, _, _ := strings.Cut(rest, " ")
			got = append(got, status)
			if !strings.HasPrefix(comment, "# "+status) {
				t.Errorf("%q announces something else than %s", comment, status)
			}
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("statuses %v, want %v", got, want)
	}
}

func TestDemoTakenPort(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	code, stdout, stderr := command(t, "", "demo", "-listen", ln.Addr().String())
	want := "sallyport demo: " + ln.Addr().String() + " is taken; stop the program that uses it, or choose another address: " +
		"sallyport demo -listen 127.0.0.1:0\n"
	if code != 1 || stdout != "" || stderr != want {
		t.Errorf("exit status %d, stdout %q, stderr %q; want 1, none, %q", code, stdout, stderr, want)
	}
}

// holdsNoToken looks for a token, its signature and its claims in places where they must not be.
func holdsNoToken(t *testing.T, token string, places map[string]string) {
	t.Helper()
	parts := strings.Split(token, ".")
	for place, text := range places {
		for i, part := range append(parts[1:], token) {
			if part != "" && strings.Contains(text, part) {
				t.Errorf("part %d of token %.40s… stands in the %s", i, token, place)
			}
		}
	}
}
