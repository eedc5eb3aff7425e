package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/BurntSushi/toml"

	"sallyport/edge/config"
	"sallyport/edge/header"
	"sallyport/edge/route"
	"sallyport/verify/claims"
)

// FuzzRoutePath holds validRoutePath to route.Compile. The two are written twice, since config may not import route; a path that one
// takes and the other does not is either a config that check passes and serve refuses, or the reverse.
func FuzzRoutePath(f *testing.F) {
	for _, seed := range []string{
		"/", "/*", "/a/b", "/a/*", "/a/", "", "*", "a", "//", "/a//*", "/a/../b", "/./", "/...", "/...;a", "/.;", "/a;b", "/..a",
		"/%20", "/%61", "/%2F", "/%2f", "/%zz", "/%4", "/%", "/%C3%A4", "/\u00e4", "/a?b", "/a#", "/a\\b", "/a b", "/a*b", "/*/*", "/a/**",
		"http://a/b", "HTTP://a", "/\x00", "/\x7f", "/%7E", "/%25", "/%3B", "/%00", "/a/*/", "/!$&'()+,;=:@~-._",
		"/" + strings.Repeat("a", 256) + "/*", "/a/" + strings.Repeat("a", 257), "/" + strings.Repeat("%22", 256), "/" + strings.Repeat("%22", 257),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		_, err := route.Compile([]route.Spec{{Path: path}})
		if got := config.ValidRoutePath(path); got != (err == nil) {
			t.Errorf("validRoutePath(%q) = %t, but route.Compile says %v", path, got, err)
		}
	})
}

// FuzzRouteHost does the same for hosts.
func FuzzRouteHost(f *testing.F) {
	for _, seed := range []string{
		"", "*", "a", "a.example.com", "*.example.com", "*.", "*", "*.*.a", "A", "a.", ".a", "a..b", "a:80", "[::1]", "[]", "[", "[a", "*.[::1]",
		"[::1]:80", "[::G]", "[::ffff:10.0.0.1]", "10.0.0.1", "a_b", "-", "_", "\u00e4", "a b", "u@a", "a,b", "[1]", "[1:]", ".",
		strings.Repeat("a", 255), strings.Repeat("a", 256), "*." + strings.Repeat("a", 255), "[" + strings.Repeat("1", 46) + "]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		_, err := route.Compile([]route.Spec{{Host: host, Path: "/"}})
		if got := config.ValidRouteHost(host); got != (err == nil) {
			t.Errorf("validRouteHost(%q) = %t, but route.Compile says %v", host, got, err)
		}
	})
}

// TestMethodsAreRoutes holds the two lists of methods together.
func TestMethodsAreRoutes(t *testing.T) {
	if !slices.Equal(config.KnownMethods, route.Methods) {
		t.Errorf("got %q, want those of package route, %q", config.KnownMethods, route.Methods)
	}
}

// TestTakenHeaders holds that no field which package header treats by its meaning can be made a claim header: that would replace the
// meaning. What it calls forwarding fields may be, but for those that say what the request is.
func TestTakenHeaders(t *testing.T) {
	names := []string{
		"keep-alive", "proxy-connection", "te", "trailer", "upgrade", "proxy-authenticate", "proxy-authorization",
		"proxy-authentication-info", "http2-settings", "host", "connection", "authorization", "cookie", "content-length", "transfer-encoding",
		"expect", "origin", "access-control-request-method", "x-request-id", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
	}
	rules := header.NewRules(nil)
	for _, name := range names {
		var fields header.Fields
		if err := rules.Scan(&fields, []byte(name+": x\r\n")); err != nil || fields.All()[0].Kind == header.KindPlain {
			t.Fatalf("header.Scan(%s): got kind plain, error %v; the list in this test is out of date", name, err)
		}
		if !slices.Contains(config.TakenHeaders, name) {
			t.Errorf("takenHeaders has no %s", name)
		}
	}
}

// secretKeys hold secrets, or what is pasted in their place.
var secretKeys = regexp.MustCompile(`^(pem|jwk|secret_file|key_file|token_file|secret|password)$`)

