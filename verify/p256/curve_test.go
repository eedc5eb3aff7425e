package p256

import "crypto/elliptic"

func testCurveOf() elliptic.Curve { return elliptic.P256() }

const sumRounds = 6

type testKernel struct {
	name  string
	table func(q *xy, width int) any
	sum   func(z *Sum, g, q any, u1, u2 *Scalar)
}

// testKernels returns all that this machine can run, and the twins of the others.
func testKernels() []testKernel {
	plain := func(q *xy, width int) any {
		a := q.affine()
		return NewTable(&a, width)
	}
	ifma := func(q *xy, width int) any {
		a := q.affine()
		return NewTableIFMA(&a, width)
	}
	list := []testKernel{
		{"portable", plain, func(z *Sum, g, q any, u1, u2 *Scalar) { SumVarTime(z, g.(*Table), q.(*Table), u1, u2) }},
		{"ifma twin", ifma, func(z *Sum, g, q any, u1, u2 *Scalar) {
			sumVarTimeIFMA(z, g.(*TableIFMA), q.(*TableIFMA), u1, u2, sumTwin)
		}},
	}
	if HasADX {
		list = append(list, testKernel{"adx", plain, func(z *Sum, g, q any, u1, u2 *Scalar) {
			SumADXVarTime(z, g.(*Table), q.(*Table), u1, u2)
		}})
	}
	if HasIFMA {
		list = append(list, testKernel{"ifma", ifma, func(z *Sum, g, q any, u1, u2 *Scalar) {
			SumIFMAVarTime(z, g.(*TableIFMA), q.(*TableIFMA), u1, u2)
		}})
	}
	return list
}

// sumVarTimeIFMA is SumIFMAVarTime with another sum.
func sumVarTimeIFMA(z *Sum, g, q *TableIFMA, u1, u2 *Scalar, sum func(*[10]uint64, *[maxTermsIFMA]ifmaTerm, uint64)) {
	var terms [maxTermsIFMA]ifmaTerm
	n := g.lookup(&terms, 0, u1)
	n = q.lookup(&terms, n, u2)
	var out [10]uint64
	sum(&out, &terms, uint64(n/8))
	z.X.pack52((*limbs52)(out[:5]))
	z.ZZ.pack52((*limbs52)(out[5:]))
}
