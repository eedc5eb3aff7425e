package cache

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// tokens returns n tokens of 700 octets, as different from each other as JWTs of one key are: behind a common header.
func tokens(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		b := make([]byte, 700)
		copy(b, bytes.Repeat([]byte("eyJhbGciOiJSUzI1NiIs"), 4))
		for j := 80; j < len(b); j++ {
			b[j] = 'A' + byte(r.UintN(26))
		}
		out[i] = b
	}
	return out
}

// value is what the map holds: a pointer, as the cache's entries are one.
type value struct {
	n int
	_ [420]byte // its claims
}

func filled(b *testing.B, n int) (*Cache[int], [][]byte) {
	c := New[int](160 << 20)
	list := tokens(n)
	for i, t := range list {
		e := NewEntry[int](c.Hash(t), t, 0, 1<<40)
		e.Value = i
		c.Put(e, 0)
	}
	if got := c.Stats().Entries; got < int64(n)*99/100 {
		b.Fatalf("%d entries, want %d", got, n)
	}
	return c, list
}

// order is a random walk over n tokens, each in memory of its own, as it would come from a connection.
func order(n int) []int {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]int, 1<<16)
	for i := range out {
		out[i] = r.IntN(n)
	}
	return out
}

func BenchmarkCache(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		c, list := filled(b, n)
		walk := order(n)
		b.Run(fmt.Sprintf("hit/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(700)
			buf := make([]byte, 0, 1024)
			i := 0
			for b.Loop() {
				k := walk[i&(len(walk)-1)]
				i++
				buf = append(buf[:0], list[k]...)
				e := c.Get(c.Hash(buf), buf)
				if e == nil {
					continue
				}
				if e.Value != k {
					b.Fatal("miss")
				}
			}
		})
		m := map[string]*value{}
		for i, t := range list {
			m[string(t)] = &value{n: i}
		}
		b.Run(fmt.Sprintf("gomap/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(700)
			buf := make([]byte, 0, 1024)
			i := 0
			for b.Loop() {
				k := walk[i&(len(walk)-1)]
				i++
				buf = append(buf[:0], list[k]...)
				if v := m[string(buf)]; v == nil || v.n != k {
					b.Fatal("miss")
				}
			}
		})
		b.Run(fmt.Sprintf("copyonly/%d", n), func(b *testing.B) {
			buf := make([]byte, 0, 1024)
			i := 0
			for b.Loop() {
				k := walk[i&(len(walk)-1)]
				i++
				buf = append(buf[:0], list[k]...)
			}
			_ = buf
		})
	}
	c, list := filled(b, 1000)
	b.Run("parallel", func(b *testing.B) {
		var n atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			i := int(n.Add(1)) * 77
			for pb.Next() {
				i++
				t := list[i%1000]
				if c.Get(c.Hash(t), t) == nil {
					b.Error("miss")
					return
				}
			}
		})
	})
	b.Run("hash", func(b *testing.B) {
		s := maphash.MakeSeed()
		for b.Loop() {
			maphash.Bytes(s, list[0])
		}
	})
}
