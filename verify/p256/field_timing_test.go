package p256

import "testing"

func BenchmarkMul(b *testing.B) {
	x, y := one, Element{1, 2, 3, 4}
	for b.Loop() {
		x.Mul(&x, &y)
	}
}

func BenchmarkSqr(b *testing.B) {
	x := Element{1, 2, 3, 4}
	for b.Loop() {
		x.Sqr(&x)
	}
}
