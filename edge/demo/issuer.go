package demo

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"sallyport/verify/jose"
)

// Options of an Issuer; the zero value is good.
type Options struct {
	Audience string        // default demo-api
	Lifetime time.Duration // of tokens; default one hour
	Rotate   time.Duration // between rotations; default five minutes, negative: only by Rotate
	Algs     []jose.Alg    // default RS256, ES256, EdDSA; the first one signs
}

// Issuer is a small OpenID provider: discovery, a rotating key set, tokens.
//
// A key is published one rotation before it signs, and stays published until what it signed has expired, as providers do.
type Issuer struct {
	opt  Options
	srv  *http.Server
	url  string
	stop chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	gens []generation // oldest first; the last one is published and does not sign yet
	hits int
}

// generation is the keys of one rotation, one for each algorithm.
type generation struct {
	signers []*Signer
	retired time.Time // when it stopped to sign; zero: it has not
}

// NewIssuer makes the first keys.
func NewIssuer(opt Options) (*Issuer, error) {
	if opt.Audience == "" {
		opt.Audience = "demo-api"
	}
	if opt.Lifetime == 0 {
		opt.Lifetime = time.Hour
	}
	if opt.Rotate == 0 {
		opt.Rotate = 5 * time.Minute
	}
	if opt.Algs == nil {
		opt.Algs = []jose.Alg{jose.RS256, jose.ES256, jose.EdDSA}
	}
	is := &Issuer{opt: opt, stop: make(chan struct{})}
	for range 2 {
		if err := is.addGeneration(); err != nil {
			return nil, err
		}
	}
	return is, nil
}

func (is *Issuer) addGeneration() error {
	var g generation
	for _, alg := range is.opt.Algs {
		s, err := NewSigner(alg, newID(), 0)
		if err != nil {
			return err
		}
		g.signers = append(g.signers, s)
	}
	is.mu.Lock()
	is.gens = append(is.gens, g)
	is.mu.Unlock()
	return nil
}

func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Start listens on address and serves.
func (is *Issuer) Start(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("demo: issuer cannot listen: %w", err)
	}
	is.url = "http://" + ln.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", is.discovery)
	mux.HandleFunc("GET /jwks", is.jwks)
	is.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	is.wg.Go(func() { _ = is.srv.Serve(ln) }) // ends with ErrServerClosed
	if is.opt.Rotate > 0 {
		is.wg.Go(is.rotateLoop)
	}
	return nil
}

// URL returns the issuer identifier.
func (is *Issuer) URL() string { return is.url }

// Close stops serving and rotating.
func (is *Issuer) Close() error {
	close(is.stop)
	var err error
	if is.srv != nil {
		err = is.srv.Close()
	}
	is.wg.Wait()
	return err
}

func (is *Issuer) rotateLoop() {
	ticker := time.NewTicker(is.opt.Rotate)
	defer ticker.Stop()
	for {
		select {
		case <-is.stop:
			return
		case <-ticker.C:
			_ = is.Rotate() // key generation fails only without randomness, and then the old keys go on
		}
	}
}

// Rotate lets the announced keys sign, announces new ones, and withdraws those whose tokens have all expired.
func (is *Issuer) Rotate() error {
	if err := is.addGeneration(); err != nil {
		return err
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	now := time.Now()
	is.gens[len(is.gens)-3].retired = now
	for len(is.gens) > 0 && !is.gens[0].retired.IsZero() && now.Sub(is.gens[0].retired) > is.opt.Lifetime+time.Minute {
		is.gens = is.gens[1:]
	}
	return nil
}

// Withdraw publishes new keys only; all tokens signed so far have no key any more.
func (is *Issuer) Withdraw() error {
	is.mu.Lock()
	is.gens = nil
	is.mu.Unlock()
	for range 2 {
		if err := is.addGeneration(); err != nil {
			return err
		}
	}
	return nil
}

// Fetches returns how often the key set was asked for.
func (is *Issuer) Fetches() int {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.hits
}

func (is *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"issuer": is.url, "jwks_uri": is.url + "/jwks", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"authorization_endpoint": is.url + "/authorize",
	})
}

func (is *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	is.mu.Lock()
	is.hits++
	list := []map[string]any{}
	for _, g := range is.gens {
		for _, s := range g.signers {
			if jwk, err := s.JWK(false); err == nil {
				list = append(list, jwk)
			}
		}
	}
	is.mu.Unlock()
	writeJSON(w, map[string]any{"keys": list})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

// signer returns the present signer of the i-th algorithm.
func (is *Issuer) signer(i int) *Signer {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.gens[len(is.gens)-2].signers[i]
}

// Claims returns the claims of a good token, to be changed before Mint.
func (is *Issuer) Claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"iss": is.url, "sub": "alice", "aud": is.opt.Audience, "client_id": "demo-client", "scope": "read write",
		"iat": now, "exp": now + int64(is.opt.Lifetime/time.Second), "jti": newID(),
	}
}

// Mint signs claims as an access token with the i-th algorithm.
func (is *Issuer) Mint(i int, claims map[string]any) (string, error) {
	return is.signer(i).Sign("at+jwt", claims)
}

// Good returns a token that passes.
func (is *Issuer) Good() (string, error) { return is.Mint(0, is.Claims()) }

// Forged returns a token that says what a good one says, signed by somebody else under the same kid.
func (is *Issuer) Forged() (string, error) {
	thief, err := NewSigner(is.opt.Algs[0], is.signer(0).Kid, 0)
	if err != nil {
		return "", err
	}
	return thief.Sign("at+jwt", is.Claims())
}

// Expired returns a token that passed until an hour ago.
func (is *Issuer) Expired() (string, error) {
	c := is.Claims()
	now := time.Now().Unix()
	c["iat"], c["exp"] = now-7200, now-3600
	return is.Mint(0, c)
}

// NoScope returns a good token without the scope that the demo's route asks for.
func (is *Issuer) NoScope() (string, error) {
	c := is.Claims()
	c["scope"] = "other"
	return is.Mint(0, c)
}
