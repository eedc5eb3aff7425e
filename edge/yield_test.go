package edge

import (
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// On one CPU, beside a goroutine that works on and on and lets others run every 200 µs, a connection's goroutine must run within a
// few such rounds of its data. With runtime.Gosched it is some fifty, until the runtime's own watch looks at the network.
func TestYieldLetsConnectionsIn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var got atomic.Int64
	go func() {
		buf := make([]byte, 1)
		for {
			if _, err := in.Read(buf); err != nil {
				return
			}
			got.Add(1)
		}
	}()
	yield := newYield()
	var rounds []int
	for i := range int64(21) {
		if _, err := out.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; got.Load() <= i; n++ {
			if n > 100_000 {
				t.Fatal("the connection's goroutine never ran")
			}
			for began := time.Now(); time.Since(began) < 200*time.Microsecond; {
			}
			yield()
		}
		rounds = append(rounds, n)
	}
	slices.Sort(rounds)
	if median := rounds[len(rounds)/2]; median > 4 {
		t.Errorf("data waited for %d rounds, want a few; all: %v", median, rounds)
	}
}
