package edpub

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func fill(limb uint64) element { return element{limb, limb, limb, limb, limb} }

// Bounds of lane.go.
const (
	maxTight = 1<<51 + 1<<15 - 1
	maxWide  = 125<<52 - 1
	maxWideT = 173<<52 - 1 // of T·(-2dxy)
)

func checkBelow(t *testing.T, op string, z *element, limit uint64, args ...any) {
	t.Helper()
	for _, l := range z {
		if l > limit {
			t.Fatalf("%s%x = %x is above %x", op, args, *z, limit)
		}
	}
}

func TestMul52(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	xs := append(operands(rng, tight51, 51, 600), fill(maxTight), fill(mask51))
	negated := append(operands(rng, append([]uint64{1<<52 - 38, 1<<52 - 2}, tight51...), 51, 200), fill(1<<52-2), fill(1<<52-1))
	check := func(x, y element, limit uint64) {
		t.Helper()
		var z element
		z.mul52(&x, &y)
		checkElement(t, "mul52", &z, new(big.Int).Mul(x.big(), y.big()), x, y)
		checkBelow(t, "mul52", &z, limit, x, y)
	}
	for _, x := range xs {
		for _, y := range xs {
			check(x, y, maxWide)
		}
		for _, y := range negated {
			check(x, y, maxWideT)
		}
	}
}

func TestSumDiff(t *testing.T) {
	rng := rand.New(rand.NewPCG(43, 44))
	edges := append([]uint64{maxWide, maxWideT, 1 << 58, 1<<59 - 1}, tight51...)
	xs := append(operands(rng, edges, 59, 600), fill(maxWideT), fill(0))
	ys := append(operands(rng, append([]uint64{2 * maxWide}, edges...), 59, 600), fill(2*maxWide), fill(0))
	for _, x := range xs {
		checkBelow(t, "x", &x, maxWideT)
		for _, y := range ys {
			var sum, diff element
			sumDiff(&sum, &diff, &x, &y)
			checkElement(t, "sum", &sum, new(big.Int).Add(y.big(), x.big()), x, y)
			checkElement(t, "diff", &diff, new(big.Int).Sub(y.big(), x.big()), x, y)
			checkTight(t, "sum", &sum, x, y)
			checkTight(t, "diff", &diff, x, y)
		}
	}
}

// randomEntries are entries that need not be of points: words with long runs of ones or zeros, below p.
func randomEntries(rng *rand.Rand, count int) [][12]uint64 {
	xs := operands(rng, tight51, 51, 200)
	list := make([][12]uint64, count)
	for i := range list {
		for j := range 3 {
			w := xs[rng.IntN(len(xs))].words()
			copy(list[i][4*j:], w[:])
		}
	}
	return list
}

// TestLaneBounds holds a lane's state to the bounds, with entries that are as large as they can be.
func TestLaneBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(45, 46))
	entries := randomEntries(rng, 200)
	top := (&element{1<<51 - 20, mask51, mask51, mask51, mask51}).words() // p - 1
	for i := range entries[:20] {
		for j := range 3 {
			copy(entries[i][4*j:], top[:])
		}
	}
	for range 2000 {
		var l, k lane
		term := func() laneTerm { return laneTerm{&entries[rng.IntN(len(entries))], -uint64(rng.IntN(2))} }
		check := func(what string, l *lane, limitZ uint64) {
			t.Helper()
			checkTight(t, what, &l.p)
			checkTight(t, what, &l.m)
			checkTight(t, what, &l.t)
			checkBelow(t, what, &l.z, limitZ)
		}
		l.start(term())
		k.start(term())
		for range 4 {
			check("lane", &l, maxWide)
			l.addMixed(term())
		}
		check("lane", &l, maxWide)
		l.z.carry()
		var e efgh
		for range 3 {
			e.add(&l, &k)
			e.finish(&l)
			l.z.carry()
			check("sum of lanes", &l, maxTight)
			k = l
		}
	}
}
