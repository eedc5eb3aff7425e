//go:build !race

package edge

import "testing"

func TestYieldAllocs(t *testing.T) {
	if got := testing.AllocsPerRun(100, newYield()); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
