//go:build !purego

package p256

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestFieldIFMA compares the assembly with its twin, to the bit.
func TestFieldIFMA(t *testing.T) {
	if !HasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	rng := rand.New(rand.NewPCG(15, 16))
	xs := operands52(rng, 800)
	for range 20000 {
		var x, y [8]limbs52
		var vx, vy [5][8]uint64
		for lane := range 8 {
			x[lane], y[lane] = xs[rng.IntN(len(xs))], xs[rng.IntN(len(xs))]
			for j := range 5 {
				vx[j][lane], vy[j][lane] = x[lane][j], y[lane][j]
			}
		}
		var got [5][5][8]uint64
		fieldIFMA(&got, &vx, &vy)
		for lane := range 8 {
			var want [5]limbs52
			want[0].mul(&x[lane], &y[lane])
			want[1].mul(&x[lane], &x[lane])
			want[2].mulAdd(&x[lane], &y[lane], &x[lane], &x[lane])
			for i := range 3 {
				want[i].carry()
			}
			x3(&want[3], &want[4], &x[lane], &y[lane], &y[lane])
			for i := range want {
				for j := range 5 {
					if got[i][j][lane] != want[i][j] {
						t.Fatalf("output %d, limb %d, lane %d: %x, want %x (x = %x, y = %x)", i, j, lane, got[i][j][lane], want[i][j], x[lane], y[lane])
					}
				}
			}
		}
	}
}

// TestSumIFMA compares the assembly with its twin, to the bit, over entries that need not be points, at any number of steps.
func TestSumIFMA(t *testing.T) {
	if !HasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	rng := rand.New(rand.NewPCG(17, 18))
	for range 300 {
		entries := make([][8]uint64, maxTermsIFMA)
		xs := operands(rng, 100)
		for i := range entries {
			x, y := xs[rng.IntN(len(xs))], xs[rng.IntN(len(xs))]
			copy(entries[i][:4], x[:])
			copy(entries[i][4:], y[:])
		}
		for steps := uint64(2); steps <= maxTermsIFMA/8; steps++ {
			var terms [maxTermsIFMA]ifmaTerm
			for i := range 8 * steps {
				terms[i] = ifmaTerm{&entries[rng.IntN(len(entries))], -uint64(rng.IntN(2))}
			}
			var got, want [10]uint64
			sumIFMA(&got, &terms, steps)
			sumTwin(&want, &terms, steps)
			if got != want {
				t.Fatalf("%d steps: %x, want %x", steps, got, want)
			}
		}
	}
}

// TestGuardPagesIFMA puts everything that the assembly reads or writes right before a page that faults.
func TestGuardPagesIFMA(t *testing.T) {
	if !HasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	entry := (*[8]uint64)(unsafe.Pointer(&guarded(t, 64)[0]))
	*entry = [8]uint64{1, 2, 3, 4, 5, 6, 7, 8}
	other := [8]uint64{8, 7, 6, 5, 4, 3, 2, 1}
	z := (*[10]uint64)(unsafe.Pointer(&guarded(t, 80)[0]))
	for steps := uint64(2); steps <= maxTermsIFMA/8; steps++ {
		// The terms of the steps alone lie before the page; the array's rest is never touched.
		b := guarded(t, int(128*steps))
		terms := (*[maxTermsIFMA]ifmaTerm)(unsafe.Pointer(&b[0]))
		var copied [maxTermsIFMA]ifmaTerm
		for i := range 8 * steps {
			terms[i] = ifmaTerm{entry, 0}
			if i%3 == 0 {
				terms[i] = ifmaTerm{&other, ^uint64(0)}
			}
			copied[i] = terms[i]
		}
		sumIFMA(z, terms, steps)
		var want [10]uint64
		sumTwin(&want, &copied, steps)
		if *z != want {
			t.Fatalf("%d steps: %x, want %x", steps, *z, want)
		}
	}
}

// guarded returns n octets that end at a page that cannot be touched.
func guarded(t *testing.T, n int) []byte {
	t.Helper()
	page := unix.Getpagesize()
	size := (n + page - 1) &^ (page - 1)
	b, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	if err := unix.Mprotect(b[size:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return b[size-n : size]
}
