package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rules is the import policy of DESIGN.md. The first rule whose folder holds a package decides; allowed are our own packages,
// by prefix, and libraries. Test files are free.
var rules = []struct {
	folder  string
	own     []string
	foreign []string
}{
	{"verify/jose", nil, []string{"golang.org/x/sys/cpu"}},
	{"verify/claims", []string{"verify/jose"}, nil},
	{"verify/cache", []string{"verify/jose"}, nil},
	{"verify/pool", nil, nil},
	{"verify", []string{"verify"}, []string{"github.com/cloudflare/circl", "golang.org/x/sys/cpu"}},
	{"keys/fetch", []string{"keys", "verify"}, []string{"net/http", "github.com/valyala/fastjson"}},
	{"keys/revoke", []string{"verify"}, []string{"go.etcd.io/bbolt"}},
	{"keys", []string{"verify"}, []string{"github.com/valyala/fastjson", "github.com/cloudflare/circl"}},
	{"edge/config", []string{"verify/jose", "verify/claims"}, []string{"github.com/BurntSushi/toml"}},
	{"edge/route", []string{"edge/config"}, nil},
	{"edge/wire", []string{"edge/config"}, nil},
	{"edge/header", []string{"edge/config", "verify"}, nil},
	{"edge/gate", []string{"edge/config", "edge/route", "edge/header", "verify"}, nil}, // see edge/DESIGN.md
	{"edge/upstream/h1", []string{"edge/config"}, nil},
	{"edge/upstream", []string{"edge/config"}, nil},
	{"edge/tlsconf", []string{"edge/config"}, nil},
	{"edge/audit", []string{"edge/config"}, nil},
	{"edge/metrics", []string{"edge/config", "verify"}, []string{"github.com/VictoriaMetrics/metrics"}},
	{"edge/admin", []string{"edge/config", "keys/revoke", "verify"}, []string{"net/http"}},
	{"edge/demo", []string{"verify"}, []string{"net/http", "github.com/cloudflare/circl"}},
	{"edge", []string{"edge", "keys", "verify"}, []string{"github.com/valyala/fasthttp"}},
	{"cmd", []string{"edge", "keys", "verify"}, nil},
	{"bench", []string{"edge", "keys", "verify", "bench"}, []string{"github.com/valyala/fasthttp", "golang.org/x/sys"}},
	{"loadtest", []string{"edge", "keys", "verify", "bench", "loadtest"}, []string{"github.com/valyala/fasthttp", "golang.org/x/sys", "net/http"}},
}

func TestImportPolicy(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			nested := rel != "." && len(mustGlob(t, filepath.Join(path, "go.mod"))) > 0
			if nested || d.Name() == "testdata" || (rel != "." && strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		files++
		checkFile(t, path, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 30 {
		t.Errorf("only %d files were read: the walk is broken", files)
	}
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	m, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func checkFile(t *testing.T, path, rel string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rules, func(r struct {
		folder  string
		own     []string
		foreign []string
	},
	) bool {
		return strings.HasPrefix(rel, r.folder+"/")
	})
	if i < 0 {
		t.Errorf("%s: no rule covers it", rel)
		return
	}
	for _, spec := range f.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if !allowed(name, rules[i].own, rules[i].foreign, rules[i].folder) {
			t.Errorf("%s may not import %s", rel, name)
		}
	}
}

func allowed(name string, own, foreign []string, folder string) bool {
	under := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return name == p || strings.HasPrefix(name, p+"/") })
	}
	if rest, ok := strings.CutPrefix(name, "sallyport/"); ok {
		return under(own, rest)
	}
	if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
		return under(foreign, name)
	}
	switch {
	case name == "net/http" || strings.HasPrefix(name, "net/http/"):
		return under(foreign, "net/http")
	case strings.HasPrefix(folder, "verify"):
		// A pure library: no I/O, no clock, no log.
		return !slices.Contains([]string{"os", "net", "time", "log", "log/slog", "context", "io"}, name)
	case name == "unsafe":
		return false
	}
	return true
}
