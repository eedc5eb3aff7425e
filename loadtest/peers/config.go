package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"sallyport/bench/corpus"
	"sallyport/verify/jose"
)

//go:embed templates
var templateFiles embed.FS

// A Config is what the templates are filled with.
type Config struct {
	Dir      string // of this peer alone
	Listen   string // host:port
	Upstream string // host:port
	Cores    int

	// The rest is empty for plain proxying.
	Alg              string // "" checks nothing
	Issuer, Audience string
	JWK, JWKS        string // JSON without newlines
	PEM              string // path of the public key
	PEMIndented      string // the public key as YAML wants it
	RawKey           string // of an EdDSA key: its octets in base64
	Cached, Audit    bool
	CacheSize        int
}

// ListenHost, ListenPort, UpstreamHost and UpstreamPort are for those that want them apart.
func (c *Config) ListenHost() string   { return part(c.Listen, 0) }
func (c *Config) ListenPort() string   { return part(c.Listen, 1) }
func (c *Config) UpstreamHost() string { return part(c.Upstream, 0) }
func (c *Config) UpstreamPort() string { return part(c.Upstream, 1) }

func part(address string, i int) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic("sallyport: BUG: no host:port: " + address)
	}
	return [2]string{host, port}[i]
}

func itoa(n int) string { return strconv.Itoa(n) }

// setKey fills in what concerns tokens, and writes the key's file.
func (c *Config) setKey(tokens *corpus.Corpus) error {
	s := tokens.Signer
	c.Alg, c.Issuer, c.Audience = s.Alg.String(), corpus.Issuer, corpus.Audience
	c.CacheSize = 2 * len(tokens.Tokens)
	jwk, err := s.JWK(false)
	if err != nil {
		return err
	}
	text, err := json.Marshal(jwk)
	if err != nil {
		return err
	}
	c.JWK, c.JWKS = string(text), `{"keys":[`+string(text)+`]}`
	der, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		return fmt.Errorf("peers: cannot write key: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	c.PEMIndented = "      " + strings.ReplaceAll(strings.TrimSpace(string(block)), "\n", "\n      ")
	if s.Alg == jose.EdDSA {
		c.RawKey = base64.StdEncoding.EncodeToString(s.Public().(ed25519.PublicKey))
	}
	c.PEM = c.path("key.pem")
	return os.WriteFile(c.PEM, block, 0o644)
}

// render fills in a template.
func (c *Config) render(name string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(templateFiles, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, c); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// write leaves all that e reads in dir, and returns its arguments.
func (e *Entry) write(c *Config, tokens *corpus.Corpus) ([]string, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	c.Cached, c.Audit = e.Cached, e.Audit
	if e.Case != "" {
		if err := c.setKey(tokens); err != nil {
			return nil, err
		}
	}
	if e.Template != "" {
		text, err := c.render(e.Template)
		if err != nil {
			return nil, fmt.Errorf("peers: cannot make the configuration of %s: %w", e.Peer, err)
		}
		if err := os.WriteFile(filepath.Join(c.Dir, e.Template), text, 0o644); err != nil {
			return nil, err
		}
	}
	return e.Args(c), nil
}
