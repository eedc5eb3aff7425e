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

func BenchmarkMulADX(b *testing.B) {
	if !HasADX {
		b.Skip("no ADX")
	}
	x, y := [4]uint64(one), [4]uint64{1, 2, 3, 4}
	for b.Loop() {
		mulADX(&x, &x, &y)
	}
}

func BenchmarkSqrADX(b *testing.B) {
	if !HasADX {
		b.Skip("no ADX")
	}
	x := [4]uint64{1, 2, 3, 4}
	for b.Loop() {
		sqrADX(&x, &x)
	}
}

func benchPoints() (point, Affine) {
	g := generator()
	q, r := g.mul(testCurve.Params().B).affine(), g.affine()
	var p point
	p.start(term{&q, 0}, term{&r, 0})
	return p, r
}

func BenchmarkAdd(b *testing.B) {
	p, a := benchPoints()
	for b.Loop() {
		p.add(term{&a, 0})
	}
}

func BenchmarkAddADX(b *testing.B) {
	if !HasADX {
		b.Skip("no ADX")
	}
	q, a := benchPoints()
	p := [4][4]uint64{q.X, q.Y, q.ZZ, q.ZZZ}
	for b.Loop() {
		addADX(&p, (*[4]uint64)(&a.X), (*[4]uint64)(&a.Y), 0)
	}
}
