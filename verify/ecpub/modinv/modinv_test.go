package modinv

import (
	"crypto/elliptic"
	"math/big"
	"math/rand/v2"
	"testing"
)

func moduli() map[string]*big.Int {
	list := map[string]*big.Int{
		"3":           big.NewInt(3),
		"2^64-59":     new(big.Int).SetUint64(1<<64 - 59),
		"2^127-1":     new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1)),
		"2^255-19":    new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19)),
		"2^256-2^6-1": nil,
	}
	delete(list, "2^256-2^6-1")
	for _, c := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		list[c.Params().Name+" order"] = c.Params().N
		list[c.Params().Name+" field"] = c.Params().P
	}
	return list
}

func toBig(z *Nat) *big.Int {
	b := new(big.Int)
	for i := Words - 1; i >= 0; i-- {
		b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(z[i]))
	}
	return b
}

func fromBig(b *big.Int) Nat {
	var z Nat
	z.SetBytes(b.Bytes())
	return z
}

// samples returns numbers in [1, m-1]: the ends, powers of 2 and their neighbours, runs of ones, and random ones.
func samples(m *big.Int, random int) []*big.Int {
	one := big.NewInt(1)
	var list []*big.Int
	add := func(x *big.Int) {
		if x.Sign() > 0 && x.Cmp(m) < 0 {
			list = append(list, x)
		}
	}
	for k := range m.BitLen() + 1 {
		p := new(big.Int).Lsh(one, uint(k))
		add(p)
		add(new(big.Int).Sub(p, one))
		add(new(big.Int).Add(p, one))
		add(new(big.Int).Sub(m, p))
		add(new(big.Int).Rsh(m, uint(k)))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range random {
		b := make([]byte, (m.BitLen()+7)/8)
		for i := range b {
			b[i] = byte(rng.Uint32())
			switch rng.Uint32() % 8 {
			case 0:
				b[i] = 0
			case 1:
				b[i] = 0xff
			}
		}
		x := new(big.Int).SetBytes(b)
		add(x.Mod(x, m))
	}
	return list
}

func TestInverseVarTime(t *testing.T) {
	for name, m := range moduli() {
		t.Run(name, func(t *testing.T) {
			mod := New(m.Bytes())
			r := new(big.Int).Lsh(big.NewInt(1), uint(64*mod.Words()))
			for _, x := range samples(m, 3000) {
				want := new(big.Int).ModInverse(x, m)
				want.Mul(want, r).Mod(want, m)
				z := fromBig(x)
				mod.InverseMontVarTime(&z, &z)
				if got := toBig(&z); got.Cmp(want) != 0 {
					t.Fatalf("InverseMontVarTime(%x) = %x, want %x", x, got, want)
				}
			}
		})
	}
}

func TestMontMul(t *testing.T) {
	for name, m := range moduli() {
		t.Run(name, func(t *testing.T) {
			mod := New(m.Bytes())
			r := new(big.Int).Lsh(big.NewInt(1), uint(64*mod.Words()))
			rInv := new(big.Int).ModInverse(r, m)
			xs := samples(m, 100)
			xs = append(xs, new(big.Int))
			ys := append(samples(m, 20)[:min(60, m.BitLen())], new(big.Int).Sub(r, big.NewInt(1)), m, new(big.Int))
			for _, x := range xs {
				for _, y := range ys {
					want := new(big.Int).Mul(x, y)
					want.Mul(want, rInv).Mod(want, m)
					a, b := fromBig(x), fromBig(y)
					var z Nat
					mod.MontMul(&z, &a, &b)
					if got := toBig(&z); got.Cmp(want) != 0 {
						t.Fatalf("MontMul(%x, %x) = %x, want %x", x, y, got, want)
					}
					mod.MontMul(&z, &b, &a)
					if got := toBig(&z); got.Cmp(want) != 0 {
						t.Fatalf("MontMul(%x, %x) = %x, want %x", y, x, got, want)
					}
				}
			}
		})
	}
}

func TestSmall(t *testing.T) {
	for name, m := range moduli() {
		mod := New(m.Bytes())
		for _, d := range []int64{-2, -1, 0, 1, 2} {
			x := new(big.Int).Add(m, big.NewInt(d))
			z := fromBig(x)
			if got, want := mod.LessVarTime(&z), d < 0; got != want {
				t.Errorf("%s: LessVarTime(m%+d) = %v, want %v", name, d, got, want)
			}
		}
		for _, x := range append(samples(m, 10), new(big.Int), m) {
			z := fromBig(x)
			mod.Negate(&z)
			if want := new(big.Int).Sub(m, x); toBig(&z).Cmp(want) != 0 {
				t.Errorf("%s: Negate(%x) = %x, want %x", name, x, toBig(&z), want)
			}
		}
	}
}

func TestNat(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for size := range 8*Words + 1 {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		var z Nat
		z.SetBytes(b)
		want := new(big.Int).SetBytes(b)
		if toBig(&z).Cmp(want) != 0 {
			t.Errorf("SetBytes(%x) = %x", b, toBig(&z))
		}
		if z.IsZero() != (want.Sign() == 0) {
			t.Errorf("IsZero(%x) = %v", b, z.IsZero())
		}
		k := 1 + rng.IntN(63)
		z.ShiftRight(k)
		if want.Rsh(want, uint(k)); toBig(&z).Cmp(want) != 0 {
			t.Errorf("ShiftRight(%x, %d) = %x", b, k, toBig(&z))
		}
	}
}

func FuzzInverse(f *testing.F) {
	list := moduli()
	names := []string{"P-256 order", "P-384 order", "P-521 order", "P-256 field", "P-384 field", "P-521 field"}
	var mods []*Modulus
	for _, n := range names {
		mods = append(mods, New(list[n].Bytes()))
	}
	f.Add(byte(0), []byte{1})
	f.Add(byte(2), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		i := int(which) % len(names)
		m := list[names[i]]
		x := new(big.Int).SetBytes(b[:min(len(b), 72)])
		if x.Mod(x, m); x.Sign() == 0 {
			return
		}
		z := fromBig(x)
		mods[i].InverseMontVarTime(&z, &z)
		one := Nat{1}
		mods[i].MontMul(&z, &z, &one)
		if want := new(big.Int).ModInverse(x, m); toBig(&z).Cmp(want) != 0 {
			t.Fatalf("%s: inverse of %x = %x, want %x", names[i], x, toBig(&z), want)
		}
	})
}
