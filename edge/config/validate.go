package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A validator checks what binding alone cannot see.
type validator struct {
	*binder
	cfg   *Config
	files Files

	issuers, upstreams map[string]bool // by name
}

func (v *validator) config() {
	v.issuers, v.upstreams = map[string]bool{}, map[string]bool{}
	for i := range v.cfg.Issuers {
		v.issuers[v.cfg.Issuers[i].Issuer] = true
	}
	for i := range v.cfg.Upstreams {
		v.upstreams[v.cfg.Upstreams[i].Name] = true
	}
	if len(v.cfg.Listeners) == 0 {
		v.fault("listener", "there is no [[listener]]: nothing would be served")
	}
	if len(v.cfg.Routes) == 0 {
		v.fault("route", "there is no [[route]]: everything would be answered with 404")
	}
	v.addresses()
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
	v.tokenHeaders()
	v.audit(&v.cfg.Audit)
	v.oneOf("log.level", v.cfg.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", v.cfg.Log.Format, "json", "text")
	v.admin(&v.cfg.Admin)
	v.written("revocation.file", v.cfg.Revocation.File, fs.ModeType)
	v.limits(&v.cfg.Limits)
	if size := v.cfg.Cache.Size; size != 0 && (size < 64<<10 || size > 64<<30) {
		v.fault("cache.size", "is out of range (allowed: 64KiB to 64GiB, or \"0\" to turn the cache off)")
	}
	v.number("verification.queue", v.cfg.Verification.Queue, 16, 1<<20)
	v.number("verification.queue_per_source", v.cfg.Verification.QueuePerSource, 1, 1<<20)
	v.within("verification.max_wait", v.cfg.Verification.MaxWait, time.Millisecond, 30*time.Second)
	v.within("verification.key_wait", v.cfg.Verification.KeyWait, 0, 30*time.Second)
	v.number("verification.key_waiting", v.cfg.Verification.KeyWaiting, 1, 1<<20)
	v.number("verification.key_waiting_per_source", v.cfg.Verification.KeyWaitingPerSource, 1, 1<<20)
	if v.cfg.Verification.KeyTables > 64<<30 {
		v.fault("verification.key_tables", "is out of range (allowed: \"0\" to 64GiB)")
	}
}

// at is the path of a key in an array of tables.
func (v *validator) at(table string, i int, key string) string {
	return fmt.Sprintf("%s[%d].%s", table, i, key)
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

// seconds is within for what is counted in whole seconds: half a second would become none.
func (v *validator) seconds(path string, d, low, high time.Duration) {
	if d%time.Second != 0 {
		v.fault(path, "%s is not a whole number of seconds", d)
		return
	}
	v.within(path, d, low, high)
}

// number notes a fault unless low ≤ n ≤ high.
func (v *validator) number(path string, n, low, high int) {
	if n < low || n > high {
		v.fault(path, "%d is out of range (allowed: %d to %d)", n, low, high)
	}
}

// once notes a fault for each element of list that is there before.
func (v *validator) once(path string, list []string) {
	first := make(map[string]bool, len(list))
	for i, s := range list {
		if first[s] {
			v.fault(fmt.Sprintf("%s[%d]", path, i), "%q is there twice", s)
		}
		first[s] = true
	}
}

// name checks what stands in metrics, logs and references.
func (v *validator) name(path, name string) {
	if len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return c > 0x7f || !isAlnum(byte(c)) && !strings.ContainsRune("._-", c) }) {
		v.fault(path, "%q is not a name (allowed: 1 to 64 of letters, digits, \".\", \"_\" and \"-\")", name)
	}
}

