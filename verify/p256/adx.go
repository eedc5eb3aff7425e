package p256

// SumADXVarTime is SumVarTime with the additions in assembly, which HasADX must report.
func SumADXVarTime(z *Sum, g, q *Table, u1, u2 *Scalar) {
	var buf [2 * maxWindows]term
	terms := g.lookup(buf[:0], u1)
	terms = q.lookup(terms, u2)
	// As in sumVarTime: all entries are asked for at once.
	var touch uint64
	for _, t := range terms {
		touch |= t.entry.X[0] & t.entry.Y[len(t.entry.Y)-1]
	}
	var start point
	start.ZZ[0] = touch
	start.start(terms[0], terms[1])
	p := [4][4]uint64{start.X, start.Y, start.ZZ, start.ZZZ}
	for _, t := range terms[2:] {
		addADX(&p, (*[4]uint64)(&t.entry.X), (*[4]uint64)(&t.entry.Y), t.sign)
	}
	z.X, z.ZZ = p[0], p[2]
}
