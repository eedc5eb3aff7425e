package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// knownMethods are those that the proxy forwards.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}

func (v *validator) route(r *Route, path string) {
	v.name(path+".name", r.Name)
	v.routeMatch(r, path)
	switch {
	case r.Upstream == "":
		v.fault(path+".upstream", "is required: the name of an [[upstream]]")
	case !v.upstreams[r.Upstream] && !v.bad["upstream"]:
		v.fault(path+".upstream", "there is no [[upstream]] with name = %q", r.Upstream)
	}
	v.once(path+".issuers", r.Issuers)
	for i, name := range r.Issuers {
		if !v.issuers[name] && !v.bad["issuer"] {
			v.fault(fmt.Sprintf("%s.issuers[%d]", path, i), "there is no [[issuer]] with issuer = %q", name)
		}
	}
	if !r.Public && len(v.cfg.Issuers) == 0 && !v.bad["issuer"] {
		v.fault(path, "it asks for a token, but there is no [[issuer]] (public = true asks for none)")
	}
	if r.Public {
		for _, key := range []string{"issuers", "require", "claim_headers", "token_header", "token_cookie"} {
			if v.given[path+"."+key] {
				v.fault(path+"."+key, "has no use on a public route, which reads no token: is public meant?")
			}
		}
	}
	v.credentials(r, path)
	v.requirements(r, path)
	for name, claim := range r.ClaimHeaders {
		at := join(path+".claim_headers", name)
		v.headerName(at, name)
		v.claimPath(at, claim)
	}
	v.sameClaimHeader(r, path)
}

func (v *validator) routeMatch(r *Route, path string) {
	if !validRouteHost(r.Host) {
		v.fault(path+".host", "%q can never match (allowed: a name in lower case without port, \"*.example.com\", or \"*\" for every host)", r.Host)
	}
	switch {
	case r.Path == "":
		v.fault(path+".path", "is required (allowed: \"/a/b\" for exactly that, \"/a/*\" for it and all below, \"/*\" for everything)")
	case !validRoutePath(r.Path):
		v.fault(path+".path", "%q can never match: requests are brought to canonical form first "+
			"(allowed: begins with /, no //, . or .., no query, no needless escapes, segments of at most %d octets, \"*\" only as a last /*)",
			r.Path, maxSegment)
	}
	v.once(path+".methods", r.Methods)
	for i, m := range r.Methods {
		if !slices.Contains(knownMethods, m) {
			v.fault(fmt.Sprintf("%s.methods[%d]", path, i), "%q is not forwarded (allowed: %s)", m, strings.Join(knownMethods, ", "))
		}
	}
}

func (v *validator) credentials(r *Route, path string) {
	if r.TokenHeader != "" && r.TokenCookie != "" {
		v.fault(path+".token_cookie", "a token has one place: token_header or token_cookie, not both")
	}
	if r.TokenHeader != "" {
		v.headerName(path+".token_header", r.TokenHeader)
	}
	if r.TokenCookie != "" && !isToken(r.TokenCookie) {
		v.fault(path+".token_cookie", "%q is not a cookie's name", r.TokenCookie)
	}
	for _, c := range r.Realm {
		if c < 0x20 || c > 0x7e {
			v.fault(path+".realm", "must be printable ASCII")
			break
		}
	}
}

func (v *validator) requirements(r *Route, path string) {
	v.once(path+".require.scopes", r.Require.Scopes)
	v.once(path+".require.roles", r.Require.Roles)
	for i, s := range r.Require.Scopes {
		// RFC 6749, 3.3: %x21 / %x23-5B / %x5D-7E
		if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= 0x20 || c > 0x7e || c == '"' || c == '\\' }) {
			v.fault(fmt.Sprintf("%s.require.scopes[%d]", path, i), "%q is not one scope: write each as an element of its own", s)
		}
	}
	for claim, values := range r.Require.Claims {
		at := join(path+".require.claims", claim)
		v.claimPath(at, claim)
		v.once(at, values)
	}
}

// takenHeaders cannot be set from a claim nor hold a token: they have a meaning for this proxy, for framing, or for what the
// upstream takes the request to be.
var takenHeaders = []string{
	"host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
	"content-length", "expect", "authorization", "cookie", "set-cookie", "forwarded", "x-forwarded-for", "x-forwarded-proto",
	"x-forwarded-host", "x-request-id", "via", "proxy-authorization", "proxy-authenticate", "proxy-authentication-info", "origin",
	"access-control-request-method", "access-control-request-headers", "content-type", "content-encoding", "content-range",
	"range", "date", "max-forwards", "x-original-url", "x-rewrite-url", "x-original-method", "x-http-method-override",
	"x-http-method", "x-method-override", "client-cert", "client-cert-chain",
}

func (v *validator) headerName(path, name string) {
	switch {
	case !isToken(name) || len(name) > 64:
		v.fault(path, "%q is not a header name", name)
	case strings.Contains(name, "_"):
		v.fault(path, "%q holds an underscore, which some servers read as a hyphen: write %q", name, strings.ReplaceAll(name, "_", "-"))
	case slices.Contains(takenHeaders, strings.ToLower(name)):
		v.fault(path, "%q has a meaning of its own and cannot be used here", name)
	}
}

