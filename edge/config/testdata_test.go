package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testFiles is a file system for testdata: the base name of a path says what is there. Modes and owners in a checkout are
// whatever git and the umask made them, so none of it is real.
type testFiles struct{}

func (testFiles) Stat(path string) (fs.FileInfo, error) {
	info := fileInfo{name: filepath.Base(path), mode: 0o644, uid: uint32(os.Geteuid())}
	switch info.name {
	case "cert.pem", "key.pem", "jwks.json", "open":
	case "secret":
		info.mode = 0o600
	case "group":
		info.mode = 0o640
	case "folder", "testdata":
		info.mode = fs.ModeDir | 0o755
	case "fifo":
		info.mode = fs.ModeNamedPipe | 0o600
	default:
		return nil, &fs.PathError{Op: "stat", Path: path, Err: syscall.ENOENT}
	}
	return info, nil
}

// Read implements Files.
func (testFiles) Read(path string) ([]byte, error) {
	if filepath.Base(path) == "cert.pem" {
		return []byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), nil
	}
	return []byte("-----BEGIN PRIVATE KEY-----\n"), nil
}

type fileInfo struct {
	name string
	mode fs.FileMode
	uid  uint32
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return 1 }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return &syscall.Stat_t{Uid: i.uid} }

// TestBusted reads files with one fault each. Their first line is a comment with the fault as it must be reported, without the file.
func TestBusted(t *testing.T) {
	for _, name := range glob(t, "testdata/busted_*.toml", 150) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(data), "\n")
			want := name + ":" + strings.TrimPrefix(first, "# ")
			_, err = Parse(name, data, testFiles{})
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Parse(%s): got error %v, want %s", name, err, want)
			}
			if len(faults) != 1 || faults[0].String() != want {
				t.Errorf("Parse(%s):\n got %v\nwant %s", name, faults, want)
			}
		})
	}
}

func TestWorking(t *testing.T) {
	for _, name := range glob(t, "testdata/working_*.toml", 5) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(name, data, testFiles{}); err != nil {
			t.Errorf("Parse(%s): got %v, want no fault", name, err)
		}
	}
}

// glob fails when there are fewer than least files: a pattern that matches nothing would pass every test.
func glob(t *testing.T, pattern string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < least {
		t.Fatalf("Glob(%q): got %d files, error %v, want %d or more", pattern, len(names), err, least)
	}
	return names
}
