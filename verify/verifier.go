package verify

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"

	"sallyport/verify/cache"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
	"sallyport/verify/pool"
)

// Cache is the claim cache: verified tokens with their claims.
type Cache = cache.Cache[Verified]

// NewCache returns a cache of at most size bytes, or nil, a cache that is off, when size is 0.
func NewCache(size int64) *Cache { return cache.New[Verified](size) }

// Pool bounds and orders signature checks.
type Pool = pool.Pool[*Entry]

// NewPool returns a pool; its options are described there.
func NewPool(opt pool.Options) *Pool { return pool.New[*Entry](opt) }

// Options is what holds for all issuers. Cache and Pool outlive a Verifier and may be shared by several.
type Options struct {
	MaxTokenBytes int       // longer tokens are refused unread; required
	Cache         *Cache    // nil: off
	Pool          *Pool     // nil: every signature is checked at once
	Denylist      *Denylist // nil: nothing is revoked
}

// Verifier checks tokens of a fixed set of issuers. It is immutable and safe for concurrent use.
type Verifier struct {
	issuers map[string]*Issuer
	opt     Options
	seed    maphash.Seed // of the pool's hash when there is no cache
}

// NewVerifier makes a Verifier. Issuers must be complete and have different names.
func NewVerifier(issuers []*Issuer, opt Options) (*Verifier, error) {
	if opt.MaxTokenBytes <= 0 {
		return nil, errors.New("verify: cannot make verifier: no limit for the size of a token")
	}
	v := &Verifier{issuers: make(map[string]*Issuer, len(issuers)), opt: opt, seed: maphash.MakeSeed()}
	for _, is := range issuers {
		if err := is.validate(); err != nil {
			return nil, fmt.Errorf("verify: cannot use issuer %q: %w", is.Name, err)
		}
		if v.issuers[is.Name] != nil {
			return nil, fmt.Errorf("verify: cannot use issuer %q: it is there twice", is.Name)
		}
		v.issuers[is.Name] = is
	}
	return v, nil
}

// Verify checks the compact JWS raw at the time now, in Unix seconds: form, issuer, algorithm, key, signature, and only then
// what the token says. It returns nil or an *Error. source is who asks, for the pool's fairness. tok keeps nothing of raw; it
// must not be in use elsewhere.
func (v *Verifier) Verify(tok *Token, raw []byte, now int64, source netip.Addr) error {
	tok.forget()
	if len(raw) > v.opt.MaxTokenBytes {
		return Err(ReasonTooLarge)
	}
	hash := v.hash(raw)
	if e := v.opt.Cache.Get(hash, raw); e != nil {
		if v.recall(tok, e) {
			return v.checkClaims(tok, now)
		}
		// Not for this config, or its key is gone. It is taken for a token that was never seen.
		v.opt.Cache.Remove(e)
	}
	if err := v.read(tok, raw, now); err != nil {
		return err
	}
	if err := v.checkSignature(tok, raw, hash, now, source); err != nil {
		tok.check.clear()
		return err
	}
	tok.verified = true
	tok.check.clear()
	return v.checkClaims(tok, now)
}

// checkClaims applies the issuer's policy and the Denylist to a verified token, and keeps the outcome for Policy.Check.
func (v *Verifier) checkClaims(t *Token, now int64) error {
	err := t.issuer.CheckClaims(&t.header, t.set, now)
	if err == nil && v.opt.Denylist != nil && !v.opt.Denylist.passes(t, t.passed, now) {
		err = Err(ReasonRevoked)
	}
	if err != nil {
		t.refused = ReasonOf(err)
	}
	return err
}

// hash is what cache and pool know a token by, until they compare it.
func (v *Verifier) hash(raw []byte) uint64 {
	switch {
	case v.opt.Cache != nil:
		return v.opt.Cache.Hash(raw)
	case v.opt.Pool != nil:
		return maphash.Comparable(v.seed, jose.View(raw))
	}
	return 0
}

// recall makes tok what the entry says, if its issuer and algorithm are still allowed and its key is still the one that the
// issuer's present set names for it. Everything else is checked on a hit as it is on a miss.
func (v *Verifier) recall(tok *Token, e *Entry) bool {
	r := &e.Value
	is := v.issuers[r.issuer]
	if is == nil || !is.Algs.Has(r.header.Alg) {
		return false
	}
	keys := is.Keys.Load()
	if keys == nil || keys.Lookup(r.header.Kid, r.header.HasKid, r.header.Alg) != r.key {
		return false
	}
	tok.header, tok.set, tok.issuer, tok.key = r.header, &r.set, is, r.key
	tok.verified, tok.cached, tok.passed = true, true, &r.passed
	return true
}

