package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckOutput holds the form that editors and CI read, file:line: key: text, and the exit status.
func TestCheckOutput(t *testing.T) {
	const config = `[[listener]]
address = "127.0.0.1:8080"
max_connections = 100
[[upstream]]
name = "up"
endpoints = ["10.0.0.1:8000"]
[[route]]
path = "/*"
public = true
upstream = "up"
`
	path := filepath.Join(t.TempDir(), "a.toml")
	check := func(text string, args []string, status int, wantOut, wantErr string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		if got := runCheck(args, &stdout, &stderr); got != status {
			t.Errorf("check %q: got status %d, want %d", args, got, status)
		}
		if got := strings.ReplaceAll(stdout.String(), path, "F"); got != wantOut {
			t.Errorf("check %q: got standard output %q, want %q", args, got, wantOut)
		}
		if got := strings.ReplaceAll(stderr.String(), path, "F"); got != wantErr {
			t.Errorf("check %q: got standard error %q, want %q", args, got, wantErr)
		}
	}
	good := []string{"-config", path}
	check(config, good, 0, "F:9: warning: route[0].public: for every path of its host\n"+
		"F: ok, 1 route(s), 0 issuer(s), 1 upstream(s), 1 warning(s)\n", "")
	check(config+"[log\n", good, 1, "", "F:11: TOML syntax: expected '.' or ']' to end table name, but got '\\n' instead\nsallyport check: F: 1 fault(s)\n")
	check(config+"[log]\nlevel = \"loud\"\nformat = \"xml\"\n", good, 1, "",
		"F:12: log.level: \"loud\" is not known (allowed: debug, info, warn, error)\n"+
			"F:13: log.format: \"xml\" is not known (allowed: json, text)\nsallyport check: F: 2 fault(s)\n")
	check(config+"[admin]\ntoken_file = \"a.toml\"\n", good, 0, "F:9: warning: route[0].public: for every path of its host\n"+
		"F: ok, 1 route(s), 0 issuer(s), 1 upstream(s), 1 warning(s)\n", "")
	check(config, []string{"-config", path + "/absent"}, 1, "", "sallyport check: config: cannot read: open F/absent: not a directory\n")
	check(config, nil, 2, "", "sallyport check: -config FILE is required\n")
	// Warnings of both kinds come in the order of their lines.
	const issuer = `[[issuer]]
issuer = "a"
audiences = ["b"]
algorithms = ["ES256", "RS256"]
[[issuer.keys]]
jwk = '{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'
`
	check(config+issuer, good, 0, "F:9: warning: route[0].public: for every path of its host\n"+
		"F:11: warning: issuer[0]: no max_lifetime: a token that is valid for years passes\n"+
		"F:14: warning: issuer[0].algorithms[1]: RS256: no key is for it, so that each of its tokens is refused\n"+
		"F: ok, 1 route(s), 1 issuer(s), 1 upstream(s), 3 warning(s)\n", "")
	t.Setenv(kernelsEnv, "fast")
	check(config, good, 2, "", "sallyport check: SALLYPORT_KERNELS: verify: cannot use kernels \"fast\": unknown (allowed: auto, std, portable, adx, ifma)\n")
	t.Setenv(kernelsEnv, "")
	check(config, append(good, "x"), 2, "", "sallyport check: unexpected argument \"x\"\n")
}
