package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/verify/jose"
)

func TestNewRejects(t *testing.T) {
	good := Config{
		Issuer: "https://idp.example", JWKSURI: "https://idp.example/jwks", RefreshInterval: time.Minute, Timeout: time.Second,
		MinHintInterval: time.Second, MaxBytes: 1,
	}
	if _, err := New(good, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("New(%+v) = %v", good, err)
	}
	check := func(name string, change func(*Config)) {
		t.Helper()
		cfg := good
		change(&cfg)
		if _, err := New(cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: New(%+v) accepted", name, cfg)
		}
	}
	check("no source", func(c *Config) { c.JWKSURI = "" })
	check("two sources", func(c *Config) { c.Discovery = "oidc" })
	check("no issuer", func(c *Config) { c.Issuer = "" }) // a document without issuer would be its own
	check("no refresh interval", func(c *Config) { c.RefreshInterval = 0 })
	check("negative refresh interval", func(c *Config) { c.RefreshInterval = -1 })
	check("no timeout", func(c *Config) { c.Timeout = 0 })
	check("no hint interval", func(c *Config) { c.MinHintInterval = 0 }) // every hint would fetch
	check("no size", func(c *Config) { c.MaxBytes = 0 })
	check("http", func(c *Config) { c.JWKSURI = "http://idp.example/jwks" })
	check("discovery from an http issuer", func(c *Config) { c.JWKSURI, c.Discovery, c.Issuer = "", "oidc", "http://idp.example" })
	check("discovery at an http URL", func(c *Config) { c.JWKSURI, c.Discovery = "", "http://idp.example/metadata" })
	check("discovery from what is no URL", func(c *Config) { c.JWKSURI, c.Discovery, c.Issuer = "", "oidc", "accounts.example" })
	check("discovery by an unknown word", func(c *Config) { c.JWKSURI, c.Discovery = "", "openid" })
}

// A Source survives a reload when its config is equal, so each field must count but the pool, whose file's content does. The
// fields are found by reflection: one that is added later is checked too.
func TestConfigEqual(t *testing.T) {
	base := Config{Issuer: "i", RootCAs: x509.NewCertPool(), CAData: "pem"}
	if o := base; !base.Equal(o) {
		t.Error("a config is not equal to its copy")
	}
	typ := reflect.TypeFor[Config]()
	for i := range typ.NumField() {
		changed := base
		f := reflect.ValueOf(&changed).Elem().Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString(f.String() + "x")
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Int, reflect.Int64:
			f.SetInt(f.Int() + 1)
		case reflect.Uint32:
			f.SetUint(f.Uint() + 1)
		case reflect.Pointer:
			f.Set(reflect.ValueOf(x509.NewCertPool()))
			if !base.Equal(changed) || !changed.Equal(base) {
				t.Error("Equal = false though only the pool's pointer differs: a reload would drop the keys")
			}
			continue
		default:
			t.Fatalf("a field of kind %s, which this test cannot change: %s", f.Kind(), typ.Field(i).Name)
		}
		if base.Equal(changed) || changed.Equal(base) {
			t.Errorf("Equal = true though %s differs", typ.Field(i).Name)
		}
	}
}

