package fetch

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/verify/jose"
)

var (
	someone      = netip.MustParseAddr("192.0.2.1")
	someone2     = netip.MustParseAddr("192.0.2.2")
	someoneElse6 = netip.MustParseAddr("2001:db8::")
)

// A waiter is one call of Await.
type waiter struct {
	answer Answer
	took   time.Duration
}

func want(kid string) Want { return Want{Kid: kid, HasKid: true, Alg: jose.ES256} }

func has(s *Source, kid string) bool { return s.has(want(kid)) }

// await calls Await n times at once and returns what came of each, in any order.
func await(s *Source, room *Room, source netip.Addr, kid string, n int) []waiter {
	out := make([]waiter, n)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			start := time.Now()
			out[i].answer = s.Await(room, source, want(kid))
			out[i].took = time.Since(start)
		})
	}
	wg.Wait()
	return out
}

func one(s *Source, room *Room, kid string) waiter { return await(s, room, someone, kid, 1)[0] }

// A rotation without overlap: the old key is gone when the first token of the new one comes, and nobody is refused.
func TestAwaitRotation(t *testing.T) {
	before, after1 := jwks(newKey(t, "k1")), jwks(newKey(t, "k2"))
	loop(t, ok(before), nil, func(s *Source, n *network, _ *journal) {
		room := NewRoom(1000, 1000, 3*time.Second)
		time.Sleep(90 * time.Second)
		n.times()
		n.set(after(time.Second, ok(after1)))
		var wg sync.WaitGroup
		var mu sync.Mutex
		var all []waiter
		for range 200 { // 200 a second
			wg.Go(func() {
				w := one(s, room, "k2")
				mu.Lock()
				all = append(all, w)
				mu.Unlock()
			})
			time.Sleep(5 * time.Millisecond)
		}
		wg.Wait()
		for _, w := range all {
			if w.answer != Refreshed || w.took > time.Second {
				t.Fatalf("a token of the new key: %v after %v, want refreshed", w.answer, w.took)
			}
		}
		if room.Waiting() != 0 || len(room.bySource) != 0 {
			t.Errorf("%d wait when all have been answered", room.Waiting())
		}
		time.Sleep(time.Minute)
		// The first one's fetch, which brought the key to those as well who came while it was under way, and one for their hint.
		if at := n.times(); len(at) != 2 || at[0] != 90*time.Second || at[1] != 91*time.Second {
			t.Errorf("fetches at %v, want one at once and one a second later", at)
		}
	})
}

// What a fetch brings that began before the token came is no answer: the provider may have made it before it had the key.
func TestAwaitTakesALaterFetch(t *testing.T) {
	before, later := jwks(newKey(t, "k1")), jwks(newKey(t, "k2"))
	loop(t, after(2*time.Second, ok(before)), nil, func(s *Source, n *network, _ *journal) {
		time.Sleep(time.Second)
		n.set(after(time.Second, ok(later)))
		if w := one(s, NewRoom(1, 1, 3*time.Second), "k2"); w.answer != Refreshed || w.took != 2*time.Second {
			t.Errorf("got %v after %v, want refreshed by the fetch that begins at 2 s", w.answer, w.took)
		}
	})
}

