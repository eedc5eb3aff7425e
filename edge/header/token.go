package header

import (
	"bytes"
	"errors"
)

// Errors of BearerToken.
var (
	ErrOtherScheme = errors.New("header: Authorization is not of the Bearer scheme")
	ErrSyntax      = errors.New("header: Authorization is malformed")
)

// BearerToken returns what stands behind the scheme in an Authorization value (RFC 6750, 2.1; RFC 9110, 11.4): the scheme without
// regard to case, one space or more, and the token, a view into value. Whether it is a b64token IsB64Token says; one that was
// verified always is.
func BearerToken(value []byte) ([]byte, error) {
	const scheme = "bearer"
	end := 0
	for end < len(value) && tokenOctet[value[end]] {
		end++
	}
	if !sameName(value[:end], scheme) {
		if end == 0 {
			return nil, ErrSyntax
		}
		return nil, ErrOtherScheme
	}
	token := value[end:]
	if len(token) < 2 || token[0] != ' ' {
		return nil, ErrSyntax
	}
	for len(token) > 0 && token[0] == ' ' {
		token = token[1:]
	}
	if len(token) == 0 {
		return nil, ErrSyntax
	}
	return token, nil
}

// IsB64Token reports whether b is 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" (RFC 6750, 2.1).
func IsB64Token(b []byte) bool {
	n := len(b)
	for n > 0 && b[n-1] == '=' {
		n--
	}
	if n == 0 {
		return false
	}
	for _, c := range b[:n] {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') && bytes.IndexByte(b64Marks, c) < 0 {
			return false
		}
	}
	return true
}

var b64Marks = []byte("-._~+/")

// CookieToken returns the value of the first cookie called name and how many there are. Names are compared byte by byte
// (RFC 6265, 4.2.1); one pair of quotes around the value is taken off.
func CookieToken(cookie []byte, name string) (token []byte, n int) {
	for len(cookie) > 0 {
		var pair []byte
		pair, cookie = nextCookie(cookie)
		key, value := splitCookie(pair)
		if string(key) != name {
			continue
		}
		if n++; n == 1 {
			token = value
		}
	}
	return token, n
}

func nextCookie(b []byte) (pair, rest []byte) {
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		return trim(b[:i]), b[i+1:]
	}
	return trim(b), nil
}

func splitCookie(pair []byte) (key, value []byte) {
	i := bytes.IndexByte(pair, '=')
	if i < 0 {
		return nil, nil
	}
	key, value = trim(pair[:i]), trim(pair[i+1:])
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return key, value
}
