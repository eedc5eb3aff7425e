package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var testLimits = &Limits{Head: 4096, URI: 1024, Fields: 20, ChunkExt: 64, LineBreaksBefore: 1}

// pieces is a net.Conn whose reads return the given pieces one by one.
type pieces struct {
	net.Conn
	list [][]byte
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.list) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.list[0])
	if c.list[0] = c.list[0][n:]; len(c.list[0]) == 0 {
		c.list = c.list[1:]
	}
	return n, nil
}

func (c *pieces) SetReadDeadline(time.Time) error { return nil }

// split cuts b into pieces of n octets; n 0 leaves it whole.
func split(b []byte, n int) [][]byte {
	if n == 0 {
		return [][]byte{b}
	}
	var out [][]byte
	for len(b) > n {
		out = append(out, b[:n])
		b = b[n:]
	}
	return append(out, b)
}

// request is what one request looked like from behind a Conn.
type request struct {
	head, told, body string
	bodyErr          string
}

// headText writes the head of the present request as it came, but for white space.
func headText(c *Conn) string {
	h := c.Head()
	s := fmt.Sprintf("%s %s HTTP/1.%d\r\n", h.Method, h.Target, h.minor)
	for _, f := range h.Fields {
		s += fmt.Sprintf("%s: %s\r\n", f.Name, f.Value)
	}
	return s + "\r\n"
}

// run reads requests as a server does: what it is told of the head with buffers of size room, then the body. It returns the final error's text.
func run(input []byte, piece, room int) ([]request, string) {
	c := Of(NewConn(&pieces{list: split(input, piece)}, testLimits))
	var out []request
	buf := make([]byte, room)
	for {
		var told []byte
		for !bytes.HasSuffix(told, []byte("\r\n\r\n")) {
			n, err := c.Read(buf)
			told = append(told, buf[:n]...)
			if err != nil {
				if len(told) > 0 && !c.marked {
					return out, "partial head delivered"
				}
				return out, err.Error()
			}
		}
		head := headText(c)
		body, err := io.ReadAll(bodyOf(c, room))
		if after := headText(c); after != head {
			return out, fmt.Sprintf("reading the body turned the head %q into %q", head, after)
		}
		r := request{head: head, told: string(told), body: string(body)}
		if err != nil {
			r.bodyErr = err.Error()
		}
		out = append(out, r)
	}
}

type bodyReader struct {
	c    *Conn
	room int
}

func bodyOf(c *Conn, room int) io.Reader { return bodyReader{c, room} }

func (b bodyReader) Read(p []byte) (int, error) {
	return b.c.ReadBody(p[:min(len(p), b.room)])
}

