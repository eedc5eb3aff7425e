// Package load is both ends of a proxy under test, and costs little: clients and upstream in one thread. The clients are a closed
// loop over keep-alive connections, each with one request outstanding, the requests taken in turn from a prepared list, or open
// loops, whose requests are due at a fixed rate; the upstream gives every request the same answer with a body of 11 octets.
//
// The thread never sleeps while it runs. To wake a sleeping CPU costs the sender microseconds, on a virtual machine above
// all: they would be put down to the proxy, and most of all to the slower one, whose peers sleep more often.
package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A Load is a set of clients of one proxy, and an upstream for it. It belongs to one goroutine.
type Load struct {
	epoll    int
	listener int
	upstream netip.AddrPort
	conns    []*conn // by descriptor; nil where it is none of ours
	clients  []*conn
	using    []*conn // of clients, by Run
	requests [][]byte
	next     int // request to be sent next
	silence  time.Duration
	events   [128]unix.EpollEvent
}

type conn struct {
	fd     int
	server bool   // accepted from the proxy
	busy   bool   // a client's request is outstanding
	buf    []byte // buf[:n] is a message that has not come whole
	n      int

	stream *Stream         // of an open loop; nil: none
	sent   []time.Duration // when the outstanding requests were due, oldest first
	out    []byte          // what the socket has not taken of the last one
}

// maxMessage bounds a request and a response in octets.
const maxMessage = 16 << 10

// silence is how long nothing at all may happen.
const silence = 5 * time.Second

// Listen makes a Load whose upstream listens on a free port of 127.0.0.1.
func Listen() (*Load, error) {
	l := &Load{epoll: -1, listener: -1, silence: silence}
	if err := l.listen(); err != nil {
		l.Close()
		return nil, fmt.Errorf("load: cannot listen: %w", err)
	}
	return l, nil
}

func (l *Load) listen() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	if err := unix.Bind(l.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(l.listener, 1024); err != nil {
		return err
	}
	name, err := unix.Getsockname(l.listener)
	if err != nil {
		return err
	}
	in4, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return errors.New("the socket has no IPv4 address")
	}
	l.upstream = netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port))
	return l.watch(l.listener)
}

func (l *Load) watch(fd int) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// Upstream returns host:port of the upstream.
func (l *Load) Upstream() string { return l.upstream.String() }

// Dial opens n client connections to the IPv4 address host:port, which will send requests in turn.
func (l *Load) Dial(address string, n int, requests [][]byte) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("load: cannot dial: %w", err)
	}
	l.requests = requests
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
		}
		if err == nil {
			var c *conn
			if c, err = l.add(fd); err == nil {
				l.clients = append(l.clients, c)
				l.using = l.clients
			}
		}
		if err != nil {
			return fmt.Errorf("load: cannot connect to %s: %w", address, err)
		}
	}
	return nil
}

// add takes a connected socket in.
func (l *Load) add(fd int) (*conn, error) {
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	c := &conn{fd: fd, buf: make([]byte, maxMessage)}
	l.conns[fd] = c
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return c, l.watch(fd)
}

// Close closes all sockets.
func (l *Load) Close() {
	for _, c := range l.conns {
		if c != nil {
			unix.Close(c.fd)
		}
	}
	if l.listener >= 0 {
		unix.Close(l.listener)
	}
	if l.epoll >= 0 {
		unix.Close(l.epoll)
	}
}

// Use has Run send by the clients from number from up to number to alone, counted as they were dialled; the others stay open.
func (l *Load) Use(from, to int) { l.using = l.clients[from:to] }

