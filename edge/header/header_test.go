package header

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"sallyport/verify/claims"
)

var testRules = NewRules([]string{"X-User", "X-Roles", "Client-Cert"})

// scan reads the lines given, each without its CRLF.
func scan(t *testing.T, lines ...string) *Fields {
	t.Helper()
	f := new(Fields)
	if err := testRules.Scan(f, []byte(strings.Join(append(lines, ""), "\r\n"))); err != nil {
		t.Fatalf("Scan(%q): %v", lines, err)
	}
	return f
}

func TestScanKinds(t *testing.T) {
	for line, want := range map[string]Kind{
		"Host: a": KindHost, "HOST:a": KindHost, "Connection: close": KindConnection, "Keep-Alive: x": KindHopByHop, "TE: trailers": KindHopByHop,
		"Trailer: X-User": KindHopByHop, "Upgrade: h2c": KindHopByHop, "HTTP2-Settings: AA": KindHopByHop, "Proxy-Authorization: x": KindHopByHop,
		"Proxy-Connection: x": KindHopByHop, "Authorization: Bearer x": KindAuthorization, "cookie: a=b": KindCookie, "Content-Length: 1": KindContentLength,
		"Transfer-Encoding: chunked": KindTransferEncoding, "Expect: 100-continue": KindExpect, "Forwarded: for=a": KindForwarded,
		"X-Forwarded-For: a": KindForwardedFor, "x-forwarded-proto: a": KindForwarded, "X-Real-IP: a": KindForwarded, "X-Original-URL: /": KindForwarded,
		"X-HTTP-Method-Override: PUT": KindForwarded, "X-User: a": KindIdentity, "x-roles:": KindIdentity, "X-Request-ID: a": KindRequestID,
		"Client-Cert: x": KindIdentity, "Client-Cert-Chain: x": KindForwarded, // a config's own name comes before the built-in kind
		"Origin: a": KindOrigin, "Access-Control-Request-Method: PUT": KindACRM, "Accept: */*": KindPlain, "X-Users: a": KindPlain, "X-Use: a": KindPlain,
		"My_Field: a": KindUnderscore, "X_Users: a": KindUnderscore, "_: a": KindUnderscore, "X" + strings.Repeat("-User", 30) + ": a": KindPlain,
	} {
		f := scan(t, "Accept: first", line)
		if got := f.All()[1].Kind; got != want {
			t.Errorf("Scan(%q): kind %d, want %d", line, got, want)
		}
		if want != KindPlain && (f.Count(want) != 1 || f.First(want) != &f.All()[1]) {
			t.Errorf("Scan(%q): Count %d, First %v", line, f.Count(want), f.First(want))
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for _, block := range []string{
		"A: b", "A: b\n", "A: b\r", "A\r\n", ": b\r\n", " A: b\r\n", "A : b\r\n", "A b: c\r\n", "A: b\r\n c\r\n", "A: b\r\n\tc\r\n", "\r\nA: b\r\n",
		"A: b\r\n\r\nB: c\r\n", "A: b\nB: c\r\n", "A: b\rc\r\n", "A: b\x00\r\n", "A: b\x7f\r\n", "A: \x1b\r\n", "\xc3\xbc: b\r\n", "A\x00: b\r\n", "A\": b\r\n",
		"A(b): c\r\n", "A,B: c\r\n", "A: bbbbbbbbbbbbbbb\x01bbbbbbb\r\n",
		// Names that only "_" keeps from being one with a meaning (SECURITY notes 2.3, 3).
		"X_User: a\r\n", "x_USER: a\r\n", "X_Forwarded_For: a\r\n", "X-Forwarded_Proto: a\r\n", "Content_Length: 5\r\n", "Transfer_Encoding: chunked\r\n",
		"X_Request_Id: a\r\n", "HTTP2_Settings: a\r\n", "Keep_Alive: a\r\n", "X_REAL_IP: a\r\n", "Client_Cert: a\r\n",
		// Options that would have our own fields, or those we read, removed.
		"Connection: X-User\r\n", "Connection: close, x-user\r\n", "Connection: x_user\r\n", "Connection:\tX-Forwarded-For\r\n", "Connection: Host\r\n",
		"Connection: Authorization\r\n", "Connection: cookie\r\n", "Connection: Content-Length\r\n", "Connection: transfer-encoding\r\n",
		"Connection: close\r\nConnection: X-Request-Id\r\n", "Connection: Origin\r\n", "Connection: x-real-ip\r\n", "Connection: Forwarded\r\n", "Connection: expect\r\n",
		"Connection: " + strings.Repeat("a,", maxOptions+1) + "\r\n",
	} {
		f := new(Fields)
		if err := testRules.Scan(f, []byte(block)); err != ErrField {
			t.Errorf("Scan(%q) = %v, want %v", block, err, ErrField)
		}
	}
}

func TestScanForgets(t *testing.T) {
	f := scan(t, "X-User: mallory", "Cookie: a=b", "Connection: close")
	if err := testRules.Scan(f, []byte("A: b\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if len(f.All()) != 1 || f.Count(KindIdentity) != 0 || f.First(KindCookie) != nil || f.Count(KindConnection) != 0 {
		t.Errorf("after another Scan: %v", f.All())
	}
	f.Reset()
	if all := f.All()[:1]; all[0].Name != nil || all[0].Value != nil {
		t.Errorf("after Reset the memory still points to %v", all[0])
	}
}

func TestIsFieldValue(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				v := bytes.Repeat([]byte("a"), n)
				v[at] = byte(c)
				if got, want := isFieldValue(v), c == '\t' || (c >= 0x20 && c != 0x7f); got != want {
					t.Fatalf("isFieldValue(%q) = %v, want %v", v, got, want)
				}
			}
		}
	}
}

