package h1

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
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
	small  []byte // a small body, once it was read; it is kept for another endpoint
	first  []byte // head and small body together
}

// smallBody is how large a body may be to be read before the request is sent, in one write with the head.
const smallBody = 4 << 10

// Reset forgets the request and response, keeping memory. The exchange must be closed.
func (ex *Exchange) Reset() {
	clear(ex.Fields)
	clear(ex.first)
	ex.forgetBody()
	*ex = Exchange{Fields: ex.Fields[:0], small: ex.small, first: ex.first[:0]}
}

// Do sends the request and reads the response's head. After nil the caller must Close. A request is sent a second time only
// when a reused connection ended before any octet of a response, the method is idempotent and there was no body; a
// connection that is seen to be stale before anything was written is replaced silently. After ErrConnect and ErrBusy the
// endpoint has seen nothing: ex may be given to another Client, with another Head, and with the same Body, of which a small
// one has been read and is kept until then.
func (c *Client) Do(ex *Exchange) error {
	err := c.do(ex)
	if !errors.Is(err, ErrConnect) && err != ErrBusy {
		ex.forgetBody()
	}
	return err
}

func (c *Client) do(ex *Exchange) error {
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

// firstWrite returns what is written first: the head, and with it a small body, read now if it was not before.
func (ex *Exchange) firstWrite() ([]byte, error) {
	if ex.BodyLen > ex.MaxBody {
		return nil, ErrBodyTooLarge
	}
	if ex.BodyLen <= 0 || ex.BodyLen > smallBody {
		return ex.Head, nil
	}
	if len(ex.small) == 0 {
		ex.small = slices.Grow(ex.small, int(ex.BodyLen))[:ex.BodyLen]
		if _, err := io.ReadFull(ex.Body, ex.small); err != nil {
			ex.forgetBody()
			return nil, ErrRequestBody
		}
	}
	ex.first = append(append(ex.first[:0], ex.Head...), ex.small...)
	ex.sent = ex.BodyLen
	return ex.first, nil
}

func (ex *Exchange) forgetBody() {
	clear(ex.small)
	ex.small = ex.small[:0]
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
	if u := ex.upload; u != nil && !u.complete() {
		clean = false
		ex.stopUpload(cn)
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
	done chan struct{}
	sent atomic.Int64
	last atomic.Bool // the body's last octets are being written

	mu       sync.Mutex // guards what follows, and who may set the connection's read deadline
	answered bool       // the response's head is here: the deadline is the reader's now
	fault    error      // ErrRequestBody or ErrBodyTooLarge, or that of the upstream
}

// grace is how long the return of the last write is waited for.
const grace = 50 * time.Millisecond

// complete reports whether the whole body was sent. The endpoint may have answered the last octets before their write has
// returned here, which is waited for: a connection is worth that, and the caller's too.
func (u *upload) complete() bool {
	select {
	case <-u.done:
	default:
		if !u.last.Load() {
			return false
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-u.done:
		case <-timer.C:
			return false
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fault == nil
}

// clientFault returns the fault if it is the client's.
func (u *upload) clientFault() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if isClientFault(u.fault) {
		return u.fault
	}
	return nil
}

func isClientFault(err error) bool { return err == ErrRequestBody || err == ErrBodyTooLarge }

// run sends the body; wait is the time from its end to that of the response's head.
func (u *upload) run(ex *Exchange, cn *conn, wait time.Duration) {
	defer close(u.done)
	err := ex.copyBody(u, cn)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault = err
	switch {
	case isClientFault(err):
		// The endpoint must not take a part for the whole, and nothing is worth waiting for.
		cn.socket.Close()
	case !u.answered:
		_ = cn.nc.SetReadDeadline(time.Now().Add(wait))
	}
}

// stopUpload ends an upload in progress, and waits until it has.
func (ex *Exchange) stopUpload(cn *conn) {
	select {
	case <-ex.upload.done:
		return
	default:
	}
	cn.socket.Close() // ends a write in progress
	if ex.Interrupt != nil {
		ex.Interrupt()
	}
	<-ex.upload.done
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
	// The wait for the response begins when the body is out.
	cn.deadline = time.Time{}
	_ = cn.nc.SetReadDeadline(time.Time{})
	u := &upload{done: make(chan struct{})}
	ex.upload = u
	go u.run(ex, cn, ex.client.opt.ResponseTimeout)
	err := ex.readHead()
	if err == nil {
		u.mu.Lock()
		u.answered = true
		u.mu.Unlock()
		return nil
	}
	// Looked for before the upload is interrupted: that would make a fault of the client's out of the endpoint's.
	if fault := u.clientFault(); fault != nil {
		err = fault
	} else if err == errSilentEnd {
		err = ErrResponse
	}
	ex.stopUpload(cn)
	return err
}

// copyBody sends the body, in chunks when its length is unknown.
func (ex *Exchange) copyBody(u *upload, cn *conn) error {
	buf := make([]byte, chunkRoom+uploadBuffer+chunkTail)
	idle := ex.client.opt.IdleTimeout
	for total := int64(0); ; {
		data := buf[chunkRoom : chunkRoom+uploadBuffer]
		if ex.BodyLen > 0 {
			data = data[:min(int64(len(data)), ex.BodyLen-total)]
		}
		n, err := ex.Body.Read(data)
		if total += int64(n); total > ex.MaxBody {
			return ErrBodyTooLarge
		}
		end := err == io.EOF && ex.BodyLen < 0
		last := total == ex.BodyLen || end
		out := data[:n]
		if ex.BodyLen < 0 {
			out = frameChunk(buf, n, end)
		}
		if len(out) > 0 {
			u.last.Store(last)
			_ = cn.nc.SetWriteDeadline(time.Now().Add(idle))
			if _, err := cn.nc.Write(out); err != nil {
				return err
			}
			u.sent.Add(int64(n))
		}
		if last {
			return nil
		}
		if err != nil {
			return ErrRequestBody
		}
	}
}

// uploadBuffer is how much of a body is read at once, in octets.
const uploadBuffer = 16 << 10

// chunkRoom is the octets before a chunk's data, size and CRLF; chunkTail those behind it, its CRLF and the last chunk.
const (
	chunkRoom = 10
	chunkTail = len("\r\n0\r\n\r\n")
)

// frameChunk puts size line and CRLF around the n octets at buf[chunkRoom:], and the last chunk behind them at the end. A
// chunk of no octets would be the last: of 0 octets nothing is made.
func frameChunk(buf []byte, n int, end bool) []byte {
	start, stop := chunkRoom, chunkRoom+n
	if n > 0 {
		var size [chunkRoom]byte
		line := append(strconv.AppendInt(size[:0], int64(n), 16), '\r', '\n')
		start -= len(line)
		copy(buf[start:], line)
		stop += copy(buf[stop:], "\r\n")
	}
	if end {
		stop += copy(buf[stop:], "0\r\n\r\n")
	}
	return buf[start:stop]
}
