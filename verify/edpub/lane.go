package edpub

import "math/bits"

// This file is the AVX-512 IFMA kernel in Go, one lane at a time: the twin of sumIFMA, the same to the bit, and the place of
// its bounds.
//
// Numbers are elements: five limbs of 51 bits. VPMADD52 takes the low 52 bits of its factors and adds the low or the high 52
// bits of their product, so a factor's limbs must be below 2^52; "tight" ones are below 2^51 + 2^15, and so are table entries.
// With tight factors a low half is below 2^52, and a high half is below 2^50.01 and counts twice, as the limbs are of 51 bits:
//
//	column        0    1    2    3    4    5    6    7    8    9
//	low halves    1    2    3    4    5    4    3    2    1
//	high halves        1    2    3    4    5    4    3    2    1
//
// A column 5 to 9 counts 19 times in the column 0 to 4, since 2^255 is 19. So a product has limbs below 125·2^52 < 2^59; it is
// "wide" then. In T·(-2dxy) one factor's limbs are up to 2^52, which makes high halves below 2^51.01 and limbs below
// 173·2^52 < 2^60. What a difference subtracts is therefore below 512p, limb by limb, and the largest sum, 2Z - C + 512p with a
// wide Z, is below 250·2^52 + 2^60 < 2^61. A carry of that is below 2^10, and 19 of them make a tight limb.
type lane struct{ p, m, t, z element } // Y + X, Y - X and T, tight, and Z, wide or tight

const mask52 = 1<<52 - 1

// mul52 sets z to x·y, wide.
func (z *element) mul52(x, y *element) {
	var t [10]uint64
	for i := range 5 {
		for j := range 5 {
			hi, lo := bits.Mul64(x[j]&mask52, y[i]&mask52)
			t[i+j] += lo & mask52
			t[i+j+1] += 2 * (hi<<12 | lo>>52)
		}
	}
	for j := range z {
		z[j] = t[j] + 19*t[5+j]
	}
}

// sumDiff sets sum to y + x and diff to y - x, both tight, for wide x and y.
func sumDiff(sum, diff, x, y *element) {
	var s, d element
	for j := range s {
		s[j] = y[j] + x[j]
		d[j] = y[j] - x[j] + 512*mask51
	}
	d[0] -= 512 * 18
	s.carry()
	d.carry()
	*sum, *diff = s, d
}

// efgh are the four numbers whose products are the sum: E·F, G·H, E·H and F·G are X, Y, T and Z.
type efgh struct{ e, f, g, h element }

// set makes them of A, B, C and Z, all wide.
func (e *efgh) set(a, b, c, z *element) {
	sumDiff(&e.h, &e.e, a, b)
	var d element
	d.add(z, z)
	sumDiff(&e.g, &e.f, c, &d)
}

// finish sets l to the sum; its Z is wide.
func (e *efgh) finish(l *lane) {
	var x, y element
	l.t.mul52(&e.e, &e.h)
	l.t.carry()
	x.mul52(&e.e, &e.f)
	y.mul52(&e.g, &e.h)
	sumDiff(&l.p, &l.m, &x, &y)
	l.z.mul52(&e.f, &e.g)
}

// unpack sets e to the entry as the assembly unpacks it, with plus and minus exchanged and t2d negated if sign is not 0.
func (a *affine) unpack(e *[12]uint64, sign uint64) {
	plus, minus := &a.plus, &a.minus
	if sign != 0 {
		plus, minus = minus, plus
	}
	plus.setWords((*[4]uint64)(e[:4]))
	minus.setWords((*[4]uint64)(e[4:8]))
	a.t2d.setWords((*[4]uint64)(e[8:]))
	if sign != 0 {
		a.t2d.sub(&element{}, &a.t2d)
	}
}

func (l *lane) start(t laneTerm) {
	var a affine
	a.unpack(t.entry, t.sign)
	sumDiff(&l.p, &l.m, &a.minus, &a.plus)
	l.t.mul52(&l.m, &l.p)
	l.t.carry()
	for j := range l.p {
		l.p[j] = 4 * a.plus[j]
		l.m[j] = 4 * a.minus[j]
	}
	l.p.carry()
	l.m.carry()
	l.z = element{4}
}

func (l *lane) addMixed(t laneTerm) {
	var a affine
	a.unpack(t.entry, t.sign)
	var e efgh
	var aa, bb, cc element
	aa.mul52(&l.m, &a.minus)
	bb.mul52(&l.p, &a.plus)
	cc.mul52(&l.t, &a.t2d)
	e.set(&aa, &bb, &cc, &l.z)
	e.finish(l)
}

// add makes e of the sum of two lanes with tight Z.
func (e *efgh) add(l, k *lane) {
	var aa, bb, cc, z element
	aa.mul52(&l.m, &k.m)
	bb.mul52(&l.p, &k.p)
	z.mul52(&l.z, &k.z)
	cc.mul52(&l.t, &d2)
	cc.carry()
	cc.mul52(&cc, &k.t)
	e.set(&aa, &bb, &cc, &z)
}

// sumTwin is sumIFMA in Go.
func sumTwin(z *[15]uint64, terms *[maxTermsIFMA]laneTerm, steps uint64) {
	var lanes [8]lane
	for i := range lanes {
		lanes[i].start(terms[i])
		for j := 1; j < int(steps); j++ {
			lanes[i].addMixed(terms[8*j+i])
		}
		lanes[i].z.carry()
	}
	var e efgh
	for half := 4; half > 0; half /= 2 {
		for i := range half {
			e.add(&lanes[i], &lanes[half+i])
			if half > 1 {
				e.finish(&lanes[i])
				lanes[i].z.carry()
			}
		}
	}
	for i, f := range [3][2]*element{{&e.e, &e.f}, {&e.g, &e.h}, {&e.f, &e.g}} {
		(*element)(z[5*i:5*i+5]).mul52(f[0], f[1])
	}
}
