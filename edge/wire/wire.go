// Package wire lets nothing but strict HTTP/1.1 reach the HTTP library, and keeps the framing of bodies to itself.
//
// A Conn checks every head on the octets themselves (RFC 9112; SECURITY notes 1.7, 2.3 and 3.2) and keeps it. The library is told
// no more of it than it needs, and never sees the body behind it: that is read with ReadBody, decoded, strictly, and only when
// somebody wants it. So there is one reading of a head and of where a request ends, and a request can be refused before its
// body is asked for.
package wire

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
)

// Limits bounds what a client may send. All are required.
type Limits struct {
	Head             int           // octets of request line and fields together
	URI              int           // octets of the request target
	Fields           int           // field lines
	ChunkExt         int           // octets of chunk extensions in one body
	LineBreaksBefore int           // empty lines before a request line
	HeadTimeout      time.Duration // from the first octet of a head to its last; on a new connection until the first one, too
	IdleTimeout      time.Duration // between two requests; 0: no bound
}

// maxTrailer bounds a trailer section in octets.
const maxTrailer = 4 << 10

// maxChunkLine bounds a chunk's size line without its extension.
const maxChunkLine = 16

// Error is a violation. Status is the answer; Text says why in fixed words.
type Error struct {
	Status int
	Text   string
}

// Error implements error.
func (e *Error) Error() string { return "wire: " + e.Text }

// state is what the next octet belongs to.
type state uint8

const (
	inHead state = iota
	inBody       // left octets by Content-Length
	inChunkSize
	inChunkData // left octets and the CRLF behind them
	inTrailer
)

// Conn is a net.Conn that reads strictly. Read and ReadBody must not be concurrent with each other; all else is the inner
// Conn's.
type Conn struct {
	net.Conn
	lim  *Limits
	peer netip.Addr // see Peer

	head    Head // of the present request
	headLen int  // its octets
	state   state
	bodyLen int64 // of the present request: 0 none, -1 chunked
	left    int64 // of the body or chunk
	ext     int   // octets of chunk extensions so far

	buf     []byte // buf[r:w] is read and not consumed
	hold    int    // buf[:hold] is not written to: head looks into it
	r, w    int
	scanned int  // octets of buf[r:w] that are known to hold no end of line that was not looked at
	lines   bool // the head in buf[r:w] has its first line
	err     error
	marked  bool // one octet of a refused head was delivered
	// headStart is when a head that came in pieces began; zero between heads.
	headStart time.Time

	telling []byte // of told, what has not been delivered
	told    [96]byte

	served   bool        // a head was delivered: the connection is not new
	deadline time.Time   // read deadline that waitDeadline has set; zero: none
	moved    atomic.Bool // somebody else has set another one since
}

// tlsConn keeps the two methods by which the HTTP library knows TLS.
type tlsConn struct {
	*Conn
	tls *tls.Conn
}

// Handshake runs the TLS handshake, in the time that a new connection has for its first octet.
func (c tlsConn) Handshake() error {
	if err := c.waitDeadline(); err != nil {
		return err
	}
	return c.tls.Handshake()
}

// ConnectionState returns the TLS state.
func (c tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Of returns the Conn that NewConn made, nil when c is none.
func Of(c net.Conn) *Conn {
	switch w := c.(type) {
	case *Conn:
		return w
	case tlsConn:
		return w.Conn
	}
	return nil
}

// NewConn wraps c. lim is not copied and must not change.
func NewConn(c net.Conn, lim *Limits) net.Conn {
	w := &Conn{Conn: c, lim: lim}
	if t, ok := c.(*tls.Conn); ok {
		return tlsConn{w, t}
	}
	return w
}

// Peer returns the address of the other end, the zero Addr when it is not a TCP one. It is made once for all requests.
func (c *Conn) Peer() netip.Addr {
	if !c.peer.IsValid() {
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			c.peer = tcp.AddrPort().Addr().Unmap()
		}
	}
	return c.peer
}

// Head returns the head of the present request. It and all views in it are valid until the next Read.
func (c *Conn) Head() *Head { return &c.head }

// Read implements io.Reader for heads. Of one that was checked it delivers what the HTTP library must know to do its part: the
// method, the version, whether the connection is kept, and whether the client waits for 100. All else is in Head, so that nobody
// reads it a second time, and in another way. While the body of the present request has not been read to its end, Read says
// that the connection has ended. After a violation it returns an *Error, every time, and before that one octet that stands
// for the refused head: without any, the HTTP library would take the error for a client that went away, and not answer.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		switch {
		case len(c.telling) > 0:
			n := copy(p, c.telling)
			c.telling = c.telling[n:]
			return n, nil
		case c.state != inHead:
			return 0, io.EOF // a fault in a body is no head: the request behind it has had its answer
		case c.err != nil:
			return c.fail(p)
		}
		if err := c.nextHead(); err != nil {
			return 0, err
		}
	}
}

