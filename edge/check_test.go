package edge_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/edge"
	"sallyport/edge/config"
)

// TestCheckPlacesFaultsOfFiles has a config that is right in itself and names files that are not: each fault must have its key
// and line, and all come at once.
func TestCheckPlacesFaultsOfFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"cert.pem": "no certificate", "key.pem": "no key", "admin.token": "short", "short.secret": "too short for HS256",
		"empty.json": `{"keys":[]}`, "bad.json": `{"keys":`, "private.json": `{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldA"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := `[[listener]]
address = "127.0.0.1:0"
max_connections = 1
[[listener.tls.certificate]]
cert_file = "cert.pem"
key_file = "key.pem"
[[upstream]]
name = "up"
endpoints = ["10.0.0.1:80"]
tls.ca_file = "cert.pem"
[[route]]
path = "/*"
upstream = "up"
[admin]
token_file = "admin.token"
`
	line := strings.Count(text, "\n")
	issuers := []struct{ key, lines string }{
		{"jwks_file", `jwks_file = "empty.json"`},
		{"jwks_file", `jwks_file = "bad.json"`},
		{"jwks_file", `jwks_file = "private.json"`},
		{"ca_file", "jwks_uri = \"https://a.example.com/\"\nca_file = \"cert.pem\""},
		{"keys[0].pem", "[[issuer.keys]]\nalgorithm = \"ES256\"\npem = \"no PEM\""},
		{"keys[0].jwk", "[[issuer.keys]]\njwk = \"{}\""},
		{"keys[0].pem_file", "[[issuer.keys]]\nalgorithm = \"ES256\"\npem_file = \"cert.pem\""},
		{"keys[0].secret_file", "[[issuer.keys]]\nalgorithm = \"HS256\"\nsecret_file = \"short.secret\""},
	}
	want := []string{
		"4 listener[0].tls.certificate[0]", "10 upstream[0].tls.ca_file", "15 admin.token_file",
	}
	for i, is := range issuers {
		algorithms := `"ES256"`
		if strings.Contains(is.lines, "HS256") {
			algorithms = `"HS256"`
		}
		text += fmt.Sprintf("[[issuer]]\nissuer = \"%d\"\naudiences = [\"a\"]\nalgorithms = [%s]\n%s\n", i, algorithms, is.lines)
		line += 5 + strings.Count(is.lines, "\n")
		want = append(want, fmt.Sprintf("%d issuer[%d].%s", line, i, is.key))
	}
	cfg, err := config.Parse(filepath.Join(dir, "x.toml"), []byte(text), config.OSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	err = edge.Check(cfg)
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got error %v, want Faults", err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Key))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", err, strings.Join(want, "\n"))
	}
	for _, secret := range []string{"c2VjcmV0LXNlY3JldA", "too short for HS256"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the secret %q is in %s", secret, err)
		}
	}
	if !strings.Contains(err.Error(), "private.json holds no usable key (key 0: ") {
		t.Errorf("got %s, want the reason why the key of private.json was skipped", err)
	}
}
