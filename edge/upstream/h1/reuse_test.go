package h1

import (
	"net"
	"testing"
	"time"
)

// SECURITY notes 0.2: what comes on an idle connection is nobody's response.
func TestSurplusLater(t *testing.T) {
	for _, late := range []string{"!", okResponse, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"} {
		wrote := make(chan struct{})
		ep := listen(t, func(p *peer) {
			if !p.request() {
				return
			}
			p.send(okResponse)
			if p.n == 1 {
				time.Sleep(10 * time.Millisecond)
				p.send(late)
				close(wrote)
			}
			p.drain()
		})
		c := testClient(t, ep.addr, nil)
		for i := range 2 {
			// A POST: a stale connection is replaced whatever the method, since nothing was written on it.
			if status, body, err := do(c, post()); status != 200 || body != "ok" || err != nil {
				t.Errorf("%q on the idle connection: request %d got %d, %q, %v", late, i, status, body, err)
			}
			<-wrote
		}
		if conns, requests := ep.seen(); conns != 2 || len(requests) != 2 {
			t.Errorf("%q on the idle connection: %d connections and requests %q, want 2 and 2", late, conns, requests)
		}
	}
}

// An endpoint that speaks before it was asked has not answered (RFC 9112, 9.2), and the client does not wait for more.
func TestSpeaksFirst(t *testing.T) {
	ep := listen(t, func(p *peer) {
		p.send(okResponse)
		p.drain()
	})
	c := testClient(t, ep.addr, nil)
	cn, _, err := c.acquire(false)
	if err != nil {
		t.Fatal(err)
	}
	for !readable(cn) {
		time.Sleep(time.Millisecond)
	}
	ex := get()
	ex.client = c
	if err := ex.try(cn, ex.Head, false); err != errStale {
		t.Errorf("octets sent before the request: status %d, %v; want %v", ex.Status, err, errStale)
	}
	c.discard(cn)
}

// readable reports whether something has come, without reading it.
func readable(cn *conn) bool {
	ok := false
	_ = cn.raw.Control(func(fd uintptr) { ok = peek(fd) })
	return ok
}

// A connection that the endpoint has shut is replaced, for every method.
func TestShutWhileIdle(t *testing.T) {
	for _, how := range []func(p *peer){
		func(p *peer) { p.Close() },
		func(p *peer) { p.reset() },
		func(p *peer) { _ = p.Conn.(*net.TCPConn).CloseWrite(); p.drain() }, // half: it would still read
	} {
		shut := make(chan struct{}, 1)
		ep := listen(t, func(p *peer) {
			if !p.request() {
				return
			}
			p.send(okResponse)
			if p.n > 1 {
				p.drain()
				return
			}
			<-shut
			how(p)
		})
		c := testClient(t, ep.addr, nil)
		if _, _, err := do(c, post()); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		cn := c.idle[0]
		c.mu.Unlock()
		shut <- struct{}{}
		for !readable(cn) {
			time.Sleep(time.Millisecond)
		}
		if status, body, err := do(c, post()); status != 200 || body != "ok" || err != nil {
			t.Errorf("behind a connection that was shut: %d, %q, %v", status, body, err)
		}
		if conns, requests := ep.seen(); conns != 2 || len(requests) != 2 {
			t.Errorf("%d connections and requests %q, want 2 and 2", conns, requests)
		}
	}
}

// After a fault in a body nothing more is read from it: what follows has no meaning.
func TestBodyFaultStays(t *testing.T) {
	ep := listen(t, func(p *peer) {
		if p.request() {
			p.send(chunkedResponse("x\r\n2\r\nok\r\n0\r\n\r\n"))
			p.drain()
		}
	})
	c := testClient(t, ep.addr, nil)
	ex := get()
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for i := range 3 {
		if n, err := ex.Read(buf); n != 0 || err != ErrResponse {
			t.Errorf("Read %d behind a bad chunk = %q, %v; want %v", i, buf[:n], err, ErrResponse)
		}
	}
	ex.Close()
	if n := c.idleConns(); n != 0 {
		t.Errorf("the connection was kept")
	}
}
