package h1

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hold takes a connection of c and keeps it in use until the returned function is called.
func hold(t *testing.T, c *Client) (end func()) {
	t.Helper()
	ex := get()
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	return func() {
		_, _ = io.ReadAll(ex)
		ex.Close()
	}
}

func okEndpoint(t *testing.T) *endpoint {
	return listen(t, func(p *peer) {
		for p.request() {
			p.send(okResponse)
		}
	})
}

// Those who wait are served in the order in which they came, and nobody overtakes them.
func TestWaitersAreServedInOrder(t *testing.T) {
	ep := okEndpoint(t)
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = 1 })
	c.wait = 10 * time.Second
	end := hold(t, c)
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			ex := get()
			if err := c.Do(ex); err != nil {
				t.Errorf("waiter %d: %v", i, err)
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			_, _ = io.ReadAll(ex)
			ex.Close()
		})
		c.waitFor(i + 1)
	}
	end()
	wg.Wait()
	for i, n := range order {
		if i != n {
			t.Errorf("served in the order %v", order)
			break
		}
	}
	if conns, _ := ep.seen(); conns != 1 {
		t.Errorf("%d connections, want 1", conns)
	}
}

// A place that a closed connection leaves goes to who waits, as a connection does.
func TestWaiterGetsPlace(t *testing.T) {
	ep := listen(t, func(p *peer) {
		if p.request() {
			p.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
			p.drain()
		}
	})
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = 1 })
	c.wait = 10 * time.Second
	end := hold(t, c)
	done := make(chan error, 1)
	go func() {
		_, _, err := do(c, get())
		done <- err
	}()
	c.waitFor(1)
	end()
	if err := <-done; err != nil {
		t.Errorf("the waiter got %v", err)
	}
	if n := c.openConns(); n != 0 {
		t.Errorf("%d connections still counted", n)
	}
}

func TestBusy(t *testing.T) {
	ep := okEndpoint(t)
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = 1 })
	c.wait = 30 * time.Millisecond
	end := hold(t, c)
	for range 3 {
		if _, _, err := do(c, post()); err != ErrBusy {
			t.Errorf("all connections in use: %v, want %v", err, ErrBusy)
		}
	}
	c.waitFor(0)
	end()
	if status, _, err := do(c, get()); status != 200 || err != nil {
		t.Errorf("afterwards: %d, %v", status, err)
	}
	if n := c.openConns(); n != 1 {
		t.Errorf("%d connections counted, want 1", n)
	}
}

// A time-out and a release that meet must neither lose the place nor serve it twice.
func TestBusyMeetsRelease(t *testing.T) {
	ep := okEndpoint(t)
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = 1 })
	c.wait = 2 * time.Millisecond
	if _, _, err := do(c, get()); err != nil {
		t.Fatal(err)
	}
	busy := 0
	for range 200 {
		cn, _, err := c.acquire(false)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan *conn, 1)
		go func() {
			cn, _, err := c.acquire(false)
			if err != nil && err != ErrBusy {
				t.Error(err)
			}
			got <- cn
		}()
		time.Sleep(time.Duration(1500+rand.IntN(1000)) * time.Microsecond)
		c.release(cn, time.Now())
		if cn := <-got; cn != nil {
			c.release(cn, time.Now())
		} else {
			busy++
		}
		if open, idle := c.openConns(), c.idleConns(); open != idle || open > 1 {
			t.Fatalf("%d connections counted, %d idle", open, idle)
		}
		c.waitFor(0)
	}
	t.Logf("%d of 200 were busy", busy)
}

func TestDialFailure(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	c := testClient(t, ln.Addr().String(), func(o *Options) { o.MaxConns = 2 })
	var wg sync.WaitGroup
	for range 20 { // more than there are places: each failure passes its place on
		wg.Go(func() {
			if _, _, err := do(c, get()); !errors.Is(err, ErrConnect) {
				t.Errorf("got %v, want %v", err, ErrConnect)
			}
		})
	}
	wg.Wait()
	if n := c.openConns(); n != 0 {
		t.Errorf("%d connections counted, want 0", n)
	}
}

// Where a new connection is asked for and all places are taken, an idle one makes room.
func TestFreshMakesRoom(t *testing.T) {
	ep := okEndpoint(t)
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = 1 })
	if _, _, err := do(c, get()); err != nil {
		t.Fatal(err)
	}
	cn, reused, err := c.acquire(true)
	if err != nil || reused {
		t.Fatalf("acquire(fresh): reused %v, %v", reused, err)
	}
	if open, idle := c.openConns(), c.idleConns(); open != 1 || idle != 0 {
		t.Errorf("%d connections counted, %d idle; want 1, 0", open, idle)
	}
	c.release(cn, time.Now())
}

