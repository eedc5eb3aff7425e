package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// The commands against a running demo: who is named is refused from then on, and let in again when the rule is deleted.
func TestRevoke(t *testing.T) {
	t.Parallel()
	p := start(t, "demo", "-json", "-listen", "127.0.0.1:0")
	eventually(t, "the line", func() bool { return strings.Contains(p.stdout.String(), "\n") || !p.running() })
	var d demoLine
	if err := json.Unmarshal([]byte(p.stdout.String()), &d); err != nil || d.Token == "" {
		t.Fatalf("stdout %q: %v", p.stdout.String(), err)
	}
	dir := t.TempDir()
	file, wrong := filepath.Join(dir, "token"), filepath.Join(dir, "wrong")
	for name, token := range map[string]string{file: d.Token + "\n", wrong: "another-admin-token"} {
		if err := writeNew(name, []byte(token)); err != nil {
			t.Fatal(err)
		}
	}
	revoke := func(code int, want, args string) string {
		t.Helper()
		name, rest, _ := strings.Cut(args, " ")
		got, stdout, stderr := runHere(append([]string{"revoke", name, "-admin", d.Admin, "-token-file", file}, strings.Fields(rest)...)...)
		if got != code || !strings.Contains(stdout+stderr, want) || (code != 0 && stdout != "") {
			t.Errorf("revoke %s: exit status %d, %q, %q; want %d, %q", args, got, stdout, stderr, code, want)
		}
		return stdout
	}
	check := func(what string, want int) {
		t.Helper()
		if a := get(t, d.Proxy+d.Paths.Good, d.Tokens.Good); a.StatusCode != want {
			t.Errorf("%s: status %d, want %d", what, a.StatusCode, want)
		}
	}
	check("before", 200)
	revoke(0, "", "list")
	for args, want := range map[string]string{
		"add -issuer " + d.Issuer + " -until never":                   "would refuse every token",
		"add -issuer " + d.Issuer + " -sub alice":                     "until is required",
		"add -issuer " + d.Issuer + " -sub alice -issued-before now":  "no max_lifetime",
		"add -issuer " + d.Issuer + " -sub= -until never":             "sub is empty",
		"add -issuer " + d.Issuer + " -sub alice -jti x -until never": "stand together",
		"add -issuer " + d.Issuer + " -sub alice -until yesterday":    "until must be",
		"add -issuer nobody -sub alice -until never":                  `issuer "nobody" is none`,
		"add -issuer " + d.Issuer + " -claim scope -until never":      "claim and value go together",
		"delete -id 1": "no rule's ID",
		"delete -id 00000000000000000000000000000000": "no such rule",
		"list -token-file " + wrong:                   "401: the bearer token",
		"list -admin ftp://x":                         "must be a URL",
		"list -admin http://127.0.0.1:1":              "connection refused",
		"list -admin " + d.Issuer:                     "no answer of sallyport's",
	} {
		revoke(1, want, args)
	}
	check("after what was refused", 200)
	var rule struct{ ID string }
	out := revoke(0, `"sub":"alice"`, "add -issuer "+d.Issuer+" -sub alice -issued-before now -until 2100-01-01T00:00:00Z -reason test")
	if err := json.Unmarshal([]byte(out), &rule); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	check("revoked", 401)
	if list := revoke(0, rule.ID, "list"); strings.Count(list, "\n") != 1 || list != out {
		t.Errorf("list %q, want %q", list, out)
	}
	revoke(0, "", "delete -id "+rule.ID)
	check("deleted", 200)
	revoke(0, "", "add -issuer "+d.Issuer+" -all -until never")
	check("all", 401)
	for place, text := range map[string]string{"log": p.stderr.String()} {
		if strings.Contains(text, d.Token) {
			t.Errorf("the admin token stands in the %s", place)
		}
	}
}
