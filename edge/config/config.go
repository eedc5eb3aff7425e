// Package config reads sallyport's one TOML file: strictly, purely, and naming every fault with its line.
//
// The comments at the fields of Config and the types below it are the manual of the file. What holds for all keys:
//
//   - A key is optional unless its comment says "required". A comment that names a default means a key that is absent.
//   - No string, array or table may be written empty, unless the key's comment gives that a meaning: an unset variable in a
//     template must not turn into "everything". Leave the key out to get its default.
//   - A duration is a string with its unit, "500ms", "30s", "5m", "1h30m"; a size is a Size.
//   - A relative path starts at the config file's folder.
//   - SIGHUP reads the file again, and every file that it names. A file with a fault changes nothing. A comment says so where a
//     key is read at start only, or where open connections keep what they were accepted with.
//   - Secrets stand in files only, never in this one: see ReadSecret for what such a file must be like.
package config

import (
	"net/netip"
	"time"
)

// Size is a number of bytes, written with its unit in powers of 1024: "512B", "16KiB", "10MiB", "1GiB". "KB" is refused,
// since it is read as 1000 by some and as 1024 by others.
type Size int64

// Config is everything that one file says.
type Config struct {
	// Listeners are the addresses where clients connect, one [[listener]] each. At least one is required. No two may use
	// the same port, unless both name a different address. SIGHUP opens new addresses, and closes those that are gone
	// after draining them.
	Listeners []Listener `toml:"listener" required:"yes"`
	// Issuers are those whose tokens are believed, one [[issuer]] each. Required when any route is not public.
	Issuers []Issuer `toml:"issuer"`
	// Routes are what passes, one [[route]] each; at least one is required. The most specific host wins, then the most
	// specific path, then the method, whatever the order in the file. A request without a route is answered with 404.
	Routes []Route `toml:"route" required:"yes"`
	// Upstreams are the services behind the proxy, one [[upstream]] each. Every route names one.
	Upstreams []Upstream `toml:"upstream"`
	// Audit is the access and audit log: one JSON line for each request.
	Audit Audit `toml:"audit" empty:"all defaults"`
	// Log is the process's own log, on standard error.
	Log Log `toml:"log" empty:"all defaults"`
	// Admin is the listener for health, metrics and profiles.
	Admin Admin `toml:"admin" empty:"all defaults"`
	// Revocation is where rules are kept that take tokens back before they expire.
	Revocation Revocation `toml:"revocation" empty:"off"`
	// Limits are what every listener and route is held to.
	Limits Limits `toml:"limits" empty:"all defaults"`
	// Cache is the memory for tokens that were verified.
	Cache Cache `toml:"cache" empty:"all defaults"`
	// Verification is how never-seen tokens are dealt with when more of them come than can be verified at once.
	Verification Verification `toml:"verification" empty:"all defaults"`

	file  string    // for Fault and Lint
	lines lineIndex // for Fault and Lint
}

