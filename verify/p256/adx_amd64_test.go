//go:build !purego

package p256

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestFieldADX compares the assembly with Element's functions.
func TestFieldADX(t *testing.T) {
	if !HasADX {
		t.Skip("no ADX")
	}
	rng := rand.New(rand.NewPCG(19, 20))
	xs := operands(rng, 1500)
	for i := range xs {
		x := [4]uint64(xs[i])
		var got [4]uint64
		var want Element
		sqrADX(&got, &x)
		if want.Sqr(&xs[i]); got != want {
			t.Fatalf("sqrADX(%x) = %x, want %x", x, got, want)
		}
		for j := range xs {
			y := [4]uint64(xs[j])
			mulADX(&got, &x, &y)
			if want.Mul(&xs[i], &xs[j]); got != want {
				t.Fatalf("mulADX(%x, %x) = %x, want %x", x, y, got, want)
			}
		}
		got = x
		mulADX(&got, &got, &got)
		if want.Mul(&xs[i], &xs[i]); got != want {
			t.Fatalf("mulADX(%x) in place = %x, want %x", x, got, want)
		}
		got = x
		sqrADX(&got, &got)
		if got != want {
			t.Fatalf("sqrADX(%x) in place = %x, want %x", x, got, want)
		}
	}
	for _, z := range operands(rng, 4000) {
		for _, f := range pairs(rng, &z) {
			var got [4]uint64
			x, y := [4]uint64(f[0]), [4]uint64(f[1])
			if mulADX(&got, &x, &y); got != z {
				t.Fatalf("mulADX(%x, %x) = %x, want %x", x, y, got, z)
			}
			if x == y {
				if sqrADX(&got, &x); got != z {
					t.Fatalf("sqrADX(%x) = %x, want %x", x, got, z)
				}
			}
		}
	}
	// One factor may be any number below 2^256.
	for _, y := range []Element{{p0, p1, p2, p3}, {0, p1 + 1, p2, p3}, {p0, p0, p0, p0}} {
		for i := range xs {
			x, z := [4]uint64(xs[i]), [4]uint64(y)
			var got [4]uint64
			var want Element
			mulADX(&got, &x, &z)
			if want.Mul(&xs[i], &y); got != want {
				t.Fatalf("mulADX(%x, %x) = %x, want %x", x, z, got, want)
			}
		}
	}
}

// TestAddADX compares the assembly with point.add, over coordinates that need not be a point's, with everything that it reads
// or writes right before a page that faults.
func TestAddADX(t *testing.T) {
	if !HasADX {
		t.Skip("no ADX")
	}
	rng := rand.New(rand.NewPCG(21, 22))
	xs := operands(rng, 500)
	p := (*[4][4]uint64)(unsafe.Pointer(&guarded(t, 128)[0]))
	x2 := (*[4]uint64)(unsafe.Pointer(&guarded(t, 32)[0]))
	y2 := (*[4]uint64)(unsafe.Pointer(&guarded(t, 32)[0]))
	pick := func() Element { return xs[rng.IntN(len(xs))] }
	for range 200000 {
		a := Affine{pick(), pick()}
		want := point{pick(), pick(), pick(), pick()}
		*p = [4][4]uint64{want.X, want.Y, want.ZZ, want.ZZZ}
		*x2, *y2 = a.X, a.Y
		sign := -uint64(rng.IntN(2))
		start := *p
		addADX(p, x2, y2, sign)
		want.add(term{&a, sign})
		if *p != [4][4]uint64{want.X, want.Y, want.ZZ, want.ZZZ} {
			t.Fatalf("addADX(%x, %x, %x) = %x, want %x", start, a, sign, *p, want)
		}
	}
}
