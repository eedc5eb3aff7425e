package rsapub

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func setDigits(z *digits, x *big.Int) {
	for i := range z {
		z[i] = new(big.Int).Rsh(x, uint(digitBits*i)).Uint64() & digitMask
	}
}

func bigDigits(x *digits) *big.Int {
	z := new(big.Int)
	for i := len(x) - 1; i >= 0; i-- {
		z.Lsh(z, digitBits).Add(z, new(big.Int).SetUint64(x[i]))
	}
	return z
}

// patterns returns numbers below bound with the digits that carry the most: all ones and zeros, ones next to both, alternating.
func patterns(r *rand.Rand, bound *big.Int) []*big.Int {
	list := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(bound, big.NewInt(1)), new(big.Int).Sub(bound, big.NewInt(2))}
	choices := []uint64{0, 1, 2, digitMask - 1, digitMask, 1 << 51}
	for i := range 24 {
		var x digits
		for j := range x {
			switch {
			case i < 6:
				x[j] = choices[i]
			case i < 12:
				x[j] = choices[(i+j)%2*4]
			case i < 18:
				x[j] = choices[r.IntN(len(choices))]
			default:
				x[j] = r.Uint64() & digitMask
			}
		}
		// Cut to the bound from above, which keeps the pattern of the digits.
		v := bigDigits(&x)
		v.And(v, pow2(bound.BitLen()-1, -1))
		list = append(list, v)
	}
	return list
}

// TestMul52 compares the assembly with its twin and both with math/big, at values up to 2n. Factors R mod n and R² mod n make the
// product a pattern itself, so that digits of zero, which are those that carry one by one, come out at the end.
func TestMul52(t *testing.T) {
	r := newRand(t)
	for _, bits := range testBits {
		for _, n := range moduli(r, bits) {
			var m radix52
			m.init(n, bits)
			mul := m.mul
			if !hasIFMA {
				mul = m.mulTwin
			}
			rows := int(m.rows)
			rInverse := new(big.Int).ModInverse(pow2(digitBits*rows, 0), n)
			twice := new(big.Int).Lsh(n, 1)
			one := new(big.Int).Mod(pow2(digitBits*rows, 0), n)
			list := patterns(r, twice)
			for i, a := range list {
				for _, b := range []*big.Int{one, new(big.Int).Add(one, n), list[r.IntN(len(list))], list[i]} {
					var x, y digits
					setDigits(&x, a)
					setDigits(&y, b)
					got, twin := x, x
					mul(&got, &y)
					m.mulTwin(&twin, &y)
					if got != twin {
						t.Fatalf("%x · %x mod %x = %x, twin %x", a, b, n, bigDigits(&got), bigDigits(&twin))
					}
					want := new(big.Int).Mul(a, b)
					want.Mul(want, rInverse).Mod(want, n)
					z := bigDigits(&got)
					if z.Cmp(twice) >= 0 || z.Mod(z, n).Cmp(want) != 0 {
						t.Fatalf("%x · %x mod %x = %x, want %x", a, b, n, bigDigits(&got), want)
					}
				}
			}
		}
	}
}

// TestTwins64 checks the twins of radix 2^64 themselves.
func TestTwins64(t *testing.T) {
	r := newRand(t)
	for _, l := range []int{32, 36, 48, 64} {
		for range 50 {
			a, b := randRuns(r, 64*l), randRuns(r, 64*l)
			var x, y limbs64
			fromBig(&x, a)
			fromBig(&y, b)
			var mul, sqr wide64
			mulTwin64(&mul, &x, &y, l)
			sqrTwin64(&sqr, &x, l)
			if got, want := bigWide(&mul), new(big.Int).Mul(a, b); got.Cmp(want) != 0 {
				t.Fatalf("%x · %x = %x, want %x", a, b, got, want)
			}
			if got, want := bigWide(&sqr), new(big.Int).Mul(a, a); got.Cmp(want) != 0 {
				t.Fatalf("%x² = %x, want %x", a, got, want)
			}
		}
	}
}

func bigWide(x *wide64) *big.Int {
	lo, hi := toBig((*limbs64)(x[:maxLimbs])), toBig((*limbs64)(x[maxLimbs:]))
	return hi.Lsh(hi, 64*maxLimbs).Add(hi, lo)
}
