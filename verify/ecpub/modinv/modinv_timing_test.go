package modinv

import (
	"crypto/elliptic"
	"testing"
)

func BenchmarkInverse(b *testing.B) {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		m := New(c.Params().N.Bytes())
		xs := samples(c.Params().N, 1000)
		xs = xs[len(xs)-1000:]
		nats := make([]Nat, len(xs))
		for i, x := range xs {
			nats[i] = fromBig(x)
		}
		b.Run(c.Params().Name, func(b *testing.B) {
			b.ReportAllocs()
			var z Nat
			i := 0
			for b.Loop() {
				m.InverseMontVarTime(&z, &nats[i%len(nats)])
				i++
			}
			if z.IsZero() {
				b.Fatal("zero")
			}
		})
	}
}

func BenchmarkMontMul(b *testing.B) {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		m := New(c.Params().N.Bytes())
		z := m.RR()
		b.Run(c.Params().Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.MontMul(&z, &z, &z)
			}
		})
	}
}