func TestGet(t *testing.T) {
	f := scan(t, "X-Token: one", "x-token:two", "X-Toke: three", "Y:")
	for name, want := range map[string]struct {
		value string
		n     int
	}{"X-TOKEN": {"one", 2}, "x-toke": {"three", 1}, "y": {"", 1}, "z": {"", 0}} {
		if v, n := f.Get(name); string(v) != want.value || n != want.n {
			t.Errorf("Get(%q) = %q, %d; want %q, %d", name, v, n, want.value, want.n)
		}
	}
}

func TestAppendForward(t *testing.T) {
	check := func(opt ForwardOptions, want string, lines ...string) {
		t.Helper()
		got := scan(t, lines...).AppendForward([]byte("before\r\n"), opt)
		if want = "before\r\n" + want; string(got) != want {
			t.Errorf("AppendForward(%q, %+v) = %q, want %q", lines, opt, got, want)
		}
	}
	none := ForwardOptions{}
	check(none, "A: 1\r\nb: 2\r\nA: 3\r\n", "A: 1", "b:2", "A:  3 ")
	check(none, "A: \r\n", "A:")
	check(none, "A: \xff\r\n", "A: \xff")
	check(none, "A: b\r\n", "Host: h", "Connection: close", "Keep-Alive: 1", "TE: trailers", "Trailer: X-User", "Upgrade: websocket", "Content-Length: 1",
		"Transfer-Encoding: chunked", "Expect: 100-continue", "Forwarded: for=a", "X-Forwarded-For: a", "A: b", "X-Real-Ip: a",
		"X-User: mallory", "x-user: mallory", "X-Roles: root", "X-Request-Id: a", "A_B: c", "Proxy-Authorization: x")
	check(none, "A: b\r\n", "Connection: X-Secret, close", "X-Secret: 1", "A: b", "x-SECRET: 2")
	check(none, "A: b\r\n", "X-Secret: 1", "A: b", "connection:a-b,,\tx-secret ,")
	check(none, "Authorization: Bearer x\r\nCookie: s=t; u=v\r\nX-Token: t\r\n", "Authorization: Bearer x", "Cookie: s=t; u=v", "X-Token: t")
	check(ForwardOptions{StripAuthorization: true}, "Cookie: s=t\r\n", "Authorization: Bearer x", "Cookie: s=t", "authorization: Basic y")
	check(ForwardOptions{StripHeader: "x-token"}, "X-Tokens: u\r\n", "X-Token: t", "X-Tokens: u", "X-TOKEN: t2")
	check(ForwardOptions{StripCookie: "s"}, "Cookie: u=v; ss=w\r\nAuthorization: Bearer x\r\n", "Cookie: s=t; u=v;ss=w", "Cookie: s=1", "Authorization: Bearer x")
	check(none, "Origin: https://a\r\nAccess-Control-Request-Method: PUT\r\n", "Origin: https://a", "Access-Control-Request-Method: PUT")
}

// claimValue parses json as a claim.
func claimValue(t *testing.T, json string) (claims.Value, bool) {
	t.Helper()
	set := new(claims.Set)
	if err := new(claims.Parser).Parse(set, []byte(`{"c":`+json+`}`)); err != nil {
		return claims.Value{}, false
	}
	path, err := claims.ParsePath("c")
	if err != nil {
		t.Fatal(err)
	}
	return set.Lookup(path)
}

