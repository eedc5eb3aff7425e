// Package tlsconf makes TLS settings: certificates by SNI for listeners, own CAs for upstreams.
package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"sallyport/edge/config"
)

var versions = map[string]uint16{"": tls.VersionTLS12, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// Server loads a listener's certificates. A request for a name gets the certificate for exactly it, else one with a
// wildcard for it, else the first. Of several for one name (RSA for old clients beside ECDSA) it gets the first that the
// client can use. An expired certificate is refused here; one that expires later goes on being served, since any other answer
// would be worse for the clients.
func Server(cfg *config.ListenerTLS) (*tls.Config, error) {
	min, ok := versions[cfg.MinVersion]
	if !ok {
		return nil, fmt.Errorf("tlsconf: unknown min_version %q (allowed: 1.2, 1.3)", cfg.MinVersion)
	}
	if len(cfg.Certificates) == 0 {
		return nil, errors.New("tlsconf: no certificate")
	}
	byName := map[string][]*tls.Certificate{}
	var first *tls.Certificate
	for _, c := range cfg.Certificates {
		cert, err := load(c)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = cert
		}
		for _, name := range cert.Leaf.DNSNames {
			name = strings.ToLower(name)
			byName[name] = append(byName[name], cert)
		}
	}
	return &tls.Config{
		MinVersion: min,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := strings.ToLower(strings.TrimSuffix(h.ServerName, "."))
			list := byName[name]
			if _, parent, ok := strings.Cut(name, "."); ok && len(list) == 0 {
				list = byName["*."+parent] // RFC 9525, 6.3: a wildcard is for one label
			}
			for _, c := range list {
				if len(list) == 1 || h.SupportsCertificate(c) == nil {
					return c, nil
				}
			}
			if len(list) > 0 {
				return list[0], nil
			}
			return first, nil
		},
	}, nil
}

func load(c config.Certificate) (*tls.Certificate, error) {
	chain, err := os.ReadFile(c.CertFile)
	if err != nil {
		return nil, fmt.Errorf("tlsconf: cannot read certificate: %w", err)
	}
	key, err := config.ReadSecret(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tlsconf: cannot read key: %w", err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("tlsconf: cannot use %s with %s: %w", c.CertFile, c.KeyFile, err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, fmt.Errorf("tlsconf: cannot parse %s: %w", c.CertFile, err)
		}
	}
	if now := time.Now(); now.After(cert.Leaf.NotAfter) {
		return nil, fmt.Errorf("tlsconf: certificate %s expired on %s", c.CertFile, cert.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &cert, nil
}

// ForEndpoint returns an upstream's settings for one endpoint, host:port: without a server_name the certificate must be for its
// host. nil stays nil.
func ForEndpoint(tc *tls.Config, endpoint string) *tls.Config {
	if tc == nil || tc.ServerName != "" {
		return tc
	}
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		host = endpoint
	}
	tc = tc.Clone() // shares the session cache, which is by server name
	tc.ServerName = host
	return tc
}

// Upstream makes the settings for an upstream and a key that is equal for equal settings, files' contents included.
func Upstream(cfg *config.UpstreamTLS) (*tls.Config, string, error) {
	min, ok := versions[cfg.MinVersion]
	if !ok {
		return nil, "", fmt.Errorf("tlsconf: unknown min_version %q (allowed: 1.2, 1.3)", cfg.MinVersion)
	}
	tc := &tls.Config{
		MinVersion: min, ServerName: cfg.ServerName, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(64),
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q ", min, cfg.ServerName, cfg.CAFile)
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, "", fmt.Errorf("tlsconf: cannot read ca_file: %w", err)
		}
		tc.RootCAs = x509.NewCertPool()
		if !tc.RootCAs.AppendCertsFromPEM(pem) {
			return nil, "", fmt.Errorf("tlsconf: ca_file %s holds no PEM certificate", cfg.CAFile)
		}
		h.Write(pem)
	}
	return tc, hex.EncodeToString(h.Sum(nil)), nil
}
