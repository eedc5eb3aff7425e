// Package gate decides one request: which route it takes, who is calling, and whether that is enough.
//
// It knows no HTTP library. HTTP/1.1, forward-auth and any later transport give it a Request and get a Decision,
// so that they cannot come to different answers.
package gate

import (
	"net/netip"

	"sallyport/edge/header"
	"sallyport/edge/route"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// ClaimHeader says which claim goes to the upstream in which header field.
type ClaimHeader struct {
	Name string
	Path claims.Path
}

// Route is what the decision needs to know of one route. It is immutable.
type Route struct {
	Name          string
	Public        bool // no token is asked for, and none is read
	CORSPreflight bool // a true preflight passes without a token
	Policy        verify.Policy
	TokenHeader   string // "" with TokenCookie "": Authorization: Bearer
	TokenCookie   string
	ClaimHeaders  []ClaimHeader

	noMethod string // Prepare's: detail for another method on its path
}

// Gate is everything that decisions are made from. It is immutable once prepared, but for the handles in it.
type Gate struct {
	Table    *route.Table // its indexes are those of Routes
	Routes   []*Route     //
	Verifier *verify.Verifier
	// Refresh is asked for a token that could be genuine, but names a key which its issuer's present set has not. It may wait for a
	// new set, and returns ReasonOK when the token should be looked at again, at the time now; else the reason to refuse it for. May
	// be nil.
	Refresh func(is *verify.Issuer, token *jose.Header, source netip.Addr) (reason verify.Reason, now int64)

	details map[*verify.Issuer]*[verify.NumReasons]string // Prepare's
}

// Request is one request as a transport has read it. Its bytes are the transport's; Decide keeps views of them in the Decision.
type Request struct {
	Method    []byte // as sent, upper case
	Authority []byte // the one validated authority: host[:port]
	Target    []byte // request target, origin-form or absolute-form
	Fields    *header.Fields
	Peer      netip.Addr
	Source    netip.Addr // who asks, for fairness: the client behind trusted proxies, IPv6 by /64
	Now       int64      // Unix seconds
}

// SetField is a header field to set on the outgoing request. Value is valid until the Decision is reset.
type SetField struct {
	Name  string
	Value []byte
}

// Decision is the answer. It is reusable: Reset it before its memory is given back, so that no identity stays in a pool.
type Decision struct {
	outcome // wiped as a whole by Reset

	// Reused memory; Reset empties each. Token is large, and is not copied about.
	Token verify.Token
	Set   []SetField // identity fields for the upstream

	hostBuf, pathBuf, claimBuf []byte
}

// An outcome is what a Decision says of the present request.
type outcome struct {
	Reason     verify.Reason
	RouteIndex int    // index into Gate.Routes; -1: none
	Route      *Route // nil: none
	Allow      string // for ReasonMethod: the Allow field
	Host       []byte // canonical: lower case, no port
	Path       []byte // canonical; for match, audit and forward
	Query      []byte // view into the target, validated
	Preflight  bool   // allowed as a CORS preflight: no credential is to be forwarded
	// Tokens counts the credentials found in the route's one place: 0, 1 or more.
	Tokens int
	// Detail explains a refusal in fixed words and names from the config, and holds no byte of the request; for the audit log
	// and explain.
	Detail string
}

// Allowed reports whether the request may pass.
func (d *Decision) Allowed() bool {
	return d.Reason == verify.ReasonOK || d.Reason == verify.ReasonPublic
}

// Reset forgets the request, keeping the memory.
func (d *Decision) Reset() {
	d.Token.Reset()
	clear(d.claimBuf)
	clear(d.Set)
	d.outcome = outcome{RouteIndex: -1}
	d.Set, d.hostBuf, d.pathBuf, d.claimBuf = d.Set[:0], d.hostBuf[:0], d.pathBuf[:0], d.claimBuf[:0]
}

// Decide fills d, which must be fresh or reset. The order is that of DESIGN.md: authority and path, route, token, verification, policy.
func (g *Gate) Decide(d *Decision, r *Request) {
	d.RouteIndex = -1
	if !g.match(d, r) {
		return
	}
	rt := d.Route
	if d.Preflight || rt.Public {
		d.Reason = verify.ReasonPublic
		return
	}
	token, reason, detail := credential(d, rt, r.Fields)
	if reason != verify.ReasonOK {
		d.Reason, d.Detail = reason, detail
		return
	}
	g.Judge(d, token, r.Now, r.Source)
	if d.Reason != verify.ReasonOK && rt.bearer() && !header.IsB64Token(token) {
		// Found only now, because a token that passes has no octet that is none of a b64token's.
		d.Reason, d.Detail = verify.ReasonBadCredentials, malformedCredentials
	}
}

// Judge verifies the token and applies the policy of d.Route, which must be set. It is the part that explain shares.
func (g *Gate) Judge(d *Decision, token []byte, now int64, source netip.Addr) {
	err := g.Verifier.Verify(&d.Token, token, now, source)
	if err != nil && g.Refresh != nil && verify.ReasonOf(err) == verify.ReasonUnknownKey && d.Token.Plausible(now) {
		unverified, _ := d.Token.Unverified()
		reason, later := g.Refresh(d.Token.UnverifiedIssuer(), unverified, source)
		if err = verify.Err(reason); reason == verify.ReasonOK {
			err = g.Verifier.Verify(&d.Token, token, later, source)
		}
	}
	if err != nil {
		d.Reason = refusal(verify.ReasonOf(err))
		d.Detail = g.refused(d)
		return
	}
	if err := d.Route.Policy.Check(&d.Token); err != nil {
		d.Reason = refusal(verify.ReasonOf(err))
		d.Detail = g.refused(d)
		return
	}
	d.setIdentity()
	d.Reason = verify.ReasonOK
}

// refusal makes sure that an error never ends as an allowing reason.
func refusal(r verify.Reason) verify.Reason {
	if r == verify.ReasonOK || r == verify.ReasonPublic || r == verify.ReasonInvalid {
		return verify.ReasonInternal
	}
	return r
}

// match finds the route by canonical host and path. It reports false after setting the reason for refusal.
func (g *Gate) match(d *Decision, r *Request) bool {
	var err error
	if d.hostBuf, err = route.CanonicalAuthority(d.hostBuf[:0], r.Authority); err != nil {
		d.Reason, d.Detail = verify.ReasonBadRequest, "authority is not a valid host[:port]"
		return false
	}
	d.Host = d.hostBuf
	path, query, err := route.Canonical(d.pathBuf[:0], r.Target)
	if err != nil {
		d.Reason, d.Detail = verify.ReasonBadRequest, "the path must begin with / and be read in one way: no \\, #, control or non-ASCII octet, no escape that is broken or stands for one of / \\ % ; # ?, no .. above /"
		return false
	}
	d.pathBuf, d.Path, d.Query = path, path, query

	if asked := preflightMethod(r); asked != nil {
		// The preflight speaks for the request that follows it, so the route is the one of that method.
		if i, v, _ := g.Table.Match(d.Host, d.Path, asked); v == route.Found && g.Routes[i].CORSPreflight {
			d.RouteIndex, d.Route, d.Preflight = i, g.Routes[i], true
			return true
		}
	}
	i, verdict, allow := g.Table.Match(d.Host, d.Path, r.Method)
	switch verdict {
	case route.Found:
		d.RouteIndex, d.Route = i, g.Routes[i]
		return true
	case route.MethodNotAllowed:
		d.Reason, d.Allow, d.Detail = verify.ReasonMethod, allow, g.noMethod(d, allow)
	default:
		d.Reason, d.Detail = verify.ReasonNoRoute, "no route for this host and path"
	}
	return false
}

// preflightMethod returns the method that a true CORS preflight asks for, else nil (Fetch standard, CORS-preflight fetch:
// OPTIONS with Origin and Access-Control-Request-Method).
func preflightMethod(r *Request) []byte {
	if string(r.Method) != "OPTIONS" {
		return nil
	}
	if r.Fields.Count(header.KindOrigin) != 1 || r.Fields.Count(header.KindACRM) != 1 {
		return nil
	}
	return r.Fields.First(header.KindACRM).Value
}

// setIdentity copies the route's claims into d.Set. A claim that is absent sets nothing; the client's own field of that
// name is removed on every route all the same.
func (d *Decision) setIdentity() {
	set := d.Token.Claims()
	for i := range d.Route.ClaimHeaders {
		ch := &d.Route.ClaimHeaders[i]
		v, ok := set.Lookup(ch.Path)
		if !ok {
			continue
		}
		start := len(d.claimBuf)
		buf, ok := header.AppendClaim(d.claimBuf, v)
		if !ok {
			d.claimBuf = buf[:start]
			continue
		}
		d.claimBuf = buf
		d.Set = append(d.Set, SetField{Name: ch.Name, Value: buf[start:]})
	}
}
