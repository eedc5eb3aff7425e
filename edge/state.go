package edge

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport/edge/config"
	"sallyport/edge/gate"
	"sallyport/edge/header"
	"sallyport/edge/metrics"
	"sallyport/edge/route"
	"sallyport/edge/upstream"
	"sallyport/keys/fetch"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// A State is all that one config made. It never changes after buildState; a request loads it once and passes it down.
type State struct {
	cfg       *config.Config
	gate      gate.Gate
	rules     *header.Rules
	routes    []*routeState // same indexes as gate.Routes
	issuers   map[string]*issuerHandle
	upstreams map[string]*upstreamHandle
	engine    *engineHandle
	revoked   *revokedHandle // nil: off
}

// A routeState is what the proxy needs of a route beyond the decision.
type routeState struct {
	gate         *gate.Route
	name         string
	realm, scope string
	pool         *upstream.Pool
	upstreamName string
	maxBody      int64
	bodyOnGet    bool
	preserveHost bool
	forward      header.ForwardOptions
	metrics      *metrics.RouteMetrics
}

// buildState compiles cfg over the prepared handles. It starts nothing and changes nothing.
func buildState(cfg *config.Config, h *preparedHandles, s *Server) (*State, error) {
	st := &State{cfg: cfg, issuers: h.issuers, upstreams: h.upstreams, engine: h.engine, revoked: h.revoked}
	byName, list, err := verifyIssuers(cfg, h)
	if err != nil {
		return nil, err
	}
	if st.gate.Verifier, err = verify.NewVerifier(list, verify.Options{
		MaxTokenBytes: int(cfg.Limits.Token), Cache: h.engine.cache, Pool: h.engine.pool, Denylist: h.revoked.denylist(),
	}); err != nil {
		return nil, err
	}
	st.gate.Refresh = func(is *verify.Issuer, token *jose.Header, source netip.Addr) (verify.Reason, int64) {
		return st.refresh(is, token, source, s.metrics)
	}
	var managed []string
	specs := make([]route.Spec, len(cfg.Routes))
	for i := range cfg.Routes {
		rc := &cfg.Routes[i]
		specs[i] = route.Spec{Host: rc.Host, Path: rc.Path, Methods: rc.Methods}
		for name := range rc.ClaimHeaders {
			managed = append(managed, name)
		}
		rs, err := buildRoute(cfg, rc, byName, h, s)
		if err != nil {
			return nil, err
		}
		st.routes = append(st.routes, rs)
		st.gate.Routes = append(st.gate.Routes, rs.gate)
	}
	st.gate.Prepare(list)
	st.rules = header.NewRules(managed)
	if st.gate.Table, err = route.Compile(specs); err != nil {
		return nil, err
	}
	return st, nil
}

// refresh has a token's issuer fetch its keys, and waits for it where there is room.
func (st *State) refresh(is *verify.Issuer, token *jose.Header, source netip.Addr, m *metrics.Metrics) (verify.Reason, int64) {
	ih := st.issuers[is.Name]
	if ih == nil || ih.source == nil {
		return verify.ReasonUnknownKey, 0 // its keys stand in the config
	}
	answer := ih.source.Await(st.engine.room, source, fetch.Want{Kid: string(token.Kid), HasKid: token.HasKid, Alg: token.Alg})
	m.KeyWaits(answer.String(), 1)
	switch answer {
	case fetch.Refreshed:
		return verify.ReasonOK, time.Now().Unix()
	case fetch.Failed:
		return verify.ReasonKeysUnavailable, 0
	case fetch.Crowded:
		return verify.ReasonVerificationBusy, 0
	}
	return verify.ReasonUnknownKey, 0
}

func verifyIssuers(cfg *config.Config, h *preparedHandles) (map[string]*verify.Issuer, []*verify.Issuer, error) {
	byName := map[string]*verify.Issuer{}
	var list []*verify.Issuer
	for i := range cfg.Issuers {
		is, err := verifyIssuer(&cfg.Issuers[i])
		if err != nil {
			return nil, nil, fmt.Errorf("edge: issuer %q: %w", cfg.Issuers[i].Issuer, err)
		}
		is.Keys = h.issuers[is.Name].store
		byName[is.Name] = is
		list = append(list, is)
	}
	return byName, list, nil
}

