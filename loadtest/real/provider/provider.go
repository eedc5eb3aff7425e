// Package provider runs zitadel's certified OpenID provider on loopback, as a provider that is not ours.
//
// It stands on the library's own example server; what is added is that access tokens are JWTs (the example's are opaque).
package provider

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// What the example knows: a service user for client credentials, a web client and a user for the code flow.
const (
	ServiceID, ServiceSecret = "sid1", "verysecret"
	WebID, WebSecret         = "web", "secret"
	RedirectURI              = "http://127.0.0.1:9999/auth/callback"
	UserPassword             = "verysecure"
)

// A Provider is a running OpenID provider.
type Provider struct {
	URL string // issuer identifier
	srv *http.Server
}

// Start listens on address ("127.0.0.1:0" for a free port) and serves.
func Start(address string) (*Provider, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("provider: cannot listen on %s: %w", address, err)
	}
	p := &Provider{URL: "http://" + ln.Addr().String()}
	storage.RegisterClients(storage.WebClient(WebID, WebSecret, RedirectURI))
	store := jwtStorage{storage.NewStorage(storage.NewUserStore(p.URL))}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	p.srv = &http.Server{Handler: exampleop.SetupServer(p.URL, store, quiet, false), ReadHeaderTimeout: 5 * time.Second}
	go p.srv.Serve(ln) //nolint:errcheck // ends with ErrServerClosed
	return p, nil
}

// Username returns the name of the example's user for the code flow.
func (p *Provider) Username() string { return "test-user2" }

// Close stops the provider.
func (p *Provider) Close() error { return p.srv.Close() }

// jwtStorage makes every client's access tokens JWTs.
type jwtStorage struct{ *storage.Storage }

// ClientCredentials implements op.ClientCredentialsStorage.
func (s jwtStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	return asJWT(s.Storage.ClientCredentials(ctx, id, secret))
}

// GetClientByClientID implements op.Storage.
func (s jwtStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	return asJWT(s.Storage.GetClientByClientID(ctx, id))
}

func asJWT(c op.Client, err error) (op.Client, error) {
	if err != nil {
		return nil, err
	}
	return jwtClient{c}, nil
}

type jwtClient struct{ op.Client }

// AccessTokenType implements op.Client.
func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
