package fetch

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// A provider is an identity provider on loopback whose every answer the test decides.
type provider struct {
	*httptest.Server
	url string // without a slash at the end

	mu    sync.Mutex
	paths map[string]http.HandlerFunc
	hits  map[string]int
	conns map[net.Conn]http.ConnState
}

func newProvider(t testing.TB, secure bool) *provider {
	t.Helper()
	p := &provider{paths: map[string]http.HandlerFunc{}, hits: map[string]int{}, conns: map[net.Conn]http.ConnState{}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.hits[r.URL.Path]++
		h := p.paths[r.URL.Path]
		p.mu.Unlock()
		if h == nil {
			http.NotFound(w, r)
			return
		}
		h(w, r)
	}))
	p.Config.ConnState = func(c net.Conn, s http.ConnState) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns[c] = s
	}
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshakes that the tests refuse
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	// Close waits for the handlers, which end when their client has gone: a fetch that leaks its connection hangs here.
	t.Cleanup(p.Server.Close)
	p.url = p.URL
	return p
}

// on sets the answer for path.
func (p *provider) on(path string, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paths[path] = h
}

func (p *provider) hitsOf(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[path]
}

// connections returns how many there have been, and how many of them are open.
func (p *provider) connections() (all, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.conns {
		if s != http.StateClosed && s != http.StateHijacked {
			open++
		}
	}
	return len(p.conns), open
}

// text answers 200 with body.
func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}
}

// raw takes the connection over and writes what is given, piece by piece, then closes.
func raw(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		for _, s := range pieces {
			if _, err := c.Write([]byte(s)); err != nil {
				return
			}
		}
	}
}

// endless takes the connection over and writes head, and then piece until the client has had enough.
func endless(head, piece string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		_, err = c.Write([]byte(head))
		for err == nil {
			_, err = c.Write([]byte(piece))
		}
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// discovery answers with metadata of issuer.
func discovery(issuer, jwksURI string) http.HandlerFunc {
	b, err := json.Marshal(map[string]any{"issuer": issuer, "jwks_uri": jwksURI, "authorization_endpoint": issuer + "/authorize"})
	if err != nil {
		panic(err)
	}
	return text(string(b))
}

// A testKey is a key pair with what a provider publishes of it.
type testKey struct {
	*demo.Signer
	jwk map[string]any
}

func newKey(t testing.TB, kid string) testKey {
	t.Helper()
	s, err := demo.NewSigner(jose.ES256, kid, 0)
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.JWK(false)
	if err != nil {
		t.Fatal(err)
	}
	return testKey{s, j}
}

// in returns the Key that set has under k's kid, if it is really k's.
func (k testKey) in(t testing.TB, set *verify.KeySet) *verify.Key {
	t.Helper()
	if set == nil {
		return nil
	}
	key := set.Lookup([]byte(k.Kid), true, jose.ES256)
	if key == nil {
		return nil
	}
	sig, err := k.Signature([]byte("a.b"))
	if err != nil {
		t.Fatal(err)
	}
	if !key.VerifySignature([]byte("a.b"), sig) {
		return nil
	}
	return key
}

func jwks(list ...testKey) string {
	ks := []any{}
	for _, k := range list {
		ks = append(ks, k.jwk)
	}
	b, err := json.Marshal(map[string]any{"keys": ks})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// config is for a provider's /jwks; tests change what they are about. The timeout is long: a loaded machine must not be taken
// for a bad provider.
func (p *provider) config() Config {
	cfg := Config{
		Issuer: p.url, JWKSURI: p.url + "/jwks", Algs: jose.NewAlgSet(jose.ES256),
		RefreshInterval: time.Hour, Timeout: time.Minute, MinHintInterval: time.Second, MaxBytes: 64 << 10, MaxKeys: 10,
	}
	if p.TLS == nil {
		cfg.AllowHTTP = true
	} else {
		cfg.RootCAs = x509.NewCertPool()
		cfg.RootCAs.AddCert(p.Certificate())
	}
	return cfg
}

// discovered is config with OIDC discovery.
func (p *provider) discovered() Config {
	cfg := p.config()
	cfg.JWKSURI, cfg.Discovery = "", "oidc"
	return cfg
}

const oidcPath = "/.well-known/openid-configuration"

// A journal is a log that can be read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// newSource makes a Source and the journal of all that it logs.
func newSource(t testing.TB, cfg Config) (*Source, *journal) {
	t.Helper()
	j := &journal{}
	s, err := New(cfg, slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatalf("New(%+v) = %v", cfg, err)
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.learned.CloseIdleConnections()
	})
	return s, j
}

// once fetches as Run does, once.
func once(s *Source) error {
	_, err := s.refresh(context.Background())
	if err != nil {
		s.failed(err, firstBackoff)
	}
	return err
}

// mustFetch fetches and returns the set.
func mustFetch(t testing.TB, s *Source) *verify.KeySet {
	t.Helper()
	if err := once(s); err != nil {
		t.Fatalf("cannot fetch from a good provider: %v", err)
	}
	return s.Keys().Load()
}

// eventually waits until ok, for as long as a loaded machine may need, and not so long that an idle connection's own timeout
// of 30 s could do what is waited for.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after 20 s", what)
		}
	}
}
