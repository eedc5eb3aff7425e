package p521

import "fmt"

// Widths of a window in bits that NewTable takes.
const (
	MinWidth = 5
	MaxWidth = 11
)

const maxWindows = (ScalarBits + MinWidth - 1) / MinWidth

// Table holds odd multiples of one point Q, for sums without doublings: (2j+1)·2^(width·i)·Q is
// entries[i·2^(width-1) + j]. It is immutable.
type Table struct {
	width   int
	windows int
	entries []Affine
}

// Scalar is an odd number of at most ScalarBits bits with a sign, least significant word first.
type Scalar struct {
	Odd [ScalarWords]uint64
	Neg bool
}

// NewTable builds the table of q, which must be a point of the curve other than the one at infinity. The order of the group
// is prime, so none of the additions of this function meets an exceptional case.
func NewTable(q *Affine, width int) *Table {
	if width < MinWidth || width > MaxWidth {
		panic(fmt.Sprintf("sallyport: BUG: window of %d bits", width))
	}
	return newTable(q, width, (ScalarBits+width-1)/width)
}

func newTable(q *Affine, width, windows int) *Table {
	t := &Table{width: width, windows: windows}
	half := 1 << (width - 1)
	t.entries = make([]Affine, t.windows*half)
	twice := make([]Affine, t.windows)
	b := *q
	for i := range t.windows {
		t.entries[i*half] = b
		b.double()
		twice[i] = b
		if i < t.windows-1 {
			b.doubleTimes(width - 1)
		}
	}
	// One inversion serves the j-th entries of all windows (Montgomery's trick): before[i] is the product of the
	// differences of x before the i-th.
	before := make([]Element, t.windows)
	for j := 1; j < half; j++ {
		product := one
		for i := range t.windows {
			before[i] = product
			var d Element
			d.Sub(&twice[i].X, &t.entries[i*half+j-1].X)
			product.Mul(&product, &d)
		}
		product.InvVarTime(&product)
		for i := t.windows - 1; i >= 0; i-- {
			p, z := &t.entries[i*half+j-1], &t.entries[i*half+j]
			var d, inv, slope Element
			d.Sub(&twice[i].X, &p.X)
			inv.Mul(&product, &before[i])
			product.Mul(&product, &d)
			slope.Sub(&twice[i].Y, &p.Y)
			slope.Mul(&slope, &inv)
			z.through(p, &twice[i].X, &slope)
		}
	}
	return t
}

// through sets z to the sum of a and a point with the abscissa bx, the slope between both being given.
func (z *Affine) through(a *Affine, bx, slope *Element) {
	var x, y Element
	x.Sqr(slope)
	x.Sub(&x, &a.X)
	x.Sub(&x, bx)
	y.Sub(&a.X, &x)
	y.Mul(&y, slope)
	z.Y.Sub(&y, &a.Y)
	z.X = x
}

// double sets z to 2z. No point of the curve has y = 0, since the order of the group is odd.
func (z *Affine) double() {
	var s, t Element
	s.Sqr(&z.X)
	s.Sub(&s, &one)
	t.Add(&s, &s)
	s.Add(&s, &t) // 3x² + a with a = -3
	t.Add(&z.Y, &z.Y)
	t.InvVarTime(&t)
	s.Mul(&s, &t)
	x := z.X
	z.through(z, &x, &s)
}

// doubleTimes sets z to 2^k·z. Doublings in the coordinates of point take no inversion. (dbl-2008-s-1.)
func (z *Affine) doubleTimes(k int) {
	p := point{z.X, z.Y, one, one}
	for range k {
		var u, v, w, s, m, t Element
		u.Add(&p.Y, &p.Y)
		v.Sqr(&u)
		w.Mul(&u, &v)
		s.Mul(&p.X, &v)
		m.Sqr(&p.X)
		t.Sqr(&p.ZZ)
		m.Sub(&m, &t) // X² + a·ZZ²/3 with a = -3
		t.Add(&m, &m)
		m.Add(&m, &t)
		p.X.Sqr(&m)
		p.X.Sub(&p.X, &s)
		p.X.Sub(&p.X, &s)
		s.Sub(&s, &p.X)
		s.Mul(&s, &m)
		t.Mul(&w, &p.Y)
		p.Y.Sub(&s, &t)
		p.ZZ.Mul(&p.ZZ, &v)
		p.ZZZ.Mul(&p.ZZZ, &w)
	}
	var inv, t Element
	inv.InvVarTime(&p.ZZZ)
	t.Mul(&inv, &p.ZZ) // 1/Z
	t.Sqr(&t)
	z.X.Mul(&p.X, &t)
	z.Y.Mul(&p.Y, &inv)
}

// Size returns the memory of the table in bytes.
func (t *Table) Size() int { return len(t.entries) * entrySize }

// term is one entry of a sum; sign is all ones if the entry is to be subtracted, else 0.
type term struct {
	entry *Affine
	sign  uint64
}

// recode returns the windows of u, and a mask of the sign of all digits.
//
// With k windows of w bits, u odd and v = (u-1)/2 + 2^(wk-1), the windows c of v give u as the sum of the odd digits
// (2c+1-2^w)·2^(wi): no digit is 0, there is no carry and no extra window, and half the digits are the others negated. k may
// be larger than it needs to be.
func (t *Table) recode(u *Scalar) (v [ScalarWords + 1]uint64, flip uint64) {
	for i := range ScalarWords - 1 {
		v[i] = u.Odd[i]>>1 | u.Odd[i+1]<<63
	}
	v[ScalarWords-1] = u.Odd[ScalarWords-1] >> 1
	top := t.width*t.windows - 1
	v[top/64] |= 1 << (top % 64)
	if u.Neg {
		flip = ^uint64(0)
	}
	return v, flip
}

// digit returns the index in window i of the entry for v's digit, and a mask of the digit's sign.
func (t *Table) digit(v *[ScalarWords + 1]uint64, i int) (j, sign uint64) {
	bit := i * t.width
	c := v[bit/64] >> (bit % 64)
	if bit/64 < ScalarWords {
		c |= v[bit/64+1] << (64 - bit%64) // a shift by 64 gives 0
	}
	sign = c>>(t.width-1)&1 - 1 // all ones for c < 2^(w-1)
	return (c ^ sign) & (1<<(t.width-1) - 1), sign
}

// lookup appends the entries whose sum is u·Q.
func (t *Table) lookup(dst []term, u *Scalar) []term {
	v, flip := t.recode(u)
	for i := range t.windows {
		j, sign := t.digit(&v, i)
		dst = append(dst, term{&t.entries[uint64(i)<<(t.width-1)+j], sign ^ flip})
	}
	return dst
}
