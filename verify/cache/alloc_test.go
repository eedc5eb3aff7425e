//go:build !race

package cache

import "testing"

func TestGetAllocs(t *testing.T) {
	c := New[int](1 << 20)
	token := make([]byte, 700)
	put(c, string(token), 1, later, 0)
	if got := testing.AllocsPerRun(100, func() {
		if c.Get(c.Hash(token), token) == nil {
			t.Fatal("miss")
		}
	}); got != 0 {
		t.Errorf("hit: %v allocations, want 0", got)
	}
}
