package main

import (
	"path/filepath"
	"slices"
	"strings"

	"sallyport/verify/jose"
)

// An Entry is one way in which a peer takes part: plain, or checking tokens.
type Entry struct {
	Peer     string // name of its program and in all tables
	Template string // "" for none
	Algs     []jose.Alg
	Case     string // behind the algorithm: neverSeen or cached; "" when it checks nothing
	Cached   bool
	Audit    bool
	Twin     bool // another one of the yardstick, for the A/A control
	// Args are what is behind the program's name; dir holds the configuration.
	Args func(c *Config) []string
}

// What happens to a token.
const (
	plain     = "plain"
	unchecked = "unchecked" // bare fasthttp beside those that check: what their figures are compared with
	neverSeen = "never-seen"
	cached    = "cached"
	audited   = "cached+audit"
)

// yardstick is the peer that all others are compared with.
const yardstick = "fasthttp"

var (
	rsES   = []jose.Alg{jose.RS256, jose.ES256}
	rsESEd = []jose.Alg{jose.RS256, jose.ES256, jose.EdDSA}
)

// entries is everybody who takes part.
func entries() []Entry {
	bare := func(c *Config) []string { return []string{"-listen", c.Listen, "-upstream", c.Upstream} }
	nginx := func(c *Config) []string { return []string{"-e", "stderr", "-p", c.Dir, "-c", c.path("nginx.conf")} }
	haproxy := func(c *Config) []string { return []string{"-db", "-f", c.path("haproxy.cfg")} }
	envoy := func(c *Config) []string {
		return []string{"-c", c.path("envoy.yaml"), "--concurrency", itoa(c.Cores), "--disable-hot-restart", "--log-level", "error"}
	}
	vmauth := func(c *Config) []string {
		return []string{
			"-auth.config=" + c.path("vmauth.yml"), "-httpListenAddr=" + c.Listen, "-loggerLevel=ERROR", "-http.disableCORS",
			"-http.disableResponseCompression", "-http.connTimeout=0", "-http.idleConnTimeout=1h", "-maxIdleConnsPerBackend=256",
			"-maxConcurrentPerUserRequests=1000",
		}
	}
	caddy := func(c *Config) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", c.path("Caddyfile")}
	}
	sallyport := func(c *Config) []string { return []string{"serve", "-config", c.path("sallyport.toml")} }
	return []Entry{
		{Peer: yardstick, Args: bare},
		{Peer: "nginx", Template: "nginx.conf", Args: nginx},
		{Peer: "haproxy", Template: "haproxy.cfg", Args: haproxy},
		{Peer: "envoy", Template: "envoy.yaml", Args: envoy},
		{Peer: "vmauth", Template: "vmauth.yml", Args: vmauth},
		{Peer: "caddy-jwt", Template: "Caddyfile", Args: caddy},
		{Peer: "sallyport", Template: "sallyport.toml", Args: sallyport},

		{Peer: "haproxy", Template: "haproxy.cfg", Args: haproxy, Algs: rsES, Case: neverSeen},
		{Peer: "envoy", Template: "envoy.yaml", Args: envoy, Algs: rsESEd, Case: neverSeen},
		{Peer: "vmauth", Template: "vmauth.yml", Args: vmauth, Algs: rsES, Case: neverSeen},
		{Peer: "caddy-jwt", Template: "Caddyfile", Args: caddy, Algs: rsESEd, Case: neverSeen},
		{Peer: "sallyport", Template: "sallyport.toml", Args: sallyport, Algs: rsESEd, Case: neverSeen},
		{Peer: "envoy", Template: "envoy.yaml", Args: envoy, Algs: rsESEd, Case: cached, Cached: true},
		{Peer: "sallyport", Template: "sallyport.toml", Args: sallyport, Algs: rsESEd, Case: cached, Cached: true},
		{Peer: "sallyport", Template: "sallyport.toml", Args: sallyport, Algs: rsESEd, Case: audited, Cached: true, Audit: true},
	}
}

// entriesFor returns those that take part with alg, AlgInvalid for plain proxying: the yardstick first, and its twin last.
func entriesFor(alg jose.Alg) []Entry {
	list := slices.DeleteFunc(entries(), func(e Entry) bool {
		return e.Peer != yardstick && !(e.Case == "" && alg == jose.AlgInvalid) && !slices.Contains(e.Algs, alg)
	})
	twin := list[0]
	twin.Twin = true
	return append(list, twin)
}

// notes is what each peer was told, for the reader of the results; the files in templates say more.
var notes = []struct{ Peer, Note string }{
	{"fasthttp", "`bench/bare`: server and `HostClient`, each request forwarded in place. It checks nothing."},
	{"nginx", "One worker a core, keep-alive to the upstream, no access log. Its open-source edition has no JWT check."},
	{"haproxy", "One thread a core, `http-reuse always`, no log. `jwt_verify` and rules for `iss`, `aud`, `exp`; it has no cache, no EdDSA in this version."},
	{"envoy", "`--concurrency` one a core; request ids, Envoy's header fields and dynamic statistics off. `jwt_authn` with local keys: `iss`, `aud`, `exp`. Cached: `jwt_cache_config` with room for all tokens."},
	{"vmauth", "GOMAXPROCS one a core; CORS, compression and logging off. `public_keys`, `match_claims` for `iss`; it has no `aud` of several values, no cache, no EdDSA."},
	{"caddy-jwt", "GOMAXPROCS one a core; no access log, log at ERROR. `sign_key`, `issuer_whitelist`, `audience_whitelist`; it has no cache."},
	{"sallyport", "GOMAXPROCS one a core, audit log off unless the case says so. `iss`, `aud`, `exp`, `iat`, `typ`, a scope, and two claims as header fields. Never-seen: the claim cache is off."},
}

// caseName is the second column of all tables.
func (e *Entry) caseName(alg jose.Alg) string {
	switch {
	case alg == jose.AlgInvalid:
		return plain
	case e.Case == "":
		return strings.ToLower(alg.String()) + "/" + unchecked
	}
	return strings.ToLower(alg.String()) + "/" + e.Case
}

func (c *Config) path(name string) string { return filepath.Join(c.Dir, name) }

// entryOf returns the entry of a peer in a case; there must be one.
func entryOf(peer, what string) *Entry {
	for _, e := range entries() {
		if e.Peer == peer && e.Case == what {
			return &e
		}
	}
	panic("sallyport: BUG: no entry for " + peer + " " + what)
}
