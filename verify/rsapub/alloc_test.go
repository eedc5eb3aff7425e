//go:build !race

package rsapub

import "testing"

func TestVerifyDoesNotAllocate(t *testing.T) {
	eachKernel(t, func(t *testing.T, k Kernel) {
		for _, name := range []string{"2048/65537", "3072/65537", "4096/65537"} {
			key := testKey(t, name)
			p := newKey(t, &key.PublicKey, k)
			for _, h := range hashes {
				digest := testDigest(h, "allocations")
				for _, s := range schemes {
					sig := sign(t, key, h, s.pss, digest)
					if n := testing.AllocsPerRun(10, func() {
						if !s.ours(p, h, digest, sig) {
							t.Fatal("refused")
						}
					}); n != 0 {
						t.Errorf("%s %s %v: %v allocations", name, s.name, h, n)
					}
				}
			}
		}
	})
}