// Listener is one address where clients connect. With SIGHUP its socket stays: connections accepted later get the new
// settings, those that are open keep theirs and are asked to close with their next answer.
type Listener struct {
	// Address is host:port; required. An empty host, "0.0.0.0" or "[::]" is every address of the machine; port 0 takes a
	// free port. Ports below 1024 need CAP_NET_BIND_SERVICE.
	Address string `toml:"address" required:"yes"`
	// MaxConnections is how many connections may be open, 1 or more; required. One above it is closed at once and
	// counted. Each takes up to 40 KiB.
	MaxConnections int `toml:"max_connections"`
	// MaxConnectionsPerIP is how many of them may come from one IPv4 address or one IPv6 /64. Default 0: no limit of its
	// own. Behind a load balancer all come from its address.
	MaxConnectionsPerIP int `toml:"max_connections_per_ip"`
	// MaxRequestsPerConn is after how many requests a connection is closed, so that long-lived ones are spread again. 1
	// or more, default 10000.
	MaxRequestsPerConn int `toml:"max_requests_per_connection"`
	// ReadTimeout is how long a client may take for a request head, and for a body between two reads; a body must average
	// 1 KiB/s besides. "100ms" to "1h", default "10s".
	ReadTimeout time.Duration `toml:"read_timeout"`
	// WriteTimeout is how long a client may take to accept what was written; every write begins it anew, so a long
	// download that flows is not cut. "100ms" to "1h", default "30s".
	WriteTimeout time.Duration `toml:"write_timeout"`
	// IdleTimeout is how long a connection may wait between two requests. "100ms" to "1h", default "1m".
	IdleTimeout time.Duration `toml:"idle_timeout"`
	// TrustedProxies are addresses or CIDR ranges, IPv4 or IPv6, of peers that speak for others: their X-Forwarded-For is
	// continued and its last address that is not in these ranges is the client in the audit log, their X-Forwarded-Proto
	// and X-Forwarded-Host are passed on, their X-Request-Id is kept. From all other peers these fields are replaced.
	// Default, and []: nobody. A range of everybody makes check warn.
	TrustedProxies []netip.Prefix `toml:"trusted_proxies" empty:"nobody"`
	// TLS makes this a TLS listener, by a [listener.tls] table. Default: plain text; check warns where that can be
	// reached from outside and no trusted_proxies stand before it. With SIGHUP changed certificates are for later
	// handshakes; they close nothing.
	TLS *ListenerTLS `toml:"tls"`
}

// ListenerTLS is how a listener terminates TLS. Only HTTP/1.1 is offered by ALPN.
type ListenerTLS struct {
	// MinVersion is the oldest TLS version that is spoken: "1.2" (default) or "1.3".
	MinVersion string `toml:"min_version"`
	// Certificates are tried by the client's SNI: exact name, then wildcard, then the first one. At least one
	// [[listener.tls.certificate]] is required.
	Certificates []Certificate `toml:"certificate" required:"yes"`
}

// Certificate is one certificate and its key, both in PEM. SIGHUP reads both files again.
type Certificate struct {
	// CertFile is the certificate followed by its chain; required. One that has expired is refused.
	CertFile string `toml:"cert_file" required:"yes"`
	// KeyFile is its private key; required, a secret.
	KeyFile string `toml:"key_file" required:"yes"`
}

