package h1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// pieces is a net.Conn that takes every write and whose reads return the given octets, 1 to 61 at a time as n, changed by
// every read, says.
type pieces struct {
	net.Conn
	rest []byte
	n    int
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	k := copy(p[:min(len(p), c.n%61+1)], c.rest)
	c.rest = c.rest[k:]
	c.n = c.n*31 + 7
	if c.n < 0 {
		c.n = -(c.n + 1)
	}
	return k, nil
}

func (c *pieces) Write(p []byte) (int, error)      { return len(p), nil }
func (c *pieces) Close() error                     { return nil }
func (c *pieces) SetReadDeadline(time.Time) error  { return nil }
func (c *pieces) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse: net/http reads what is accepted here in the same way, and a connection is kept only when it has been read to the
// response's end exactly and net/http would keep it too.
func FuzzResponse(f *testing.F) {
	for _, tt := range responses {
		if len(tt.response) < 1<<10 {
			f.Add([]byte(tt.response), tt.head, 0, 16)
			f.Add([]byte(tt.response), tt.head, 60, 1)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, head bool, piece, room int) {
		if piece < 0 || room < 1 || room > 1<<16 || len(input) > 12<<10 {
			return
		}
		method := "GET"
		if head {
			method = "HEAD"
		}
		c := NewClient(Options{MaxConns: 1, MaxHead: 16 << 10, ConnectTimeout: time.Hour, ResponseTimeout: time.Hour, IdleTimeout: time.Hour})
		defer c.Close()
		nc := &pieces{rest: input, n: piece}
		ex := &Exchange{Head: []byte(method + " / HTTP/1.1\r\nHost: a\r\n\r\n"), HEAD: head, Idempotent: true, client: c}
		c.open = 1
		err := ex.try(newConn(nc, nc, true), ex.Head, false)
		if err != nil {
			return
		}
		var body []byte
		buf := make([]byte, room)
		for err == nil {
			var n int
			n, err = ex.Read(buf)
			body = append(body, buf[:n]...)
		}
		status, length := ex.Status, ex.BodyLength()
		ex.Close()
		kept := len(c.idle) == 1
		if err != io.EOF {
			if kept {
				t.Fatalf("%q: kept after %v", input, err)
			}
			return
		}
		src := bytes.NewReader(input)
		br := bufio.NewReaderSize(src, 64<<10)
		for {
			resp, err := http.ReadResponse(br, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%q: accepted as %d, net/http says %v", input, status, err)
			}
			want, err := io.ReadAll(resp.Body)
			if resp.StatusCode < 200 && err == nil {
				continue
			}
			if err != nil || resp.StatusCode != status || !bytes.Equal(body, want) {
				t.Fatalf("%q: %d, %q; net/http reads %d, %q, %v", input, status, body, resp.StatusCode, want, err)
			}
			if length >= 0 && !head && status != 304 && length != int64(len(body)) {
				t.Fatalf("%q: BodyLength() = %d of a body of %d", input, length, len(body))
			}
			used, wantUsed := len(input)-len(nc.rest), len(input)-src.Len()-br.Buffered()
			if kept && (used != wantUsed || resp.Close) {
				t.Fatalf("%q: kept after %d octets; net/http read %d, close %v", input, used, wantUsed, resp.Close)
			}
			return
		}
	})
}