func TestAppendClaim(t *testing.T) {
	check := func(json, want string) {
		t.Helper()
		v, ok := claimValue(t, json)
		if !ok {
			t.Fatalf("claim %s is not one", json)
		}
		got, ok := AppendClaim([]byte("x"), v)
		if string(got) != "x"+want || ok != (want != "") {
			t.Errorf("AppendClaim(%s) = %q, %v; want %q", json, got, ok, want)
		}
	}
	check(`"alice"`, "alice")
	check(`"a b"`, "a b")
	check(`" a  b "`, "%20a  b%20")
	check(`"   "`, "%20 %20")
	check(`" "`, "%20")
	check(`"a\r\nX-Admin: 1"`, "a%0D%0AX-Admin: 1")
	check(`"\u0000\t\u007f"`, "%00%09%7F")
	check(`"100%, \"really\""`, `100%25, "really"`)
	check(`"Zoë"`, "Zo%C3%AB")
	check(`"\ud83d\ude00"`, "%F0%9F%98%80")
	check(`""`, "")
	check(`null`, "")
	check(`true`, "true")
	check(`-1.5e3`, "-1.5e3")
	check(`12345678901234567890`, "12345678901234567890")
	check(`[]`, "")
	check(`[""]`, "")
	check(`["a","b,c",1,false]`, "a,b%2Cc,1,false")
	check(`[" a "," b"]`, "%20a%20,%20b")
	check(`["a",null]`, `["a",null]`)
	check(`["a",["b,c"]]`, `["a",["b,c"]]`)
	check(`{"k":"v\n"}`, `{"k":"v\n"}`)
	check(`{"k":"ü%"}`, `{"k":"%C3%BC%25"}`)
}

func TestAppendForwarding(t *testing.T) {
	peer4, peer6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	check := func(fw Forwarding, want string, lines ...string) {
		t.Helper()
		fw.Scheme = []byte("https")
		if got := scan(t, lines...).AppendForwarding(nil, fw); string(got) != want {
			t.Errorf("AppendForwarding(%q, %+v) =\n%q, want\n%q", lines, fw, got, want)
		}
	}
	given := []string{
		"X-Forwarded-For: 198.51.100.7, 203.0.113.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil", "Forwarded: for=198.51.100.7", "X-Forwarded-For: 203.0.113.2",
	}
	host := []byte("api.example.com:8443")
	check(Forwarding{Peer: peer4, Host: host}, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example.com:8443\r\n"+
		"Forwarded: for=192.0.2.1;host=\"api.example.com:8443\";proto=https\r\n", given...)
	check(Forwarding{Peer: peer4, Host: host, Trusted: true}, "X-Forwarded-For: 198.51.100.7, 203.0.113.1, 203.0.113.2, 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"+
		"X-Forwarded-Host: evil\r\nForwarded: for=198.51.100.7, for=192.0.2.1;host=\"api.example.com:8443\";proto=https\r\n", given...)
	check(Forwarding{Peer: peer6, Trusted: true}, "X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nForwarded: for=\"[2001:db8::1]\";proto=https\r\n",
		"X-Forwarded-For:", "X-Forwarded-Proto: a", "X-Forwarded-Proto: b", "Forwarded:") // two values are none
	check(Forwarding{}, "X-Forwarded-For: unknown\r\nX-Forwarded-Proto: https\r\nForwarded: for=unknown;proto=https\r\n")
}

func TestClientAddr(t *testing.T) {
	trusted := func(a netip.Addr) bool {
		return netip.MustParsePrefix("10.0.0.0/8").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a)
	}
	check := func(peer, want string, lines ...string) {
		t.Helper()
		if got := scan(t, lines...).ClientAddr(netip.MustParseAddr(peer), trusted); got != netip.MustParseAddr(want) {
			t.Errorf("ClientAddr(%s, %q) = %v, want %s", peer, lines, got, want)
		}
	}
	check("10.0.0.1", "10.0.0.1")
	check("192.0.2.9", "192.0.2.9", "X-Forwarded-For: 198.51.100.7") // not trusted: what it says is nothing
	check("10.0.0.1", "198.51.100.7", "X-Forwarded-For: 198.51.100.7")
	check("10.0.0.1", "198.51.100.7", "X-Forwarded-For: 1.1.1.1, 198.51.100.7") // what the client itself wrote is before its address
	check("10.0.0.1", "198.51.100.7", "X-Forwarded-For: 1.1.1.1,198.51.100.7 ,10.0.0.3, 10.0.0.2")
	check("10.0.0.1", "198.51.100.7", "X-Forwarded-For: 1.1.1.1", "A: b", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 10.0.0.2")
	check("10.0.0.1", "10.0.0.3", "X-Forwarded-For: 10.0.0.3, 10.0.0.2")
	check("fd00::1", "2001:db8::7", "X-Forwarded-For: 2001:db8::7, fd00::2")
	check("10.0.0.1", "198.51.100.7", "X-Forwarded-For: 1.1.1.1, ::ffff:198.51.100.7")
	check("10.0.0.1", "198.51.100.7", "X-Forwarded-For: 198.51.100.7, ::ffff:10.0.0.2")
	check("10.0.0.1", "fe80::1", "X-Forwarded-For: fe80::1%eth0")
	// What is no address ends the search at the hop that wrote it: nothing before it can be believed.
	for _, garbage := range []string{"unknown", "", "198.51.100.7:80", "[2001:db8::7]:80", "_hidden", "1.2.3", "010.0.0.1", "198.51.100.7 1.1.1.1", "\"198.51.100.7\""} {
		check("10.0.0.1", "10.0.0.2", "X-Forwarded-For: 1.1.1.1, "+garbage+", 10.0.0.2")
	}
	check("10.0.0.1", "10.0.0.1", "X-Forwarded-For:")
	check("10.0.0.1", "10.0.0.1", "Forwarded: for=198.51.100.7", "X-Real-Ip: 198.51.100.7")
}

