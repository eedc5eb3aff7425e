package header

import (
	"bufio"
	"bytes"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"sallyport/verify/claims"
)

// FuzzScan: whatever Scan accepts, the outgoing head that is made of it is read by net/http as exactly one request, with our own
// identity and forwarding fields alone and every end-to-end field in its place.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		"A: b\r\n", "X-User: mallory\r\nA: b\r\n\r\n", "Cookie: s=t; u=v\r\nCookie: s=x\r\n", "Connection: close, a\r\nA: 1\r\nB: 2\r\n", "X_User: a\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "A: b\r\n c\r\n", "Trailer: X-User\r\nTE: trailers\r\n", "x-forwarded-for: 1.2.3.4\r\nForwarded: for=a\r\n",
		"X-Token: a\r\nx-token: b\r\n", "A:\xff\t \r\na: \r\n", "Connection: A\r\nconnection: B,\r\nA: 1\r\n", "Pragma: no-cache\r\n", "Expect: 100-continue\r\nUpgrade: h2c\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, block []byte, strip bool) {
		fields := new(Fields)
		if testRules.Scan(fields, block) != nil {
			return
		}
		var opt ForwardOptions
		if strip {
			opt = ForwardOptions{StripAuthorization: true, StripHeader: "X-Token", StripCookie: "s"}
		}
		out := []byte("GET / HTTP/1.1\r\nHost: upstream\r\n")
		out = fields.AppendForward(out, opt)
		out = fields.AppendForwarding(out, Forwarding{Peer: netip.MustParseAddr("192.0.2.1"), Scheme: []byte("https"), Host: []byte("a")})
		out = AppendField(out, "X-User", []byte("alice"))
		out = append(out, "\r\n"...)
		br := bufio.NewReaderSize(bytes.NewReader(out), len(out)+16)
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("Scan(%q) makes %q, net/http says %v", block, out, err)
		}
		if br.Buffered() != 0 || req.ContentLength != 0 || req.TransferEncoding != nil || req.Trailer != nil || req.Close || req.Host != "upstream" {
			t.Fatalf("Scan(%q) makes %q: %d octets are left, length %d, codings %q, trailer %q, close %v, host %q", block, out,
				br.Buffered(), req.ContentLength, req.TransferEncoding, req.Trailer, req.Close, req.Host)
		}
		own := map[string]string{
			"x-user": "alice", "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https", "x-forwarded-host": "a",
			"forwarded": `for=192.0.2.1;host="a";proto=https`,
		}
		for name, values := range req.Header {
			key := string(normalise(nil, []byte(name)))
			if want, ours := own[key]; ours {
				if len(values) != 1 || values[0] != want || strings.Contains(name, "_") {
					t.Fatalf("Scan(%q) makes %q: %s is %q, want %q alone", block, out, name, values, want)
				}
				continue
			}
			kind := testRules.kinds[key]
			passes := kind == KindPlain || kind == KindOrigin || kind == KindACRM || kind == KindAuthorization && !strip || kind == KindCookie
			if !passes || strings.Contains(name, "_") || (strip && key == "x-token") {
				t.Fatalf("Scan(%q) makes %q: %s passed", block, out, name)
			}
		}
		checkOrder(t, fields, out, strip)
	})
}

// checkOrder compares the outgoing field lines with those that should pass, found here by the rule's words alone.
func checkOrder(t *testing.T, fields *Fields, out []byte, strip bool) {
	t.Helper()
	var listed []string
	for _, f := range fields.All() {
		if strings.EqualFold(string(f.Name), "connection") {
			for option := range strings.SplitSeq(strings.ToLower(string(f.Value)), ",") {
				listed = append(listed, strings.Trim(option, " \t"))
			}
		}
	}
	var want []string
	for _, f := range fields.All() {
		name := strings.ToLower(string(f.Name))
		gone := f.Kind != KindPlain && f.Kind != KindOrigin && f.Kind != KindACRM && f.Kind != KindAuthorization && f.Kind != KindCookie
		for _, l := range listed {
			gone = gone || l == name
		}
		if gone || strip && (f.Kind == KindAuthorization || name == "x-token") {
			continue
		}
		line := string(f.Name) + ": " + string(f.Value)
		if strip && f.Kind == KindCookie {
			rest := otherCookies(string(f.Value), "s")
			if rest == "" {
				continue
			}
			line = string(f.Name) + ": " + rest
		}
		want = append(want, line)
	}
	got := strings.Split(string(out), "\r\n")[2:]
	if len(got) < len(want) || strings.Join(got[:len(want)], "\n") != strings.Join(want, "\n") || !strings.HasPrefix(got[len(want)], "X-Forwarded-For: ") {
		t.Fatalf("%v makes %q, want the fields %q", fields.All(), got, want)
	}
}

