package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeFile makes a file of exactly this mode, whatever the umask.
func writeFile(t *testing.T, path string, data []byte, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// within fails when f does not return: reading a FIFO or a device would wait for ever.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

// TestLoadRefusesWhatIsNoFile holds that an odd path is an error at once.
func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := writeFile(t, filepath.Join(dir, "huge"), nil, 0o600)
	if err := os.Truncate(huge, 1<<40); err != nil { // sparse: it takes no room
		t.Fatal(err)
	}
	check := func(path, want string) {
		t.Helper()
		within(t, "Load("+path+")", func() {
			_, _, err := Load(path)
			if err == nil || !strings.HasPrefix(err.Error(), "config: cannot read: ") || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("Load(%s): got error %v, want one that ends with %q", path, err, want)
			}
			var faults Faults
			if errors.As(err, &faults) {
				t.Errorf("Load(%s): got Faults, though there is no line to point at", path)
			}
		})
	}
	check(dir, dir+" is a directory")
	check(fifo, fifo+" is not a regular file")
	check("/dev/zero", "/dev/zero is not a regular file")
	check(huge, "larger than 16777216 bytes")
	check(filepath.Join(dir, "absent"), "no such file or directory")
	check("", "no such file or directory")
}

func TestLoadReturnsTheBytes(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "a.toml"), []byte(small), 0o644)
	cfg, data, err := Load(path)
	if err != nil || string(data) != small || cfg.Upstreams[0].Name != "up" {
		t.Errorf("got %v, %q, error %v, want the config and its bytes", cfg, data, err)
	}
	writeFile(t, path, []byte(small+"[x]\n"), 0o644)
	if _, _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":15: x: unknown key") {
		t.Errorf("got error %v, want an unknown key at %s:15", err, path)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	secret := []byte("thirty-two bytes of a shared key\n")
	for _, mode := range []os.FileMode{0o600, 0o400, 0o700} {
		path := writeFile(t, filepath.Join(dir, "good"), secret, mode)
		if got, err := ReadSecret(path); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("mode %04o: got %q, error %v, want %q", mode, got, err, secret)
		}
		os.Remove(path)
	}
	for _, mode := range []os.FileMode{0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o660, 0o666, 0o777} {
		path := writeFile(t, filepath.Join(dir, "open"), secret, mode)
		if got, err := ReadSecret(path); err == nil || !strings.Contains(err.Error(), "can be read by others") || got != nil {
			t.Errorf("mode %04o: got %q, error %v, want that others can read it", mode, got, err)
		}
	}
}

// TestReadSecretRefusesLinkToReadableFile holds that the mode of what is read counts, not that of the link.
func TestReadSecretRefusesLinkToReadableFile(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(writeFile(t, filepath.Join(dir, "open"), []byte("x"), 0o644), link); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(link); err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("got error %v, want that others can read it", err)
	}
	os.Remove(link)
	if err := os.Symlink(writeFile(t, filepath.Join(dir, "good"), []byte("x"), 0o600), link); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSecret(link); err != nil || string(got) != "x" {
		t.Errorf("link to a good file: got %q, error %v, want x", got, err)
	}
}

func TestReadSecretRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	large := writeFile(t, filepath.Join(dir, "large"), make([]byte, maxSecret+1), 0o600)
	for _, path := range []string{dir, fifo, "/dev/zero", large, filepath.Join(dir, "absent")} {
		within(t, "ReadSecret("+path+")", func() {
			if got, err := ReadSecret(path); err == nil || got != nil {
				t.Errorf("ReadSecret(%s): got %d bytes, want an error", path, len(got))
			}
		})
	}
}

// TestSecretOwner holds who may own a secret, for a proxy that runs as user 1000.
func TestSecretOwner(t *testing.T) {
	check := func(owner, me int, ok bool) {
		t.Helper()
		if err := checkOwner("f", owner, me); (err == nil) != ok {
			t.Errorf("owner %d, run by %d: got error %v, want accepted = %t", owner, me, err, ok)
		}
	}
	check(1000, 1000, true)
	check(0, 1000, true)
	check(1001, 1000, false)
	check(1000, 0, true)
	check(0, 0, true)
	const want = "f belongs to user 1001, who can read it: chown it to user 1000, who runs this"
	if got := checkOwner("f", 1001, 1000).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestParseLooksAtRealFiles goes through OSFiles, as Load does.
func TestParseLooksAtRealFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "admin.token"), []byte("sixteen characters"), 0o640)
	text := small + "[admin]\ntoken_file = \"admin.token\"\n"
	path := writeFile(t, filepath.Join(dir, "a.toml"), []byte(text), 0o644)
	_, _, err := Load(path)
	want := path + ":16: admin.token_file: " + dir + "/admin.token can be read by others (mode 0640): chmod 600 it"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	writeFile(t, filepath.Join(dir, "admin.token"), []byte("sixteen characters"), 0o600)
	if _, _, err := Load(path); err != nil {
		t.Errorf("got %v, want no fault", err)
	}
}
