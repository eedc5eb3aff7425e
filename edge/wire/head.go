package wire

import (
	"bytes"
	"encoding/binary"
)

// A Head is a request's head that was checked: views of what was read.
type Head struct {
	Method []byte
	Target []byte  // in origin-form, absolute-form, or "*"
	Fields []Field // in their order, duplicates kept

	// What framing depends on.
	minor    byte   // of the version: 0 or 1
	absolute []byte // authority of an absolute-form target
	host     []byte
	hosts    int
	length   int64 // Content-Length, -1 before one was seen
	chunked  bool
	codings  int // Transfer-Encoding fields
	expect   bool
	close    bool // Connection has this option
}

// A Field is one field line: a name that is a token, and a value without control characters but tabs.
type Field struct{ Name, Value []byte }

func refuse(status int, text string) *Error { return &Error{Status: status, Text: text} }

// parse checks the head at the beginning of b. It returns its length with the empty line, 0 when b does not hold all of it.
func (h *Head) parse(b []byte, lim *Limits) (int, *Error) {
	*h = Head{Fields: h.Fields[:0], length: -1}
	at := 0
	for n := 0; bytes.HasPrefix(b[at:], crlf); n++ {
		// RFC 9112, 2.2: a server SHOULD ignore at least one empty line before the request line.
		if n == lim.LineBreaksBefore {
			return 0, refuse(400, "too many empty lines before the request line")
		}
		at += 2
	}
	end := bytes.IndexByte(b[at:], '\n')
	line := end
	if end < 0 {
		line = len(b) - at
	}
	if line > lim.URI+32 { // whether its end has come or not
		return 0, refuse(414, "request target is too long")
	}
	if end < 0 {
		return 0, tooLong(b, lim)
	}
	if v := h.requestLine(b[at:at+end], lim); v != nil {
		return 0, v
	}
	at += end + 1
	for fields := 0; ; fields++ {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			return 0, tooLong(b, lim)
		}
		if at+end > lim.Head {
			return 0, refuse(431, "head is too long")
		}
		if end == 0 || b[at+end-1] != '\r' {
			return 0, refuse(400, "field line does not end in CRLF")
		}
		line := b[at : at+end-1]
		at += end + 1
		if len(line) == 0 {
			return at, h.finish()
		}
		if fields == lim.Fields {
			return 0, refuse(431, "too many fields")
		}
		if v := h.field(line); v != nil {
			return 0, v
		}
	}
}

var crlf = []byte("\r\n")

func tooLong(b []byte, lim *Limits) *Error {
	if len(b) > lim.Head {
		return refuse(431, "head is too long")
	}
	return nil
}

// requestLine checks METHOD SP target SP HTTP/1.x CR (RFC 9112, 3).
func (h *Head) requestLine(line []byte, lim *Limits) *Error {
	if len(line) == 0 || line[len(line)-1] != '\r' {
		return refuse(400, "request line does not end in CRLF")
	}
	line = line[:len(line)-1]
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 {
		return refuse(400, "request line is malformed")
	}
	method, rest := line[:sp], line[sp+1:]
	sp = bytes.IndexByte(rest, ' ')
	if sp <= 0 {
		return refuse(400, "request line is malformed")
	}
	target, version := rest[:sp], rest[sp+1:]
	if v := checkVersion(version); v != nil {
		return v
	}
	h.minor = version[len(version)-1] - '0'
	if v := checkMethod(method); v != nil {
		return v
	}
	h.Method, h.Target = method, target
	if len(target) > lim.URI {
		return refuse(414, "request target is too long")
	}
	return h.target(target)
}

