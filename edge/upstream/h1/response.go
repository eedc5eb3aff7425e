package h1

import (
	"bytes"
	"io"
	"time"
)

// responseHead is what framing depends on.
type responseHead struct {
	keepAlive bool
	length    int64 // Content-Length, -1 when there is none
	chunked   bool
	codings   int
	minor     byte
}

// bodyState is how far the response body has been read.
type bodyState struct {
	kind bodyKind
	left int64 // octets of the body, or of the present chunk
	done bool
	// fault is why the body ended before its end. It stays: what follows a fault has no meaning.
	fault error
	// chunk says what comes next in a chunked body.
	chunk chunkState
}

type bodyKind uint8

const (
	bodyNone   bodyKind = iota
	bodyLength          // exactly left octets
	bodyChunked
	bodyClose // until the connection ends
)

type chunkState uint8

const (
	chunkLine chunkState = iota // a size line
	chunkData                   // left octets
	chunkEnd                    // the CRLF behind them
	chunkTrailer
)

// headEnd returns the length of the head with its empty line, 0 when b does not hold it. from octets were searched before.
func headEnd(b []byte, from int) int {
	from = max(from-3, 0)
	if i := bytes.Index(b[from:], headMark); i >= 0 {
		return from + i + len(headMark)
	}
	return 0
}

var headMark = []byte("\r\n\r\n")

// parseHead reads a response head (RFC 9112, 4 and 5). A line that ends otherwise than in CRLF, a folded line, a name that
// is no token or a control character in a value make the response invalid: what is unclear here is not passed on.
func (ex *Exchange) parseHead(head []byte) error {
	ex.Fields = ex.Fields[:0]
	ex.resp = responseHead{length: -1}
	line, rest, ok := cutLine(head)
	if !ok || !ex.statusLine(line) {
		return ErrResponse
	}
	ex.resp.keepAlive = ex.resp.minor == 1
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return ErrResponse
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := cutField(line)
		if !ok || !ex.framing(name, value) {
			return ErrResponse
		}
		ex.Fields = append(ex.Fields, Field{Name: name, Value: value})
	}
	if ex.resp.chunked && (ex.resp.length >= 0 || ex.resp.minor == 0) {
		return ErrResponse // two lengths, or a coding that HTTP/1.0 does not have
	}
	return nil
}

func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// statusLine reads HTTP/1.x SP 3DIGIT SP reason.
func (ex *Exchange) statusLine(line []byte) bool {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || (line[7] != '0' && line[7] != '1') || line[8] != ' ' {
		return false
	}
	ex.resp.minor = line[7] - '0'
	ex.Status = 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		ex.Status = ex.Status*10 + int(c-'0')
	}
	if len(line) > 12 && line[12] != ' ' {
		return false
	}
	return ex.Status >= 100 && ex.Status <= 599
}

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
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	return name, value, isFieldValue(value)
}

