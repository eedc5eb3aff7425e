package p256

import (
	"crypto/elliptic"
	"math/big"
	"math/rand/v2"
	"testing"
)

func (z *Element) big() *big.Int {
	p := z.Plain()
	b := new(big.Int)
	for i := len(p) - 1; i >= 0; i-- {
		b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(p[i]))
	}
	return b
}

func words(b *big.Int) (w [ScalarWords]uint64) {
	for i := range w {
		w[i] = new(big.Int).Rsh(b, uint(64*i)).Uint64()
	}
	return w
}

func element(b *big.Int) (z Element) {
	w := words(b)
	z.SetPlain(&w)
	return z
}

// xy is an affine point in big.Int, nil for infinity: the reference is slow and complete.
type xy struct{ x, y *big.Int }

func (a *xy) add(b *xy) *xy {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	p := testCurve.Params().P
	var num, den big.Int
	if a.x.Cmp(b.x) == 0 {
		if new(big.Int).Mod(new(big.Int).Add(a.y, b.y), p).Sign() == 0 {
			return nil
		}
		num.Mul(a.x, a.x).Mul(&num, big.NewInt(3)).Sub(&num, big.NewInt(3))
		den.Lsh(a.y, 1)
	} else {
		num.Sub(b.y, a.y)
		den.Sub(b.x, a.x)
	}
	l := new(big.Int).Mul(&num, new(big.Int).ModInverse(new(big.Int).Mod(&den, p), p))
	l.Mod(l, p)
	x := new(big.Int).Mul(l, l)
	x.Sub(x, a.x).Sub(x, b.x).Mod(x, p)
	y := new(big.Int).Sub(a.x, x)
	y.Mul(y, l).Sub(y, a.y).Mod(y, p)
	return &xy{x, y}
}

func (a *xy) mul(k *big.Int) *xy {
	var z *xy
	k = new(big.Int).Mod(k, testCurve.Params().N)
	for i := k.BitLen() - 1; i >= 0; i-- {
		z = z.add(z)
		if k.Bit(i) == 1 {
			z = z.add(a)
		}
	}
	return z
}

func (a *xy) affine() Affine { return Affine{element(a.x), element(a.y)} }

func generator() *xy { return &xy{testCurve.Params().Gx, testCurve.Params().Gy} }

var testCurve elliptic.Curve = testCurveOf()

// scalar returns k in [0, n] as ecpub passes it.
func scalar(k *big.Int) *Scalar {
	if k.Bit(0) == 0 {
		return &Scalar{words(new(big.Int).Sub(testCurve.Params().N, k)), true}
	}
	return &Scalar{words(k), false}
}

func random(rng *rand.Rand, m *big.Int) *big.Int {
	b := make([]byte, (m.BitLen()+7)/8+8)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	k := new(big.Int).SetBytes(b)
	return k.Mod(k, m)
}

func TestTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, width := range []int{MinWidth, 6, 7, 8} {
		q := generator().mul(random(rng, testCurve.Params().N))
		a := q.affine()
		table := NewTable(&a, width)
		half := 1 << (width - 1)
		if got, want := len(table.entries), (ScalarBits+width-1)/width*half; got != want {
			t.Fatalf("width %d: %d entries, want %d", width, got, want)
		}
		if table.Size() != len(table.entries)*2*8*len(Element{}) {
			t.Errorf("Size() = %d", table.Size())
		}
		for range 50 {
			i, j := rng.IntN(table.windows), rng.IntN(half)
			if i == 0 {
				j = half - 1
			}
			k := new(big.Int).Lsh(big.NewInt(int64(2*j+1)), uint(width*i))
			want := q.mul(k)
			if got := table.entries[i*half+j]; got.X.big().Cmp(want.x) != 0 || got.Y.big().Cmp(want.y) != 0 {
				t.Fatalf("width %d: entry %d of window %d is wrong", width, j, i)
			}
		}
	}
}

