package edpub

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// xy is an affine point in big.Int: the reference is slow, complete and shares nothing with the code under test.
type xy struct{ x, y *big.Int }

var (
	refP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	refL = func() *big.Int {
		l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
		return l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
	}()
	refD, _  = new(big.Int).SetString("37095705934669439343138083508754565189542113879843219016388785533085940283555", 10)
	identity = &xy{big.NewInt(0), big.NewInt(1)}
	refB     = func() *xy {
		x, _ := new(big.Int).SetString("15112221349535400772501151409588531511454012693041857206046113283949847762202", 10)
		y, _ := new(big.Int).SetString("46316835694926478169428394003475163141307993866256225615783033603165251855960", 10)
		return &xy{x, y}
	}()
	// torsion are the points of small order: torsion[i] is i times a point of order 8.
	torsion = func() (list [8]*xy) {
		for y := int64(2); ; y++ {
			p := refPoint(big.NewInt(y))
			if p == nil {
				continue
			}
			if p = p.mul(refL); p.mul(big.NewInt(4)).equal(identity) {
				continue
			}
			list[0] = identity
			for i := 1; i < 8; i++ {
				list[i] = list[i-1].add(p)
			}
			return list
		}
	}()
)

// refPoint returns a point with ordinate y, nil if there is none.
func refPoint(y *big.Int) *xy {
	yy := new(big.Int).Mul(y, y)
	den := new(big.Int).Mul(refD, yy)
	den.Add(den, big.NewInt(1)).ModInverse(den.Mod(den, refP), refP)
	num := yy.Sub(yy, big.NewInt(1))
	num.Mul(num, den).Mod(num, refP)
	x := new(big.Int).ModSqrt(num, refP)
	if x == nil {
		return nil
	}
	return &xy{x, new(big.Int).Mod(y, refP)}
}

func (a *xy) equal(b *xy) bool { return a.x.Cmp(b.x) == 0 && a.y.Cmp(b.y) == 0 }

func (a *xy) neg() *xy {
	x := new(big.Int).Neg(a.x)
	return &xy{x.Mod(x, refP), a.y}
}

// add is RFC 8032, 5.1.4, first pair of formulas.
func (a *xy) add(b *xy) *xy {
	m := func(x, y *big.Int) *big.Int {
		z := new(big.Int).Mul(x, y)
		return z.Mod(z, refP)
	}
	t := m(refD, m(m(a.x, b.x), m(a.y, b.y)))
	one := big.NewInt(1)
	dx := new(big.Int).Add(one, t)
	dy := new(big.Int).Sub(one, t)
	inv := m(dx, dy) // one inversion for both denominators
	inv.ModInverse(inv, refP)
	return &xy{
		m(m(inv, dy), new(big.Int).Add(m(a.x, b.y), m(b.x, a.y))),
		m(m(inv, dx), new(big.Int).Add(m(a.y, b.y), m(a.x, b.x))),
	}
}

// mul takes k as an integer: it is not reduced, since a may have a component of small order.
func (a *xy) mul(k *big.Int) *xy {
	if k.Sign() < 0 {
		return a.neg().mul(new(big.Int).Neg(k))
	}
	z := identity
	for i := k.BitLen() - 1; i >= 0; i-- {
		z = z.add(z)
		if k.Bit(i) == 1 {
			z = z.add(a)
		}
	}
	return z
}

func (a *xy) encode() []byte {
	b := littleEndian(a.y, 32)
	b[31] |= byte(a.x.Bit(0)) << 7
	return b
}

func littleEndian(x *big.Int, size int) []byte {
	b := x.FillBytes(make([]byte, size))
	for i := range size / 2 {
		b[i], b[size-1-i] = b[size-1-i], b[i]
	}
	return b
}

func fromLittleEndian(b []byte) *big.Int {
	be := make([]byte, len(b))
	for i, v := range b {
		be[len(b)-1-i] = v
	}
	return new(big.Int).SetBytes(be)
}

// big returns the number that the limbs stand for, not reduced.
func (z *element) big() *big.Int {
	b := new(big.Int)
	for i := 4; i >= 0; i-- {
		b.Lsh(b, 51).Add(b, new(big.Int).SetUint64(z[i]))
	}
	return b
}

func (s *scalar) setBig(b *big.Int) {
	for i := range s {
		s[i] = new(big.Int).Rsh(b, uint(64*i)).Uint64()
	}
}

func (s *scalar) big() *big.Int {
	b := new(big.Int)
	for i := 3; i >= 0; i-- {
		b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(s[i]))
	}
	return b
}

func randomBelow(rng *rand.Rand, m *big.Int) *big.Int {
	b := make([]byte, (m.BitLen()+7)/8+8)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	x := new(big.Int).SetBytes(b)
	return x.Mod(x, m)
}

func TestReference(t *testing.T) {
	if x, y := basePoint(); !refB.equal(&xy{x, y}) {
		t.Errorf("basePoint() = %x, %x, want %x, %x", x, y, refB.x, refB.y)
	}
	if !refB.mul(refL).equal(identity) {
		t.Error("[L]B is not the neutral element")
	}
	if curveD.Cmp(refD) != 0 {
		t.Errorf("curveD = %x, want %x", curveD, refD)
	}
	if got := order.big(); got.Cmp(refL) != 0 {
		t.Errorf("order = %x, want %x", got, refL)
	}
	m := orderMod.M()
	if got := (*scalar)(m[:4]).big(); got.Cmp(refL) != 0 {
		t.Errorf("orderMod is modulo %x, want %x", got, refL)
	}
	want := new(big.Int).Lsh(refD, 1)
	if got := d2.big(); got.Cmp(want.Mod(want, refP)) != 0 {
		t.Errorf("d2 = %x, want %x", got, want)
	}
	seen := map[string]bool{}
	for i, p := range torsion {
		seen[string(p.encode())] = true
		if !p.mul(big.NewInt(8)).equal(identity) || i%2 == 1 && p.mul(big.NewInt(4)).equal(identity) {
			t.Errorf("torsion[%d] has another order", i)
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d points of small order, want 8", len(seen))
	}
}
