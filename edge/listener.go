package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"sallyport/edge/config"
	"sallyport/edge/wire"
)

// A listener is one listening socket. It outlives reloads: its certificates and its settings are swapped, the socket stays.
type listener struct {
	address string
	ln      net.Listener
	log     *slog.Logger
	onLimit func()        // counts a connection refused for want of room
	count   *atomic.Int64 // open connections of the whole server

	cur atomic.Pointer[connServer] // settings for the next accepted connection

	mu      sync.Mutex
	total   int                // open connections, of all connServers
	perIP   map[netip.Addr]int // open connections by source; IPv6 by /64
	conns   map[*conn]struct{}
	retired map[*connServer]struct{} // generations before cur that still have connections

	done chan struct{}  // closed when the accept loop has ended
	wg   sync.WaitGroup // joins the generations' own accept loops
}

// A connServer is one generation of a listener's settings: a fasthttp.Server fed by a channel, so that a change of
// settings needs no new socket and an old generation drains by itself.
type connServer struct {
	cfg      config.Listener
	tls      atomic.Pointer[tls.Config] // nil: plain text, for good. A reload may replace what later handshakes take
	limits   *wire.Limits
	http     *fasthttp.Server
	feed     *chanListener
	retiring atomic.Bool // answers ask the client to close
	open     int         // connections; guarded by listener.mu
}

// chanListener hands connections from the accept loop to a fasthttp.Server.
type chanListener struct {
	ch     chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newChanListener(addr net.Addr) *chanListener {
	return &chanListener{ch: make(chan net.Conn), closed: make(chan struct{}), addr: addr}
}

// Accept implements net.Listener.
func (l *chanListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ch:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *chanListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *chanListener) Addr() net.Addr { return l.addr }

// send reports false when the listener is closed.
func (l *chanListener) send(c net.Conn) bool {
	select {
	case l.ch <- c:
		return true
	case <-l.closed:
		return false
	}
}

// listen opens the socket; nothing is accepted before run.
func listen(address string, open func(string) (net.Listener, error), log *slog.Logger) (*listener, error) {
	ln, err := open(address)
	if err != nil {
		return nil, err
	}
	return &listener{
		address: address, ln: ln, log: log, done: make(chan struct{}),
		perIP: map[netip.Addr]int{}, conns: map[*conn]struct{}{}, retired: map[*connServer]struct{}{},
	}, nil
}

// install makes cs the settings of every connection accepted from now on and retires the generation before it.
func (l *listener) install(cs *connServer) {
	l.wg.Go(func() { _ = cs.http.Serve(cs.feed) }) // ends when the feed is closed, by retire or shutdown
	if old := l.cur.Swap(cs); old != nil {
		l.retire(old)
	}
}

// replaceTLS gives later handshakes the certificates of cs; nothing else of it is taken, and open connections stay.
func (l *listener) replaceTLS(cs *connServer) {
	l.cur.Load().tls.Store(cs.tls.Load())
}

// retire lets the connections of an old generation end by themselves: each next answer says Connection: close, and an idle
// connection falls to its idle timeout. The generation gets no new ones.
func (l *listener) retire(old *connServer) {
	old.retiring.Store(true)
	l.mu.Lock()
	if old.open > 0 {
		l.retired[old] = struct{}{}
	}
	l.mu.Unlock()
	old.feed.Close()
}

// run accepts until the socket is closed.
func (l *listener) run() {
	defer close(l.done)
	var delay time.Duration
	for {
		c, err := l.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors or memory: wait, do not spin (5 ms to 1 s), and say so.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.log.Error("listener: cannot accept", "address", l.address, "error", err, "retry_in", delay)
			time.Sleep(delay)
			continue
		}
		delay = 0
		l.admit(c)
	}
}