// TestLookup checks that the digits of a scalar add up to it, with a table that holds no points.
func TestLookup(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	n := testCurve.Params().N
	ks := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), n, new(big.Int).Sub(n, big.NewInt(1)), new(big.Int).Sub(n, big.NewInt(2))}
	for range 300 {
		ks = append(ks, random(rng, n))
	}
	for width := MinWidth; width <= MaxWidth; width++ {
		half := 1 << (width - 1)
		table := &Table{width: width, windows: (ScalarBits + width - 1) / width}
		table.entries = make([]Affine, table.windows*half)
		place := map[*Affine]int{}
		for i := range table.entries {
			place[&table.entries[i]] = i
		}
		for _, k := range ks {
			sum := new(big.Int)
			for _, term := range table.lookup(nil, scalar(k)) {
				i := place[term.entry]
				d := new(big.Int).Lsh(big.NewInt(int64(2*(i%half)+1)), uint(width*(i/half)))
				if term.sign != 0 {
					d.Neg(d)
				}
				sum.Add(sum, d)
			}
			if sum.Sub(sum, k).Mod(sum, n).Sign() != 0 {
				t.Fatalf("width %d: the digits of %x are those of another number", width, k)
			}
		}
	}
}

// TestSum compares sums with the reference over every kernel. A sum with an exceptional case in it may be undefined; any
// other answer must be right.
func TestSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	n := testCurve.Params().N
	g := generator()
	kernels := testKernels()
	tg, tq := make([]any, len(kernels)), make([]any, len(kernels))
	undefined := make([]int, len(kernels))
	for i, kernel := range kernels {
		tg[i] = kernel.table(g, 8)
	}
	keys := map[string]*big.Int{
		"random": random(rng, n), "G": big.NewInt(1), "2G": big.NewInt(2), "256G": big.NewInt(256),
		"-G": new(big.Int).Sub(n, big.NewInt(1)), "G/2": new(big.Int).ModInverse(big.NewInt(2), n),
	}
	for name, k := range keys {
		q := g.mul(k)
		for i, kernel := range kernels {
			tq[i] = kernel.table(q, 6+rng.IntN(3))
		}
		check := func(u1, u2 *big.Int) {
			t.Helper()
			want := g.mul(u1).add(q.mul(u2))
			// Equal or opposite halves meet in the last addition, so do u1 = 0 and anything.
			twin := new(big.Int).Mul(u2, k)
			plain := name == "random" && want != nil && u1.Sign() != 0 && twin.Sub(twin, u1).Mod(twin, n).Sign() != 0
			for i, kernel := range kernels {
				var z Sum
				kernel.sum(&z, tg[i], tq[i], scalar(u1), scalar(u2))
				if z.Undefined() {
					undefined[i]++
					if plain {
						t.Fatalf("%s, Q=%s: %x·G + %x·Q is undefined", kernel.name, name, u1, u2)
					}
					continue
				}
				if want == nil {
					t.Fatalf("%s, Q=%s: %x·G + %x·Q is infinite, got a point", kernel.name, name, u1, u2)
				}
				x := words(want.x)
				if !z.HasX(&x) {
					t.Fatalf("%s, Q=%s: %x·G + %x·Q has another x", kernel.name, name, u1, u2)
				}
				for bit := 0; bit < testCurve.Params().BitSize; bit += 23 {
					v := new(big.Int).Xor(want.x, new(big.Int).Lsh(big.NewInt(1), uint(bit)))
					if y := words(v); v.Cmp(testCurve.Params().P) < 0 && z.HasX(&y) {
						t.Fatalf("%s: HasX is true for two numbers", kernel.name)
					}
				}
			}
		}
		for range sumRounds {
			check(random(rng, n), random(rng, n))
			u2 := random(rng, n)
			u1 := new(big.Int).Mul(u2, k)
			u1.Mod(u1, n)
			check(u1, u2) // u1·G = u2·Q
			check(new(big.Int).Sub(n, u1), u2)
			check(random(rng, n), big.NewInt(rng.Int64N(300)+1))
			check(big.NewInt(rng.Int64N(300)+1), random(rng, n))
			check(big.NewInt(rng.Int64N(300)+1), big.NewInt(rng.Int64N(300)+1))
		}
		for i := range int64(3) {
			for j := range int64(3) {
				check(big.NewInt(i), big.NewInt(j+1))
				check(new(big.Int).Sub(n, big.NewInt(i+1)), big.NewInt(j+1))
			}
		}
	}
	for i, kernel := range kernels {
		if undefined[i] == 0 {
			t.Errorf("%s: no exceptional case was met", kernel.name)
		}
	}
}
