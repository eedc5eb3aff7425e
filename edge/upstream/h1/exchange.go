package h1

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

// Field is a field of the response: views into the connection's buffer, valid until the first Read or Close.
type Field struct{ Name, Value []byte }

// Exchange is one request and its response. It is reusable after Close and owned by its caller; Do, Read and Close must not
// be concurrent. The caller sets the first group, Do the second.
type Exchange struct {
	Head       []byte    // whole request head, with framing fields and the empty line
	HEAD       bool      // the method is HEAD
	Idempotent bool      // may be sent again when a reused connection ended without a word
	Body       io.Reader // the request body, nil when BodyLen is 0
	BodyLen    int64     // 0 none, > 0 exact, -1 unknown: it is sent in chunks
	MaxBody    int64     // octets; more is ErrBodyTooLarge
	Interrupt  func()    // makes a Body.Read in progress return; may be called once, from Close

	Status int     // of the final response
	Fields []Field // in order, duplicates kept

	client *Client
	cn     *conn
	resp   responseHead
	body   bodyState
	upload *upload // nil: no body, or a small one that went with the head
	sent   int64
	first  []byte // head and small body together
}

// smallBody is how large a body may be to be read before the request is sent, in one write with the head.
const smallBody = 4 << 10

// Reset forgets the request and response, keeping memory. The exchange must be closed.
func (ex *Exchange) Reset() {
	clear(ex.Fields)
	clear(ex.first)
	*ex = Exchange{Fields: ex.Fields[:0], first: ex.first[:0]}
}

// Do sends the request and reads the response's head. After nil the caller must Close. A request is sent a second time only
// when a reused connection ended before any octet of a response, the method is idempotent and there was no body; a
// connection that is seen to be stale before anything was written is replaced silently.
func (c *Client) Do(ex *Exchange) error {
	ex.client, ex.cn, ex.upload, ex.sent = c, nil, nil, 0
	first, err := ex.firstWrite()
	if err != nil {
		return err
	}
	fresh := false
	for {
		cn, reused, err := c.acquire(fresh)
		if err != nil {
			return err
		}
		err = ex.try(cn, first, reused)
		if err == nil {
			return nil
		}
		c.discard(cn)
		ex.cn = nil
		switch {
		case err == errStale && !reused:
			return errUnasked
		case err == errStale:
			// Nothing was written. The next idle one may be stale too; each is looked at once.
		case err == errSilentEnd && reused && ex.Idempotent && ex.BodyLen == 0:
			fresh = true
		case err == errSilentEnd:
			return ErrResponse
		default:
			return err
		}
	}
}

// firstWrite returns what is written first: the head, and with it a small body, read now.
func (ex *Exchange) firstWrite() ([]byte, error) {
	if ex.BodyLen > ex.MaxBody {
		return nil, ErrBodyTooLarge
	}
	if ex.BodyLen <= 0 || ex.BodyLen > smallBody {
		return ex.Head, nil
	}
	ex.first = append(ex.first[:0], ex.Head...)
	n := len(ex.first)
	ex.first = append(ex.first, make([]byte, ex.BodyLen)...)
	if _, err := io.ReadFull(ex.Body, ex.first[n:]); err != nil {
		return nil, ErrRequestBody
	}
	ex.sent = ex.BodyLen
	return ex.first, nil
}

// errSilentEnd says that the connection ended before the first octet of a response.
var errSilentEnd = errors.New("h1: the connection ended without a response")

// errUnasked says that a new connection ended, or was spoken on, before anything was written. RFC 9112, 9.2: a response on a
// connection without a request MUST NOT be taken for one. Another endpoint may be tried.
var errUnasked = fmt.Errorf("%w: it spoke first or hung up", ErrConnect)

// try runs the exchange on cn up to the response's head.
func (ex *Exchange) try(cn *conn, first []byte, reused bool) error {
	ex.cn = cn
	cn.r, cn.w, cn.cut = 0, 0, false
	now := monotonicNow()
	streaming := ex.BodyLen < 0 || ex.BodyLen > smallBody
	if err := cn.setReadDeadline(now, ex.client.opt.ResponseTimeout); err != nil {
		return errSilentEnd
	}
	if streaming {
		return ex.tryUpload(first, reused)
	}
	if err := cn.send(first, reused); err != nil {
		return ex.sendFault(err)
	}
	return ex.readHead()
}

// sendFault sorts the error of send, which also waited for the response to begin.
func (ex *Exchange) sendFault(err error) error {
	switch {
	case err == errStale:
		return errStale
	case isTimeout(err):
		return ErrTimeout
	}
	return errSilentEnd
}

// readHead reads heads until a final one. Interim responses are skipped (RFC 9110, 15.2), except 101: nobody asked for it.
func (ex *Exchange) readHead() error {
	const maxInterim = 8
	for n := range maxInterim {
		if err := ex.nextHead(n == 0); err != nil {
			return err
		}
		if ex.Status == 101 {
			return ErrResponse
		}
		if ex.Status >= 200 {
			return ex.startBody()
		}
	}
	return ErrResponse
}

func (ex *Exchange) nextHead(first bool) error {
	cn := ex.cn
	for scanned := 0; ; {
		if n := headEnd(cn.buf[cn.r:cn.w], scanned); n > 0 {
			if n > ex.client.opt.MaxHead {
				return ErrResponse
			}
			head := cn.buf[cn.r : cn.r+n]
			cn.r += n
			return ex.parseHead(head)
		}
		scanned = cn.w - cn.r
		if scanned >= ex.client.opt.MaxHead {
			return ErrResponse
		}
		if err := cn.fill(ex.client.opt.MaxHead); err != nil {
			return ex.headFault(err, first && scanned == 0)
		}
	}
}

