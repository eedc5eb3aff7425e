package pool

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a clock that moves only when it is told to.
type clock struct{ now atomic.Int64 }

func (c *clock) read() int64 { return c.now.Load() }

// task is Work made of a function; its result is n.
type task struct {
	n    int
	run  func()
	vain bool
}

func (w *task) Run() bool {
	if w.run != nil {
		w.run()
	}
	return !w.vain
}

func (w *task) Share() int { return w.n }

var (
	sourceA = netip.MustParseAddr("127.0.0.2")
	sourceB = netip.MustParseAddr("127.0.0.3")
)

func newPool(queue, perSource int) (*Pool[int], *clock) {
	c := new(clock)
	return New[int](Options{Shards: 1, Queue: queue, PerSource: perSource, MaxWait: int64(time.Second), Clock: c.read}), c
}

func job(key string, source netip.Addr, n int, run func()) *Job[int] {
	return &Job[int]{Work: &task{n: n, run: run}, Key: []byte(key), Source: source}
}

// spend uses up the time that may be spent inline, so that what comes next queues.
func spend(t *testing.T, p *Pool[int], c *clock) {
	t.Helper()
	if got := p.Do(job("spend", sourceA, 0, func() { c.now.Add(int64(time.Second)) })); got != Ran {
		t.Fatalf("Do = %v, want Ran", got)
	}
}

// hold occupies the shard's goroutine until the returned function is called.
func hold(t *testing.T, p *Pool[int], c *clock) (release func()) {
	t.Helper()
	spend(t, p, c)
	began, gate := make(chan struct{}), make(chan struct{})
	done := make(chan Outcome, 1)
	go func() { done <- p.Do(job("hold", sourceB, 0, func() { close(began); <-gate })) }()
	<-began
	return func() {
		close(gate)
		if got := <-done; got != Ran {
			t.Errorf("the holding job: %v, want Ran", got)
		}
	}
}

// waitFor polls until n jobs wait.
func waitFor(t *testing.T, p *Pool[int], n int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.Stats().Waiting != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d jobs wait, want %d", p.Stats().Waiting, n)
		}
	}
}

func TestRunsInlineWhileThereIsRoom(t *testing.T) {
	p, c := newPool(16, 8)
	ran := 0
	for range 10 {
		if got := p.Do(job("a", sourceA, 1, func() { ran++; c.now.Add(1000) })); got != Ran {
			t.Fatalf("Do = %v, want Ran", got)
		}
		c.now.Add(2000) // half of the time is left for others
	}
	if st := p.Stats(); ran != 10 || st.Inline != 10 || st.Queued != 0 {
		t.Errorf("ran %d, %+v; want all 10 inline", ran, st)
	}
}

func TestQueuesWhenTimeIsSpent(t *testing.T) {
	p, c := newPool(16, 8)
	spend(t, p, c)
	ran := false
	if got := p.Do(job("a", sourceA, 1, func() { ran = true })); got != Ran || !ran {
		t.Errorf("Do = %v, ran %v", got, ran)
	}
	if st := p.Stats(); st.Queued != 1 {
		t.Errorf("%+v, want one queued", st)
	}
	// Time that passes gives room again.
	c.now.Add(int64(time.Hour))
	p.Do(job("b", sourceA, 1, nil))
	if st := p.Stats(); st.Inline != 2 || st.Queued != 1 {
		t.Errorf("%+v, want the last one inline", st)
	}
}

func TestEqualJobsRunOnce(t *testing.T) {
	for _, queued := range []bool{false, true} {
		p, c := newPool(16, 8)
		if queued {
			spend(t, p, c)
		}
		began, gate := make(chan struct{}), make(chan struct{})
		var runs atomic.Int64
		leader := make(chan Outcome, 1)
		go func() {
			leader <- p.Do(job("token", sourceA, 7, func() { runs.Add(1); close(began); <-gate }))
		}()
		<-began
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				j := job("token", sourceB, 8, func() { runs.Add(1) })
				if got := p.Do(j); got != Shared || j.Result != 7 {
					t.Errorf("queued %v: follower: %v with %d, want Shared with 7", queued, got, j.Result)
				}
			})
		}
		for p.Stats().Coalesced < 5 {
			time.Sleep(time.Millisecond)
		}
		// The same hash with another key is other work (Traefik CVE-2026-71326).
		other := make(chan int, 1)
		go func() {
			j := job("other", sourceB, 9, nil)
			p.Do(j)
			other <- j.Work.(*task).n
		}()
		if !queued {
			if got := <-other; got != 9 {
				t.Errorf("another key of the same hash got %d", got)
			}
		}
		close(gate)
		wg.Wait()
		if got := <-leader; got != Ran || runs.Load() != 1 {
			t.Errorf("queued %v: leader %v, %d runs, want 1", queued, got, runs.Load())
		}
		if queued {
			<-other
		}
	}
}

