package edge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

// A rotatingProvider publishes one key, and takes a moment to answer.
type rotatingProvider struct {
	*httptest.Server
	signer  atomic.Pointer[demo.Signer]
	down    atomic.Bool
	fetches atomic.Int64
}

func newRotatingProvider(t *testing.T) *rotatingProvider {
	t.Helper()
	p := new(rotatingProvider)
	p.rotate(t, "r0")
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		time.Sleep(20 * time.Millisecond)
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		jwk, err := p.signer.Load().JWK(false)
		if err != nil {
			t.Error(err)
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"keys": []any{jwk}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *rotatingProvider) rotate(t *testing.T, kid string) {
	t.Helper()
	s, err := demo.NewSigner(jose.ES256, kid, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.signer.Store(s)
}

func (p *rotatingProvider) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	c := map[string]any{"iss": "https://rotates.test", "aud": "api", "sub": "bob", "scope": "read", "iat": now, "exp": now + 600}
	for k, v := range changes {
		c[k] = v
	}
	s, err := p.signer.Load().Sign("at+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A provider that puts a new key in the place of the old one, and signs with it at once, has nobody refused. The old key opens
// nothing from the fetch on that no longer has it, tokens in the cache included.
func TestRotationWithoutOverlap(t *testing.T) {
	up := newRecorder(t)
	provider := newRotatingProvider(t)
	p := newProxy(t, up.addr(), baseRoutes+fmt.Sprintf(`
[[issuer]]
issuer = "https://rotates.test"
audiences = ["api"]
algorithms = ["ES256"]
jwks_uri = %q
allow_http = true
[verification]
key_wait = "10s"
`, provider.URL))
	get := func(token string) string {
		answer := p.send(t, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		if got := statuses(answer); len(got) == 1 {
			return got[0]
		}
		return answer
	}
	for end := time.Now().Add(10 * time.Second); get(provider.token(t, nil)) == "503" && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	old := provider.token(t, nil)
	if got := get(old); got != "200" {
		t.Fatalf("before the rotation: %s", got)
	}
	for round := range 2 {
		before := provider.fetches.Load()
		provider.rotate(t, fmt.Sprint("r", round+1))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 3 {
					if got := get(provider.token(t, nil)); got != "200" {
						t.Errorf("round %d: a token of the new key: %s, want 200", round, got)
					}
				}
			})
		}
		wg.Wait()
		if got := get(old); got != "401" {
			t.Errorf("round %d: a token of the old key: %s, want 401", round, got)
		}
		old = provider.token(t, nil)
		// One for the first token, and one for the hints that came while it was under way; perhaps one for the old token.
		if n := provider.fetches.Load() - before; n < 1 || n > 3 {
			t.Errorf("round %d: %d fetches", round, n)
		}
	}
	// What cannot be genuine asks for nothing, and waits for nothing.
	forged := *provider.signer.Load()
	forged.Kid = "nobody's"
	provider.signer.Store(&forged)
	time.Sleep(1100 * time.Millisecond) // hints of before have been answered
	before := provider.fetches.Load()
	if got := get(provider.token(t, map[string]any{"aud": "another"})); got != "401" {
		t.Errorf("another's token with an unknown kid: %s", got)
	}
	time.Sleep(50 * time.Millisecond)
	if n := provider.fetches.Load() - before; n != 0 {
		t.Errorf("a token that cannot be genuine made %d fetches", n)
	}
	// The provider fails: that is no fault of the client's.
	provider.down.Store(true)
	answer := p.send(t, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer "+provider.token(t, nil)+"\r\n\r\n")
	if got := statuses(answer); len(got) != 1 || got[0] != "503" || !strings.Contains(answer, "Retry-After: ") {
		t.Errorf("while the provider is down: %q, want 503 with Retry-After", answer)
	}
	for _, want := range []string{"refreshed", "failed"} {
		if got := p.metric(t, `sallyport_keyset_unknown_kid_total{answer="`+want+`"}`); got == "" || got == "0" {
			t.Errorf("unknown kids that were %s: %s", want, got)
		}
	}
}
