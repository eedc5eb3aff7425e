// Package bench_test holds the benchmarks of the whole path of a request, in one process.
package bench_test

import (
	"testing"

	"sallyport/bench/rig"
	"sallyport/verify/jose"
)

// BenchmarkProxy is one keep-alive connection, one request at a time, over loopback: client, proxy and upstream. Its time is the
// latency of one request and not the cost of the proxy, for which see bench/figures; its allocations are the proxy's.
func BenchmarkProxy(b *testing.B) {
	for _, c := range []struct {
		name string
		opt  rig.Options
	}{
		{"no-auth", rig.Options{}},
		{"no-auth-audit", rig.Options{Audit: true}},
		{"hs256", rig.Options{Alg: jose.HS256, Tokens: 5000}},
		{"hs256-audit", rig.Options{Alg: jose.HS256, Tokens: 5000, Audit: true}},
		{"rs256-audit", rig.Options{Alg: jose.RS256, Audit: true}},
		{"es256-audit", rig.Options{Alg: jose.ES256, Audit: true}},
		{"eddsa-audit", rig.Options{Alg: jose.EdDSA, Audit: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := rig.New(c.opt)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			b.ReportAllocs()
			b.SetBytes(r.RequestLen())
			for b.Loop() {
				if err := r.Do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
