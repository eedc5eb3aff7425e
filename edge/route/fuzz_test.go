package route

import (
	"bytes"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzCanonical: what is accepted is canonical already, holds nothing that a later reader could take for something else, and
// is the same resource that net/url sees.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		"/", "//", "/a/../b/./c//d", "/%41%2e%c3%bc", "/a;b/..", "/%2e%2e/a", "/a/..;/b", "/a?b=c", "http://a/b/../c?d", "HTTP://a?b", "/a%2fb",
		"/a/b/../../c/.", "*", "/a%00", "/...;a", "/.;", "/%21%3a%40", "//a/../..",
	} {
		f.Add([]byte(s))
	}
	f.Add([]byte("http://#000000/0")) // a fragment in the authority: net/url saw another path
	f.Fuzz(func(t *testing.T, target []byte) {
		got, query, err := Canonical(nil, target)
		if err != nil {
			return
		}
		again, none, err := Canonical(nil, got)
		if err != nil || !bytes.Equal(again, got) || none != nil {
			t.Fatalf("Canonical(%q) = %q, and Canonical of that %q, %v", target, got, again, err)
		}
		checkCanonical(t, target, got)
		for _, c := range query {
			if c <= 0x20 || c >= 0x7f || c == '#' || c == '\\' {
				t.Fatalf("Canonical(%q): query %q", target, query)
			}
		}
		raw := string(target)
		if raw[0] == '/' {
			raw = "http://host" + raw
		}
		u, err := url.Parse(raw)
		if err != nil {
			if strings.HasPrefix(string(target), "/") {
				t.Fatalf("Canonical(%q) = %q, net/url says %v", target, got, err)
			}
			return // an authority that the framing layer refuses
		}
		decoded, err := url.PathUnescape(string(got))
		if err != nil {
			t.Fatalf("Canonical(%q) = %q: %v", target, got, err)
		}
		if want := path.Clean("/" + u.Path); path.Clean(decoded) != want {
			t.Fatalf("Canonical(%q) = %q, net/url sees %q", target, got, want)
		}
		if string(query) != u.RawQuery {
			t.Fatalf("Canonical(%q): query %q, net/url sees %q", target, query, u.RawQuery)
		}
		end := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
		if slash := end == "" || end == "." || end == ".."; slash != bytes.HasSuffix(got, []byte("/")) {
			t.Fatalf("Canonical(%q) = %q: a slash at the end was lost or made", target, got)
		}
	})
}

func checkCanonical(t *testing.T, target, got []byte) {
	t.Helper()
	if len(got) == 0 || got[0] != '/' || bytes.Contains(got, []byte("//")) {
		t.Fatalf("Canonical(%q) = %q", target, got)
	}
	for _, s := range strings.Split(string(got[1:]), "/") {
		name, _, _ := strings.Cut(s, ";")
		if strings.Trim(name, ".") == "" && name != "" && (len(name) < 3 || name != s) {
			t.Fatalf("Canonical(%q) = %q with the segment %q", target, got, s)
		}
	}
	for i := 0; i < len(got); i++ {
		c := got[i]
		if c != '%' {
			if c != '/' && !pathOctet[c] {
				t.Fatalf("Canonical(%q) = %q with the octet %q", target, got, c)
			}
			continue
		}
		hex := string(got[i+1 : i+3])
		v := unhex(hex[0])<<4 | unhex(hex[1])
		if hex != strings.ToUpper(hex) || unreserved(v) || v < 0x20 || v == 0x7f || strings.IndexByte(`/\%;#?`, v) >= 0 {
			t.Fatalf("Canonical(%q) = %q with the escape %q", target, got, hex)
		}
		i += 2
	}
}

// FuzzCanonicalAuthority: what is accepted is canonical already, and the host that net/url sees.
func FuzzCanonicalAuthority(f *testing.F) {
	for _, s := range []string{"", "a", "A.b.", "a:80", "a:", "[::1]:8", "[2001:DB8::0]", "[::ffff:1.2.3.4]", "a..b", "[fe80::1%25a]", "u@a", "127.1", "a:99999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, authority []byte) {
		got, err := CanonicalAuthority(nil, authority)
		if err != nil {
			return
		}
		again, err := CanonicalAuthority(nil, got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("CanonicalAuthority(%q) = %q, and of that %q, %v", authority, got, again, err)
		}
		u, err := url.Parse("http://" + string(authority) + "/")
		if err != nil {
			t.Fatalf("CanonicalAuthority(%q) = %q, net/url says %v", authority, got, err)
		}
		want := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if len(authority) > 0 && authority[0] == '[' {
			a, err := netip.ParseAddr(want)
			if err != nil {
				t.Fatalf("CanonicalAuthority(%q) = %q, net/netip says %v", authority, got, err)
			}
			want = "[" + a.String() + "]"
		}
		if string(got) != want || u.User != nil {
			t.Fatalf("CanonicalAuthority(%q) = %q, net/url sees %q", authority, got, want)
		}
	})
}
