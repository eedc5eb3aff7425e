package edpub

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// scalarSamples returns numbers in [0, L): the ends, powers of 2 and their neighbours, runs of ones, and random ones.
func scalarSamples(rng *rand.Rand, random int) (list []*big.Int) {
	add := func(x *big.Int) {
		if x.Sign() >= 0 && x.Cmp(refL) < 0 {
			list = append(list, x)
		}
	}
	for k := range uint(254) {
		p := new(big.Int).Lsh(big.NewInt(1), k)
		for d := int64(-1); d <= 1; d++ {
			add(new(big.Int).Add(p, big.NewInt(d)))
			add(new(big.Int).Sub(refL, new(big.Int).Add(p, big.NewInt(d))))
		}
		add(new(big.Int).Rsh(refL, k))
	}
	for range random {
		add(randomBelow(rng, refL))
	}
	return list
}

func TestReduce(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	limit := new(big.Int).Lsh(big.NewInt(1), 512)
	check := func(x *big.Int) {
		t.Helper()
		if x.Sign() < 0 || x.Cmp(limit) >= 0 {
			return
		}
		var s scalar
		s.reduce((*[64]byte)(littleEndian(x, 64)))
		if want := new(big.Int).Mod(x, refL); s.big().Cmp(want) != 0 {
			t.Fatalf("reduce(%x) = %x, want %x", x, s.big(), want)
		}
	}
	// Multiples of L and their neighbours: at the ends, random ones, and those of powers of 2.
	multiples := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Div(limit, refL)}
	for k := range uint(260) {
		multiples = append(multiples, new(big.Int).Lsh(big.NewInt(1), k))
	}
	for range 3000 {
		multiples = append(multiples, randomBelow(rng, multiples[3]))
	}
	for _, m := range multiples {
		x := new(big.Int).Mul(m, refL)
		for d := int64(-3); d <= 3; d++ {
			check(new(big.Int).Add(x, big.NewInt(d)))
		}
	}
	for k := range uint(513) {
		p := new(big.Int).Lsh(big.NewInt(1), k)
		check(new(big.Int).Sub(p, big.NewInt(1)))
		check(p)
		check(new(big.Int).Sub(limit, p))
	}
	for range 20000 {
		check(randomBelow(rng, limit))
	}
}

func TestSetBytes(t *testing.T) {
	check := func(x *big.Int, want bool) {
		t.Helper()
		var s scalar
		if got := s.setBytes((*[32]byte)(littleEndian(x, 32))); got != want {
			t.Errorf("setBytes(%x) = %v, want %v", x, got, want)
		}
		if s.big().Cmp(x) != 0 {
			t.Errorf("setBytes(%x) sets %x", x, s.big())
		}
	}
	for k := range uint(256) {
		p := new(big.Int).Lsh(big.NewInt(1), k)
		check(p, k <= 252)
		if below := new(big.Int).Sub(refL, p); below.Sign() >= 0 {
			check(below, true)
		}
		if above := new(big.Int).Add(refL, p); above.BitLen() <= 256 {
			check(above, false)
		}
	}
	check(new(big.Int), true)
	check(refL, false)
	check(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), false)
}

func TestDigits(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	// A scalar need only be below 2^253.
	top := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 253), big.NewInt(1))
	for width := minWidth; width <= maxWidth; width++ {
		shape := newShape(width)
		seen := map[int64]bool{}
		for _, x := range append(scalarSamples(rng, 3000), top) {
			var s scalar
			s.setBig(x)
			v := shape.recode(&s)
			sum := new(big.Int)
			for i := range shape.windows {
				j, sign := shape.digit(&v, i)
				d := int64(j + 1)
				if d < 0 || d > 1<<(width-1) || sign != 0 && sign != ^uint64(0) || d == 0 && sign != 0 {
					t.Fatalf("width %d: digit %d of %x is %d, sign %x", width, i, x, d, sign)
				}
				if sign != 0 {
					d = -d
				}
				seen[d] = true
				sum.Add(sum, new(big.Int).Lsh(big.NewInt(d), uint(i*width)))
			}
			if sum.Cmp(x) != 0 {
				t.Fatalf("width %d: the digits of %x are %x", width, x, sum)
			}
		}
		if len(seen) != 1<<width {
			t.Errorf("width %d: %d digits seen, want %d", width, len(seen), 1<<width)
		}
	}
}