// A panic is its own caller's; whoever waited for the same work does it alone.
func TestPanicStaysWithItsCaller(t *testing.T) {
	for _, queued := range []bool{false, true} {
		p, c := newPool(16, 8)
		if queued {
			spend(t, p, c)
		}
		began, gate := make(chan struct{}), make(chan struct{})
		caught := make(chan any, 1)
		go func() {
			defer func() { caught <- recover() }()
			p.Do(job("token", sourceA, 1, func() { close(began); <-gate; panic("boom") }))
		}()
		<-began
		follower := make(chan Outcome, 1)
		ran := false
		go func() { follower <- p.Do(job("token", sourceB, 2, func() { ran = true })) }()
		for p.Stats().Coalesced < 1 {
			time.Sleep(time.Millisecond)
		}
		close(gate)
		if got := <-caught; got != "boom" {
			t.Errorf("queued %v: the caller caught %v", queued, got)
		}
		if got := <-follower; got != Ran || !ran {
			t.Errorf("queued %v: follower %v, ran %v; want it to run by itself", queued, got, ran)
		}
		if p.Do(job("token", sourceA, 3, nil)) != Ran {
			t.Errorf("queued %v: the pool is dead after a panic", queued)
		}
	}
}

// However many jobs one source has queued, another source's job is next but one.
func TestSourcesTakeTurns(t *testing.T) {
	p, c := newPool(256, 128)
	release := hold(t, p, c)
	var mu sync.Mutex
	var order []string
	var wg sync.WaitGroup
	add := func(name string, source netip.Addr) {
		before := p.Stats().Waiting
		wg.Go(func() {
			p.Do(job(name, source, 0, func() { mu.Lock(); order = append(order, name); mu.Unlock() }))
		})
		waitFor(t, p, before+1)
	}
	for i := range 40 {
		add(fmt.Sprintf("flood-%d", i), sourceA)
	}
	add("good-1", sourceB)
	add("good-2", sourceB)
	release()
	wg.Wait()
	if i, j := slices.Index(order, "good-1"), slices.Index(order, "good-2"); i > 1 || j > 3 {
		t.Errorf("good jobs ran as number %d and %d of %v", i, j, order)
	}
	if order[0] != "flood-0" || order[len(order)-1] != "flood-39" {
		t.Errorf("a source's jobs ran out of order: %v", order)
	}
}

func TestOneSourceCannotFillTheQueue(t *testing.T) {
	p, c := newPool(16, 4)
	release := hold(t, p, c)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { p.Do(job(fmt.Sprint(i), sourceA, 0, nil)) })
	}
	waitFor(t, p, 4)
	if got := p.Do(job("x", sourceA, 0, nil)); got != Refused {
		t.Errorf("the fifth job of a source: %v, want Refused", got)
	}
	wg.Go(func() {
		if got := p.Do(job("y", sourceB, 0, nil)); got != Ran {
			t.Errorf("another source's job: %v, want Ran", got)
		}
	})
	waitFor(t, p, 5)
	release()
	wg.Wait()
}

// With the queue full the newest job of the source that has most makes room for a source that has fewer.
func TestFullQueueMakesRoomForOthers(t *testing.T) {
	p, c := newPool(8, 8)
	release := hold(t, p, c)
	var wg sync.WaitGroup
	var refused atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			if p.Do(job(fmt.Sprint(i), sourceA, 0, nil)) == Refused {
				refused.Add(1)
			}
		})
	}
	waitFor(t, p, 8)
	for i := range 4 {
		wg.Go(func() {
			if got := p.Do(job(fmt.Sprintf("b%d", i), sourceB, 0, nil)); got != Ran {
				t.Errorf("job of a source with few: %v, want Ran", got)
			}
		})
	}
	for refused.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	// Half each now: nobody has less than another by two.
	if got := p.Do(job("b4", sourceB, 0, nil)); got != Refused {
		t.Errorf("one more: %v, want Refused", got)
	}
	release()
	wg.Wait()
	if refused.Load() != 4 {
		t.Errorf("%d jobs made room, want 4", refused.Load())
	}
}

func TestJobsDoNotWaitForever(t *testing.T) {
	p, c := newPool(8, 8)
	release := hold(t, p, c)
	done := make(chan Outcome, 1)
	go func() { done <- p.Do(job("old", sourceA, 0, func() { t.Error("a job ran after MaxWait") })) }()
	waitFor(t, p, 1)
	c.now.Add(int64(2 * time.Second))
	release()
	if got := <-done; got != Refused {
		t.Errorf("a job that waited too long: %v, want Refused", got)
	}
}

