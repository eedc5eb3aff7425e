package p256

import "math/bits"

// This file is the AVX-512 IFMA kernel in Go, one lane at a time: the twin of sumIFMA, the same to the bit, and the place of
// its bounds.
//
// limbs52 is a number modulo p in the Montgomery domain x·2^260 mod p, in five limbs of 52 bits, least significant first.
// "Carried" means that the four lower limbs are in [0, 2^52) and the highest is what remains, not negative. Numbers are not
// reduced to [0, p): with R = 2^260 > 15.99p, a product x·y/R + (quotient below R)·p/R is below x·y/16p + 1.001p, so the
// bounds, in multiples of p, come back to small ones by themselves:
//
//	mixed addition (all lanes)                full addition
//	x2, y2, table entries       1             U1, S1                   1.6
//	X                           2.01          X                        2.01
//	Y                           2.6           Y                        2.6
//	ZZ, ZZZ                     2.2, 1.6      ZZ, ZZZ                  2.2, 1.6
//	P = U2 - X + 3p             4.3           P = U2 - U1 + 2p         3.5
//	R = ±S2 - Y + 4p            5.2           R = S2 - S1 + 2p         3.5
//	PP, RR                      2.2, 2.7      PP, RR                   1.8
//	PPP, Q                      1.6, 1.3      PPP, Q                   1.5, 1.2
//	D = X - Q + 2p              4.02          D = X - Q + 2p           4.02
//	R·D + Y·PPP                 2.6           R·D + S1·PPP             2.1
//
// All are below 15.99p = 2^260, so a carried highest limb is below 2^52, as a factor must be. What is only added or
// subtracted (U2, S2, RR, Q) need not be carried: a column is a sum of at most 26 halves of products, so below 2^57.
type limbs52 [5]uint64

const mask52 = 1<<52 - 1

// mulAdd sets z to x·y + v·w in the domain, not carried. v and w may be nil.
func (z *limbs52) mulAdd(x, y, v, w *limbs52) {
	var t [10]uint64
	row := func(x, y *limbs52) {
		for i := range 5 {
			for j := range 5 {
				// VPMADD52 takes the low 52 bits of both factors.
				hi, lo := bits.Mul64(x[j]&mask52, y[i]&mask52)
				t[i+j] += lo & mask52
				t[i+j+1] += hi<<12 | lo>>52
			}
		}
	}
	row(x, y)
	if v != nil {
		row(v, w)
	}
	// m·p = m·2^256 - m·2^224 + m·2^192 + m·2^96 - m clears the low 52 bits of t[i], which are m.
	for i := range 5 {
		m := t[i] & mask52
		t[i+1] += t[i]>>52 + m<<44&mask52
		t[i+2] += m >> 8
		t[i+3] += m << 36 & mask52
		hi, lo := bits.Mul64(m, 1<<48-1<<16)
		t[i+4] += m>>16 + lo&mask52
		t[i+5] += hi<<12 | lo>>52
	}
	copy(z[:], t[5:])
}

func (z *limbs52) mul(x, y *limbs52) { z.mulAdd(x, y, nil, nil) }

// carry carries limbs that may be negative.
func (z *limbs52) carry() {
	for j := range 4 {
		z[j+1] += uint64(int64(z[j]) >> 52)
		z[j] &= mask52
	}
}

// subPlus sets z to z - x + c·p, not carried.
func (z *limbs52) subPlus(x *limbs52, c uint64) {
	for j := range z {
		z[j] -= x[j]
	}
	z.plus(c)
}

// plus adds c·p = c·(2^256 - 2^224) + c·2^192 + c·2^96 - c.
func (z *limbs52) plus(c uint64) {
	z[0] -= c
	z[1] += c << 44
	z[3] += c << 36
	z[4] += c * (1<<48 - 1<<16)
}

// reduce takes k·p off, with k the bits from 256 on of the highest limb, signed, and adds p; then it carries. Limbs that
// are not carried make k wrong by less than 2^-30, and k is at most 9, so k·(2^256-p) is below 2^228: the result is above
// p - 2^229 and below p + 2^256 + 2^229.
func (z *limbs52) reduce() {
	k := uint64(int64(z[4]) >> 48)
	z[0] += k
	z[1] -= k << 44
	z[3] -= k << 36
	z[4] += k<<16 - k<<48
	z.plus(1)
	z.carry()
}

