package gate

import (
	"strings"

	"sallyport/edge/route"
	"sallyport/verify"
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

// detail explains a token that Verify refused for r. is is the issuer that it claims to be of, nil when that is none of ours.
func (g *Gate) detail(r verify.Reason, is *verify.Issuer) string {
	switch row := g.details[is]; {
	case row != nil:
		return row[r]
	case r == verify.ReasonUnverified:
		return "iss is none of the configured issuers"
	case r == verify.ReasonAlgorithm:
		return "the token's alg is none that can be verified"
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