// Issuer is one issuer of tokens and what is asked of them. Exactly one of discovery, jwks_uri, jwks_file and
// [[issuer.keys]] says where its keys come from. With SIGHUP an issuer whose source of keys did not change keeps the keys
// it has.
type Issuer struct {
	// Issuer is the iss of its tokens, compared byte by byte, a last slash included; required, no two alike. With
	// discovery = "oidc" or "oauth" it must be a URL.
	Issuer string `toml:"issuer" required:"yes"`
	// Audiences are the values of which a token's aud must have one; required. The string "unchecked" instead of an array
	// gives the check up, and check warns: every token of the issuer passes then, whoever it was made for.
	Audiences Audiences `toml:"audiences" required:"yes"`
	// AudienceClaim is the claim that audiences are looked for in: "aud" (default), or "client_id" for providers whose
	// access tokens carry no aud (check warns). Not together with audiences = "unchecked".
	AudienceClaim string `toml:"audience_claim"`
	// Algorithms are the JWS algorithms that its tokens may have, whatever a token or a key says; required. HS256, HS384
	// and HS512 take secrets from [[issuer.keys]] only, and check warns: who can verify can sign. It also warns of one that no key
	// in a file is for.
	Algorithms []string `toml:"algorithms" required:"yes"`
	// Discovery fetches the provider's metadata, which names its jwks_uri: "oidc" from issuer +
	// /.well-known/openid-configuration, "oauth" from the place of RFC 8414, or an https URL. The metadata must name the
	// same issuer.
	Discovery string `toml:"discovery"`
	// JWKSURI is the https URL of a JWK set, fetched in the background and never by a request.
	JWKSURI string `toml:"jwks_uri"`
	// JWKSFile is the path of a JWK set, read at start and with SIGHUP.
	JWKSFile string `toml:"jwks_file"`
	// Keys are single keys, one [[issuer.keys]] each.
	Keys []InlineKey `toml:"keys"`
	// ClockSkew is how far exp, nbf and iat may be off. Whole seconds, "0s" to "10m", default "30s"; above "5m" check
	// warns.
	ClockSkew time.Duration `toml:"clock_skew"`
	// MaxLifetime is the longest exp - iat; a token without iat is refused then. Whole seconds, "1s" to "87600h".
	// Default: no bound, and check warns.
	MaxLifetime time.Duration `toml:"max_lifetime"`
	// Type is what the header's typ must be: "at+jwt" (default, RFC 9068), "jwt-or-absent" (JWT, or no typ) or
	// "any-access" (at+jwt, JWT or no typ). With the last two a token with claims of an ID token is refused, and check
	// warns: that is less than typ says.
	Type string `toml:"type"`
	// RequiredClaims are claim paths (see Route.ClaimHeaders) that a token must have, and not null. exp is required
	// always. Default: none beyond it.
	RequiredClaims []string `toml:"required_claims"`
	// RolesClaim is the claim path (see Route.ClaimHeaders) where require.roles looks: an array of strings, or one
	// string. Default "roles".
	RolesClaim string `toml:"roles_claim"`
	// AllowHTTP permits http:// for discovery and keys, and with it private addresses; default false. It is meant for
	// loopback; check warns, since whoever is on the way chooses the keys.
	AllowHTTP bool `toml:"allow_http"`
	// AllowPrivate permits a jwks_uri that discovery names to lead to a private, loopback or link-local address; default
	// false, and check warns. URLs that stand in this file may do so always.
	AllowPrivate bool `toml:"allow_private_addresses"`
	// CAFile is a file of PEM certificates that alone are trusted when fetching. Default: the system's.
	CAFile string `toml:"ca_file"`
	// RefreshInterval is how often keys are fetched where the provider's Cache-Control does not ask for less. "10s" to
	// "24h", default "10m". An unknown kid hints an earlier fetch, at most one a second.
	RefreshInterval time.Duration `toml:"refresh_interval"`
	// FetchTimeout is how long one fetch, all of its requests together, may take. "100ms" to "1m", default "5s".
	FetchTimeout time.Duration `toml:"fetch_timeout"`
	// MaxJWKSBytes bounds a fetched document. "1KiB" to "64MiB", default "512KiB".
	MaxJWKSBytes Size `toml:"max_jwks_bytes"`
	// MaxKeys bounds a JWK set; one with more is refused as a whole. 1 to 1000, default 100.
	MaxKeys int `toml:"max_keys"`
	// MaxRSABits is the largest RSA modulus, since verifying costs time with its square; 2048 to 8192, default 4096. The
	// least is always 2048 (RFC 7518, 3.3).
	MaxRSABits int `toml:"max_rsa_bits"`
	// Optional says that /readyz does not wait for its keys; default false. Its tokens are answered with 503 until they
	// are there.
	Optional bool `toml:"optional"`
}

// Audiences is what audiences says: the accepted values, or Unchecked. Never both.
type Audiences struct {
	Values    []string
	Unchecked bool
}

// InlineKey is one key in the file itself. Exactly one of pem, pem_file, jwk and secret_file is set. No two keys of an
// issuer may share both kid and algorithm, since a token could not say which it means.
type InlineKey struct {
	// Kid is what a token's kid must be, at most 256 bytes. Default: none; a token finds such a key when it is the only
	// one of its algorithm. Not with jwk, which has its own.
	Kid string `toml:"kid"`
	// Algorithm is the one algorithm that the key is used with, one of the issuer's; required but with jwk, which names
	// its own.
	Algorithm string `toml:"algorithm"`
	// PEM is the text of one block: a public key (PKIX or PKCS #1) or a certificate, of which only the key is used. A
	// private key is refused.
	PEM string `toml:"pem"`
	// PEMFile is the path of a file that holds the same.
	PEMFile string `toml:"pem_file"`
	// JWK is the JSON text of one public JWK. One with a private or secret member is refused.
	JWK string `toml:"jwk"`
	// SecretFile is the path of a secret; its bytes, all of them, a line break at the end included, are the key for
	// HS256, HS384 or HS512. They must be as many as the hash has: 32, 48 or 64. check warns of such a line break, and of JSON or PEM.
	SecretFile string `toml:"secret_file"`
}

