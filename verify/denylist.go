package verify

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// RuleKind says what of a token a Rule looks at. The zero value is invalid.
type RuleKind uint8

// The kinds.
const (
	ruleInvalid RuleKind = iota
	RuleJTI
	RuleSubject
	RuleSession // sid
	RuleClient  // client_id or azp
	RuleKid     // the header's
	RuleClaim   // any claim: a scalar as claims.Value.Equal has it, or an array that holds it
	RuleAll     // every token of the issuer
	numRuleKinds
)

// RuleID names a rule; random, so that nodes need not agree on them.
type RuleID [16]byte

// String returns the ID in hexadecimal.
func (id RuleID) String() string { return hex.EncodeToString(id[:]) }

const (
	// Never is the Until of a rule without an end.
	Never = math.MaxInt64
	// Always is the IssuedBefore of a rule for tokens of any age.
	Always = math.MaxInt64
)

// Rule revokes tokens of one issuer. It holds while now < Until, for tokens with iat ≤ IssuedBefore and, since nobody can tell how old
// they are, for those without iat. Times are in Unix seconds.
type Rule struct {
	ID           RuleID
	Kind         RuleKind
	Issuer       string
	Claim        claims.Path // of RuleClaim, else nil
	Value        string      // "" for RuleAll
	IssuedBefore int64
	Until        int64
}

// maxClaimPaths bounds how many claims of one issuer rules may look at: each is a look-up of its own.
const maxClaimPaths = 16

// Denylist is a set of rules. Readers take no lock and allocate nothing; a look-up takes as long with a million rules as with one. Only
// whole values count, so that no token is hit by another's rule.
//
// A look-up by kind goes to one of many small tables; an insert writes one slot of it, and now and then makes that small table anew.
type Denylist struct {
	seed   maphash.Seed
	epoch  atomic.Uint64
	scopes atomic.Pointer[map[string][]*scope] // by issuer; replaced as a whole when there is a new kind of rule
	tables [denyTables]atomic.Pointer[denyTable]

	mu   sync.Mutex // of writers; guards what follows and all fields that say so
	byID map[RuleID]*rule
	dead [denyTables]int // slots whose value has no rule any more
	used [denyTables]int // slots that are not nil
}

// denyBits is enough that with a million rules each table holds a thousand, and making one anew takes microseconds.
const (
	denyBits   = 10
	denyTables = 1 << denyBits
)

// A scope is a kind of rule of one issuer.
type scope struct {
	kind RuleKind
	path claims.Path
	salt uint64
	live atomic.Int64 // rules; 0: nothing to look up
}

// A denyTable is open-addressed with linear probing, and at most three quarters full. A slot is written once; it is emptied by making
// the table anew.
type denyTable struct {
	mask  uint64
	slots []denySlot
}

type denySlot struct {
	hash atomic.Uint64 // written before node
	node atomic.Pointer[denied]
}

// denied is one value of one scope. Nearly always it has one rule, whose span is in the same cache line then.
type denied struct {
	scope *scope
	value string
	spans atomic.Pointer[span] // nil: no rule any more
	rules *rule                // all of the value's; guarded by Denylist.mu
	first span                 // where spans points while there is one rule; written before the node is found
}

// A span says which tokens are hit until when. Of a value's rules only those count that no other outlives and outdoes: they are a list
// by rising until and falling before, so that the first that has not ended decides. It is immutable.
type span struct {
	until, before int64
	next          *span
}

type rule struct {
	id            RuleID
	until, before int64
	node          *denied
	next          *rule // of the same value; guarded by Denylist.mu
}

// epochs gives each Denylist epochs of its own, so that a token that has passed one has not passed another. 0 is no epoch.
var epochs atomic.Uint64

// NewDenylist returns an empty set.
func NewDenylist() *Denylist {
	d := &Denylist{seed: maphash.MakeSeed(), byID: map[RuleID]*rule{}}
	d.epoch.Store(epochs.Add(1 << 40))
	d.scopes.Store(&map[string][]*scope{})
	return d
}

// Len returns the number of rules, those that have ended and were not removed included.
func (d *Denylist) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.byID)
}

