// Package claims reads a JWT claims set (RFC 7519, 4). It knows no clock and no policy.
package claims

import (
	"errors"
	"strings"

	"github.com/valyala/fastjson"
)

// ErrClaim says that a registered claim has the wrong type or range.
var ErrClaim = errors.New("claims: a registered claim has the wrong type")

// Set is one claims set. It is reusable, owns its memory and allocates nothing once warm. What it returns is valid until
// the next Parse or Reset.
type Set struct {
	parser  fastjson.Parser
	root    *fastjson.Value
	scratch []byte // for the text of numbers

	iss, sub, jti, client []byte
	aud, scope, scp       *fastjson.Value
	exp, nbf, iat         int64
	hasExp, hasNbf        bool
	hasIat                bool
}

// Reset forgets the claims.
func (s *Set) Reset() {
	s.root = nil
	s.clear()
}

// Parse reads payload, which must have passed jose.Checker; it is copied. Registered claims of a wrong type are ErrClaim.
func (s *Set) Parse(payload []byte) error {
	s.root = nil
	s.clear()
	root, err := s.parser.ParseBytes(payload)
	if err != nil {
		return ErrClaim
	}
	if err := s.strings(root); err != nil {
		return err
	}
	if err := s.dates(root); err != nil {
		return err
	}
	if err := s.lists(root); err != nil {
		return err
	}
	s.root = root
	return nil
}

func (s *Set) clear() {
	s.iss, s.sub, s.jti, s.client = nil, nil, nil, nil
	s.aud, s.scope, s.scp = nil, nil, nil
	s.exp, s.nbf, s.iat, s.hasExp, s.hasNbf, s.hasIat = 0, 0, 0, false, false, false
}

func (s *Set) strings(root *fastjson.Value) (err error) {
	if s.iss, err = str(root, "iss"); err != nil {
		return err
	}
	if s.sub, err = str(root, "sub"); err != nil {
		return err
	}
	if s.jti, err = str(root, "jti"); err != nil {
		return err
	}
	azp, err := str(root, "azp")
	if err != nil {
		return err
	}
	if s.client, err = str(root, "client_id"); err != nil {
		return err
	}
	if s.client == nil {
		s.client = azp // OpenID Connect Core, 2: azp holds the client_id
	}
	return nil
}

// str returns a string member, non-nil when it is there.
func str(root *fastjson.Value, key string) ([]byte, error) {
	v := root.Get(key)
	if v == nil {
		return nil, nil
	}
	if v.Type() != fastjson.TypeString {
		return nil, ErrClaim
	}
	b := v.GetStringBytes()
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

func (s *Set) dates(root *fastjson.Value) (err error) {
	// Fractions are rounded so that the stricter side wins: exp down, nbf and iat up.
	if s.exp, s.hasExp, err = s.date(root.Get("exp"), false); err != nil {
		return err
	}
	if s.nbf, s.hasNbf, err = s.date(root.Get("nbf"), true); err != nil {
		return err
	}
	s.iat, s.hasIat, err = s.date(root.Get("iat"), true)
	return err
}

// lists checks aud (RFC 7519, 4.1.3: a string or an array of strings; an empty array names nobody), scope (RFC 8693, 4.2)
// and scp.
func (s *Set) lists(root *fastjson.Value) error {
	s.aud, s.scope, s.scp = root.Get("aud"), root.Get("scope"), root.Get("scp")
	if s.aud != nil && !isStrings(s.aud, true) {
		return ErrClaim
	}
	if s.scope != nil && !isStrings(s.scope, false) {
		return ErrClaim
	}
	if s.scp != nil && !isStrings(s.scp, false) {
		return ErrClaim
	}
	return nil
}

func isStrings(v *fastjson.Value, notEmpty bool) bool {
	switch v.Type() {
	case fastjson.TypeString:
		return true
	case fastjson.TypeArray:
		a := v.GetArray()
		for _, e := range a {
			if e.Type() != fastjson.TypeString {
				return false
			}
		}
		return len(a) > 0 || !notEmpty
	}
	return false
}

// Issuer returns iss; nil when absent, as for all of these.
func (s *Set) Issuer() []byte { return s.iss }

// Subject returns sub.
func (s *Set) Subject() []byte { return s.sub }

// JTI returns jti.
func (s *Set) JTI() []byte { return s.jti }

// ClientID returns client_id, or azp where that is absent.
func (s *Set) ClientID() []byte { return s.client }

// Expiry returns exp in Unix seconds, rounded down, and whether it is there.
func (s *Set) Expiry() (int64, bool) { return s.exp, s.hasExp }

// NotBefore returns nbf in Unix seconds, rounded up, and whether it is there.
func (s *Set) NotBefore() (int64, bool) { return s.nbf, s.hasNbf }

// IssuedAt returns iat in Unix seconds, rounded up, and whether it is there.
func (s *Set) IssuedAt() (int64, bool) { return s.iat, s.hasIat }

// HasAudience reports whether aud is or contains name, byte by byte.
func (s *Set) HasAudience(name string) bool { return contains(s.aud, name) }

func contains(v *fastjson.Value, want string) bool {
	if v == nil {
		return false
	}
	if v.Type() == fastjson.TypeString {
		return string(v.GetStringBytes()) == want
	}
	for _, e := range v.GetArray() {
		if string(e.GetStringBytes()) == want {
			return true
		}
	}
	return false
}

// HasScope reports whether scope or scp grants name. Both may be a space-separated string or an array of strings, each of
// them one scope: one with a space in it is none (RFC 6749, 3.3), and grants nothing.
func (s *Set) HasScope(name string) bool {
	return name != "" && strings.IndexByte(name, ' ') < 0 && (grants(s.scope, name) || grants(s.scp, name))
}

func grants(v *fastjson.Value, want string) bool {
	if v != nil && v.Type() == fastjson.TypeString {
		return hasWord(v.GetStringBytes(), want)
	}
	return contains(v, want)
}

// hasWord reports whether list, separated by spaces (RFC 6749, 3.3), contains word.
func hasWord(list []byte, word string) bool {
	for len(list) > 0 {
		end := 0
		for end < len(list) && list[end] != ' ' {
			end++
		}
		if string(list[:end]) == word {
			return true
		}
		if end == len(list) {
			return false
		}
		list = list[end+1:]
	}
	return false
}