// Route is what is asked of one group of requests, and where they go. SIGHUP puts all routes in force at once; a request
// that has begun ends with those it began with.
type Route struct {
	// Name stands for the route in metrics and logs: 1 to 64 of letters, digits and "._-", no two alike. Default
	// "route-N", N being its place in the file, from 1.
	Name string `toml:"name"`
	// Host is the host that it is for, in lower case and without port: a name, "*.example.com" for one or more labels
	// before it, or "*" for every host, which is the default. A host with routes of its own never falls back to those of
	// a wildcard.
	Host string `toml:"host"`
	// Path is "/a/b" for exactly that, "/a/*" for /a and all below it, or "/*" for everything; required. It must be as
	// requests are once they are canonical: no "//", no dot segments, no escapes but those needed and in upper case, no
	// query; and no segment may stand for more than 256 octets.
	Path string `toml:"path" required:"yes"`
	// Methods are those that it is for, of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and QUERY. Default: all of these.
	// No other route may have the same host, path and method. A path that has routes, but none for the method, is
	// answered with 405.
	Methods []string `toml:"methods"`
	// Public lets requests pass without a token, and reads none; default false. Identity headers are removed all the
	// same. Not with issuers, require, claim_headers, token_header or token_cookie. For "/*", check warns.
	Public bool `toml:"public"`
	// CORSPreflight lets a true CORS preflight for one of the methods pass without a token and without credentials;
	// default false.
	CORSPreflight bool `toml:"cors_preflight"`
	// Issuers are those, by their issuer, whose tokens are taken here. Default: all.
	Issuers []string `toml:"issuers"`
	// Require is what a verified token must have beyond what its issuer asks. Default: nothing.
	Require Require `toml:"require"`
	// TokenHeader is a header field that holds the token alone, instead of Authorization: Bearer. Not with token_cookie;
	// it may be a claim header of no route.
	TokenHeader string `toml:"token_header"`
	// TokenCookie is a cookie that holds the token, instead of Authorization: Bearer. Not with token_header. check warns:
	// a browser sends cookies with requests that other sites made it send, too.
	TokenCookie string `toml:"token_cookie"`
	// ForwardToken passes the token on to the upstream; default false, which removes it. On a public route it passes on
	// an Authorization that nobody has looked at. check warns.
	ForwardToken bool `toml:"forward_token"`
	// ClaimHeaders are header fields for the upstream, name = claim path. A path is "sub", dots lead into objects,
	// "realm_access.roles", and a leading slash makes it a JSON Pointer, "/https:~1~1example.com~1roles". The field is
	// set anew from the verified token; the client's own of that name is removed on every route. Default: none.
	ClaimHeaders map[string]string `toml:"claim_headers"`
	// Upstream is the name of the [[upstream]] that requests go to; required.
	Upstream string `toml:"upstream" required:"yes"`
	// MaxBody bounds a request's body. "0B" allows none. Default: limits.body.
	MaxBody Size `toml:"max_body"`
	// BodyOnGet allows a body on GET, HEAD, DELETE and OPTIONS; default false, and check warns: servers differ on where
	// such a request ends.
	BodyOnGet bool `toml:"body_on_get"`
	// Realm is the realm of WWW-Authenticate, in printable ASCII. Default "sallyport".
	Realm string `toml:"realm"`
	// PreserveHost passes the client's Host on. Default true; false sends the endpoint's host:port.
	PreserveHost *bool `toml:"preserve_host"`
}

// Require is what a route asks of a verified token. All of scopes, roles and claims must be met.
type Require struct {
	// Scopes must all be in the token's scope or scp. One element is one scope. Default: none.
	Scopes []string `toml:"scopes"`
	// Roles are those of which the token must have one, in its issuer's roles_claim. Default: none.
	Roles []string `toml:"roles"`
	// Claims are claim path = values (see Route.ClaimHeaders). The claim must equal one of the values, or be an array
	// that holds one. Default: none.
	Claims map[string][]string `toml:"claims"`
}

