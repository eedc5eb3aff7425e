package main

import "fmt"

// configParams is what differs between the configs of two runs.
type configParams struct {
	listen, admin, issuer, alg, upstream string
	cache                                string // size of the claim cache
	changed                              bool   // every second config of the reload scenario
}

const configText = `
[[listener]]
address = %[1]q
max_connections = 10000
max_requests_per_connection = %[6]d
[[issuer]]
issuer = %[3]q
audiences = [%[8]q]
algorithms = [%[4]q]
discovery = "oidc"
allow_http = true
refresh_interval = "10s"
clock_skew = %[7]q
[[upstream]]
name = "service"
endpoints = [%[5]q]
idle_timeout = %[7]q
[[route]]
name = "load"
path = "/api/*"
require.scopes = ["read"]
claim_headers = { X-User = "sub" }
upstream = "service"
[audit]
output = "/dev/null"
[admin]
address = %[2]q
pprof = true
[log]
level = "info"
format = "text"
[cache]
size = %[9]q
`

// changedRoute makes the routing table another one.
const changedRoute = `
[[route]]
name = "other"
path = "/other/*"
upstream = "service"
`

// text returns the config. A changed one has another listener, issuer, upstream and routing table.
func (p configParams) text() string {
	requests, timeout, more := 1_000_000_000, "50s", ""
	if p.changed {
		requests, timeout, more = 900_000_000, "40s", changedRoute
	}
	return fmt.Sprintf(configText, p.listen, p.admin, p.issuer, p.alg, p.upstream, requests, timeout, audience, p.cache) + more
}
