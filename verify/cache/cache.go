// Package cache holds verified tokens, so that the second sight of one costs a look-up instead of a signature check.
//
// It is a set-associative table of atomic pointers. Get takes no lock and writes nothing that another reader reads, but for one
// bit when an entry is used for the first time since the clock hand passed it. The table is bounded in bytes. What is in it
// was verified by the caller and is immutable; it is never a verdict: time, revocation, key and route are looked at on every
// hit (DESIGN.md, rule 2). There is no negative cache: a token that was refused neither enters nor evicts.
//
// How long a look-up takes tells whether this very token was seen of late, to somebody who already holds it. Nothing more can be
// learned: the hash is seeded for each cache, and octets are compared only where all 64 bits of it are equal.
package cache

import (
	"hash/maphash"
	"reflect"
	"sync/atomic"
)

// ways is how many entries share one set, which is one cache line.
const ways = 5

// bytesPerSlot is how many bytes of the budget stand behind one slot. With tokens of 700 octets and their claims the budget is
// spent when two thirds of the table are full; of entries that are smaller than this all slots take less than the budget. More
// slots would be more lines of memory for the same entries, and so more misses.
const bytesPerSlot = 1024

// setBytes is what a set itself takes.
const setBytes = 64

// MinBytes is the smallest budget that makes sense.
const MinBytes = 64 << 10

// maxShare is the part of the budget that one entry may take.
const maxShare = 4

// set is a slot for each way, with what is at the same index of both.
type set[V any] struct {
	entry [ways]atomic.Pointer[Entry[V]]
	tag   [ways]atomic.Uint32 // tagOf the entry, so that a wrong way costs no look at it; may lag behind entry for a moment
}

// tagOf returns 32 bits of hash that are as random among the entries of one set as among all.
func tagOf(hash uint64) uint32 { return uint32(hash ^ hash>>32) }

// Cache is safe for concurrent use. A nil *Cache is a cache that is switched off: Get finds nothing, Put keeps nothing.
type Cache[V any] struct {
	seed   maphash.Seed
	sets   []set[V]
	max    int64 // bytes of all entries together
	header int64 // bytes of an Entry without its octets

	_       [64]byte
	used    atomic.Int64
	entries atomic.Int64
	evicted atomic.Uint64
	hand    atomic.Uint64 // next slot that the clock looks at
	_       [64]byte
}

// New returns a cache of at most size bytes, its table included, or nil when size is 0. A smaller size than MinBytes is taken
// for MinBytes.
func New[V any](size int64) *Cache[V] {
	if size <= 0 {
		return nil
	}
	size = max(size, MinBytes)
	sets := size / bytesPerSlot / ways
	return &Cache[V]{
		seed: maphash.MakeSeed(), sets: make([]set[V], sets),
		max: size - sets*setBytes, header: int64(reflect.TypeFor[Entry[V]]().Size()),
	}
}

// Hash returns the hash of token under the cache's secret seed. Who does not know the seed cannot make two tokens meet.
func (c *Cache[V]) Hash(token []byte) uint64 {
	if c == nil {
		return 0
	}
	return hash(c.seed, token)
}

// second is the set that takes what the first has no room for.
func (c *Cache[V]) second(hash uint64) *set[V] { return c.first(hash << 32) }

// first is where an entry is looked for first: at hash's upper half, as a fraction of all sets.
func (c *Cache[V]) first(hash uint64) *set[V] { return &c.sets[hash>>32*uint64(len(c.sets))>>32] }

// Get returns the entry of token, whose Hash is hash, or nil. The whole token is compared.
func (c *Cache[V]) Get(hash uint64, token []byte) *Entry[V] {
	if c == nil {
		return nil
	}
	if e := c.first(hash).find(hash, token); e != nil {
		return e
	}
	return c.second(hash).find(hash, token)
}

func (s *set[V]) find(hash uint64, token []byte) *Entry[V] {
	for i := range s.tag {
		if s.tag[i].Load() != tagOf(hash) {
			continue
		}
		if e := s.entry[i].Load(); e != nil && e.is(hash, token) {
			if e.recent.Load() == 0 {
				e.recent.Store(1)
			}
			return e
		}
	}
	return nil
}

// Put adds e, making room by the clock. now, in Unix seconds, tells it which entries have expired. An entry that is there
// already stays; one that would take more than a quarter of the cache is not kept.
func (c *Cache[V]) Put(e *Entry[V], now int64) {
	if c == nil || c.size(e) > c.max/maxShare || c.Get(e.hash, e.first(int(e.token))) != nil {
		return
	}
	c.used.Add(c.size(e))
	c.entries.Add(1)
	if !c.place(e, now) {
		c.gone(e) // every way was taken anew in the meantime; the next sight of the token tries again
		return
	}
	// Each step looks at one slot, and two rounds have looked at each entry again after they took its bit.
	for range 2 * len(c.sets) * ways {
		if c.used.Load() <= c.max {
			return
		}
		c.tick(now)
	}
}

