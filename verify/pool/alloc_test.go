//go:build !race

package pool

import (
	"testing"
	"time"
)

func TestDoAllocs(t *testing.T) {
	p, c := newPool(16, 8)
	j := job("token", sourceA, 1, func() { c.now.Add(100) })
	p.Do(j)
	if got := testing.AllocsPerRun(200, func() { c.now.Add(1000); p.Do(j) }); got != 0 {
		t.Errorf("inline: %v allocations, want 0", got)
	}
	j.Work.(*task).run = func() { c.now.Add(int64(time.Second)) }
	// The goroutine that works a queue off is started anew when it had ended; its memory is reused.
	if got := testing.AllocsPerRun(200, func() { p.Do(j) }); got > 0.5 {
		t.Errorf("queued: %v allocations, want 0", got)
	}
}
