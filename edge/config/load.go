package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds the config file in octets.
const maxFile = 16 << 20

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
	// Read returns what a regular file holds.
	Read(path string) ([]byte, error)
}

// OSFiles is the real file system.
type OSFiles struct{}

// Stat implements Files.
func (OSFiles) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// Read implements Files.
func (OSFiles) Read(path string) ([]byte, error) { return readFile(path, maxSecret, nil) }

// Load reads and checks the file at path, and returns it with its bytes. The error is Faults where the file could be read.
func Load(path string) (*Config, []byte, error) {
	data, err := readFile(path, maxFile, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("config: cannot read: %w", err)
	}
	cfg, err := Parse(path, data, OSFiles{})
	return cfg, data, err
}

// Parse checks data, the content of the file called name, to whose folder relative paths refer. files looks at the files it
// names; nil looks at none. All defaults are filled in. A syntax error stands alone; all other faults come together.
func Parse(name string, data []byte, files Files) (*Config, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return nil, Faults{{File: name, Line: 1, Text: "TOML syntax: the file is UTF-16; write it in UTF-8"}}
	}
	lines, deep := indexLines(text)
	if deep > 0 {
		return nil, Faults{{File: name, Line: deep, Text: fmt.Sprintf("TOML syntax: nested more than %d deep", maxDepth)}}
	}
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return nil, syntaxFault(name, text, err)
	}
	b := &binder{file: name, lines: lines, given: map[string]bool{}, bad: map[string]bool{}}
	cfg := new(Config)
	b.table(reflect.ValueOf(cfg).Elem(), tree, "")
	// A value that could not be bound is at its default now. The checks go on with that, so that one run shows all faults;
	// what only follows from a fault of binding is dropped.
	b.bound = true
	cfg.finish(filepath.Dir(name))
	v := &validator{binder: b, cfg: cfg, files: files}
	v.config()
	if len(b.faults) > 0 {
		return nil, b.faults.Sorted()
	}
	cfg.file, cfg.lines = name, b.lines
	return cfg, nil
}

// Fault makes the fault that the key at path is wrong, for what only shows when what a config asks for is built.
func (c *Config) Fault(path, text string, args ...any) Fault {
	return Fault{File: c.file, Line: c.lines.of(path), Key: path, Text: fmt.Sprintf(text, args...)}
}

// syntaxFault places the library's error in the file. Long words are left out of its text: they may be a secret without quotes, or the
// file a key.
func syntaxFault(name, text string, err error) error {
	f := Fault{File: name, Line: 1, Text: strings.TrimPrefix(err.Error(), "toml: ")}
	var pe toml.ParseError
	if errors.As(err, &pe) {
		f.Line, f.Text = pe.Position.Line, pe.Message
		if strings.HasSuffix(f.Text, `'\n' instead`) {
			// The library has counted the line break that it found in some of these cases, and not in others.
			f.Line = 1 + strings.Count(text[:min(max(pe.Position.Start, 0), len(text))], "\n")
		}
	}
	f.Line = min(max(f.Line, 1), 1+strings.Count(text, "\n")) // at the end of a file it may be off by one
	hint := ""
	if m := tableTwice.FindStringSubmatch(f.Text); m != nil && isTables(reflect.TypeFor[Config](), m[1]) {
		hint = fmt.Sprintf(" (it can be there more than once: write [[%s]] each time)", m[1])
	}
	f.Text = "TOML syntax: " + longWord.ReplaceAllStringFunc(f.Text, func(word string) string {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") == "" {
			return word
		}
		return "…"
	})
	f.Text = notPrintable.ReplaceAllStringFunc(f.Text, func(c string) string {
		return strings.Trim(strconv.Quote(c), `"`) // nothing in the file may speak to the terminal
	})
	f.Text += hint
	return Faults{f}
}

// isTables reports whether path, of names without their places, is an array of tables in t.
func isTables(t reflect.Type, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	i, ok := tagged(t)[name]
	if !ok {
		return false
	}
	t = t.Field(i).Type
	slice := t.Kind() == reflect.Slice
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() != reflect.Struct:
		return false
	case more:
		return isTables(t, rest)
	}
	return slice
}

var (
	tableTwice   = regexp.MustCompile(`^Key '([a-z_.]+)' (?:has already been defined|was already created)`)
	longWord     = regexp.MustCompile(`[0-9A-Za-z+/=_-]{16,}`)
	notPrintable = regexp.MustCompile(`[^[:print:]…]`)
)

// Sorted returns f, ordered by line and then by key.
func (f Faults) Sorted() Faults {
	slices.SortStableFunc(f, func(x, y Fault) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), strings.Compare(x.Key, y.Key), strings.Compare(x.Text, y.Text))
	})
	return f
}