func TestDiscoveryURL(t *testing.T) {
	check := func(discovery, issuer, want string) {
		t.Helper()
		got, err := discoveryURL(Config{Discovery: discovery, Issuer: issuer})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("discoveryURL(%q, issuer %q) = %q, %v, want %q", discovery, issuer, got, err, want)
		}
	}
	check("oidc", "https://a.example", "https://a.example/.well-known/openid-configuration")
	check("oidc", "https://a.example/", "https://a.example/.well-known/openid-configuration")
	check("oidc", "https://a.example/realms/x", "https://a.example/realms/x/.well-known/openid-configuration")
	check("oidc", "https://a.example/realms/x/", "https://a.example/realms/x/.well-known/openid-configuration")
	check("oidc", "https://a.example:8443/a%2Fb", "https://a.example:8443/a%2Fb/.well-known/openid-configuration")
	check("oauth", "https://a.example", "https://a.example/.well-known/oauth-authorization-server")
	check("oauth", "https://a.example/", "https://a.example/.well-known/oauth-authorization-server")
	check("oauth", "https://a.example/issuer1", "https://a.example/.well-known/oauth-authorization-server/issuer1") // RFC 8414, 3.1
	check("oauth", "https://a.example/issuer1/", "https://a.example/.well-known/oauth-authorization-server/issuer1")
	check("oauth", "https://a.example:8443/a/b", "https://a.example:8443/.well-known/oauth-authorization-server/a/b")
	check("oauth", "https://a.example/a%2Fb%20c", "https://a.example/.well-known/oauth-authorization-server/a%2Fb%20c")
	check("oauth", "https://[2001:db8::1]:1/x", "https://[2001:db8::1]:1/.well-known/oauth-authorization-server/x")
	check("https://a.example/metadata?x=1", "anything", "https://a.example/metadata?x=1")
	for _, d := range []string{"oidc", "oauth"} {
		check(d, "a.example", "")
		check(d, "http://a.example", "")
		check(d, "https://", "")
		check(d, "https:///path", "")
		check(d, "https://:443", "")
		check(d, "https://user:hunter2@a.example", "")
		check(d, "https://a.example?tenant=1", "")
		check(d, "https://a.example/?", "")
		check(d, "https://a.example/#x", "")
		check(d, "urn:example:issuer", "")
	}
}

func TestCheckURL(t *testing.T) {
	check := func(raw string, https, http bool) {
		t.Helper()
		for allow, want := range map[bool]bool{false: https, true: http} {
			err := checkURL(raw, allow)
			if (err == nil) != want {
				t.Errorf("checkURL(%q, allow_http %v) = %v, want accepted %v", raw, allow, err, want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 400) {
				t.Errorf("checkURL(%.50q…): the error holds credentials or is long: %.500v", raw, err)
			}
		}
	}
	check("https://a.example/jwks", true, true)
	check("https://a.example:8443/jwks?p=policy", true, true)
	check("https://a.example/@x", true, true)
	check("HTTPS://a.example", true, true)
	check("http://127.0.0.1/jwks", false, true)
	check("", false, false)
	check("/jwks", false, false)
	check("//a.example/jwks", false, false)
	check("a.example/jwks", false, false)
	check("https:a.example", false, false)
	check("https:///jwks", false, false)
	check("https://:443/jwks", false, false) // dials this host
	check("ftp://a.example/jwks", false, false)
	check("file:///etc/passwd", false, false)
	check("file://a.example/etc/passwd", false, false)
	check("gopher://a.example/", false, false)
	check("unix:///run/x.sock", false, false)
	check("data:application/json,{}", false, false)
	check(" https://a.example", false, false)
	check("https://a.example\r\nX: y", false, false)
	check("https://a.example:port/", false, false)
	check("https://[::1/", false, false)
	check("https://user@a.example/", false, false)
	check("https://user:hunter2@a.example/", false, false)
	check("http://user:hunter2@a.example/", false, false)
	check("https://user:hunter2 @a.example/", false, false)
	check("https://user:hunter2@a.example:port/", false, false)
	check("user:hunter2@a.example", false, false)
	check("//user:hunter2@a.example", false, false)
	check("http://a.example/?key=hunter2", false, true)
	check("ftp://a.example/?key=hunter2", false, false)
	check("a.example/?key=hunter2", false, false)
	check("ftp://"+strings.Repeat("a", 100_000), false, false)
}

// An address may be dialled for a learned URL only if anybody on the Internet could reach it.
func TestCheckDialled(t *testing.T) {
	check := func(address string, want bool) {
		t.Helper()
		ap := net.JoinHostPort(address, "443")
		if err := checkDialled(ap, false); (err == nil) != want {
			t.Errorf("checkDialled(%q) = %v, want permitted %v", ap, err, want)
		}
		// allow_http opens loopback, and nothing else.
		a, err := netip.ParseAddr(address)
		loopback := err == nil && a.Unmap().IsLoopback()
		if err := checkDialled(ap, true); (err == nil) != (want || loopback) {
			t.Errorf("checkDialled(%q) with allow_http = %v, want permitted %v", ap, err, want || loopback)
		}
	}
	for _, a := range []string{
		"8.8.8.8", "1.0.0.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8",
		"2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2003::1", "2a00:1450::1", "3ffe::1",
	} {
		check(a, true)
	}
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.0.1", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.0",
		"192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
		"255.255.255.255",
		"::", "::1", "::2", // unspecified, loopback, unassigned
		"::127.0.0.1", "::8.8.8.8", // IPv4-compatible
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:192.168.0.1", // IPv4-mapped
		"::ffff:0:127.0.0.1",                    // IPv4-translated (RFC 2765)
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", // NAT64
		"64:ff9b:1::1",                            // local NAT64
		"100::1", "1fff::1", "4000::1", "5f00::1", // discard, outside the block of public addresses, segment routing
		"2001::1", "2001:0:7f00:1::", "2001:2::1", // Teredo, benchmarking
		"2001:10::1", "2001:20::1", // ORCHID
		"2001:db8::1", "3fff::1", "3fff:fff::1", // documentation
		"2002:7f00:1::", "2002:a9fe:a9fe::1", // 6to4
		"fc00::1", "fd00:ec2::254", "fdff::1", // unique local, with a cloud's metadata
		"fe80::1", "febf::1", "fec0::1", "ff02::1", // link-local, site-local, multicast
		"::%lo", "::1%lo", "fe80::1%eth0", "2002:7f00:1::%eth0", "2001:4860:4860::8888%eth0", // zones hide what they follow
	} {
		check(a, false)
	}
	for _, bad := range []string{"", "a.example:443", "8.8.8.8", "8.8.8.8:", "[8.8.8.8", "/run/x.sock"} {
		if err := checkDialled(bad, true); err == nil {
			t.Errorf("checkDialled(%q) = nil, want an error", bad)
		}
	}
}

