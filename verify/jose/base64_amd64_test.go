//go:build !purego

package jose

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// guarded returns n octets that end where the next page cannot be touched.
func guarded(t *testing.T, n int) []byte {
	t.Helper()
	page := unix.Getpagesize()
	size := (n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	if err := unix.Mprotect(m[size:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return m[size-n : size : size]
}

// Kernel and portable twin agree for every length, with and without an octet that is not in the alphabet at each place, and
// the kernel touches nothing beyond its operands.
func TestDecodeVBMI(t *testing.T) {
	if !hasVBMI {
		t.Skip("the processor has no AVX-512 VBMI")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := 2; n < 140; n++ {
		if n%4 == 1 {
			continue
		}
		src, dst := guarded(t, n), guarded(t, DecodedLen(n))
		raw := make([]byte, DecodedLen(n))
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		base64.RawURLEncoding.Encode(src, raw)
		if bad := decodeVBMI(&dst[0], &src[0], n); bad != 0 || string(dst) != string(raw) {
			t.Fatalf("%d characters: %x, bad %x; want %x", n, dst, bad, raw)
		}
		for i := range src {
			old := src[i]
			for c := range 256 {
				src[i] = byte(c)
				want := decodePortable(make([]byte, len(dst)), src)
				if got := decodeVBMI(&dst[0], &src[0], n) == 0; got != want || want == (decodeTable[c] == 0xff) {
					t.Fatalf("%d characters, octet %#x at %d: ok = %v, want %v", n, c, i, got, want)
				}
			}
			src[i] = old
		}
	}
}

// The fuzz targets and tests of this package run on the vector form where there is one; make purego runs them on the portable one.
func TestMain(m *testing.M) {
	UseVector(true)
	os.Exit(m.Run())
}

func TestSelfTest(t *testing.T) {
	if !hasVBMI {
		t.Skip("the processor has no AVX-512 VBMI")
	}
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
}
