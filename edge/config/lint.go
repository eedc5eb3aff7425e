package config

import (
	"fmt"
	"time"
)

// Lint returns what is allowed, and yet should be looked at: each gives up a check.
func Lint(c *Config) []Fault {
	var out []Fault
	warn := func(key, text string, args ...any) {
		out = append(out, Fault{File: c.file, Line: c.lines.of(key), Key: key, Text: fmt.Sprintf(text, args...)})
	}
	for i := range c.Issuers {
		is := &c.Issuers[i]
		at := fmt.Sprintf("issuer[%d]", i)
		if is.Audiences.Unchecked {
			warn(at, "audiences = \"unchecked\": every token of this issuer passes, whoever it was made for")
		}
		if is.AudienceClaim == "client_id" {
			warn(at, "audience_claim = \"client_id\": a token says who asked for it, not for whom it is")
		}
		if is.AllowHTTP {
			warn(at, "allow_http: whoever is between here and the provider chooses the keys")
		}
		if is.Type != "at+jwt" {
			warn(at, "type = %q: access tokens are told from ID tokens by their claims only", is.Type)
		}
		if is.ClockSkew > 5*time.Minute {
			warn(at, "clock_skew of %s: expired tokens live on for that long", is.ClockSkew)
		}
		if is.MaxLifetime == 0 {
			warn(at, "no max_lifetime: a token that is valid for years passes")
		}
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Public && r.Path == "/*" {
			warn(fmt.Sprintf("route[%d]", i), "public for every path of its host")
		}
		if r.ForwardToken {
			warn(fmt.Sprintf("route[%d]", i), "forward_token: the upstream gets a credential that it could use elsewhere")
		}
	}
	if c.Audit.Output == "off" {
		warn("audit", "output = \"off\": decisions are not written down")
	}
	return out
}
