package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/edge/config"
	"sallyport/verify/jose"
)

func testConfig(t *testing.T) *Config {
	return &Config{Dir: t.TempDir(), Listen: "127.0.0.1:8081", Upstream: "127.0.0.1:8082", Cores: 3}
}

// eachConfig calls f with the configuration of every peer in every case.
func eachConfig(t *testing.T, f func(t *testing.T, e *Entry, c *Config, text string)) {
	for _, alg := range append([]jose.Alg{jose.AlgInvalid}, rsESEd...) {
		signed := alg
		if alg == jose.AlgInvalid {
			signed = jose.RS256
		}
		made, err := corpus.New(signed, 2, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entriesFor(alg) {
			t.Run(e.Peer+"/"+e.caseName(alg), func(t *testing.T) {
				c := testConfig(t)
				args, err := e.write(c, made)
				if err != nil {
					t.Fatal(err)
				}
				if e.Template == "" {
					f(t, &e, c, strings.Join(args, " "))
					return
				}
				text, err := os.ReadFile(filepath.Join(c.Dir, e.Template))
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(strings.Join(args, " "), c.path(e.Template)) {
					t.Errorf("the arguments %q do not name the configuration", args)
				}
				f(t, &e, c, string(text))
			})
		}
	}
}

func TestConfigsSayWhatTheyMust(t *testing.T) {
	eachConfig(t, func(t *testing.T, e *Entry, c *Config, text string) {
		for _, want := range []string{"8081", "8082"} {
			if !strings.Contains(text, want) && e.Peer != "vmauth" { // whose flag says where it listens
				t.Errorf("%s is missing in\n%s", want, text)
			}
		}
		if strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
			t.Errorf("not filled in:\n%s", text)
		}
		if e.Template != "" && text[0] != '#' {
			t.Errorf("no reasons stand in\n%s", text)
		}
		if checks := strings.Contains(text, corpus.Issuer); checks != (e.Case != "") {
			t.Errorf("asks for the issuer: %v; case %q", checks, e.Case)
		}
		if e.Case != "" {
			if key, err := os.ReadFile(c.PEM); err != nil || !strings.HasPrefix(string(key), "-----BEGIN PUBLIC KEY-----\n") {
				t.Errorf("key file %q, %v", key, err)
			}
		}
		if e.Peer == "envoy" && strings.Contains(text, "jwt_cache_size: 4") != e.Cached {
			t.Errorf("cache for two tokens, cached %v:\n%s", e.Cached, text)
		}
	})
}

// Ours can be read by the code that will read it; the others' are tried by the run itself.
func TestSallyportConfigIsValid(t *testing.T) {
	n := 0
	eachConfig(t, func(t *testing.T, e *Entry, c *Config, _ string) {
		if e.Peer != "sallyport" {
			return
		}
		n++
		got, _, err := config.Load(c.path(e.Template))
		if err != nil {
			t.Fatal(err)
		}
		if audit := got.Audit.Output != "off"; audit != e.Audit {
			t.Errorf("audit output %q, want on: %v", got.Audit.Output, e.Audit)
		}
		if on := got.Cache.Size > 0; on != e.Cached {
			t.Errorf("cache of %d octets, want on: %v", got.Cache.Size, e.Cached)
		}
	})
	if n != 1+3*len(rsESEd) {
		t.Errorf("%d configurations of sallyport", n)
	}
}

func TestEveryTemplateAndPeerIsKnown(t *testing.T) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	used, noted := map[string]bool{}, map[string]bool{}
	for _, e := range entries() {
		used[e.Template] = true
	}
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("nobody uses %s", f.Name())
		}
	}
	for _, n := range notes {
		noted[n.Peer] = true
	}
	for _, s := range sources("", "") {
		if !noted[s.name] || palette[s.name] == "" {
			t.Errorf("%s has no note or no colour", s.name)
		}
		delete(noted, s.name)
	}
	if len(noted) > 0 {
		t.Errorf("notes on programs that there are not: %v", noted)
	}
}

func TestPart(t *testing.T) {
	c := testConfig(t)
	if got := net.JoinHostPort(c.ListenHost(), c.ListenPort()); got != c.Listen {
		t.Errorf("parts of %s make %s", c.Listen, got)
	}
}
