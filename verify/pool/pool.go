// Package pool runs work that costs much CPU so that a flood of it leaves the rest of the process alive. It knows no JWT.
//
// Work runs in the caller's goroutine while there is room, that is, while such work has taken less than half of the time of late.
// Beyond that it queues, by source and in turn, and one goroutine for each shard works the queues off, letting everything else
// run in between; so do callers whose work turns out to be in vain. Queues are bounded: in all, for each source, and in time. Equal work in flight is done once.
package pool

import (
	"bytes"
	"math/bits"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
)

// Work is what a Job does. Run leaves its outcome in the Work and reports whether it was worth doing: callers whose work was not
// have to let others run now and then. Share returns the outcome in a form that other goroutines may keep; it is called after
// Run, in the same goroutine, and only if somebody waits for it.
type Work[R any] interface {
	Run() (worth bool)
	Share() R
}

// Outcome says what became of a Job. The zero value is invalid.
type Outcome uint8

// The outcomes.
const (
	invalid Outcome = iota
	Ran             // Run was called and returned
	Shared          // an equal Job ran; Job.Result has its outcome
	Refused         // there is no room: nothing ran
	retry           // the equal Job did not come to an end: its fate is not ours
)

// Job is one piece of work. It is owned by its caller, reusable, and in use while Do runs.
type Job[R any] struct {
	Work   Work[R]
	Hash   uint64     // of Key; chooses the shard
	Key    []byte     // equal keys, under equal Unders, are equal work; not changed while Do runs
	Under  any        // what else the outcome depends on; compared with ==, so it must be comparable
	Source netip.Addr // whose share this counts against
	Result R          // of a Shared job

	outcome   Outcome
	panicked  any
	queuedAt  int64
	wake      chan struct{}
	next      *Job[R] // behind it in its source's queue
	chain     *Job[R] // in flight under the same hash
	followers *Job[R] // equal jobs that wait for this one
	also      *Job[R] // the next follower
}

// Options bounds a Pool. All but Yield are required.
type Options struct {
	Shards    int          // rounded up to a power of two
	Queue     int          // jobs that may wait, in all shards together
	PerSource int          // of which one source may hold so many in a shard
	MaxWait   int64        // nanoseconds that a job may wait for its turn
	Clock     func() int64 // monotonic, nanoseconds
	// Yield makes a function by which a goroutine lets everything else run; nil: runtime.Gosched. The function is not called
	// concurrently.
	Yield func() func()
}

// share is the part of wall time that work may take in callers' goroutines, as a divisor.
const share = 2

// burst is how much unused time is kept, in nanoseconds.
const burst = 2_000_000

// slice is for how long a shard's goroutine runs before it lets others, in nanoseconds.
const slice = 200_000

// vain is how much work that was not worth doing runs in callers' goroutines before one of them lets others, in nanoseconds. It is
// less than slice because what such a caller does besides, the reading and refusing of a request, is not in it.
const vain = slice / 4

// Pool is safe for concurrent use.
type Pool[R any] struct {
	opt    Options
	shards []shard[R]
	mask   uint64
}

// New makes a pool. Goroutines run only while jobs wait.
func New[R any](opt Options) *Pool[R] {
	n := 1 << bits.Len(uint(max(opt.Shards, 1)-1))
	p := &Pool[R]{opt: opt, shards: make([]shard[R], n), mask: uint64(n - 1)}
	for i := range p.shards {
		s := &p.shards[i]
		s.opt, s.room = &p.opt, max(opt.Queue/n, 1)
		s.flying, s.sources = map[uint64]*Job[R]{}, map[netip.Addr]*queue[R]{}
		s.credit, s.filledAt = burst, opt.Clock()
		s.yield, s.callerYield = runtime.Gosched, runtime.Gosched
		if opt.Yield != nil {
			s.yield, s.callerYield = opt.Yield(), opt.Yield()
		}
	}
	return p
}

// Do runs j, or waits for an equal job that is in flight, or refuses. A panic of Run is the caller's. It allocates nothing once
// j and the pool are warm.
func (p *Pool[R]) Do(j *Job[R]) Outcome {
	if j.wake == nil {
		j.wake = make(chan struct{}, 1)
	}
	s := &p.shards[j.Hash>>48&p.mask]
	for {
		switch s.do(j) {
		case Ran:
			if v := j.panicked; v != nil {
				j.panicked = nil
				panic(v)
			}
			return Ran
		case Shared:
			return Shared
		case retry:
			continue
		}
		return Refused
	}
}

// Stats is a Pool as metrics show it.
type Stats struct {
	Waiting                             int64  // now
	Inline, Queued, Coalesced, Rejected uint64 // since start
}

// Stats returns the present figures.
func (p *Pool[R]) Stats() Stats {
	var st Stats
	for i := range p.shards {
		s := &p.shards[i]
		st.Waiting += s.waiting.Load()
		st.Inline += s.inline.Load()
		st.Queued += s.queued.Load()
		st.Coalesced += s.coalesced.Load()
		st.Rejected += s.rejected.Load()
	}
	return st
}

type shard[R any] struct {
	opt  *Options
	room int

	yield       func()     // of the shard's goroutine
	yielding    sync.Mutex // guards callerYield; who waits for it lets others run as well
	callerYield func()     // its own, so that the shard's goroutine does not stand in line behind callers

	mu       sync.Mutex // guards what follows; never held while work runs
	flying   map[uint64]*Job[R]
	sources  map[netip.Addr]*queue[R] // those with jobs that wait
	turn     *queue[R]                // whose job is next, in a ring
	free     *queue[R]
	jobs     int // that wait
	working  bool
	credit   int64 // nanoseconds that may be spent in callers' goroutines
	filledAt int64
	wasted   int64 // nanoseconds of vain work since a caller let others run

	waiting                             atomic.Int64
	inline, queued, coalesced, rejected atomic.Uint64
	_                                   [64]byte
}

