//go:build !purego

package edpub

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestFieldIFMA compares the assembly with its twin, to the bit.
func TestFieldIFMA(t *testing.T) {
	if !hasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	rng := rand.New(rand.NewPCG(51, 52))
	// The twin cuts factors to 52 bits as the instruction does, so any limbs that keep sums below 2^61 will do.
	edges := append([]uint64{1<<52 - 2, 1<<52 - 1, 1 << 52, maxWide, maxWideT}, tight51...)
	xs := append(operands(rng, edges, 59, 800), fill(1<<52-1), fill(maxTight), fill(maxWideT))
	for range 20000 {
		var x, y [8]element
		var vx, vy [5][8]uint64
		for lane := range 8 {
			x[lane], y[lane] = xs[rng.IntN(len(xs))], xs[rng.IntN(len(xs))]
			for j := range 5 {
				vx[j][lane], vy[j][lane] = x[lane][j], y[lane][j]
			}
		}
		var got [4][5][8]uint64
		fieldIFMA(&got, &vx, &vy)
		for lane := range 8 {
			var want [4]element
			want[0].mul52(&x[lane], &y[lane])
			want[1] = want[0]
			want[1].carry()
			sumDiff(&want[2], &want[3], &x[lane], &y[lane])
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
	if !hasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	rng := rand.New(rand.NewPCG(53, 54))
	for range 150 {
		entries := append(randomEntries(rng, maxTermsIFMA), neutral)
		for steps := uint64(1); steps <= maxTermsIFMA/8; steps++ {
			var terms [maxTermsIFMA]laneTerm
			for i := range 8 * steps {
				terms[i] = laneTerm{&entries[rng.IntN(len(entries))], -uint64(rng.IntN(2))}
			}
			var got, want [15]uint64
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
	if !hasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	entry := (*[12]uint64)(unsafe.Pointer(&guarded(t, 96)[0]))
	*entry = [12]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	other := [12]uint64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	z := (*[15]uint64)(unsafe.Pointer(&guarded(t, 120)[0]))
	for steps := uint64(1); steps <= maxTermsIFMA/8; steps++ {
		// The terms of the steps alone lie before the page; the array's rest is never touched.
		b := guarded(t, int(128*steps))
		terms := (*[maxTermsIFMA]laneTerm)(unsafe.Pointer(&b[0]))
		var copied [maxTermsIFMA]laneTerm
		for i := range 8 * steps {
			terms[i] = laneTerm{entry, 0}
			if i%3 == 0 {
				terms[i] = laneTerm{&other, ^uint64(0)}
			}
			copied[i] = terms[i]
		}
		sumIFMA(z, terms, steps)
		var want [15]uint64
		sumTwin(&want, &copied, steps)
		if *z != want {
			t.Fatalf("%d steps: %x, want %x", steps, *z, want)
		}
	}
	x := (*[5][8]uint64)(unsafe.Pointer(&guarded(t, 320)[0]))
	y := (*[5][8]uint64)(unsafe.Pointer(&guarded(t, 320)[0]))
	fieldIFMA((*[4][5][8]uint64)(unsafe.Pointer(&guarded(t, 1280)[0])), x, y)
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
