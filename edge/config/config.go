// Package config reads sallyport's one TOML file: strictly, purely, and naming every fault with its line.
package config

import (
	"net/netip"
	"time"
)

// Size is a number of bytes, written with its unit: "512B", "16KiB", "10MiB", "1GiB".
type Size int64

// Config is everything that one file says.
type Config struct {
	Listeners []Listener `toml:"listener"`
	Issuers   []Issuer   `toml:"issuer"`
	Routes    []Route    `toml:"route"`
	Upstreams []Upstream `toml:"upstream"`
	Audit     Audit      `toml:"audit"`
	Log       Log        `toml:"log"`
	Admin     Admin      `toml:"admin"`
	Limits    Limits     `toml:"limits"`

	file  string    // for Lint
	lines lineIndex // for Lint
}

type Listener struct {
	Address             string         `toml:"address"`
	MaxConnections      int            `toml:"max_connections"` // required
	MaxConnectionsPerIP int            `toml:"max_connections_per_ip"`
	MaxRequestsPerConn  int            `toml:"max_requests_per_connection"`
	ReadTimeout         time.Duration  `toml:"read_timeout"`
	WriteTimeout        time.Duration  `toml:"write_timeout"`
	IdleTimeout         time.Duration  `toml:"idle_timeout"`
	TrustedProxies      []netip.Prefix `toml:"trusted_proxies"`
	TLS                 *ListenerTLS   `toml:"tls"`
}

type ListenerTLS struct {
	MinVersion   string        `toml:"min_version"` // "1.2" (default) or "1.3"
	Certificates []Certificate `toml:"certificate"` // chosen by SNI; the first is the default
}

type Certificate struct {
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
}

type Issuer struct {
	Issuer          string        `toml:"issuer"`
	Audiences       Audiences     `toml:"audiences"`      // ["a","b"], or the string "unchecked"
	AudienceClaim   string        `toml:"audience_claim"` // "aud" (default) or "client_id"
	Algorithms      []string      `toml:"algorithms"`
	Discovery       string        `toml:"discovery"` // "oidc", "oauth" or an URL
	JWKSURI         string        `toml:"jwks_uri"`
	JWKSFile        string        `toml:"jwks_file"`
	Keys            []InlineKey   `toml:"keys"`
	ClockSkew       time.Duration `toml:"clock_skew"`
	MaxLifetime     time.Duration `toml:"max_lifetime"`
	Type            string        `toml:"type"` // "at+jwt" (default), "jwt-or-absent" (JWT, or no typ), "any-access" (at+jwt, JWT or no typ)
	RequiredClaims  []string      `toml:"required_claims"`
	RolesClaim      string        `toml:"roles_claim"` // claim path, default "roles"
	AllowHTTP       bool          `toml:"allow_http"`
	AllowPrivate    bool          `toml:"allow_private_addresses"` // learned jwks_uri may resolve to private addresses
	CAFile          string        `toml:"ca_file"`
	RefreshInterval time.Duration `toml:"refresh_interval"`
	FetchTimeout    time.Duration `toml:"fetch_timeout"`
	MaxJWKSBytes    Size          `toml:"max_jwks_bytes"`
	MaxKeys         int           `toml:"max_keys"`
	MaxRSABits      int           `toml:"max_rsa_bits"`
	Optional        bool          `toml:"optional"` // /readyz does not wait for its keys
}

// Audiences is the accepted aud values, or Unchecked.
type Audiences struct {
	Values    []string
	Unchecked bool
}

// InlineKey is one key in the file itself; exactly one of its sources is set.
type InlineKey struct {
	Kid        string `toml:"kid"`
	Algorithm  string `toml:"algorithm"`   // required for PEM and secret
	PEM        string `toml:"pem"`         // public key or certificate, text
	PEMFile    string `toml:"pem_file"`    // the same from a file
	JWK        string `toml:"jwk"`         // a public JWK, JSON text
	SecretFile string `toml:"secret_file"` // HS*: raw bytes of the file are the key; mode 0600 or stricter
}

type Route struct {
	Name          string            `toml:"name"`
	Host          string            `toml:"host"` // "" or absent: any; "*.example.com": one or more labels
	Path          string            `toml:"path"` // "/a/b": exact; "/a/*": /a and all below it; "/*": all
	Methods       []string          `toml:"methods"`
	Public        bool              `toml:"public"`
	CORSPreflight bool              `toml:"cors_preflight"`
	Issuers       []string          `toml:"issuers"` // by [[issuer]] issuer; empty: all
	Require       Require           `toml:"require"`
	TokenHeader   string            `toml:"token_header"` // instead of Authorization: Bearer
	TokenCookie   string            `toml:"token_cookie"` // instead of Authorization: Bearer
	ForwardToken  bool              `toml:"forward_token"`
	ClaimHeaders  map[string]string `toml:"claim_headers"` // header name → claim path
	Upstream      string            `toml:"upstream"`
	MaxBody       Size              `toml:"max_body"`
	BodyOnGet     bool              `toml:"body_on_get"` // allow a body on GET, HEAD, DELETE, OPTIONS
	Realm         string            `toml:"realm"`
	PreserveHost  *bool             `toml:"preserve_host"` // default true
}

type Require struct {
	Scopes []string            `toml:"scopes"` // all of
	Roles  []string            `toml:"roles"`  // any of
	Claims map[string][]string `toml:"claims"` // claim path → any of these values
}

type Upstream struct {
	Name            string        `toml:"name"`
	Endpoints       []string      `toml:"endpoints"` // host:port
	Balance         string        `toml:"balance"`   // "least_loaded"
	TLS             *UpstreamTLS  `toml:"tls"`
	ConnectTimeout  time.Duration `toml:"connect_timeout"`
	ResponseTimeout time.Duration `toml:"response_timeout"` // until the response head
	IdleTimeout     time.Duration `toml:"idle_timeout"`     // also bounds a silent body
	MaxConnections  int           `toml:"max_connections"`  // per endpoint
	Health          Health        `toml:"health"`
}

type UpstreamTLS struct {
	CAFile     string `toml:"ca_file"`
	ServerName string `toml:"server_name"`
	MinVersion string `toml:"min_version"`
}

// Health is passive ejection.
type Health struct {
	EjectAfter int           `toml:"eject_after"` // consecutive failures
	EjectFor   time.Duration `toml:"eject_for"`
}

type Audit struct {
	Output    string `toml:"output"`    // "stdout", "stderr", "off" or a file's path
	WhenFull  string `toml:"when_full"` // "drop" or "refuse"
	Buffer    int    `toml:"buffer"`    // records
	WithQuery bool   `toml:"with_query"`
}

type Log struct {
	Level  string `toml:"level"`  // debug, info, warn, error
	Format string `toml:"format"` // json, text
}

type Admin struct {
	Address   string `toml:"address"` // "" turns it off; default "127.0.0.1:9901"
	Pprof     bool   `toml:"pprof"`
	TokenFile string `toml:"token_file"`
}

type Limits struct {
	Token        Size          `toml:"token"`         // default 16KiB
	Header       Size          `toml:"header"`        // default 32KiB, request line and fields
	HeaderFields int           `toml:"header_fields"` // default 100
	Body         Size          `toml:"body"`          // default 10MiB; a route's max_body overrides
	DrainTimeout time.Duration `toml:"drain_timeout"` // SIGTERM: default 30s
}