// counted is a listener on address that only counts who comes.
func counted(t *testing.T, address string) (port string, n *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("no listener on %s: %v", address, err)
	}
	n = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	_, port, err = net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, n
}

// The rule holds for the address that is dialled, however the URL spells it, and before a single packet is sent.
func TestLearnedURLToPrivateAddress(t *testing.T) {
	k := newKey(t, "k")
	p := newProvider(t, true)
	p.on("/jwks", text(jwks(k)))
	s, _ := newSource(t, p.discovered())
	own := strings.TrimPrefix(p.url, "https://127.0.0.1:")
	v4, hits4 := counted(t, "127.0.0.1:0")
	refused := func(uri string) {
		t.Helper()
		p.on(oidcPath, discovery(p.url, uri))
		if err := once(s); err == nil || !strings.Contains(err.Error(), "not a public address") {
			t.Errorf("jwks_uri %q: fetch = %v, want the address to be refused", uri, err)
		}
	}
	refused(p.url + "/jwks") // the provider's own address is private, and it was the operator who wrote it there
	for _, host := range []string{"127.0.0.1", "localhost", "127.1.2.3", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		refused("https://" + host + ":" + v4 + "/jwks")
	}
	refused("https://10.0.0.1/jwks")
	refused("https://169.254.169.254/latest/meta-data")
	if n := hits4.Load(); n != 0 {
		t.Errorf("a refused address was connected to %d times", n)
	}
	if n := p.hitsOf("/jwks"); n != 0 {
		t.Errorf("a refused address was asked %d times", n)
	}

	cfg := p.discovered()
	cfg.AllowPrivate = true
	s, _ = newSource(t, cfg)
	p.on(oidcPath, discovery(p.url, "https://127.0.0.1:"+own+"/jwks"))
	if k.in(t, mustFetch(t, s)) == nil {
		t.Error("allow_private_addresses did not permit a private address")
	}

	t.Run("IPv6", func(t *testing.T) {
		v6, hits6 := counted(t, "[::1]:0")
		s, _ := newSource(t, p.discovered())
		for _, host := range []string{"[::1]", "[::1%25lo]", "[::]", "[::%25lo]", "[::ffff:0.0.0.0]"} {
			p.on(oidcPath, discovery(p.url, "https://"+host+":"+v6+"/jwks"))
			if err := once(s); err == nil {
				t.Errorf("jwks_uri at %s was fetched", host)
			}
		}
		if n := hits6.Load(); n != 0 {
			t.Errorf("a private IPv6 address was connected to %d times", n)
		}
	})
}

