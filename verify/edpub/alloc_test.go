//go:build !race

package edpub

import (
	"math/big"
	"testing"
)

func TestVerifyAllocs(t *testing.T) {
	s := newRelated(t, big.NewInt(12345), 0, 8)
	for _, size := range []int{0, 460, 16384} {
		message := make([]byte, size)
		sig, _ := s.craft(big.NewInt(77), 0, message)
		for k, own := range s.own {
			if n := testing.AllocsPerRun(50, func() {
				if !own.VerifyVarTime(message, sig) {
					t.Fatal("valid signature refused")
				}
			}); n != 0 {
				t.Errorf("%s: VerifyVarTime of %d octets allocates %v times", k, size, n)
			}
		}
	}
}
