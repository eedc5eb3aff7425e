package edge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/edge"
	"sallyport/edge/config"
	"sallyport/edge/demo"
	"sallyport/verify/jose"
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

// TestLintKeys has each doubt about keys once; the issuers between them are beyond doubt.
func TestLintKeys(t *testing.T) {
	dir := t.TempDir()
	jwk := func(alg jose.Alg, kid string) string {
		s, err := demo.NewSigner(alg, kid, 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.JWK(false)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	k1, k2 := jwk(jose.ES256, "k1"), jwk(jose.ES256, "k2")
	for name, content := range map[string]string{
		"twice.json":   `{"keys":[` + k1 + "," + jwk(jose.ES256, "k1") + "," + jwk(jose.EdDSA, "k1") + "," + k2 + "," + k2 + `]}`,
		"other.json":   `{"keys":[` + k1 + `]}`,
		"skipped.json": `{"keys":[` + k1 + `,{"kty":"new"}]}`,
		"line.secret":  strings.Repeat("s", 32) + "\n", "good.secret": strings.Repeat("s", 32),
		"jwk.secret": `{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`, "pem.secret": "-----BEGIN SECRET-----\nc2VjcmV0\n-----END SECRET-----",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := "[[listener]]\naddress = \"127.0.0.1:0\"\nmax_connections = 1\n[[upstream]]\nname = \"up\"\nendpoints = [\"10.0.0.1:80\"]\n[[route]]\npath = \"/*\"\nupstream = \"up\"\n"
	secret := func(file string) string {
		return fmt.Sprintf("[\"HS256\"]\n[[issuer.keys]]\nkid = \"k\"\nalgorithm = \"HS256\"\nsecret_file = %q", file)
	}
	for i, rest := range []string{
		`["ES256", "EdDSA"]` + "\njwks_file = \"twice.json\"",
		`["ES384", "ES256", "RS256"]` + "\njwks_file = \"other.json\"",
		`["ES256"]` + "\njwks_file = \"skipped.json\"",
		secret("line.secret"), secret("jwk.secret"), secret("pem.secret"), secret("good.secret"),
		`["ES256"]` + "\n[[issuer.keys]]\njwk = '" + k1 + "'\n[[issuer.keys]]\njwk = '" + jwk(jose.ES256, "k1") + "'",
		`["ES256"]` + "\n[[issuer.keys]]\njwk = '" + k1 + "'\n[[issuer.keys]]\njwk = '" + jwk(jose.ES256, "") + "'",
		`["ES256"]` + "\n[[issuer.keys]]\njwk = '" + jwk(jose.ES256, "") + "'",
		`["ES256", "RS256"]` + "\njwks_uri = \"https://127.0.0.1:1/\"",
	} {
		text += fmt.Sprintf("[[issuer]]\nissuer = \"%d\"\naudiences = [\"a\"]\nalgorithms = %s\n", i, rest)
	}
	cfg, err := config.Parse(filepath.Join(dir, "x.toml"), []byte(text), config.OSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	if err := edge.Check(cfg); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range edge.Lint(cfg) {
		got = append(got, f.Key+": "+f.Text)
		if f.Line == 1 || strings.Contains(f.Text, "c2VjcmV0") {
			t.Errorf("%v has no line, or tells a secret", f)
		}
	}
	want := []string{
		`issuer[0].jwks_file: two keys for ES256 have the kid "k1": a token cannot say which it means, and neither is used`,
		"issuer[1].algorithms[0]: ES384: no key is for it, so that each of its tokens is refused",
		"issuer[1].algorithms[2]: RS256: no key is for it, so that each of its tokens is refused",
		`issuer[2].jwks_file: key 1 is left out: its kty "new" is unknown`,
		"issuer[3].keys[0].secret_file: the line break at its end is part of the secret: write the file without one, by printf %s say",
		"issuer[4].keys[0].secret_file: it looks like JSON or PEM, whose text would be the secret: the file must hold the secret's octets alone",
		"issuer[5].keys[0].secret_file: it looks like JSON or PEM, whose text would be the secret: the file must hold the secret's octets alone",
		`issuer[7].keys[0].jwk: two keys for ES256 have the kid "k1": a token cannot say which it means, and neither is used`,
		"issuer[8].keys[1].jwk: a key without kid is used only where it is the only one for ES256, and there are more",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
