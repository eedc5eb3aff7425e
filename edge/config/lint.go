package config

import (
	"fmt"
	"strings"
	"time"
)

// Lint returns what is allowed, and yet should be looked at: each gives up a check, or lets something pass unseen.
func Lint(c *Config) []Fault {
	l := &linter{c: c}
	for i := range c.Listeners {
		l.listener(&c.Listeners[i], fmt.Sprintf("listener[%d]", i))
	}
	for i := range c.Issuers {
		l.issuer(&c.Issuers[i], fmt.Sprintf("issuer[%d]", i))
	}
	for i := range c.Routes {
		l.route(&c.Routes[i], fmt.Sprintf("route[%d]", i))
	}
	if c.Audit.Output == "off" {
		l.warn("audit.output", "\"off\": decisions are not written down")
	}
	if c.Audit.WithQuery {
		l.warn("audit.with_query", "queries may hold secrets, which the log would keep")
	}
	if c.Revocation.File != "" && (c.Admin.Address == "" || c.Admin.TokenFile == "") {
		l.warn("revocation.file", "no rule can be added: /v1/revocations needs admin.address and admin.token_file")
	}
	return l.out.Sorted()
}

type linter struct {
	c   *Config
	out Faults
}

func (l *linter) warn(key, text string, args ...any) {
	l.out = append(l.out, l.c.Fault(key, text, args...))
}

func (l *linter) listener(c *Listener, path string) {
	for i, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			l.warn(fmt.Sprintf("%s.trusted_proxies[%d]", path, i), "%s: every client may say for whom it speaks, and under what address it is written down", p)
		}
	}
	if a, _ := parseAddress(c.Address); c.TLS == nil && len(c.TrustedProxies) == 0 && !a.isLoopback() {
		l.warn(path+".address", "tokens come in plain text: set tls, or trusted_proxies for what terminates it")
	}
	if c.MaxConnectionsPerIP > c.MaxConnections {
		l.warn(path+".max_connections_per_ip", "is more than max_connections, so that one client can take them all")
	}
}

func (l *linter) issuer(is *Issuer, path string) {
	if is.Audiences.Unchecked {
		l.warn(path+".audiences", "\"unchecked\": every token of this issuer passes, whoever it was made for")
	}
	if is.AudienceClaim == "client_id" {
		l.warn(path+".audience_claim", "\"client_id\": a token says who asked for it, not for whom it is")
	}
	for i, a := range is.Algorithms {
		if strings.HasPrefix(a, "HS") {
			l.warn(fmt.Sprintf("%s.algorithms[%d]", path, i), "%s: whoever can verify a token can make one", a)
		}
	}
	if is.AllowHTTP {
		l.warn(path+".allow_http", "whoever is between here and the provider chooses the keys")
	}
	if is.AllowPrivate {
		l.warn(path+".allow_private_addresses", "the provider's metadata can make the proxy fetch from inside your network")
	}
	if is.Type != "at+jwt" {
		l.warn(path+".type", "%q: access tokens are told from ID tokens by their claims only", is.Type)
	}
	if is.ClockSkew > 5*time.Minute {
		l.warn(path+".clock_skew", "%s: expired tokens live on for that long", is.ClockSkew)
	}
	if is.MaxLifetime == 0 {
		l.warn(path, "no max_lifetime: a token that is valid for years passes")
	}
}

func (l *linter) route(r *Route, path string) {
	switch {
	case r.Public && r.Path == "/*":
		l.warn(path+".public", "for every path of its host")
	case r.Public && r.ForwardToken:
		l.warn(path+".forward_token", "the upstream gets an Authorization that nobody has looked at")
	case r.ForwardToken:
		l.warn(path+".forward_token", "the upstream gets a credential that it could use elsewhere")
	}
	if r.TokenCookie != "" {
		l.warn(path+".token_cookie", "browsers send cookies with requests that other sites made them send: the upstream must tell these apart")
	}
	if r.BodyOnGet {
		l.warn(path+".body_on_get", "servers differ on where a GET with a body ends")
	}
}