// typePolicies maps the config's words for issuer.type. A word that is not here is refused by config and, should it come so
// far, by verifyIssuer.
var typePolicies = map[string]verify.TypePolicy{
	"at+jwt":        verify.TypeAccessToken,
	"jwt-or-absent": verify.TypeJWTOrAbsent,
	"any-access":    verify.TypeAnyAccess,
}

func verifyIssuer(ic *config.Issuer) (*verify.Issuer, error) {
	typ, ok := typePolicies[ic.Type]
	if !ok {
		return nil, fmt.Errorf("unknown type %q", ic.Type)
	}
	is := &verify.Issuer{
		Name: ic.Issuer, Audiences: ic.Audiences.Values, AudienceUnchecked: ic.Audiences.Unchecked,
		Algs: algSet(ic.Algorithms), ClockSkew: int64(ic.ClockSkew / time.Second), MaxLifetime: int64(ic.MaxLifetime / time.Second), Type: typ,
	}
	if ic.AudienceClaim != "aud" {
		is.AudienceClaim = ic.AudienceClaim
	}
	var err error
	if is.RolesClaim, err = claims.ParsePath(ic.RolesClaim); err != nil {
		return nil, err
	}
	for _, c := range ic.RequiredClaims {
		p, err := claims.ParsePath(c)
		if err != nil {
			return nil, err
		}
		is.RequiredClaims = append(is.RequiredClaims, p)
	}
	return is, nil
}

func buildRoute(cfg *config.Config, rc *config.Route, issuers map[string]*verify.Issuer, h *preparedHandles, s *Server) (*routeState, error) {
	gr := &gate.Route{
		Name: rc.Name, Public: rc.Public, CORSPreflight: rc.CORSPreflight,
		TokenHeader: rc.TokenHeader, TokenCookie: rc.TokenCookie,
		Policy: verify.Policy{Scopes: rc.Require.Scopes, Roles: rc.Require.Roles},
	}
	for _, name := range rc.Issuers {
		is := issuers[name]
		if is == nil {
			return nil, fmt.Errorf("edge: route %q: unknown issuer %q", rc.Name, name)
		}
		gr.Policy.Issuers = append(gr.Policy.Issuers, is)
	}
	for _, path := range sortedKeys(rc.Require.Claims) {
		p, err := claims.ParsePath(path)
		if err != nil {
			return nil, fmt.Errorf("edge: route %q: %w", rc.Name, err)
		}
		gr.Policy.Claims = append(gr.Policy.Claims, verify.ClaimRule{Path: p, AnyOf: rc.Require.Claims[path]})
	}
	for _, name := range sortedKeys(rc.ClaimHeaders) {
		p, err := claims.ParsePath(rc.ClaimHeaders[name])
		if err != nil {
			return nil, fmt.Errorf("edge: route %q: %w", rc.Name, err)
		}
		gr.ClaimHeaders = append(gr.ClaimHeaders, gate.ClaimHeader{Name: name, Path: p})
	}
	up := h.upstreams[rc.Upstream]
	if up == nil {
		return nil, fmt.Errorf("edge: route %q: unknown upstream %q", rc.Name, rc.Upstream)
	}
	return &routeState{
		gate: gr, name: rc.Name, realm: rc.Realm, scope: strings.Join(rc.Require.Scopes, " "),
		pool: up.pool, upstreamName: rc.Upstream, maxBody: int64(rc.MaxBody), bodyOnGet: rc.BodyOnGet,
		preserveHost: rc.PreserveHost == nil || *rc.PreserveHost,
		forward: header.ForwardOptions{
			StripAuthorization: !rc.ForwardToken, StripHeader: unless(rc.ForwardToken, rc.TokenHeader), StripCookie: unless(rc.ForwardToken, rc.TokenCookie),
		},
		metrics: s.metrics.Route(rc.Name),
	}, nil
}

func routeNames(cfg *config.Config) []string {
	out := make([]string, len(cfg.Routes))
	for i := range cfg.Routes {
		out[i] = cfg.Routes[i].Name
	}
	return out
}

// unless returns s, or nothing when cond is true.
func unless(cond bool, s string) string {
	if cond {
		return ""
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
