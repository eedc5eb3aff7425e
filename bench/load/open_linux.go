package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Stream is an open loop: requests of one source address that are due at a fixed rate, whatever becomes of them. Its fields are
// not changed while Offer runs.
type Stream struct {
	Source netip.Addr    // local IPv4 address of the connections
	Conns  int           // connections
	Depth  int           // requests that one connection may have outstanding, in a row (RFC 9112, 9.3.2); 0: 1
	Rate   float64       // requests a second
	Next   func() []byte // the next request; valid until the next call
	// Patience is after how long, counted from when it was due, a response is of no use any more; required.
	Patience time.Duration
	// Shed has a request that finds all connections at Depth forgotten, which makes what the stream sends at most what the
	// proxy takes. Without it the request waits, and its latency counts from when it was due.
	Shed bool

	conns []*conn
	due   []time.Duration // of requests that wait for a connection, oldest first
	rank  int             // where the search for a connection begins
	tally Tally
}

// A Tally is what became of a Stream's requests.
type Tally struct {
	Offered int // due in the time of the run
	Sent    int
	Shed    int
	Status  [600]int // responses by status
	InTime  int      // 200 within Patience of when it was due
	// Bare503 counts 503 without Retry-After.
	Bare503 int
	// Latency is of each 200, from when it was due, in ascending order.
	Latency []time.Duration
}

// Quantile returns the latency below which the part q of all 200 lies; 0 when there is none.
func (t *Tally) Quantile(q float64) time.Duration {
	if len(t.Latency) == 0 {
		return 0
	}
	return t.Latency[min(int(q*float64(len(t.Latency))), len(t.Latency)-1)]
}

// DialStream opens the stream's connections to the IPv4 address host:port.
func (l *Load) DialStream(address string, s *Stream) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("load: cannot dial: %w", err)
	}
	for range s.Conns {
		c, err := l.dialFrom(s.Source, to)
		if err != nil {
			return fmt.Errorf("load: cannot connect from %s to %s: %w", s.Source, address, err)
		}
		c.stream = s
		s.conns = append(s.conns, c)
	}
	return nil
}

func (l *Load) dialFrom(from netip.Addr, to netip.AddrPort) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return l.add(fd)
}

// Offer runs the streams for d and then, offering no more, until all responses have come or every Stream's patience is over.
// What is still outstanding then is taken up by the next run, and counts for none. It returns one Tally for each stream.
func (l *Load) Offer(d time.Duration, streams ...*Stream) ([]Tally, error) {
	start := time.Now()
	end := d
	for _, s := range streams {
		if s.Rate <= 0 || s.Patience <= 0 {
			return nil, errors.New("load: a stream lacks its rate or its patience")
		}
		s.tally, s.due = Tally{}, s.due[:0]
		end = max(end, d+s.Patience)
		for _, c := range s.conns {
			for i := range c.sent {
				c.sent[i] = stale
			}
		}
	}
	for {
		now := time.Since(start)
		busy := false
		for _, s := range streams {
			if err := s.advance(now, d); err != nil {
				return nil, err
			}
			busy = busy || s.pending()
		}
		if now >= end || (now >= d && !busy) {
			break
		}
		if err := l.poll(start); err != nil {
			return nil, err
		}
	}
	out := make([]Tally, len(streams))
	for i, s := range streams {
		slices.Sort(s.tally.Latency)
		out[i] = s.tally
	}
	return out, nil
}

// stale marks a request of an earlier run.
const stale = time.Duration(-1)

// poll does what the sockets are ready for, without waiting.
func (l *Load) poll(start time.Time) error {
	ready, err := unix.EpollWait(l.epoll, l.events[:], 0)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("load: cannot wait: %w", err)
	}
	for _, e := range l.events[:max(ready, 0)] {
		if c := l.conn(int(e.Fd)); c == nil || c.stream == nil {
			if _, err := l.handle(int(e.Fd)); err != nil {
				return err
			}
		} else if err := c.answers(start); err != nil {
			return err
		}
	}
	return nil
}

func (l *Load) conn(fd int) *conn {
	if fd < len(l.conns) {
		return l.conns[fd]
	}
	return nil
}