const good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestSplitsChangeNothing(t *testing.T) {
	for _, input := range []string{
		good, good + good + good, "\r\n" + good,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + good,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n00a\r\n0123456789\r\n0\r\nSum: 1\r\n\r\n" + good,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
		good + "GET / HTTP/1.1\nHost: a\r\n\r\n", good + "get / HTTP/1.1\r\nHost: a\r\n\r\n", good + "GET / HT",
		"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 21) + "\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 5000) + "\r\n\r\n",
		"GET /" + strings.Repeat("y", 1100) + " HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		want, wantErr := run([]byte(input), 0, 8192)
		for _, piece := range []int{1, 2, 3, 5, 7, 11, 64} {
			for _, room := range []int{1, 3, 8192} {
				got, gotErr := run([]byte(input), piece, room)
				if len(got) != len(want) || gotErr != wantErr {
					t.Fatalf("%.200q in pieces of %d, buffers of %d: %d requests and %q, want %d and %q", input, piece, room, len(got), gotErr, len(want), wantErr)
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("%.200q in pieces of %d: request %d is %q, want %q", input, piece, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func TestConnDelivers(t *testing.T) {
	got, err := run([]byte("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nSum: 1\r\n\r\n"+good), 0, 8192)
	if err != "EOF" || len(got) != 2 || got[0].body != "hello!" || got[1].head != good || got[1].body != "" {
		t.Errorf("got %q, %v", got, err)
	}
	got, _ = run([]byte("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello"), 0, 8192)
	if len(got) != 1 || got[0].bodyErr != io.ErrUnexpectedEOF.Error() {
		t.Errorf("a body cut off: got %q", got)
	}
}

// A body that nobody read ends the connection: its octets are never taken for a head.
func TestUnreadBodyEndsConnection(t *testing.T) {
	c := Of(NewConn(&pieces{list: [][]byte{[]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\n" + good)}}, testLimits))
	buf := make([]byte, 8192)
	n, err := c.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "POST") || c.BodyLen() != 27 || c.BodyRead() {
		t.Fatalf("Read = %q, %v", buf[:n], err)
	}
	if n, err := c.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("Read behind an unread body = %q, %v", buf[:n], err)
	}
}

// A fault in a body that nobody asked for any more makes no answer to a request that was never sent.
func TestFaultInBodyIsNoHead(t *testing.T) {
	c := Of(NewConn(&pieces{list: [][]byte{[]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + good)}}, testLimits))
	buf := make([]byte, 8192)
	if _, err := c.Read(buf); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadBody(buf); err == nil {
		t.Fatal("a malformed chunk was read")
	}
	for range 2 {
		if n, err := c.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("Read behind it = %q, %v; want EOF", buf[:n], err)
		}
	}
}

// A head that comes octet by octet is not read anew with each: that would cost its square.
func TestDrippedHead(t *testing.T) {
	lim := *testLimits
	lim.Head, lim.URI, lim.Fields = 1<<20, 1<<19, 100
	head := "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 600<<10) + "\r\nB: " + strings.Repeat("b", 2000)
	c := Of(NewConn(&pieces{list: append([][]byte{[]byte(head)}, split([]byte(strings.Repeat("b", 1000)), 1)...)}, &lim))
	looks := 0
	for {
		c.head.Fields = c.head.Fields[:0]
		err := c.nextHead()
		if len(c.head.Fields) > 0 {
			looks++
		}
		if err != nil {
			break
		}
	}
	if looks > 3 {
		t.Errorf("it was read %d times", looks)
	}
}

// An idle connection does not keep the memory of a long head.
func TestLongHeadIsForgotten(t *testing.T) {
	long := "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 3000) + "\r\nB: " + strings.Repeat("b", 900) + "\r\n\r\n"
	lim := *testLimits
	lim.Head = 64 << 10
	long = strings.Replace(long, "B: ", "B: "+strings.Repeat("b", 20<<10), 1)
	c := Of(NewConn(&pieces{list: [][]byte{[]byte(long)}}, &lim))
	buf := make([]byte, 512)
	if _, err := c.Read(buf); err != nil || len(c.Head().Fields) != 3 {
		t.Fatalf("%d fields, %v", len(c.Head().Fields), err)
	}
	if _, err := c.Read(buf); err != io.EOF {
		t.Fatal(err)
	}
	if cap(c.head.Fields) != 0 || len(c.buf) > 2*minBuffer {
		t.Errorf("room for %d fields and %d octets is kept", cap(c.head.Fields), len(c.buf))
	}
}

func TestViolationsAreErrors(t *testing.T) {
	check := func(input string, status int) {
		t.Helper()
		c := Of(NewConn(&pieces{list: [][]byte{[]byte(input)}}, testLimits))
		buf := make([]byte, 8192)
		n, err := c.Read(buf)
		if n != 1 || err != nil {
			t.Fatalf("%q: first Read = %q, %v; want one octet", input, buf[:n], err)
		}
		for range 3 {
			_, err = c.Read(buf)
			var e *Error
			if !errors.As(err, &e) || e.Status != status {
				t.Errorf("%q: %v, want status %d", input, err, status)
			}
		}
	}
	check("GET / HTTP/1.1\r\n\r\n", 400)
	check("GET / HTTP/2.0\r\n\r\n", 505)
	check("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501)
	check("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417)
	check("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501)
	check("GET /"+strings.Repeat("a", 2000)+" HTTP/1.1\r\nHost: a\r\n\r\n", 414)
	check("GET / HTTP/1.1\r\nHost: a\r\nA: "+strings.Repeat("a", 5000), 431)
}

func TestValidHost(t *testing.T) {
	for host, want := range map[string]bool{
		"a": true, "A.b-c_d": true, "a:80": true, "a:": true, "a:65535": true, "a:65536": false, "a:x": false, "[::1]": true, "[::1]:8": true,
		"[::1": false, "[]": false, "[g::]": false, "": false, ":80": false, "a b": false, "a,b": false, "u@a": false, "a/b": false, "a%41": false,
		".a": false, "a..b": false, "a.": true, "127.0.0.1:1": true, "[::1]:99999": false, "[::1]x": false, "a\x00": false,
	} {
		if got := ValidHost([]byte(host)); got != want {
			t.Errorf("ValidHost(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestIsFieldValue(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				v := bytes.Repeat([]byte("a"), n)
				v[at] = byte(c)
				if got, want := isFieldValue(v), c == '\t' || (c >= 0x20 && c != 0x7f); got != want {
					t.Fatalf("isFieldValue(%q) = %v, want %v", v, got, want)
				}
			}
		}
	}
}

func TestHeadTimeout(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	lim := *testLimits
	lim.HeadTimeout = 30 * time.Millisecond
	c := NewConn(b, &lim)
	go func() {
		for range 20 {
			if _, err := a.Write([]byte("G")); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	_, err := c.Read(make([]byte, 100))
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("a slow head: %v, want a time-out", err)
	}
}

// sameHead compares a head, and what the HTTP library is told of it, with what net/http reads.
func sameHead(got request, want *http.Request) error {
	line, fields, _ := strings.Cut(got.head, "\r\n")
	if line != fmt.Sprintf("%s %s %s", want.Method, want.RequestURI, want.Proto) {
		return fmt.Errorf("net/http reads %s %s %s", want.Method, want.RequestURI, want.Proto)
	}
	told, err := http.ReadRequest(bufio.NewReader(strings.NewReader(got.told)))
	if err != nil {
		return fmt.Errorf("net/http does not read what is told: %w", err)
	}
	if told.Method != want.Method || told.Proto != want.Proto || told.Close != (want.Close || want.ProtoMinor == 0) || told.ContentLength != 0 ||
		told.Header.Get("Expect") != strings.ToLower(want.Header.Get("Expect")) {
		return fmt.Errorf("of %s %s, close %t, expect %q, %s %s, close %t, expect %q was told", want.Method, want.Proto, want.Close, want.Header.Get("Expect"),
			told.Method, told.Proto, told.Close, told.Header.Get("Expect"))
	}
	seen := http.Header{}
	for line := range strings.SplitSeq(strings.TrimSuffix(fields, "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			seen.Add(name, value)
		}
	}
	for _, name := range []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer"} { // net/http keeps them elsewhere
		seen.Del(name)
		want.Header.Del(name)
	}
	if !maps.EqualFunc(seen, want.Header, slices.Equal[[]string]) {
		return fmt.Errorf("fields %q, net/http reads %q", seen, want.Header)
	}
	return nil
}

// FuzzConn: what passes in one piece passes in all, net/http reads the same from it, and nothing panics.
func FuzzConn(f *testing.F) {
	for _, s := range []string{
		good, good + good, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + good,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhi\r\n0\r\nA: b\r\n\r\n" + good,
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "\r\n" + good, "GET / HTTP/1.1\nHost: a\n\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: x ,\tCLOSE\r\nB:\r\n\r\n", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		"PUT /?q HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\nB: 1\r\nb:  2\t\r\n\r\nx",
	} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 3)
	}
	f.Add([]byte("GET /% HTTP/1.0\r\n\r\n"), 25)
	f.Add([]byte("GET http://A# HTTP/1.0\r\nHost:A\r\n\r\n"), 9) // a fragment behind an absolute-form target passed
	f.Add(bytes.Repeat([]byte("O"), 1100), 12)                   // a line without an end was refused in one piece only
	f.Add(append(bytes.Repeat([]byte("0"), 1100), '\n'), 75)     // 400 in one piece, 414 in several
	f.Add(append([]byte("\r\n"), bytes.Repeat([]byte("0"), 2000)...), 1)
	f.Add(append([]byte("GET / HTTP/1.1\r\nA: "), bytes.Repeat([]byte("0"), 2000)...), 100)
	f.Fuzz(func(t *testing.T, input []byte, piece int) {
		if piece < 1 || len(input) > 8<<10 {
			return
		}
		want, wantErr := run(input, 0, 16<<10)
		got, gotErr := run(input, piece, 16<<10)
		if len(got) != len(want) || gotErr != wantErr {
			t.Fatalf("%q: %d requests and %q, in pieces of %d: %d and %q", input, len(want), wantErr, piece, len(got), gotErr)
		}
		br := bufio.NewReader(bytes.NewReader(input))
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%q: request %d is %q, in pieces %q", input, i, want[i], got[i])
			}
			if want[i].bodyErr != "" {
				return
			}
			if lead, err := br.Peek(2); err == nil && string(lead) == "\r\n" {
				br.Discard(2) // net/http does not skip the empty line
			}
			req, err := http.ReadRequest(br)
			var target *url.Error
			if errors.As(err, &target) {
				return // what a target means is for package route to say, and to refuse
			}
			if err != nil {
				t.Fatalf("%q: request %d passed, net/http says %v", input, i, err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil || string(body) != want[i].body {
				t.Fatalf("%q: body %q, net/http reads %q, %v", input, want[i].body, body, err)
			}
			if err := sameHead(want[i], req); err != nil {
				t.Fatalf("%q: request %d is %q, told %q: %v", input, i, want[i].head, want[i].told, err)
			}
		}
	})
}
