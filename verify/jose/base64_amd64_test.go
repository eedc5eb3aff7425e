//go:build !purego

package jose

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// guarded returns n octets that begin or end where the page beside them cannot be touched.
func guarded(t *testing.T, n int, begin bool) []byte {
	t.Helper()
	page := unix.Getpagesize()
	size := (n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, page+size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	for _, guard := range [][]byte{m[:page], m[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if begin {
		return m[page : page+n : page+n]
	}
	return m[page+size-n : page+size : page+size]
}

// Kernel and portable twin agree for every length, with and without an octet that is not in the alphabet at each place, and
// the kernel touches nothing beyond its operands.
func TestVectors(t *testing.T) {
	for _, v := range []Vector{AVX2, VBMI} {
		t.Run(v.String(), func(t *testing.T) {
			if !v.Supported() {
				t.Skip("the processor does not have it")
			}
			for n := 2; n < 140; n++ {
				if n%4 != 1 {
					testVector(t, v, n, n%2 == 0)
					testVector(t, v, n, n%2 != 0)
				}
			}
		})
	}
}

func testVector(t *testing.T, v Vector, n int, begin bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	src, dst := guarded(t, n, begin), guarded(t, DecodedLen(n), begin)
	raw := make([]byte, DecodedLen(n))
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	base64.RawURLEncoding.Encode(src, raw)
	if !decodeBy(v, dst, src) || string(dst) != string(raw) {
		t.Fatalf("%d characters: %x, want %x", n, dst, raw)
	}
	if n >= 32 && v == AVX2 {
		// What the vector form leaves to the portable one is at most three characters.
		clear(dst)
		if decodeAVX2(&dst[0], &src[0], n&^3) != 0 || string(dst[:n/4*3]) != string(raw[:n/4*3]) {
			t.Fatalf("%d characters: the kernel says %x, want %x", n, dst, raw)
		}
	}
	want := make([]byte, len(dst))
	for i := range src {
		old := src[i]
		for c := range 256 {
			src[i] = byte(c)
			ok := decodePortable(want, src)
			if got := decodeBy(v, dst, src); got != ok || ok == (decodeTable[c] == 0xff) || ok && string(dst) != string(want) {
				t.Fatalf("%d characters, octet %#x at %d: ok = %v, want %v; %x, want %x", n, c, i, got, ok, dst, want)
			}
		}
		src[i] = old
	}
}

// The fuzz targets and tests of this package run on the best form; make purego runs them on the portable one.
func TestMain(m *testing.M) {
	UseVector(BestVector())
	os.Exit(m.Run())
}

func TestSelfTest(t *testing.T) {
	for _, v := range []Vector{NoVector, AVX2, VBMI} {
		if !v.Supported() {
			continue
		}
		if err := SelfTest(v); err != nil {
			t.Error(err)
		}
	}
}
