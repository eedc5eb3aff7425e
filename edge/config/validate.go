package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// A validator checks what binding alone cannot see.
type validator struct {
	*binder
	cfg   *Config
	files Files
}

func (v *validator) config() {
	if len(v.cfg.Listeners) == 0 {
		v.fault("listener", "there is no [[listener]]: nothing would be served")
	}
	if len(v.cfg.Routes) == 0 {
		v.fault("route", "there is no [[route]]: everything would be answered with 404")
	}
	for i := range v.cfg.Listeners {
		v.listener(&v.cfg.Listeners[i], fmt.Sprintf("listener[%d]", i))
	}
	for i := range v.cfg.Issuers {
		v.issuer(&v.cfg.Issuers[i], fmt.Sprintf("issuer[%d]", i))
	}
	for i := range v.cfg.Upstreams {
		v.upstream(&v.cfg.Upstreams[i], fmt.Sprintf("upstream[%d]", i))
	}
	for i := range v.cfg.Routes {
		v.route(&v.cfg.Routes[i], fmt.Sprintf("route[%d]", i))
	}
	v.duplicates()
	v.unreachable()
	v.rest()
}

// oneOf notes a fault unless value is one of allowed.
func (v *validator) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.fault(path, "%q is not known (allowed: %s)", value, strings.Join(allowed, ", "))
	}
}

// within notes a fault unless low ≤ d ≤ high.
func (v *validator) within(path string, d, low, high time.Duration) {
	if d < low || d > high {
		v.fault(path, "%s is out of range (allowed: %s to %s)", d, low, high)
	}
}

func (v *validator) listener(l *Listener, path string) {
	v.address(path+".address", l.Address, true)
	if l.MaxConnections <= 0 {
		v.fault(path+".max_connections", "a listener needs a limit (allowed: 1 or more; each connection takes up to 40 KiB)")
	}
	if l.MaxRequestsPerConn <= 0 {
		v.fault(path+".max_requests_per_connection", "must be 1 or more")
	}
	v.within(path+".read_timeout", l.ReadTimeout, 100*time.Millisecond, time.Hour)
	v.within(path+".write_timeout", l.WriteTimeout, 100*time.Millisecond, time.Hour)
	v.within(path+".idle_timeout", l.IdleTimeout, 100*time.Millisecond, time.Hour)
	if l.TLS == nil {
		return
	}
	v.oneOf(path+".tls.min_version", l.TLS.MinVersion, "1.2", "1.3")
	if len(l.TLS.Certificates) == 0 {
		v.fault(path+".tls", "needs at least one [[listener.tls.certificate]]")
	}
	for i, c := range l.TLS.Certificates {
		at := fmt.Sprintf("%s.tls.certificate[%d]", path, i)
		v.file(at+".cert_file", c.CertFile, true)
		v.secret(at+".key_file", c.KeyFile, true)
	}
}

// address checks host:port; anyHost allows an empty host.
func (v *validator) address(path, address string, anyHost bool) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		if n, perr := strconv.Atoi(port); perr != nil || n < 0 || n > 65535 {
			err = fmt.Errorf("port")
		}
	}
	if err != nil || (host == "" && !anyHost) {
		v.fault(path, "%q is not an address (allowed: host:port, such as \"127.0.0.1:8080\" or \"[::1]:8080\")", address)
	}
}

// file checks that a file can be looked at.
func (v *validator) file(path, name string, required bool) {
	if name == "" {
		if required {
			v.fault(path, "is required: a file's path")
		}
		return
	}
	if v.files == nil {
		return
	}
	if info, err := v.files.Stat(name); err != nil {
		v.fault(path, "cannot look at the file: %v", err)
	} else if !info.Mode().IsRegular() {
		v.fault(path, "%s is not a regular file", name)
	}
}

// secret is file for what others must not read.
func (v *validator) secret(path, name string, required bool) {
	v.file(path, name, required)
	if name == "" || v.files == nil {
		return
	}
	if info, err := v.files.Stat(name); err == nil {
		if err := checkSecret(name, info); err != nil {
			v.fault(path, "%v", err)
		}
	}
}

