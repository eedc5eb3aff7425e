package route

import (
	"errors"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	check := func(target, path, query string) {
		t.Helper()
		gotPath, gotQuery, err := Canonical(nil, []byte(target))
		if err != nil || string(gotPath) != path || string(gotQuery) != query {
			t.Errorf("Canonical(%q) = %q, %q, %v; want %q, %q", target, gotPath, gotQuery, err, path, query)
		}
	}
	check("/", "/", "")
	check("/a/b", "/a/b", "")
	check("/a/b/", "/a/b/", "")
	check("/a?b=c&d", "/a", "b=c&d")
	check("/a?", "/a", "")
	check("/?a/../b//c?d%2f", "/", "a/../b//c?d%2f") // a query is not a path
	check("/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@", "")

	// Absolute-form (RFC 9112, 3.2.2).
	check("http://example.com", "/", "")
	check("http://example.com?q", "/", "q")
	check("HTTPS://example.com/a/../b?q", "/b", "q")
	check("http://example.com//a", "/a", "")
	check("//example.com/a", "/example.com/a", "") // origin-form: no authority

	// RFC 3986, 6.2.2.2: unreserved octets need no escape; 6.2.2.1: hexadecimal digits are upper case.
	check("/%41%7a%30%2d%2e%5f%7E", "/Az0-._~", "")
	check("/%c3%bc", "/%C3%BC", "")
	check("/a%20b%22%3c%3E%5b%5D%5e%60%7B%7c%7d", "/a%20b%22%3C%3E%5B%5D%5E%60%7B%7C%7D", "")
	check("/%21%24%26%27%28%29%2a%2b%2c%3a%3d%40", "/%21%24%26%27%28%29%2A%2B%2C%3A%3D%40", "")
	check("/%ff%FF%80", "/%FF%FF%80", "")

	// Dot segments and empty ones, escaped or not.
	check("//", "/", "")
	check("///a///b//", "/a/b/", "")
	check("/.", "/", "")
	check("/./a/./b/.", "/a/b/", "")
	check("/a/..", "/", "")
	check("/a/../", "/", "")
	check("/a/b/../../c", "/c", "")
	check("/a/b/..", "/a/", "")
	check("/a//../b", "/b", "") // merged first: the empty segment is none that ".." could take
	check("/a/%2e%2E/b", "/b", "")
	check("/a/.%2e/%2e/b", "/b", "")
	check("/...", "/...", "")
	check("/.a/..b/a.", "/.a/..b/a.", "")
	check("/a;x/b;", "/a;x/b;", "")
	check("/.a;x", "/.a;x", "")
}

func TestCanonicalRefuses(t *testing.T) {
	for _, target := range []string{
		"", "a", "a/b", "*", "?", "?a", "example.com:443", "ftp://example.com/", "http:/a", "http:a", "https//a",
		"/..", "/../", "/../a", "/a/../..", "/a/../../b", "/%2e%2e", "/a/..//..", "http://example.com/..", "http://a#/b", "http://a\\b/c", "http://u@a/b", "http://a b/c",
		"/..;", "/..;/a", "/.;", "/.;x/a", "/a/..;x=y/b", "/%2e%2e;/a", "/...;",
		"/a#", "/a#b", "/a?b#c", "/a\\b", "/a?b\\c", "/a b", "/a?b c", "/a\tb", "/a\x00", "/a\x7f", "/a?\x7f", "/ü", "/a?ü", "/a\r\n",
		`/a"b`, "/a<b", "/a>b", "/a[b", "/a]b", "/a^b", "/a`b", "/a{b", "/a|b", "/a}b",
		"/%", "/%a", "/%zz", "/%4", "/%4g", "/%%41", "/a%", "/%-1", "/% 1",
		// What a second decoding would turn into something else.
		"/%00", "/%0a", "/%0D", "/%1f", "/%7f", "/%2f", "/%2Fa", "/%5c", "/%5C", "/%25", "/%252e", "/%3b", "/%23", "/%3f",
	} {
		dst := []byte("before")
		path, query, err := Canonical(dst, []byte(target))
		if !errors.Is(err, ErrTarget) || string(path) != "before" || query != nil {
			t.Errorf("Canonical(%q) = %q, %q, %v; want %v", target, path, query, err, ErrTarget)
		}
	}
}

