package p256

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// value returns a carried number; limbs may be out of range.
func (z *limbs52) value() *big.Int {
	b := new(big.Int)
	for i := 4; i >= 0; i-- {
		b.Lsh(b, 52).Add(b, big.NewInt(int64(z[i])))
	}
	return b
}

func limbsOf(b *big.Int) (z limbs52) {
	for i := range z {
		z[i] = new(big.Int).Rsh(b, uint(52*i)).Uint64() & mask52
	}
	return z
}

// operands52 returns carried numbers below 5.2p, the largest factor: multiples of p and their neighbours, limbs of ones and
// zeros, and random ones.
func operands52(rng *rand.Rand, count int) []limbs52 {
	p := testCurve.Params().P
	bound := new(big.Int).Div(new(big.Int).Mul(p, big.NewInt(52)), big.NewInt(10))
	var list []limbs52
	add := func(x *big.Int) {
		if x.Sign() >= 0 && x.Cmp(bound) < 0 {
			list = append(list, limbsOf(x))
		}
	}
	for k := range int64(6) {
		for d := int64(-2); d <= 2; d++ {
			x := new(big.Int).Mul(p, big.NewInt(k))
			add(x.Add(x, big.NewInt(d)))
		}
	}
	add(new(big.Int).Sub(bound, big.NewInt(1)))
	for k := range 259 {
		x := new(big.Int).Lsh(big.NewInt(1), uint(k))
		add(x)
		add(new(big.Int).Sub(x, big.NewInt(1)))
	}
	edges := []uint64{0, 1, mask52, mask52 - 1, 1 << 51, 1<<44 - 1, 1 << 44, 1 << 36, 1<<48 - 1<<16}
	for len(list) < count {
		var z limbs52
		for i := range z {
			if z[i] = edges[rng.IntN(len(edges))]; rng.IntN(3) == 0 {
				z[i] = rng.Uint64() & mask52
			}
		}
		z[4] %= 5 << 48
		add(z.value())
	}
	return list
}

// below reports whether z is carried and below c·p.
func (z *limbs52) below(c float64) bool {
	for i, v := range z {
		if int64(v) < 0 || i < 4 && v > mask52 {
			return false
		}
	}
	ratio, _ := new(big.Rat).SetFrac(z.value(), testCurve.Params().P).Float64()
	return ratio < c
}

func TestRadix52(t *testing.T) {
	p := testCurve.Params().P
	rInv := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 260), p)
	rng := rand.New(rand.NewPCG(11, 12))
	xs := operands52(rng, 700)
	check := func(op string, x, y, got *limbs52, want *big.Int, bound float64) {
		t.Helper()
		if !got.below(bound) {
			t.Fatalf("%s(%x, %x) = %x: out of range", op, *x, *y, *got)
		}
		if got.value().Mod(got.value(), p).Cmp(want.Mod(want, p)) != 0 {
			t.Fatalf("%s(%x, %x) = %x, want %x modulo p", op, *x, *y, *got, limbsOf(want))
		}
	}
	for i := range xs {
		x := &xs[i]
		for range 40 {
			y := &xs[rng.IntN(len(xs))]
			bx, by := x.value(), y.value()
			var z, d limbs52
			z.mul(x, y)
			raw := z
			z.carry()
			m := new(big.Int).Mul(bx, by)
			check("mul", x, y, &z, m.Mul(m, rInv), 5.2*5.2/16+1.01)
			z.mulAdd(x, y, x, x)
			z.carry()
			m = new(big.Int).Mul(bx, by)
			m.Add(m, new(big.Int).Mul(bx, bx)).Mul(m, rInv)
			check("mulAdd", x, y, &z, m, 2*5.2*5.2/16+1.01)
			// x3 gets factors that are not carried.
			x3(&z, &d, x, y, &raw)
			want := new(big.Int).Sub(bx, by)
			want.Sub(want, new(big.Int).Lsh(raw.value(), 1))
			check("x3", x, y, &z, want, 2.01)
			wantD := new(big.Int).Sub(z.value(), raw.value())
			if !(raw.value().Cmp(new(big.Int).Lsh(p, 1)) > 0) {
				check("x3 d", x, y, &d, wantD, 4.02)
			}
		}
		// pack52 keeps the number modulo p.
		if x.below(4) {
			var e Element
			e.pack52(x)
			if want := new(big.Int).Mod(x.value(), p); raw(&e).Cmp(want) != 0 {
				t.Fatalf("pack52(%x) = %x, want %x", *x, raw(&e), want)
			}
		}
	}
	if want := new(big.Int).Mod(new(big.Int).Lsh(big.NewInt(1), 260), p); one52.value().Cmp(want) != 0 {
		t.Errorf("one52 = %x, want %x", one52.value(), want)
	}
	for _, x := range operands(rng, 300) {
		if z := unpack52((*[4]uint64)(&x)); z.value().Cmp(raw(&x)) != 0 {
			t.Errorf("unpack52(%x) = %x", raw(&x), z)
		}
	}
}

// TestRadix52Bounds runs sums and holds every coordinate to the bounds of the table in radix52.go.
func TestRadix52Bounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	check := func(p *point52) {
		t.Helper()
		if !p.x.below(2.01) || !p.y.below(2.6) || !p.zz.below(2.2) || !p.zzz.below(1.6) {
			t.Fatalf("out of range: %x", *p)
		}
	}
	var entries [16][8]uint64
	for range 300 {
		// Any coordinates below p will do: the formulas do not ask for the curve.
		for i := range entries {
			xs := operands(rng, 30)
			x, y := xs[rng.IntN(30)], xs[rng.IntN(30)]
			copy(entries[i][:4], x[:])
			copy(entries[i][4:], y[:])
		}
		var sums [2]point52
		for i := range sums {
			sums[i].start(ifmaTerm{&entries[8*i], -uint64(rng.IntN(2))})
			for j := 1; j < 8; j++ {
				sums[i].addMixed(ifmaTerm{&entries[8*i+j], -uint64(rng.IntN(2))})
				check(&sums[i])
			}
		}
		sums[0].add(&sums[1])
		check(&sums[0])
		// The largest that the bounds allow, as far as limbs of ones reach it.
		big52 := func(c float64) limbs52 {
			f, _ := new(big.Float).Mul(new(big.Float).SetInt(testCurve.Params().P), big.NewFloat(c)).Int(nil)
			z := limbsOf(f)
			for i := range 4 {
				if rng.IntN(2) == 0 {
					z[i] = mask52
				}
			}
			z[4]--
			return z
		}
		top := point52{big52(2.01), big52(2.6), big52(2.2), big52(1.6)}
		other := top
		other.addMixed(ifmaTerm{&entries[0], -uint64(rng.IntN(2))})
		check(&other)
		other = top
		other.add(&sums[1])
		check(&other)
		other = sums[1]
		other.add(&top)
		check(&other)
	}
}
