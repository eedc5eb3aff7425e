package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFieldsAreDocumented holds that config.go is the manual: each key has a comment of its own that says more than its name.
func TestFieldsAreDocumented(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	documented := 0
	ast.Inspect(f, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil || !strings.Contains(field.Tag.Value, "toml:") {
			return true
		}
		if text := field.Doc.Text(); len(strings.Fields(text)) < 5 || !strings.HasPrefix(text, field.Names[0].Name+" ") {
			t.Errorf("field %s %s has the comment %q, want one that begins with its name and explains it", field.Names[0], field.Tag.Value, text)
		}
		documented++
		return true
	})
	if want := len(allKeys()); documented != want {
		t.Errorf("config.go has %d documented keys, the types have %d: all types belong there", documented, want)
	}
}

// allKeys returns every key by its table's path, such as "listener.tls.min_version".
func allKeys() []string {
	var keys []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			if tag := t.Field(i).Tag.Get("toml"); tag != "" {
				keys = append(keys, join(prefix, tag))
				walk(t.Field(i).Type, join(prefix, tag))
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return keys
}

// TestExampleHasEveryKey reads configs/sallyport.toml with its commented-out lines made live, and asks the same index that places
// faults whether each key of each table is there.
func TestExampleHasEveryKey(t *testing.T) {
	data, err := os.ReadFile("../../configs/sallyport.toml")
	if err != nil {
		t.Fatal(err)
	}
	live := regexp.MustCompile(`(?m)^# ((\[|[a-z_]+ = ).*)$`).ReplaceAllString(string(data), "$1")
	index, _ := indexLines(live)
	found := map[string]bool{}
	for path := range index {
		found[unindexed(path)] = true
	}
	for _, key := range allKeys() {
		if !found[key] {
			t.Errorf("configs/sallyport.toml has no %s, not even in a comment", key)
		}
	}
}

func TestExamplesLoad(t *testing.T) {
	for _, name := range glob(t, "../../configs/*.toml", 2) {
		if _, _, err := Load(name); err != nil {
			t.Errorf("Load(%s): got %v, want no fault", name, err)
		}
	}
}

// TestExampleStatesDefaults holds the example to what it says at its top: a key that it does not comment otherwise is at its
// default.
func TestExampleStatesDefaults(t *testing.T) {
	cfg, _, err := Load("../../configs/sallyport.toml")
	if err != nil {
		t.Fatal(err)
	}
	var audit Audit
	var log Log
	var admin Admin
	var limits Limits
	for _, d := range []defaulter{&audit, &log, &admin, &limits} {
		d.setDefaults()
	}
	if cfg.Audit != audit || cfg.Log != log || cfg.Admin != admin || cfg.Limits != limits {
		t.Errorf("audit, log, admin, limits: got %+v %+v %+v %+v, want the defaults %+v %+v %+v %+v",
			cfg.Audit, cfg.Log, cfg.Admin, cfg.Limits, audit, log, admin, limits)
	}
}

// TestExampleNamesOtherDefaults holds the tables that are there more than once to the same: what is not at its default says so in its
// line or in the comment above it.
func TestExampleNamesOtherDefaults(t *testing.T) {
	cfg, data, err := Load("../../configs/sallyport.toml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	none := []string{"address", "max_connections", "issuer", "audiences", "algorithms", "discovery", "keys", "name", "endpoints", "tls", "path", "upstream", "host"}
	for table, list := range map[string]any{"listener": cfg.Listeners, "issuer": cfg.Issuers[:1], "route": cfg.Routes, "upstream": cfg.Upstreams} {
		for i := range reflect.ValueOf(list).Len() {
			got := reflect.ValueOf(list).Index(i)
			want := reflect.New(got.Type())
			want.Interface().(defaulter).setDefaults()
			for key, field := range tagged(got.Type()) {
				at := cfg.lines[fmt.Sprintf("%s[%d].%s", table, i, key)]
				if at == 0 || slices.Contains(none, key) || reflect.DeepEqual(got.Field(field).Interface(), want.Elem().Field(field).Interface()) {
					continue
				}
				if key == "preserve_host" && *got.Field(field).Interface().(*bool) {
					continue // nil is true
				}
				comment, at := lines[at-1], at-2
				for ; strings.HasPrefix(lines[at], "#"); at-- {
					comment += lines[at]
				}
				if !strings.Contains(comment, "default") {
					t.Errorf("configs/sallyport.toml: %s[%d].%s is not at its default, and %q does not say what that is", table, i, key, comment)
				}
			}
		}
	}
}

func TestMinimalIsShort(t *testing.T) {
	data, err := os.ReadFile("../../configs/minimal.toml")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n > 15 {
		t.Errorf("configs/minimal.toml has %d lines, want 15 at most", n)
	}
}

// TestDefaults holds the defaults to those that the comments in config.go state.
func TestDefaults(t *testing.T) {
	got := working(t, "defaults")
	yes := true
	want := &Config{
		Listeners: []Listener{{
			Address: "127.0.0.1:8080", MaxConnections: 100, MaxRequestsPerConn: 10000,
			ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		}},
		Issuers: []Issuer{{
			Issuer: "https://login.example.com", Audiences: Audiences{Values: []string{"api"}}, AudienceClaim: "aud",
			Algorithms: []string{"RS256"}, Discovery: "oidc", ClockSkew: 30 * time.Second, Type: "at+jwt", RolesClaim: "roles",
			RefreshInterval: 10 * time.Minute, FetchTimeout: 5 * time.Second, MaxJWKSBytes: 512 << 10, MaxKeys: 100, MaxRSABits: 4096,
		}},
		Routes: []Route{{
			Name: "route-1", Path: "/*", Upstream: "up", MaxBody: 10 << 20, Realm: "sallyport", PreserveHost: &yes,
		}},
		Upstreams: []Upstream{{
			Name: "up", Endpoints: []string{"10.0.0.1:8000"}, Balance: "least_loaded", ConnectTimeout: 2 * time.Second,
			ResponseTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxConnections: 512,
			Health: Health{EjectAfter: 5, EjectFor: 10 * time.Second},
		}},
		Audit:  Audit{Output: "stdout", WhenFull: "drop", Buffer: 16384},
		Log:    Log{Level: "info", Format: "json"},
		Admin:  Admin{Address: "127.0.0.1:9901"},
		Limits: Limits{Token: 16 << 10, Header: 32 << 10, HeaderFields: 100, Body: 10 << 20, DrainTimeout: 30 * time.Second},
		Cache:  Cache{Size: 64 << 20},

		Verification: Verification{Queue: 4096, QueuePerSource: 256, MaxWait: time.Second, KeyTables: 64 << 20, KeyWait: 3 * time.Second, KeyWaiting: 1024, KeyWaitingPerSource: 512},
	}
	want.file, want.lines = got.file, got.lines
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// working parses testdata/working_NAME.toml.
func working(t *testing.T, name string) *Config {
	t.Helper()
	path := filepath.Join("testdata", "working_"+name+".toml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse(path, data, testFiles{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestZeroIsALimit holds that "0B" is not taken for a key that is absent.
func TestZeroIsALimit(t *testing.T) {
	if cfg := working(t, "zero"); cfg.Routes[0].MaxBody != 0 || cfg.Limits.Body != 0 || cfg.Limits.DrainTimeout != 0 {
		t.Errorf("max_body, limits.body, drain_timeout: got %d, %d, %s, want 0, 0, 0s",
			cfg.Routes[0].MaxBody, cfg.Limits.Body, cfg.Limits.DrainTimeout)
	}
}

func TestOff(t *testing.T) {
	cfg := working(t, "off")
	if cfg.Admin.Address != "" || cfg.Audit.Output != "off" || cfg.Listeners[0].TrustedProxies == nil || cfg.Upstreams[0].Health.EjectAfter != 0 {
		t.Errorf("got admin %q, audit %q, trusted %v, eject_after %d, want \"\", off, [], 0", cfg.Admin.Address, cfg.Audit.Output,
			cfg.Listeners[0].TrustedProxies, cfg.Upstreams[0].Health.EjectAfter)
	}
}

// TestPathsAreRelativeToTheFile holds that the folder where sallyport is started makes no difference.
func TestPathsAreRelativeToTheFile(t *testing.T) {
	cfg := working(t, "files")
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got path %q, want %q", got, want)
		}
	}
	check(cfg.Listeners[0].TLS.Certificates[0].CertFile, "testdata/cert.pem")
	check(cfg.Listeners[0].TLS.Certificates[0].KeyFile, "testdata/secret")
	check(cfg.Upstreams[0].TLS.CAFile, "testdata/cert.pem")
	check(cfg.Issuers[0].JWKSFile, "testdata/jwks.json")
	check(cfg.Audit.Output, "testdata/new.log")
	check(cfg.Admin.TokenFile, "testdata/secret")
	keys := working(t, "keys").Issuers[0].Keys
	check(keys[0].PEMFile, "testdata/key.pem")
	check(keys[1].SecretFile, "testdata/secret")

	absolute, err := Parse("testdata/x.toml", []byte(small+"[audit]\noutput = \"/var/log/audit\"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	check(absolute.Audit.Output, "/var/log/audit")
}

// TestUnits holds durations and sizes to what they are written as.
func TestUnits(t *testing.T) {
	duration := func(in string, want time.Duration) {
		t.Helper()
		cfg, err := Parse("x", []byte(small+"[limits]\ndrain_timeout = \""+in+"\"\n"), nil)
		if err != nil || cfg.Limits.DrainTimeout != want {
			t.Errorf("drain_timeout = %q: got %v, error %v, want %s", in, cfg, err, want)
		}
	}
	duration("500ms", 500*time.Millisecond)
	duration("30s", 30*time.Second)
	duration("1m30s", 90*time.Second)
	duration("0.5h", 30*time.Minute)
	duration("1h", time.Hour)
	size := func(in string, want Size) {
		t.Helper()
		cfg, err := Parse("x", []byte(small+"[limits]\nbody = \""+in+"\"\n"), nil)
		if err != nil || cfg.Limits.Body != want {
			t.Errorf("body = %q: got %v, error %v, want %d", in, cfg, err, want)
		}
	}
	size("1B", 1)
	size("16KiB", 16<<10)
	size("10MiB", 10<<20)
	size("1GiB", 1<<30)
	size("9223372036854775807B", 1<<63-1)
	size("8589934591GiB", 8589934591<<30)
}

func TestTrustedProxies(t *testing.T) {
	in := strings.Replace(small, "max_connections = 100", `max_connections = 100
trusted_proxies = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"]`, 1)
	cfg, err := Parse("x", []byte(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range cfg.Listeners[0].TrustedProxies {
		got = append(got, p.String())
	}
	if want := "10.0.0.0/8 192.0.2.1/32 2001:db8::/32 ::1/128"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// small is a whole config to which tables can be added.
const small = `[[listener]]
address = "127.0.0.1:8080"
max_connections = 100
[[upstream]]
name = "up"
endpoints = ["10.0.0.1:8000"]
[[issuer]]
issuer = "https://login.example.com"
audiences = ["api"]
algorithms = ["RS256"]
discovery = "oidc"
[[route]]
path = "/*"
upstream = "up"
`

// TestEveryTypeBinds gives every field a value of a type that no key has. A field whose type the binder does not know would
// panic; one that it does not check would pass.
func TestEveryTypeBinds(t *testing.T) {
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag := f.Tag.Get("toml")
			if tag == "" {
				continue
			}
			at := join(path, tag)
			b := &binder{lines: lineIndex{}, given: map[string]bool{}, bad: map[string]bool{}}
			b.value(reflect.New(f.Type).Elem(), time.Time{}, at)
			if len(b.faults) != 1 || b.faults[0].Key != at || !strings.Contains(b.faults[0].Text, "not a date or time") {
				t.Errorf("%s = a date: got faults %v, want one that says that it is a date or time", at, b.faults)
			}
			elem := f.Type
			for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice {
				elem = elem.Elem()
			}
			if elem.Kind() == reflect.Struct {
				walk(elem, at)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}