func TestSweep(t *testing.T) {
	ep := okEndpoint(t)
	c := testClient(t, ep.addr, func(o *Options) { o.IdleTimeout = time.Hour })
	ends := []func(){hold(t, c), hold(t, c), hold(t, c)}
	for _, end := range ends {
		end()
	}
	c.mu.Lock()
	c.idle[0].lastUsed = time.Now().Add(-2 * time.Hour)
	c.idle[1].lastUsed = time.Now().Add(-time.Hour)
	kept := c.idle[2]
	c.mu.Unlock()
	c.sweep()
	if open, idle := c.openConns(), c.idleConns(); open != 1 || idle != 1 || c.idle[0] != kept {
		t.Errorf("after the sweep %d connections are counted and %d idle, want 1, the last one used", open, idle)
	}
	if status, _, err := do(c, get()); status != 200 || err != nil {
		t.Errorf("on what is left: %d, %v", status, err)
	}
	if conns, _ := ep.seen(); conns != 3 {
		t.Errorf("%d connections were made, want 3", conns)
	}
}

// The sweep runs by itself, again after it had nothing to do.
func TestIdleConnectionsEnd(t *testing.T) {
	ended := make(chan struct{}, 2)
	ep := listen(t, func(p *peer) {
		for p.request() {
			p.send(okResponse)
		}
		ended <- struct{}{}
	})
	c := testClient(t, ep.addr, func(o *Options) { o.IdleTimeout = 20 * time.Millisecond })
	for round := range 2 {
		if _, _, err := do(c, get()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("round %d: the idle connection was not closed", round)
		}
		if open, idle := c.openConns(), c.idleConns(); open != 0 || idle != 0 {
			t.Errorf("round %d: %d connections counted, %d idle", round, open, idle)
		}
	}
}

func TestCloseWhileInUse(t *testing.T) {
	ep := okEndpoint(t)
	c := testClient(t, ep.addr, nil)
	end, idle := hold(t, c), hold(t, c)
	idle()
	ex := get()
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if body, err := io.ReadAll(ex); string(body) != "ok" || err != nil {
		t.Errorf("an exchange in progress: %q, %v", body, err)
	}
	ex.Close()
	end()
	if open, idle := c.openConns(), c.idleConns(); open != 0 || idle != 0 {
		t.Errorf("after Close %d connections counted, %d idle", open, idle)
	}
	// A request that was on its way to this client still gets its answer, and leaves nothing behind.
	if status, _, err := do(c, get()); status != 200 || err != nil {
		t.Errorf("after Close: %d, %v", status, err)
	}
	if open := c.openConns(); open != 0 {
		t.Errorf("after Close %d connections counted", open)
	}
	c.Close()
}

// Under every kind of end at once: each request gets its own response or an error, never another's; there are never more
// connections than allowed; and no place is lost.
func TestStress(t *testing.T) {
	const maxConns, workers, rounds = 4, 24, 60
	ep := listen(t, func(p *peer) {
		r := rand.New(rand.NewPCG(1, uint64(p.n)))
		for {
			line, body, ok := p.read()
			if !ok {
				return
			}
			id := strings.TrimPrefix(strings.Fields(line)[1], "/")
			id += "|" + strconv.Itoa(len(body))
			response := "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(id)) + "\r\n\r\n" + id
			switch r.IntN(12) {
			case 0:
				p.send(strings.Replace(response, "\r\n", "\r\nConnection: close\r\n", 1))
				p.drain()
				return
			case 1:
				p.send(response[:r.IntN(len(response))])
				p.reset()
				return
			case 2:
				return
			case 3:
				p.send(response + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")
			case 4:
				p.send(response)
				return
			case 5:
				p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(id)), 16) + "\r\n" + id + "\r\n0\r\n\r\n")
			default:
				p.send(response)
			}
		}
	})
	c := testClient(t, ep.addr, func(o *Options) { o.MaxConns = maxConns })
	c.wait = 10 * time.Second
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(w)))
			ex := new(Exchange)
			for i := range rounds {
				id := strconv.Itoa(w) + "-" + strconv.Itoa(i)
				var body []byte
				method := "GET"
				framing := ""
				ex.Reset()
				if n := r.IntN(3); n > 0 {
					body = bytes.Repeat([]byte("b"), r.IntN(n*n*8<<10)+1)
					ex.Body, ex.BodyLen, ex.MaxBody = bytes.NewReader(body), int64(len(body)), 1<<20
					method, framing = "POST", "Content-Length: "+strconv.Itoa(len(body))+"\r\n"
				}
				ex.Idempotent = method == "GET"
				ex.Head = []byte(method + " /" + id + " HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n")
				status, got, err := do(c, ex)
				if want := id + "|" + strconv.Itoa(len(body)); err == nil && (status != 200 || got != want) {
					t.Errorf("request %s got %d, %q; want %q", id, status, got, want)
				}
				if err != nil && !errors.Is(err, ErrResponse) && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrConnect) {
					t.Errorf("request %s: %v", id, err)
				}
				if open := c.openConns(); open > maxConns || open < 0 {
					t.Errorf("%d connections, want %d at most", open, maxConns)
				}
				if err == nil {
					mu.Lock()
					good++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	c.waitFor(0)
	if open, idle := c.openConns(), c.idleConns(); open != idle {
		t.Errorf("%d connections counted, %d idle: places are lost", open, idle)
	}
	if good < workers*rounds/2 {
		t.Errorf("only %d of %d requests got their response", good, workers*rounds)
	}
}
