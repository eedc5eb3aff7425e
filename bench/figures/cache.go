package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport/bench/arm"
	"sallyport/verify/cache"
)

// cacheFigures are about a look-up in the claim cache, the hash of the token and the comparison of all of it included.
func cacheFigures() []Figure {
	return []Figure{
		{
			Name: "cache/hit-1000/ns", Unit: "ns", Goal: AtMost(150),
			Value: func(*Env) (Arm, error) {
				c, err := fillCache(1000)
				return Func(c.get(1000)), err
			},
		},
		{
			Name: "cache/hit-100000-vs-go-map", Goal: AtMost(0.8),
			Ratio: func(*Env) (Pair, error) {
				const n = 100_000
				c, err := fillCache(n)
				return Pair{Num: Func(c.get(n)), Den: Func(goMap(n))}, err
			},
		},
		{Name: "cache/allocs", Unit: "allocs", Goal: Exactly(0), Count: cacheAllocs},
		{Name: "cache/two-cpus-speed-up", Goal: AtLeast(1.8), Lacks: twoCPUs, Ratio: twoReaders},
	}
}

// cachedToken is a token as it stands in the buffer of a connection, in the first level of caches: what came of reading it is no cost
// of the look-up. To make it another one only what is different in it is written.
type cachedToken [700]byte

func newCachedToken() *cachedToken {
	t := new(cachedToken)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range t {
		t[i] = 'A' + byte(rng.UintN(26))
	}
	return t
}

// set makes it token number i.
func (t *cachedToken) set(i int) {
	for j := range 8 {
		t[120+j] = 'A' + byte(i>>(4*j)&15)
	}
}

// walk is a random order of n tokens, the same for all who ask with the same seed.
type walk struct {
	state uint64
	n     uint64
}

func (w *walk) next() int {
	w.state = w.state*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
	return int((w.state >> 33) * w.n >> 31)
}

type filledCache struct{ *cache.Cache[int] }

// fillCache returns a cache with n tokens. Where one of them found no place, the measurement would be of misses.
func fillCache(n int) (filledCache, error) {
	c := filledCache{cache.New[int](256 << 20)}
	t := newCachedToken()
	for i := range n {
		t.set(i)
		e := cache.NewEntry[int](c.Hash(t[:]), t[:], 0, 1<<40)
		e.Value = i
		c.Put(e, 0)
	}
	for i := range n {
		t.set(i)
		if e := c.Get(c.Hash(t[:]), t[:]); e == nil || e.Value != i {
			return c, fmt.Errorf("the cache lost token %d of %d", i, n)
		}
	}
	return c, nil
}

// get returns a function that looks up a random token of the first n.
func (c filledCache) get(n int) func() {
	t, w := newCachedToken(), &walk{1, uint64(n)}
	return func() {
		i := w.next()
		t.set(i)
		if e := c.Get(c.Hash(t[:]), t[:]); e == nil || e.Value != i {
			panic("figures: the cache has another token")
		}
	}
}

// goMap returns a function that looks up a random token in a Go map, which compares all of it too. Its values are pointers, as the
// cache's entries are; it is bounded in nothing and safe for no second goroutine.
func goMap(n int) func() {
	type value struct {
		n int
		_ [420]byte // its claims
	}
	m := make(map[string]*value, n)
	t, w := newCachedToken(), &walk{1, uint64(n)}
	for i := range n {
		t.set(i)
		m[string(t[:])] = &value{n: i}
	}
	return func() {
		i := w.next()
		t.set(i)
		if v := m[string(t[:])]; v == nil || v.n != i {
			panic("figures: the map has another token")
		}
	}
}

func cacheAllocs(*Env) (float64, error) {
	c, err := fillCache(1000)
	if err != nil {
		return 0, err
	}
	return testing.AllocsPerRun(1000, c.get(1000)), nil
}

// twoReaders compares the look-ups of two threads at once, each on a CPU of its own, with those of one. The cost of a look-up is the
// CPU time of one thread divided by the number of threads, so that what neighbours take of the CPUs is not in it: what
// the threads take from each other is, by cache lines that both write.
func twoReaders(*Env) (Pair, error) {
	c, err := fillCache(1000)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Num: readers(c, 1), Den: readers(c, 2)}, nil
}

// readers is an arm of so many threads. Each goes on looking tokens up, uncounted, until the last one is through with what counts.
func readers(c filledCache, threads int) Arm {
	gets := make([]func() (float64, error), threads)
	return Arm{Run: func() (float64, error) {
		costs, errs := make([]float64, threads), make([]error, threads)
		var ready, left atomic.Int64
		left.Store(int64(threads))
		var wg sync.WaitGroup
		for i := range threads {
			if gets[i] == nil {
				gets[i] = arm.Func(c.get(1000))
				if _, err := gets[i](); err != nil { // calibrates
					return 0, err
				}
			}
			more := c.get(1000)
			wg.Go(func() {
				undo, err := pinTo(i)
				ready.Add(1)
				if err != nil {
					errs[i] = err
					left.Add(-1)
					return
				}
				defer undo()
				for ready.Load() < int64(threads) {
				}
				costs[i], errs[i] = gets[i]()
				for left.Add(-1); left.Load() > 0; {
					more()
				}
			})
		}
		wg.Wait()
		var rate float64
		for _, cost := range costs {
			rate += 1 / cost
		}
		return 1 / rate, errors.Join(errs...)
	}}
}
