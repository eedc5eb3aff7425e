package h1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// An endpoint is a TCP server that behaves as a test's script says: each connection runs it from its beginning.
type endpoint struct {
	addr string

	mu       sync.Mutex
	conns    int
	requests []string // heads with their bodies, in the order of their ends
}

// A peer is the endpoint's side of one connection.
type peer struct {
	net.Conn
	br *bufio.Reader
	ep *endpoint
	n  int // 1 for the first connection
}

// listen starts an endpoint. What script leaves open is closed behind it.
func listen(t *testing.T, script func(p *peer)) *endpoint {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ep := &endpoint{addr: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			ep.mu.Lock()
			ep.conns++
			n := ep.conns
			ep.mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				// A script that waits for octets that never come must not hold the test's end.
				_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
				script(&peer{Conn: c, br: bufio.NewReader(c), ep: ep, n: n})
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ep
}

// request reads one request with its body and notes it; false when the connection ended.
func (p *peer) request() bool {
	line, body, ok := p.read()
	if !ok {
		return false
	}
	method, _, _ := strings.Cut(line, " ")
	p.ep.mu.Lock()
	p.ep.requests = append(p.ep.requests, method+" "+body)
	p.ep.mu.Unlock()
	return true
}

// read reads one request: method and target, and the body, which ends in " BROKEN" where it is not whole.
func (p *peer) read() (line, body string, ok bool) {
	req, err := http.ReadRequest(p.br)
	if err != nil {
		return "", "", false
	}
	b, err := io.ReadAll(req.Body)
	body = string(b)
	if err != nil {
		body += " BROKEN"
	}
	return req.Method + " " + req.RequestURI, body, true
}

func (p *peer) send(s string) { _, _ = io.WriteString(p, s) }

// reset closes the connection with RST.
func (p *peer) reset() {
	_ = p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}

// drain reads until the client closes.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.br) }

// seen returns how many connections and which requests there were.
func (ep *endpoint) seen() (conns int, requests []string) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.conns, append([]string(nil), ep.requests...)
}

// await is seen once n requests have been read to their ends, or could have been for long.
func (ep *endpoint) await(n int) (conns int, requests []string) {
	for range 5000 {
		if conns, requests = ep.seen(); len(requests) >= n {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return conns, requests
}

func testClient(t *testing.T, addr string, change func(*Options)) *Client {
	opt := Options{
		Address: addr, MaxConns: 4, MaxHead: 16 << 10,
		ConnectTimeout: 10 * time.Second, ResponseTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second,
	}
	if change != nil {
		change(&opt)
	}
	c := NewClient(opt)
	t.Cleanup(c.Close)
	return c
}

// idleConns and openConns look into the pool: a connection is kept or it is not, and no test need wait to know.
func (c *Client) idleConns() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle)
}

func (c *Client) openConns() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

func get() *Exchange {
	return &Exchange{Head: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Idempotent: true}
}

// put is an idempotent request with a body: the method alone would allow a second try.
func put(body string) *Exchange {
	return &Exchange{
		Head:       []byte("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n"),
		Idempotent: true, Body: strings.NewReader(body), BodyLen: int64(len(body)), MaxBody: 1 << 30,
	}
}

