package p256

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// edges are words with long runs of ones or zeros.
var edges = []uint64{0, 1, 2, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1<<32, 1<<64 - 2, 1<<64 - 1, p3, p3 - 1, p3 + 1}

// operands returns elements in [0, p) by their words, Montgomery or not: words from edges, p-1, and random ones.
func operands(rng *rand.Rand, count int) []Element {
	list := []Element{{}, {1}, {p0 - 1, p1, p2, p3}, {p0, p1 - 1, p2, p3}, one, rr}
	p := testCurve.Params().P
	for len(list) < count {
		var z Element
		for i := range z {
			if rng.IntN(3) == 0 {
				z[i] = rng.Uint64()
			} else {
				z[i] = edges[rng.IntN(len(edges))]
			}
		}
		if raw(&z).Cmp(p) < 0 {
			list = append(list, z)
		}
	}
	return list
}

// raw returns the words as a number.
func raw(z *Element) *big.Int {
	b := new(big.Int)
	for i := len(z) - 1; i >= 0; i-- {
		b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(z[i]))
	}
	return b
}

func TestField(t *testing.T) {
	p := testCurve.Params().P
	rInv := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 256), p)
	rng := rand.New(rand.NewPCG(9, 10))
	xs := operands(rng, 400)
	check := func(op string, x, y, got *Element, want *big.Int) {
		t.Helper()
		if want.Mod(want, p); raw(got).Cmp(want) != 0 {
			t.Fatalf("%s(%x, %x) = %x, want %x", op, raw(x), raw(y), raw(got), want)
		}
	}
	var z Element
	for i := range xs {
		for j := range xs {
			x, y := &xs[i], &xs[j]
			bx, by := raw(x), raw(y)
			check("Add", x, y, z.Add(x, y), new(big.Int).Add(bx, by))
			check("Sub", x, y, z.Sub(x, y), new(big.Int).Sub(bx, by))
			m := new(big.Int).Mul(bx, by)
			check("Mul", x, y, z.Mul(x, y), m.Mul(m, rInv))
		}
		x := &xs[i]
		m := new(big.Int).Mul(raw(x), raw(x))
		check("Sqr", x, x, z.Sqr(x), m.Mul(m, rInv))
		if !x.IsZero() {
			z.InvVarTime(x)
			z.Mul(&z, x)
			check("InvVarTime", x, x, &z, raw(&one))
		}
		z = *x
		z.negateIf(0)
		check("negateIf(0)", x, x, &z, raw(x))
		z.negateIf(^uint64(0))
		check("negateIf(-1)", x, x, &z, new(big.Int).Neg(raw(x)))
	}
	// SetPlain takes any number below 2^256.
	for _, x := range []Element{{p0, p1, p2, p3}, {0, p1 + 1, p2, p3}, {p0, p0, p0, p0}} {
		var z Element
		z.SetPlain((*[4]uint64)(&x))
		if got, want := z.big(), new(big.Int).Mod(raw(&x), p); got.Cmp(want) != 0 {
			t.Errorf("SetPlain(%x) = %x, want %x", raw(&x), got, want)
		}
	}
}

// pairs returns factors whose product in the domain is z, and roots of z if it is a square: results with long runs of ones or
// zeros, which random factors never give, are what a lost carry of the last subtraction shows up in.
func pairs(rng *rand.Rand, z *Element) (list [][2]Element) {
	p := testCurve.Params().P
	r := new(big.Int).Lsh(big.NewInt(1), 256)
	zr := new(big.Int).Mul(raw(z), r)
	zr.Mod(zr, p)
	for range 8 {
		x := random(rng, p)
		if x.Sign() == 0 {
			continue
		}
		y := new(big.Int).ModInverse(x, p)
		y.Mul(y, zr).Mod(y, p)
		list = append(list, [2]Element{words(x), words(y)})
	}
	if root := new(big.Int).ModSqrt(zr, p); root != nil {
		list = append(list, [2]Element{words(root), words(root)})
		root.Sub(p, root).Mod(root, p)
		list = append(list, [2]Element{words(root), words(root)})
	}
	return list
}

func TestFieldTargets(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	for _, z := range operands(rng, 4000) {
		for _, f := range pairs(rng, &z) {
			var got Element
			if got.Mul(&f[0], &f[1]); got != z {
				t.Fatalf("Mul(%x, %x) = %x, want %x", raw(&f[0]), raw(&f[1]), raw(&got), raw(&z))
			}
			if f[0] == f[1] {
				if got.Sqr(&f[0]); got != z {
					t.Fatalf("Sqr(%x) = %x, want %x", raw(&f[0]), raw(&got), raw(&z))
				}
			}
		}
	}
}
