package config

import (
	"slices"
	"strings"
	"testing"
)

// TestLint has every warning once, and nothing else may be warned of.
func TestLint(t *testing.T) {
	cfg, err := Parse("x", []byte(`[[listener]]
address = ":80"
max_connections = 100
max_connections_per_ip = 101
[[listener]]
address = "10.0.0.1:81"
max_connections = 100
trusted_proxies = ["10.0.0.0/8", "0.0.0.0/0", "::/0"]
[[issuer]]
issuer = "a"
audiences = "unchecked"
algorithms = ["HS256", "ES256"]
type = "any-access"
clock_skew = "6m"
max_lifetime = "1h"
[[issuer.keys]]
algorithm = "HS256"
secret_file = "secret"
[[issuer]]
issuer = "b"
audiences = ["c"]
audience_claim = "client_id"
algorithms = ["ES256"]
jwks_uri = "https://keys.example.com"
allow_http = true
allow_private_addresses = true
[[upstream]]
name = "up"
endpoints = ["10.0.0.1:8000"]
[[route]]
path = "/*"
upstream = "up"
public = true
[[route]]
path = "/a"
upstream = "up"
forward_token = true
token_cookie = "session"
body_on_get = true
[[route]]
path = "/b"
upstream = "up"
public = true
forward_token = true
[audit]
output = "off"
with_query = true
[revocation]
file = "r.db"
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := places(Lint(cfg))
	want := []string{
		"2 listener[0].address", "4 listener[0].max_connections_per_ip", "8 listener[1].trusted_proxies[1]",
		"8 listener[1].trusted_proxies[2]", "11 issuer[0].audiences", "12 issuer[0].algorithms[0]", "13 issuer[0].type",
		"14 issuer[0].clock_skew", "19 issuer[1]", "22 issuer[1].audience_claim", "25 issuer[1].allow_http",
		"26 issuer[1].allow_private_addresses", "33 route[0].public", "37 route[1].forward_token", "38 route[1].token_cookie",
		"39 route[1].body_on_get", "44 route[2].forward_token", "46 audit.output", "47 audit.with_query",
		"49 revocation.file",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLintIsSilent holds that a config which gives nothing up is not warned about, or nobody would read warnings.
func TestLintIsSilent(t *testing.T) {
	for _, text := range []string{
		strings.Replace(small, "discovery", "max_lifetime = \"24h\"\ndiscovery", 1),
		strings.NewReplacer("127.0.0.1:8080\"", ":80\"\ntrusted_proxies = [\"10.0.0.0/8\"]", "discovery", "max_lifetime = \"24h\"\ndiscovery").Replace(small),
		strings.NewReplacer("127.0.0.1:8080\"", ":80\"\ntls.certificate = [{ cert_file = \"a\", key_file = \"b\" }]",
			"discovery", "max_lifetime = \"24h\"\ndiscovery").Replace(small),
		strings.Replace(small, "discovery", "max_lifetime = \"24h\"\ndiscovery", 1) + "[admin]\ntoken_file = \"t\"\n[revocation]\nfile = \"r.db\"\n",
	} {
		cfg, err := Parse("x", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := Lint(cfg); len(got) > 0 {
			t.Errorf("Lint(%s): got %v, want nothing", text, got)
		}
	}
}