func checkVersion(v []byte) *Error {
	if string(v) == "HTTP/1.1" || string(v) == "HTTP/1.0" {
		return nil
	}
	if len(v) == 8 && string(v[:5]) == "HTTP/" && isDigit(v[5]) && v[6] == '.' && isDigit(v[7]) {
		return refuse(505, "HTTP version is not supported")
	}
	return refuse(400, "request line is malformed")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// checkMethod lets the methods pass that a proxy may forward. CONNECT and TRACE are not among them.
func checkMethod(m []byte) *Error {
	switch string(m) {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY":
		return nil
	}
	upper := true
	for _, c := range m {
		if !tokenOctet[c] {
			return refuse(400, "method is not a token")
		}
		upper = upper && !('a' <= c && c <= 'z')
	}
	if !upper {
		return refuse(400, "method is not in upper case")
	}
	return refuse(501, "method is not supported")
}

// target checks the form of the request target (RFC 9112, 3.2): origin-form, http absolute-form, or "*" for OPTIONS, which
// routing refuses later.
func (h *Head) target(t []byte) *Error {
	for _, c := range t {
		if c <= 0x20 || c >= 0x7f || c == '#' {
			return refuse(400, "request target has an octet that no target has")
		}
	}
	if t[0] == '/' || string(t) == "*" {
		return nil
	}
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(t) > len(scheme) && equalFold(t[:len(scheme)], scheme) {
			rest := t[len(scheme):]
			end := bytes.IndexAny(rest, "/?#")
			if end < 0 {
				end = len(rest)
			}
			h.absolute = rest[:end]
			if !ValidHost(h.absolute) {
				return refuse(400, "authority of the request target is malformed")
			}
			return nil
		}
	}
	return refuse(400, "request target has an unknown form")
}

// field checks one field line and notes what framing depends on.
func (h *Head) field(line []byte) *Error {
	name, value, ok := cutField(line)
	if !ok {
		return refuse(400, "field line is malformed")
	}
	h.Fields = append(h.Fields, Field{name, value})
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			h.hosts++
			h.host = value
		}
	case 6:
		if equalFold(name, "expect") {
			if h.expect || !equalFold(value, "100-continue") {
				return refuse(417, "expectation is not supported")
			}
			h.expect = true
		}
	case 10:
		if equalFold(name, "connection") {
			h.connection(value)
		}
	case 14:
		if equalFold(name, "content-length") {
			return h.contentLength(value)
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			h.codings++
			if h.codings > 1 {
				return refuse(400, "more than one Transfer-Encoding")
			}
			if !equalFold(value, "chunked") {
				// RFC 9112, 6.1: a coding that is not understood SHOULD be answered with 501. chunked that is not alone and
				// last leaves the length in doubt: 400.
				if len(value) == 0 || containsFold(value, "chunked") {
					return refuse(400, "Transfer-Encoding is ambiguous")
				}
				return refuse(501, "transfer coding is not supported")
			}
			h.chunked = true
		}
	}
	return nil
}

// connection notes whether the client closes the connection. That it keeps one of HTTP/1.0 is not for a proxy to hear (RFC 9112, 9.3).
func (h *Head) connection(value []byte) {
	for len(value) > 0 {
		option := value
		if i := bytes.IndexByte(value, ','); i >= 0 {
			option, value = value[:i], value[i+1:]
		} else {
			value = nil
		}
		option = trim(option)
		h.close = h.close || equalFold(option, "close")
	}
}