// otherCookies is the Cookie value without the pairs called name.
func otherCookies(value, name string) string {
	var rest []string
	for pair := range strings.SplitSeq(value, ";") {
		pair = strings.Trim(pair, " \t")
		key, _, isPair := strings.Cut(pair, "=")
		if pair != "" && !(isPair && strings.Trim(key, " \t") == name) {
			rest = append(rest, pair)
		}
	}
	return strings.Join(rest, "; ")
}

// FuzzCookie: what AppendForward takes out is what CookieToken reads, no more and no less.
func FuzzCookie(f *testing.F) {
	for _, s := range []string{"s=t", "a=b; s=t; c=d", `s="t"; s = u;;s`, "ss=a; s.=b;S=c", `a="b; s=t"`, "=s; s==t", "s;s=;s=\"", " ; =;\t", "\r\n0:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		fields := new(Fields)
		if testRules.Scan(fields, append(append([]byte("Cookie: "), value...), "\r\n"...)) != nil || len(fields.All()) != 1 {
			return // not one value: a CRLF in it begins another field
		}
		in := fields.First(KindCookie).Value
		token, n := CookieToken(in, "s")
		out := fields.AppendForward(nil, ForwardOptions{StripCookie: "s"})
		left, _ := strings.CutPrefix(strings.TrimSuffix(string(out), "\r\n"), "Cookie: ")
		if want := otherCookies(string(in), "s"); left != want {
			t.Fatalf("Cookie %q goes on as %q, want %q", in, left, want)
		}
		if again, k := CookieToken([]byte(left), "s"); k != 0 {
			t.Fatalf("Cookie %q goes on as %q, where %q is still read", in, left, again)
		}
		pairs := strings.Count(otherCookies(string(in), "another name"), ";") - strings.Count(left, ";")
		if left == "" && otherCookies(string(in), "another name") != "" {
			pairs++
		}
		if pairs != n {
			t.Fatalf("Cookie %q: CookieToken finds %d (%q), AppendForward took out %d", in, n, token, pairs)
		}
	})
}

// FuzzAppendClaim: whatever a claim holds, its field value is visible ASCII and inner spaces, and a string can be had back.
func FuzzAppendClaim(f *testing.F) {
	for _, s := range []string{
		`"a"`, `" a\r\nb "`, `["a","b,c",1]`, `[[" "]]`, `{"a":"\u0000ü"}`, `null`, `""`, `1e400`, `-0`, `[" ",null]`, `"\ud83d\ude00%"`, `[true,false,[]]`, `{"a":{"b":" "}}`, `[""]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, json []byte) {
		v, ok := claimValue(t, string(json))
		if !ok {
			return
		}
		got, ok := AppendClaim([]byte("before"), v)
		if !bytes.HasPrefix(got, []byte("before")) {
			t.Fatalf("AppendClaim(%s) overwrote what was there: %q", json, got)
		}
		got = got[len("before"):]
		if ok != (len(got) > 0) {
			t.Fatalf("AppendClaim(%s) = %q, %v", json, got, ok)
		}
		for i, c := range got {
			if c < 0x20 || c > 0x7e || c == ' ' && (i == 0 || i == len(got)-1) {
				t.Fatalf("AppendClaim(%s) = %q with %q at %d", json, got, c, i)
			}
		}
		if v.Kind() == claims.KindString {
			if back, err := url.PathUnescape(string(got)); err != nil || back != string(v.Bytes()) {
				t.Fatalf("AppendClaim(%s) = %q, which decodes to %q, %v", json, got, back, err)
			}
		}
	})
}
