package p256

import "math/bits"

// maxTermsIFMA is the number of terms of two tables with the narrowest windows: 2·56.
const maxTermsIFMA = 112

// ifmaTerm is one entry of a sum; sign is all ones if the entry is to be subtracted, else 0. It has no name because the
// assembly's stub has none for it.
type ifmaTerm = struct {
	entry *[8]uint64
	sign  uint64
}

// TableIFMA is a Table for SumIFMAVarTime. Its windows are rounded up to a multiple of eight, so that each lane of a vector
// has the same number of terms. An entry is x and y, four 64-bit words each, least significant first, in the Montgomery
// domain x·2^260 mod p, in [0, p): the kernel makes 52-bit limbs of them when it has them in registers. So an entry is one
// line of the cache.
type TableIFMA struct {
	shape   Table // without entries
	entries [][8]uint64
}

// NewTableIFMA is NewTable for SumIFMAVarTime.
func NewTableIFMA(q *Affine, width int) *TableIFMA {
	windows := (ScalarBits + width - 1) / width
	t := newTable(q, width, (windows+7)&^7)
	own := &TableIFMA{shape: Table{width: t.width, windows: t.windows}, entries: make([][8]uint64, len(t.entries))}
	for i := range t.entries {
		for j, e := range []Element{t.entries[i].X, t.entries[i].Y} {
			for range 4 {
				e.Add(&e, &e) // from x·2^256 to x·2^260
			}
			copy(own.entries[i][4*j:], e[:])
		}
	}
	return own
}

// Size returns the memory of the table in bytes.
func (t *TableIFMA) Size() int { return len(t.entries) * entrySize }

// lookup writes the terms whose sum is u·Q to dst from index n on, and returns the index after them.
func (t *TableIFMA) lookup(dst *[maxTermsIFMA]ifmaTerm, n int, u *Scalar) int {
	v, flip := t.shape.recode(u)
	for i := range t.shape.windows {
		j, sign := t.shape.digit(&v, i)
		// sumIFMA negates its sums with each step but the first: the terms 16 to 23, 32 to 39, … must follow.
		back := uint64(0)
		if n >= 16 && n&8 == 0 {
			back = ^uint64(0)
		}
		dst[n] = ifmaTerm{&t.entries[uint64(i)<<(t.shape.width-1)+j], sign ^ flip ^ back}
		n++
	}
	return n
}

// SumIFMAVarTime is SumVarTime for the tables of this kernel, which HasIFMA must report. X and ZZ have a factor in common.
func SumIFMAVarTime(z *Sum, g, q *TableIFMA, u1, u2 *Scalar) {
	var terms [maxTermsIFMA]ifmaTerm
	n := g.lookup(&terms, 0, u1)
	n = q.lookup(&terms, n, u2)
	var out [10]uint64
	sumIFMA(&out, &terms, uint64(n/8))
	z.X.pack52((*limbs52)(out[:5]))
	z.ZZ.pack52((*limbs52)(out[5:]))
}

// pack52 sets z to x, carried and below 4p, modulo p. The domain stays that of x: no Montgomery factor is changed.
func (z *Element) pack52(x *limbs52) {
	t := [5]uint64{x[0] | x[1]<<52, x[1]>>12 | x[2]<<40, x[2]>>24 | x[3]<<28, x[3]>>36 | x[4]<<16, x[4] >> 48}
	for t[4] != 0 {
		var b uint64
		t[0], b = bits.Sub64(t[0], p0, 0)
		t[1], b = bits.Sub64(t[1], p1, b)
		t[2], b = bits.Sub64(t[2], p2, b)
		t[3], b = bits.Sub64(t[3], p3, b)
		t[4] -= b
	}
	z.reduceOnce(t[0], t[1], t[2], t[3], 0)
}
