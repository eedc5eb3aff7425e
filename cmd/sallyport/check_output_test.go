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
	check(config, append(good, "x"), 2, "", "sallyport check: unexpected argument \"x\"\n")
}
