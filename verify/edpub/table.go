package edpub

import (
	"fmt"
	"math/big"
	"math/bits"
)

// Widths of a window in bits.
const (
	minWidth = 5
	maxWidth = 10
)

// scalarBits is one more than a scalar has, which leaves room for the sign of the highest digit.
const scalarBits = 254

const maxWindows = (scalarBits + minWidth - 1) / minWidth

// shape is the windows of a table: entry i·2^(width-1) + j is (j+1)·2^(width·i)·Q.
type shape struct {
	width, windows int
	bias           [5]uint64 // 2^(width-1) - 1 in each window
}

func newShape(width int) shape {
	if width < minWidth || width > maxWidth {
		panic(fmt.Sprintf("sallyport: BUG: window of %d bits", width))
	}
	s := shape{width: width, windows: (scalarBits + width - 1) / width}
	bias := uint64(1)<<(width-1) - 1
	for i := range s.windows {
		bit := i * width
		s.bias[bit/64] |= bias << (bit % 64)
		if bit/64 < 4 {
			s.bias[bit/64+1] |= bias >> (64 - bit%64) // a shift by 64 gives 0
		}
	}
	return s
}

// entries returns how many entries a table has.
func (s *shape) entries() int { return s.windows << (s.width - 1) }

// recode returns v = u + bias, whose windows c of w bits make u the sum of the digits (c - 2^(w-1) + 1)·2^(wi), each in
// [-2^(w-1)+1, 2^(w-1)], with no carry between them. The bias is below 2^(wn-1) for n windows and u below 2^253, so v is
// below 2^(wn): wn is at least 254.
func (s *shape) recode(u *scalar) (v [5]uint64) {
	var carry uint64
	for i := range u {
		v[i], carry = bits.Add64(u[i], s.bias[i], carry)
	}
	v[4] = s.bias[4] + carry
	return v
}

// digit returns the index in window i of the entry for v's digit, and a mask of the digit's sign; -1 stands for the digit 0.
func (s *shape) digit(v *[5]uint64, i int) (j int, sign uint64) {
	bit := i * s.width
	c := v[bit/64] >> (bit % 64)
	if bit/64 < 4 {
		c |= v[bit/64+1] << (64 - bit%64)
	}
	half := int64(1) << (s.width - 1)
	d := int64(c)&(2*half-1) - half + 1
	mask := d >> 63
	return int((d^mask)-mask) - 1, uint64(mask)
}

// table is a table of multiples for the portable kernel. It is immutable.
type table struct {
	shape
	multiples []affine
}

// newTable builds the table of the point (x, y) of the curve.
func newTable(x, y *big.Int, width int) *table {
	t := &table{shape: newShape(width)}
	t.multiples = make([]affine, t.entries())
	var p point
	p.x.setBig(x)
	p.y.setBig(y)
	p.z = one
	p.t.mul(&p.x, &p.y)
	half := 1 << (width - 1)
	points := make([]point, max(half, t.windows))
	before := make([]element, len(points))
	bases := make([]affine, t.windows)
	for i := range bases {
		points[i] = p
		for range width {
			p.double()
		}
	}
	normalize(bases, points[:t.windows], before)
	for i := range bases {
		points[0].start(&bases[i], 0)
		for j := 1; j < half; j++ {
			points[j] = points[j-1]
			points[j].add(&bases[i], 0)
		}
		normalize(t.multiples[i*half:(i+1)*half], points[:half], before)
	}
	return t
}

func (t *table) size() int { return len(t.multiples) * 15 * 8 }

// term is one entry of a sum; sign is all ones if the entry is to be subtracted, else 0.
type term struct {
	entry *affine
	sign  uint64
}

// lookup writes the terms whose sum is u·Q to dst from index n on, and returns the index after them.
func (t *table) lookup(dst *[2 * maxWindows]term, n int, u *scalar) int {
	v := t.recode(u)
	for i := range t.windows {
		j, sign := t.digit(&v, i)
		if j < 0 {
			continue
		}
		dst[n] = term{&t.multiples[i<<(t.width-1)+j], sign}
		n++
	}
	return n
}

// sumVarTime sets p to s·B + k·Q for the tables b of B and q of Q.
func (p *point) sumVarTime(b, q *table, s, k *scalar) {
	var terms [2 * maxWindows]term
	n := b.lookup(&terms, 0, s)
	n = q.lookup(&terms, n, k)
	// Read each entry once before the first addition: these loads wait for memory side by side, those of the additions
	// would wait one after another. (BenchmarkCold.)
	var touch uint64
	for _, t := range terms[:n] {
		touch |= t.entry.plus[0] & t.entry.minus[4] & t.entry.t2d[4]
	}
	*p = point{y: one, z: one}
	if n == 0 {
		return
	}
	p.x[0] = touch // overwritten
	p.start(terms[0].entry, terms[0].sign)
	for _, t := range terms[1:n] {
		p.add(t.entry, t.sign)
	}
}