// FuzzParse: no input makes Parse panic; a fault has a line of the file and holds no secret; and what Parse accepts, the packages that
// are built from it accept too.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.toml", "../../configs/*.toml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("Glob(%q): no seeds, error %v", pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(strings.Repeat("[", 100_000)))             // the library's recursion ended the process at some millions
	f.Add([]byte("x = " + strings.Repeat("{a=", 100_000)))  // the same by tables
	f.Add([]byte(strings.Repeat("a.", 100_000) + "a = 1"))  // the same by dots
	f.Add([]byte("\"" + strings.Repeat("\\", 1001) + "\"")) // a key of escapes
	f.Add([]byte("00=0b\x00"))                              // the library repeats what it found, a NUL or an ESC too
	f.Add([]byte("a = [}]"))                                // no value: the walk for the lines stood still here
	f.Add([]byte("0.\"\\"))                                 // the library places this at line 0
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := config.Parse("x", data, nil)
		if err == nil {
			accepted(t, cfg)
			return
		}
		var faults config.Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("got error %v, want Faults, at least one", err)
		}
		last := 1 + bytes.Count(data, []byte("\n"))
		var secrets []string
		if faults[0].Key != "" { // else it is no TOML, or so deep that the library alone would not come back
			secrets = secretsOf(data)
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > last {
				t.Errorf("got line %d, want 1 to %d: %s", fault.Line, last, fault)
			}
			if strings.ContainsFunc(fault.String(), unicode.IsControl) {
				t.Errorf("got %q, want one line", fault)
			}
			for _, s := range secrets {
				if strings.Contains(fault.Text, s) {
					t.Errorf("got %q, which holds the secret %q", fault, s)
				}
			}
		}
	})
}

// secretsOf returns the values of secret keys, where they stand nowhere else in the file: a path may name what is there twice.
func secretsOf(data []byte) []string {
	var tree map[string]any
	if _, err := toml.Decode(string(data), &tree); err != nil {
		return nil
	}
	var out []string
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch x := v.(type) {
		case string:
			if secretKeys.MatchString(key) && len(x) >= 12 && bytes.Count(data, []byte(x)) == 1 {
				out = append(out, x)
			}
		case map[string]any:
			for k, e := range x {
				walk(k, e)
			}
		case []any:
			for _, e := range x {
				walk(key, e)
			}
		case []map[string]any:
			for _, e := range x {
				walk(key, e)
			}
		}
	}
	walk("", tree)
	return out
}

// accepted checks what the builders of a State rely on.
func accepted(t *testing.T, cfg *config.Config) {
	t.Helper()
	config.Lint(cfg)
	if len(cfg.Listeners) == 0 || len(cfg.Routes) == 0 {
		t.Errorf("got %d listeners and %d routes, want some", len(cfg.Listeners), len(cfg.Routes))
	}
	for _, l := range cfg.Listeners {
		if l.MaxConnections < 1 {
			t.Errorf("listener %s has no limit", l.Address)
		}
	}
	issuers, upstreams := map[string]bool{}, map[string]bool{}
	for _, is := range cfg.Issuers {
		if issuers[is.Issuer] || is.Issuer == "" || len(is.Algorithms) == 0 || is.Audiences.Unchecked == (len(is.Audiences.Values) > 0) {
			t.Errorf("issuer %+v is there twice or incomplete", is)
		}
		issuers[is.Issuer] = true
		for _, p := range append([]string{is.RolesClaim}, is.RequiredClaims...) {
			if _, err := claims.ParsePath(p); err != nil {
				t.Error(err)
			}
		}
	}
	for _, u := range cfg.Upstreams {
		upstreams[u.Name] = true
	}
	specs := make([]route.Spec, len(cfg.Routes))
	for i, r := range cfg.Routes {
		specs[i] = route.Spec{Host: r.Host, Path: r.Path, Methods: r.Methods}
		if !upstreams[r.Upstream] || r.MaxBody < 0 || r.PreserveHost == nil || r.Realm == "" || r.Name == "" {
			t.Errorf("route %+v is incomplete", r)
		}
		for _, name := range r.Issuers {
			if !issuers[name] {
				t.Errorf("route %s names issuer %q, which is not there", r.Name, name)
			}
		}
	}
	if _, err := route.Compile(specs); err != nil {
		t.Error(err)
	}
}
