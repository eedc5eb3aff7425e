package config

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func (c *Config) setDefaults() {
	c.Audit.setDefaults()
	c.Log.setDefaults()
	c.Admin.setDefaults()
	c.Limits.setDefaults()
	c.Cache.setDefaults()
	c.Verification.setDefaults()
}

func (l *Listener) setDefaults() {
	l.MaxRequestsPerConn = 10_000
	l.ReadTimeout, l.WriteTimeout, l.IdleTimeout = 10*time.Second, 30*time.Second, time.Minute
}

func (t *ListenerTLS) setDefaults() { t.MinVersion = "1.2" }

func (i *Issuer) setDefaults() {
	i.AudienceClaim, i.Type, i.RolesClaim = "aud", "at+jwt", "roles"
	i.ClockSkew = 30 * time.Second
	i.RefreshInterval, i.FetchTimeout = 10*time.Minute, 5*time.Second
	i.MaxJWKSBytes, i.MaxKeys, i.MaxRSABits = 512<<10, 100, 4096
}

func (r *Route) setDefaults() { r.MaxBody, r.Realm = unset, "sallyport" }

// unset marks a size whose default is another key's value. Zero would not do: "0B" is a limit.
const unset Size = -1

func (u *Upstream) setDefaults() {
	u.Balance = "least_loaded"
	u.ConnectTimeout, u.ResponseTimeout, u.IdleTimeout = 2*time.Second, 30*time.Second, time.Minute
	u.MaxConnections = 512
	u.Health.setDefaults()
}

func (t *UpstreamTLS) setDefaults() { t.MinVersion = "1.2" }

func (h *Health) setDefaults() { h.EjectAfter, h.EjectFor = 5, 10*time.Second }

func (a *Audit) setDefaults() { a.Output, a.WhenFull, a.Buffer = "stdout", "drop", 16384 }

func (l *Log) setDefaults() { l.Level, l.Format = "info", "json" }

func (a *Admin) setDefaults() { a.Address = "127.0.0.1:9901" }

func (c *Cache) setDefaults() { c.Size = 64 << 20 }

func (v *Verification) setDefaults() {
	v.Queue, v.QueuePerSource, v.MaxWait, v.KeyTables = 4096, 256, time.Second, 64<<20
	v.KeyWait, v.KeyWaiting, v.KeyWaitingPerSource = 3*time.Second, 1024, 512
}

func (l *Limits) setDefaults() {
	l.Token, l.Header, l.HeaderFields, l.Body = 16<<10, 32<<10, 100, 10<<20
	l.DrainTimeout = 30 * time.Second
}

// finish fills in what depends on other keys and makes relative paths relative to dir, the config file's folder.
func (c *Config) finish(dir string) {
	resolve := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i := range c.Listeners {
		if t := c.Listeners[i].TLS; t != nil {
			for j := range t.Certificates {
				resolve(&t.Certificates[j].CertFile)
				resolve(&t.Certificates[j].KeyFile)
			}
		}
	}
	for i := range c.Issuers {
		is := &c.Issuers[i]
		resolve(&is.JWKSFile)
		resolve(&is.CAFile)
		for j := range is.Keys {
			resolve(&is.Keys[j].PEMFile)
			resolve(&is.Keys[j].SecretFile)
		}
	}
	for i := range c.Upstreams {
		if t := c.Upstreams[i].TLS; t != nil {
			resolve(&t.CAFile)
		}
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Name == "" {
			r.Name = "route-" + strconv.Itoa(i+1)
		}
		if r.MaxBody == unset {
			r.MaxBody = c.Limits.Body
		}
		if r.PreserveHost == nil {
			yes := true
			r.PreserveHost = &yes
		}
	}
	resolve(&c.Admin.TokenFile)
	resolve(&c.Revocation.File)
	if strings.ContainsAny(c.Audit.Output, "/.") { // else it is a word
		resolve(&c.Audit.Output)
	}
}