// Add puts r in force: it holds for every look-up that begins after Add has returned.
func (d *Denylist) Add(r *Rule) error {
	if err := r.validate(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID[r.ID] != nil {
		return fmt.Errorf("verify: cannot add rule %s: it is there already", r.ID)
	}
	sc, err := d.scopeFor(r)
	if err != nil {
		return err
	}
	sc.live.Add(1) // before the rule can be found, lest a reader skip it
	n := d.nodeFor(sc, r)
	nr := &rule{id: r.ID, until: r.Until, before: r.IssuedBefore, node: n, next: n.rules}
	n.rules = nr
	if n.spans.Load() != &n.first || nr.next != nil {
		n.spans.Store(insertSpan(n.spans.Load(), r.Until, r.IssuedBefore))
	}
	d.byID[r.ID] = nr
	// The last step: whoever reads the new epoch finds the rule, and whoever has the old one looks again.
	d.epoch.Add(1)
	return nil
}

func (r *Rule) validate() error {
	what := ""
	switch {
	case r.Kind == ruleInvalid || r.Kind >= numRuleKinds:
		what = "it has no kind"
	case r.Issuer == "":
		what = "it has no issuer"
	case (r.Kind == RuleAll) != (r.Value == ""):
		what = "it must have a value, or be for all tokens"
	case (r.Kind == RuleClaim) != (len(r.Claim) > 0):
		what = "a claim's path goes with a rule for a claim"
	case r.IssuedBefore <= 0 || r.Until <= 0:
		what = "a time is not set"
	default:
		return nil
	}
	return errors.New("verify: cannot add rule: " + what)
}

// scopeFor returns the scope of r, a new one if need be.
func (d *Denylist) scopeFor(r *Rule) (*scope, error) {
	old := *d.scopes.Load()
	list, paths := old[r.Issuer], 0
	for _, sc := range list {
		if sc.kind == r.Kind && slices.Equal(sc.path, r.Claim) {
			return sc, nil
		}
		if sc.kind == RuleClaim {
			paths++
		}
	}
	if r.Kind == RuleClaim && paths >= maxClaimPaths {
		return nil, fmt.Errorf("verify: cannot add rule: rules of issuer %q look at %d other claims already, and each costs every request a look-up", r.Issuer, paths)
	}
	sc := &scope{kind: r.Kind, path: slices.Clone(r.Claim), salt: maphash.String(maphash.MakeSeed(), r.Issuer)}
	next := maps.Clone(old)
	next[r.Issuer] = append(slices.Clone(list), sc)
	d.scopes.Store(&next)
	return sc, nil
}

// nodeFor returns the node of r's value; a new one, if need be, that has r's span.
func (d *Denylist) nodeFor(sc *scope, r *Rule) *denied {
	hash := maphash.String(d.seed, r.Value) ^ sc.salt
	at := hash >> (64 - denyBits)
	t := d.tables[at].Load()
	if t != nil {
		if n := t.find(hash, sc, r.Value); n != nil {
			if n.spans.Load() == nil {
				d.dead[at]--
			}
			return n
		}
	}
	if t == nil || 4*(d.used[at]+1) > 3*len(t.slots) {
		t = d.remake(at)
	}
	n := &denied{scope: sc, value: strings.Clone(r.Value), first: span{until: r.Until, before: r.IssuedBefore}}
	n.spans.Store(&n.first)
	t.put(hash, n)
	d.used[at]++
	return n
}

// remake makes table at anew with the values that still have rules, and room for as many again. Nodes without a rule end here: a
// reader that still sees one sees no rule in it.
func (d *Denylist) remake(at uint64) *denyTable {
	old := d.tables[at].Load()
	size := 4
	for size < 2*(d.used[at]-d.dead[at]+1) {
		size *= 2
	}
	t := &denyTable{mask: uint64(size - 1), slots: make([]denySlot, size)}
	if old != nil {
		for i := range old.slots {
			if n := old.slots[i].node.Load(); n != nil && n.spans.Load() != nil {
				t.put(old.slots[i].hash.Load(), n)
			}
		}
	}
	d.used[at] -= d.dead[at]
	d.dead[at] = 0
	d.tables[at].Store(t)
	return t
}

func (t *denyTable) put(hash uint64, n *denied) {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		if s := &t.slots[i]; s.node.Load() == nil {
			s.hash.Store(hash)
			s.node.Store(n)
			return
		}
	}
}

func (t *denyTable) find(hash uint64, sc *scope, value string) *denied {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		n := t.slots[i].node.Load()
		if n == nil {
			return nil
		}
		if t.slots[i].hash.Load() == hash && n.scope == sc && n.value == value {
			return n
		}
	}
}

