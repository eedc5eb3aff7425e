//go:build !purego

package rsapub

import (
	"math/big"
	"testing"
)

// TestSqr52 compares runs of squarings with as many of the twin, on both sides of the longest run of one call.
func TestSqr52(t *testing.T) {
	if !hasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	r := newRand(t)
	for _, bits := range testBits {
		for _, n := range moduli(r, bits) {
			var m radix52
			m.init(n, bits)
			for _, a := range patterns(r, new(big.Int).Lsh(n, 1)) {
				var x digits
				setDigits(&x, a)
				times := 1 + r.Uint64N(18)
				got, want := x, x
				m.sqr(&got, times)
				for range times {
					y := want
					m.mulTwin(&want, &y)
				}
				if got != want {
					t.Fatalf("%x squared %d times mod %x = %x, twin %x", a, times, n, bigDigits(&got), bigDigits(&want))
				}
			}
		}
	}
}

// TestRadix64 compares the ADX assembly with its twins for every number of blocks, with limbs of ones and zeros.
func TestRadix64(t *testing.T) {
	if !hasADX {
		t.Skip("no ADX")
	}
	r := newRand(t)
	choices := []uint64{0, 1, 1<<64 - 1, 1<<64 - 2, 1 << 63, 1<<63 - 1}
	fill := func(z []uint64, i int) {
		for j := range z {
			switch {
			case i < 6:
				z[j] = choices[i]
			case i%2 == 0:
				z[j] = choices[r.IntN(len(choices))]
			default:
				z[j] = r.Uint64()
			}
		}
	}
	for _, blocks := range []int{2, 3, 4, 5, 6, 7, 8} {
		l := 8 * blocks
		for i := range 12 * 12 {
			var x, y, n limbs64
			fill(x[:l], i%12)
			fill(y[:l], i/12)
			fill(n[:l], r.IntN(12))
			n[0] |= 1
			var got, want wide64
			mulADX(&got, &x, &y, uint64(blocks))
			mulTwin64(&want, &x, &y, l)
			if got != want {
				t.Fatalf("mulADX(%x, %x) = %x, want %x", x, y, got, want)
			}
			n0 := -inverse64(n[0])
			gotCarry, wantCarry := reduceADX(&got, &n, n0, uint64(blocks)), reduceTwin64(&want, &n, n0, l)
			if gotCarry != wantCarry || limbs64(got[64:]) != limbs64(want[64:]) || [64]uint64(append(got[l:2*l:2*l], make([]uint64, 64-l)...)) != [64]uint64(append(want[l:2*l:2*l], make([]uint64, 64-l)...)) {
				t.Fatalf("reduceADX mod %x = %x and %d, want %x and %d", n, got, gotCarry, want, wantCarry)
			}
			got, want = wide64{}, wide64{}
			sqrADX(&got, &x, uint64(blocks))
			sqrTwin64(&want, &x, l)
			if got != want {
				t.Fatalf("sqrADX(%x) = %x, want %x", x, got, want)
			}
			// t need not be a product: any t below R² reduces.
			fill(got[:2*l], r.IntN(12))
			want = got
			gotCarry, wantCarry = reduceADX(&got, &n, n0, uint64(blocks)), reduceTwin64(&want, &n, n0, l)
			clear(got[:l]) // q in one, zero in the other
			clear(want[:l])
			if gotCarry != wantCarry || got != want {
				t.Fatalf("reduceADX mod %x = %x and %d, want %x and %d", n, got, gotCarry, want, wantCarry)
			}
		}
	}
}
