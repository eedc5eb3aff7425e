package verify

import (
	"errors"
	"fmt"

	"sallyport/verify/jose"
)

// Options is what holds for all issuers.
type Options struct {
	MaxTokenBytes int // longer tokens are refused unread; required
}

// Verifier checks tokens of a fixed set of issuers. It is immutable and safe for concurrent use.
type Verifier struct {
	issuers map[string]*Issuer
	max     int
}

// NewVerifier makes a Verifier. Issuers must be complete and have different names.
func NewVerifier(issuers []*Issuer, opt Options) (*Verifier, error) {
	if opt.MaxTokenBytes <= 0 {
		return nil, errors.New("verify: cannot make verifier: no limit for the size of a token")
	}
	v := &Verifier{issuers: make(map[string]*Issuer, len(issuers)), max: opt.MaxTokenBytes}
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
// what the token says. It returns nil or an *Error. tok keeps nothing of raw; it must not be in use elsewhere.
func (v *Verifier) Verify(tok *Token, raw []byte, now int64) error {
	tok.forget()
	if len(raw) > v.max {
		return Err(ReasonTooLarge)
	}
	c, err := jose.Split(raw)
	if err != nil {
		return Err(ReasonMalformed)
	}
	if err := tok.parseHeader(c.Header); err != nil {
		return err
	}
	if err := tok.parseClaims(c.Payload); err != nil {
		return err
	}
	if err := v.findKey(tok); err != nil {
		return err
	}
	if tok.sig, err = jose.DecodeSegment(tok.sig[:0], c.Signature); err != nil {
		return Err(ReasonMalformed)
	}
	if !tok.key.VerifySignature(c.SigningInput, tok.sig) {
		tok.key = nil
		return Err(ReasonSignature)
	}
	tok.verified = true
	return tok.issuer.CheckClaims(&tok.header, &tok.set, now)
}

func (t *Token) parseHeader(segment []byte) error {
	var err error
	if jose.DecodedLen(len(segment)) > jose.MaxHeader {
		return Err(ReasonMalformed)
	}
	if t.head, err = jose.DecodeSegment(t.head[:0], segment); err != nil {
		return Err(ReasonMalformed)
	}
	switch err := t.header.Parse(&t.parser, &t.checker, t.head); {
	case err == nil:
		return nil
	case errors.Is(err, jose.ErrCritical):
		return Err(ReasonCritical)
	case errors.Is(err, jose.ErrAlgorithm):
		return Err(ReasonAlgorithm)
	}
	return Err(ReasonMalformed)
}

// parseClaims reads the claims before they can be believed, because the issuer in them says whose key is to be used. A claim
// of the wrong type is a fault of form here; it names no reason that a forger could learn from.
func (t *Token) parseClaims(segment []byte) error {
	var err error
	if t.payload, err = jose.DecodeSegment(t.payload[:0], segment); err != nil {
		return Err(ReasonMalformed)
	}
	if t.checker.Check(t.payload, jose.DefaultLimits) != nil {
		return Err(ReasonMalformed)
	}
	if t.set.Parse(t.payload) != nil {
		t.set.Reset()
		return Err(ReasonMalformed)
	}
	return nil
}

// findKey sets issuer and key. The algorithm comes from issuer and key: the header's is only compared with theirs.
func (v *Verifier) findKey(t *Token) error {
	t.issuer = v.issuers[string(t.set.Issuer())]
	if t.issuer == nil {
		return Err(ReasonUnverified)
	}
	if !t.issuer.Algs.Has(t.header.Alg) {
		return Err(ReasonAlgorithm)
	}
	keys := t.issuer.Keys.Load()
	if keys == nil {
		return Err(ReasonKeysUnavailable)
	}
	if t.key = keys.Lookup(t.header.Kid, t.header.HasKid, t.header.Alg); t.key == nil {
		return Err(ReasonUnknownKey)
	}
	return nil
}
