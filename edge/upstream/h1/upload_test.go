package h1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// A faulty body gives text, and then err.
func faulty(text string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(text), iotest.ErrReader(err))
}

func TestUploads(t *testing.T) {
	large := strings.Repeat("0123456789", 30<<10)
	for _, tt := range []struct {
		name string
		ex   *Exchange
		want string
	}{
		{"small", put("hello"), "hello"},
		{"as small as can be", put("x"), "x"},
		{"at the limit of small", put(large[:smallBody]), large[:smallBody]},
		{"above the limit of small", put(large[:smallBody+1]), large[:smallBody+1]},
		{"large", put(large), large},
		{"chunks", chunked(strings.NewReader(large)), large},
		{"chunks, the end with the last octets", chunked(iotest.DataErrReader(strings.NewReader(large))), large},
		{"a chunk for each octet", chunked(iotest.OneByteReader(strings.NewReader("hello"))), "hello"},
		{"no chunk", chunked(strings.NewReader("")), ""},
		{"at MaxBody", func() *Exchange { ex := chunked(strings.NewReader("hello")); ex.MaxBody = 5; return ex }(), "hello"},
	} {
		ep := listen(t, func(p *peer) {
			for p.request() {
				p.send(okResponse)
			}
		})
		c := testClient(t, ep.addr, nil)
		// Twice: what an upload did to the deadlines must not reach the next exchange.
		if _, _, err := do(c, get()); err != nil {
			t.Fatal(err)
		}
		if status, body, err := do(c, tt.ex); status != 200 || body != "ok" || err != nil {
			t.Errorf("%s: %d, %q, %v", tt.name, status, body, err)
		}
		if got := tt.ex.Sent(); got != int64(len(tt.want)) {
			t.Errorf("%s: Sent() = %d, want %d", tt.name, got, len(tt.want))
		}
		if _, _, err := do(c, get()); err != nil {
			t.Errorf("%s: the next request: %v", tt.name, err)
		}
		conns, requests := ep.seen()
		if conns != 1 || len(requests) != 3 {
			t.Fatalf("%s: %d connections, %d requests; want 1, 3", tt.name, conns, len(requests))
		}
		if _, got, _ := strings.Cut(requests[1], " "); got != tt.want {
			t.Errorf("%s: the endpoint got %d octets %.50q, want %d", tt.name, len(got), got, len(tt.want))
		}
	}
}

// The client's fault is called the client's, and what the endpoint has got can never look whole to it.
func TestBodyFails(t *testing.T) {
	reset := errors.New("connection reset")
	large := strings.Repeat("a", 100<<10)
	cutShort := func(text string, n int64) *Exchange {
		ex := put(text)
		ex.BodyLen = n
		ex.Head = []byte("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + itoa(int(n)) + "\r\n\r\n")
		return ex
	}
	limited := func(ex *Exchange, n int64) *Exchange { ex.MaxBody = n; return ex }
	with := func(ex *Exchange, body io.Reader) *Exchange { ex.Body = body; return ex }
	for _, tt := range []struct {
		name    string
		ex      *Exchange
		want    error
		contact bool // the endpoint hears of it
	}{
		{"small body ends early", cutShort("hel", 5), ErrRequestBody, false},
		{"small body fails", with(put("hello"), faulty("hel", reset)), ErrRequestBody, false},
		{"large body ends early", cutShort(large, 100<<10+1), ErrRequestBody, true},
		{"large body fails", with(put(large), faulty(large[:50<<10], reset)), ErrRequestBody, true},
		{"large body fails at once", with(put(large), iotest.ErrReader(reset)), ErrRequestBody, true},
		{"chunks fail", chunked(faulty("hello", reset)), ErrRequestBody, true},
		{"chunks fail at once", chunked(iotest.ErrReader(reset)), ErrRequestBody, true},
		{"length above MaxBody", limited(put(large), 100<<10-1), ErrBodyTooLarge, false},
		{"chunks above MaxBody", limited(chunked(strings.NewReader("hello")), 4), ErrBodyTooLarge, true},
		{"large chunks above MaxBody", limited(chunked(strings.NewReader(large)), 50<<10), ErrBodyTooLarge, true},
	} {
		ep := listen(t, func(p *peer) {
			if p.request() {
				p.send(okResponse)
				p.drain()
			}
		})
		c := testClient(t, ep.addr, nil)
		if status, body, err := do(c, tt.ex); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %d, %q, %v; want %v", tt.name, status, body, err, tt.want)
		}
		if n := c.openConns(); n != 0 {
			t.Errorf("%s: %d connections still counted", tt.name, n)
		}
		if !tt.contact {
			if conns, _ := ep.seen(); conns != 0 {
				t.Errorf("%s: %d connections were made, want none", tt.name, conns)
			}
			continue
		}
		if _, requests := ep.await(1); len(requests) != 1 || !strings.HasSuffix(requests[0], " BROKEN") {
			t.Errorf("%s: the endpoint took %.50q for a whole request", tt.name, requests)
		}
	}
}

