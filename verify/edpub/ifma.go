package edpub

// maxTermsIFMA is the number of terms of two tables with the narrowest windows, 2·51, in steps of eight.
const maxTermsIFMA = 104

// laneTerm is one entry of a sum; sign is all ones if the entry is to be subtracted, else 0. It has no name because the
// assembly's stub has none for it.
type laneTerm = struct {
	entry *[12]uint64
	sign  uint64
}

// tableIFMA is a table for the IFMA kernel. An entry is y + x, y - x and 2d·x·y, four 64-bit words each, least significant
// first, in [0, p): the kernel makes 51-bit limbs of them when it has them in registers. So an entry is a line and a half of
// the cache.
type tableIFMA struct {
	shape
	multiples [][12]uint64
}

func newTableIFMA(t *table) *tableIFMA {
	own := &tableIFMA{shape: t.shape, multiples: make([][12]uint64, len(t.multiples))}
	for i := range t.multiples {
		a := &t.multiples[i]
		for j, e := range []*element{&a.plus, &a.minus, &a.t2d} {
			w := e.words()
			copy(own.multiples[i][4*j:], w[:])
		}
	}
	return own
}

func (t *tableIFMA) size() int { return len(t.multiples) * 12 * 8 }

// neutral is the entry of the neutral element, (0, 1).
var neutral = [12]uint64{0: 1, 4: 1}

// lookup writes the terms whose sum is u·Q to dst from index n on, and returns the index after them.
func (t *tableIFMA) lookup(dst *[maxTermsIFMA]laneTerm, n int, u *scalar) int {
	v := t.recode(u)
	for i := range t.windows {
		j, sign := t.digit(&v, i)
		if j < 0 {
			continue
		}
		dst[n] = laneTerm{&t.multiples[i<<(t.width-1)+j], sign}
		n++
	}
	return n
}

// sumIFMAVarTime is sumVarTime for the tables of this kernel, which hasIFMA must report. T is not set.
func (p *point) sumIFMAVarTime(b, q *tableIFMA, s, k *scalar) {
	var terms [maxTermsIFMA]laneTerm
	n := termsIFMA(&terms, b, q, s, k)
	var out [15]uint64
	sumIFMA(&out, &terms, uint64(n/8))
	p.setLimbs(&out)
}

// termsIFMA writes the terms of s·B + k·Q and returns their number: at least eight, and filled up to whole steps.
func termsIFMA(dst *[maxTermsIFMA]laneTerm, b, q *tableIFMA, s, k *scalar) int {
	n := b.lookup(dst, 0, s)
	n = q.lookup(dst, n, k)
	for n == 0 || n%8 != 0 {
		dst[n] = laneTerm{&neutral, 0}
		n++
	}
	return n
}

// setLimbs sets X, Y and Z to wide elements.
func (p *point) setLimbs(z *[15]uint64) {
	p.x = element(z[:5])
	p.y = element(z[5:10])
	p.z = element(z[10:])
	p.x.carry()
	p.y.carry()
	p.z.carry()
}