// size is what e takes of the budget.
func (c *Cache[V]) size(e *Entry[V]) int64 { return c.header + int64(e.octets) }

// place puts e into a free or expired way of its two sets; else it moves one of their entries to its own other set; else it
// takes a way that was not used of late.
func (c *Cache[V]) place(e *Entry[V], now int64) bool {
	both := [2]*set[V]{c.first(e.hash), c.second(e.hash)}
	for _, s := range both {
		if c.placeFree(s, e, now) {
			return true
		}
	}
	for _, s := range both {
		for i := range s.entry {
			if c.move(s, i, now) && c.swap(s, i, nil, e) {
				return true
			}
		}
	}
	// The table is full here. As long as there are others, no entry goes that was used of late; the hand moves, so that they age.
	c.tick(now)
	for round := range 2 {
		for k := range uint64(ways) {
			for _, s := range both {
				i := int((e.hash%ways + k) % ways) // not always the same one first, which would be the newest
				old := s.entry[i].Load()
				if round == 0 && old != nil && old.recent.Load() != 0 {
					continue
				}
				if c.swap(s, i, old, e) {
					if old != nil {
						c.evicted.Add(1)
					}
					return true
				}
			}
		}
	}
	return false
}

func (c *Cache[V]) placeFree(s *set[V], e *Entry[V], now int64) bool {
	for i := range s.entry {
		if old := s.entry[i].Load(); (old == nil || old.Expiry <= now) && c.swap(s, i, old, e) {
			return true
		}
	}
	return false
}

// move takes the entry in way i of s to its other set, where it stands before it leaves here, so that no Get misses it.
func (c *Cache[V]) move(s *set[V], i int, now int64) bool {
	old := s.entry[i].Load()
	if old == nil {
		return true
	}
	other := c.first(old.hash)
	if other == s {
		other = c.second(old.hash)
	}
	if other == s {
		return false
	}
	// It stands twice for a moment, and is on the books twice: swap takes it off once.
	c.used.Add(c.size(old))
	c.entries.Add(1)
	if !c.placeFree(other, old, now) {
		c.gone(old)
		return false
	}
	if c.swap(s, i, old, nil) {
		return true
	}
	return false // somebody else took it out of here; it lives on over there
}

// swap replaces old by e, either of which may be nil, and takes old off the books. The tag follows; it is set again until it
// fits, since another writer may have come between.
func (c *Cache[V]) swap(s *set[V], i int, old, e *Entry[V]) bool {
	if !s.entry[i].CompareAndSwap(old, e) {
		return false
	}
	if old != nil {
		c.gone(old)
	}
	for cur := e; ; {
		var tag uint32
		if cur != nil {
			tag = tagOf(cur.hash)
		}
		s.tag[i].Store(tag)
		next := s.entry[i].Load()
		if next == cur {
			return true
		}
		cur = next
	}
}

// gone takes e off the books.
func (c *Cache[V]) gone(e *Entry[V]) {
	c.used.Add(-c.size(e))
	c.entries.Add(-1)
}

// tick moves the clock hand by one slot.
func (c *Cache[V]) tick(now int64) {
	at := c.hand.Add(1)
	s, i := &c.sets[at/ways%uint64(len(c.sets))], int(at%ways)
	e := s.entry[i].Load()
	if e == nil || (e.Expiry > now && e.recent.Swap(0) != 0) {
		return
	}
	if c.swap(s, i, e, nil) {
		c.evicted.Add(1)
	}
}

// Remove takes e out; for an entry whose key has been withdrawn.
func (c *Cache[V]) Remove(e *Entry[V]) {
	if c == nil {
		return
	}
	for _, s := range [2]*set[V]{c.first(e.hash), c.second(e.hash)} {
		for i := range s.entry {
			if s.entry[i].Load() == e {
				c.swap(s, i, e, nil)
			}
		}
	}
}

// Stats is a cache as metrics show it.
type Stats struct {
	Bytes, MaxBytes int64 // the table included
	Entries         int64
	Evicted         uint64 // entries that made room for others
}

// Stats returns the present figures; zero for a cache that is off.
func (c *Cache[V]) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	table := int64(len(c.sets)) * setBytes
	return Stats{Bytes: c.used.Load() + table, MaxBytes: c.max + table, Entries: c.entries.Load(), Evicted: c.evicted.Load()}
}
