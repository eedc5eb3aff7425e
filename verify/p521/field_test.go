package p521

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// edges are limbs at the ends of the range that an Element may have.
var edges = []uint64{0, 1, 2, 1<<57 - 1, 1 << 57, 1<<58 - 2, 1<<58 - 1, 1 << 58, 1<<58 + 1, 1<<58 + 1<<6 - 1, 1<<58 + 1<<6}

// operands returns elements with limbs of the whole range: all the largest, 0, p, 2p, p-1, p+1, edges, and random ones.
func operands(rng *rand.Rand, count int) []Element {
	const m, top = mask58, 1<<57 - 1
	list := []Element{
		{},
		{1},
		{m, m, m, m, m, m, m, m, top},
		{m - 1, m, m, m, m, m, m, m, top},
		{m + 1, m, m, m, m, m, m, m, top},
		{m - 1, m, m, m, m, m, m, m, m},
		{m, m, m, m, m, m, m, m, m},
		{m + 1, m, m, m, m, m, m, m, m},
		{0, 0, 0, 0, 0, 0, 0, 0, 1 << 57},
		{0, 0, 0, 0, 0, 0, 0, 0, 1 << 58},
		{m + 2, m, m, m, m, m, m, m, m},
	}
	var all Element
	for i := range all {
		all[i] = 1<<58 + 1<<6
	}
	list = append(list, all)
	for len(list) < count {
		var z Element
		for i := range z {
			if rng.IntN(3) == 0 {
				z[i] = rng.Uint64() & mask58
			} else {
				z[i] = edges[rng.IntN(len(edges))]
			}
		}
		list = append(list, z)
	}
	return list
}

// raw returns the value of the limbs, not reduced.
func raw(z *Element) *big.Int {
	b := new(big.Int)
	for i := len(z) - 1; i >= 0; i-- {
		b.Lsh(b, 58).Add(b, new(big.Int).SetUint64(z[i]))
	}
	return b
}

func TestField(t *testing.T) {
	p := testCurve.Params().P
	rng := rand.New(rand.NewPCG(9, 10))
	xs := operands(rng, 200)
	check := func(op string, x, y, got *Element, want *big.Int) {
		t.Helper()
		for _, v := range got {
			if v > 1<<58+1<<6 {
				t.Fatalf("%s(%x, %x) = %x: limb out of range", op, *x, *y, *got)
			}
		}
		want.Mod(want, p)
		if raw(got).Mod(raw(got), p).Cmp(want) != 0 || got.big().Cmp(want) != 0 {
			t.Fatalf("%s(%x, %x) = %x, want %x", op, *x, *y, got.big(), want)
		}
		if got.IsZero() != (want.Sign() == 0) {
			t.Fatalf("IsZero(%x) = %v", *got, got.IsZero())
		}
	}
	var z Element
	for i := range xs {
		for j := range xs {
			x, y := &xs[i], &xs[j]
			bx, by := raw(x), raw(y)
			check("Add", x, y, z.Add(x, y), new(big.Int).Add(bx, by))
			check("Sub", x, y, z.Sub(x, y), new(big.Int).Sub(bx, by))
			check("Mul", x, y, z.Mul(x, y), new(big.Int).Mul(bx, by))
		}
		x := &xs[i]
		check("itself", x, x, x, raw(x))
		check("Sqr", x, x, z.Sqr(x), new(big.Int).Mul(raw(x), raw(x)))
		if !x.IsZero() {
			z.InvVarTime(x)
			z.Mul(&z, x)
			check("InvVarTime", x, x, &z, big.NewInt(1))
		}
		z = *x
		z.negateIf(0)
		check("negateIf(0)", x, x, &z, raw(x))
		z.negateIf(^uint64(0))
		check("negateIf(-1)", x, x, &z, new(big.Int).Neg(raw(x)))
		z = *x
		check("Mul in place", x, x, z.Mul(&z, &z), new(big.Int).Mul(raw(x), raw(x)))
		z = *x
		check("Sqr in place", x, x, z.Sqr(&z), new(big.Int).Mul(raw(x), raw(x)))
	}
	for _, d := range []int64{-1, 0, 1} {
		v := new(big.Int).Add(p, big.NewInt(d))
		w := words(v)
		if got := z.SetPlain(&w).big(); got.Cmp(new(big.Int).Mod(v, p)) != 0 {
			t.Errorf("SetPlain(p%+d) = %x", d, got)
		}
	}
}