// With allow_http a learned URL may lead to loopback, as in the demo, but no further.
func TestAllowHTTPOpensLoopbackOnly(t *testing.T) {
	k := newKey(t, "k")
	p := newProvider(t, false)
	p.on("/jwks", text(jwks(k)))
	p.on(oidcPath, discovery(p.url, p.url+"/jwks"))
	s, _ := newSource(t, p.discovered())
	set := mustFetch(t, s)
	for _, uri := range []string{"http://169.254.169.254/latest/meta-data", "http://10.0.0.1/jwks", "https://192.168.0.1/jwks"} {
		p.on(oidcPath, discovery(p.url, uri))
		if err := once(s); err == nil || !strings.Contains(err.Error(), "not a public address") {
			t.Errorf("jwks_uri %q with allow_http: fetch = %v, want the address to be refused", uri, err)
		}
	}
	if s.Keys().Load() != set {
		t.Error("the last good keys were not kept")
	}
}

func TestDiscoveryDocument(t *testing.T) {
	k := newKey(t, "k")
	p := newProvider(t, true)
	p.on("/jwks", text(jwks(k)))
	cfg := p.discovered()
	cfg.AllowPrivate = true
	s, log := newSource(t, cfg)
	uri := p.url + "/jwks"
	p.on(oidcPath, discovery(p.url, uri))
	set := mustFetch(t, s)
	before := p.hitsOf("/jwks")

	refused := func(name, doc, want string) {
		t.Helper()
		p.on(oidcPath, text(doc))
		if err := once(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: fetch with metadata %.200s = %.300v, want an error with %q", name, doc, err, want)
		}
	}
	q := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	issuer := func(v string) string { return `{"issuer":` + v + `,"jwks_uri":` + q(uri) + `}` }
	keysAt := func(v string) string { return `{"issuer":` + q(p.url) + `,"jwks_uri":` + v + `}` }
	const identical = "must be identical"
	refused("issuer with a slash at the end", issuer(q(p.url+"/")), identical)
	refused("issuer in upper case", issuer(q(strings.ToUpper(p.url))), identical)
	refused("issuer with the scheme in upper case", issuer(q(strings.Replace(p.url, "https", "HTTPS", 1))), identical)
	refused("issuer by another name", issuer(q(strings.Replace(p.url, "127.0.0.1", "localhost", 1))), identical)
	refused("issuer with a path", issuer(q(p.url+"/x")), identical)
	refused("issuer that begins as ours", issuer(q(p.url[:len(p.url)-1])), identical)
	refused("issuer that ours begins as", issuer(q(p.url+"0")), identical)
	refused("issuer with a space", issuer(q(p.url+" ")), identical)
	refused("issuer with NUL", issuer(q(p.url+"\x00")), identical)
	refused("issuer of somebody else", issuer(q("https://idp.example")), identical)
	refused("issuer with a letter that looks like ours", issuer(q(strings.Replace(p.url, "s", "ѕ", 1))), identical)
	refused("issuer empty", issuer(`""`), identical)
	refused("issuer null", issuer(`null`), identical)
	refused("issuer array", issuer(`[`+q(p.url)+`]`), identical)
	refused("issuer object", issuer(`{}`), identical)
	refused("no issuer", `{"jwks_uri":`+q(uri)+`}`, identical)
	refused("Issuer", strings.Replace(issuer(q(p.url)), "issuer", "Issuer", 1), identical)
	refused("two issuers", `{"issuer":"https://idp.example",`+issuer(q(p.url))[1:], "strict JSON")
	refused("two issuers, one escaped", `{"\u0069ssuer":"https://idp.example",`+issuer(q(p.url))[1:], "strict JSON")
	refused("a long issuer", issuer(q(strings.Repeat("x", 50_000))), identical)

	refused("no jwks_uri", `{"issuer":`+q(p.url)+`}`, "not an absolute URL")
	refused("jwks_uri null", keysAt(`null`), "not an absolute URL")
	refused("jwks_uri array", keysAt(`[`+q(uri)+`]`), "not an absolute URL")
	refused("jwks_uri empty", keysAt(`""`), "not an absolute URL")
	refused("jwks_uri relative", keysAt(`"/jwks"`), "not an absolute URL")
	refused("jwks_uri without scheme", keysAt(q(strings.TrimPrefix(uri, "https:"))), "not an https URL")
	refused("jwks_uri http", keysAt(q(strings.Replace(uri, "https", "http", 1))), "not https")
	refused("jwks_uri file", keysAt(`"file:///etc/passwd"`), "not an absolute URL")
	refused("jwks_uri ftp", keysAt(`"ftp://idp.example/jwks"`), "not an https URL")
	refused("jwks_uri with credentials", keysAt(q(strings.Replace(uri, "https://", "https://user:hunter2@", 1))), "credentials")
	refused("jwks_uri with credentials and no URL", keysAt(`"https://user:hunter2 @idp.example/"`), "credentials")
	refused("jwks_uri twice", `{"jwks_uri":"https://idp.example/",`+keysAt(q(uri))[1:], "strict JSON")
	refused("jwks_uri without a host", keysAt(`"https://:443/jwks"`), "not an absolute URL")
	refused("a long jwks_uri", keysAt(q("ftp://"+strings.Repeat("x", 50_000))), "not an https URL")

	if n := p.hitsOf("/jwks"); n != before {
		t.Errorf("keys were fetched %d times on the word of a bad document", n-before)
	}
	if s.Keys().Load() != set {
		t.Error("a bad document replaced the last good keys")
	}
	if len(s.Status().LastError) > maxErrorText+3 || strings.Contains(log.String(), "hunter2") || len(log.String()) > 64<<10 {
		t.Errorf("the log holds credentials or is long (%d octets)", len(log.String()))
	}

	// The keys may be with somebody else (Google's are), if the issuer says so under its own name.
	other := newProvider(t, true)
	other.on("/keys", text(jwks(k)))
	p.on(oidcPath, discovery(p.url, other.url+"/keys"))
	if k.in(t, mustFetch(t, s)) == nil {
		t.Error("a jwks_uri on another host was not followed")
	}
	if after := s.Keys().Load(); k.in(t, after) != k.in(t, set) {
		t.Error("the same key from another place has another pointer")
	}
	// But not from there to somewhere else again.
	other.on("/keys", redirect(uri))
	if err := once(s); err == nil || !strings.Contains(err.Error(), "another origin") {
		t.Errorf("a jwks_uri that redirects to another origin: fetch = %v, want an error", err)
	}
}

