package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The exit status and the stream of every way to call the program: 0, 1 for a fault in what was asked about, 2 for a wrong command
// line; help that was asked for is no fault.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // parts
	}{
		{"", 2, "", "sallyport serve   -config FILE"},
		{"help", 0, "sallyport serve   -config FILE", ""},
		{"-h", 0, "sallyport serve   -config FILE", ""},
		{"frobnicate", 2, "", `unknown command "frobnicate"`},
		{"serve -h", 0, "", "usage: sallyport serve -config FILE"},
		{"check -h", 0, "", "usage: sallyport check -config FILE"},
		{"demo -h", 0, "", "usage: sallyport demo [-listen ADDR] [-json] [-audit WHERE]"},
		{"explain -h", 0, "", "usage: sallyport explain -config FILE"},
		{"token -h", 0, "sallyport token keygen", ""},
		{"token mint -h", 0, "", "usage: sallyport token mint"},
		{"token", 2, "", "sallyport token keygen"},
		{"token frobnicate", 2, "", `sallyport token: unknown command "frobnicate"`},
		{"token mint", 2, "", "sallyport token mint: -key is required"},
		{"token keygen -alg ES256 -out x y", 2, "", `sallyport token keygen: unexpected argument "y"`},
		{"token keygen -alg none -out x", 1, "", `-alg "none" is not known (allowed: RS256, `},
		{"token keygen -alg RS256 -bits 1024 -out x", 1, "", "-bits 1024 is out of range (allowed: 2048 to 8192"},
		{"token keygen -alg RS256 -bits 8193 -out x", 1, "", "-bits 8193 is out of range"},
		{"token keygen -h", 0, "", "usage: sallyport token keygen -alg ALG [-kid KID] [-bits N] -out FILE"},
		{"token mint -key no/such/file -iss i -aud a", 1, "", "no such file"},
		{"token mint -key ../../go.mod -iss i -aud a", 1, "", "sallyport token mint: ../../go.mod: cannot read private JWK: "},
		{"token mint -exp 10 -key k -iss i -aud a", 2, "", "-exp: want a number with its unit, such as 90s"},
		{"token mint -claim x -key k -iss i -aud a", 2, "", "want name=value"},
		{"check", 2, "", "sallyport check: -config FILE is required"},
		{"check -config no/such/file", 1, "", "no such file"},
		{"check -verbose", 2, "", "flag provided but not defined: -verbose"},
		{"demo x", 2, "", `sallyport demo: unexpected argument "x"`},
		{"demo -listen nowhere", 1, "", `sallyport demo: -listen "nowhere" is not host:port`},
		{"explain -config no/such/file", 1, "", "no such file"},
		{"revoke", 2, "", "sallyport revoke add"},
		{"revoke -h", 0, "sallyport revoke add", ""},
		{"revoke frobnicate", 2, "", `sallyport revoke: unknown command "frobnicate"`},
		{"revoke add -h", 0, "", "usage: sallyport revoke add -token-file FILE"},
		{"revoke add -token-file x", 2, "", "sallyport revoke add: -issuer is required"},
		{"revoke list", 2, "", "sallyport revoke list: -token-file is required"},
		{"revoke list -token-file no/such/file", 1, "", "no such file"},
		{"revoke delete -token-file x", 2, "", "sallyport revoke delete: -id is required"},
		{"version", 0, "sallyport ", ""},
		{"version -h", 0, "", "usage: sallyport version"},
		{"version x", 2, "", `sallyport version: unexpected argument "x"`},
		{"--version", 0, "sallyport ", ""},
	} {
		code, stdout, stderr := runHere(strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("%q: exit status %d, want %d", c.args, code, c.code)
		}
		for stream, pair := range map[string][2]string{"stdout": {stdout, c.stdout}, "stderr": {stderr, c.stderr}} {
			if got, want := pair[0], pair[1]; !strings.Contains(got, want) || (want == "" && got != "") {
				t.Errorf("%q: %s is %q, want %q in it", c.args, stream, got, want)
			}
		}
	}
	// The process hands on what run returns.
	if code, stdout, _ := command(t, "", "version"); code != 0 || !strings.Contains(stdout, runtime.Version()) {
		t.Errorf("version: exit status %d, %q; want 0 and %s", code, stdout, runtime.Version())
	}
	if code, _, stderr := command(t, "", "frobnicate"); code != 2 || !strings.Contains(stderr, "unknown command") {
		t.Errorf("unknown command: exit status %d, %q; want 2", code, stderr)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	code, stdout, stderr := runHere("check", "-config", s.path)
	if lacks := lacking(stdout, "ok, 2 route(s), 1 issuer(s), 1 upstream(s), 1 warning(s)", "no max_lifetime"); code != 0 || lacks != nil || stderr != "" {
		t.Errorf("good file: exit status %d, output lacks %q:\n%s%s", code, lacks, stdout, stderr)
	}
	// Every fault has its line, and what is right is not complained of.
	s.writeText(t, s.text()+"\n[[route]]\npath = \"/x\"\nupstream = \"nowhere\"\nhots = \"a\"\n")
	last := strings.Count(s.text(), "\n")
	code, stdout, stderr = runHere("check", "-config", s.path)
	if code != 1 || stdout != "" {
		t.Errorf("bad file: exit status %d, stdout %q; want 1, nothing", code, stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[2], ": 2 fault(s)") {
		t.Fatalf("bad file: want two faults and their number:\n%s", stderr)
	}
	for i, want := range []string{"route[2].upstream: ", "route[2].hots: unknown key (did you mean host?)"} {
		if prefix := fmt.Sprintf("%s:%d: %s", s.path, last+4+i, want); !strings.HasPrefix(lines[i], prefix) {
			t.Errorf("fault %q, want %q at its beginning", lines[i], prefix)
		}
	}
	// A fault that shows only when everything is put together.
	s.file(t, "jwks.json", "{}", 0o644)
	s.issuer = "[[issuer]]\nissuer = \"test\"\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\njwks_file = \"jwks.json\"\n"
	s.write(t)
	if code, _, stderr := runHere("check", "-config", s.path); code != 1 || !strings.Contains(stderr, "jwks_file") {
		t.Errorf("unusable key file: exit status %d, %q; want 1 and the file", code, stderr)
	}
	for _, name := range []string{"minimal.toml", "sallyport.toml"} {
		if code, _, stderr := runHere("check", "-config", filepath.Join("..", "..", "configs", name)); code != 0 {
			t.Errorf("%s: exit status %d, %s", name, code, stderr)
		}
	}
}