func TestAwaitAbsent(t *testing.T) {
	set := jwks(newKey(t, "k1"))
	loop(t, ok(set), nil, func(s *Source, n *network, _ *journal) {
		room := NewRoom(10, 10, 3*time.Second)
		time.Sleep(time.Minute)
		n.times()
		if w := one(s, room, "k9"); w.answer != Absent || w.took != 0 {
			t.Errorf("got %v after %v, want absent at once: the provider answers at once", w.answer, w.took)
		}
		for range 3 {
			if w := one(s, room, "k9"); w.answer != Absent || w.took != 0 {
				t.Errorf("asked again: %v after %v, want absent without a wait", w.answer, w.took)
			}
		}
		if w := one(s, room, "k8"); w.answer != Absent || w.took != time.Second {
			t.Errorf("another: %v after %v, want absent after the second between two fetches", w.answer, w.took)
		}
		if at := n.times(); len(at) != 2 {
			t.Errorf("fetches at %v, want two", at)
		}
		// Published late: whoever is remembered asks all the same, and is known a second later.
		n.set(ok(jwks(newKey(t, "k9"))))
		if w := one(s, room, "k9"); w.answer != Absent {
			t.Errorf("got %v, want absent", w.answer)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !has(s, "k9") {
			t.Error("a kid that is remembered as absent made no fetch")
		}
		n.set(ok(set))
		time.Sleep(2 * time.Minute)
		s.Hint()
		synctest.Wait()
		time.Sleep(time.Second)
		if w := one(s, room, "k9"); w.answer != Absent || w.took != 0 {
			t.Errorf("forgotten: %v after %v", w.answer, w.took)
		}
		if at := n.times(); len(at) == 0 {
			t.Error("a kid of two minutes ago was not asked for again")
		}
	})
}

func TestAwaitFailure(t *testing.T) {
	set := jwks(newKey(t, "k1"))
	loop(t, ok(set), nil, func(s *Source, n *network, _ *journal) {
		room := NewRoom(10, 10, 3*time.Second)
		time.Sleep(time.Minute)
		n.set(after(500*time.Millisecond, down))
		if w := one(s, room, "k2"); w.answer != Failed || w.took != 500*time.Millisecond {
			t.Errorf("got %v after %v, want failed with the fetch", w.answer, w.took)
		}
		if w := one(s, room, "k2"); w.answer != Failed || w.took != 0 {
			t.Errorf("while fetches fail: %v after %v, want failed at once", w.answer, w.took)
		}
		n.set(ok(jwks(newKey(t, "k2"))))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !has(s, "k2") {
			t.Fatal("the provider is back, and was not asked")
		}
		n.set(after(4*time.Second, ok(set)))
		if w := one(s, room, "k3"); w.answer != Failed || w.took != 3*time.Second {
			t.Errorf("a slow provider: %v after %v, want failed after 3 s", w.answer, w.took)
		}
		if room.Waiting() != 0 {
			t.Errorf("%d wait still", room.Waiting())
		}
		time.Sleep(10 * time.Second)
	})
}

// Whatever one source sends, others have a place; and all together have a bound.
func TestAwaitCrowd(t *testing.T) {
	loop(t, ok(jwks(newKey(t, "k1"))), nil, func(s *Source, n *network, _ *journal) {
		room := NewRoom(8, 5, 3*time.Second)
		time.Sleep(time.Minute)
		n.set(after(time.Second, ok(jwks(newKey(t, "k2")))))
		count := func(list []waiter) (refreshed int) {
			for _, w := range list {
				switch {
				case w.answer == Refreshed:
					refreshed++
				case w.answer != Crowded || w.took != 0:
					t.Errorf("got %v after %v, want crowded at once", w.answer, w.took)
				}
			}
			return refreshed
		}
		results := make([]int, 3)
		var wg sync.WaitGroup
		for i, source := range []netip.Addr{someone, someone2, someoneElse6} {
			wg.Go(func() { results[i] = count(await(s, room, source, "k2", 20)) })
			time.Sleep(100 * time.Millisecond) // the fetch takes a second
		}
		wg.Wait()
		if !slices.Equal(results, []int{5, 3, 0}) {
			t.Errorf("%v of 20 of each of three sources had a place, want 5, 3, 0", results)
		}
		if w := one(s, nil, "k3"); w.answer != Absent || w.took != 0 {
			t.Errorf("without a room: %v after %v, want absent at once", w.answer, w.took)
		}
		if w := one(s, NewRoom(1, 1, 0), "k3"); w.answer != Absent || w.took != 0 {
			t.Errorf("without time: %v after %v, want absent at once", w.answer, w.took)
		}
		time.Sleep(10 * time.Second)
	})
}

// A flood of kids that nobody has costs one fetch a second, and a bounded memory.
func TestAwaitFlood(t *testing.T) {
	loop(t, ok(jwks(newKey(t, "k1"))), nil, func(s *Source, n *network, _ *journal) {
		room := NewRoom(50, 50, 3*time.Second)
		time.Sleep(time.Minute)
		n.times()
		var wg sync.WaitGroup
		for i := range 10_000 {
			wg.Go(func() {
				if a := s.Await(room, someone, want(fmt.Sprint("kid", i))); a != Absent && a != Crowded {
					t.Errorf("got %v, want absent or crowded", a)
				}
			})
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		if at := n.times(); len(at) > 12 {
			t.Errorf("10 s of a flood made %d fetches", len(at))
		}
		if n := len(s.missing.since); n > maxMissing {
			t.Errorf("%d kids are remembered, want %d at most", n, maxMissing)
		}
		long := string(make([]byte, 1<<20))
		s.missing.add(want(long), time.Now())
		for w := range s.missing.since {
			if len(w.Kid) > maxKidMemory {
				t.Errorf("a kid of %d octets is kept", len(w.Kid))
			}
		}
	})
}

// The end of the source is no answer that lets anybody wait for ever.
func TestAwaitAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSource(t, Config{
			Issuer: "https://idp.example", JWKSURI: "https://idp.example/jwks", RefreshInterval: time.Hour, Timeout: time.Second,
			MinHintInterval: time.Second, MaxBytes: 1 << 20,
		})
		s.client.Transport = &network{start: time.Now(), answer: func(*http.Request) (*http.Response, error) { panic("fetched") }}
		if w := one(s, NewRoom(1, 1, time.Second), "k"); w.answer != Failed || w.took != time.Second {
			t.Errorf("got %v after %v, want failed after 1 s", w.answer, w.took)
		}
	})
}
