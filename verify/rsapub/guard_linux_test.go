//go:build amd64 && !purego

package rsapub

import (
	"math/big"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	pageSize  = 4096
	pageWords = pageSize / 8
)

// guarded is a readable page between two that are not.
func guarded(t *testing.T) []uint64 {
	t.Helper()
	p, err := unix.MmapPtr(-1, 0, nil, 3*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	all := (*[3 * pageSize]byte)(p)
	for _, guard := range [][]byte{all[:pageSize], all[2*pageSize:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := unix.MunmapPtr(p, 3*pageSize); err != nil {
			t.Error(err)
		}
	})
	return (*[3 * pageWords]uint64)(p)[pageWords : 2*pageWords]
}

// atEdges runs body with count slices of n words each, all at the end of a page, then all at its start.
func atEdges(t *testing.T, n, count int, body func(s [][]uint64)) {
	pages := make([][]uint64, count)
	for i := range pages {
		pages[i] = guarded(t)
	}
	for _, from := range []int{pageWords - n, 0} {
		s := make([][]uint64, count)
		for i, p := range pages {
			clear(p)
			s[i] = p[from : from+n]
		}
		body(s)
	}
}

// TestGuardIFMA runs the multiplications where reading or writing past any operand would fault.
func TestGuardIFMA(t *testing.T) {
	if !hasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	r := newRand(t)
	for _, bits := range []int{2048, 3072, 4096} {
		var m radix52
		n := modulus(randBits(r, bits), bits)
		m.init(n, bits)
		var x, y digits
		setDigits(&x, new(big.Int).Mod(randBits(r, bits), n))
		setDigits(&y, new(big.Int).Mod(randBits(r, bits), n))
		want := x
		m.mulTwin(&want, &y)
		square := want
		m.mulTwin(&want, &square)
		length := map[int]int{2048: 40, 3072: 64, 4096: 80}[bits]
		atEdges(t, length, 3, func(s [][]uint64) {
			copy(s[0], x[:])
			copy(s[1], y[:])
			copy(s[2], m.n[:])
			switch length {
			case 40:
				mul40((*[40]uint64)(s[0]), (*[40]uint64)(s[1]), (*[40]uint64)(s[2]), m.k0, m.rows)
			case 64:
				mul64((*[64]uint64)(s[0]), (*[64]uint64)(s[1]), (*[64]uint64)(s[2]), m.k0, m.rows)
			default:
				mul80((*[80]uint64)(s[0]), (*[80]uint64)(s[1]), (*[80]uint64)(s[2]), m.k0, m.rows)
			}
			var d, c digits
			copy(d[:], s[0])
			m.toColumns(&c, &d)
			copy(s[0], c[:])
			copy(s[2], m.down[:])
			switch length {
			case 40:
				sqr40((*[40]uint64)(s[0]), (*[40]uint64)(s[2]), m.k0, 1)
			case 64:
				sqr64((*[64]uint64)(s[0]), (*[64]uint64)(s[2]), m.k0, 1)
			default:
				sqr80((*[80]uint64)(s[0]), (*[80]uint64)(s[2]), m.k0, 1)
			}
			copy(c[:], s[0])
			m.fromColumns(&d, &c)
			copy(s[0], d[:])
			for i, got := range s[0] {
				if got != want[i] {
					t.Fatalf("%d bits: digit %d is %x, want %x", bits, i, got, want[i])
				}
			}
		})
	}
}

// TestGuardADX is the same for radix 2^64, at 4096 bits: the arrays are of that size whatever the modulus.
func TestGuardADX(t *testing.T) {
	if !hasADX {
		t.Skip("no ADX")
	}
	r := newRand(t)
	p, err := NewPublicKey(modulus(randBits(r, 4096), 4096), 3, ADX)
	if err != nil {
		t.Fatal(err)
	}
	var x, y limbs64
	fromBig(&x, randBits(r, 4096))
	fromBig(&y, randBits(r, 4096))
	var mul, sqr, red wide64
	mulTwin64(&mul, &x, &y, 64)
	sqrTwin64(&sqr, &x, 64)
	red = mul
	carry := reduceTwin64(&red, &p.n, p.n0, 64)
	atEdges(t, 128, 1, func(ts [][]uint64) {
		wide := (*wide64)(ts[0])
		atEdges(t, 64, 2, func(s [][]uint64) {
			a, b := (*limbs64)(s[0]), (*limbs64)(s[1])
			*a, *b, *wide = x, y, wide64{}
			mulADX(wide, a, b, 8)
			if *wide != mul {
				t.Error("mulADX differs from its twin")
			}
			*wide = wide64{}
			sqrADX(wide, a, 8)
			if *wide != sqr {
				t.Error("sqrADX differs from its twin")
			}
			*wide, *a = mul, p.n
			if got := reduceADX(wide, a, p.n0, 8); got != carry || limbs64(wide[64:]) != limbs64(red[64:]) {
				t.Errorf("reduceADX differs from its twin: carry %d, want %d", got, carry)
			}
		})
	})
}
