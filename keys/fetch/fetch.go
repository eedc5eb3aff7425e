// Package fetch keeps an issuer's keys current over HTTP: OIDC discovery, JWKS, refresh in the background.
//
// No request ever fetches. A Source is asked for nothing but hints; its one loop decides when to go out (SECURITY notes 2.5).
//
// A provider's answers are not trusted to be answers: size, time, redirects and addresses are bounded, and nothing of them is
// logged but short, quoted pieces. Names of URLs in errors and logs are without query and credentials.
package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// Config says where an issuer's keys are. Exactly one of Discovery and JWKSURI is set.
type Config struct {
	Issuer          string
	Discovery       string // "oidc", "oauth", or the URL of the metadata document
	JWKSURI         string
	AllowHTTP       bool // http:// too; a learned jwks_uri may lead to loopback, for the demo and for tests
	AllowPrivate    bool // a jwks_uri learned from discovery may lead to any address
	RootCAs         *x509.CertPool
	CAFile          string // where RootCAs came from; for Equal
	CAData          string // and what it held; for Equal
	Algs            jose.AlgSet
	RefreshInterval time.Duration // between refreshes, where the provider does not say less
	Timeout         time.Duration // for one fetch, discovery included
	MinHintInterval time.Duration // between fetches that hints ask for
	MaxBytes        int64         // of one document
	MaxKeys         int
	MaxRSABits      int
}

// Equal reports whether a Source made of c is as good for o.
func (c Config) Equal(o Config) bool {
	c.RootCAs, o.RootCAs = nil, nil
	return c == o
}

// Bounds of the refresh loop.
const (
	minRefresh   = 10 * time.Second // whatever Cache-Control says
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// Source holds the keys of one issuer and keeps them current while Run runs.
type Source struct {
	cfg      Config
	log      *slog.Logger
	client   *http.Client
	learned  *http.Client // for URLs that came from discovery
	interner *keys.Interner
	store    verify.KeyStore
	hint     chan struct{}
	missing  missingKeys

	fetches, failures atomic.Uint64

	mu          sync.Mutex // guards what follows
	present     *round     // those who wait for the fetch that is under way, or was the last
	next        *round     // those who wait for the next one that begins
	failing     bool       // the last fetch failed
	lastGood    time.Time
	lastError   string
	skipped     int
	lastSkipped string
}

// Status is a Source as metrics and /readyz show it.
type Status struct {
	Issuer            string
	Keys, Skipped     int
	Age               time.Duration // since the last good fetch; 0 before the first
	Fetches, Failures uint64
	LastError         string
	Ready             bool
}

// New makes a Source. It contacts nobody; Run does.
func New(cfg Config, log *slog.Logger) (*Source, error) {
	if (cfg.Discovery == "") == (cfg.JWKSURI == "") {
		return nil, fmt.Errorf("fetch: issuer %q: exactly one of discovery and jwks_uri is needed", cfg.Issuer)
	}
	switch {
	case cfg.Issuer == "":
		return nil, errors.New("fetch: an issuer has no name, so no document can be told to be its own")
	case cfg.RefreshInterval <= 0 || cfg.Timeout <= 0 || cfg.MinHintInterval <= 0:
		// Without them the loop would never pause, or never succeed.
		return nil, fmt.Errorf("fetch: issuer %q: refresh interval, timeout and hint interval must be above zero", cfg.Issuer)
	case cfg.MaxBytes <= 0:
		return nil, fmt.Errorf("fetch: issuer %q: no bound for the size of a document", cfg.Issuer)
	}
	s := &Source{cfg: cfg, log: log, interner: keys.NewInterner(), hint: make(chan struct{}, 1), present: newRound(), next: newRound()}
	s.client, s.learned = newClient(cfg, false), newClient(cfg, true)
	first := cfg.JWKSURI
	if cfg.Discovery != "" {
		var err error
		if first, err = discoveryURL(cfg); err != nil {
			return nil, err
		}
	}
	if err := checkURL(first, cfg.AllowHTTP); err != nil {
		return nil, fmt.Errorf("fetch: issuer %q: %w", cfg.Issuer, err)
	}
	return s, nil
}

// Keys returns the store that refreshes write to.
func (s *Source) Keys() *verify.KeyStore { return &s.store }

// Config returns what the Source was made of.
func (s *Source) Config() Config { return s.cfg }

// Hint says that a token named an unknown kid. It never blocks; the loop fetches at most once in MinHintInterval.
func (s *Source) Hint() {
	select {
	case s.hint <- struct{}{}:
	default:
	}
}

// Status returns the present state.
func (s *Source) Status() Status {
	st := Status{Issuer: s.cfg.Issuer, Fetches: s.fetches.Load(), Failures: s.failures.Load()}
	if set := s.store.Load(); set != nil {
		st.Keys, st.Ready = set.Len(), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Skipped, st.LastError = s.skipped, s.lastError
	if !s.lastGood.IsZero() {
		st.Age = time.Since(s.lastGood)
	}
	return st
}

// Run fetches at once and then refreshes until ctx ends, whose error it returns. A failed fetch keeps the last good keys and
// is tried again after 1 s, doubling up to a minute; delays are jittered by an eighth so that a fleet does not fetch in step.
func (s *Source) Run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	defer s.learned.CloseIdleConnections()
	backoff := firstBackoff
	for {
		// A hint is answered by the first fetch that begins after it. One that comes while a fetch is on its way stays: the
		// provider may have answered before it had the key.
		select {
		case <-s.hint:
		default:
		}
		s.begin()
		began := time.Now()
		next, err := s.refresh(ctx)
		s.end(err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.failed(err, backoff)
			next = backoff
			backoff = min(2*backoff, maxBackoff)
		} else {
			backoff = firstBackoff
		}
		if err := s.wait(ctx, jitter(next), began, err != nil); err != nil {
			return err
		}
	}
}

// wait sleeps for d, or until a hint, which is heard MinHintInterval after the last fetch began at the earliest. While fetches
// fail, hints change nothing: the back-off stands, and the try that ends it answers them.
func (s *Source) wait(ctx context.Context, d time.Duration, began time.Time, failing bool) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	earliest := time.NewTimer(s.cfg.MinHintInterval - time.Since(began))
	defer earliest.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	case <-earliest.C:
	}
	hint := s.hint
	if failing {
		hint = nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-hint:
	}
	return nil
}

