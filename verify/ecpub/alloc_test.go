//go:build !race

package ecpub_test

import (
	"math/big"
	"testing"

	"sallyport/verify/ecpub"
)

func TestVerifyAllocs(t *testing.T) {
	eachKernel(t, func(t *testing.T, c ecpub.Curve, k ecpub.Kernel) {
		s := newSubject(t, c, multiple(t, stdCurves[c], big.NewInt(12345)))
		digest, sig := s.craft(big.NewInt(77), s.random(t))
		if n := testing.AllocsPerRun(50, func() {
			if ok, _ := s.own[k].VerifyVarTime(digest, sig); !ok {
				t.Fatal("valid signature refused")
			}
		}); n != 0 {
			t.Errorf("VerifyVarTime allocates %v times", n)
		}
	})
}