// stalled is a body that gives a first part and then nothing until it is interrupted.
type stalled struct {
	first       io.Reader
	interrupted chan struct{}
	calls       atomic.Int32
}

func (s *stalled) Read(p []byte) (int, error) {
	if n, err := s.first.Read(p); n > 0 || err != io.EOF {
		return n, err
	}
	<-s.interrupted
	return 0, errors.New("interrupted")
}

func (s *stalled) interrupt() {
	if s.calls.Add(1) == 1 {
		close(s.interrupted)
	}
}

func stall(first string) (*Exchange, *stalled) {
	s := &stalled{first: strings.NewReader(first), interrupted: make(chan struct{})}
	ex := chunked(s)
	ex.Interrupt = s.interrupt
	return ex, s
}

// An endpoint that fails while the body is still coming is at fault, not the client whose body was given up for that.
func TestEndpointFailsDuringUpload(t *testing.T) {
	for name, fail := range map[string]func(p *peer){
		"nonsense": func(p *peer) { p.send("HTTP/9\r\n\r\n"); p.drain() },
		"a reset":  func(p *peer) { p.reset() },
		"an end":   func(p *peer) {},
		"a 101":    func(p *peer) { p.send("HTTP/1.1 101 Switching Protocols\r\n\r\n"); p.drain() },
	} {
		ep := listen(t, func(p *peer) {
			_, _ = p.Read(make([]byte, 10))
			fail(p)
		})
		c := testClient(t, ep.addr, nil)
		ex, body := stall("the first part")
		if err := c.Do(ex); !errors.Is(err, ErrResponse) {
			t.Errorf("%s: Do = %v, want %v", name, err, ErrResponse)
		}
		// Where the connection is gone the upload may have ended by itself, in a write.
		if n := body.calls.Load(); n > 1 || (n == 0 && (name == "nonsense" || name == "a 101")) {
			t.Errorf("%s: the body was interrupted %d times, want once", name, n)
		}
		if n := c.openConns(); n != 0 {
			t.Errorf("%s: %d connections still counted", name, n)
		}
	}
}

// The client's body fails when the response has begun: it is still the client's fault.
func TestBodyFailsBehindHead(t *testing.T) {
	ep := listen(t, func(p *peer) {
		_, _ = p.Read(make([]byte, 10))
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
		p.drain()
	})
	c := testClient(t, ep.addr, nil)
	ex, body := stall("the first part")
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(ex, buf); err != nil {
		t.Fatal(err)
	}
	body.interrupt() // the body fails by itself
	if n, err := ex.Read(buf); n != 0 || err != ErrRequestBody {
		t.Errorf("Read = %d, %v; want %v", n, err, ErrRequestBody)
	}
	ex.Close()
	if n := c.openConns(); n != 0 {
		t.Errorf("%d connections still counted", n)
	}
}

