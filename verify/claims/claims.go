// Package claims reads a JWT claims set (RFC 7519, 4). It knows no clock and no policy.
package claims

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"sallyport/verify/jose"
)

// ErrClaim says that a registered claim has the wrong type or range. What Parse returns wraps it and names the claim.
var ErrClaim = errors.New("claims: a registered claim has the wrong type or range")

// typeErrors are made beforehand: a forged token shall not make any.
var typeErrors = func() (errs [numRegistered]error) {
	for which, name := range registeredNames {
		errs[which] = &typeError{"claim " + name + " has the wrong type or range"}
	}
	return errs
}()

type typeError struct{ text string }

func (e *typeError) Error() string { return e.text }

func (e *typeError) Unwrap() error { return ErrClaim }

// Parser reads claims sets. It is reusable and allocates nothing once warm.
type Parser struct{ checker jose.Checker }

// Set is one claims set: an index over the payload's text, which it does not copy. It never changes after Parse, so that any
// number of goroutines may read it. The zero value is empty.
type Set struct {
	text      []byte // the payload
	unescaped []byte // strings of the outermost object that had escapes
	members   []jose.Member
	at        [numRegistered]int16 // 1 + index into members; 0: absent
	exp       int64
	nbf       int64
	iat       int64
}

// registered are the claims that Set finds by itself.
type registered uint8

const (
	claimIss registered = iota
	claimSub
	claimJTI
	claimClientID
	claimAzp
	claimAud
	claimScope
	claimScp
	claimExp
	claimNbf
	claimIat
	numRegistered
)

var registeredNames = [numRegistered]string{
	claimIss: "iss", claimSub: "sub", claimJTI: "jti", claimClientID: "client_id", claimAzp: "azp", claimAud: "aud",
	claimScope: "scope", claimScp: "scp", claimExp: "exp", claimNbf: "nbf", claimIat: "iat",
}

// Parse reads payload into set, in one pass that is also the strict check of its JSON: jose.ErrJSON says that it is not one
// strict object, ErrClaim that a registered claim has the wrong type. The set refers to payload and to the Parser's memory: it is
// good until either changes.
func (p *Parser) Parse(set *Set, payload []byte) error {
	set.Reset()
	members, unescaped, err := p.checker.Index(payload, jose.DefaultLimits)
	if err != nil {
		return err
	}
	set.text, set.unescaped, set.members = payload, unescaped, members
	if !set.bind() {
		err = set.wrongType()
		set.Reset()
		return err
	}
	return nil
}

// Reset makes the set empty.
func (s *Set) Reset() { *s = Set{} }

// TextLen is how many octets CopyTo needs.
func (s *Set) TextLen() int { return len(s.text) + len(s.unescaped) }

// CopyTo returns an equal set that refers to room, of TextLen octets, and to nothing else that can change.
func (s *Set) CopyTo(room []byte) Set {
	c := *s
	n := copy(room, s.text)
	m := copy(room[n:], s.unescaped)
	c.text, c.unescaped, c.members = room[:n:n], room[n:n+m:n+m], slices.Clone(s.members)
	return c
}

// bind finds the registered claims and checks their types.
func (s *Set) bind() bool {
	for i := range s.members {
		m := &s.members[i]
		which := lookupRegistered(m.Name.Bytes(s.text, s.unescaped))
		if which == numRegistered {
			continue
		}
		s.at[which] = int16(i + 1)
		if !s.wellTyped(which, s.text[m.From:m.To]) {
			return false
		}
	}
	return true
}

// wrongType names the claim that bind ended at: of those that it found, the last in the text.
func (s *Set) wrongType() error {
	last := 0
	for which, at := range s.at {
		if at > s.at[last] {
			last = which
		}
	}
	return typeErrors[last]
}

func lookupRegistered(name []byte) registered {
	switch string(name) {
	case "iss":
		return claimIss
	case "sub":
		return claimSub
	case "jti":
		return claimJTI
	case "client_id":
		return claimClientID
	case "azp":
		return claimAzp
	case "aud":
		return claimAud
	case "scope":
		return claimScope
	case "scp":
		return claimScp
	case "exp":
		return claimExp
	case "nbf":
		return claimNbf
	case "iat":
		return claimIat
	}
	return numRegistered
}

