package verify

import (
	"sync/atomic"

	"sallyport/verify/cache"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
	"sallyport/verify/pool"
)

// Token is the place where one token is taken apart and checked. The zero value is ready; it is reusable, owned by its
// caller, not safe for concurrent use, and allocates nothing once warm. What its accessors return is valid until the next
// Verify or Reset, and nothing of it is returned before the signature was good.
type Token struct {
	header   jose.Header
	set      *claims.Set // own, or that of a cache entry; nil before the claims could be read
	issuer   *Issuer
	key      *Key
	verified bool
	cached   bool
	passed   *atomic.Uint64 // of its cache entry; nil: none
	refused  Reason         // why its issuer's policy or a rule refuses a verified token; 0: neither does
	wrong    string         // what is malformed; "": nothing

	own     claims.Set
	parser  claims.Parser
	checker jose.Checker // of the header
	head    []byte       // decoded header
	payload []byte       // decoded claims
	sig     []byte       // decoded signature
	check   signatureCheck
}

// Entry is a verified token in the claim cache.
type Entry = cache.Entry[Verified]

// Verified is what the claim cache keeps of a token: what it says and who signed it, never a verdict. All octets are the
// entry's own.
type Verified struct {
	issuer string // name; the Issuer itself belongs to one config
	key    *Key
	header jose.Header
	set    claims.Set
	passed atomic.Uint64 // the last epoch of a Denylist at which no rule named it
}

// signatureCheck is the part of a verification that costs much CPU, as the pool runs it.
type signatureCheck struct {
	job    pool.Job[*Entry]
	token  *Token
	raw    []byte
	input  []byte // signing input
	header []byte // header segment
	keys   *KeySet
	entry  *Entry // made when it is first asked for
	good   bool
}

// Run implements pool.Work: a forged signature was not worth the check.
func (c *signatureCheck) Run() (worth bool) {
	c.good = c.token.key.VerifySignature(c.input, c.token.sig)
	return c.good
}

// Share implements pool.Work: nil says that the signature is wrong.
func (c *signatureCheck) Share() *Entry {
	if c.good && c.entry == nil {
		c.entry = c.token.newEntry(c.job.Hash, c.raw)
	}
	return c.entry
}

// newEntry copies what the cache keeps.
func (t *Token) newEntry(hash uint64, raw []byte) *Entry {
	text := t.own.TextLen()
	exp, ok := t.own.Expiry()
	if ok {
		exp += t.issuer.ClockSkew
	}
	e := cache.NewEntry[Verified](hash, raw, text+len(t.header.Kid)+len(t.header.Typ), exp)
	room := e.Room()
	v := &e.Value
	v.issuer, v.key, v.header, v.set = t.issuer.Name, t.key, t.header, t.own.CopyTo(room)
	room = room[text:]
	n := copy(room, t.header.Kid)
	v.header.Kid = room[:n:n]
	m := copy(room[n:], t.header.Typ)
	v.header.Typ = room[n : n+m : n+m]
	return e
}

// Reset forgets the token and wipes its decoded parts, keeping the memory.
func (t *Token) Reset() {
	clear(t.head)
	clear(t.payload)
	clear(t.sig)
	t.forget()
}

// forget makes the token unverified.
func (t *Token) forget() {
	t.header, t.set, t.issuer, t.key, t.verified, t.cached, t.passed, t.refused = jose.Header{}, nil, nil, nil, false, false, nil, 0
	t.wrong = ""
	t.own.Reset()
	t.head, t.payload, t.sig = t.head[:0], t.payload[:0], t.sig[:0]
	t.check.clear()
}

// clear keeps nothing but the job's own memory.
func (c *signatureCheck) clear() {
	c.token, c.raw, c.input, c.header, c.keys, c.entry, c.good = nil, nil, nil, nil, nil, nil, false
	c.job.Work, c.job.Key, c.job.Under, c.job.Result = nil, nil, nil, nil
}

// Verified reports whether the signature was good. The token may still have been refused for what it says.
func (t *Token) Verified() bool { return t.verified }

// Cached reports whether the token was in the claim cache.
func (t *Token) Cached() bool { return t.cached }

// Issuer returns the issuer that signed the token.
func (t *Token) Issuer() *Issuer {
	if !t.verified {
		return nil
	}
	return t.issuer
}

// Key returns the key that the signature was verified with.
func (t *Token) Key() *Key {
	if !t.verified {
		return nil
	}
	return t.key
}

// Kid returns the header's kid, nil when there is none.
func (t *Token) Kid() []byte {
	if !t.verified {
		return nil
	}
	return t.header.Kid
}

// Alg returns the algorithm that was verified.
func (t *Token) Alg() jose.Alg {
	if !t.verified {
		return jose.AlgInvalid
	}
	return t.header.Alg
}

// noClaims is the set of a token that is not verified.
var noClaims claims.Set

// Claims returns the claims, which are not to be changed; an empty set before they are verified.
func (t *Token) Claims() *claims.Set {
	if !t.verified {
		return &noClaims
	}
	return t.set
}

// Expiry returns exp in Unix seconds, 0 before it is verified.
func (t *Token) Expiry() int64 {
	exp, _ := t.Claims().Expiry()
	return exp
}

// Malformed says in fixed words what is wrong with the form of a token that Verify refused for ReasonMalformed.
func (t *Token) Malformed() string { return t.wrong }

// Plausible reports whether a token that Verify refused could be genuine, by all that it says of itself: its issuer is known and its
// claims would pass. Nothing in it can be believed; whoever knows the policy can write such a token without a key.
func (t *Token) Plausible(now int64) bool {
	return t.issuer != nil && t.set != nil && t.issuer.CheckClaims(&t.header, t.set, now) == nil
}

// UnverifiedIssuer returns the issuer that the token claims to be of, nil when it is not one of ours. For key hints and
// explain only.
func (t *Token) UnverifiedIssuer() *Issuer { return t.issuer }

// UnverifiedKid returns the kid that the token names, for explain only.
func (t *Token) UnverifiedKid() []byte { return t.header.Kid }

// Unverified returns header and claims as far as they could be read, whatever became of the signature. For explain, and
// for asking an issuer for a key: nothing here is to be believed, logged or sent.
func (t *Token) Unverified() (*jose.Header, *claims.Set) {
	if t.set == nil {
		return &t.header, &noClaims
	}
	return &t.header, t.set
}
