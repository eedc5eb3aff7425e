package edpub

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// sumKernel is a kernel's table and sum.
type sumKernel struct {
	name  string
	table func(q *xy, width int) any
	sum   func(p *point, b, q any, s, k *scalar)
}

// sumKernels returns all that this machine can run, and the twins of the others.
func sumKernels() []sumKernel {
	ifma := func(q *xy, width int) any { return newTableIFMA(newTable(q.x, q.y, width)) }
	list := []sumKernel{
		{
			"portable",
			func(q *xy, width int) any { return newTable(q.x, q.y, width) },
			func(p *point, b, q any, s, k *scalar) { p.sumVarTime(b.(*table), q.(*table), s, k) },
		},
		{"ifma twin", ifma, func(p *point, b, q any, s, k *scalar) {
			var terms [maxTermsIFMA]laneTerm
			n := termsIFMA(&terms, b.(*tableIFMA), q.(*tableIFMA), s, k)
			var out [15]uint64
			sumTwin(&out, &terms, uint64(n/8))
			p.setLimbs(&out)
		}},
	}
	if hasIFMA {
		list = append(list, sumKernel{"ifma", ifma, func(p *point, b, q any, s, k *scalar) {
			p.sumIFMAVarTime(b.(*tableIFMA), q.(*tableIFMA), s, k)
		}})
	}
	return list
}

// affine returns p in reduced affine coordinates.
func (p *point) affine(t *testing.T) *xy {
	t.Helper()
	z := p.z.big()
	if z.Mod(z, refP).Sign() == 0 {
		t.Fatal("Z = 0")
	}
	z.ModInverse(z, refP)
	x, y := new(big.Int).Mul(p.x.big(), z), new(big.Int).Mul(p.y.big(), z)
	return &xy{x.Mod(x, refP), y.Mod(y, refP)}
}

func (p *point) setXY(a *xy, z *element) {
	p.x.setBig(a.x)
	p.y.setBig(a.y)
	p.t.mul(&p.x, &p.y)
	p.x.mul(&p.x, z)
	p.y.mul(&p.y, z)
	p.t.mul(&p.t, z)
	p.z = *z
}

// check compares p, T included, with want.
func (p *point) check(t *testing.T, what string, want *xy) {
	t.Helper()
	if got := p.affine(t); !got.equal(want) {
		t.Fatalf("%s = (%x, %x), want (%x, %x)", what, got.x, got.y, want.x, want.y)
	}
	left, right := new(big.Int).Mul(p.t.big(), p.z.big()), new(big.Int).Mul(p.x.big(), p.y.big())
	if left.Sub(left, right).Mod(left, refP).Sign() != 0 {
		t.Fatalf("%s: T·Z is not X·Y", what)
	}
	for _, e := range []*element{&p.x, &p.y, &p.z, &p.t} {
		checkTight(t, what, e)
	}
}

// somePoints are points of all kinds: small order, large order, both.
func somePoints(rng *rand.Rand, random int) []*xy {
	list := append([]*xy{refB, refB.neg(), refB.mul(big.NewInt(2))}, torsion[:]...)
	for i := range random {
		p := refB.mul(randomBelow(rng, refL))
		list = append(list, p, p.add(torsion[i%8]))
	}
	return list
}

func TestPoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	points := somePoints(rng, 12)
	zs := operands(rng, tight51, 51, 200)
	for _, a := range points {
		for _, b := range append(points, a.neg(), a.add(a), a.add(torsion[4])) {
			z := zs[rng.IntN(len(zs))]
			if r := z.big(); r.Mod(r, refP).Sign() == 0 {
				z = one
			}
			var bx, by element
			bx.setBig(b.x)
			by.setBig(b.y)
			var e affine
			e.setAffine(&bx, &by)
			var p point
			p.start(&e, 0)
			p.check(t, "start", b)
			p.start(&e, ^uint64(0))
			p.check(t, "-start", b.neg())
			p.setXY(a, &z)
			p.add(&e, 0)
			p.check(t, "add", a.add(b))
			p.setXY(a, &z)
			p.add(&e, ^uint64(0))
			p.check(t, "subtract", a.add(b.neg()))
			p.setXY(a, &z)
			p.double()
			p.check(t, "double", a.add(a))
			if got, want := p.encodeVarTime(), a.add(a).encode(); string(got[:]) != string(want) {
				t.Fatalf("encodeVarTime() = %x, want %x", got, want)
			}
		}
	}
}

func TestTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for _, q := range []*xy{refB, refB.mul(randomBelow(rng, refL)).add(torsion[3]), torsion[5], identity} {
		for _, width := range []int{5, 6, 7, 8} {
			tab := newTable(q.x, q.y, width)
			for i := range tab.windows {
				base := q.mul(new(big.Int).Lsh(big.NewInt(1), uint(i*width)))
				want := base
				for j := range 1 << (width - 1) {
					e := &tab.multiples[i<<(width-1)+j]
					xy := new(big.Int).Mul(want.x, want.y)
					checkElement(t, "y + x", &e.plus, new(big.Int).Add(want.y, want.x))
					checkElement(t, "y - x", &e.minus, new(big.Int).Sub(want.y, want.x))
					checkElement(t, "2dxy", &e.t2d, xy.Mul(xy, refD).Lsh(xy, 1))
					for _, l := range []*element{&e.plus, &e.minus, &e.t2d} {
						checkTight(t, "entry", l)
					}
					if width > 5 && j > 4 && rng.IntN(8) > 0 {
						break // the last is a sum of all before it, and TestSum reads the others
					}
					want = want.add(base)
				}
			}
		}
	}
}

func TestSum(t *testing.T) {
	for _, kernel := range sumKernels() {
		t.Run(kernel.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(19, 20))
			for width := 5; width <= 8; width++ {
				b := kernel.table(refB, baseWidth)
				samples := scalarSamples(rng, 60)
				for _, q := range []*xy{refB.mul(randomBelow(rng, refL)), refB, refB.neg(), torsion[1], identity, refB.add(torsion[3])} {
					table := kernel.table(q, width)
					check := func(s, k *big.Int) {
						t.Helper()
						var u, v scalar
						u.setBig(s)
						v.setBig(k)
						var p point
						kernel.sum(&p, b, table, &u, &v)
						want := refB.mul(s).add(q.mul(k))
						if got := p.affine(t); !got.equal(want) {
							t.Fatalf("width %d: %x·B + %x·Q = (%x, %x), want (%x, %x)", width, s, k, got.x, got.y, want.x, want.y)
						}
						if enc, want := p.encodeVarTime(), want.encode(); string(enc[:]) != string(want) {
							t.Fatalf("width %d: %x·B + %x·Q is encoded as %x, want %x", width, s, k, enc, want)
						}
					}
					check(new(big.Int), new(big.Int))
					for range rounds {
						s, k := samples[rng.IntN(len(samples))], samples[rng.IntN(len(samples))]
						check(s, k)
						check(s, s)
						check(s, new(big.Int))
						check(new(big.Int), k)
					}
				}
			}
		})
	}
}

func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, a := range somePoints(rng, 20) {
		x, y, err := decode(a.encode())
		if err != nil || !a.equal(&xy{x, y}) {
			t.Errorf("decode(%x) = (%x, %x, %v), want (%x, %x)", a.encode(), x, y, err, a.x, a.y)
		}
	}
}
