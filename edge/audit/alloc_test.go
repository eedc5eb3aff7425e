//go:build !race

package audit

import (
	"io"
	"testing"
)

func TestAllocatesNothing(t *testing.T) {
	r := testRecord()
	r.Path = []byte("/ü\x00\"\u2028\xff/" + string(make([]byte, 100)))
	buf := make([]byte, 0, 4<<10)
	if n := testing.AllocsPerRun(100, func() { appendRecord(buf, r, true) }); n != 0 {
		t.Errorf("appendRecord: %v allocations, want 0", n)
	}
	l := open(t, Options{Output: "stderr", Buffer: 10})
	l.out = io.Discard
	spare := make([]byte, 0, 4<<10)
	l.pending = make([]byte, 0, 4<<10)
	if n := testing.AllocsPerRun(100, func() { l.Log(r); spare = l.flush(spare) }); n != 0 {
		t.Errorf("Log and flush: %v allocations, want 0", n)
	}
}