// nextHead takes the next head out of what was read, or reads on when there is none.
func (c *Conn) nextHead() error {
	c.hold = 0
	if c.r == c.w {
		c.empty()
		if c.headLen > 2*minBuffer {
			c.head, c.headLen = Head{}, 0 // its views would keep the memory that empty has given back
		}
		if c.served {
			// The answer is out. Who waits for the CPU goes first, and on a busy proxy the next request has come by then: one system
			// call that finds nothing, and one wait, less (proxy/rs256-cached-audit-off: CPU 0.973 [0.961, 0.990]).
			runtime.Gosched()
		}
		if err := c.waitDeadline(); err != nil {
			return err
		}
		return c.fill()
	}
	// The head is looked at when a line of it ends, and when it or its first line grows too long: not with each octet.
	line := bytes.IndexByte(c.buf[c.r+c.scanned:c.w], '\n') >= 0
	if c.scanned == 0 {
		c.lines = false
	}
	if line { // but for the empty one that may come before a request line
		c.lines = bytes.LastIndexByte(c.buf[c.r:c.w], '\n') > 1
	}
	if line || c.w-c.r > c.lim.Head || (!c.lines && c.w-c.r > c.lim.URI) {
		if c.takeHead(); c.err != nil || len(c.telling) > 0 {
			return nil
		}
	}
	c.scanned = c.w - c.r
	if err := c.headDeadline(); err != nil {
		return err
	}
	return c.fill()
}

// started is what waitDeadline counts from: the monotonic clock alone is cheaper to read than time.Now.
var started = time.Now()

// waitDeadline bounds the wait for the first octet of a head. The deadline moves only when an eighth of the time has gone since
// it was last moved, because each move changes a timer; the HTTP library would change it twice for each request.
func (c *Conn) waitDeadline() error {
	timeout := c.lim.IdleTimeout
	if !c.served {
		timeout = c.lim.HeadTimeout
	}
	if timeout <= 0 {
		return nil
	}
	want := started.Add(time.Since(started) + timeout)
	if late := want.Sub(c.deadline); late >= 0 && late < timeout/8 && !c.moved.Load() {
		return nil
	}
	c.moved.Store(false)
	c.deadline = want
	return c.Conn.SetReadDeadline(want)
}

// SetReadDeadline implements net.Conn, for bodies. It may be called while a Read or ReadBody is in progress.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.moved.Store(true)
	return c.Conn.SetReadDeadline(t)
}

// headDeadline bounds the time from a head's first octet to its last. The HTTP library cannot: it has seen no octet yet.
func (c *Conn) headDeadline() error {
	if c.lim.HeadTimeout <= 0 {
		return nil
	}
	if c.headStart.IsZero() {
		c.headStart = time.Now()
	}
	return c.SetReadDeadline(c.headStart.Add(c.lim.HeadTimeout))
}

const (
	minBuffer = 4 << 10
	minRoom   = 512 // for a read
)