// read takes the token apart and does all that can be done before the signature.
func (v *Verifier) read(tok *Token, raw []byte, now int64) error {
	c, err := jose.Split(raw)
	if err != nil {
		return tok.malformed("not three parts of base64url without padding, separated by dots")
	}
	if err := tok.parseClaims(c.Payload); err != nil {
		return err
	}
	// Whose token it says it is: nothing but the choice of keys follows from it.
	var keys *KeySet
	if tok.issuer = v.issuers[string(tok.own.Issuer())]; tok.issuer != nil {
		keys = tok.issuer.Keys.Load()
	}
	if err := tok.readHeader(c.Header, keys); err != nil {
		return err
	}
	// To be told apart from ReasonExpired: nobody knows yet whether the token is genuine, and finding out is not worth the CPU.
	if exp, ok := tok.own.Expiry(); ok && now >= exp+tok.issuer.ClockSkew {
		return Err(ReasonUnverified)
	}
	if tok.sig, err = jose.DecodeSegment(tok.sig[:0], c.Signature); err != nil {
		return tok.malformed("the signature is not strict base64url")
	}
	tok.check.input, tok.check.header = c.SigningInput, c.Header
	tok.check.keys = keys
	return nil
}

// readHeader reads the header and finds the key. The algorithm comes from issuer and key: the header's is only compared with
// theirs. A header that was seen in a verified token of this key set needs one look-up.
func (t *Token) readHeader(segment []byte, keys *KeySet) error {
	var known *knownHeader
	if keys != nil {
		known = keys.known(segment)
	}
	if known != nil {
		t.header = known.header
	} else if err := t.parseHeader(segment); err != nil {
		return err
	}
	switch {
	case t.issuer == nil:
		return Err(ReasonUnverified)
	case !t.issuer.Algs.Has(t.header.Alg):
		return Err(ReasonAlgorithm)
	case keys == nil:
		return Err(ReasonKeysUnavailable)
	case known != nil:
		t.key = known.key
		return nil
	}
	if t.key = keys.Lookup(t.header.Kid, t.header.HasKid, t.header.Alg); t.key == nil {
		return Err(ReasonUnknownKey)
	}
	return nil
}

// checkSignature checks the signature in the pool and puts the token into the cache.
func (v *Verifier) checkSignature(tok *Token, raw []byte, hash uint64, now int64, source netip.Addr) error {
	c := &tok.check
	c.token, c.raw = tok, raw
	c.job.Hash = hash
	if v.opt.Pool == nil {
		c.Run()
	} else {
		// Only a check under the same key says anything about this one: during a rotation or a reload there are others.
		c.job.Work, c.job.Key, c.job.Under, c.job.Source = c, raw, tok.key, source
		switch v.opt.Pool.Do(&c.job) {
		case pool.Ran:
		case pool.Shared:
			e := c.job.Result
			if e == nil {
				return Err(ReasonSignature)
			}
			// An equal token was verified meanwhile, perhaps under another config: it counts like a cache hit, by the same rules.
			if !v.recall(tok, e) {
				return Err(ReasonUnknownKey) // withdrawn meanwhile
			}
			tok.cached = false
			return nil
		default:
			return Err(ReasonVerificationBusy)
		}
	}
	if !c.good {
		return Err(ReasonSignature)
	}
	if tok.withdrawn() {
		return Err(ReasonUnknownKey)
	}
	if v.opt.Cache != nil {
		v.opt.Cache.Put(c.Share(), now)
	}
	if c.keys.known(c.header) == nil {
		c.keys.remember(c.header, &tok.header, tok.key)
	}
	return nil
}

// withdrawn reports whether the key that the signature was checked with has left its issuer's set since it was looked up. The check
// may have waited for as long as a withdrawn key must not be good for.
func (t *Token) withdrawn() bool {
	keys := t.issuer.Keys.Load()
	return keys != t.check.keys && (keys == nil || keys.Lookup(t.header.Kid, t.header.HasKid, t.header.Alg) != t.key)
}

func (t *Token) parseHeader(segment []byte) error {
	var err error
	if jose.DecodedLen(len(segment)) > jose.MaxHeader {
		return t.malformed("the header is too long")
	}
	if t.head, err = jose.DecodeSegment(t.head[:0], segment); err != nil {
		return t.malformed("the header is not strict base64url")
	}
	switch err := t.header.Parse(&t.checker, t.head); {
	case err == nil:
		return nil
	case errors.Is(err, jose.ErrCritical):
		return Err(ReasonCritical)
	case errors.Is(err, jose.ErrAlgorithm):
		return Err(ReasonAlgorithm)
	}
	return t.malformed("the header is not one strict JSON object, with kid (256 octets at most) and typ strings")
}

// parseClaims reads the claims before they can be believed, because the issuer in them says whose key is to be used. A claim
// of the wrong type is a fault of form here; it names no reason that a forger could learn from.
func (t *Token) parseClaims(segment []byte) error {
	var err error
	if t.payload, err = jose.DecodeSegment(t.payload[:0], segment); err != nil {
		return t.malformed("the claims are not strict base64url")
	}
	switch err := t.parser.Parse(&t.own, t.payload); {
	case errors.Is(err, claims.ErrClaim):
		return t.malformed(err.Error())
	case err != nil:
		return t.malformed("the claims are not one strict JSON object")
	}
	t.set = &t.own
	return nil
}

// malformed notes in fixed words what is wrong with the form of t.
func (t *Token) malformed(what string) error {
	t.wrong = what
	return Err(ReasonMalformed)
}