// jitter returns d shortened by up to an eighth.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/8+1))
}

// maxErrorText bounds an error's text in octets. It may quote what a provider sent: a status line, the names in a
// certificate, a URL.
const maxErrorText = 512

func errorText(err error) string {
	text := err.Error()
	if len(text) <= maxErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorText], "") + "…"
}

func (s *Source) failed(err error, retry time.Duration) {
	text := errorText(err)
	s.failures.Add(1)
	s.mu.Lock()
	again := s.lastError == text
	s.lastError = text
	s.mu.Unlock()
	level := slog.LevelError
	if again {
		level = slog.LevelDebug // the first time says it all; the metric counts
	}
	keep := "the last good keys stay in use"
	if s.store.Load() == nil {
		keep = "there are no keys yet, so tokens of this issuer are answered with 503"
	}
	s.log.Log(context.Background(), level, "keys: cannot fetch; "+keep, "issuer", s.cfg.Issuer, "error", text, "retry_in", retry)
}

// refresh fetches once and replaces the set. It returns when to fetch next.
func (s *Source) refresh(ctx context.Context) (time.Duration, error) {
	s.fetches.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	uri, client := s.cfg.JWKSURI, s.client
	if s.cfg.Discovery != "" {
		var err error
		if uri, err = s.discover(ctx); err != nil {
			return 0, err
		}
		client = s.learned
	}
	doc, err := s.get(ctx, client, uri)
	if err != nil {
		return 0, err
	}
	parsed, err := keys.ParseJWKS(doc.body, keys.Options{
		Algs: s.cfg.Algs, MaxKeys: s.cfg.MaxKeys, MaxRSABits: s.cfg.MaxRSABits, Intern: s.interner,
	})
	if err != nil {
		return 0, fmt.Errorf("fetch: %s: %w", shown(uri), err)
	}
	if len(parsed.Entries) == 0 {
		// An empty set would refuse everybody; a provider has no use for one. It is taken for a fault, loudly.
		return 0, fmt.Errorf("fetch: %s holds no usable key (%d skipped%s)", shown(uri), len(parsed.Skipped), firstWhy(parsed.Skipped))
	}
	s.replace(parsed)
	next := s.cfg.RefreshInterval
	if doc.maxAge > 0 {
		next = max(min(next, doc.maxAge), minRefresh)
	}
	return next, nil
}