// fill reads more behind buf[r:w].
func (c *Conn) fill() error {
	if c.r > c.hold {
		c.w = c.hold + copy(c.buf[c.hold:], c.buf[c.r:c.w])
		c.r = c.hold
	}
	if len(c.buf)-c.w < minRoom {
		// What is held stays in the old array.
		next := make([]byte, max(2*(c.w-c.r), minBuffer))
		c.w = copy(next, c.buf[c.r:c.w])
		c.buf, c.hold, c.r = next, 0, 0
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

func (c *Conn) consume(n int) {
	if c.r += n; c.r == c.w {
		c.empty()
	}
}

// empty makes the most of a buffer of which all is consumed.
func (c *Conn) empty() {
	if len(c.buf) > 2*minBuffer {
		c.buf, c.hold = nil, 0 // a long head's memory is not kept for the life of the connection
	}
	c.r, c.w, c.scanned = c.hold, c.hold, 0
}

func (c *Conn) fail(p []byte) (int, error) {
	if !c.marked && len(p) > 0 {
		c.marked = true
		p[0] = 'G'
		return 1, nil
	}
	return 0, c.err
}

// violate records the violation and consumes nothing.
func (c *Conn) violate(status int, text string) int {
	c.err = &Error{Status: status, Text: text}
	return 0
}

// takeHead checks the head that buf[r:w] begins with. Nothing happens when its end has not come yet.
func (c *Conn) takeHead() {
	n, v := c.head.parse(c.buf[c.r:c.w], c.lim)
	if v != nil {
		c.err = v
		return
	}
	if n == 0 {
		return
	}
	c.r += n
	c.hold, c.headLen = c.r, n
	c.scanned, c.headStart, c.served = 0, time.Time{}, true
	c.bodyLen = 0
	switch h := &c.head; {
	case h.chunked:
		c.state, c.ext, c.bodyLen = inChunkSize, 0, -1
	case h.length > 0:
		c.state, c.left, c.bodyLen = inBody, h.length, h.length
	}
	c.telling = c.head.appendTold(c.told[:0])
}

// BodyLen returns the length of the present request's body: 0 for none, -1 when it comes in chunks.
func (c *Conn) BodyLen() int64 { return c.bodyLen }

// BodyRead reports whether the present request has no body, or one that was read to its end.
func (c *Conn) BodyRead() bool { return c.state == inHead && c.err == nil }

// ReadBody reads the body of the present request, without its framing, and returns io.EOF at its end. Trailer fields are
// checked and dropped. A violation is an *Error; a connection that ends too early io.ErrUnexpectedEOF.
func (c *Conn) ReadBody(p []byte) (int, error) {
	for {
		if c.err != nil {
			return 0, c.err
		}
		var n int
		switch c.state {
		case inHead:
			return 0, io.EOF
		case inBody:
			n, err := c.data(p)
			if c.left == 0 && err == nil {
				c.state = inHead
			}
			return n, err
		case inChunkData:
			if c.left > 0 {
				return c.data(p)
			}
			n = c.chunkEnd(c.buf[c.r:c.w])
		case inChunkSize:
			n = c.chunkSize(c.buf[c.r:c.w])
		case inTrailer:
			n = c.trailer(c.buf[c.r:c.w])
		}
		if n > 0 {
			c.consume(n)
			continue
		}
		if c.err != nil {
			continue
		}
		if err := c.fill(); err != nil {
			return 0, c.bodyFault(err)
		}
	}
}

// data reads octets of the body itself.
func (c *Conn) data(p []byte) (int, error) {
	p = p[:min(int64(len(p)), c.left)]
	if c.r < c.w {
		n := copy(p, c.buf[c.r:c.w])
		c.consume(n)
		c.left -= int64(n)
		return n, nil
	}
	n, err := c.Conn.Read(p)
	c.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, c.bodyFault(err)
}

func (c *Conn) bodyFault(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// chunkSize checks "SIZE [;ext] CRLF" (RFC 9112, 7.1).
func (c *Conn) chunkSize(b []byte) int {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxChunkLine+c.lim.ChunkExt {
			return c.violate(400, "chunk size line is too long")
		}
		return 0
	}
	if end < 2 || b[end-1] != '\r' {
		return c.violate(400, "chunk size line does not end in CRLF")
	}
	line := b[:end-1]
	var size int64
	i := 0
	for ; i < len(line); i++ {
		d := unhex(line[i])
		if d > 15 {
			break
		}
		if i == maxChunkLine-1 {
			return c.violate(400, "chunk size has too many digits")
		}
		size = size<<4 | int64(d)
	}
	if i == 0 {
		return c.violate(400, "chunk size is not a hexadecimal number")
	}
	if ext := line[i:]; len(ext) > 0 {
		if c.ext += len(ext); c.ext > c.lim.ChunkExt {
			return c.violate(400, "chunk extensions are too long")
		}
		if ext[0] != ';' || !isFieldValue(ext) {
			return c.violate(400, "chunk size is followed by something else")
		}
	}
	if size == 0 {
		c.state = inTrailer
	} else {
		c.state, c.left = inChunkData, size
	}
	return end + 1
}

// chunkEnd checks the CRLF behind a chunk's octets.
func (c *Conn) chunkEnd(b []byte) int {
	if (len(b) > 0 && b[0] != '\r') || (len(b) > 1 && b[1] != '\n') {
		return c.violate(400, "chunk is not followed by CRLF")
	}
	if len(b) < 2 {
		return 0
	}
	c.state = inChunkSize
	return 2
}

// trailer checks a whole trailer section, "*( field CRLF ) CRLF". The fields are dropped by the proxy; here they are only
// kept from being something else.
func (c *Conn) trailer(b []byte) int {
	done := 0
	for {
		end := bytes.IndexByte(b[done:], '\n')
		if end < 0 {
			if len(b) > maxTrailer {
				return c.violate(400, "trailer section is too long")
			}
			return 0
		}
		if done+end > maxTrailer {
			return c.violate(400, "trailer section is too long")
		}
		if end == 0 || b[done+end-1] != '\r' {
			return c.violate(400, "trailer line does not end in CRLF")
		}
		line := b[done : done+end-1]
		done += end + 1
		if len(line) == 0 {
			c.state = inHead
			return done
		}
		name, _, ok := cutField(line)
		if !ok {
			return c.violate(400, "trailer field is malformed")
		}
		if !trailerAllowed(name) {
			return c.violate(400, "field is not allowed in a trailer")
		}
	}
}

// trailerAllowed refuses names that have a meaning for framing, routing or authentication (RFC 9110, 6.5.1).
func trailerAllowed(name []byte) bool {
	for _, bad := range [...]string{
		"authorization", "proxy-authorization", "host", "content-length", "transfer-encoding", "trailer", "te",
		"connection", "cookie", "expect", "upgrade", "forwarded", "content-type", "content-encoding", "content-range",
	} {
		if equalFold(name, bad) {
			return false
		}
	}
	return len(name) < 2 || !equalFold(name[:2], "x-")
}