func (v *validator) listener(l *Listener, path string) {
	if l.MaxConnections < 1 {
		v.fault(path+".max_connections", "a listener needs a limit (allowed: 1 or more; each connection takes up to 40 KiB)")
	}
	if l.MaxRequestsPerConn < 1 {
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
		v.fault(path+".tls.certificate", "is required: at least one [[listener.tls.certificate]]")
	}
	for i, c := range l.TLS.Certificates {
		at := fmt.Sprintf("%s.tls.certificate[%d]", path, i)
		if c.CertFile == "" {
			v.fault(at+".cert_file", "is required: a file's path")
		}
		if c.KeyFile == "" {
			v.fault(at+".key_file", "is required: a file's path")
		}
		v.file(at+".cert_file", c.CertFile)
		v.secret(at+".key_file", c.KeyFile)
	}
}

func (v *validator) upstream(u *Upstream, path string) {
	if u.Name == "" {
		v.fault(path+".name", "is required: what routes call it")
	}
	v.name(path+".name", u.Name)
	if len(u.Endpoints) == 0 {
		v.fault(path+".endpoints", "is required: one host:port or more")
	}
	first := map[hostPort]bool{}
	for i, e := range u.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", path, i)
		a, ok := v.endpoint(at, e)
		if ok && first[a] {
			v.fault(at, "%q is there twice", e)
		}
		first[a] = true
	}
	v.oneOf(path+".balance", u.Balance, "least_loaded")
	if u.MaxConnections < 1 {
		v.fault(path+".max_connections", "must be 1 or more")
	}
	v.within(path+".connect_timeout", u.ConnectTimeout, 10*time.Millisecond, time.Minute)
	v.within(path+".response_timeout", u.ResponseTimeout, 10*time.Millisecond, time.Hour)
	v.within(path+".idle_timeout", u.IdleTimeout, 100*time.Millisecond, 24*time.Hour)
	v.seconds(path+".health.eject_for", u.Health.EjectFor, time.Second, time.Hour)
	if u.TLS != nil {
		v.oneOf(path+".tls.min_version", u.TLS.MinVersion, "1.2", "1.3")
		v.file(path+".tls.ca_file", u.TLS.CAFile)
		if n := u.TLS.ServerName; n != "" {
			if _, err := netip.ParseAddr(n); err != nil && !isHostName(n) {
				v.fault(path+".tls.server_name", "%q is not a host's name", n)
			}
		}
	}
}

func (v *validator) audit(a *Audit) {
	v.oneOf("audit.when_full", a.WhenFull, "drop", "refuse")
	v.number("audit.buffer", a.Buffer, 16, 1<<20)
	switch {
	case a.Output == "stdout", a.Output == "stderr", a.Output == "off":
		return
	case !strings.ContainsAny(a.Output, "/."):
		v.fault("audit.output", "%q is not known (allowed: stdout, stderr, off, or a path with a slash or a dot in it)", a.Output)
		return
	}
	v.written("audit.output", a.Output, fs.ModeDir|fs.ModeSocket)
}

// written checks what can be checked of a file that is to be written to, and may not be there yet. It is none of the kinds not.
func (v *validator) written(key, path string, not fs.FileMode) {
	if v.files == nil || path == "" {
		return
	}
	switch info, err := v.files.Stat(path); {
	case err == nil && info.Mode()&not != 0:
		v.fault(key, "%s is not a file that can be written to", path)
	case err != nil:
		if dir, err := v.files.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
			v.fault(key, "there is no folder %s to write it to", filepath.Dir(path))
		}
	}
}

func (v *validator) admin(a *Admin) {
	v.secret("admin.token_file", a.TokenFile)
	if at, ok := parseAddress(a.Address); ok && !at.isLoopback() && a.TokenFile == "" {
		v.fault("admin.address", "%q can be reached from outside: set token_file, or use a loopback address", a.Address)
	}
}

func (v *validator) limits(l *Limits) {
	if l.Header < 1<<10 || l.Header > 1<<20 {
		v.fault("limits.header", "is out of range (allowed: 1KiB to 1MiB)")
	}
	if l.Token < 256 || l.Token >= l.Header {
		v.fault("limits.token", "is out of range (allowed: 256B to less than limits.header)")
	}
	v.number("limits.header_fields", l.HeaderFields, 8, 1000)
	v.within("limits.drain_timeout", l.DrainTimeout, 0, time.Hour)
}
