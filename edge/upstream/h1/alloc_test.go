//go:build !race

package h1

import (
	"bytes"
	"testing"
)

// An exchange on a reused connection allocates nothing, with and without a small body. The endpoint in this process does not
// either.
func TestExchangeAllocatesNothing(t *testing.T) {
	ep := listen(t, func(p *peer) {
		buf := make([]byte, 8<<10)
		response := []byte(okResponse)
		for n := 0; ; {
			k, err := p.Conn.Read(buf[n:])
			if err != nil {
				return
			}
			if n += k; bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) || bytes.HasSuffix(buf[:n], []byte("\r\n\r\nhello")) {
				n = 0
				_, _ = p.Conn.Write(response)
			}
		}
	})
	c := testClient(t, ep.addr, nil)
	hello := []byte("hello")
	body := bytes.NewReader(hello)
	for _, tt := range []struct {
		name string
		ex   *Exchange
	}{{"GET", get()}, {"PUT", put("hello")}} {
		ex := *tt.ex
		head, reused := ex.Head, new(Exchange)
		run := func() {
			reused.Reset()
			reused.Head, reused.Idempotent = head, true
			if ex.BodyLen > 0 {
				body.Reset(hello)
				reused.Body, reused.BodyLen, reused.MaxBody = body, ex.BodyLen, ex.MaxBody
			}
			if err := c.Do(reused); err != nil {
				t.Fatal(err)
			}
			if _, ok := reused.Buffered(); !ok {
				t.Fatal("the body did not come with the head")
			}
			reused.Close()
		}
		run()
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
	if conns, _ := ep.seen(); conns != 1 {
		t.Errorf("%d connections, want 1", conns)
	}
}
