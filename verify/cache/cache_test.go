package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

const later = 1 << 40

func put(c *Cache[int], token string, value int, expiry, now int64) *Entry[int] {
	e := NewEntry[int](c.Hash([]byte(token)), []byte(token), 16, expiry)
	e.Value = value
	c.Put(e, now)
	return e
}

func get(c *Cache[int], token string) *Entry[int] { return c.Get(c.Hash([]byte(token)), []byte(token)) }

func TestGetReturnsWhatWasPut(t *testing.T) {
	c := New[int](1 << 20)
	for i := range 200 {
		put(c, fmt.Sprintf("token-%d", i), i, later, 0)
	}
	for i := range 200 {
		if e := get(c, fmt.Sprintf("token-%d", i)); e == nil || e.Value != i {
			t.Errorf("Get(token-%d) = %+v, want %d", i, e, i)
		}
	}
	for _, other := range []string{"", "token-", "token-0 ", "Token-0", "token-200"} {
		if e := get(c, other); e != nil {
			t.Errorf("Get(%q) = %d, want nothing", other, e.Value)
		}
	}
	if got := c.Stats().Entries; got != 200 {
		t.Errorf("%d entries, want 200", got)
	}
}

// Two tokens of one hash are two tokens: the hash is an index only (Traefik CVE-2026-71326).
func TestGetComparesWholeToken(t *testing.T) {
	c := New[int](1 << 20)
	const hash = 42
	long := strings.Repeat("a", 4000)
	names := []string{"a", "b", long + "x", long + "y", long}
	for i, name := range names {
		e := NewEntry[int](hash, []byte(name), 0, later)
		e.Value = i
		c.Put(e, 0)
	}
	for i, name := range names {
		if e := c.Get(hash, []byte(name)); e == nil || e.Value != i {
			t.Errorf("Get(%.8q) = %+v, want %d", name, e, i)
		}
	}
	if e := c.Get(hash, []byte(long+"z")); e != nil {
		t.Errorf("a token that was never put is there: %d", e.Value)
	}
}

func TestSeedsDiffer(t *testing.T) {
	if a, b := New[int](1<<20), New[int](1<<20); a.Hash([]byte("token")) == b.Hash([]byte("token")) {
		t.Error("two caches have one seed")
	}
}

func TestNilCacheIsOff(t *testing.T) {
	c := New[int](0)
	if c != nil {
		t.Fatal("a cache of 0 bytes is there")
	}
	e := put(c, "token", 1, later, 0)
	if get(c, "token") != nil || c.Stats() != (Stats{}) {
		t.Error("a cache that is off holds something")
	}
	c.Remove(e)
}

// Whatever is put, the books say what is there, and never more than the budget.
func TestBoundedInBytes(t *testing.T) {
	for _, size := range []int64{1, MinBytes, 1 << 20} {
		c := New[int](size)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 5000 {
			put(c, fmt.Sprintf("%d-%s", i, strings.Repeat("x", r.IntN(5000))), i, later, 0)
			if s := c.Stats(); s.Bytes > s.MaxBytes || s.MaxBytes > max(size, MinBytes) {
				t.Fatalf("size %d: %d bytes of %d after %d tokens", size, s.Bytes, s.MaxBytes, i+1)
			}
		}
		checkBooks(t, c)
		if c.Stats().Entries == 0 {
			t.Errorf("size %d: nothing is left", size)
		}
	}
}

// checkBooks counts what is in the table.
func checkBooks(t *testing.T, c *Cache[int]) {
	t.Helper()
	var bytes, entries int64
	for i := range c.sets {
		for j := range ways {
			s := &c.sets[i]
			e := s.entry[j].Load()
			if e == nil {
				continue
			}
			if s.tag[j].Load() != tagOf(e.hash) {
				t.Errorf("slot %d/%d has the tag of another entry", i, j)
			}
			bytes += c.size(e)
			entries++
		}
	}
	if c.used.Load() != bytes || c.entries.Load() != entries {
		t.Errorf("books say %d bytes in %d entries, the table holds %d in %d", c.used.Load(), c.entries.Load(), bytes, entries)
	}
}

// Tokens that fit by their size are all there: a full set gives no reason to lose one.
func TestAllThatFitIsThere(t *testing.T) {
	c := New[int](8 << 20)
	n := int(c.max / c.size(NewEntry[int](0, make([]byte, 700), 600, later)))
	for i := range n {
		token := make([]byte, 700)
		binary.BigEndian.PutUint64(token, uint64(i))
		e := NewEntry[int](c.Hash(token), token, 600, later)
		e.Value = i
		c.Put(e, 0)
	}
	lost := 0
	for i := range n {
		token := make([]byte, 700)
		binary.BigEndian.PutUint64(token, uint64(i))
		if e := c.Get(c.Hash(token), token); e == nil || e.Value != i {
			lost++
		}
	}
	if lost > n/1000 {
		t.Errorf("%d of %d tokens that fit are not there (%d slots)", lost, n, len(c.sets)*ways)
	}
	checkBooks(t, c)
}