// The time for the response's head begins at the request's end, and is over when the head is here: an upload that ends behind
// it must not set it for the body.
func TestDeadlinesAroundUpload(t *testing.T) {
	const short = 400 * time.Millisecond
	t.Run("a slow body", func(t *testing.T) {
		t.Parallel()
		ep := listen(t, func(p *peer) {
			if p.request() {
				p.send(okResponse)
				p.drain()
			}
		})
		c := testClient(t, ep.addr, func(o *Options) { o.ResponseTimeout = short })
		body, feed := io.Pipe()
		go func() {
			for range 4 {
				_, _ = feed.Write([]byte("x"))
				time.Sleep(short / 2)
			}
			feed.Close()
		}()
		if status, _, err := do(c, chunked(body)); status != 200 || err != nil {
			t.Errorf("a body that takes longer than ResponseTimeout: %d, %v", status, err)
		}
	})
	t.Run("a slow response", func(t *testing.T) {
		t.Parallel()
		sent := make(chan struct{})
		ep := listen(t, func(p *peer) {
			_, _ = p.br.Peek(1)
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
			if p.request() {
				<-sent
				time.Sleep(2 * short)
				p.send("ok")
				p.drain()
			}
		})
		c := testClient(t, ep.addr, func(o *Options) { o.ResponseTimeout = short })
		body, feed := io.Pipe()
		ex := chunked(body)
		if err := c.Do(ex); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, func() { // while the response's body is waited for
			feed.Close()
			<-ex.upload.done
			close(sent)
		})
		if got, err := io.ReadAll(ex); string(got) != "ok" || err != nil {
			t.Errorf("silence behind the head, longer than ResponseTimeout: %q, %v", got, err)
		}
		ex.Close()
	})
	// Each write has its own time: the last chunk as well, when the client took long to say that there is no more.
	t.Run("a slow end", func(t *testing.T) {
		t.Parallel()
		ep := listen(t, func(p *peer) {
			if p.request() {
				p.send(okResponse)
				p.drain()
			}
		})
		c := testClient(t, ep.addr, func(o *Options) { o.IdleTimeout = short })
		body, feed := io.Pipe()
		go func() {
			_, _ = feed.Write([]byte("x"))
			time.Sleep(2 * short)
			feed.Close()
		}()
		if status, _, err := do(c, chunked(body)); status != 200 || err != nil {
			t.Errorf("an end that comes later than IdleTimeout: %d, %v", status, err)
		}
		if _, requests := ep.await(1); len(requests) != 1 || requests[0] != "POST x" {
			t.Errorf("the endpoint got %q", requests)
		}
	})
}

// An endpoint that stops reading holds an upload for IdleTimeout and not longer.
func TestEndpointStopsReading(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	ep := listen(t, func(p *peer) {
		_, _ = p.Read(make([]byte, 10))
		<-done
	})
	c := testClient(t, ep.addr, func(o *Options) {
		o.IdleTimeout, o.ResponseTimeout = 50*time.Millisecond, 50*time.Millisecond
	})
	if _, _, err := do(c, put(strings.Repeat("a", 16<<20))); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want %v", err, ErrTimeout)
	}
}

// Where an endpoint could not be reached the request may go to another one, with the body that was read.
func TestSmallBodyForAnotherEndpoint(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	ep := listen(t, func(p *peer) {
		for p.request() {
			p.send(okResponse)
		}
	})
	dead, alive := testClient(t, ln.Addr().String(), nil), testClient(t, ep.addr, nil)
	ex := put("hello")
	if err := dead.Do(ex); !errors.Is(err, ErrConnect) {
		t.Fatalf("Do = %v, want %v", err, ErrConnect)
	}
	ex.Head = bytes.Replace(ex.Head, []byte("Host: a"), []byte("Host: other.example"), 1)
	if status, body, err := do(alive, ex); status != 200 || body != "ok" || err != nil {
		t.Errorf("at another endpoint: %d, %q, %v", status, body, err)
	}
	// The next request of the same length has its own body.
	ex.Body = strings.NewReader("HELLO")
	if _, _, err := do(alive, ex); err != nil {
		t.Errorf("the next request: %v", err)
	}
	if _, requests := ep.seen(); strings.Join(requests, "|") != "PUT hello|PUT HELLO" {
		t.Errorf("the endpoint got %q", requests)
	}
}

// What goes over the wire, octet by octet.
func TestUploadFraming(t *testing.T) {
	got := make(chan string, 1)
	ep := listen(t, func(p *peer) {
		var all strings.Builder
		br := bufio.NewReader(p)
		for !strings.HasSuffix(all.String(), "\r\n0\r\n\r\n") {
			c, err := br.ReadByte()
			if err != nil {
				break
			}
			all.WriteByte(c)
		}
		got <- all.String()
		p.send(okResponse)
		p.drain()
	})
	c := testClient(t, ep.addr, nil)
	body := io.MultiReader(strings.NewReader("hello"), strings.NewReader(strings.Repeat("x", 20)))
	if _, _, err := do(c, chunked(body)); err != nil {
		t.Fatal(err)
	}
	want := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n14\r\n" + strings.Repeat("x", 20) + "\r\n0\r\n\r\n"
	if g := <-got; g != want {
		t.Errorf("sent %q, want %q", g, want)
	}
}
