package edpub

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// tight51 are limbs with long runs of ones or zeros, at and around the bounds of a tight element.
var tight51 = []uint64{0, 1, 18, 19, 1<<50 - 1, 1 << 50, 1<<51 - 20, 1<<51 - 19, 1<<51 - 18, 1<<51 - 2, 1<<51 - 1, 1 << 51, 1<<51 + 18, 1<<51 + 1<<15 - 1}

// operands returns elements of limbs from edges and random ones below 2^width.
func operands(rng *rand.Rand, edges []uint64, width uint, count int) []element {
	list := []element{
		{},
		{1},
		d2,
		{1<<51 - 19, mask51, mask51, mask51, mask51}, // p
		{1<<51 - 20, mask51, mask51, mask51, mask51}, // p - 1
		{1<<51 - 18, mask51, mask51, mask51, mask51}, // p + 1
		{mask51, mask51, mask51, mask51, mask51},     // 2^255 - 1
	}
	for len(list) < count {
		var z element
		for i := range z {
			if rng.IntN(3) == 0 {
				z[i] = rng.Uint64() >> (64 - width)
			} else {
				z[i] = edges[rng.IntN(len(edges))]
			}
		}
		list = append(list, z)
	}
	return list
}

// wideEdges are limbs up to the bound 2^54 of a factor.
func wideEdges() []uint64 {
	return append([]uint64{1<<52 - 1, 1 << 52, 1<<53 - 38, 1<<53 - 1, 1<<54 - 2, 1<<54 - 1}, tight51...)
}

func checkElement(t *testing.T, op string, got *element, want *big.Int, args ...any) {
	t.Helper()
	diff := new(big.Int).Sub(got.big(), want)
	if diff.Mod(diff, refP).Sign() != 0 {
		t.Fatalf("%s%x = %x, want %x modulo p", op, args, got.big(), want)
	}
}

func checkTight(t *testing.T, op string, got *element, args ...any) {
	t.Helper()
	for _, l := range got {
		if l >= 1<<51+1<<15 {
			t.Fatalf("%s%x = %x is not tight", op, args, *got)
		}
	}
}

func TestMul(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	top := element{1<<54 - 1, 1<<54 - 1, 1<<54 - 1, 1<<54 - 1, 1<<54 - 1}
	xs := append(operands(rng, wideEdges(), 54, 700), top)
	for _, x := range xs {
		for _, y := range xs {
			var z element
			z.mul(&x, &y)
			checkElement(t, "mul", &z, new(big.Int).Mul(x.big(), y.big()), x, y)
			checkTight(t, "mul", &z, x, y)
		}
		z := x
		z.mul(&z, &z)
		checkElement(t, "square in place", &z, new(big.Int).Mul(x.big(), x.big()), x)
	}
}

// TestMulTargets takes factors whose product is a number with long runs of ones or zeros: what random factors never give, and a
// lost carry shows up in.
func TestMulTargets(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, target := range operands(rng, tight51, 51, 3000) {
		for range 4 {
			x := randomBelow(rng, refP)
			if x.Sign() == 0 {
				continue
			}
			y := new(big.Int).ModInverse(x, refP)
			y.Mul(y, target.big()).Mod(y, refP)
			var a, b element
			a.setBig(x)
			b.setBig(y)
			a.mul(&a, &b)
			checkElement(t, "mul", &a, target.big(), x, y)
			want := new(big.Int).Mod(target.big(), refP)
			if w := a.words(); (*scalar)(&w).big().Cmp(want) != 0 {
				t.Fatalf("%x·%x = %x, want %x", x, y, w, want)
			}
		}
	}
}

func TestAddSubCarry(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	xs := operands(rng, tight51, 51, 600)
	for _, x := range xs {
		for _, y := range xs {
			var z element
			z.add(&x, &y)
			checkElement(t, "add", &z, new(big.Int).Add(x.big(), y.big()), x, y)
			z.sub(&x, &y)
			checkElement(t, "sub", &z, new(big.Int).Sub(x.big(), y.big()), x, y)
			for _, l := range z {
				if l >= 1<<53 {
					t.Fatalf("sub(%x, %x) = %x", x, y, z)
				}
			}
		}
	}
	edges := append([]uint64{1<<60 - 1, 1 << 60, 1<<61 - 1}, wideEdges()...)
	for _, x := range operands(rng, edges, 61, 100000) {
		z := x
		z.carry()
		checkElement(t, "carry", &z, x.big(), x)
		checkTight(t, "carry", &z, x)
	}
}

func TestWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, x := range operands(rng, tight51, 51, 200000) {
		w := x.words()
		want := new(big.Int).Mod(x.big(), refP)
		if got := (*scalar)(&w).big(); got.Cmp(want) != 0 {
			t.Fatalf("words(%x) = %x, want %x", x, got, want)
		}
		var z element
		z.setWords(&w)
		if z.big().Cmp(want) != 0 {
			t.Fatalf("setWords(%x) = %x", w, z)
		}
		// The bit above is ignored.
		w[3] |= 1 << 63
		if z.setWords(&w); z.big().Cmp(want) != 0 {
			t.Fatalf("setWords(%x) = %x", w, z)
		}
	}
}

func TestInvert(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, x := range operands(rng, tight51, 51, 20000) {
		r := new(big.Int).Mod(x.big(), refP)
		if r.Sign() == 0 {
			continue
		}
		var z element
		z.invertVarTime(&x)
		checkElement(t, "invertVarTime", &z, r.ModInverse(r, refP), x)
		checkTight(t, "invertVarTime", &z, x)
	}
}
