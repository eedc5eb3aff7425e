package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds the config file in octets.
const maxFile = 64 << 20

// Fault is one thing that is wrong, or with Lint one that is doubtful.
type Fault struct {
	File string
	Line int
	Key  string // path of the key: route[1].upstream
	Text string
}

// String returns "file:line: key: text".
func (f Fault) String() string {
	if f.Key == "" {
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Key, f.Text)
}

// Faults is everything that is wrong with a file, by line. It is never empty as an error.
type Faults []Fault

// Error implements error.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// Files looks at the files that a config names.
type Files interface {
	// Stat is os.Stat.
	Stat(path string) (fs.FileInfo, error)
}

// OSFiles is the real file system.
type OSFiles struct{}

// Stat implements Files.
func (OSFiles) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// Load reads and checks the file at path, and returns it with its bytes. The error is Faults where the file could be read.
func Load(path string) (*Config, []byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("config: cannot read: %w", err)
	}
	if info.Size() > maxFile {
		return nil, nil, fmt.Errorf("config: cannot read %s: larger than %d bytes", path, maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("config: cannot read: %w", err)
	}
	cfg, err := Parse(path, data, OSFiles{})
	return cfg, data, err
}

// Parse checks data, the content of the file called name, to whose folder relative paths refer. files looks at the files it
// names; nil looks at none. All defaults are filled in. A syntax error stands alone; all other faults come together.
func Parse(name string, data []byte, files Files) (*Config, error) {
	var tree map[string]any
	if _, err := toml.Decode(string(data), &tree); err != nil {
		return nil, syntaxFault(name, err)
	}
	b := &binder{file: name, lines: indexLines(string(data))}
	cfg := new(Config)
	b.table(reflect.ValueOf(cfg).Elem(), tree, "")
	// A value that could not be bound is at its default now. The checks go on with that, so that one run shows all faults;
	// what only follows from the first fault at a key is dropped by sorted.
	cfg.finish(filepath.Dir(name))
	v := &validator{binder: b, cfg: cfg, files: files}
	v.config()
	if len(b.faults) > 0 {
		return nil, sorted(b.faults)
	}
	cfg.file, cfg.lines = name, b.lines
	return cfg, nil
}

func syntaxFault(name string, err error) error {
	var pe toml.ParseError
	if errors.As(err, &pe) {
		return Faults{{File: name, Line: pe.Position.Line, Text: "TOML syntax: " + pe.Message}}
	}
	return Faults{{File: name, Line: 1, Text: "TOML syntax: " + strings.TrimPrefix(err.Error(), "toml: ")}}
}

// sorted orders faults by line and drops those that only follow from another one at the same key.
func sorted(faults Faults) Faults {
	slices.SortStableFunc(faults, func(x, y Fault) int {
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return strings.Compare(x.Key, y.Key)
	})
	seen := map[string]bool{}
	out := faults[:0]
	for _, f := range faults {
		if seen[f.Key] {
			continue
		}
		seen[f.Key] = true
		out = append(out, f)
	}
	return out
}

// ReadSecret reads a file that holds a secret. One that others than its owner can read is refused.
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkSecret(path, info); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func checkSecret(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, mode)
	}
	return nil
}