// insertSpan returns list with one more span.
func insertSpan(list *span, until, before int64) *span {
	switch {
	case list == nil:
		return &span{until: until, before: before}
	case list.until >= until && list.before >= before:
		return list // outdone
	case list.until <= until && list.before <= before:
		return insertSpan(list.next, until, before)
	case list.until < until:
		return &span{list.until, list.before, insertSpan(list.next, until, before)}
	}
	return &span{until, before, list}
}

// Remove takes the rule out and reports whether it was there.
func (d *Denylist) Remove(id RuleID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.byID[id]
	if r == nil {
		return false
	}
	delete(d.byID, id)
	n := r.node
	var spans *span
	for at := &n.rules; *at != nil; {
		if *at == r {
			*at = r.next
			continue
		}
		spans = insertSpan(spans, (*at).until, (*at).before)
		at = &(*at).next
	}
	n.spans.Store(spans)
	n.scope.live.Add(-1)
	if spans == nil {
		at := (maphash.String(d.seed, n.value) ^ n.scope.salt) >> (64 - denyBits)
		if d.dead[at]++; 2*d.dead[at] > d.used[at] {
			d.remake(at)
		}
	}
	return true
}

// verdict is what a look-up comes to.
type verdict uint8

const (
	unnamed verdict = iota // no rule names the token: it passes until there are other rules
	ended                  // rules that name it have ended, or are for older tokens
	revoked                // a rule holds
)

// passes reports whether no rule holds for t at the time now. mark, unless it is nil, is where a cache entry keeps the epoch that it has
// passed.
func (d *Denylist) passes(t *Token, mark *atomic.Uint64, now int64) bool {
	// The epoch is read before anything is looked up: rules that come between then raise it past what is noted.
	epoch := d.epoch.Load()
	if mark != nil && mark.Load() == epoch {
		return true
	}
	worst := unnamed
	for _, sc := range (*d.scopes.Load())[t.issuer.Name] {
		if sc.live.Load() == 0 {
			continue
		}
		if worst = max(worst, d.lookup(sc, t, now)); worst == revoked {
			return false
		}
	}
	if mark != nil && worst == unnamed {
		mark.Store(epoch)
	}
	return true
}

// lookup asks the rules of one scope.
func (d *Denylist) lookup(sc *scope, t *Token, now int64) verdict {
	switch sc.kind {
	case RuleJTI:
		return d.value(sc, t, t.set.JTI(), now)
	case RuleSubject:
		return d.value(sc, t, t.set.Subject(), now)
	case RuleClient:
		// Both, where a token has both: it is revoked by either.
		return max(d.value(sc, t, t.set.ClientID(), now), d.value(sc, t, t.set.AuthorizedParty(), now))
	case RuleKid:
		return d.value(sc, t, t.header.Kid, now)
	case RuleAll:
		return d.value(sc, t, []byte{}, now)
	case RuleSession:
		return d.claim(sc, t, sidPath, now)
	}
	return d.claim(sc, t, sc.path, now)
}

var sidPath = claims.Path{"sid"}

func (d *Denylist) claim(sc *scope, t *Token, path claims.Path, now int64) verdict {
	v, ok := t.set.Lookup(path)
	if !ok {
		return unnamed
	}
	if v.Kind() != claims.KindArray {
		return d.value(sc, t, v.Scalar(), now)
	}
	worst := unnamed
	for e := v.Elements(); e.Next(); {
		worst = max(worst, d.value(sc, t, e.Value().Scalar(), now))
	}
	return worst
}

// value asks the rules for one value; nil is none.
func (d *Denylist) value(sc *scope, t *Token, value []byte, now int64) verdict {
	if value == nil {
		return unnamed
	}
	hash := maphash.Bytes(d.seed, value) ^ sc.salt
	table := d.tables[hash>>(64-denyBits)].Load()
	if table == nil {
		return unnamed
	}
	n := table.find(hash, sc, jose.View(value))
	if n == nil {
		return unnamed
	}
	s := n.spans.Load()
	if s == nil {
		return unnamed
	}
	for ; s != nil; s = s.next {
		if now < s.until {
			if iat, ok := t.set.IssuedAt(); !ok || iat <= s.before {
				return revoked
			}
			break
		}
	}
	return ended
}
