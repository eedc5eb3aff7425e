package fetch

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"sallyport/verify/jose"
)

// Answer is what became of a token that waited for its issuer's next keys.
type Answer uint8

// The answers.
const (
	Absent    Answer = iota // the provider was asked and has no such key, now or a moment ago
	Refreshed               // the set is new and has a key of that name
	Failed                  // the fetch failed, or did not end in time
	Crowded                 // too many wait already
)

var answers = [...]string{Absent: "absent", Refreshed: "refreshed", Failed: "failed", Crowded: "crowded"}

// String returns the answer's name in metrics.
func (a Answer) String() string { return answers[a] }

// Answers returns the names of all answers.
func Answers() []string { return answers[:] }

// A Room bounds how many requests wait for keys, of all issuers together. Without one nobody waits: a kid that is not there is Absent.
type Room struct {
	max, perSource int
	wait           time.Duration

	mu       sync.Mutex
	waiting  int
	bySource map[netip.Addr]int
}

// NewRoom returns a Room for max requests, perSource of them of one source, each for wait at most.
func NewRoom(maximum, perSource int, wait time.Duration) *Room {
	return &Room{max: maximum, perSource: perSource, wait: wait, bySource: map[netip.Addr]int{}}
}

// Waiting returns how many wait.
func (r *Room) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

func (r *Room) enter(source netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting >= r.max || r.bySource[source] >= r.perSource {
		return false
	}
	r.waiting++
	r.bySource[source]++
	return true
}

func (r *Room) leave(source netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
	if r.bySource[source]--; r.bySource[source] == 0 {
		delete(r.bySource, source)
	}
}

// A round is those who wait for the same fetch, the first that begins after they came.
type round struct {
	done chan struct{} // closed when it has ended
	good bool          // valid after done
}

func newRound() *round { return &round{done: make(chan struct{})} }

// begin makes what waits a round of its own, for the fetch that begins now.
func (s *Source) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present, s.next = s.next, newRound()
}

// end tells those who waited for the fetch that has ended with err.
func (s *Source) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = err != nil
	s.present.good = err == nil
	close(s.present.done)
}

// A Want is the key that a token names.
type Want struct {
	Kid    string
	HasKid bool
	Alg    jose.Alg
}

// Await hints, and waits until a fetch that began afterwards has ended, or an earlier one has brought the key. A key that was asked for in
// vain is not waited for a second time for a minute, though it is hinted at: a provider may publish late, and the budget of fetches
// is the same for all. While fetches fail nobody waits.
func (s *Source) Await(room *Room, source netip.Addr, w Want) Answer {
	if s.has(w) {
		return Refreshed // it came in this moment
	}
	s.mu.Lock()
	present, next, failing := s.present, s.next, s.failing
	s.mu.Unlock()
	s.Hint()
	switch {
	case room == nil || room.wait <= 0 || s.missing.has(w, time.Now()):
		return Absent
	case failing:
		return Failed
	case !room.enter(source):
		return Crowded
	}
	defer room.leave(source)
	timer := time.NewTimer(room.wait)
	defer timer.Stop()
	select {
	case <-present.done: // that it does not bring the key says nothing
		if s.has(w) {
			return Refreshed
		}
	case <-next.done:
	case <-timer.C:
		return Failed
	}
	select {
	case <-next.done:
	case <-timer.C:
		return Failed
	}
	switch {
	case !next.good:
		return Failed
	case s.has(w):
		return Refreshed
	}
	s.missing.add(w, time.Now())
	return Absent
}

func (s *Source) has(w Want) bool {
	set := s.store.Load()
	return set != nil && set.Lookup([]byte(w.Kid), w.HasKid, w.Alg) != nil
}

const (
	maxMissing   = 128
	missingFor   = time.Minute
	maxKidMemory = 256 // octets; a longer kid is remembered by what it begins with
)

// A missingKeys remembers keys that a provider did not have. The oldest makes room.
type missingKeys struct {
	mu    sync.Mutex
	since map[Want]time.Time
}

func (m *missingKeys) has(w Want, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	since, ok := m.since[cut(w)]
	return ok && now.Sub(since) < missingFor
}

func (m *missingKeys) add(w Want, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since == nil {
		m.since = map[Want]time.Time{}
	}
	if len(m.since) >= maxMissing {
		oldest, at := Want{}, now
		for k, since := range m.since {
			if !since.After(at) {
				oldest, at = k, since
			}
		}
		delete(m.since, oldest)
	}
	m.since[cut(w)] = now
}

func cut(w Want) Want {
	w.Kid = strings.Clone(w.Kid[:min(len(w.Kid), maxKidMemory)])
	return w
}
