package verify

import (
	"github.com/valyala/fastjson"

	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// Token is the place where one token is taken apart and checked. The zero value is ready; it is reusable, owned by its
// caller, not safe for concurrent use, and allocates nothing once warm. What its accessors return is valid until the next
// Verify or Reset, and nothing of it is returned before the signature was good.
type Token struct {
	header   jose.Header
	set      claims.Set
	issuer   *Issuer
	key      *Key
	verified bool

	parser  fastjson.Parser
	checker jose.Checker
	head    []byte // decoded header
	payload []byte // decoded claims
	sig     []byte // decoded signature
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
	t.header, t.issuer, t.key, t.verified = jose.Header{}, nil, nil, false
	t.set.Reset()
	t.head, t.payload, t.sig = t.head[:0], t.payload[:0], t.sig[:0]
}

// Verified reports whether the signature was good. The token may still have been refused for what it says.
func (t *Token) Verified() bool { return t.verified }

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

// Claims returns the claims; an empty set before they are verified.
func (t *Token) Claims() *claims.Set {
	if !t.verified {
		return new(claims.Set)
	}
	return &t.set
}

// Expiry returns exp in Unix seconds, 0 before it is verified.
func (t *Token) Expiry() int64 {
	if !t.verified {
		return 0
	}
	exp, _ := t.set.Expiry()
	return exp
}

// UnverifiedIssuer returns the issuer that the token claims to be of, nil when it is not one of ours. For key hints and
// explain only.
func (t *Token) UnverifiedIssuer() *Issuer { return t.issuer }

// UnverifiedKid returns the kid that the token names, for explain only.
func (t *Token) UnverifiedKid() []byte { return t.header.Kid }

// Unverified returns header and claims as far as they could be read, whatever became of the signature. For explain only:
// nothing here is to be believed, logged or sent.
func (t *Token) Unverified() (*jose.Header, *claims.Set) { return &t.header, &t.set }
