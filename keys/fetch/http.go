package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/valyala/fastjson"

	"sallyport/verify/jose"
)

// maxRedirects is how many redirects to the same origin are followed.
const maxRedirects = 2

// newClient makes the HTTP client of one Source. learned is for URLs that discovery named: they may not lead to a private
// address unless the config says so, and that is checked on the address that is dialled, after every name has been resolved.
func newClient(cfg Config, learned bool) *http.Client {
	dialer := &net.Dialer{Timeout: cfg.Timeout}
	if learned && !cfg.AllowPrivate && !cfg.AllowHTTP {
		dialer.Control = publicOnly
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
			TLSHandshakeTimeout:    cfg.Timeout,
			ResponseHeaderTimeout:  cfg.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           2,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			first := via[0].URL
			switch {
			case len(via) > maxRedirects:
				return errors.New("too many redirects")
			case req.URL.Scheme != first.Scheme || req.URL.Host != first.Host:
				return errors.New("redirect to another origin")
			}
			return nil
		},
	}
}

// publicOnly refuses addresses that a document from outside must not lead to (SECURITY notes 2.3.12).
func publicOnly(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot read dialled address %q", address)
	}
	if a := ap.Addr().Unmap(); !isPublic(a) {
		return fmt.Errorf("%s is not a public address; allow_private_addresses = true permits it", a)
	}
	return nil
}

// notPublic are ranges that netip's predicates do not cover: carrier NAT (RFC 6598), benchmarking (RFC 2544), IETF
// assignments, reserved, and IPv6 forms that embed an IPv4 address (NAT64, 6to4, Teredo) or lead nowhere.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("fec0::/10"),
}

func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// document is a fetched body and how long it may be kept; maxAge 0: the server does not say.
type document struct {
	body   []byte
	maxAge time.Duration
}

// get fetches url, whose body is bounded after any decompression.
func (s *Source) get(ctx context.Context, client *http.Client, url string) (document, error) {
	if err := checkURL(url, s.cfg.AllowHTTP); err != nil {
		return document{}, fmt.Errorf("fetch: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return document{}, fmt.Errorf("fetch: cannot make request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	req.Header.Set("User-Agent", "sallyport")
	resp, err := client.Do(req)
	if err != nil {
		return document{}, fmt.Errorf("fetch: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return document{}, fmt.Errorf("fetch: %s answered %s", url, resp.Status)
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && t == "text/html" {
		return document{}, fmt.Errorf("fetch: %s answered with an HTML page: is it the right URL", url)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.cfg.MaxBytes+1))
	if err != nil {
		return document{}, fmt.Errorf("fetch: cannot read %s: %w", url, err)
	}
	if int64(len(body)) > s.cfg.MaxBytes {
		return document{}, fmt.Errorf("fetch: %s is larger than %d bytes (max_jwks_bytes)", url, s.cfg.MaxBytes)
	}
	return document{body: body, maxAge: maxAge(resp.Header)}, nil
}

// maxAge reads Cache-Control (RFC 9111, 5.2.2). no-cache and no-store count as 1 s; the caller has a lower bound.
func maxAge(h http.Header) time.Duration {
	for _, line := range h.Values("Cache-Control") {
		for _, d := range strings.Split(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(strings.ToLower(d)), "=")
			switch name {
			case "no-store", "no-cache":
				return time.Second
			case "max-age":
				n, err := strconv.Atoi(strings.Trim(value, `"`))
				if err == nil && n >= 0 {
					return max(time.Duration(min(n, 1<<30))*time.Second, time.Second)
				}
			}
		}
	}
	return 0
}

// metadataLimits bounds a discovery document.
var metadataLimits = jose.Limits{Depth: 16, Members: 4096}

// discover fetches the metadata and returns its jwks_uri. Its issuer must be the configured one, byte by byte (OpenID Connect
// Discovery, 4.3; RFC 8414, 3.3).
func (s *Source) discover(ctx context.Context) (string, error) {
	url, err := discoveryURL(s.cfg)
	if err != nil {
		return "", err
	}
	doc, err := s.get(ctx, s.client, url)
	if err != nil {
		return "", err
	}
	if err := jose.CheckJSON(doc.body, metadataLimits); err != nil {
		return "", fmt.Errorf("fetch: %s is not one strict JSON object", url)
	}
	v, err := fastjson.ParseBytes(doc.body)
	if err != nil {
		return "", fmt.Errorf("fetch: %s is not JSON", url)
	}
	if got := string(v.GetStringBytes("issuer")); got != s.cfg.Issuer {
		return "", fmt.Errorf("fetch: %s says issuer %.200q, the config says %q: they must be identical", url, got, s.cfg.Issuer)
	}
	uri := string(v.GetStringBytes("jwks_uri"))
	if err := checkURL(uri, s.cfg.AllowHTTP); err != nil {
		return "", fmt.Errorf("fetch: jwks_uri in %s: %w", url, err)
	}
	return uri, nil
}
