package wire

import (
	"net"
	"strings"
	"testing"
)

// repeat is a net.Conn that gives the same request again and again.
type repeat struct {
	net.Conn
	b []byte
}

func (r *repeat) Read(p []byte) (int, error) { return copy(p, r.b), nil }

func BenchmarkConn(b *testing.B) {
	head := []byte("GET /api/orders/1?full=true HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: curl/8.0\r\nAccept: application/json\r\n" +
		"Accept-Encoding: gzip\r\nAuthorization: Bearer " + strings.Repeat("a", 700) + "\r\n\r\n")
	c := Of(NewConn(&repeat{b: head}, &Limits{Head: 32 << 10, URI: 16 << 10, Fields: 100, ChunkExt: 256, LineBreaksBefore: 1}))
	buf := make([]byte, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		if _, err := c.Read(buf); err != nil || len(c.Head().Fields) != 5 {
			b.Fatal(len(c.Head().Fields), err)
		}
	}
}