// Upstream is one service behind the proxy. With SIGHUP one that did not change keeps its connections and what is known
// of its health.
type Upstream struct {
	// Name is what routes call it: 1 to 64 of letters, digits and "._-"; required, no two alike.
	Name string `toml:"name" required:"yes"`
	// Endpoints are the service's servers, host:port each; one or more required. An own listener is refused.
	Endpoints []string `toml:"endpoints" required:"yes"`
	// Balance is how an endpoint is chosen: "least_loaded" (default), the one with the fewest requests in flight.
	Balance string `toml:"balance"`
	// TLS makes connections to it TLS, by a [upstream.tls] table. Default: plain text.
	TLS *UpstreamTLS `toml:"tls" empty:"TLS with all defaults"`
	// ConnectTimeout is how long connecting, and waiting for a free connection, may take. "10ms" to "1m", default "2s".
	ConnectTimeout time.Duration `toml:"connect_timeout"`
	// ResponseTimeout is how long the response's head may take once the request was sent. "10ms" to "1h", default "30s".
	ResponseTimeout time.Duration `toml:"response_timeout"`
	// IdleTimeout is how long an unused connection is kept, and how long a body may be silent. "100ms" to "24h", default
	// "1m".
	IdleTimeout time.Duration `toml:"idle_timeout"`
	// MaxConnections is how many connections to each endpoint may be open, 1 or more; default 512. A request that finds
	// none free is answered with 503.
	MaxConnections int `toml:"max_connections"`
	// Health is when an endpoint is left out, by a [upstream.health] table.
	Health Health `toml:"health" empty:"all defaults"`
}

// UpstreamTLS is how the proxy connects to an upstream by TLS. The server's certificate is verified always.
type UpstreamTLS struct {
	// CAFile is a file of PEM certificates that alone are trusted. Default: the system's. SIGHUP reads it again.
	CAFile string `toml:"ca_file"`
	// ServerName is the name in SNI and in the server's certificate. Default: the endpoint's host.
	ServerName string `toml:"server_name"`
	// MinVersion is the oldest TLS version that is spoken: "1.2" (default) or "1.3".
	MinVersion string `toml:"min_version"`
}

// Health is passive ejection: an endpoint that keeps failing is left out for a while, as long as there is another one.
type Health struct {
	// EjectAfter is after how many consecutive failures; default 5. 0: never.
	EjectAfter int `toml:"eject_after"`
	// EjectFor is for how long. Whole seconds, "1s" to "1h", default "10s".
	EjectFor time.Duration `toml:"eject_for"`
}

// Audit is the access and audit log. Any change makes a new log with SIGHUP; SIGHUP also opens a file again that was
// moved away.
type Audit struct {
	// Output is "stdout" (default), "stderr", "off" (check warns), or a file's path, with a slash or a dot in it so that
	// no misspelt word is taken for one. A file that is new gets mode 0600.
	Output string `toml:"output"`
	// WhenFull is what happens when records come faster than they can be written: "drop" (default) counts and drops them,
	// "refuse" answers with 503 rather than forward what is not written down; what cannot be written for a fault, such as a
	// disk that is full, is kept and tried again, and fills the buffer.
	WhenFull string `toml:"when_full"`
	// Buffer is how many records may wait to be written. 16 to 1048576, default 16384.
	Buffer int `toml:"buffer"`
	// WithQuery writes down the query as well; default false, and check warns, since queries hold secrets at times.
	WithQuery bool `toml:"with_query"`
}

// Log is the process's own log.
type Log struct {
	// Level is the least that is written: "debug", "info" (default), "warn" or "error".
	Level string `toml:"level"`
	// Format is "json" (default) or "text". It is read at start only: another one needs a restart.
	Format string `toml:"format"`
}