func (v *validator) issuer(is *Issuer, path string) {
	if is.Issuer == "" {
		v.fault(path+".issuer", "is required: exactly the iss of its tokens")
	}
	if !is.Audiences.Unchecked && len(is.Audiences.Values) == 0 {
		v.fault(path+".audiences", "is required: the values of which aud must have one (allowed: an array of strings; \"unchecked\" gives the check up)")
	}
	if slices.Contains(is.Audiences.Values, "") {
		v.fault(path+".audiences", "an audience is empty")
	}
	v.oneOf(path+".audience_claim", is.AudienceClaim, "aud", "client_id")
	v.oneOf(path+".type", is.Type, "at+jwt", "jwt-or-absent", "any-access")
	v.algorithms(is, path)
	v.keySource(is, path)
	v.claimPath(path+".roles_claim", is.RolesClaim)
	for i, c := range is.RequiredClaims {
		v.claimPath(fmt.Sprintf("%s.required_claims[%d]", path, i), c)
	}
	v.within(path+".clock_skew", is.ClockSkew, 0, 10*time.Minute)
	v.within(path+".refresh_interval", is.RefreshInterval, 10*time.Second, 24*time.Hour)
	v.within(path+".fetch_timeout", is.FetchTimeout, 100*time.Millisecond, time.Minute)
	if is.MaxJWKSBytes < 1<<10 || is.MaxJWKSBytes > 64<<20 {
		v.fault(path+".max_jwks_bytes", "is out of range (allowed: 1KiB to 64MiB)")
	}
	if is.MaxKeys < 1 || is.MaxKeys > 1000 {
		v.fault(path+".max_keys", "is out of range (allowed: 1 to 1000)")
	}
	if is.MaxRSABits < 2048 || is.MaxRSABits > 8192 {
		v.fault(path+".max_rsa_bits", "is out of range (allowed: 2048 to 8192)")
	}
	v.file(path+".ca_file", is.CAFile, false)
}

func (v *validator) algorithms(is *Issuer, path string) {
	if len(is.Algorithms) == 0 {
		v.fault(path+".algorithms", "is required: the algorithms that its tokens may have, such as [\"RS256\"]")
	}
	network := is.Discovery != "" || is.JWKSURI != "" || is.JWKSFile != ""
	for i, name := range is.Algorithms {
		at := fmt.Sprintf("%s.algorithms[%d]", path, i)
		alg := jose.ParseAlg([]byte(name))
		switch {
		case alg == jose.AlgInvalid:
			v.fault(at, "%q is not known (allowed: %s)", name, algNames())
		case alg.Symmetric() && network:
			v.fault(at, "%s is a shared secret: it cannot come from a key set, only from keys with secret_file", name)
		}
	}
}

func algNames() string {
	var names []string
	for a := jose.AlgInvalid + 1; a < jose.NumAlgs; a++ {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}

func (v *validator) keySource(is *Issuer, path string) {
	n := 0
	for _, set := range []bool{is.Discovery != "", is.JWKSURI != "", is.JWKSFile != "", len(is.Keys) > 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		v.fault(path, "needs exactly one source of keys (allowed: discovery, jwks_uri, jwks_file or [[issuer.keys]])")
	}
	switch is.Discovery {
	case "":
	case "oidc", "oauth":
		v.url(path+".issuer", is.Issuer, is.AllowHTTP)
	default:
		v.url(path+".discovery", is.Discovery, is.AllowHTTP)
	}
	if is.JWKSURI != "" {
		v.url(path+".jwks_uri", is.JWKSURI, is.AllowHTTP)
	}
	v.file(path+".jwks_file", is.JWKSFile, false)
	for i := range is.Keys {
		v.inlineKey(is, &is.Keys[i], fmt.Sprintf("%s.keys[%d]", path, i))
	}
}

func (v *validator) url(path, raw string, allowHTTP bool) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		v.fault(path, "%q is not a URL that keys can be fetched from (allowed: https://host/path)", raw)
	case u.Scheme == "http" && !allowHTTP:
		v.fault(path, "%q is not https (allow_http = true permits it, for loopback)", raw)
	case u.Scheme != "https" && u.Scheme != "http":
		v.fault(path, "%q is not https", raw)
	}
}

