package header

import (
	"strings"
	"testing"
)

// browser is the fields of a request by a browser's fetch, with a bearer token of 600 octets.
var browser = []byte("Host: api.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0\r\n" +
	"Accept: application/json\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Authorization: Bearer " + strings.Repeat("eyJhbGciOi", 60) + "\r\n" +
	"Sec-Fetch-Mode: cors\r\nReferer: https://www.example.com/orders\r\n\r\n")

func BenchmarkScan(b *testing.B) {
	r := NewRules([]string{"X-User", "X-Roles"})
	var f Fields
	b.ReportAllocs()
	b.SetBytes(int64(len(browser)))
	for b.Loop() {
		if err := r.Scan(&f, browser); err != nil || len(f.All()) != 8 {
			b.Fatal(err, len(f.All()))
		}
	}
}

func BenchmarkBearerToken(b *testing.B) {
	value := []byte("Bearer " + strings.Repeat("eyJhbGciOi", 60))
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if token, err := BearerToken(value); err != nil || len(token) != 600 {
			b.Fatal(err)
		}
	}
}

func BenchmarkIsHopByHop(b *testing.B) {
	var names [][]byte
	for _, name := range []string{"Server", "Date", "Content-Type", "Content-Length", "Cache-Control", "ETag"} {
		names = append(names, []byte(name))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			if IsHopByHop(name) {
				b.Fatal(string(name))
			}
		}
	}
}
