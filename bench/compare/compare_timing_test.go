package main

import (
	"testing"
	"time"
)

// BenchmarkCompare is one token from end to end by each library, of 5 000 in turn. For jwx as make figures measures it, run it with
// -tags jwx_goccy.
func BenchmarkCompare(b *testing.B) {
	useKernels(b)
	for _, alg := range algs {
		b.Run(alg.String(), func(b *testing.B) {
			c := newCorpus(b, alg, tokens, time.Now())
			for _, lib := range libraries {
				b.Run(lib.name, func(b *testing.B) {
					f, err := inTurn(lib, c)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportAllocs()
					b.SetBytes(int64(len(c.Tokens[0])))
					for b.Loop() {
						f()
					}
				})
			}
		})
	}
}