// appendTold appends a head that tells the HTTP library what it must know. The target, Host and the absence of a body are
// stand-ins; it takes 96 octets at most.
func (h *Head) appendTold(dst []byte) []byte {
	dst = append(dst, h.Method...)
	dst = append(dst, " / HTTP/1."...)
	dst = append(dst, '0'+h.minor)
	dst = append(dst, "\r\nHost: a\r\n"...)
	if h.close {
		dst = append(dst, "Connection: close\r\n"...)
	}
	if h.expect {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	if m := string(h.Method); m != "GET" && m != "HEAD" {
		dst = append(dst, "Content-Length: 0\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// contentLength takes one decimal number without sign, spaces, list or leading zeros, up to 2^62.
func (h *Head) contentLength(value []byte) *Error {
	if h.length >= 0 {
		return refuse(400, "more than one Content-Length")
	}
	if len(value) == 0 || len(value) > 18 || (value[0] == '0' && len(value) > 1) {
		return refuse(400, "Content-Length is not a plain number")
	}
	h.length = 0
	for _, c := range value {
		if !isDigit(c) {
			return refuse(400, "Content-Length is not a plain number")
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return nil
}

// finish checks what only the whole head shows.
func (h *Head) finish() *Error {
	switch {
	case h.chunked && h.length >= 0:
		// RFC 9112, 6.3: ought to be handled as an error.
		return refuse(400, "both Content-Length and Transfer-Encoding")
	case h.chunked && h.minor == 0:
		return refuse(400, "Transfer-Encoding in HTTP/1.0")
	case h.hosts > 1 || (h.hosts == 0 && h.minor == 1):
		// RFC 9112, 3.2: none or more than one Host in HTTP/1.1 MUST be answered with 400.
		return refuse(400, "there must be exactly one Host")
	case h.hosts == 1 && !ValidHost(h.host):
		return refuse(400, "Host is malformed")
	case h.absolute != nil && (h.hosts != 1 || !equalFoldBytes(h.absolute, h.host)):
		// RFC 9112, 3.2.2 lets the target win; two names for one request are refused instead.
		return refuse(400, "Host and request target disagree")
	}
	return nil
}

// cutField splits a field line (RFC 9112, 5.1): a token, a colon right behind it, and a value without control characters.
// A line that begins with white space (obs-fold) has no token.
func cutField(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, false
	}
	name, value = line[:colon], line[colon+1:]
	for _, c := range name {
		if !tokenOctet[c] {
			return nil, nil, false
		}
	}
	value = trim(value)
	return name, value, isFieldValue(value)
}

// trim cuts spaces and tabs off both ends (OWS).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// isFieldValue reports whether value holds no control character but tabs. Eight octets are looked at together; a word that may
// hold one is looked at again octet by octet.
func isFieldValue(value []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(value) >= 8 {
		w := binary.LittleEndian.Uint64(value)
		del := w ^ 0x7f*ones
		if ((w-0x20*ones)&^w|(del-ones)&^del)&tops != 0 && !plainOctets(value[:8]) {
			return false
		}
		value = value[8:]
	}
	return plainOctets(value)
}

func plainOctets(value []byte) bool {
	for _, c := range value {
		if (c < 0x20 && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// ValidHost reports whether host is uri-host [":" port] as RFC 9110, 7.2 means it, without escapes, userinfo or lists, and
// with a port of at most 65535.
func ValidHost(host []byte) bool {
	if len(host) == 0 || len(host) > 261 {
		return false
	}
	name, port := host, []byte(nil)
	if host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		if end < 3 {
			return false
		}
		for _, c := range host[1:end] {
			if unhex(c) > 15 && c != ':' && c != '.' {
				return false
			}
		}
		name, port = nil, host[end+1:]
	} else if i := bytes.IndexByte(host, ':'); i >= 0 {
		name, port = host[:i], host[i:]
		if i == 0 {
			return false
		}
	}
	for i, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c), c == '-', c == '_':
		case c == '.' && i > 0 && name[i-1] != '.':
		default:
			return false
		}
	}
	return validPort(port)
}

func validPort(port []byte) bool {
	if len(port) == 0 {
		return true
	}
	if port[0] != ':' || len(port) > 6 {
		return false
	}
	n := 0
	for _, c := range port[1:] {
		if !isDigit(c) {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// tokenOctet is tchar of RFC 9110, 5.6.2.
var tokenOctet = func() (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold compares ASCII without regard to case; want is in lower case.
func equalFold(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i, c := range b {
		if lower(c) != want[i] {
			return false
		}
	}
	return true
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func containsFold(b []byte, want string) bool {
	for i := 0; i+len(want) <= len(b); i++ {
		if equalFold(b[i:i+len(want)], want) {
			return true
		}
	}
	return false
}