// Run has the clients send n requests and waits for their responses, which must all be the upstream's. It returns how long
// that took.
func (l *Load) Run(n int) (time.Duration, error) {
	start := time.Now()
	left := n // responses to come
	toSend := n - min(n, len(l.using))
	for _, c := range l.using[:n-toSend] {
		if err := l.send(c); err != nil {
			return 0, err
		}
	}
	var quiet time.Time // since when nothing happens, about
	for idle := 0; left > 0; {
		ready, err := unix.EpollWait(l.epoll, l.events[:], 0)
		if err != nil && err != unix.EINTR {
			return 0, fmt.Errorf("load: cannot wait: %w", err)
		}
		if ready <= 0 {
			if idle++; idle == 1000 {
				quiet = time.Now()
			} else if idle%10000 == 0 && time.Since(quiet) > l.silence {
				return 0, fmt.Errorf("load: nothing happens, %d of %d responses are missing", left, n)
			}
			continue
		}
		idle = 0
		for _, e := range l.events[:ready] {
			answered, err := l.handle(int(e.Fd))
			if err != nil {
				return 0, err
			}
			if !answered {
				continue
			}
			left--
			if toSend > 0 {
				toSend--
				if err := l.send(l.conns[e.Fd]); err != nil {
					return 0, err
				}
			}
		}
	}
	return time.Since(start), nil
}

// handle does what fd is ready for. It reports whether a client got its response.
func (l *Load) handle(fd int) (answered bool, err error) {
	if fd == l.listener {
		return false, l.accept()
	}
	c := l.conns[fd]
	if c == nil {
		return false, nil // closed by an event before this one
	}
	open, err := c.read()
	if err != nil || !open {
		if err == nil && !c.server {
			err = errors.New("load: the proxy closed a client's connection")
		}
		l.conns[fd] = nil
		unix.Close(fd)
		return false, err
	}
	if c.server {
		if !bytes.HasSuffix(c.buf[:c.n], headEnd) {
			return false, nil
		}
		c.n = 0
		return false, c.write(answer)
	}
	return c.response()
}

func (l *Load) accept() error {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
		case unix.EAGAIN:
			return nil
		case unix.EINTR, unix.ECONNABORTED:
			continue
		default:
			return fmt.Errorf("load: cannot accept: %w", err)
		}
		c, err := l.add(fd)
		if err != nil {
			return fmt.Errorf("load: cannot accept: %w", err)
		}
		c.server = true
	}
}

// send has a client send the next request.
func (l *Load) send(c *conn) error {
	req := l.requests[l.next]
	if l.next++; l.next == len(l.requests) {
		l.next = 0
	}
	c.busy = true
	return c.write(req)
}

// write writes b at once: a socket with nothing unsent takes it whole.
func (c *conn) write(b []byte) error {
	n, err := unix.Write(c.fd, b)
	if err == nil && n < len(b) {
		err = errors.New("the socket took only a part")
	}
	if err != nil {
		return fmt.Errorf("load: cannot write: %w", err)
	}
	return nil
}

// read reads once. open is false at the end of the connection.
func (c *conn) read() (open bool, err error) {
	if c.n == len(c.buf) {
		return false, fmt.Errorf("load: message is longer than %d octets", maxMessage)
	}
	n, err := unix.Read(c.fd, c.buf[c.n:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return true, nil
	case err == unix.ECONNRESET && c.server:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("load: cannot read: %w", err)
	}
	c.n += n
	return n > 0, nil
}

var (
	answer = []byte("HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Wed, 25 Nov 2026 03:45:00 GMT\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n\r\nhello world")
	okLine  = []byte("HTTP/1.1 200 OK\r\n")
	headEnd = []byte("\r\n\r\n")
	body    = []byte("\r\n\r\nhello world")
)

// response reports whether the client's response is whole: it must be the upstream's, and nothing may stand behind it.
func (c *conn) response() (bool, error) {
	b := c.buf[:c.n]
	if !c.busy || !bytes.HasPrefix(b, okLine[:min(len(b), len(okLine))]) {
		return false, fmt.Errorf("load: response is not 200: %.300q", b)
	}
	end := bytes.Index(b, headEnd)
	if end < 0 || len(b)-end < len(body) {
		return false, nil
	}
	if !bytes.Equal(b[end:], body) {
		return false, fmt.Errorf("load: response is not the upstream's: %.300q", b)
	}
	c.n, c.busy = 0, false
	return true, nil
}