func isFieldValue(value []byte) bool {
	for _, c := range value {
		if (c < 0x20 && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// framing notes the fields that decide on length and reuse.
func (ex *Exchange) framing(name, value []byte) bool {
	switch len(name) {
	case len("connection"):
		if equalFold(name, "connection") {
			ex.resp.keepAlive = ex.resp.keepAlive && !listsClose(value)
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			n, ok := parseLength(value)
			if !ok || (ex.resp.length >= 0 && ex.resp.length != n) {
				return false
			}
			ex.resp.length = n
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			ex.resp.codings++
			if ex.resp.codings > 1 || !equalFold(value, "chunked") {
				return false
			}
			ex.resp.chunked = true
		}
	}
	return true
}

func listsClose(value []byte) bool {
	for len(value) > 0 {
		i := bytes.IndexByte(value, ',')
		if i < 0 {
			i = len(value)
		}
		if equalFold(bytes.Trim(value[:i], " \t"), "close") {
			return true
		}
		value = value[min(i+1, len(value)):]
	}
	return false
}

// parseLength takes a decimal number without sign or leading zeros.
func parseLength(value []byte) (int64, bool) {
	if len(value) == 0 || len(value) > 18 || (value[0] == '0' && len(value) > 1) {
		return 0, false
	}
	var n int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// startBody decides on the length of the body (RFC 9112, 6.3).
func (ex *Exchange) startBody() error {
	b := &ex.body
	*b = bodyState{}
	switch {
	case ex.HEAD || ex.Status == 204 || ex.Status == 304:
		b.done = true
	case ex.resp.chunked:
		b.kind = bodyChunked
	case ex.resp.length >= 0:
		b.kind, b.left = bodyLength, ex.resp.length
		b.done = b.left == 0
	default:
		b.kind = bodyClose
		ex.resp.keepAlive = false
	}
	return nil
}

// BodyLength returns the length that the response declares, -1 when it is unknown. For HEAD it is the length that GET's
// body would have.
func (ex *Exchange) BodyLength() int64 {
	if ex.body.kind == bodyChunked || ex.body.kind == bodyClose {
		return -1
	}
	if ex.Status == 204 {
		return 0
	}
	return ex.resp.length
}

// Buffered returns the whole body when it has arrived with the head, a view valid until Close. Otherwise nothing is consumed.
func (ex *Exchange) Buffered() ([]byte, bool) {
	b, cn := &ex.body, ex.cn
	if b.done {
		return nil, true
	}
	if b.kind != bodyLength || int64(cn.w-cn.r) < b.left {
		return nil, false
	}
	body := cn.buf[cn.r : cn.r+int(b.left)]
	cn.r += int(b.left)
	b.left, b.done = 0, true
	return body, true
}

// Read reads the response body, without its framing. A body that ends too early or is framed wrongly is ErrResponse, from
// then on every time; one given up because the client's own body failed, ErrRequestBody or ErrBodyTooLarge.
func (ex *Exchange) Read(p []byte) (int, error) {
	switch {
	case ex.body.done || ex.cn == nil:
		return 0, io.EOF
	case ex.body.fault != nil:
		return 0, ex.body.fault
	case len(p) == 0:
		return 0, nil
	}
	n, err := ex.readBody(p)
	if err != nil && err != io.EOF {
		ex.body.fault = err
	}
	return n, err
}

func (ex *Exchange) readBody(p []byte) (int, error) {
	if ex.body.kind == bodyChunked {
		return ex.readChunked(p)
	}
	if ex.body.kind == bodyLength {
		p = p[:min(int64(len(p)), ex.body.left)]
	}
	n, err := ex.readRaw(p)
	if ex.body.kind == bodyLength {
		if ex.body.left -= int64(n); ex.body.left == 0 {
			ex.body.done = true
			return n, nil
		}
	} else if err == io.EOF {
		ex.body.done = true
		return n, io.EOF
	}
	if n > 0 {
		return n, nil
	}
	return 0, ex.bodyFault(err)
}

// bodyFault sorts an error of reading the body. Where the client's body failed, the connection was closed for that.
func (ex *Exchange) bodyFault(err error) error {
	if ex.upload != nil {
		if fault := ex.upload.clientFault(); fault != nil {
			return fault
		}
	}
	if isTimeout(err) {
		return ErrTimeout
	}
	return ErrResponse
}

// readRaw reads what is buffered, else from the connection, which may be silent for IdleTimeout.
func (ex *Exchange) readRaw(p []byte) (int, error) {
	cn := ex.cn
	if cn.r < cn.w {
		n := copy(p, cn.buf[cn.r:cn.w])
		cn.r += n
		return n, nil
	}
	if err := ex.bodyDeadline(); err != nil {
		return 0, err
	}
	return cn.nc.Read(p)
}

func (ex *Exchange) bodyDeadline() error {
	return ex.cn.setReadDeadline(time.Now(), ex.client.opt.IdleTimeout)
}

// maxTrailer bounds chunk size lines and the trailer section, in octets.
const maxTrailer = 4 << 10

func (ex *Exchange) readChunked(p []byte) (int, error) {
	b := &ex.body
	for {
		switch b.chunk {
		case chunkLine:
			line, err := ex.line()
			if err != nil {
				return 0, err
			}
			size, ok := parseChunkSize(line)
			if !ok {
				return 0, ErrResponse
			}
			b.left, b.chunk = size, chunkData
			if size == 0 {
				b.chunk = chunkTrailer
			}
		case chunkData:
			n, err := ex.readRaw(p[:min(int64(len(p)), b.left)])
			if b.left -= int64(n); b.left == 0 {
				b.chunk = chunkEnd
			}
			if n > 0 {
				return n, nil
			}
			return 0, ex.bodyFault(err)
		case chunkEnd:
			line, err := ex.line()
			if err != nil {
				return 0, err
			}
			if len(line) != 0 {
				return 0, ErrResponse
			}
			b.chunk = chunkLine
		case chunkTrailer:
			return 0, ex.trailer()
		}
	}
}

// trailer reads the trailer section and drops it.
func (ex *Exchange) trailer() error {
	for total := 0; total < maxTrailer; {
		line, err := ex.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			ex.body.done = true
			return io.EOF
		}
		if _, _, ok := cutField(line); !ok {
			return ErrResponse
		}
		total += len(line)
	}
	return ErrResponse
}

// line returns the next line of the body's framing, without its CRLF.
func (ex *Exchange) line() ([]byte, error) {
	cn := ex.cn
	for {
		if i := bytes.IndexByte(cn.buf[cn.r:cn.w], '\n'); i >= 0 {
			line := cn.buf[cn.r : cn.r+i]
			cn.r += i + 1
			if i == 0 || line[i-1] != '\r' {
				return nil, ErrResponse
			}
			return line[:i-1], nil
		}
		if cn.w-cn.r > maxTrailer {
			return nil, ErrResponse
		}
		if err := ex.bodyDeadline(); err != nil {
			return nil, ex.bodyFault(err)
		}
		if err := cn.fill(2 * maxTrailer); err != nil {
			return nil, ex.bodyFault(err)
		}
	}
}

// parseChunkSize reads the hexadecimal size. An extension behind ";" is ignored (RFC 9112, 7.1.1), but not a control character
// in it: others take a CR for the end of the line. White space before the ";" is refused, as net/http does.
func parseChunkSize(line []byte) (int64, bool) {
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		if !isFieldValue(line[i:]) {
			return 0, false
		}
		line = line[:i]
	}
	if len(line) == 0 || len(line) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range line {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}

var tokenOctet = func() (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

// equalFold compares ASCII without regard to case; want is in lower case.
func equalFold(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
