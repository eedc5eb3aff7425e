package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

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
