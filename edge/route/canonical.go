// Package route finds the route of a request: one canonical form of authority and path, and one table over them.
package route

import (
	"bytes"
	"errors"
	"net/netip"
)

// Errors of this package; they hold no byte of the request.
var (
	ErrTarget    = errors.New("route: request target is malformed or ambiguous")
	ErrAuthority = errors.New("route: authority is malformed")
)

// Canonical appends the canonical path of a request target to dst and returns it with the query, a view into target, without
// its question mark. The same form is matched, written down and forwarded, so that no two readers can disagree.
//
// Refused are: anything that is not origin-form or http(s) absolute-form; octets outside visible ASCII; "#" and "\"; broken
// percent-escapes; the escapes of NUL, controls, "/", "\", "%", ";", "#" and "?"
// (a second decoding must change nothing); dot segments with parameters ("..;"); and a path that climbs
// above its root. Escapes of unreserved characters are decoded, the others are written in upper case (RFC 3986, 6.2.2), "//"
// is merged and dot segments are resolved.
func Canonical(dst, target []byte) (path, query []byte, err error) {
	raw, query, ok := splitTarget(target)
	if !ok {
		return dst, nil, ErrTarget
	}
	start := len(dst)
	dst = append(dst, '/')
	segment := len(dst) // where the present segment begins in dst
	for i := 1; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '/':
			if dst, segment, ok = endSegment(dst, start, segment, true); !ok {
				return dst[:start], nil, ErrTarget
			}
		case c == '%':
			if dst, ok = appendEscape(dst, raw[i:]); !ok {
				return dst[:start], nil, ErrTarget
			}
			i += 2
		case !pathOctet[c]:
			return dst[:start], nil, ErrTarget
		default:
			dst = append(dst, c)
		}
	}
	if dst, _, ok = endSegment(dst, start, segment, false); !ok {
		return dst[:start], nil, ErrTarget
	}
	return dst[start:], query, nil
}

// splitTarget returns path and query of an origin-form or absolute-form target (RFC 9112, 3.2). The authority of the latter
// has been compared with Host by the framing layer.
func splitTarget(target []byte) (path, query []byte, ok bool) {
	path = target
	if len(path) > 0 && path[0] != '/' {
		rest, found := cutScheme(path)
		if !found {
			return nil, nil, false
		}
		slash := 0
		for slash < len(rest) && rest[slash] != '/' && rest[slash] != '?' {
			if c := rest[slash]; !unreserved(c) && c != ':' && c != '[' && c != ']' {
				return nil, nil, false // others may see the path begin here: "#", "\\"
			}
			slash++
		}
		path = rest[slash:]
		if len(path) == 0 || path[0] == '?' {
			// RFC 9112, 3.2.2: an empty path of an absolute-form target is "/".
			return splitQuery(rootPath, path)
		}
	}
	if len(path) == 0 {
		return nil, nil, false
	}
	for i, c := range path {
		if c == '?' {
			return splitQuery(path[:i], path[i:])
		}
	}
	return path, nil, true
}

var rootPath = []byte("/")

// splitQuery checks q, which is empty or begins with "?".
func splitQuery(path, q []byte) ([]byte, []byte, bool) {
	if len(q) == 0 {
		return path, nil, true
	}
	q = q[1:]
	for _, c := range q {
		if c <= 0x20 || c >= 0x7f || c == '#' || c == '\\' {
			return nil, nil, false
		}
	}
	return path, q, true
}

func cutScheme(b []byte) ([]byte, bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(b) >= len(scheme) && equalFold(b[:len(scheme)], scheme) {
			return b[len(scheme):], true
		}
	}
	return nil, false
}

