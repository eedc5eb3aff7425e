package audit

import (
	"testing"
	"time"
)

// allowed is the record of a request that passed, as the proxy makes it.
func allowed() *Record {
	return &Record{
		Time: time.Date(2026, 11, 25, 3, 45, 12, 345e6, time.UTC), RequestID: []byte("5d41402abc4b2a76b9719d911017c592"),
		Peer: []byte("10.20.30.40"), Method: []byte("GET"), Host: []byte("api.example.com"), Path: []byte("/api/orders/1"),
		Route: "orders", Verdict: "allow", Reason: "ok", Status: 200, BytesOut: 11, Duration: 345 * time.Microsecond,
		Issuer: "https://login.example.com/realms/main", Subject: []byte("f3b1c2d4-5e6f-4a7b-8c9d-000000000001"),
		JTI: []byte("0191d2a4-7c3e-7b1f-9a2d-000000000001"), Kid: []byte("key-1"), Alg: "HS256", Upstream: "up",
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	r := allowed()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = appendRecord(dst[:0], r, false)
	}
	b.SetBytes(int64(len(dst)))
}
