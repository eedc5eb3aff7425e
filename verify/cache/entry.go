package cache

import (
	"bytes"
	"reflect"
	"sync/atomic"

	"sallyport/verify/jose"
)

// Entry is one verified token with what was read from it. Everything in it but the clock bit is immutable once it was put. Its
// octets follow it in the same object: where they are needs no look at the entry, so that a hit waits for the memory of both at
// once.
type Entry[V any] struct {
	hash   uint64
	Expiry int64         // Unix seconds from which nobody has a use for it: the clock takes it first
	recent atomic.Uint32 // 1: used since the clock hand passed; written only when it changes
	octets uint32        // memory behind this header
	token  uint32        // octets of the token, first of them
	room   uint32        // behind the token
	apart  []byte        // the octets, where they are too many to follow
	Value  V
}

// NewEntry returns an entry with a copy of token and room octets of memory behind it, which the caller fills before it puts
// the entry. hash is the Hash of token. What Value points to elsewhere is not on the cache's books.
func NewEntry[V any](hash uint64, token []byte, room int, expiry int64) *Entry[V] {
	e := sized[V](len(token) + room)
	e.hash, e.Expiry, e.token, e.room = hash, expiry, uint32(len(token)), uint32(room)
	copy(e.first(len(token)), token)
	return e
}

// first returns the first n of the entry's octets, of which there must be so many.
func (e *Entry[V]) first(n int) []byte {
	if e.apart != nil {
		return e.apart[:n]
	}
	return jose.Behind(e, n)
}

// is reports whether the entry is token's.
func (e *Entry[V]) is(hash uint64, token []byte) bool {
	return e.hash == hash && int(e.token) == len(token) && bytes.Equal(e.first(len(token)), token)
}

// Room returns the memory that goes with the entry.
func (e *Entry[V]) Room() []byte {
	n := int(e.token + e.room)
	return e.first(n)[e.token:n:n]
}

// sized returns an entry with n octets or more behind it in one allocation. Go has no objects of variable length, so there is a
// type for each of some lengths, about as close as the allocator's own; a longer one has its octets apart.
func sized[V any](n int) *Entry[V] {
	switch {
	case n <= 512:
		return followed[V, [512]byte]()
	case n <= 576:
		return followed[V, [576]byte]()
	case n <= 640:
		return followed[V, [640]byte]()
	case n <= 704:
		return followed[V, [704]byte]()
	case n <= 768:
		return followed[V, [768]byte]()
	case n <= 832:
		return followed[V, [832]byte]()
	case n <= 896:
		return followed[V, [896]byte]()
	case n <= 960:
		return followed[V, [960]byte]()
	case n <= 1024:
		return followed[V, [1024]byte]()
	case n <= 1152:
		return followed[V, [1152]byte]()
	case n <= 1280:
		return followed[V, [1280]byte]()
	case n <= 1408:
		return followed[V, [1408]byte]()
	case n <= 1536:
		return followed[V, [1536]byte]()
	case n <= 1792:
		return followed[V, [1792]byte]()
	case n <= 2048:
		return followed[V, [2048]byte]()
	case n <= 2560:
		return followed[V, [2560]byte]()
	case n <= 3072:
		return followed[V, [3072]byte]()
	}
	return &Entry[V]{octets: uint32(n), apart: make([]byte, n)}
}

func followed[V, B any]() *Entry[V] {
	o := new(struct {
		Entry[V]
		buf B
	})
	o.octets = uint32(reflect.TypeFor[B]().Size())
	return &o.Entry
}