func equalFold(b []byte, lower string) bool {
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// pathOctet holds what may stand in a path as it is: pchar of RFC 3986, 3.3. ";" is among them; see endSegment.
var pathOctet = func() (t [256]bool) {
	for c := range t {
		t[c] = unreserved(byte(c))
	}
	for _, c := range []byte("!$&'()*+,;=:@") {
		t[c] = true
	}
	return t
}()

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// appendEscape appends the escape at the head of b in canonical form.
func appendEscape(dst, b []byte) ([]byte, bool) {
	if len(b) < 3 {
		return dst, false
	}
	hi, lo := unhex(b[1]), unhex(b[2])
	if hi > 15 || lo > 15 {
		return dst, false
	}
	c := hi<<4 | lo
	switch {
	case unreserved(c):
		return append(dst, c), true
	case c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == '%' || c == ';' || c == '#' || c == '?':
		// Decoded once more somewhere behind us, these would change what the path means.
		return dst, false
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[hi], digits[lo]), true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// endSegment resolves the segment dst[segment:] of the path dst[start:]: empty and "." vanish, ".." takes the segment before
// it away. slash says that a "/" follows.
func endSegment(dst []byte, start, segment int, slash bool) ([]byte, int, bool) {
	s := dst[segment:]
	switch {
	case len(s) == 0 || string(s) == ".":
		return dst[:segment], segment, true
	case string(s) == "..":
		if segment == start+1 {
			return dst, 0, false // above the root
		}
		up := segment - 1 // the slash before this segment
		for dst[up-1] != '/' {
			up--
		}
		return dst[:up], up, true
	case s[0] == '.' && dotParameter(s):
		return dst, 0, false
	}
	if slash {
		dst = append(dst, '/')
	}
	return dst, len(dst), true
}

// dotParameter reports whether s is "." or ".." with a path parameter, which some servers cut off (";").
func dotParameter(s []byte) bool {
	for len(s) > 0 && s[0] == '.' {
		s = s[1:]
	}
	return len(s) > 0 && s[0] == ';'
}

// CanonicalAuthority appends the host of authority (uri-host [":" port], RFC 9110, 7.2) to dst, in lower case, without port
// and without one dot at its end; an IPv6 address, in brackets, as RFC 5952 writes it. A port must be a number up to 65535. An
// empty authority, which only HTTP/1.0 can have, is an empty host.
func CanonicalAuthority(dst, authority []byte) ([]byte, error) {
	if len(authority) > 0 && authority[0] == '[' {
		return canonicalIPv6(dst, authority)
	}
	host, port := authority, []byte(nil)
	if i := bytes.IndexByte(host, ':'); i >= 0 {
		host, port = authority[:i], authority[i:]
	}
	if !validName(host) || (len(host) == 0 && len(authority) > 0) || !validPort(port) {
		return dst, ErrAuthority
	}
	if n := len(host); n > 1 && host[n-1] == '.' {
		host = host[:n-1]
	}
	for _, c := range host {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// canonicalIPv6 is CanonicalAuthority for what begins with "[". An address has many spellings: each would be a host that the
// routes of the address do not hold, and would be served by those of any host.
func canonicalIPv6(dst, authority []byte) ([]byte, error) {
	end := bytes.IndexByte(authority, ']')
	if end < 0 || end > len("[1111:2222:3333:4444:5555:6666:255.255.255.255") || !validPort(authority[end+1:]) {
		return dst, ErrAuthority
	}
	addr, err := netip.ParseAddr(string(authority[1:end]))
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return dst, ErrAuthority
	}
	dst = append(dst, '[')
	dst = addr.AppendTo(dst)
	return append(dst, ']'), nil
}

// validName takes letters, digits, "-", "." and "_"; escapes and the rest of reg-name have no use in a Host field.
func validName(b []byte) bool {
	if len(b) > 255 {
		return false
	}
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && b[i-1] != '.':
		default:
			return false
		}
	}
	return true
}

// validPort takes nothing, or ":" and a number up to 65535.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > 6 {
		return false
	}
	if len(b) == 1 {
		return true // RFC 3986, 3.2.3: the port may be empty
	}
	n := 0
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}