func TestDiscoveryPaths(t *testing.T) {
	k := newKey(t, "k")
	check := func(discovery, path, want string) {
		t.Helper()
		p := newProvider(t, false)
		cfg := p.discovered()
		cfg.Issuer, cfg.Discovery = p.url+path, strings.Replace(discovery, "URL", p.url, 1)
		p.on(want, text(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, cfg.Issuer, p.url+"/jwks")))
		p.on("/jwks", text(jwks(k)))
		s, _ := newSource(t, cfg)
		if err := once(s); err != nil || k.in(t, s.Keys().Load()) == nil {
			t.Errorf("discovery %q of an issuer with path %q: %v, want its document at %s", discovery, path, err, want)
		}
	}
	check("oidc", "", "/.well-known/openid-configuration")
	check("oidc", "/", "/.well-known/openid-configuration")
	check("oidc", "/realms/x", "/realms/x/.well-known/openid-configuration")
	check("oidc", "/realms/x/", "/realms/x/.well-known/openid-configuration")
	check("oauth", "", "/.well-known/oauth-authorization-server")
	check("oauth", "/realms/x", "/.well-known/oauth-authorization-server/realms/x")
	check("oauth", "/realms/x/", "/.well-known/oauth-authorization-server/realms/x")
	check("URL/metadata", "/realms/x", "/metadata")
}