// admit takes c in or closes it when the listener or its source has too many.
func (l *listener) admit(c net.Conn) {
	wc := &conn{Conn: c, owner: l, source: sourceOf(addrOf(c.RemoteAddr()))}
	if !l.enter(wc, &l.cur.Load().cfg) {
		l.onLimit()
		c.Close()
		return
	}
	if tc, ok := c.(*net.TCPConn); ok {
		tc.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4})
	}
	for {
		cs := l.cur.Load()
		l.assign(wc, cs)
		var inner net.Conn = wc
		if tc := cs.tls.Load(); tc != nil {
			inner = tls.Server(wc, tc)
		}
		if cs.feed.send(wire.NewConn(inner, cs.limits)) {
			return
		}
		if l.cur.Load() == cs { // not retired in this moment, so the listener ends
			wc.Close()
			return
		}
	}
}

func (l *listener) enter(c *conn, cfg *config.Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= cfg.MaxConnections {
		return false
	}
	if cfg.MaxConnectionsPerIP > 0 && l.perIP[c.source] >= cfg.MaxConnectionsPerIP {
		return false
	}
	l.total++
	l.count.Add(1)
	l.perIP[c.source]++
	l.conns[c] = struct{}{}
	return true
}

// assign makes c one of cs's connections. It has not been handed over yet.
func (l *listener) assign(c *conn, cs *connServer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unassign(c)
	c.gen, c.writeTimeout = cs, cs.cfg.WriteTimeout
	cs.open++
	if cs.retiring.Load() {
		l.retired[cs] = struct{}{}
	}
}

// unassign forgets the generation of c. l.mu is held.
func (l *listener) unassign(c *conn) {
	if c.gen == nil {
		return
	}
	if c.gen.open--; c.gen.open == 0 {
		delete(l.retired, c.gen)
	}
}

func (l *listener) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unassign(c)
	l.total--
	l.count.Add(-1)
	if l.perIP[c.source]--; l.perIP[c.source] <= 0 {
		delete(l.perIP, c.source)
	}
	delete(l.conns, c)
}

// shutdown stops accepting, lets requests in flight end until ctx is done, those of retired generations too, then closes
// what is left.
func (l *listener) shutdown(ctx context.Context) {
	l.ln.Close()
	<-l.done
	l.mu.Lock()
	generations := append(slices.Collect(maps.Keys(l.retired)), l.cur.Load())
	l.mu.Unlock()
	var wg sync.WaitGroup
	for _, cs := range generations {
		cs.retiring.Store(true)
		// Shutdown closes the feed only where Serve has already taken it.
		cs.feed.Close()
		wg.Go(func() { _ = cs.http.ShutdownWithContext(ctx) }) // the error is ctx's
	}
	wg.Wait()
	l.mu.Lock()
	left := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	if len(left) > 0 {
		l.log.Warn("listener: the time to drain is over; closing open connections", "address", l.address, "open", len(left))
	}
	for _, c := range left {
		c.Close()
	}
	l.wg.Wait()
}

func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

// sourceOf is the key of the per-source limits: an IPv4 address, or the /64 of an IPv6 one.
func sourceOf(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64)
		return p.Addr()
	}
	return ip
}

// A conn is one client connection: counted, and with a write deadline that each write renews, so that a client that does
// not read ends while a long download that flows does not.
type conn struct {
	net.Conn
	owner        *listener
	gen          *connServer // guarded by owner.mu
	source       netip.Addr
	writeTimeout time.Duration
	deadlineSet  time.Time // when the write deadline was last renewed
	closed       atomic.Bool
}

// Write implements net.Conn. The deadline is renewed when an eighth of it has gone, since each renewal costs a timer change.
func (c *conn) Write(p []byte) (int, error) {
	if time.Since(c.deadlineSet) > c.writeTimeout/8 {
		now := time.Now()
		if err := c.Conn.SetWriteDeadline(now.Add(c.writeTimeout)); err != nil {
			return 0, err
		}
		c.deadlineSet = now
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.owner.leave(c)
	return c.Conn.Close()
}