// Every octet, as it is and escaped: allowed, decoded or refused, and nothing in between.
func TestCanonicalOctets(t *testing.T) {
	const digits = "0123456789ABCDEF"
	const unreservedOctets = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	for c := range 256 {
		in := "/x" + string([]byte{byte(c)}) + "x"
		path, _, err := Canonical(nil, []byte(in))
		switch {
		case strings.IndexByte(unreservedOctets+"!$&'()*+,;=:@/", byte(c)) >= 0:
			if err != nil || string(path) != in {
				t.Errorf("Canonical(%q) = %q, %v; want it as it is", in, path, err)
			}
		case c == '?':
		default:
			if err == nil {
				t.Errorf("Canonical(%q) = %q, want an error", in, path)
			}
		}
		in = "/x%" + string(digits[c>>4]) + string(digits[c&15]) + "x"
		want := in
		if strings.IndexByte(unreservedOctets, byte(c)) >= 0 {
			want = "/x" + string(rune(c)) + "x"
		}
		path, _, err = Canonical(nil, []byte(in))
		refused := c < 0x20 || c == 0x7f || strings.IndexByte(`/\%;#?`, byte(c)) >= 0
		if refused != (err != nil) || (!refused && string(path) != want) {
			t.Errorf("Canonical(%q) = %q, %v; want %q, refused %v", in, path, err, want, refused)
		}
	}
}

// Canonical appends: what is before stays, and ".." never takes from it.
func TestCanonicalAppends(t *testing.T) {
	dst := append(make([]byte, 0, 64), "/before/"...)
	path, _, err := Canonical(dst, []byte("/a/../b"))
	if err != nil || string(path) != "/b" || string(dst) != "/before/" || &path[0] != &dst[:9][8] {
		t.Errorf("Canonical behind %q = %q, %v", dst, path, err)
	}
	if path, _, err = Canonical(dst, []byte("/..")); err == nil {
		t.Errorf("Canonical(/..) behind %q = %q, want an error", dst, path)
	}
}

func TestCanonicalAuthority(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		got, err := CanonicalAuthority([]byte("x"), []byte(in))
		if err != nil || string(got) != "x"+want {
			t.Errorf("CanonicalAuthority(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	check("", "")
	check("a", "a")
	check("Example.COM", "example.com")
	check("example.com.", "example.com")
	check("example.com:80", "example.com")
	check("example.com.:65535", "example.com")
	check("example.com:", "example.com")
	check("a_b-c.d", "a_b-c.d")
	check("127.0.0.1:8080", "127.0.0.1")
	check("[::1]", "[::1]")
	check("[::1]:8080", "[::1]")
	// One address has many spellings (RFC 5952), and each would be a host of its own.
	check("[2001:DB8::A]", "[2001:db8::a]")
	check("[2001:db8:0:0:0:0:0:a]:1", "[2001:db8::a]")
	check("[0:0::1]", "[::1]")
	check("[0001::]", "[1::]")
	check("[::ffff:102:304]", "[::ffff:1.2.3.4]")

	for _, in := range []string{
		".", ".a", "a..b", "a..", "a b", "a,b", "a/b", "u@a", "a@", "a%41", "a\x00", "a\r\n", "ü", "a*", "*", ":", ":80", ".:80",
		"a:b", "a:-1", "a:+1", "a: 1", "a:65536", "a:000080", "a:80:80", "::1", "[", "[]", "[::1", "::1]", "[::1]a", "[::1].", "[::1]:x", "[::1]:65536",
		"[:]", "[:::]", "[1]", "[1.2.3.4]", "[::1::2]", "[1:2:3:4:5:6:7:8:9]", "[::12345]", "[::g]", "[fe80::1%eth0]", "[fe80::1%25eth0]",
		"[v1.a]", "[[::1]]", strings.Repeat("a", 256),
	} {
		if got, err := CanonicalAuthority(nil, []byte(in)); !errors.Is(err, ErrAuthority) || len(got) != 0 {
			t.Errorf("CanonicalAuthority(%q) = %q, %v; want %v", in, got, err, ErrAuthority)
		}
	}
}
