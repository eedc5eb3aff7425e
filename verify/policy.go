package verify

import "sallyport/verify/claims"

// Policy is what a route asks of a verified token. The zero value asks for nothing more than a verified token.
type Policy struct {
	Issuers []*Issuer // empty: all that are configured
	Scopes  []string  // all of them
	Roles   []string  // any of them, in the issuer's roles claim
	Claims  []ClaimRule
}

// ClaimRule asks that the claim at Path equal one of AnyOf, or be an array that holds one (claims.Value.Equal).
type ClaimRule struct {
	Path  claims.Path
	AnyOf []string
}

// Check reports nil when t may pass, else an *Error. A token that Verify refused never passes.
func (p *Policy) Check(t *Token) error {
	if !t.verified {
		return Err(ReasonSignature)
	}
	if t.refused != 0 {
		return Err(t.refused)
	}
	return p.CheckClaims(t.issuer, t.set)
}

// CheckClaims applies the policy to the claims of a token of is whose signature is good. explain calls it too, as it does
// Issuer.CheckClaims.
func (p *Policy) CheckClaims(is *Issuer, set *claims.Set) error {
	if !p.issuerOK(is) {
		return Err(ReasonIssuer)
	}
	for _, s := range p.Scopes {
		if !set.HasScope(s) {
			return Err(ReasonScope)
		}
	}
	if len(p.Roles) > 0 && !hasAny(set, is.RolesClaim, p.Roles) {
		return Err(ReasonRole)
	}
	for i := range p.Claims {
		if !p.Claims[i].Met(set) {
			return Err(ReasonClaimValue)
		}
	}
	return nil
}

// Met reports whether set has what r asks for.
func (r *ClaimRule) Met(set *claims.Set) bool { return hasAny(set, r.Path, r.AnyOf) }

func (p *Policy) issuerOK(is *Issuer) bool {
	if len(p.Issuers) == 0 {
		return true
	}
	for _, i := range p.Issuers {
		if i == is {
			return true
		}
	}
	return false
}

func hasAny(set *claims.Set, path claims.Path, anyOf []string) bool {
	v, ok := set.Lookup(path)
	if !ok {
		return false
	}
	for _, want := range anyOf {
		if v.Equal(want) {
			return true
		}
	}
	return false
}
