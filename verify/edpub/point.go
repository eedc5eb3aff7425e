package edpub

import (
	"errors"
	"math/big"
)

// affine is a point of the curve -x² + y² = 1 + d·x²·y² as an addition wants it: y + x, y - x and 2d·x·y, tight.
type affine struct{ plus, minus, t2d element }

// point is a sum in extended coordinates: x = X/Z, y = Y/Z, x·y = T/Z, all tight.
//
// d is not a square and -1 is, so the formulas have no exceptional case: equal, opposite, neutral and small-order points
// among them (Hisil, Wong, Carter and Dawson 2008, 3.1). Z is never 0.
type point struct{ x, y, z, t element }

// start sets p to a, or to -a if sign is all ones.
func (p *point) start(a *affine, sign uint64) {
	plus, minus := &a.plus, &a.minus
	if sign != 0 {
		plus, minus = minus, plus
	}
	// 2x and 2y; T = X·Y/Z with X = 4x, Y = 4y and Z = 4.
	p.x.sub(plus, minus)
	p.y.add(plus, minus)
	p.t.mul(&p.x, &p.y)
	p.x.add(&p.x, &p.x)
	p.y.add(&p.y, &p.y)
	p.x.carry()
	p.y.carry()
	p.z = element{4}
}

// add adds a table entry to p, or subtracts it if sign is all ones. Seven multiplications.
func (p *point) add(a *affine, sign uint64) {
	var aa, bb, cc, dd, e, f, g, h element
	plus, minus := &a.plus, &a.minus
	if sign != 0 {
		plus, minus = minus, plus
	}
	aa.sub(&p.y, &p.x)
	aa.mul(&aa, minus)
	bb.add(&p.y, &p.x)
	bb.mul(&bb, plus)
	cc.mul(&p.t, &a.t2d)
	dd.add(&p.z, &p.z)
	e.sub(&bb, &aa)
	h.add(&bb, &aa)
	if sign != 0 {
		f.add(&dd, &cc)
		g.sub(&dd, &cc)
	} else {
		f.sub(&dd, &cc)
		g.add(&dd, &cc)
	}
	p.x.mul(&e, &f)
	p.y.mul(&g, &h)
	p.t.mul(&e, &h)
	p.z.mul(&f, &g)
}

// double sets p to 2p, for tables. (dbl-2008-hwcd with a = -1.)
func (p *point) double() {
	var aa, bb, cc, e, f, g, h element
	aa.mul(&p.x, &p.x)
	bb.mul(&p.y, &p.y)
	cc.mul(&p.z, &p.z)
	cc.add(&cc, &cc)
	e.add(&p.x, &p.y)
	e.mul(&e, &e)
	h.add(&aa, &bb)
	e.sub(&h, &e)
	g.sub(&aa, &bb)
	f.add(&cc, &g)
	p.x.mul(&e, &f)
	p.y.mul(&g, &h)
	p.t.mul(&e, &h)
	p.z.mul(&f, &g)
}

// encodeVarTime returns the encoding of p.
func (p *point) encodeVarTime() [32]byte {
	var inv, x, y element
	inv.invertVarTime(&p.z)
	x.mul(&p.x, &inv)
	y.mul(&p.y, &inv)
	return encode(&x, &y)
}

// setAffine sets a to the point (x, y), both tight.
func (a *affine) setAffine(x, y *element) {
	a.plus.add(y, x)
	a.plus.carry()
	a.minus.sub(y, x)
	a.minus.carry()
	a.t2d.mul(x, y)
	a.t2d.mul(&a.t2d, &d2)
}

// normalize sets dst to points, with one inversion (Montgomery's trick). before has the length of points.
func normalize(dst []affine, points []point, before []element) {
	product := one
	for i := range points {
		before[i] = product
		product.mul(&product, &points[i].z)
	}
	product.invertVarTime(&product)
	for i := len(points) - 1; i >= 0; i-- {
		p := &points[i]
		var inv, x, y element
		inv.mul(&product, &before[i])
		product.mul(&product, &p.z)
		x.mul(&p.x, &inv)
		y.mul(&p.y, &inv)
		dst[i].setAffine(&x, &y)
	}
}

// fieldPrime is p, and curveD is d.
var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD     = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), fieldPrime)
		return d.Mul(d, big.NewInt(-121665)).Mod(d, fieldPrime)
	}()
)

var errNotAPoint = errors.New("edpub: cannot make Ed25519 key: not a point of the curve")

// decode returns the point that key, 32 octets, stands for. It takes what crypto/ed25519 takes, which is more than RFC 8032,
// 5.1.3, allows: y in [p, 2^255), and x = 0 with the sign bit. It runs once for each key, so it may be slow and plain.
func decode(key []byte) (x, y *big.Int, err error) {
	be := make([]byte, 32)
	for i := range be {
		be[i] = key[31-i]
	}
	sign := uint(be[0] >> 7)
	be[0] &= 0x7f
	y = new(big.Int).SetBytes(be)
	y.Mod(y, fieldPrime)
	// x² = (y² - 1)/(d·y² + 1); the denominator is not 0, since -1/d is not a square.
	yy := new(big.Int).Mul(y, y)
	den := new(big.Int).Mul(curveD, yy)
	den.Add(den, big.NewInt(1)).Mod(den, fieldPrime).ModInverse(den, fieldPrime)
	yy.Sub(yy, big.NewInt(1)).Mul(yy, den).Mod(yy, fieldPrime)
	if x = new(big.Int).ModSqrt(yy, fieldPrime); x == nil {
		return nil, nil, errNotAPoint
	}
	if x.Bit(0) != sign {
		x.Sub(fieldPrime, x).Mod(x, fieldPrime) // 0 stays 0
	}
	return x, y, nil
}

// setBig sets z to b, in [0, p), tight.
func (z *element) setBig(b *big.Int) {
	var w [4]uint64
	for i := range w {
		w[i] = new(big.Int).Rsh(b, uint(64*i)).Uint64()
	}
	z.setWords(&w)
}
