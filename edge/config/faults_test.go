package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parseFaults parses text, which must have faults, and returns them.
func parseFaults(t *testing.T, text string) Faults {
	t.Helper()
	_, err := Parse("x", []byte(text), nil)
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("Parse(%q): got error %v, want Faults", text, err)
	}
	return faults
}

// places returns "line key" of each fault.
func places(faults Faults) []string {
	var out []string
	for _, f := range faults {
		out = append(out, fmt.Sprintf("%d %s", f.Line, f.Key))
	}
	return out
}

// TestAllFaultsAtOnce has a fault of each kind in one file, and no more than these may be reported.
func TestAllFaultsAtOnce(t *testing.T) {
	faults := parseFaults(t, `[[listener]]
address = ":80"
Max_connections = 100
read_timeout = 10
[[listener]]
address = "0.0.0.0:80"
[[issuer]]
issuer = "a"
algorithms = ["RS256", "none"]
jwks_uri = "http://keys.example.com/"
[[issuer]]
issuer = "a"
audiences = ["b"]
algorithms = ["RS256"]
jwks_uri = "https://keys.example.com/"
[[issuer.keys]]
algorithm = "HS256"
secret = "swordfish"
[[route]]
path = "/a/../b"
methods = ["get"]
issuers = ["c"]
upstream = "u"
claim_headers = { "X Y" = ".", Host = "sub" }
[[route]]
path = "/*"
upstreem = "up"
max_body = "1MB"
require.scopes = ["a b"]
[route.require.claims]
"a..b" = ["x"]
[[upstream]]
name = "up"
endpoints = ["localhost:80"]
[limits]
header = "2MiB"
hedder_fields = 100
[metrics]
port = 1
`)
	got := places(faults)
	want := []string{
		"3 listener[0].Max_connections", "4 listener[0].read_timeout", "5 listener[1].max_connections", "6 listener[1].address",
		"7 issuer[0].audiences", "9 issuer[0].algorithms[1]", "10 issuer[0].jwks_uri",
		"11 issuer[1]", "12 issuer[1].issuer", "16 issuer[1].keys[0]", "17 issuer[1].keys[0].algorithm", "18 issuer[1].keys[0].secret",
		"20 route[0].path", "21 route[0].methods[0]", "22 route[0].issuers[0]", "23 route[0].upstream",
		`24 route[0].claim_headers."X Y"`, `24 route[0].claim_headers."X Y"`, "24 route[0].claim_headers.Host",
		"27 route[1].upstreem", "28 route[1].max_body", "29 route[1].require.scopes[0]", `31 route[1].require.claims."a..b"`,
		"34 upstream[0].endpoints[0]", "36 limits.header", "37 limits.hedder_fields", "38 metrics",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := faults.Error(); strings.Contains(text, "swordfish") {
		t.Errorf("the secret is in the message: %s", text)
	}
}

// TestFaultsAreStable parses one file many times: maps must not decide what is reported, nor in which order.
func TestFaultsAreStable(t *testing.T) {
	const text = small + "METHODS = [\"get\"]\nMethods = [\"put\"]\nclaim_headers = { X-a = \".\", x-A = \".\", X-A = \".\" }\n"
	want := parseFaults(t, text).Error()
	for range 50 {
		if got := parseFaults(t, text).Error(); got != want {
			t.Fatalf("got\n%s\nafter\n%s", got, want)
		}
	}
}

// TestSyntaxFaultStandsAlone has other faults before and after it.
func TestSyntaxFaultStandsAlone(t *testing.T) {
	check := func(text string, line int) {
		t.Helper()
		faults := parseFaults(t, text)
		if len(faults) != 1 || faults[0].Line != line || faults[0].Key != "" || !strings.HasPrefix(faults[0].Text, "TOML syntax: ") {
			t.Errorf("Parse(%q): got %v, want one syntax fault at line %d", text, faults, line)
		}
	}
	check("unknown = 1\n[[listener]\naddress = 5\n", 2)
	check("unknown = 1\nx\ny = 1\n", 2)
	check("unknown = 1\n[x\n[[y]]\n", 2)
	check("unknown = 1\nx = \"\"\"\na\n\n", 4)
	check("unknown = 1\n\n\n[a]\n[a]\n", 5)
	check("\xff\xfea\x00=\x001\x00", 1)
	check("a = 1\nb = \"\xff\"\n", 2)
	check("a = \"\x00\"", 1)
}

// TestSyntaxFaultKeepsSecrets gives the parser files that are not a config at all: a key, a token, a value without quotes.
func TestSyntaxFaultKeepsSecrets(t *testing.T) {
	const secret = "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA"
	for _, text := range []string{
		secret + "\n", secret + " = 1\n" + secret + " = 2\n", "token = " + secret, "token = 0x" + secret, "token = 1" + secret,
		"token = \"" + secret + "\" " + secret, "token = 1979-05-27T" + secret, "[" + secret, "x = inf" + secret, "x = t" + secret,
	} {
		if faults := parseFaults(t, text); strings.Contains(faults.Error(), secret[:12]) || len(faults) != 1 {
			t.Errorf("Parse(%q): got %v, want one fault without the secret", text, faults)
		}
	}
}

// TestLines looks at where a fault is placed, for each form that TOML has to write a key in.
func TestLines(t *testing.T) {
	const head = "[[listener]]\naddress = \"127.0.0.1:8080\"\nmax_connections = 100\n"
	for _, c := range []struct{ name, text, want string }{
		{"inline table over lines", "\nlistener = [\n  { address = \":1\", max_connections = 1 },\n  {\n    address = \":2\",\n    colour = 1,\n  },\n]\n", "6 listener[1].colour"},
		{"nested inline", "a = 1\nupstream = [{ name = \"up\", endpoints = [\n \"h:1\",\n \"h\"\n] }]\n", "4 upstream[0].endpoints[1]"},
		{"dotted key", "[[route]]\npath = \"/\"\nrequire.scopes = [\n  \"a b\",\n]\n", "4 route[0].require.scopes[0]"},
		{"dotted with spaces", "[[route]]\nrequire . \"sco pes\" = 1\n", `2 route[0].require."sco pes"`},
		{"quoted key with dot", "[[route]]\n[route.require]\n[route.require.claims]\n\"a.b\" = [\"x\"]\n\"a..b\" = [\"x\"]\n", `5 route[0].require.claims."a..b"`},
		{"dotted and quoted alike", "[limits]\nheader = \"2GiB\"\n[x]\n[\"limits.header\"]\n", `4 "limits.header"`},
		{"literal key", "[[route]]\n[route.claim_headers]\n'\"X\"' = 'sub'\n", `3 route[0].claim_headers."\"X\""`},
		{"escaped key", "[[route]]\n\"\\u0063olour\" = 1\n", "2 route[0].colour"},
		{"escaped quote in key", "[[route]]\n\n[route.require.claims]\n\"a\\\".[0]b..\" = [\"x\"]\n", `4 route[0].require.claims."a\".[0]b.."`},
		{"empty key", "\n\"\" = 1\n", `2 ""`},
		{"multi-line string", "[[issuer]]\nissuer = \"\"\"\na\n\\\n  [x]\nb = 1 \\\"\"\"\" # \"\"\"\ncolour = 1\n", "7 issuer[0].colour"},
		{"multi-line literal", "[[issuer]]\nissuer = '''\n''\nc = 1\n'''''\ncolour = 1\n", "6 issuer[0].colour"},
		{"strings with brackets", "[[issuer]]\nissuer = \"[\\\"#\"\naudiences = ['{', \"]\"] # ]\ncolour = 1\n", "4 issuer[0].colour"},
		{"arrays of tables", head + "colour = 1\n[[listener]]\naddress = \"127.0.0.1:81\"\nmax_connections = 1\ncolour = 2\n", "8 listener[1].colour"},
		{"nested arrays of tables", "[[issuer]]\n[[issuer.keys]]\n[[issuer]]\n[[issuer.keys]]\n[[issuer.keys]]\ncolour = 1\n", "6 issuer[1].keys[1].colour"},
		{"table in array of tables", "[[listener]]\n[[listener]]\n[listener.tls]\n[[listener.tls.certificate]]\n[[listener.tls.certificate]]\ncolour = 1\n", "6 listener[1].tls.certificate[1].colour"},
		{"header with spaces", "[[ issuer . keys ]]\ncolour = 1\n", "1 issuer"},
		{"implicit table", "a = 1\n[x.y.z]\nb = 1\n", "2 x"},
		{"wrong case of a table", "[[listener]]\n\n[[route]]\nPATH = \"x\"\n[[Upstream]]\n[[Upstream]]\nname = \"a/b\"\n", "6 upstream[1].name"},
		{"datetime and numbers", "[[issuer]]\nissuer = 1979-05-27 07:32:00\nmax_keys = +1_000\ncolour = -inf\n", "4 issuer[0].colour"},
		{"comment at the end", "# [[listener]]\n\n[[route]] # x\npath = \"/\" # y = 1\ncolour = 1 # z", "5 route[0].colour"},
		{"no line of its own", "[[listener]]\naddress = \":1\"\n", "1 listener[0].max_connections"},
	} {
		for _, form := range []struct{ name, text string }{
			{"LF", c.text}, {"CRLF", strings.ReplaceAll(c.text, "\n", "\r\n")}, {"BOM", "\ufeff" + c.text},
		} {
			t.Run(c.name+"/"+form.name, func(t *testing.T) {
				if got := places(parseFaults(t, form.text)); !slices.Contains(got, c.want) {
					t.Errorf("Parse(%q): got %q, want among them %q", form.text, got, c.want)
				}
			})
		}
	}
}

// TestNoFaultsThatFollow holds that one slip is one fault: what it makes missing or dangling elsewhere is not reported.
func TestNoFaultsThatFollow(t *testing.T) {
	check := func(old, with, want string) {
		t.Helper()
		text := strings.Replace(small, old, with, 1)
		if text == small {
			t.Fatalf("%q is not in the config", old)
		}
		if got := places(parseFaults(t, text)); len(got) != 1 || got[0] != want {
			t.Errorf("%s for %s: got %q, want %q alone", with, old, got, want)
		}
	}
	check("[[upstream]]", "[upstream]", "4 upstream")
	check("[[issuer]]", "[[issuers]]", "7 issuers")
	check("name = \"up\"", "Name = \"up\"", "5 upstream[0].Name")
	check("issuer = \"https://login.example.com\"", "isuer = \"https://login.example.com\"", "8 issuer[0].isuer")
	check("discovery = \"oidc\"", "discovry = \"oidc\"", "11 issuer[0].discovry")
	check("discovery = \"oidc\"", "jwks_uri = 5", "11 issuer[0].jwks_uri")
	check("max_connections = 100", "max_connections = 100\ntls = 5", "4 listener[0].tls")
	check("max_connections = 100", "max_connections = 100\n[listener.tls]\ncertificate = 5", "5 listener[0].tls.certificate")
}

// TestGuessIsNotMade holds that a key which resembles nothing is not said to be something, and that a misspelt key never takes
// the place of one that is there.
func TestGuessIsNotMade(t *testing.T) {
	faults := parseFaults(t, small+"[admin]\nip = \"127.0.0.1\"\n")
	if want := "unknown key (allowed: address, pprof, token_file)"; len(faults) != 1 || faults[0].Text != want {
		t.Errorf("got %v, want %q", faults, want)
	}
	faults = parseFaults(t, strings.Replace(small, "path = \"/*\"", "path = \"/*\"\npaht = \"relative\"\nPath = \"relative\"", 1))
	if got, want := places(faults), []string{"14 route[0].paht", "15 route[0].Path"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMisspeltKeyHidesNoOther has a misspelt key with a value that is wrong too: that is one fault, and those around it stay.
func TestMisspeltKeyHidesNoOther(t *testing.T) {
	faults := parseFaults(t, strings.Replace(small, "discovery", "max_lifetim = \"1d\"\ntype = \"id\"\ndiscovery", 1)+"host = \"A\"\n")
	want := []string{"11 issuer[0].max_lifetim", "12 issuer[0].type", "17 route[0].host"}
	if got := places(faults); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFaultString(t *testing.T) {
	check := func(f Fault, want string) {
		t.Helper()
		if got := f.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(Fault{"a.toml", 3, "log.level", "is wrong"}, "a.toml:3: log.level: is wrong")
	check(Fault{"a.toml", 3, "", "is wrong"}, "a.toml:3: is wrong")
	if got, want := (Faults{{"a", 1, "k", "x"}, {"a", 2, "l", "y"}}).Error(), "a:1: k: x\na:2: l: y"; got != want {
		t.Errorf("Faults.Error: got %q, want %q", got, want)
	}
}

// TestConfigFault places a fault that is found after parsing.
func TestConfigFault(t *testing.T) {
	cfg, err := Parse("x.toml", []byte(small), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cfg.Fault("issuer[0].discovery", "cannot %s", "go on").String(), "x.toml:11: issuer[0].discovery: cannot go on"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLargeFile has many routes, each of which names an upstream of its own: checking them must not take quadratic time.
func TestLargeFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("[[listener]]\naddress = \":80\"\nmax_connections = 1\n")
	const n = 5000
	for i := range n {
		fmt.Fprintf(&b, "[[upstream]]\nname = \"u%d\"\nendpoints = [\"10.0.0.1:80\"]\n[[route]]\npath = \"/%d/*\"\npublic = true\nupstream = \"u%d\"\n", i, i, i)
	}
	cfg, err := Parse("x", []byte(b.String()), nil)
	if err != nil || len(cfg.Routes) != n {
		t.Fatalf("got error %v, want %d routes", err, n)
	}
}
