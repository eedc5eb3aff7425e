package p256

import "crypto/elliptic"

func testCurveOf() elliptic.Curve { return elliptic.P256() }

const sumRounds = 6

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
