// Package h1 speaks HTTP/1.1 to one endpoint: a pool of connections, streamed bodies, and the doubts that a proxy must have
// about what comes back on a connection (RFC 9112, 9; SECURITY notes, findings 2 and 3).
package h1

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Errors of Do, to be told apart with errors.Is.
var (
	ErrConnect      = errors.New("h1: cannot connect to the endpoint")
	ErrTimeout      = errors.New("h1: the endpoint did not answer in time")
	ErrBusy         = errors.New("h1: all connections to the endpoint are in use")
	ErrResponse     = errors.New("h1: the endpoint's response is not valid")
	ErrBodyTooLarge = errors.New("h1: the request body is too large")
	ErrRequestBody  = errors.New("h1: the request body cannot be read")
)

// Options is one endpoint.
type Options struct {
	Address         string      // host:port
	TLS             *tls.Config // nil: plain text
	MaxConns        int         // in use and idle together
	ConnectTimeout  time.Duration
	ResponseTimeout time.Duration // from the request's end to the end of the response head
	IdleTimeout     time.Duration // how long a connection is kept unused, and a body may be silent
	MaxHead         int           // octets of a response head
	// Dial, when set, opens connections in the place of TCP.
	Dial func(address string) (net.Conn, error)
}

// maxWait bounds how long an exchange waits for a connection when all are in use.
const maxWait = time.Second

// Client is the transport to one endpoint. It is safe for concurrent use.
type Client struct {
	opt  Options
	wait time.Duration // for a connection, when all are in use

	mu      sync.Mutex
	idle    []*conn // the last one used is taken first
	open    int     // idle and in use
	waiters []chan *conn
	closed  bool
	sweeper *time.Timer // closes connections idle for too long; nil: none is idle
}

// NewClient makes a client; it does not connect.
func NewClient(opt Options) *Client {
	if opt.Dial == nil {
		dialer := net.Dialer{Timeout: opt.ConnectTimeout, KeepAlive: 30 * time.Second}
		opt.Dial = func(address string) (net.Conn, error) { return dialer.Dial("tcp", address) }
	}
	return &Client{opt: opt, wait: min(maxWait, opt.ConnectTimeout)}
}

// Close closes the idle connections; those in use are closed when their exchange ends.
func (c *Client) Close() {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.closed = nil, true
	c.open -= len(idle)
	if c.sweeper != nil {
		c.sweeper.Stop()
	}
	c.mu.Unlock()
	for _, cn := range idle {
		cn.nc.Close()
	}
}

// acquire returns an idle connection, or a new one when there is none or fresh is set. reused says which.
func (c *Client) acquire(fresh bool) (cn *conn, reused bool, err error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 && !fresh {
		cn = c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return cn, true, nil
	}
	if c.open >= c.opt.MaxConns {
		if n := len(c.idle); n > 0 { // fresh: an idle one makes room
			old := c.idle[0]
			c.idle = slices.Delete(c.idle, 0, 1)
			c.mu.Unlock()
			old.nc.Close()
			return c.dial()
		}
		return c.queue(fresh) // unlocks
	}
	c.open++
	c.mu.Unlock()
	return c.dial()
}

// queue waits for a connection that another exchange gives back. c.mu is held and is released.
func (c *Client) queue(fresh bool) (*conn, bool, error) {
	ch := make(chan *conn, 1)
	c.waiters = append(c.waiters, ch)
	c.mu.Unlock()
	timer := time.NewTimer(c.wait)
	defer timer.Stop()
	select {
	case cn := <-ch:
		return c.served(cn, fresh)
	case <-timer.C:
	}
	c.mu.Lock()
	if i := slices.Index(c.waiters, ch); i >= 0 {
		c.waiters = slices.Delete(c.waiters, i, i+1)
		c.mu.Unlock()
		return nil, false, ErrBusy
	}
	c.mu.Unlock()
	return c.served(<-ch, fresh) // it came between the timer and the lock
}

// served makes a connection of what a waiter was given: another exchange's connection, or nil for a place to dial. Where a
// fresh one is asked for, only the place of the given one is of use: a request is sent again at most once, because the
// second time it goes out on a connection that is not reused.
func (c *Client) served(cn *conn, fresh bool) (*conn, bool, error) {
	switch {
	case cn == nil:
		return c.dial()
	case fresh:
		cn.nc.Close()
		return c.dial()
	}
	return cn, true, nil
}

// dial makes a connection for a place that is already counted.
func (c *Client) dial() (*conn, bool, error) {
	nc, err := c.opt.Dial(c.opt.Address)
	if err != nil {
		c.gone()
		return nil, false, fmt.Errorf("%w: %w", ErrConnect, err)
	}
	raw := nc
	if c.opt.TLS != nil {
		t := tls.Client(nc, c.opt.TLS)
		_ = nc.SetDeadline(time.Now().Add(c.opt.ConnectTimeout))
		if err := t.Handshake(); err != nil {
			nc.Close()
			c.gone()
			return nil, false, fmt.Errorf("%w: %w", ErrConnect, err)
		}
		_ = nc.SetDeadline(time.Time{})
		nc = t
	}
	return newConn(nc, raw, c.opt.TLS == nil), false, nil
}

// gone gives a place back, to a waiter if there is one.
func (c *Client) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.nextWaiter(); ch != nil {
		ch <- nil
		return
	}
	c.open--
}

func (c *Client) nextWaiter() chan *conn {
	if len(c.waiters) == 0 {
		return nil
	}
	ch := c.waiters[0]
	c.waiters = slices.Delete(c.waiters, 0, 1)
	return ch
}

// discard closes a connection in use.
func (c *Client) discard(cn *conn) {
	cn.nc.Close()
	c.gone()
}

// release takes a clean connection back.
func (c *Client) release(cn *conn, now time.Time) {
	cn.lastUsed = now
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.discard(cn)
		return
	}
	if ch := c.nextWaiter(); ch != nil {
		c.mu.Unlock()
		ch <- cn
		return
	}
	c.idle = append(c.idle, cn)
	if c.sweeper == nil {
		c.sweeper = time.AfterFunc(c.opt.IdleTimeout, c.sweep)
	}
	c.mu.Unlock()
}

// sweep closes the connections that have been idle for too long; the oldest are first in the list.
func (c *Client) sweep() {
	now := time.Now()
	c.mu.Lock()
	n := 0
	for n < len(c.idle) && now.Sub(c.idle[n].lastUsed) >= c.opt.IdleTimeout {
		n++
	}
	old := slices.Clone(c.idle[:n])
	c.idle = slices.Delete(c.idle, 0, n)
	c.open -= n
	switch {
	case c.closed || len(c.idle) == 0:
		c.sweeper = nil
	default:
		c.sweeper.Reset(c.opt.IdleTimeout - now.Sub(c.idle[0].lastUsed))
	}
	c.mu.Unlock()
	for _, cn := range old {
		cn.nc.Close()
	}
}
