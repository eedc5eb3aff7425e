package p384

import "crypto/elliptic"

func testCurveOf() elliptic.Curve { return elliptic.P384() }

const sumRounds = 2

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
	return []testKernel{{"portable", plain, func(z *Sum, g, q any, u1, u2 *Scalar) { SumVarTime(z, g.(*Table), q.(*Table), u1, u2) }}}
}
