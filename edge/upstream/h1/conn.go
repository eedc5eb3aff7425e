package h1

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// A conn is one connection to the endpoint, used by one exchange at a time.
type conn struct {
	nc     net.Conn
	socket net.Conn        // nc, or what is below its TLS
	raw    syscall.RawConn // of socket; nil when there is none
	// plain says that the socket carries HTTP itself, so that head and response may pass through raw.
	plain    bool
	lastUsed time.Time
	deadline time.Time // read deadline now set on nc; zero: none
	// cut says that the endpoint stopped reading before the request was whole. It may have answered all the same.
	cut bool

	buf  []byte // buf[r:w] is read and not consumed
	r, w int

	// State of one raw step; step is bound once, so that an exchange allocates nothing.
	step  func(fd uintptr) bool
	phase phase
	out   []byte
	fault error
	probe [1]byte
}

type phase uint8

const (
	phaseProbe  phase = iota // is the connection silent?
	phaseWrite               // write out
	phaseRead                // read the response's first octets
	phaseStale               // the connection was not silent: it ended, or holds what nobody asked for
	phaseWriteB              // the socket's buffer is full: the rest goes out the ordinary way
	phaseDone
)

const initialBuffer = 4 << 10

func newConn(nc, socket net.Conn, plain bool) *conn {
	cn := &conn{nc: nc, socket: socket, plain: plain, buf: make([]byte, initialBuffer)}
	if sc, ok := socket.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			cn.raw = raw
		}
	}
	cn.step = cn.rawStep
	return cn
}

// errStale says that a connection may not be used: it ended, or holds what nobody asked for. Nothing was written.
var errStale = errors.New("h1: the connection is stale")

// started is what monotonicNow counts from.
var started = time.Now()

// monotonicNow is time.Now for durations and deadlines: it reads one clock instead of two. Its wall clock may be wrong after a
// step of the system's.
func monotonicNow() time.Time { return started.Add(time.Since(started)) }

// setReadDeadline moves the read deadline to now+d when an eighth of d has gone since it was last moved; each move costs a
// timer change.
func (cn *conn) setReadDeadline(now time.Time, d time.Duration) error {
	want := now.Add(d)
	if left := want.Sub(cn.deadline); left >= 0 && left < d/8 {
		return nil
	}
	cn.deadline = want
	return cn.nc.SetReadDeadline(want)
}

// send writes head and waits for the first octets of the response, in one go where the socket is plain: inside one
// RawConn.Read the socket is seen to be silent, written to, waited for and read, without a system call that finds nothing
// (SPEED notes, 9). A connection that is not silent is errStale; a new one may have been spoken on as well, and waiting would
// miss what came before. Below TLS a new connection is never silent: session tickets.
func (cn *conn) send(head []byte, reused bool) error {
	if cn.raw == nil || !cn.plain {
		if reused && !cn.silent() {
			return errStale
		}
		return cn.write(head)
	}
	cn.out, cn.fault, cn.phase = head, nil, phaseProbe
	err := cn.raw.Read(cn.step)
	rest := cn.out
	cn.out = nil
	switch {
	case cn.phase == phaseStale:
		return errStale
	case cn.fault != nil:
		return cn.fault
	case err != nil:
		return err
	case cn.phase == phaseWriteB:
		return cn.write(rest)
	}
	return nil
}

// rawStep is called with the socket's descriptor until it returns true; false waits until the socket can be read.
func (cn *conn) rawStep(fd uintptr) bool {
	if cn.phase == phaseProbe {
		if !isSilent(fd, cn.probe[:]) {
			cn.phase = phaseStale
			return true
		}
		cn.phase = phaseWrite
	}
	if cn.phase == phaseWrite {
		return cn.rawWrite(fd)
	}
	return cn.rawRead(fd)
}

func (cn *conn) rawWrite(fd uintptr) bool {
	for len(cn.out) > 0 {
		n, err := syscall.Write(int(fd), cn.out)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			cn.phase = phaseWriteB
			return true
		case err != nil:
			cn.cut, cn.phase = true, phaseRead
			return cn.rawRead(fd) // the end was signalled before: there is nothing to wait for
		default:
			cn.out = cn.out[n:]
		}
	}
	cn.phase = phaseRead
	return false
}

func (cn *conn) rawRead(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), cn.buf[cn.w:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			cn.fault = os.NewSyscallError("read", err)
		case n == 0:
			cn.fault = io.EOF
		default:
			cn.w += n
		}
		cn.phase = phaseDone
		return true
	}
}

// isSilent reports whether the socket has nothing to read: neither octets nor an end.
func isSilent(fd uintptr, probe []byte) bool {
	for {
		_, err := syscall.Read(int(fd), probe)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN
		}
	}
}

// silent is isSilent for a connection that is not written to raw. TLS is asked as well: it may hold octets that came in one
// record or segment with an earlier response. What a TLS peer sent unasked on the socket counts as noise too.
func (cn *conn) silent() bool {
	if cn.raw != nil {
		ok := false
		if err := cn.raw.Control(func(fd uintptr) { ok = isSilent(fd, cn.probe[:]) }); err != nil || !ok {
			return false
		}
	}
	if cn.plain {
		return true
	}
	// With a deadline that has passed, Read returns what it holds and does not touch the socket.
	if err := cn.nc.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return false
	}
	if n, err := cn.nc.Read(cn.probe[:]); n > 0 || !isTimeout(err) {
		return false
	}
	return cn.nc.SetReadDeadline(cn.deadline) == nil
}

// writeTimeout bounds the writing of a head that the socket does not take at once.
const writeTimeout = 10 * time.Second

// write writes b. That the endpoint does not take it is no error but noted in cut: it may have answered before it stopped
// reading, and the answer says more than the fault.
func (cn *conn) write(b []byte) error {
	if err := cn.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := cn.nc.Write(b)
	if err != nil && !isTimeout(err) {
		cn.cut, err = true, nil
	}
	return err
}

// fill reads more behind buf[r:w], making room first, up to limit octets unconsumed.
func (cn *conn) fill(limit int) error {
	if cn.r > 0 {
		cn.w = copy(cn.buf, cn.buf[cn.r:cn.w])
		cn.r = 0
	}
	if cn.w == len(cn.buf) {
		if len(cn.buf) >= limit {
			return ErrResponse
		}
		next := make([]byte, min(2*len(cn.buf), limit))
		copy(next, cn.buf[:cn.w])
		cn.buf = next
	}
	n, err := cn.nc.Read(cn.buf[cn.w:])
	cn.w += n
	if n > 0 {
		return nil
	}
	return err
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