func firstWhy(skipped []keys.Skipped) string {
	if len(skipped) == 0 {
		return ""
	}
	return ", the first because " + skipped[0].Why
}

// replace puts the fetched keys in force: a key that is no longer there is refused from now on.
func (s *Source) replace(parsed keys.Parsed) {
	set := verify.NewKeySet(parsed.Entries)
	old := s.store.Load()
	s.store.Store(set)
	s.interner.Sweep(set)
	set.Precompute() // the keys serve meanwhile, by the standard library
	why := ""
	for _, sk := range parsed.Skipped {
		why += fmt.Sprintf("%d: %s; ", sk.Index, sk.Why)
	}
	s.mu.Lock()
	recovered := s.lastError != ""
	changed := why != s.lastSkipped
	s.lastGood, s.lastError, s.skipped, s.lastSkipped = time.Now(), "", len(parsed.Skipped), why
	s.mu.Unlock()
	if changed {
		for _, sk := range parsed.Skipped {
			s.log.Warn("keys: key skipped", "issuer", s.cfg.Issuer, "index", sk.Index, "why", sk.Why)
		}
	}
	if old == nil || recovered {
		s.log.Info("keys: fetched", "issuer", s.cfg.Issuer, "keys", set.Len(), "skipped", len(parsed.Skipped))
	}
}

// discoveryURL returns where the metadata is: OpenID Connect Discovery, 4, appends its path to the issuer, RFC 8414, 3, puts
// it between host and path.
func discoveryURL(cfg Config) (string, error) {
	if cfg.Discovery != "oidc" && cfg.Discovery != "oauth" {
		return cfg.Discovery, nil
	}
	if err := checkURL(cfg.Issuer, cfg.AllowHTTP); err != nil {
		return "", fmt.Errorf("fetch: nothing can be discovered from the issuer: %w", err)
	}
	if strings.ContainsAny(cfg.Issuer, "?#") {
		// OpenID Connect Discovery, 3; RFC 8414, 2: an issuer has no query and no fragment.
		return "", fmt.Errorf("fetch: issuer %q has a query or a fragment, so nothing can be discovered", cfg.Issuer)
	}
	if cfg.Discovery == "oidc" {
		return trimSlash(cfg.Issuer) + "/.well-known/openid-configuration", nil
	}
	// The path is moved as it is written, escapes included.
	afterScheme := strings.Index(cfg.Issuer, "://") + len("://")
	origin, path := cfg.Issuer, ""
	if i := strings.IndexByte(cfg.Issuer[afterScheme:], '/'); i >= 0 {
		origin, path = cfg.Issuer[:afterScheme+i], cfg.Issuer[afterScheme+i:]
	}
	return origin + "/.well-known/oauth-authorization-server" + trimSlash(path), nil
}

func trimSlash(s string) string {
	if n := len(s); n > 0 && s[n-1] == '/' {
		return s[:n-1]
	}
	return s
}

// checkURL permits absolute https URLs without credentials, and http ones where the config does. Its errors show raw only
// where it can hold no credentials.
func checkURL(raw string, allowHTTP bool) error {
	u, err := url.Parse(raw)
	switch {
	case strings.Contains(raw, "@") && (err != nil || u.Host == "" || u.User != nil):
		return errors.New("the URL must not hold credentials")
	case err != nil || u.Hostname() == "":
		name, _, _ := strings.Cut(raw, "?")
		return fmt.Errorf("%.200q is not an absolute URL", name)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && allowHTTP:
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%.200q is not https; allow_http = true permits it, for loopback", shown(raw))
	}
	return fmt.Errorf("%.200q is not an https URL", shown(raw))
}

// shown is a URL as errors and logs show it. A query may hold an API key.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.String()
}