// wellTyped checks a registered claim's type, and keeps the dates. Their fractions are rounded so that the stricter side wins:
// exp down, nbf and iat up. It is given the claim's JSON text: a Value is twice as large, and its copies took a third of the time.
func (s *Set) wellTyped(which registered, raw []byte) (ok bool) {
	switch which {
	case claimIss, claimSub, claimJTI, claimClientID, claimAzp:
		return kind(raw) == KindString
	case claimAud:
		// RFC 7519, 4.1.3: a string or an array of strings; an empty array names nobody.
		return isStrings(raw, true)
	case claimScope, claimScp:
		return isStrings(raw, false) // RFC 8693, 4.2
	case claimExp:
		s.exp, ok = date(raw, false)
	case claimNbf:
		s.nbf, ok = date(raw, true)
	case claimIat:
		s.iat, ok = date(raw, true)
	}
	return ok
}

func isStrings(raw []byte, notEmpty bool) bool {
	switch kind(raw) {
	case KindString:
		return true
	case KindArray:
		n := 0
		for e := elements(raw); e.Next(); n++ {
			if kind(e.raw) != KindString {
				return false
			}
		}
		return n > 0 || !notEmpty
	}
	return false
}

// raw returns the JSON text of a registered claim; nil when it is absent.
func (s *Set) raw(which registered) []byte {
	i := s.at[which]
	if i == 0 {
		return nil
	}
	m := &s.members[i-1]
	return s.text[m.From:m.To]
}

// str returns a registered claim that is a string, nil when it is absent and never nil when it is there.
func (s *Set) str(which registered) []byte {
	i := s.at[which]
	if i == 0 {
		return nil
	}
	return s.members[i-1].String.Bytes(s.text, s.unescaped)
}

// Issuer returns iss; nil when absent, as for all of these.
func (s *Set) Issuer() []byte { return s.str(claimIss) }

// Subject returns sub.
func (s *Set) Subject() []byte { return s.str(claimSub) }

// JTI returns jti.
func (s *Set) JTI() []byte { return s.str(claimJTI) }

// ClientID returns client_id, or azp where that is absent: OpenID Connect Core, 2, has the client's ID there.
func (s *Set) ClientID() []byte {
	if s.at[claimClientID] != 0 {
		return s.str(claimClientID)
	}
	return s.str(claimAzp)
}

// AuthorizedParty returns azp.
func (s *Set) AuthorizedParty() []byte { return s.str(claimAzp) }

// Expiry returns exp in Unix seconds, rounded down, and whether it is there.
func (s *Set) Expiry() (int64, bool) { return s.exp, s.at[claimExp] != 0 }

// NotBefore returns nbf in Unix seconds, rounded up, and whether it is there.
func (s *Set) NotBefore() (int64, bool) { return s.nbf, s.at[claimNbf] != 0 }

// IssuedAt returns iat in Unix seconds, rounded up, and whether it is there.
func (s *Set) IssuedAt() (int64, bool) { return s.iat, s.at[claimIat] != 0 }

// HasAudience reports whether aud is or contains name, byte by byte.
func (s *Set) HasAudience(name string) bool {
	raw := s.raw(claimAud)
	if kind(raw) == KindString {
		return string(s.str(claimAud)) == name
	}
	return contains(raw, name)
}

// contains reports whether raw is an array with the string want in it.
func contains(raw []byte, want string) bool {
	for e := elements(raw); e.Next(); {
		if kind(e.raw) == KindString && string(unquote(e.raw)) == want {
			return true
		}
	}
	return false
}

// HasScope reports whether scope or scp grants name. Both may be a space-separated string or an array of strings, each of
// them one scope: one with a space in it is none (RFC 6749, 3.3), and grants nothing.
func (s *Set) HasScope(name string) bool {
	return name != "" && strings.IndexByte(name, ' ') < 0 &&
		(s.grants(claimScope, name) || s.grants(claimScp, name))
}

func (s *Set) grants(which registered, want string) bool {
	raw := s.raw(which)
	if kind(raw) == KindString {
		return hasWord(s.str(which), want)
	}
	return contains(raw, want)
}

// hasWord reports whether list, separated by spaces (RFC 6749, 3.3), contains word.
func hasWord(list []byte, word string) bool {
	for {
		end := bytes.IndexByte(list, ' ')
		if end < 0 {
			return string(list) == word
		}
		if string(list[:end]) == word {
			return true
		}
		list = list[end+1:]
	}
}
