package verify

import (
	"errors"
	"fmt"
	"slices"

	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// TypePolicy says which typ an issuer's access tokens bear. The zero value is invalid.
type TypePolicy uint8

// The policies.
const (
	typeInvalid TypePolicy = iota
	// TypeAccessToken asks for at+jwt or application/at+jwt (RFC 9068, 4).
	TypeAccessToken
	// TypeJWTOrAbsent is for providers that say JWT or nothing. ID tokens are told apart by their own claims.
	TypeJWTOrAbsent
	// TypeAnyAccess takes both of these.
	TypeAnyAccess
)

// allows reports whether typ is an access token's. typ is compared without regard to case, and a value without a slash
// means application/value (RFC 7515, 4.1.9).
func (p TypePolicy) allows(typ []byte, has bool) bool {
	const prefix = "application/"
	if len(typ) > len(prefix) && equalFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	at := has && equalFold(typ, "at+jwt")
	plain := !has || equalFold(typ, "jwt")
	switch p {
	case TypeAccessToken:
		return at
	case TypeJWTOrAbsent:
		return plain
	case TypeAnyAccess:
		return at || plain
	}
	return false
}

// equalFold compares ASCII without regard to case; lower must be lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Issuer is what is asked of one issuer's tokens. It is immutable; Keys is a handle to what changes.
type Issuer struct {
	Name              string   // iss, compared byte by byte
	Audiences         []string // any of them must be in aud
	AudienceUnchecked bool     // explicit: aud is not looked at
	AudienceClaim     string   // "" or "aud"; "client_id" for providers whose access tokens have no aud
	Algs              jose.AlgSet
	ClockSkew         int64 // seconds
	MaxLifetime       int64 // seconds from iat to exp; 0: no bound
	Type              TypePolicy
	RequiredClaims    []claims.Path
	RolesClaim        claims.Path
	Keys              *KeyStore
}

// validate refuses an issuer under which anything could pass unseen.
func (is *Issuer) validate() error {
	switch {
	case is.Name == "":
		return errors.New("it has no name")
	case is.Keys == nil:
		return errors.New("it has no key store")
	case is.Algs == 0:
		return errors.New("it allows no algorithm")
	case is.Type == typeInvalid || is.Type > TypeAnyAccess:
		return errors.New("its type policy is not set")
	case is.ClockSkew < 0 || is.MaxLifetime < 0:
		return errors.New("a duration is negative")
	case is.AudienceUnchecked == (len(is.Audiences) > 0):
		return errors.New("it must have audiences, or say that they are unchecked")
	case slices.Contains(is.Audiences, ""):
		return errors.New("one of its audiences is empty: a token whose audience is empty would pass")
	case is.AudienceClaim != "" && is.AudienceClaim != "aud" && is.AudienceClaim != "client_id":
		return fmt.Errorf("unknown audience claim %q", is.AudienceClaim)
	}
	return nil
}

// idTokenClaims are found in ID tokens and never in access tokens (OpenID Connect Core, 2 and 3.3.2.11). They tell the two
// apart where typ does not. Logout tokens and security events bear typ values of their own and an events claim.
var idTokenClaims = []claims.Path{{"nonce"}, {"at_hash"}, {"c_hash"}, {"events"}}

// CheckClaims applies the issuer's policy to claims and header of a token whose signature is good. now is in Unix seconds.
// explain calls it too, for tokens whose signature it could not check: it says so there.
func (is *Issuer) CheckClaims(h *jose.Header, set *claims.Set, now int64) error {
	if !is.Type.allows(h.Typ, h.HasTyp) {
		return Err(ReasonType)
	}
	if is.Type != TypeAccessToken {
		for _, p := range idTokenClaims {
			if _, ok := set.Lookup(p); ok {
				return Err(ReasonType)
			}
		}
	}
	if !is.audienceOK(set) {
		return Err(ReasonAudience)
	}
	if err := is.checkTimes(set, now); err != nil {
		return err
	}
	// RFC 7800, 3.1: a token with cnf is bound to a key. Until possession can be proven here, using it as a bearer token is
	// a downgrade.
	if _, ok := set.Lookup(cnfPath); ok {
		return Err(ReasonConfirmation)
	}
	for _, p := range is.RequiredClaims {
		if v, ok := set.Lookup(p); !ok || v.Kind() == claims.KindNull {
			return Err(ReasonClaim)
		}
	}
	return nil
}

var cnfPath = claims.Path{"cnf"}

func (is *Issuer) audienceOK(set *claims.Set) bool {
	if is.AudienceUnchecked {
		return true
	}
	for _, a := range is.Audiences {
		if is.AudienceClaim == "client_id" {
			if id := set.ClientID(); id != nil && string(id) == a {
				return true
			}
		} else if set.HasAudience(a) {
			return true
		}
	}
	return false
}

// checkTimes checks exp, nbf, iat and the lifetime. Sums cannot overflow: dates are at most 2^53.
func (is *Issuer) checkTimes(set *claims.Set, now int64) error {
	exp, ok := set.Expiry()
	if !ok {
		return Err(ReasonClaim) // RFC 9068, 2.2: exp is required
	}
	// RFC 7519, 4.1.4: the current time must be before exp.
	if now >= exp+is.ClockSkew {
		return Err(ReasonExpired)
	}
	if nbf, ok := set.NotBefore(); ok && now < nbf-is.ClockSkew {
		return Err(ReasonNotYetValid)
	}
	iat, hasIat := set.IssuedAt()
	if hasIat && now < iat-is.ClockSkew {
		return Err(ReasonNotYetValid)
	}
	if is.MaxLifetime > 0 && (!hasIat || exp-iat > is.MaxLifetime) {
		return Err(ReasonLifetime)
	}
	return nil
}