// bearer is what the gate makes of the two.
func bearer(value string) ([]byte, error) {
	token, err := BearerToken([]byte(value))
	if err == nil && !IsB64Token(token) {
		return nil, ErrSyntax
	}
	return token, err
}

func TestBearerToken(t *testing.T) {
	for in, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER   abc": "abc", "Bearer a.b-c_d~e+f/g==": "a.b-c_d~e+f/g==",
	} {
		if got, err := bearer(in); err != nil || string(got) != want {
			t.Errorf("BearerToken(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]error{
		"": ErrSyntax, " ": ErrSyntax, " abc": ErrSyntax, ",Bearer abc": ErrSyntax, "Bearer": ErrSyntax, "Bearer ": ErrSyntax, "Bearer  ": ErrSyntax,
		"Bearer\tabc": ErrSyntax, "Bearer abc ": ErrSyntax, "Bearer abc def": ErrSyntax, "Bearer abc, Bearer def": ErrSyntax, "Bearer a=b": ErrSyntax,
		"Bearer =": ErrSyntax, "Bearer abc\xff": ErrSyntax, "Bearer token=\"abc\"": ErrSyntax, "Bearer,abc": ErrSyntax, "Bearer=abc": ErrSyntax,
		"Basic abc": ErrOtherScheme, "Bearers abc": ErrOtherScheme, "Beare abc": ErrOtherScheme, "DPoP abc": ErrOtherScheme, "abc": ErrOtherScheme,
	} {
		if got, err := bearer(in); !errors.Is(err, want) || got != nil {
			t.Errorf("BearerToken(%q) = %q, %v; want %v", in, got, err, want)
		}
	}
}

func TestCookieToken(t *testing.T) {
	check := func(cookie, want string, n int) {
		t.Helper()
		if got, k := CookieToken([]byte(cookie), "session"); string(got) != want || k != n {
			t.Errorf("CookieToken(%q) = %q, %d; want %q, %d", cookie, got, k, want, n)
		}
	}
	check("", "", 0)
	check("session=abc", "abc", 1)
	check("a=b; session=abc; c=d", "abc", 1)
	check("a=b;session=abc", "abc", 1)
	check(" session = abc ;", "abc", 1)
	check("session=a=b==", "a=b==", 1)
	check(`session="abc"`, "abc", 1)
	check(`session="abc`, `"abc`, 1)
	check(`session="`, `"`, 1)
	check(`session=""`, "", 1)
	check("session=", "", 1)
	check("session=abc; session=def", "abc", 2)
	check("session=abc; Session=def; SESSION=g", "abc", 1)
	check("session", "", 0)
	check("=session", "", 0)
	check("xsession=a; sessionx=b; __Host-session=c; session.x=d", "", 0)
	check(`a="x; session=abc; y"`, "abc", 1) // a quote does not span: one reading, whatever others do
	check("a=session=abc", "", 0)
	check(";;session=abc;;", "abc", 1)
	check("a=b, session=abc", "", 0)
}

func TestListsAndHopByHop(t *testing.T) {
	for list, want := range map[string]bool{"a": true, "x,A": true, " a ,b": true, ",,a": true, "": false, "ab": false, "x a": false, "a;q=1": false} {
		if got := Lists([]byte(list), []byte("a")); got != want {
			t.Errorf("Lists(%q, a) = %v, want %v", list, got, want)
		}
	}
	for name, want := range map[string]bool{
		"Connection": true, "keep-alive": true, "TRAILER": true, "te": true, "Upgrade": true, "Transfer-Encoding": true, "transfer_encoding": true,
		"Proxy-Authenticate": true, "Content-Length": false, "Set-Cookie": false, "Server": false, strings.Repeat("a", 65): false,
	} {
		if got := IsHopByHop([]byte(name)); got != want {
			t.Errorf("IsHopByHop(%q) = %v, want %v", name, got, want)
		}
	}
}
