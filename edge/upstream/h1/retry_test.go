package h1

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A request is sent again only if it is idempotent, has no body, went out on a reused connection and got no octet back.
func TestRetryRule(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  bool // the fault is on the first connection's first request, else on its second
		answer string
		reset  bool
		ex     func() *Exchange
		sent   int // requests that came, without the one that warms the connection
		err    error
	}{
		{name: "GET", ex: get, sent: 2},
		{name: "GET reset", ex: get, reset: true, sent: 2},
		{name: "GET on a new connection", first: true, ex: get, sent: 1, err: ErrResponse},
		{name: "GET after one octet", answer: "H", ex: get, sent: 1, err: ErrResponse},
		{name: "GET after an interim response", answer: "HTTP/1.1 103 Early Hints\r\n\r\n", ex: get, sent: 1, err: ErrResponse},
		{name: "POST", ex: post, sent: 1, err: ErrResponse},
		{name: "POST reset", ex: post, reset: true, sent: 1, err: ErrResponse},
		{name: "PUT with a small body", ex: func() *Exchange { return put("hello") }, sent: 1, err: ErrResponse},
		{name: "PUT with a large body", ex: func() *Exchange { return put(strings.Repeat("a", 2*smallBody)) }, sent: 1, err: ErrResponse},
		{name: "POST in chunks", ex: func() *Exchange { return chunked(strings.NewReader("hello")) }, sent: 1, err: ErrResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := listen(t, func(p *peer) {
				for n := 1; p.request(); n++ {
					if p.n == 1 && (n == 2 || tt.first) {
						p.send(tt.answer)
						if tt.reset {
							p.reset()
						}
						return
					}
					p.send(okResponse)
				}
			})
			c := testClient(t, ep.addr, nil)
			warm := 0
			if !tt.first {
				if _, _, err := do(c, get()); err != nil {
					t.Fatal(err)
				}
				warm = 1
			}
			status, body, err := do(c, tt.ex())
			if !errors.Is(err, tt.err) || (tt.err == nil && (err != nil || status != 200 || body != "ok")) {
				t.Errorf("got %d, %q, %v; want error %v", status, body, err, tt.err)
			}
			if _, requests := ep.seen(); len(requests)-warm != tt.sent {
				t.Errorf("the endpoint got %q: %d requests, want %d", requests, len(requests)-warm, tt.sent)
			}
			if open, idle := c.openConns(), c.idleConns(); open != idle {
				t.Errorf("%d connections counted, %d idle: a place is lost", open, idle)
			}
		})
	}
}

// Sent again means on a new connection, also when all places are taken and one must be waited for: else one request could go
// round over every stale connection that others give back.
func TestRetryWaitsForNewConnection(t *testing.T) {
	cut, busy, hold := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ep := listen(t, func(p *peer) {
		for n := 1; p.request(); n++ {
			switch {
			case p.n == 1 && n == 2:
				<-cut
				return // the retried request's first try
			case p.n == 2 && n == 1:
				close(busy) // the place was taken by the other request
				<-hold
			case p.n == 2:
				return // a second try on a reused connection would end here
			}
			p.send(okResponse)
		}
	})
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = 1 })
	c.wait = 10 * time.Second
	if _, _, err := do(c, get()); err != nil {
		t.Fatal(err)
	}
	type result struct {
		status int
		err    error
	}
	retried, other := make(chan result, 1), make(chan result, 1)
	run := func(ch chan result) {
		status, _, err := do(c, get())
		ch <- result{status, err}
	}
	go run(retried)
	ep.await(2)
	go run(other)
	c.waitFor(1)
	close(cut)
	<-busy
	c.waitFor(1)
	close(hold)
	for name, ch := range map[string]chan result{"retried": retried, "other": other} {
		if r := <-ch; r.status != 200 || r.err != nil {
			t.Errorf("%s request: %d, %v; want 200", name, r.status, r.err)
		}
	}
	if conns, requests := ep.seen(); conns != 3 || len(requests) != 4 {
		t.Errorf("%d connections, requests %q; want 3 and 4", conns, requests)
	}
}

// waitFor returns when n exchanges wait for a connection.
func (c *Client) waitFor(n int) {
	for {
		c.mu.Lock()
		waiting := len(c.waiters)
		c.mu.Unlock()
		if waiting == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
