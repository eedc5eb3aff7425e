package p384

import "crypto/elliptic"

func testCurveOf() elliptic.Curve { return elliptic.P384() }

const sumRounds = 2

type testKernel struct {
	name  string
	table func(q *xy, width int) *Table
	sum   func(z *Sum, g, q *Table, u1, u2 *Scalar)
}

// testKernels returns all that this machine can run.
func testKernels() []testKernel {
	plain := func(q *xy, width int) *Table {
		a := q.affine()
		return NewTable(&a, width)
	}
	return []testKernel{{"portable", plain, sumVarTime}}
}