// Admin is the listener for /healthz, /readyz, /metrics, /debug/pprof and /v1/revocations. SIGHUP opens another address; the socket is
// opened anew when any key of it changes.
type Admin struct {
	// Address is host:port, none of the listeners'. Default "127.0.0.1:9901"; "" turns it off. Outside loopback
	// token_file is required.
	Address string `toml:"address" empty:"turns it off"`
	// Pprof serves profiles below /debug/pprof; default false.
	Pprof bool `toml:"pprof"`
	// TokenFile is the path of a secret, 16 characters or more, white space around them left out: the bearer token that
	// /metrics, /debug/pprof and /v1/revocations ask for. Default: none, and no /v1/revocations.
	TokenFile string `toml:"token_file"`
}

// Revocation takes tokens back before they expire: by rules, which the admin listener's /v1/revocations and sallyport revoke add, list
// and delete. A rule is in force when it is acknowledged, for tokens in the cache too.
type Revocation struct {
	// File is the path of the file that the rules are kept in; one that is not there is made, with mode 0600. Its folder must be there
	// and writable, and no other process may have it open. Default "": off; no token is revoked. SIGHUP with the same path keeps the
	// file open; with another one it leaves the rules of the old file behind.
	File string `toml:"file" empty:"off"`
}

// Limits are what every listener and route is held to. Open connections keep those that they were accepted with.
type Limits struct {
	// Token is the longest token. "256B" to less than limits.header, default "16KiB".
	Token Size `toml:"token"`
	// Header is the largest request head, request line and fields together, of which the target may take half. "1KiB" to
	// "1MiB", default "32KiB". It is what each connection has a buffer for.
	Header Size `toml:"header"`
	// HeaderFields is how many fields a request may have. 8 to 1000, default 100.
	HeaderFields int `toml:"header_fields"`
	// Body bounds a request's body where the route has no max_body. "0B" allows none. Default "10MiB".
	Body Size `toml:"body"`
	// DrainTimeout is how long requests in flight may take to end after SIGTERM, and on an address that SIGHUP closes.
	// "0s" to "1h", default "30s".
	DrainTimeout time.Duration `toml:"drain_timeout"`
}

// Cache keeps tokens that were verified with their claims, so that the second sight of one costs a look-up. Time, key, audience
// and what the route asks for are checked each time all the same. SIGHUP with another size begins with an empty cache.
type Cache struct {
	// Size bounds the cache in memory, its table included. A token of 700 octets takes about 1.5 KiB. "64KiB" to "64GiB", or "0",
	// which turns it off; default "64MiB".
	Size Size `toml:"size"`
}

// Verification bounds the work that tokens make which nobody has seen yet, so that a flood of forged ones costs the others
// little. While such work has taken less than half of the time of late it is done at once; beyond that it queues, each source
// in turn. A source is a client's address behind trusted_proxies, IPv6 by /64. What finds no room is answered with 503. SIGHUP
// with other values begins with empty queues; requests that wait in the old ones are served.
type Verification struct {
	// Queue is how many requests may wait, of all sources together. 16 to 1048576, default 4096.
	Queue int `toml:"queue"`
	// QueuePerSource is how many of them may be of one source, for each processor. 1 to 1048576, default 256.
	QueuePerSource int `toml:"queue_per_source"`
	// MaxWait is how long a request may wait. "1ms" to "30s", default "1s".
	MaxWait time.Duration `toml:"max_wait"`
	// KeyWait is how long a request may wait for its issuer's keys to be fetched anew, when its token could be genuine and names a
	// key that is not there: after a rotation, say. A fetch for such tokens begins at most once a second for each issuer. "0s"
	// refuses them at once. "0s" to "30s", default "3s".
	KeyWait time.Duration `toml:"key_wait"`
	// KeyWaiting is how many requests may wait so, of all issuers and sources together. 1 to 1048576, default 1024.
	KeyWaiting int `toml:"key_waiting"`
	// KeyWaitingPerSource is how many of them may be of one source. 1 to 1048576, default 512.
	KeyWaitingPerSource int `toml:"key_waiting_per_source"`
	// KeyTables bounds the memory of what is precomputed for elliptic-curve keys, 220 to 512 KiB each, which makes their
	// signatures cheaper to check several times over. A key that finds no room is checked by the standard library. "0" to
	// "64GiB", default "64MiB". SIGHUP changes it for keys that come later.
	KeyTables Size `toml:"key_tables"`
}