func post() *Exchange {
	return &Exchange{Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")}
}

// chunked is a POST whose length is not known.
func chunked(body io.Reader) *Exchange {
	return &Exchange{
		Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
		Body: body, BodyLen: -1, MaxBody: 1 << 30,
	}
}

func itoa(n int) string {
	var b []byte
	for ; n > 9; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(append([]byte{byte('0' + n)}, b...))
}

// do runs the exchange to its end.
func do(c *Client, ex *Exchange) (status int, body string, err error) {
	if err := c.Do(ex); err != nil {
		return 0, "", err
	}
	defer ex.Close()
	b, err := io.ReadAll(ex)
	return ex.Status, string(b), err
}

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func chunkedResponse(body string) string {
	return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

// responses is what an endpoint may say to one request. The connection is kept only where keep is set.
var responses = []struct {
	name     string
	response string
	head     bool // the request is HEAD
	shut     bool // the endpoint ends the connection behind the response
	status   int
	body     string
	err      error
	keep     bool
}{
	{name: "length", response: okResponse, status: 200, body: "ok", keep: true},
	{name: "length 0", response: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, keep: true},
	{name: "no reason", response: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200, keep: true},
	{name: "error status", response: "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", status: 503, body: "busy", keep: true},
	{name: "octets above ASCII", response: "HTTP/1.1 200 OK\r\nX: \xe4\xff\r\nContent-Length: 0\r\n\r\n", status: 200, keep: true},
	{name: "until the end", response: "HTTP/1.1 200 OK\r\n\r\nall of it", shut: true, status: 200, body: "all of it"},
	{name: "same length twice", response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},

	{name: "chunks", response: chunkedResponse("2\r\nok\r\n0a\r\n0123456789\r\n0\r\n\r\n"), status: 200, body: "ok0123456789", keep: true},
	{name: "no chunk", response: chunkedResponse("0\r\n\r\n"), status: 200, keep: true},
	{name: "chunk extensions", response: chunkedResponse("2;a=b;c=\"d\"\r\nok\r\n0;last\r\n\r\n"), status: 200, body: "ok", keep: true},
	{name: "trailers are dropped", response: chunkedResponse("2\r\nok\r\n0\r\nX-User: mallory\r\nDigest: x\r\n\r\n"), status: 200, body: "ok", keep: true},
	{name: "upper case coding", response: "HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n", status: 200, keep: true},

	{name: "100 first", response: "HTTP/1.1 100 Continue\r\n\r\n" + okResponse, status: 200, body: "ok", keep: true},
	{name: "103 and 100 first", response: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + okResponse, status: 200, body: "ok", keep: true},
	{name: "interim without end", response: strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9) + okResponse, err: ErrResponse},
	{name: "101 unasked", response: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", err: ErrResponse},

	{name: "HTTP/1.0", response: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
	{name: "HTTP/1.0 keep-alive", response: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
	{name: "close", response: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
	{name: "close in a list", response: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
	{name: "close in the second of two", response: "HTTP/1.1 200 OK\r\nConnection: x\r\nConnection:close\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},

	{name: "HEAD", response: "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", head: true, status: 200, keep: true},
	{name: "HEAD chunked", response: chunkedResponse(""), head: true, status: 200, keep: true},
	{name: "HEAD without a length", response: "HTTP/1.1 200 OK\r\n\r\n", head: true, status: 200, keep: true},
	{name: "HEAD with a body all the same", response: okResponse, head: true, status: 200},
	{name: "HEAD with chunks all the same", response: chunkedResponse("0\r\n\r\n"), head: true, status: 200},
	{name: "204", response: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, keep: true},
	{name: "204 with a body all the same", response: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", status: 204},
	{name: "304", response: "HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", status: 304, keep: true},
	{name: "304 with a body all the same", response: "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", status: 304},
	{name: "octets behind the response", response: okResponse + "!", status: 200, body: "ok"},
	{name: "a second response behind the first", response: okResponse + okResponse, status: 200, body: "ok"},
	{name: "a second response behind chunks", response: chunkedResponse("0\r\n\r\n") + okResponse, status: 200},
	{name: "a line break behind the response", response: okResponse + "\r\n", status: 200, body: "ok"},

	{name: "body cut off", response: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", shut: true, err: ErrResponse},
	{name: "chunk cut off", response: chunkedResponse("5\r\nhel"), shut: true, err: ErrResponse},
	{name: "chunks cut off", response: chunkedResponse("5\r\nhello\r\n"), shut: true, err: ErrResponse},
	{name: "trailer cut off", response: chunkedResponse("0\r\nA: b\r\n"), shut: true, err: ErrResponse},
	{name: "head cut off", response: "HTTP/1.1 200 OK\r\nContent-Le", shut: true, err: ErrResponse},
	{name: "one octet", response: "H", shut: true, err: ErrResponse},
	{name: "nothing", response: "", shut: true, err: ErrResponse},
	{name: "interim alone", response: "HTTP/1.1 100 Continue\r\n\r\n", shut: true, err: ErrResponse},

	{name: "length and chunks", response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", err: ErrResponse},
	{name: "two lengths", response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", err: ErrResponse},
	{name: "list of lengths", response: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", err: ErrResponse},
	{name: "length with a sign", response: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", err: ErrResponse},
	{name: "length below 0", response: "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", err: ErrResponse},
	{name: "length with leading zeros", response: "HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nok", err: ErrResponse},
	{name: "empty length", response: "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", err: ErrResponse},
	{name: "length beyond all", response: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", err: ErrResponse},
	{name: "unknown coding", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", err: ErrResponse},
	{name: "two codings", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", err: ErrResponse},
	{name: "coding twice", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", err: ErrResponse},
	{name: "chunks in HTTP/1.0", response: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", err: ErrResponse},

	{name: "chunk size no number", response: chunkedResponse("x\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size empty", response: chunkedResponse("\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size with 0x", response: chunkedResponse("0x2\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size with a sign", response: chunkedResponse("+2\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size and a space", response: chunkedResponse("2 \r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size, a space and an extension", response: chunkedResponse("2 ;a\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size of 16 digits", response: chunkedResponse("0000000000000002\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk size line without CR", response: chunkedResponse("2\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk extension with CR", response: chunkedResponse("2;a\rb\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk extension without end", response: chunkedResponse("2;" + strings.Repeat("a", 3*maxTrailer) + "\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk longer than its size", response: chunkedResponse("2\r\nok!\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "chunk shorter than its size", response: chunkedResponse("3\r\nok\r\n0\r\n\r\n"), err: ErrResponse},
	{name: "trailer no field", response: chunkedResponse("0\r\nHTTP/1.1 200 OK\r\n\r\n"), err: ErrResponse},
	{name: "trailer without end", response: chunkedResponse("0\r\n" + strings.Repeat("A: b\r\n", 2*maxTrailer/4) + "\r\n"), err: ErrResponse},

	{name: "folded line", response: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "folded coding", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", err: ErrResponse},
	{name: "line without CR", response: "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "status line without CR", response: "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "lines without CR", response: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", shut: true, err: ErrResponse},
	{name: "CR in a value", response: "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "NUL in a value", response: "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "space before the colon", response: "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", err: ErrResponse},
	{name: "space in a name", response: "HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "no name", response: "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "no colon", response: "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "HTTP/2.0", response: "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "HTTP/1.2", response: "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "status 99", response: "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "status 600", response: "HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "status of four digits", response: "HTTP/1.1 2000 No\r\nContent-Length: 0\r\n\r\n", err: ErrResponse},
	{name: "no HTTP", response: "SSH-2.0-OpenSSH_9.2\r\n\r\n", err: ErrResponse},
	{name: "head too large", response: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", err: ErrResponse},
}

func TestResponses(t *testing.T) {
	for _, pieces := range []int{0, 1, 7} {
		for _, tt := range responses {
			if pieces > 0 && len(tt.response) > 1<<10 {
				continue
			}
			t.Run(tt.name+"/"+itoa(pieces), func(t *testing.T) {
				ep := listen(t, func(p *peer) {
					if !p.request() {
						return
					}
					for _, piece := range cut(tt.response, pieces) {
						p.send(piece)
					}
					if !tt.shut {
						p.drain()
					}
				})
				c := testClient(t, ep.addr, nil)
				ex := get()
				ex.HEAD = tt.head
				status, body, err := do(c, ex)
				if !errors.Is(err, tt.err) || (tt.err == nil && (err != nil || status != tt.status || body != tt.body)) {
					t.Errorf("%.200q: got %d, %q, %v; want %d, %q, %v", tt.response, status, body, err, tt.status, tt.body, tt.err)
				}
				// What came in the same write has come when the response has: only then is it certain that it is seen here.
				// In pieces it may come later; TestSurplusLater is about that.
				if idle := c.idleConns(); (idle == 1) != tt.keep && (pieces == 0 || tt.keep) {
					t.Errorf("%.200q: %d connections kept, want kept %v", tt.response, idle, tt.keep)
				}
				if open, idle := c.openConns(), c.idleConns(); open != idle {
					t.Errorf("%.200q: %d connections counted, %d idle: a place is lost", tt.response, open, idle)
				}
				if _, requests := ep.seen(); len(requests) != 1 {
					t.Errorf("%.200q: %d requests, want 1", tt.response, len(requests))
				}
			})
		}
	}
}

// cut splits s into pieces of n octets; n 0 leaves it whole.
func cut(s string, n int) (out []string) {
	for n > 0 && len(s) > n {
		out = append(out, s[:n])
		s = s[n:]
	}
	return append(out, s)
}

// MaxHead holds whether the head comes at once or in pieces.
func TestHeadLimit(t *testing.T) {
	for _, pieces := range []int{0, 100} {
		for room, want := range map[int]error{1000: nil, 999: ErrResponse} {
			head := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
			head += strings.Repeat("a", 1000-len(head)-4) + "\r\n\r\n"
			ep := listen(t, func(p *peer) {
				if p.request() {
					for _, piece := range cut(head, pieces) {
						p.send(piece)
					}
					p.drain()
				}
			})
			c := testClient(t, ep.addr, func(o *Options) { o.MaxHead = room })
			if _, _, err := do(c, get()); !errors.Is(err, want) {
				t.Errorf("head of %d octets in pieces of %d with room for %d: %v, want %v", len(head), pieces, room, err, want)
			}
		}
	}
}

// A reset in the middle of a head or a body is the endpoint's fault, and no place is lost by it.
func TestResetInTheMiddle(t *testing.T) {
	for _, start := range []string{"HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", chunkedResponse("5\r\nhello\r\n")} {
		seen := make(chan struct{})
		ep := listen(t, func(p *peer) {
			if p.request() {
				p.send(start)
				<-seen
				p.reset()
			}
		})
		c := testClient(t, ep.addr, nil)
		ex := get()
		time.AfterFunc(10*time.Millisecond, func() { close(seen) })
		err := c.Do(ex)
		if err == nil {
			_, err = io.ReadAll(ex)
			ex.Close()
		}
		if !errors.Is(err, ErrResponse) {
			t.Errorf("%q and RST: %v, want %v", start, err, ErrResponse)
		}
		if n := c.openConns(); n != 0 {
			t.Errorf("%q and RST: %d connections still counted", start, n)
		}
	}
}

func TestSilentEndpoint(t *testing.T) {
	for _, tt := range []struct {
		name, start string
		ex          *Exchange
	}{
		{"no octet", "", get()},
		{"part of a head", "HTTP/1.1 200 OK\r\n", get()},
		{"interim only", "HTTP/1.1 100 Continue\r\n\r\n", get()},
		{"part of a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", get()},
		{"part of a chunk", chunkedResponse("5\r\nhe"), get()},
		{"part of a chunk size", chunkedResponse("5"), get()},
		{"after a large body", "", put(strings.Repeat("a", 100<<10))},
		{"after chunks", "", chunked(strings.NewReader("hello"))},
	} {
		ep := listen(t, func(p *peer) {
			if p.request() {
				p.send(tt.start)
				p.drain()
			}
		})
		c := testClient(t, ep.addr, func(o *Options) {
			o.ResponseTimeout, o.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond
		})
		if _, _, err := do(c, tt.ex); !errors.Is(err, ErrTimeout) {
			t.Errorf("%s, then silence: %v, want %v", tt.name, err, ErrTimeout)
		}
		if n := c.openConns(); n != 0 {
			t.Errorf("%s, then silence: %d connections still counted", tt.name, n)
		}
		if _, requests := ep.await(1); len(requests) != 1 {
			t.Errorf("%s, then silence: requests %q, want one", tt.name, requests)
		}
	}
}

// A head that trickles has no more time than one that comes at once.
func TestTricklingHead(t *testing.T) {
	ep := listen(t, func(p *peer) {
		if !p.request() {
			return
		}
		for {
			if _, err := p.Write([]byte("HTTP/1.1 103 Early Hints\r\n\r\n")[:1]); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	c := testClient(t, ep.addr, func(o *Options) { o.ResponseTimeout = 100 * time.Millisecond })
	if _, _, err := do(c, get()); !errors.Is(err, ErrTimeout) {
		t.Errorf("a head of one octet every 5 ms: %v, want %v", err, ErrTimeout)
	}
}

// The time for the head says nothing about the body: that may be silent for IdleTimeout between any two octets.
func TestSlowBody(t *testing.T) {
	const short = 400 * time.Millisecond
	ep := listen(t, func(p *peer) {
		for p.request() {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
			time.Sleep(short + short/4)
			p.send("ok")
		}
	})
	c := testClient(t, ep.addr, func(o *Options) { o.ResponseTimeout = short })
	for range 2 { // the second on a connection whose deadline has been moved
		if status, body, err := do(c, get()); err != nil || body != "ok" {
			t.Errorf("got %d, %q, %v", status, body, err)
		}
	}
}

func TestFields(t *testing.T) {
	ep := listen(t, func(p *peer) {
		for p.request() {
			p.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Empty:\r\nset-cookie: \t b=2 \t\r\nContent-Length: 5\r\n\r\nhello")
		}
	})
	c := testClient(t, ep.addr, nil)
	ex := get()
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range ex.Fields {
		got = append(got, string(f.Name)+"="+string(f.Value))
	}
	if want := "Set-Cookie=a=1 X-Empty= set-cookie=b=2 Content-Length=5"; strings.Join(got, " ") != want {
		t.Errorf("fields %q, want %q", got, want)
	}
	if n := ex.BodyLength(); n != 5 {
		t.Errorf("BodyLength() = %d, want 5", n)
	}
	for {
		body, ok := ex.Buffered()
		if ok {
			if string(body) != "hello" {
				t.Errorf("Buffered() = %q, want hello", body)
			}
			break
		}
		if err := ex.cn.fill(1 << 10); err != nil { // the body came in a later segment
			t.Fatal(err)
		}
	}
	if n, err := ex.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read behind Buffered = %d, %v; want EOF", n, err)
	}
	ex.Close()
	if c.idleConns() != 1 {
		t.Errorf("the connection was not kept")
	}
	ex.Reset()
	if ex.Head != nil || len(ex.Fields) != 0 || ex.Status != 0 {
		t.Errorf("after Reset the exchange holds %v", ex)
	}
}

func TestBodyLength(t *testing.T) {
	for _, tt := range []struct {
		response string
		head     bool
		want     int64
	}{
		{okResponse, false, 2},
		{okResponse, true, 2},
		{chunkedResponse("0\r\n\r\n"), false, -1},
		{chunkedResponse(""), true, -1},
		{"HTTP/1.1 200 OK\r\n\r\n", false, -1},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", false, 0},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, 7},
	} {
		ex := &Exchange{HEAD: tt.head}
		if err := ex.parseHead([]byte(tt.response)[:strings.Index(tt.response, "\r\n\r\n")+4]); err != nil {
			t.Fatal(err)
		}
		if err := ex.startBody(); err != nil {
			t.Fatal(err)
		}
		if got := ex.BodyLength(); got != tt.want {
			t.Errorf("BodyLength of %q, HEAD %v, = %d, want %d", tt.response, tt.head, got, tt.want)
		}
	}
}

func TestFrameChunk(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 255, 4096, uploadBuffer} {
		buf := make([]byte, chunkRoom+uploadBuffer+chunkTail)
		want := bytes.Repeat([]byte("a"), n)
		const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		copy(buf[chunkRoom:], want)
		apart := string(frameChunk(buf, n, false)) + "0\r\n\r\n"
		copy(buf[chunkRoom:], want)
		together := string(frameChunk(buf, n, true))
		if apart != together {
			t.Errorf("chunk of %d octets and the last chunk: %.100q, want %.100q", n, together, apart)
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + together)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, want) {
			t.Errorf("chunk of %d octets is read as %d, %v", n, len(got), err)
		}
	}
}
