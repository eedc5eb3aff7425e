package p256

import (
	"math/rand/v2"
	"testing"
)

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

// BenchmarkSum is a sum alone, of tables with windows of 8 bits, over random scalars.
func BenchmarkSum(b *testing.B) {
	rng := rand.New(rand.NewPCG(23, 24))
	n := testCurve.Params().N
	var us [512]*Scalar
	for i := range us {
		us[i] = scalar(random(rng, n))
	}
	for _, kernel := range testKernels() {
		b.Run(kernel.name, func(b *testing.B) {
			tg, tq := kernel.table(generator(), 8), kernel.table(generator().mul(random(rng, n)), 8)
			var z Sum
			i := 0
			for b.Loop() {
				kernel.sum(&z, tg, tq, us[i%512], us[(i+1)%512])
				i++
			}
			if z.Undefined() {
				b.Fatal("undefined")
			}
		})
	}
}
