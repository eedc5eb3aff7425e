package h1

import (
	"io"
	"strings"
	"testing"
	"time"
)

const tooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"

// An endpoint that answers and shuts before the request was whole has answered: the client must learn that, not of the reset
// that its own octets met. It must not be asked again either, nor on that connection.
func TestEarlyAnswerAndReset(t *testing.T) {
	big := strings.Repeat("a", 16<<20) // more than any socket's buffers
	for _, tt := range []struct {
		name string
		ex   *Exchange
	}{
		{"while the head is written", &Exchange{Head: []byte("GET / HTTP/1.1\r\nHost: a\r\nX: " + big + "\r\n\r\n"), Idempotent: true}},
		{"while the body is written", put(big)},
		{"while chunks are written", chunked(strings.NewReader(big))},
	} {
		answered := make(chan struct{})
		ep := listen(t, func(p *peer) {
			_, _ = p.Read(make([]byte, 10))
			p.send(tooLarge)
			close(answered)
			time.Sleep(20 * time.Millisecond)
			// Closed with octets unread: the system sends RST.
		})
		c := testClient(t, ep.addr, nil)
		if err := c.Do(tt.ex); err != nil {
			t.Errorf("%s: Do = %v, want the answer", tt.name, err)
			continue
		}
		<-answered
		if tt.ex.upload != nil {
			<-tt.ex.upload.done // it ends by the reset
		}
		if tt.ex.RequestDone() {
			t.Errorf("%s: RequestDone() = true", tt.name)
		}
		body, err := io.ReadAll(tt.ex)
		if tt.ex.Status != 413 || string(body) != "big" || err != nil {
			t.Errorf("%s: got %d, %q, %v; want 413, big", tt.name, tt.ex.Status, body, err)
		}
		tt.ex.Close()
		if conns, _ := ep.seen(); conns != 1 || c.openConns() != 0 {
			t.Errorf("%s: %d connections were made and %d are kept, want 1 and 0", tt.name, conns, c.openConns())
		}
	}
}

// The same when the reset is there before the first octet is written: the socket's end was signalled long ago, and nothing
// more will be.
func TestWriteAfterReset(t *testing.T) {
	connected := make(chan struct{})
	ep := listen(t, func(p *peer) {
		<-connected
		p.reset()
	})
	c := testClient(t, ep.addr, nil)
	cn, _, err := c.acquire(false)
	close(connected)
	if err != nil {
		t.Fatal(err)
	}
	for !readable(cn) {
		time.Sleep(time.Millisecond)
	}
	cn.phase, cn.out = phaseWrite, get().Head
	_ = cn.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := cn.raw.Read(cn.step); err != nil || cn.fault == nil {
		t.Errorf("write on a reset connection: %v, fault %v; want the fault at once", err, cn.fault)
	}
	c.discard(cn)
}

// An endpoint that takes a request, answers and keeps reading, has not seen all of it when the response is at its end.
func TestResponseBeforeRequestEnd(t *testing.T) {
	body, feed := io.Pipe()
	ep := listen(t, func(p *peer) {
		_, _ = p.Read(make([]byte, 1<<10))
		p.send(okResponse)
		p.drain()
	})
	c := testClient(t, ep.addr, nil)
	ex := chunked(body)
	ex.Interrupt = func() { body.CloseWithError(io.ErrClosedPipe) }
	go func() { _, _ = feed.Write([]byte("the first part")) }()
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	if ex.RequestDone() {
		t.Errorf("RequestDone() = true before the body's end")
	}
	if got, err := io.ReadAll(ex); string(got) != "ok" || err != nil {
		t.Errorf("got %q, %v; want ok", got, err)
	}
	ex.Close() // interrupts the body's reader, or this would not return
	if n := c.openConns(); n != 0 {
		t.Errorf("the connection was kept though the request never ended")
	}
}

// Where the body ends after the response, before Close, both sides are done and the connection may be used again.
func TestRequestEndsAfterResponse(t *testing.T) {
	body, feed := io.Pipe()
	ep := listen(t, func(p *peer) {
		for {
			if _, err := p.br.Peek(1); err != nil {
				return
			}
			p.send(okResponse)
			if !p.request() {
				return
			}
		}
	})
	c := testClient(t, ep.addr, nil)
	ex := chunked(body)
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(ex); string(got) != "ok" || err != nil {
		t.Errorf("got %q, %v; want ok", got, err)
	}
	_, _ = feed.Write([]byte("hello"))
	feed.Close()
	<-ex.upload.done
	if !ex.RequestDone() {
		t.Errorf("RequestDone() = false behind the body's end")
	}
	ex.Close()
	if n := c.idleConns(); n != 1 {
		t.Errorf("%d connections kept, want 1", n)
	}
	if status, _, err := do(c, get()); status != 200 || err != nil {
		t.Errorf("the next request: %d, %v", status, err)
	}
	if conns, requests := ep.await(2); conns != 1 || strings.Join(requests, "|") != "POST hello|GET " {
		t.Errorf("%d connections, requests %q", conns, requests)
	}
}