// What is used again and again stays, however many tokens come once; whether their octets fill the budget first or their number
// the table.
func TestClockKeepsWhatIsUsed(t *testing.T) {
	for _, length := range []int{700, 2000} {
		c := New[int](1 << 20)
		const hot = 50
		for i := range hot {
			put(c, fmt.Sprintf("hot-%d", i), i, later, 0)
		}
		lost := 0
		for i := range 20_000 {
			put(c, fmt.Sprintf("cold-%d-%0*d", i, length, 0), i, later, 0)
			name := fmt.Sprintf("hot-%d", i%hot)
			if get(c, name) == nil {
				lost++
				put(c, name, 0, later, 0)
			}
		}
		if lost > 20 {
			t.Errorf("hot tokens were lost %d times in 20000 look-ups, cold ones being of %d octets", lost, length)
		}
		if c.Stats().Evicted == 0 {
			t.Error("nothing was evicted: the test shows nothing")
		}
		checkBooks(t, c)
	}
}

// However small the tokens are, nearly all of the table is used.
func TestSmallTokensFillTheTable(t *testing.T) {
	c := New[int](1 << 20)
	slots := len(c.sets) * ways
	for i := range 4 * slots {
		put(c, fmt.Sprint("small-", i), i, later, 0)
	}
	if got := c.Stats().Entries; got < int64(slots)*85/100 {
		t.Errorf("%d entries in %d slots", got, slots)
	}
	checkBooks(t, c)
}

// An entry has all the octets that were asked for, of which the token is one part and the room another, be they behind it or apart.
func TestEntryOctets(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 513, 640, 1000, 1024, 3072, 3073, 20_000} {
		for _, room := range []int{0, 1, 300} {
			token := []byte(strings.Repeat("t", n))
			e := NewEntry[[3]*int](7, token, room, later)
			got := e.Room()
			if len(got) != room || cap(got) != room || int(e.octets) < n+room {
				t.Errorf("token of %d, room of %d: room %d, capacity %d, octets %d", n, room, len(got), cap(got), e.octets)
			}
			for i := range got {
				got[i] = 'r'
			}
			if !e.is(7, token) || e.is(8, token) || e.is(7, append(token, 'r')) || n > 0 && e.is(7, token[1:]) {
				t.Errorf("token of %d, room of %d: the entry is not this token's alone", n, room)
			}
			if e.Value != [3]*int{} {
				t.Errorf("token of %d, room of %d: the octets overlap the value", n, room)
			}
		}
	}
}

func TestExpiredEntriesGoFirst(t *testing.T) {
	c := New[int](MinBytes)
	for i := range 10 {
		put(c, fmt.Sprintf("old-%d-%0700d", i, 0), i, 100, 50)
	}
	for i := range 10 {
		get(c, fmt.Sprintf("old-%d-%0700d", i, 0)) // used, and yet of no use at 100
	}
	for i := range 40 {
		put(c, fmt.Sprintf("new-%d-%0700d", i, 0), i, later, 100)
	}
	for i := range 10 {
		if get(c, fmt.Sprintf("old-%d-%0700d", i, 0)) != nil && c.Stats().Bytes > c.Stats().MaxBytes*9/10 {
			t.Errorf("expired token %d is still there in a full cache", i)
		}
	}
	checkBooks(t, c)
}

func TestRemove(t *testing.T) {
	c := New[int](1 << 20)
	e := put(c, "token", 1, later, 0)
	c.Remove(e)
	c.Remove(e)
	if get(c, "token") != nil {
		t.Error("a removed token is there")
	}
	checkBooks(t, c)
	if s := c.Stats(); s.Entries != 0 {
		t.Errorf("%d entries, want 0", s.Entries)
	}
}

func TestPutTwiceKeepsOne(t *testing.T) {
	c := New[int](1 << 20)
	first := put(c, "token", 1, later, 0)
	put(c, "token", 2, later, 0)
	if e := get(c, "token"); e != first {
		t.Errorf("Get = %+v, want the first entry", e)
	}
	checkBooks(t, c)
}

func TestHugeEntryIsNotKept(t *testing.T) {
	c := New[int](MinBytes)
	put(c, "small", 1, later, 0)
	put(c, strings.Repeat("x", MinBytes/2), 2, later, 0)
	if get(c, "small") == nil || c.Stats().Entries != 1 {
		t.Error("an entry of half the cache drove the others out")
	}
}

// Readers and writers together: a Get returns the value of exactly the token that was asked for, or nothing, and the books
// are right at the end.
func TestConcurrentUse(t *testing.T) {
	c := New[int](256 << 10)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for range 4000 {
				n := r.IntN(600)
				name := fmt.Sprintf("%d-%s", n, strings.Repeat("y", n))
				switch e := get(c, name); {
				case e == nil:
					put(c, name, n, int64(r.IntN(3)), 1)
				case e.Value != n:
					t.Errorf("Get(%.8q) = %d, want %d", name, e.Value, n)
				case r.IntN(10) == 0:
					c.Remove(e)
				}
			}
		})
	}
	wg.Wait()
	checkBooks(t, c)
	if s := c.Stats(); s.Bytes > s.MaxBytes {
		t.Errorf("%d bytes of %d", s.Bytes, s.MaxBytes)
	}
}