// Everything at once: each Do comes back, with the result of its own key, and nothing stays in the tables.
func TestConcurrentUse(t *testing.T) {
	start := time.Now()
	p := New[int](Options{Shards: 3, Queue: 24, PerSource: 8, MaxWait: int64(time.Second), Clock: func() int64 { return int64(time.Since(start)) }})
	var wg sync.WaitGroup
	var outcomes [5]atomic.Int64
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			j := new(Job[int])
			for range 500 {
				n := r.IntN(20)
				key := fmt.Sprint(n)
				got := -1
				*j = Job[int]{Key: []byte(key), Hash: uint64(n%4) << 48, Source: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))}), wake: j.wake}
				j.Work = &task{n: n, run: func() {
					got = n
					time.Sleep(time.Duration(r.IntN(50)) * time.Microsecond)
					if n == 13 {
						panic("13")
					}
				}}
				func() {
					defer func() {
						if v := recover(); v != nil && (v != "13" || n != 13) {
							t.Errorf("key %d caught %v", n, v)
						}
					}()
					o := p.Do(j)
					outcomes[o].Add(1)
					if (o == Ran && got != n) || (o == Shared && j.Result != n) || (o == Shared && n == 13) {
						t.Errorf("key %d: %v, ran %d, shared %d", n, o, got, j.Result)
					}
				}()
			}
		})
	}
	wg.Wait()
	for i := range p.shards {
		s := &p.shards[i]
		if len(s.flying) != 0 || len(s.sources) != 0 || s.jobs != 0 || s.turn != nil || s.waiting.Load() != 0 {
			t.Errorf("shard %d is not empty: %d in flight, %d sources, %d jobs", i, len(s.flying), len(s.sources), s.jobs)
		}
	}
	t.Logf("ran %d, shared %d, refused %d", outcomes[Ran].Load(), outcomes[Shared].Load(), outcomes[Refused].Load())
}

// badShare is Work whose outcome cannot be shared.
type badShare struct{ task }

func (*badShare) Share() int { panic("no outcome") }

// A panic of Share leaves no follower waiting for ever, and ends no goroutine of the pool's: who follows does the work alone.
func TestShareThatPanics(t *testing.T) {
	for _, queued := range []bool{false, true} {
		p, c := newPool(16, 8)
		if queued {
			spend(t, p, c)
		}
		began, gate := make(chan struct{}), make(chan struct{})
		first, second := make(chan Outcome, 1), make(chan Outcome, 1)
		go func() {
			defer func() { _ = recover() }()
			first <- p.Do(&Job[int]{Work: &badShare{task{run: func() { close(began); <-gate }}}, Key: []byte("a"), Source: sourceA})
		}()
		<-began
		go func() { second <- p.Do(job("a", sourceB, 1, nil)) }()
		for p.Stats().Coalesced == 0 {
			time.Sleep(time.Millisecond)
		}
		close(gate)
		for name, done := range map[string]chan Outcome{"leader": first, "follower": second} {
			select {
			case got := <-done:
				if got != Ran {
					t.Errorf("queued %v: the %s's outcome is %v, want Ran", queued, name, got)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("queued %v: the %s still waits", queued, name)
			}
		}
	}
}

// A shard's goroutine lets everything else run after each slice of time, and only then.
func TestYieldsAfterEachSlice(t *testing.T) {
	p, c, yields := newYieldPool()
	release := hold(t, p, c)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { p.Do(job(fmt.Sprint(i), sourceA, 0, func() { c.now.Add(slice/4 + 1) })) })
	}
	waitFor(t, p, 20)
	release()
	wg.Wait()
	if n := yields.Load(); n < 4 || n > 5 { // the last one may still be to come
		t.Errorf("%d yields in 20 jobs of a quarter slice, want 5", n)
	}
}

// Whose work is in vain lets everything else run now and then, though there is room for it; other callers never do.
func TestVainWorkYieldsInline(t *testing.T) {
	for _, vainly := range []bool{false, true} {
		p, c, yields := newYieldPool()
		for range 20 {
			j := job("a", sourceA, 0, func() { c.now.Add(vain/4 + 1) })
			j.Work.(*task).vain = vainly
			if got := p.Do(j); got != Ran {
				t.Fatalf("Do = %v, want Ran", got)
			}
			c.now.Add(vain)
		}
		want := map[bool]int64{true: 5}[vainly]
		if st, n := p.Stats(), yields.Load(); n != want || st.Inline != 20 {
			t.Errorf("in vain %v: %d yields in 20 jobs of a quarter of the time, want %d; %+v", vainly, n, want, st)
		}
	}
}

// Callers that yield do so one by one, and each comes back.
func TestYieldsOneByOne(t *testing.T) {
	start := time.Now()
	var most atomic.Int64
	p := New[int](Options{
		Shards: 1, Queue: 64, PerSource: 64, MaxWait: int64(time.Second), Clock: func() int64 { return int64(time.Since(start)) },
		Yield: func() func() {
			var yielding atomic.Int64
			return func() {
				most.Store(max(most.Load(), yielding.Add(1)))
				time.Sleep(10 * time.Microsecond)
				yielding.Add(-1)
			}
		},
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 30 {
				j := job(fmt.Sprint(g, i), sourceA, 0, func() { time.Sleep(vain) })
				j.Work.(*task).vain = true
				if got := p.Do(j); got != Ran {
					t.Errorf("Do = %v, want Ran", got)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at a time in a function that is not to be called concurrently", most.Load())
	}
}

// newYieldPool is newPool with a count of yields.
func newYieldPool() (*Pool[int], *clock, *atomic.Int64) {
	c, yields := new(clock), new(atomic.Int64)
	return New[int](Options{
		Shards: 1, Queue: 64, PerSource: 64, MaxWait: int64(time.Second), Clock: c.read,
		Yield: func() func() { return func() { yields.Add(1) } },
	}), c, yields
}
