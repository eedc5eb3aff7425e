//go:build !race

package header

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAllocatesNothing(t *testing.T) {
	block := []byte("Host: api.example.com\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\nX-User: mallory\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n" +
		"Cookie: a=b; session=t; c=d\r\nX-Forwarded-For: 1.2.3.4\r\nAuthorization: Bearer " + strings.Repeat("a", 700) + "\r\n\r\n")
	f := new(Fields)
	out := make([]byte, 0, 4<<10)
	if err := testRules.Scan(f, block); err != nil {
		t.Fatal(err)
	}
	check := func(what string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations, want 0", what, n)
		}
	}
	check("Scan", func() { _ = testRules.Scan(f, block) })
	opt := ForwardOptions{StripAuthorization: true, StripCookie: "session", StripHeader: "X-Token"}
	check("AppendForward", func() { f.AppendForward(out, opt) })
	fw := Forwarding{Peer: netip.MustParseAddr("2001:db8::1"), Trusted: true, Scheme: []byte("https"), Host: []byte("api.example.com")}
	check("AppendForwarding", func() { f.AppendForwarding(out, fw) })
	cookie, auth := f.First(KindCookie).Value, f.First(KindAuthorization).Value
	check("CookieToken", func() { CookieToken(cookie, "session") })
	check("BearerToken", func() { _, _ = BearerToken(auth) })
	for _, json := range []string{`"alice \u00fc"`, `12`, `["a","b,c"]`, `{"a":["b",{"c":"ü"}]}`, `true`} {
		v, ok := claimValue(t, json)
		if !ok {
			t.Fatalf("claim %s is not one", json)
		}
		check("AppendClaim("+json+")", func() { AppendClaim(out, v) })
	}
}