// headFault sorts an error of reading; nothing says that no octet of any head has come, an interim one included.
func (ex *Exchange) headFault(err error, nothing bool) error {
	if ex.upload != nil {
		if e := ex.upload.clientFault(); e != nil {
			return e
		}
	}
	switch {
	case isTimeout(err):
		return ErrTimeout
	case nothing && !errors.Is(err, ErrResponse):
		return errSilentEnd
	}
	return ErrResponse
}

// RequestDone reports whether the whole request body has been sent. Where it has not, the response came early.
func (ex *Exchange) RequestDone() bool {
	return (ex.cn == nil || !ex.cn.cut) && (ex.upload == nil || ex.upload.complete())
}

// Sent returns how many octets of the request body were sent, without chunk framing. It is exact after Close.
func (ex *Exchange) Sent() int64 {
	if ex.upload != nil {
		return ex.upload.sent.Load()
	}
	return ex.sent
}

// Close ends the exchange. The connection goes back to the pool only when request and response are complete, both sides
// want to keep it, and no octet is left over; else it is closed. The goroutine that sends the body has ended on return.
func (ex *Exchange) Close() error {
	cn := ex.cn
	if cn == nil {
		return nil
	}
	ex.cn = nil
	clean := ex.body.done && ex.resp.keepAlive && cn.r == cn.w && !cn.cut
	if ex.upload != nil && !ex.upload.finished() {
		clean = false
		cn.nc.Close() // ends a write in progress
		if ex.Interrupt != nil {
			ex.Interrupt()
		}
		<-ex.upload.done
	}
	if ex.upload != nil {
		clean = clean && ex.upload.complete()
		cn.deadline = time.Time{} // the goroutine has moved it
	}
	if clean {
		ex.client.release(cn, monotonicNow())
	} else {
		ex.client.discard(cn)
	}
	return nil
}

// An upload sends a request body while the response may already be read.
type upload struct {
	done  chan struct{}
	sent  atomic.Int64
	fault error // ErrRequestBody or ErrBodyTooLarge, or that of the upstream; valid after done
}

func (u *upload) finished() bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

func (u *upload) complete() bool { return u.finished() && u.fault == nil }

// clientFault returns the fault if it is the client's.
func (u *upload) clientFault() error {
	if u.finished() && (errors.Is(u.fault, ErrRequestBody) || errors.Is(u.fault, ErrBodyTooLarge)) {
		return u.fault
	}
	return nil
}

// tryUpload sends the head and then the body from a goroutine of its own, which Close joins, and waits for the response.
func (ex *Exchange) tryUpload(head []byte, reused bool) error {
	cn := ex.cn
	if (reused || cn.plain) && !cn.silent() {
		return errStale
	}
	if err := cn.write(head); err != nil {
		return ex.sendFault(err)
	}
	if cn.cut {
		return ex.readHead() // of the body nothing is read
	}
	u := &upload{done: make(chan struct{})}
	ex.upload = u
	// The wait for the response begins when the body is out.
	cn.deadline = time.Time{}
	_ = cn.nc.SetReadDeadline(time.Time{})
	go func() {
		defer close(u.done)
		u.fault = ex.copyBody(u, cn)
		wait := ex.client.opt.ResponseTimeout
		if errors.Is(u.fault, ErrRequestBody) || errors.Is(u.fault, ErrBodyTooLarge) {
			wait = -time.Second // nothing is worth waiting for
		}
		_ = cn.nc.SetReadDeadline(time.Now().Add(wait))
	}()
	err := ex.readHead()
	if err == nil {
		return nil
	}
	if !u.finished() {
		cn.nc.Close()
		if ex.Interrupt != nil {
			ex.Interrupt()
		}
		<-u.done
	}
	if e := u.clientFault(); e != nil {
		return e
	}
	if err == errSilentEnd {
		return ErrResponse
	}
	return err
}

// copyBody sends the body, in chunks when its length is unknown.
func (ex *Exchange) copyBody(u *upload, cn *conn) error {
	buf := make([]byte, chunkRoom+uploadBuffer+2)
	idle := ex.client.opt.IdleTimeout
	for total := int64(0); ; {
		data := buf[chunkRoom : len(buf)-2]
		if ex.BodyLen > 0 {
			data = data[:min(int64(len(data)), ex.BodyLen-total)]
		}
		n, err := ex.Body.Read(data)
		if total += int64(n); total > ex.MaxBody {
			return ErrBodyTooLarge
		}
		if n > 0 {
			_ = cn.nc.SetWriteDeadline(time.Now().Add(idle))
			out := data[:n]
			if ex.BodyLen < 0 {
				out = frameChunk(buf, n)
			}
			if _, err := cn.nc.Write(out); err != nil {
				return err
			}
			u.sent.Add(int64(n))
		}
		if ex.BodyLen > 0 && total == ex.BodyLen {
			return nil
		}
		if err == io.EOF && ex.BodyLen < 0 {
			_, err := cn.nc.Write(lastChunk)
			return err
		}
		if err != nil {
			return ErrRequestBody
		}
	}
}

// uploadBuffer is how much of a body is read at once, in octets.
const uploadBuffer = 16 << 10

var lastChunk = []byte("0\r\n\r\n")

// chunkRoom is the octets before a chunk's data: size and CRLF.
const chunkRoom = 10

// frameChunk puts size line and CRLF around the n octets at buf[chunkRoom:].
func frameChunk(buf []byte, n int) []byte {
	var size [chunkRoom]byte
	line := append(strconv.AppendInt(size[:0], int64(n), 16), '\r', '\n')
	start := chunkRoom - len(line)
	copy(buf[start:], line)
	buf[chunkRoom+n], buf[chunkRoom+n+1] = '\r', '\n'
	return buf[start : chunkRoom+n+2]
}