// sameClaimHeader finds two names that differ in case only.
func (v *validator) sameClaimHeader(r *Route, path string) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.ClaimHeaders)) {
		folded := strings.ToLower(name)
		if other, ok := seen[folded]; ok {
			v.fault(join(path+".claim_headers", name), "is the same header as %s", other)
		}
		seen[folded] = name
	}
}

// tokenHeaders finds token headers that are a claim header of any route: such a field is removed from every request, on every
// route, so that forward_token could not pass it on, and an upstream could take a token for an identity.
func (v *validator) tokenHeaders() {
	claimHeader := map[string]string{} // to its path
	for i := range v.cfg.Routes {
		for name := range v.cfg.Routes[i].ClaimHeaders {
			if folded := strings.ToLower(name); claimHeader[folded] == "" {
				claimHeader[folded] = join(v.at("route", i, "claim_headers"), name)
			}
		}
	}
	for i := range v.cfg.Routes {
		name := v.cfg.Routes[i].TokenHeader
		if at, ok := claimHeader[strings.ToLower(name)]; ok && name != "" {
			v.fault(v.at("route", i, "token_header"), "%q is a claim header, at line %d", name, v.lines.of(at))
		}
	}
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// validRouteHost accepts what route.CanonicalAuthority leaves as it is (FuzzRouteHost holds the two together).
func validRouteHost(host string) bool {
	if host == "" || host == "*" {
		return true
	}
	if strings.HasPrefix(host, "[") {
		// One spelling for each address, RFC 5952's; no zone, and no IPv4 address in disguise that is spelt otherwise.
		inner, found := strings.CutSuffix(host[1:], "]")
		a, err := netip.ParseAddr(inner)
		return found && err == nil && a.Is6() && a.Zone() == "" && a.String() == inner
	}
	host = strings.TrimPrefix(host, "*.")
	return host != "" && len(host) <= 255 && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" &&
		!strings.HasPrefix(host, ".") && !strings.HasSuffix(host, ".") && !strings.Contains(host, "..")
}

// maxSegment is what a segment of a route's path has at most, in octets, its escapes counted as what they stand for.
const maxSegment = 256

// validRoutePath accepts what route.Compile accepts (FuzzRoutePath holds the two together).
func validRoutePath(path string) bool {
	body, prefix := strings.CutSuffix(path, "/*")
	if prefix && body == "" {
		return true
	}
	if !strings.HasPrefix(body, "/") || strings.Contains(body, "//") || (prefix && strings.HasSuffix(body, "/")) {
		return false
	}
	for _, segment := range strings.Split(body[1:], "/") {
		rest := strings.TrimLeft(segment, ".")
		if segment == "." || segment == ".." || (rest != segment && strings.HasPrefix(rest, ";")) {
			return false
		}
		if len(segment)-2*strings.Count(segment, "%") > maxSegment {
			return false
		}
	}
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == '%' {
			if i+2 >= len(body) || !canonicalEscape(body[i+1], body[i+2]) {
				return false
			}
			i += 2
			continue
		}
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()+,;=:@/", c) >= 0) {
			return false
		}
	}
	return true
}

// canonicalEscape reports whether %hl stays as it is: upper case, and of an octet that must be escaped and may be there.
func canonicalEscape(h, l byte) bool {
	const digits = "0123456789ABCDEF"
	hi, lo := strings.IndexByte(digits, h), strings.IndexByte(digits, l)
	if hi < 0 || lo < 0 {
		return false
	}
	c := byte(hi<<4 | lo)
	letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return c >= 0x20 && c != 0x7f && !letter && strings.IndexByte("-._~/\\%;#?", c) < 0
}

// duplicates finds names that are used twice.
func (v *validator) duplicates() {
	check := func(kind, key string, n int, name func(int) string) {
		first := map[string]int{}
		for i := range n {
			s := name(i)
			if j, ok := first[s]; ok && s != "" {
				path := fmt.Sprintf("%s[%d].%s", kind, i, key)
				v.fault(path, "%q is there already, at line %d", s, v.lines.of(fmt.Sprintf("%s[%d].%s", kind, j, key)))
				continue
			}
			first[s] = i
		}
	}
	check("issuer", "issuer", len(v.cfg.Issuers), func(i int) string { return v.cfg.Issuers[i].Issuer })
	check("upstream", "name", len(v.cfg.Upstreams), func(i int) string { return v.cfg.Upstreams[i].Name })
	check("route", "name", len(v.cfg.Routes), func(i int) string { return v.cfg.Routes[i].Name })
}

// unreachable finds routes that can never match, because others have the same host and path and take all of their methods.
// Nothing else shadows: the more specific host and path always win, whatever the order in the file.
func (v *validator) unreachable() {
	type match struct{ host, path, method string }
	taken := map[match]int{}
	for i := range v.cfg.Routes {
		r := &v.cfg.Routes[i]
		if !validRouteHost(r.Host) || !validRoutePath(r.Path) {
			continue // said already
		}
		methods := r.Methods
		if len(methods) == 0 {
			methods = knownMethods
		}
		host := r.Host
		if host == "*" {
			host = ""
		}
		for _, m := range methods {
			key := match{host, r.Path, m}
			if j, ok := taken[key]; ok && j != i {
				v.fault(v.at("route", i, "path"), "can never match for %s: the route at line %d has the same host, path and method",
					m, v.lines.of(fmt.Sprintf("route[%d]", j)))
				break
			}
			taken[key] = i
		}
	}
}
