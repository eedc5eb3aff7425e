package gate

import (
	"strings"

	"sallyport/edge/route"
	"sallyport/verify"
	"sallyport/verify/claims"
)

// unvouched says why the keys of a token's issuer do not vouch for it. Such a token is not to be believed, so that the issuer is named
// by what the config calls it, as the one whose keys were asked, and no octet of the token is written down.
var unvouched = [verify.NumReasons]string{
	verify.ReasonAlgorithm:       "the token's alg is not among its algorithms",
	verify.ReasonUnknownKey:      "no current key has the token's kid and alg",
	verify.ReasonKeysUnavailable: "none of its keys could be fetched yet",
	verify.ReasonSignature:       "the signature does not verify under its key",
	verify.ReasonUnverified:      "exp has passed; the signature was not checked",
}

// Prepare makes the details that name an issuer or a route, so that a flood of refusals does not put them together one by one.
// Routes must be set. A Gate that was not prepared names neither.
func (g *Gate) Prepare(issuers []*verify.Issuer) {
	g.details = make(map[*verify.Issuer]*[verify.NumReasons]string, len(issuers))
	for _, is := range issuers {
		row := new([verify.NumReasons]string)
		for r, words := range unvouched {
			if words != "" {
				row[r] = "issuer " + is.Name + ": " + words
			}
		}
		g.details[is] = row
	}
	for _, rt := range g.Routes {
		rt.noMethod = "the path of route " + rt.Name + " has no route for this method"
	}
}

// refused explains why d's token was refused.
func (g *Gate) refused(d *Decision) string {
	t := &d.Token
	if t.Verified() {
		return Lacking(d.Reason, t.Issuer(), t.Claims(), &d.Route.Policy)
	}
	switch row := g.details[t.UnverifiedIssuer()]; {
	case d.Reason == verify.ReasonMalformed:
		return t.Malformed()
	case row != nil:
		return row[d.Reason]
	case d.Reason == verify.ReasonUnverified:
		return "iss is none of the configured issuers"
	case d.Reason == verify.ReasonAlgorithm:
		return "the token's alg is none that can be verified"
	}
	return ""
}

// Lacking names what the config asks of a token of is with the claims set and finds missing; "" where r says it all. It holds nothing
// of the token.
func Lacking(r verify.Reason, is *verify.Issuer, set *claims.Set, p *verify.Policy) string {
	switch r {
	case verify.ReasonAudience:
		return "the audience is none of " + strings.Join(is.Audiences, ", ")
	case verify.ReasonClaim:
		if _, ok := set.Expiry(); !ok {
			return "claim exp is missing"
		}
		for _, path := range is.RequiredClaims {
			if v, ok := set.Lookup(path); !ok || v.Kind() == claims.KindNull {
				return "claim " + path.String() + " is missing or null"
			}
		}
	case verify.ReasonIssuer:
		names := make([]string, len(p.Issuers))
		for i, is := range p.Issuers {
			names[i] = is.Name
		}
		return "the route takes tokens only of " + strings.Join(names, ", ")
	case verify.ReasonScope:
		for _, s := range p.Scopes {
			if !set.HasScope(s) {
				return "scope " + s + " is missing"
			}
		}
	case verify.ReasonRole:
		return "claim " + is.RolesClaim.String() + " has none of the roles " + strings.Join(p.Roles, ", ")
	case verify.ReasonClaimValue:
		for i := range p.Claims {
			if rule := &p.Claims[i]; !rule.Met(set) {
				return "claim " + rule.Path.String() + " is none of " + strings.Join(rule.AnyOf, ", ")
			}
		}
	}
	return ""
}

// noMethod explains that the path of d has routes, but none for the method. allow is their methods.
func (g *Gate) noMethod(d *Decision, allow string) string {
	first, _, _ := strings.Cut(allow, ",")
	if i, v, _ := g.Table.Match(d.Host, d.Path, []byte(first)); v == route.Found {
		return g.Routes[i].noMethod
	}
	return ""
}