// x3 sets x to rr - ppp - 2q and d to x - q.
func x3(x, d, rr, ppp, q *limbs52) {
	for j := range x {
		x[j] = rr[j] - ppp[j] - 2*q[j]
	}
	x.reduce()
	*d = *x
	d.subPlus(q, 2)
	d.carry()
}

// point52 is a point in XYZZ coordinates.
type point52 struct{ x, y, zz, zzz limbs52 }

// one52 is 2^260 mod p.
var one52 = limbs52{16, 1<<52 - 1<<48, 1<<52 - 1, 1<<52 - 1<<40 - 1, 1<<20 - 1}

func unpack52(e *[4]uint64) limbs52 {
	return limbs52{
		e[0] & mask52, (e[0]>>52 | e[1]<<12) & mask52, (e[1]>>40 | e[2]<<24) & mask52, (e[2]>>28 | e[3]<<36) & mask52, e[3] >> 16,
	}
}

func (p *point52) start(a ifmaTerm) {
	p.x = unpack52((*[4]uint64)(a.entry[:4]))
	p.y = unpack52((*[4]uint64)(a.entry[4:]))
	if a.sign != 0 {
		y := p.y
		p.y = limbs52{}
		p.y.subPlus(&y, 1)
	}
	p.y.carry()
	p.zz, p.zzz = one52, one52
}

// addMixed sets p to -(p + a): R·(X-Q) + Y·PPP, the opposite of the new Y, takes one reduction less. The sign of the whole
// alternates, which the signs of the terms make up for.
func (p *point52) addMixed(a ifmaTerm) {
	x2, y2 := unpack52((*[4]uint64)(a.entry[:4])), unpack52((*[4]uint64)(a.entry[4:]))
	var h, r, hh, hhh, q, rr, d limbs52
	h.mul(&x2, &p.zz)
	h.subPlus(&p.x, 3)
	h.carry()
	r.mul(&y2, &p.zzz)
	if a.sign != 0 {
		for j := range r {
			r[j] = -r[j]
		}
	}
	r.subPlus(&p.y, 4)
	r.carry()
	hh.mul(&h, &h)
	hh.carry()
	rr.mul(&r, &r)
	hhh.mul(&h, &hh)
	hhh.carry()
	q.mul(&p.x, &hh)
	p.zz.mul(&p.zz, &hh)
	p.zz.carry()
	x3(&p.x, &d, &rr, &hhh, &q)
	p.zzz.mul(&p.zzz, &hhh)
	p.zzz.carry()
	p.y.mulAdd(&p.y, &hhh, &r, &d)
	p.y.carry()
}

// add sets p to -(p + b).
func (p *point52) add(b *point52) {
	var u1, s1, h, r, hh, hhh, q, rr, d limbs52
	u1.mul(&p.x, &b.zz)
	u1.carry()
	h.mul(&b.x, &p.zz)
	h.subPlus(&u1, 2)
	h.carry()
	s1.mul(&p.y, &b.zzz)
	s1.carry()
	r.mul(&b.y, &p.zzz)
	r.subPlus(&s1, 2)
	r.carry()
	p.zz.mul(&p.zz, &b.zz)
	p.zz.carry()
	hh.mul(&h, &h)
	hh.carry()
	rr.mul(&r, &r)
	hhh.mul(&h, &hh)
	hhh.carry()
	q.mul(&u1, &hh)
	p.zz.mul(&p.zz, &hh)
	p.zz.carry()
	x3(&p.x, &d, &rr, &hhh, &q)
	p.zzz.mul(&p.zzz, &b.zzz)
	p.zzz.carry()
	p.zzz.mul(&p.zzz, &hhh)
	p.zzz.carry()
	p.y.mulAdd(&s1, &hhh, &r, &d)
	p.y.carry()
}

// sumTwin is sumIFMA in Go.
func sumTwin(z *[10]uint64, terms *[maxTermsIFMA]ifmaTerm, steps uint64) {
	var lanes [8]point52
	for i := range lanes {
		lanes[i].start(terms[i])
		for j := 1; j < int(steps); j++ {
			lanes[i].addMixed(terms[8*j+i])
		}
	}
	for half := 4; half > 0; half /= 2 {
		for i := range half {
			lanes[i].add(&lanes[half+i])
		}
	}
	copy(z[:5], lanes[0].x[:])
	copy(z[5:], lanes[0].zz[:])
}