func (v *validator) inlineKey(is *Issuer, k *InlineKey, path string) {
	n := 0
	for _, s := range []string{k.PEM, k.PEMFile, k.JWK, k.SecretFile} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		v.fault(path, "needs exactly one of pem, pem_file, jwk and secret_file")
		return
	}
	v.file(path+".pem_file", k.PEMFile, false)
	v.secret(path+".secret_file", k.SecretFile, false)
	if k.JWK != "" {
		if k.Kid != "" || k.Algorithm != "" {
			v.fault(path, "kid and algorithm stand in the JWK itself")
		}
		return
	}
	alg := jose.ParseAlg([]byte(k.Algorithm))
	switch {
	case alg == jose.AlgInvalid:
		v.fault(path+".algorithm", "%q is not known; a key without JWK needs its algorithm (allowed: %s)", k.Algorithm, algNames())
	case alg.Symmetric() != (k.SecretFile != ""):
		v.fault(path+".algorithm", "%s does not go with this kind of key: HS256, HS384 and HS512 need secret_file, the others a public key", k.Algorithm)
	case !slices.Contains(is.Algorithms, k.Algorithm):
		v.fault(path+".algorithm", "%s is not in the issuer's algorithms, so the key could never be used", k.Algorithm)
	}
}

func (v *validator) claimPath(path, claim string) {
	if _, err := claims.ParsePath(claim); err != nil {
		v.fault(path, "%q is not a claim (allowed: name, nested.name, or a JSON Pointer such as \"/https:~1~1example.com~1roles\")", claim)
	}
}

func (v *validator) upstream(u *Upstream, path string) {
	if u.Name == "" {
		v.fault(path+".name", "is required")
	}
	if len(u.Endpoints) == 0 {
		v.fault(path+".endpoints", "is required: one host:port or more")
	}
	for i, e := range u.Endpoints {
		v.address(fmt.Sprintf("%s.endpoints[%d]", path, i), e, false)
		if slices.Index(u.Endpoints, e) < i {
			v.fault(fmt.Sprintf("%s.endpoints[%d]", path, i), "%q is there twice", e)
		}
	}
	v.oneOf(path+".balance", u.Balance, "least_loaded")
	if u.MaxConnections < 1 {
		v.fault(path+".max_connections", "must be 1 or more")
	}
	v.within(path+".connect_timeout", u.ConnectTimeout, 10*time.Millisecond, time.Minute)
	v.within(path+".response_timeout", u.ResponseTimeout, 10*time.Millisecond, time.Hour)
	v.within(path+".idle_timeout", u.IdleTimeout, 100*time.Millisecond, 24*time.Hour)
	v.within(path+".health.eject_for", u.Health.EjectFor, time.Second, time.Hour)
	if u.TLS != nil {
		v.oneOf(path+".tls.min_version", u.TLS.MinVersion, "1.2", "1.3")
		v.file(path+".tls.ca_file", u.TLS.CAFile, false)
	}
}

// rest checks the tables that stand alone.
func (v *validator) rest() {
	a := &v.cfg.Audit
	v.oneOf("audit.when_full", a.WhenFull, "drop", "refuse")
	if a.Output == "" {
		v.fault("audit.output", "is empty (allowed: stdout, stderr, off, or a file's path)")
	}
	if a.Buffer < 16 || a.Buffer > 1<<20 {
		v.fault("audit.buffer", "is out of range (allowed: 16 to 1048576 records)")
	}
	v.oneOf("log.level", v.cfg.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", v.cfg.Log.Format, "json", "text")
	v.admin(&v.cfg.Admin)
	l := &v.cfg.Limits
	if l.Header < 1<<10 || l.Header > 1<<20 {
		v.fault("limits.header", "is out of range (allowed: 1KiB to 1MiB)")
	}
	if l.Token < 256 || l.Token >= l.Header {
		v.fault("limits.token", "is out of range (allowed: 256B to less than limits.header)")
	}
	if l.HeaderFields < 8 || l.HeaderFields > 1000 {
		v.fault("limits.header_fields", "is out of range (allowed: 8 to 1000)")
	}
	if l.Body < 1 {
		v.fault("limits.body", "must be 1B or more")
	}
	v.within("limits.drain_timeout", l.DrainTimeout, 0, time.Hour)
}

func (v *validator) admin(a *Admin) {
	if a.Address == "" {
		return
	}
	v.address("admin.address", a.Address, true)
	v.secret("admin.token_file", a.TokenFile, false)
	host, _, _ := net.SplitHostPort(a.Address)
	ip, err := netip.ParseAddr(host)
	if local := host == "localhost" || (err == nil && ip.IsLoopback()); !local && a.TokenFile == "" {
		v.fault("admin.address", "%q can be reached from outside: set token_file, or use a loopback address", a.Address)
	}
}