// What a query holds is nobody's business, whatever goes wrong.
func TestErrorsHideQuery(t *testing.T) {
	p := newProvider(t, false)
	for name, answer := range map[string]http.HandlerFunc{
		"status": status(500), "HTML": typed("text/html", "x"), "no JSON": text("x"), "no keys": text(`{"keys":[]}`),
		"too large": text(strings.Repeat(" ", 70_000)), "closed": raw(), "cut off": raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
		"no HTTP": raw("x\r\n\r\n"), "redirect": redirect("http://idp.example/?key=hunter2"),
		"redirect to itself": redirect("/jwks?key=hunter2"), "redirect with credentials": redirect("//hunter2:hunter2@" + strings.TrimPrefix(p.url, "http://")),
	} {
		p.on("/jwks", answer)
		cfg := p.config()
		cfg.JWKSURI += "?key=hunter2"
		s, log := newSource(t, cfg)
		err := once(s)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(log.String(), "hunter2") {
			t.Errorf("%s: the error is %v, the log %s, want an error without the query", name, err, log)
		}
		if err != nil && name != "redirect with credentials" && !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v does not say where", name, err)
		}
	}
	cfg := p.config()
	cfg.JWKSURI = "http://127.0.0.1:1/jwks?key=hunter2"
	s, _ := newSource(t, cfg)
	if err := once(s); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody there: %v, want an error without the query", err)
	}
}

// authority is a CA of the test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{cert, key, x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// issue makes a server's certificate for 127.0.0.1, changed by change.
func (a authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestFetchChecksTLS(t *testing.T) {
	k := newKey(t, "k")
	ours, foreign := newAuthority(t, "ours"), newAuthority(t, "foreign")
	serve := func(conf *tls.Config) (url string, asked *atomic.Int64) {
		t.Helper()
		ln, err := tls.Listen("tcp", "127.0.0.1:0", conf)
		if err != nil {
			t.Fatal(err)
		}
		asked = new(atomic.Int64)
		srv := &http.Server{
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				_, _ = io.WriteString(w, jwks(k))
			}),
		}
		done := make(chan struct{})
		go func() { defer close(done); _ = srv.Serve(ln) }()
		t.Cleanup(func() { srv.Close(); <-done })
		return "https://" + ln.Addr().String(), asked
	}
	check := func(name string, pool *x509.CertPool, conf *tls.Config, want bool) {
		t.Helper()
		url, asked := serve(conf)
		s, _ := newSource(t, Config{
			Issuer: url, JWKSURI: url + "/jwks", RootCAs: pool, Algs: jose.NewAlgSet(jose.ES256),
			RefreshInterval: time.Hour, Timeout: time.Minute, MinHintInterval: time.Second, MaxBytes: 1 << 20,
		})
		err := once(s)
		if (err == nil) != want {
			t.Errorf("%s: fetch = %v, want accepted %v", name, err, want)
		}
		if got := asked.Load() > 0; got != want {
			t.Errorf("%s: a request was sent: %v, want %v", name, got, want)
		}
	}
	with := func(change func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ours.issue(t, change)}}
	}
	versions := func(low, high uint16) *tls.Config {
		c := with(nil)
		c.MinVersion, c.MaxVersion = low, high
		return c
	}
	check("own CA", ours.pool, with(nil), true)
	check("foreign CA", foreign.pool, with(nil), false)
	check("the system's CAs", nil, with(nil), false)
	check("expired", ours.pool, with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), false)
	check("not valid yet", ours.pool, with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }), false)
	check("another address", ours.pool, with(func(c *x509.Certificate) { c.IPAddresses[0] = net.IPv4(127, 0, 0, 2) }), false)
	check("the address as a name", ours.pool, with(func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames, c.Subject.CommonName = nil, []string{"127.0.0.1"}, "127.0.0.1"
	}), false)
	check("a client's certificate", ours.pool, with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), false)
	check("TLS 1.3", ours.pool, versions(tls.VersionTLS13, tls.VersionTLS13), true)
	check("TLS 1.2", ours.pool, versions(tls.VersionTLS12, tls.VersionTLS12), true)
	check("TLS 1.1", ours.pool, versions(tls.VersionTLS10, tls.VersionTLS11), false)
}

// A proxy from the environment would be the one that is dialled, and so the one that is checked.
func TestFetchIgnoresProxyEnvironment(t *testing.T) {
	s, _ := newSource(t, newProvider(t, true).config())
	for name, c := range map[string]*http.Client{"client": s.client, "learned": s.learned} {
		if tr := c.Transport.(*http.Transport); tr.Proxy != nil {
			t.Errorf("the %s's transport has a Proxy function", name)
		}
		if c.Jar != nil {
			t.Errorf("the %s keeps cookies", name)
		}
	}
}
