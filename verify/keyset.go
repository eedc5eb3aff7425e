package verify

import (
	"bytes"
	"maps"
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
	// that it needs to be decoded, checked and looked up once. The map is replaced as a whole.
	headers atomic.Pointer[map[string]*knownHeader]
}

// knownHeader is a header segment that was read before, and the key that it names in this set.
type knownHeader struct {
	header jose.Header
	key    *Key
}

// algKeys knows whether an algorithm has exactly one key.
type algKeys struct {
	key    *Key
	count  int  // distinct keys
	hasKid bool // the one key has a kid
}

// NewKeySet makes a set of entries.
func NewKeySet(entries []KeyEntry) *KeySet {
	s := &KeySet{byKid: map[string][]*Key{}, member: map[*Key]struct{}{}, size: len(entries)}
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
func (s *KeySet) known(segment []byte) *knownHeader {
	if m := s.headers.Load(); m != nil {
		return (*m)[string(segment)]
	}
	return nil
}

// remember keeps the header segment of a token that was verified. A provider that puts something new into every header fills
// the room for them once; the next set begins anew.
func (s *KeySet) remember(segment []byte, h *jose.Header, key *Key) {
	old := s.headers.Load()
	next := map[string]*knownHeader{}
	if old != nil {
		if len(*old) >= maxKnownHeaders(s) {
			return
		}
		next = maps.Clone(*old)
	}
	k := &knownHeader{header: *h, key: key}
	k.header.Kid, k.header.Typ = bytes.Clone(h.Kid), bytes.Clone(h.Typ)
	next[string(segment)] = k
	s.headers.CompareAndSwap(old, &next) // who comes second tries again with the next token
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
