package p256

// point.go and table.go are the same text in the packages of all three curves, each over its own Element; a test in ecpub
// holds them together. Go's generics would call the field through a dictionary and let every temporary escape.

// Affine is a point of the curve other than the one at infinity. Coordinates are Elements.
type Affine struct{ X, Y Element }

// point is a sum in the coordinates (X, Y, ZZ, ZZZ) with x = X/ZZ, y = Y/ZZZ and ZZ³ = ZZZ². With no doublings to do they
// are the cheapest known: a mixed addition costs ten multiplications, one less than in Jacobian coordinates.
//
// The formulas are incomplete. When two equal or opposite points meet, or one of both is already undefined, ZZ becomes 0; it
// is a factor of every later ZZ, so it stays 0. A sum whose ZZ is not 0 is therefore right.
type point struct{ X, Y, ZZ, ZZZ Element }

// negateIf sets z to -z if mask is all ones, and leaves it if mask is 0.
func (z *Element) negateIf(mask uint64) {
	var n Element
	n.Sub(&n, z)
	for i := range z {
		z[i] ^= mask & (z[i] ^ n[i])
	}
}

// start sets p to the sum of two table entries. (madd-2008-s with ZZ1 = 1.)
func (p *point) start(a, b term) {
	p1, p2 := *a.entry, *b.entry
	p1.Y.negateIf(a.sign)
	p2.Y.negateIf(b.sign)
	var h, r, q, t Element
	h.Sub(&p2.X, &p1.X)
	r.Sub(&p2.Y, &p1.Y)
	p.ZZ.Sqr(&h)
	p.ZZZ.Mul(&h, &p.ZZ)
	q.Mul(&p1.X, &p.ZZ)
	p.X.Sqr(&r)
	p.X.Sub(&p.X, &p.ZZZ)
	p.X.Sub(&p.X, &q)
	p.X.Sub(&p.X, &q)
	q.Sub(&q, &p.X)
	q.Mul(&q, &r)
	t.Mul(&p1.Y, &p.ZZZ)
	p.Y.Sub(&q, &t)
}

// add adds a table entry to p. (madd-2008-s: 8M + 2S.)
func (p *point) add(a term) {
	y2 := a.entry.Y
	y2.negateIf(a.sign)
	var h, r, hh, hhh, q Element
	h.Mul(&a.entry.X, &p.ZZ)
	r.Mul(&y2, &p.ZZZ)
	h.Sub(&h, &p.X)
	r.Sub(&r, &p.Y)
	hh.Sqr(&h)
	hhh.Mul(&h, &hh)
	q.Mul(&p.X, &hh)
	p.ZZ.Mul(&p.ZZ, &hh)
	p.ZZZ.Mul(&p.ZZZ, &hhh)
	p.X.Sqr(&r)
	p.X.Sub(&p.X, &hhh)
	p.X.Sub(&p.X, &q)
	p.X.Sub(&p.X, &q)
	q.Sub(&q, &p.X)
	q.Mul(&q, &r)
	hhh.Mul(&hhh, &p.Y)
	p.Y.Sub(&q, &hhh)
}

// Sum is the x coordinate of a sum of multiples, X/ZZ. Both may carry one common factor, so nothing but HasX may be asked.
type Sum struct{ X, ZZ Element }

// Undefined reports that the addition formulas met a case that they do not cover; the sum is not known then.
func (z *Sum) Undefined() bool { return z.ZZ.IsZero() }

// HasX reports whether the x coordinate is v, a plain number below p: v·ZZ = X takes no inversion.
func (z *Sum) HasX(v *[ScalarWords]uint64) bool {
	var t Element
	t.SetPlain(v)
	t.Mul(&t, &z.ZZ)
	t.Sub(&t, &z.X)
	return t.IsZero()
}

// sumVarTime is the portable form of SumVarTime.
func sumVarTime(z *Sum, g, q *Table, u1, u2 *Scalar) {
	var buf [2 * maxWindows]term
	terms := g.lookup(buf[:0], u1)
	terms = q.lookup(terms, u2)
	// Read each entry once before the first addition: these loads wait for memory side by side, those of the additions
	// would wait one after another. (BenchmarkSignature/*/cold.)
	var touch uint64
	for _, t := range terms {
		touch |= t.entry.X[0] & t.entry.Y[len(t.entry.Y)-1]
	}
	var p point
	p.ZZ[0] = touch
	p.start(terms[0], terms[1])
	for _, t := range terms[2:] {
		p.add(t)
	}
	z.X, z.ZZ = p.X, p.ZZ
}
