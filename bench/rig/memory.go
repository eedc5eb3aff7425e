package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"sallyport/bench/corpus"
	"sallyport/edge"
)

// A Memory is the whole path without sockets: the proxy as it is, between a client and an upstream that are no more than
// memory. All of a request is done by one goroutine, the proxy's, and makes no system call, so that the process's own time is
// that of the path. Run must not be called concurrently.
type Memory struct {
	// Corpus has the tokens; nil on a public route.
	Corpus *corpus.Corpus
	// Each, when set, is called with each request, by the goroutine that serves it. It may be changed between Runs.
	Each func()

	dir    string
	server *edge.Server
	client memoryClient
	up     memoryUpstream
	closed chan struct{} // by Close
	once   sync.Once
}

// NewMemory starts one.
func NewMemory(opt Options) (m *Memory, err error) {
	m = &Memory{closed: make(chan struct{})}
	m.client = memoryClient{memory: m, begin: make(chan int), ended: make(chan error)}
	m.up.needs = identity
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.dir, err = os.MkdirTemp("", "sallyport-rig-"); err != nil {
		return nil, err
	}
	if m.Corpus, err = opt.corpus(); err != nil {
		return nil, err
	}
	if m.Corpus == nil {
		m.up.needs = nil
	}
	m.client.requests = requestsOf(m.Corpus)
	path, err := opt.configure(m.dir, "127.0.0.1:1", "127.0.0.1:2", m.Corpus) // nobody opens them
	if err != nil {
		return nil, err
	}
	ln := &memoryListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	ln.conns <- &m.client
	m.server, err = edge.Start(edge.Options{
		ConfigPath: path,
		Listen:     func(string) (net.Listener, error) { return ln, nil },
		Dial:       func(string) (net.Conn, error) { return &m.up, nil },
	})
	if err != nil {
		return nil, err
	}
	return m, m.Run(len(m.client.requests))
}

// Requests returns what the client sends in turn.
func (m *Memory) Requests() [][]byte { return m.client.requests }

// Run passes n requests through the proxy. Each must be answered by the upstream, which must have been told who asks.
func (m *Memory) Run(n int) error {
	select {
	case m.client.begin <- n:
	case <-m.closed:
		return net.ErrClosed
	}
	return <-m.client.ended
}

// Close ends everything.
func (m *Memory) Close() {
	m.once.Do(func() { close(m.closed) })
	if m.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		m.server.Shutdown(ctx)
		cancel()
	}
	os.RemoveAll(m.dir)
}

// AllocsPerRequest returns the heap allocations of the whole process for one request: the fewest of many short rounds. What a ticker
// allocates now and then is in few of them, what each request allocates in all. Behind the pauses the verification pool has no queue,
// for which it starts a goroutine each time.
func (m *Memory) AllocsPerRequest() (float64, error) {
	const n = 100
	fewest, err := fewestAllocs(30, 5*time.Millisecond, func() error { return m.Run(n) })
	return float64(fewest) / n, err
}

// A memoryListener has one connection to accept.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *memoryListener) Addr() net.Addr { return memoryAddr }

// memoryAddr is where all ends of connections are.
var memoryAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// memoryConn has the parts of a net.Conn that nothing depends on here. Deadlines never pass: nobody waits.
type memoryConn struct{}

func (memoryConn) LocalAddr() net.Addr              { return memoryAddr }
func (memoryConn) RemoteAddr() net.Addr             { return memoryAddr }
func (memoryConn) SetDeadline(time.Time) error      { return nil }
func (memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (memoryConn) SetWriteDeadline(time.Time) error { return nil }

// A memoryClient sends its requests in turn, each when the answer to the one before is here, as many as a Run asks for.
type memoryClient struct {
	memoryConn
	memory   *Memory
	requests [][]byte
	begin    chan int
	ended    chan error

	// Of the goroutine that serves the connection.
	running bool
	next    int
	left    int    // requests of this Run that have not been sent
	rest    []byte // of the present one
	open    bool   // it has not been answered
	fault   error
}

// Read implements net.Conn.
func (c *memoryClient) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.open && c.fault == nil {
			c.fault = errors.New("rig: the proxy asks for more than the request")
		}
		if c.left == 0 || c.fault != nil {
			if err := c.wait(); err != nil {
				return 0, err
			}
		}
		c.left--
		c.rest, c.open = c.requests[c.next], true
		if c.next++; c.next == len(c.requests) {
			c.next = 0
		}
		if c.memory.Each != nil {
			c.memory.Each()
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// wait ends a Run and waits for the next. A fault ends the connection, too.
func (c *memoryClient) wait() error {
	if c.running {
		c.running = false
		fault := errors.Join(c.fault, c.memory.up.fault)
		c.ended <- fault
		if fault != nil {
			return fault
		}
	}
	select {
	case c.left = <-c.begin:
		c.running = true
		return nil
	case <-c.memory.closed:
		return io.EOF
	}
}

// Write implements net.Conn: it takes the answer, in one piece.
func (c *memoryClient) Write(p []byte) (int, error) {
	if c.open = false; !bytes.HasPrefix(p, okLine) || !bytes.HasSuffix(p, tail) {
		c.fault = fmt.Errorf("rig: response is not the upstream's: %.200q", p)
	}
	return len(p), nil
}

// Close implements net.Conn: the proxy gives the connection up, for a fault when a Run is on.
func (c *memoryClient) Close() error {
	if c.running {
		c.running = false
		c.ended <- errors.Join(c.fault, c.memory.up.fault, errors.New("rig: the proxy closed the connection"))
	}
	c.memory.once.Do(func() { close(c.memory.closed) })
	return nil
}

// A memoryUpstream answers each head that it is sent.
type memoryUpstream struct {
	memoryConn
	needs []byte // what the first head of a connection must have; nil: seen, or nothing
	rest  []byte // of the answer
	fault error
}

// identity is what the private route sets.
var identity = []byte("\r\nX-User: f3b1c2d4-")

// Write implements net.Conn.
func (u *memoryUpstream) Write(p []byte) (int, error) {
	if !bytes.HasSuffix(p, headEnd) || !bytes.Contains(p, u.needs) {
		u.fault = fmt.Errorf("rig: what the upstream is sent is no head, or not that of somebody known: %.200q", p)
	}
	u.needs, u.rest = nil, answer
	return len(p), nil
}

// Read implements net.Conn.
func (u *memoryUpstream) Read(p []byte) (int, error) {
	if len(u.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// Close implements net.Conn.
func (u *memoryUpstream) Close() error { return nil }
