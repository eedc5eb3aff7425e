package cache

import "sync/atomic"

// Entry is one verified token with what was read from it. Everything in it but the clock bit is immutable once it was put. The
// entry and its octets are one object, so that a hit touches one stretch of memory.
type Entry[V any] struct {
	hash   uint64
	recent atomic.Bool // used since the clock hand passed; written only when it changes
	octets uint32      // memory behind this header
	Expiry int64       // Unix seconds from which nobody has a use for it: the clock takes it first
	token  []byte      // in the same object
	room   []byte      // behind the token
	Value  V
}

// NewEntry returns an entry with a copy of token and room octets of memory behind it, which the caller fills before it puts
// the entry. hash is the Hash of token. What Value points to elsewhere is not on the cache's books.
func NewEntry[V any](hash uint64, token []byte, room int, expiry int64) *Entry[V] {
	e, buf := sized[V](len(token) + room)
	n := copy(buf, token)
	e.hash, e.Expiry, e.octets = hash, expiry, uint32(len(buf))
	e.token, e.room = buf[:n:n], buf[n:n+room:n+room]
	return e
}

// Room returns the memory that goes with the entry.
func (e *Entry[V]) Room() []byte { return e.room }

// sized returns an entry and n octets or more behind it in one allocation. Go has no objects of variable length, so there is a
// type for each of some lengths; a longer one has its octets apart.
func sized[V any](n int) (*Entry[V], []byte) {
	switch {
	case n <= 512:
		o := new(struct {
			Entry[V]
			buf [512]byte
		})
		return &o.Entry, o.buf[:]
	case n <= 768:
		o := new(struct {
			Entry[V]
			buf [768]byte
		})
		return &o.Entry, o.buf[:]
	case n <= 1024:
		o := new(struct {
			Entry[V]
			buf [1024]byte
		})
		return &o.Entry, o.buf[:]
	case n <= 1280:
		o := new(struct {
			Entry[V]
			buf [1280]byte
		})
		return &o.Entry, o.buf[:]
	case n <= 1600:
		o := new(struct {
			Entry[V]
			buf [1600]byte
		})
		return &o.Entry, o.buf[:]
	case n <= 2048:
		o := new(struct {
			Entry[V]
			buf [2048]byte
		})
		return &o.Entry, o.buf[:]
	case n <= 3072:
		o := new(struct {
			Entry[V]
			buf [3072]byte
		})
		return &o.Entry, o.buf[:]
	}
	return new(Entry[V]), make([]byte, n)
}