func (s *shard[R]) do(j *Job[R]) Outcome {
	j.outcome, j.followers, j.next, j.also = invalid, nil, nil, nil
	s.mu.Lock()
	if leader := s.equal(j); leader != nil {
		j.also, leader.followers = leader.followers, j
		s.mu.Unlock()
		s.coalesced.Add(1)
		<-j.wake
		return j.outcome
	}
	now := s.opt.Clock()
	s.refill(now)
	if s.jobs == 0 && s.credit > 0 {
		s.fly(j)
		s.mu.Unlock()
		s.inline.Add(1)
		s.runInline(j, now)
		return Ran
	}
	dropped, ok := s.enqueue(j, now)
	start := ok && !s.working
	if start {
		s.working = true
	}
	s.mu.Unlock()
	if dropped != nil {
		s.refuse(dropped)
	}
	if !ok {
		s.rejected.Add(1)
		return Refused
	}
	s.queued.Add(1)
	if start {
		go s.work() // ends when no job waits; every job's caller waits for it
	}
	<-j.wake
	return j.outcome
}

// equal returns the job in flight for the same work.
func (s *shard[R]) equal(j *Job[R]) *Job[R] {
	for o := s.flying[j.Hash]; o != nil; o = o.chain {
		if o.Under == j.Under && bytes.Equal(o.Key, j.Key) {
			return o
		}
	}
	return nil
}

func (s *shard[R]) fly(j *Job[R]) {
	j.chain = s.flying[j.Hash]
	s.flying[j.Hash] = j
}

func (s *shard[R]) land(j *Job[R]) {
	first := s.flying[j.Hash]
	if first == j && j.chain == nil {
		delete(s.flying, j.Hash)
		return
	}
	if first == j {
		s.flying[j.Hash] = j.chain
	}
	for o := first; o != nil; o = o.chain {
		if o.chain == j {
			o.chain = j.chain
		}
	}
	j.chain = nil
}

func (s *shard[R]) refill(now int64) {
	s.credit = min(s.credit+(now-s.filledAt)/share, burst)
	s.filledAt = now
}

// runInline runs j in its caller's goroutine; a panic goes through, once the followers have been told to help themselves.
func (s *shard[R]) runInline(j *Job[R], began int64) {
	done, worth := false, false
	defer func() {
		s.mu.Lock()
		took := s.opt.Clock() - began
		s.credit -= took
		wait := false
		if done && !worth {
			if s.wasted += took; s.wasted > vain {
				s.wasted, wait = 0, true
			}
		}
		s.land(j)
		followers := j.followers
		j.followers = nil
		s.mu.Unlock()
		s.tell(j, followers, done)
		if wait {
			s.yielding.Lock()
			s.callerYield()
			s.yielding.Unlock()
		}
	}()
	worth = j.Work.Run()
	done = true
}

// tell gives the outcome of j to its followers: its result when Run returned.
func (s *shard[R]) tell(j, followers *Job[R], done bool) {
	if followers == nil {
		return
	}
	outcome := retry
	var result R
	if done {
		if r, ok := shared(j.Work); ok {
			outcome, result = Shared, r
		}
	}
	for f := followers; f != nil; {
		next := f.also // f is its caller's again once it is awake
		f.Result, f.outcome = result, outcome
		f.wake <- struct{}{}
		f = next
	}
}

// shared calls Share, whose panic, with others waiting, is theirs no more than that of Run: they try by themselves.
func shared[R any](w Work[R]) (result R, ok bool) {
	defer func() { ok = recover() == nil && ok }()
	return w.Share(), true
}

// refuse wakes a job that did not run. Its followers, who may be of other sources, try by themselves.
func (s *shard[R]) refuse(j *Job[R]) {
	s.rejected.Add(1)
	followers := j.followers
	j.followers = nil
	s.tell(j, followers, false)
	j.outcome = Refused
	j.wake <- struct{}{}
}

// work runs queued jobs until none is left.
func (s *shard[R]) work() {
	began := s.opt.Clock()
	for {
		s.mu.Lock()
		j := s.dequeue()
		if j == nil {
			s.working = false
			s.mu.Unlock()
			return
		}
		now := s.opt.Clock()
		if now-j.queuedAt > s.opt.MaxWait {
			s.land(j)
			s.mu.Unlock()
			s.refuse(j)
			continue
		}
		s.mu.Unlock()
		s.runQueued(j)
		if now-began > slice {
			s.yield()
			began = s.opt.Clock()
		}
	}
}

// runQueued runs j for its caller, who waits; a panic is carried over to it.
func (s *shard[R]) runQueued(j *Job[R]) {
	done := false
	defer func() {
		if !done {
			j.panicked = recover()
			if j.panicked == nil {
				j.panicked = "sallyport: BUG: work ended its goroutine"
			}
		}
		s.mu.Lock()
		s.land(j)
		followers := j.followers
		j.followers = nil
		s.mu.Unlock()
		s.tell(j, followers, done)
		j.outcome = Ran
		j.wake <- struct{}{}
	}()
	j.Work.Run()
	done = true
}
