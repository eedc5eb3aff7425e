package verify

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"sallyport/verify/jose"
)

// KeyEntry is a key as an issuer publishes it: with its key ID, if it has one.
type KeyEntry struct {
	Kid    string
	HasKid bool
	Key    *Key
}

// KeySet is one issuer's current keys. It is immutable, but for the headers that it remembers.
type KeySet struct {
	byKid  map[string][]*Key     // keys with a kid; more than one where a kid is used twice
	byAlg  [jose.NumAlgs]algKeys // all keys of an algorithm
	member map[*Key]struct{}
	size   int
	// headers are those of tokens that were verified, as they stood in the token: all tokens of a key have the same one, so
	// that it needs to be decoded, checked and looked up once. A hash table whose places are taken once and never given back, half of
	// them at most; a power of two.
	headers []atomic.Pointer[knownHeader]
	taken   atomic.Int64 // places, and those that are about to be
	seed    maphash.Seed
}

// knownHeader is a header segment that was read before, and the key that it names in this set.
type knownHeader struct {
	segment []byte
	header  jose.Header
	key     *Key
}

// algKeys knows whether an algorithm has exactly one key.
type algKeys struct {
	key    *Key
	count  int  // distinct keys
	hasKid bool // the one key has a kid
}

// NewKeySet makes a set of entries.
func NewKeySet(entries []KeyEntry) *KeySet {
	s := &KeySet{byKid: map[string][]*Key{}, member: map[*Key]struct{}{}, size: len(entries), seed: maphash.MakeSeed()}
	s.headers = make([]atomic.Pointer[knownHeader], 1<<bits.Len(uint(2*maxKnownHeaders(s)-1)))
	for _, e := range entries {
		if e.HasKid {
			s.byKid[e.Kid] = append(s.byKid[e.Kid], e.Key)
		}
		a := &s.byAlg[e.Key.alg]
		if _, twice := s.member[e.Key]; !twice {
			a.count++
			a.key, a.hasKid = e.Key, e.HasKid
			s.member[e.Key] = struct{}{}
		}
		a.hasKid = a.hasKid && e.HasKid
	}
	return s
}

// Lookup returns the key for a token's kid and alg, nil when there is none or more than one (SECURITY notes 1.3). A token
// without kid takes the only key of its algorithm; so does a token with a kid when that key was published without one. Of
// keys that share a kid the one with the right algorithm is taken, and none when two have it.
func (s *KeySet) Lookup(kid []byte, hasKid bool, alg jose.Alg) *Key {
	if alg == jose.AlgInvalid || alg >= jose.NumAlgs {
		return nil
	}
	if hasKid {
		if keys, ok := s.byKid[string(kid)]; ok {
			return only(keys, alg)
		}
	}
	a := &s.byAlg[alg]
	if a.count != 1 || (hasKid && a.hasKid) {
		return nil
	}
	return a.key
}

// known returns what a header segment says when a token with this one was verified under this set, else nil.
func (s *KeySet) known(segment []byte) *knownHeader { return s.place(segment).Load() }

// place returns where segment stands, or else where it may be put.
func (s *KeySet) place(segment []byte) *atomic.Pointer[knownHeader] {
	for i := maphash.Bytes(s.seed, segment); ; i++ {
		p := &s.headers[i&uint64(len(s.headers)-1)]
		if h := p.Load(); h == nil || bytes.Equal(h.segment, segment) {
			return p
		}
	}
}

// remember keeps the header segment of a token that was verified. A provider that puts something new into every header fills
// the room for them once; the next set begins anew.
func (s *KeySet) remember(segment []byte, h *jose.Header, key *Key) {
	if s.taken.Add(1) > int64(maxKnownHeaders(s)) {
		s.taken.Add(-1)
		return
	}
	k := &knownHeader{segment: bytes.Clone(segment), header: *h, key: key}
	k.header.Kid, k.header.Typ = bytes.Clone(h.Kid), bytes.Clone(h.Typ)
	for {
		p := s.place(segment)
		if p.Load() != nil {
			s.taken.Add(-1) // somebody else has just put it
			return
		}
		if p.CompareAndSwap(nil, k) {
			return
		}
	}
}

// maxKnownHeaders is room for each key under a few forms of header.
func maxKnownHeaders(s *KeySet) int { return 2*s.size + 8 }

func only(keys []*Key, alg jose.Alg) *Key {
	var found *Key
	for _, k := range keys {
		if k.alg != alg || k == found {
			continue
		}
		if found != nil {
			return nil
		}
		found = k
	}
	return found
}

// Contains reports whether k is current.
func (s *KeySet) Contains(k *Key) bool {
	_, ok := s.member[k]
	return ok
}

// Precompute calls Precompute on every key.
func (s *KeySet) Precompute() {
	for k := range s.member {
		k.Precompute()
	}
}

// Len returns the number of entries.
func (s *KeySet) Len() int { return s.size }

// KeyStore holds an issuer's current KeySet and is what outlives configs. The zero value is empty: no keys yet.
type KeyStore struct{ p atomic.Pointer[KeySet] }

// Load returns the current set, nil before the first Store.
func (s *KeyStore) Load() *KeySet { return s.p.Load() }

// Store replaces the set; keys that are not in it are refused from here on.
func (s *KeyStore) Store(set *KeySet) { s.p.Store(set) }
