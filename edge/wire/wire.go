// Package wire lets nothing but strict HTTP/1.1 reach the HTTP library.
//
// A Conn reads along with the server: it checks every head, every chunk and every trailer on the bytes themselves, and
// delivers only what has one reading (RFC 9112; SECURITY notes 1.7, 2.3 and 3.2). Bodies pass untouched, but counted.
package wire

import (
	"bytes"
	"crypto/tls"
	"net"
	"time"
)

// Limits bounds what a client may send. All are required.
type Limits struct {
	Head             int           // octets of request line and fields together
	URI              int           // octets of the request target
	Fields           int           // field lines
	ChunkExt         int           // octets of chunk extensions in one body
	LineBreaksBefore int           // empty lines before a request line
	HeadTimeout      time.Duration // from the first octet of a head to its last
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

// Conn is a net.Conn that reads strictly. Reads must not be concurrent with each other; all else is the inner Conn's.
type Conn struct {
	net.Conn
	lim   *Limits
	state state
	left  int64 // of a body or chunk
	ext   int   // octets of chunk extensions so far

	pending []byte // read, not delivered; pending[:ready] has been checked
	ready   int
	scanned int // of pending, how much is known to hold no end of the unit
	err     *Error
	// headStart is when a head that came in pieces began; zero between heads.
	headStart time.Time
	marked    bool // one octet of a refused head was delivered
}

// tlsConn keeps the two methods by which the HTTP library knows TLS.
type tlsConn struct {
	*Conn
	tls *tls.Conn
}

// Handshake runs the TLS handshake.
func (c tlsConn) Handshake() error { return c.tls.Handshake() }

// ConnectionState returns the TLS state.
func (c tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// NewConn wraps c. lim is not copied and must not change.
func NewConn(c net.Conn, lim *Limits) net.Conn {
	w := &Conn{Conn: c, lim: lim}
	if t, ok := c.(*tls.Conn); ok {
		return tlsConn{w, t}
	}
	return w
}

// Read implements io.Reader. It delivers checked octets only. After a violation it delivers what came before it, and then
// an *Error, every time. For a violation in a head, one octet that stands for that head comes first: without any, the HTTP
// library would take the error for a client that went away, and not answer.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if c.ready > 0 {
			return c.deliver(p), nil
		}
		if c.err != nil {
			return c.fail(p)
		}
		if len(c.pending) == 0 {
			// Fast path: whole units in one read are checked where they lie.
			n, err := c.Conn.Read(p)
			if n > 0 {
				ok := c.check(p[:n])
				if ok < n && c.err == nil {
					c.keep(p[ok:n])
				}
				if ok > 0 {
					return ok, nil
				}
				if c.err != nil {
					continue
				}
			}
			if err != nil {
				return 0, err
			}
			continue
		}
		if err := c.more(); err != nil {
			return 0, err
		}
	}
}

// keep stores the beginning of a unit whose end has not come yet.
func (c *Conn) keep(b []byte) {
	c.pending = append(c.pending[:0], b...)
	c.scanned = len(b)
}

// more reads on behind the pending octets and checks them once a line has come to its end.
func (c *Conn) more() error {
	if err := c.headDeadline(); err != nil {
		return err
	}
	const room = 4 << 10
	if cap(c.pending)-len(c.pending) < room {
		next := make([]byte, len(c.pending), len(c.pending)+2*room)
		copy(next, c.pending)
		c.pending = next
	}
	n, err := c.Conn.Read(c.pending[len(c.pending):cap(c.pending)])
	c.pending = c.pending[:len(c.pending)+n]
	if n > 0 && (bytes.IndexByte(c.pending[c.scanned:], '\n') >= 0 || len(c.pending) > c.lim.Head) {
		c.ready = c.check(c.pending)
		if c.ready > 0 {
			c.headStart = time.Time{}
		}
		if c.err != nil {
			c.pending = c.pending[:c.ready]
		}
	}
	c.scanned = len(c.pending)
	if n > 0 {
		return nil
	}
	return err
}

// headDeadline bounds the time from a head's first octet to its last. The HTTP library cannot: it has seen no octet yet.
func (c *Conn) headDeadline() error {
	if c.state != inHead || c.lim.HeadTimeout <= 0 {
		return nil
	}
	if c.headStart.IsZero() {
		c.headStart = time.Now()
	}
	return c.Conn.SetReadDeadline(c.headStart.Add(c.lim.HeadTimeout))
}

// deliver hands out checked octets and checks on when only unchecked ones are left.
func (c *Conn) deliver(p []byte) int {
	n := copy(p, c.pending[:c.ready])
	rest := copy(c.pending, c.pending[n:])
	c.pending = c.pending[:rest]
	c.ready -= n
	c.scanned = rest
	if rest == 0 && cap(c.pending) > 8<<10 {
		c.pending = nil // a long head's memory is not kept for the life of the connection
	}
	return n
}

func (c *Conn) fail(p []byte) (int, error) {
	if c.state == inHead && !c.marked && len(p) > 0 {
		c.marked = true
		p[0] = 'G'
		return 1, nil
	}
	return 0, c.err
}

// check advances the state over b and returns how many octets of it are good and complete. It sets c.err on a violation.
func (c *Conn) check(b []byte) int {
	done := 0
	for done < len(b) && c.err == nil {
		var n int
		switch c.state {
		case inHead:
			n = c.head(b[done:])
		case inBody:
			n = int(min(c.left, int64(len(b)-done)))
			if c.left -= int64(n); c.left == 0 {
				c.state = inHead
			}
		case inChunkSize:
			n = c.chunkSize(b[done:])
		case inChunkData:
			n = c.chunkData(b[done:])
		case inTrailer:
			n = c.trailer(b[done:])
		}
		if n == 0 {
			break
		}
		done += n
	}
	return done
}

// violate records the violation and consumes nothing.
func (c *Conn) violate(status int, text string) int {
	c.err = &Error{Status: status, Text: text}
	return 0
}

// head checks one request head. It returns its length, 0 when its end has not come yet.
func (c *Conn) head(b []byte) int {
	var h head
	n, v := h.parse(b, c.lim)
	if v != nil {
		c.err = v
		return 0
	}
	if n == 0 {
		return 0
	}
	switch {
	case h.chunked:
		c.state, c.ext = inChunkSize, 0
	case h.length > 0:
		c.state, c.left = inBody, h.length
	}
	return n
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

// chunkData counts a chunk's octets, then checks its CRLF.
func (c *Conn) chunkData(b []byte) int {
	if c.left > 0 {
		n := int(min(c.left, int64(len(b))))
		c.left -= int64(n)
		return n
	}
	if b[0] != '\r' || (len(b) > 1 && b[1] != '\n') {
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