// advance makes the requests that are due by now, and sends what can be sent.
func (s *Stream) advance(now, end time.Duration) error {
	for by := min(now, end); ; s.tally.Offered++ {
		due := time.Duration(float64(s.tally.Offered) / s.Rate * float64(time.Second))
		if due >= end || due > by {
			break
		}
		s.due = append(s.due, due)
	}
	for _, c := range s.conns {
		if err := c.flush(); err != nil {
			return err
		}
	}
	for len(s.due) > 0 {
		c := s.free()
		if c == nil {
			if s.Shed {
				s.tally.Shed += len(s.due)
				s.due = s.due[:0]
			}
			return nil
		}
		if err := c.push(s.Next()); err != nil {
			return err
		}
		c.sent = append(c.sent, s.due[0])
		s.due = s.due[1:]
		s.tally.Sent++
	}
	return nil
}

// free returns a connection that may take a request, each in turn; nil when none may.
func (s *Stream) free() *conn {
	for range s.conns {
		c := s.conns[s.rank]
		s.rank = (s.rank + 1) % len(s.conns)
		if len(c.sent) < max(s.Depth, 1) && len(c.out) == 0 {
			return c
		}
	}
	return nil
}

// pending reports whether requests wait or are outstanding.
func (s *Stream) pending() bool {
	if len(s.due) > 0 {
		return true
	}
	return slices.ContainsFunc(s.conns, func(c *conn) bool { return len(c.sent) > 0 })
}

// push writes b, of which the socket may take a part: the rest goes before the next request.
func (c *conn) push(b []byte) error {
	n, err := unix.Write(c.fd, b)
	if err != nil && err != unix.EAGAIN {
		return fmt.Errorf("load: cannot write: %w", err)
	}
	c.out = append(c.out[:0], b[max(n, 0):]...)
	return nil
}

// flush writes what is left of an earlier request.
func (c *conn) flush() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("load: cannot write: %w", err)
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return nil
}

// answers reads once and takes the responses that have come whole.
func (c *conn) answers(start time.Time) error {
	open, err := c.read()
	if err == nil && !open {
		err = errors.New("load: the proxy closed a client's connection")
	}
	if err != nil {
		return err
	}
	now := time.Since(start)
	at := 0
	for at < c.n {
		n, err := c.stream.answer(c, c.buf[at:c.n], now)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		at += n
	}
	c.n = copy(c.buf, c.buf[at:c.n])
	return nil
}

var statusLine = []byte("HTTP/1.1 ")

// field returns the value of a response's field, whose name may come in any case (RFC 9110, 5.1). ok is false when there is none.
func field(head []byte, name string) (value string, ok bool) {
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			return strings.TrimSpace(string(line[len(name)+1:])), true
		}
	}
	return "", false
}

// answer takes the response that b begins with, and returns its length, 0 when it has not come whole.
func (s *Stream) answer(c *conn, b []byte, now time.Duration) (int, error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return 0, nil
	}
	head := b[:end+2]
	status, length := 0, -1
	if rest, ok := bytes.CutPrefix(head, statusLine); ok && len(rest) > 3 {
		status, _ = strconv.Atoi(string(rest[:3]))
	}
	if digits, ok := field(head, "Content-Length"); ok {
		length, _ = strconv.Atoi(digits)
	}
	if status < 200 || status >= len(s.tally.Status) || length < 0 || len(c.sent) == 0 {
		return 0, fmt.Errorf("load: response is not one that was to come: %.300q", b)
	}
	whole := end + len(headEnd) + length
	if len(b) < whole {
		return 0, nil
	}
	due := c.sent[0]
	c.sent = c.sent[:copy(c.sent, c.sent[1:])]
	if due == stale {
		return whole, nil
	}
	s.tally.Status[status]++
	switch status {
	case 200:
		if !bytes.Equal(b[end:whole], body) {
			return 0, fmt.Errorf("load: response is not the upstream's: %.300q", b)
		}
		if s.tally.Latency = append(s.tally.Latency, now-due); now-due <= s.Patience {
			s.tally.InTime++
		}
	case 503:
		if _, ok := field(head, "Retry-After"); !ok {
			s.tally.Bare503++
		}
	}
	return whole, nil
}
