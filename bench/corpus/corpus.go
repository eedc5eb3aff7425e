// Package corpus makes the inputs of benchmarks: tokens that look like those of a real provider, and requests that bear them.
package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

// What the tokens say and the config of a proxy under test must ask for.
const (
	Issuer   = "https://login.example.com/realms/main"
	Audience = "https://api.example.com"
	Kid      = "bench-1"
	Path     = "/api/orders/1"
	// ClockSkew is in seconds.
	ClockSkew = 10
)

// A Corpus is one key and tokens that it signed.
type Corpus struct {
	Signer *demo.Signer
	Tokens []string
}

// claims is what an access token after RFC 9068 bears. An HS256 token of it is about 600 octets long.
type claims struct {
	Iss      string   `json:"iss"`
	Aud      []string `json:"aud"`
	Sub      string   `json:"sub"`
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Roles    []string `json:"roles"`
	Email    string   `json:"email"`
	JTI      string   `json:"jti"`
	Iat      int64    `json:"iat"`
	Exp      int64    `json:"exp"`
}

// New makes n different tokens of one new key, valid from now for a day. The key of an RSA algorithm has 2048 bits.
func New(alg jose.Alg, n int, now time.Time) (*Corpus, error) {
	s, err := demo.NewSigner(alg, Kid, 0)
	if err != nil {
		return nil, fmt.Errorf("corpus: cannot make key: %w", err)
	}
	header, err := json.Marshal(map[string]string{"alg": alg.String(), "kid": Kid, "typ": "at+jwt"})
	if err != nil {
		return nil, err
	}
	c := &Corpus{Signer: s, Tokens: make([]string, n)}
	for i := range c.Tokens {
		payload, err := json.Marshal(claims{
			Iss: Issuer, Aud: []string{Audience, "account"},
			Sub: fmt.Sprintf("f3b1c2d4-5e6f-4a7b-8c9d-%012x", i), ClientID: "web-frontend", Scope: "openid profile orders.read",
			Roles: []string{"clerk", "offline_access"}, Email: fmt.Sprintf("user-%05d@example.com", i),
			JTI: fmt.Sprintf("0191d2a4-7c3e-7b1f-9a2d-%012x", i), Iat: now.Unix(), Exp: now.Add(24 * time.Hour).Unix(),
		})
		if err != nil {
			return nil, err
		}
		if c.Tokens[i], err = s.SignRaw(header, payload); err != nil {
			return nil, fmt.Errorf("corpus: cannot sign token: %w", err)
		}
	}
	return c, nil
}

// Request returns a request as a browser's fetch makes it, with token in Authorization; "" leaves that field out.
func Request(token string) []byte {
	b := []byte("GET " + Path + "?full=true HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: sallyport-bench/1.0\r\n" +
		"Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\n")
	if token != "" {
		b = append(b, "Authorization: Bearer "+token+"\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Requests returns one request for each token.
func (c *Corpus) Requests() [][]byte {
	out := make([][]byte, len(c.Tokens))
	for i, t := range c.Tokens {
		out[i] = Request(t)
	}
	return out
}

// WriteKey returns the verification key as the lines of an [[issuer.keys]] table; a secret is put into a file in dir.
func (c *Corpus) WriteKey(dir string) (string, error) {
	if secret := c.Signer.Secret(); secret != nil {
		path := filepath.Join(dir, "hs.secret")
		if err := os.WriteFile(path, secret, 0o600); err != nil {
			return "", fmt.Errorf("corpus: cannot write secret: %w", err)
		}
		return fmt.Sprintf("kid = %q\nalgorithm = %q\nsecret_file = %q", Kid, c.Signer.Alg, path), nil
	}
	jwk, err := c.Signer.JWK(false)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(jwk)
	if err != nil {
		return "", err
	}
	return "jwk = '" + string(text) + "'", nil
}
