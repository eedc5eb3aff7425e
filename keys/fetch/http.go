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
	"net/url"
	"slices"
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
// address unless the config says so, and that is checked on each address that is dialled, after every name has been resolved
// (Dialer.Control runs once per address, so where a name has several the good ones are still tried). The two clients share no
// connections: one that was dialled for a URL of the operator's must not serve a learned one.
//
// HTTPS_PROXY and its kin are not looked at (Transport.Proxy is nil): through a proxy the rule for addresses would check the
// proxy's only, and who sets a variable should not choose who carries the keys.
func newClient(cfg Config, learned bool) *http.Client {
	dialer := &net.Dialer{Timeout: cfg.Timeout}
	if learned && !cfg.AllowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkDialled(address, cfg.AllowHTTP) }
	}
	// Each fetch has a context that ends with the timeout. The two below are for connections that the transport goes on to
	// make when their fetch has ended.
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
			TLSHandshakeTimeout:    cfg.Timeout,
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
				return fmt.Errorf("redirect to another origin, %.100q", req.URL.Scheme+"://"+req.URL.Host)
			case req.URL.User != nil:
				return errors.New("redirect to a URL that holds credentials")
			}
			return nil
		},
	}
}

// checkDialled refuses addresses that a document from outside must not lead to (SECURITY notes 2.3.12).
func checkDialled(address string, allowLoopback bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot read dialled address %q", address)
	}
	a := ap.Addr().Unmap()
	if isPublic(a) || (allowLoopback && a.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s is not a public address; allow_private_addresses = true permits it", a)
}

// notPublic4 are the ranges of the IPv4 special-purpose registry (RFC 6890) that netip's predicates do not cover: this
// network, carrier NAT (RFC 6598), IETF assignments, documentation, 6to4 relays, benchmarking, reserved.
var notPublic4 = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
}

// IPv6 is public within the one block that addresses are given out from, less what is special in it: Teredo, ORCHID,
// benchmarking and the like (2001::/23), documentation, and 6to4. Outside it lie the forms that embed an IPv4 address, such as
// ::127.0.0.1 and NAT64's 64:ff9b::/96, unique local and link-local addresses, and whatever comes to be assigned.
var (
	global6    = netip.MustParsePrefix("2000::/3")
	notPublic6 = []netip.Prefix{
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("3fff::/20"),
	}
)

// isPublic reports whether a, which is not an IPv4 address in IPv6 form, is one that anybody on the Internet could reach.
func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	special := notPublic4
	if a.Is6() {
		// False for an address with a zone as well, which netip's predicates do not all see through: "::%lo" is not its
		// unspecified address, and dials this host.
		if !global6.Contains(a) {
			return false
		}
		special = notPublic6
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// document is a fetched body and how long it may be kept; maxAge 0: the server does not say.
type document struct {
	body   []byte
	maxAge time.Duration
}

// get fetches uri, whose body is bounded after any decompression. The connection is kept for the next fetch only when the
// whole answer was read; any other is closed with the body.
func (s *Source) get(ctx context.Context, client *http.Client, uri string) (document, error) {
	if err := checkURL(uri, s.cfg.AllowHTTP); err != nil {
		return document{}, fmt.Errorf("fetch: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return document{}, fmt.Errorf("fetch: cannot make request for %s", shown(uri))
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	req.Header.Set("User-Agent", "sallyport")
	resp, err := client.Do(req)
	if err != nil {
		// url.Error spells the URL out, with its query.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return document{}, fmt.Errorf("fetch: cannot get %s: %w", shown(uri), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// Not resp.Status: its words are the provider's.
		return document{}, fmt.Errorf("fetch: %s answered %d %s", shown(uri), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && t == "text/html" {
		return document{}, fmt.Errorf("fetch: %s answered with an HTML page: is it the right URL", shown(uri))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.cfg.MaxBytes+1))
	if err != nil {
		return document{}, fmt.Errorf("fetch: cannot read %s: %w", shown(uri), err)
	}
	if int64(len(body)) > s.cfg.MaxBytes {
		return document{}, fmt.Errorf("fetch: %s is larger than %d bytes (max_jwks_bytes)", shown(uri), s.cfg.MaxBytes)
	}
	return document{body: body, maxAge: maxAge(resp.Header)}, nil
}

// maxAge reads Cache-Control and Age (RFC 9111, 5.2.2 and 5.1). Of directives that differ the most restrictive counts (4.2.1);
// one that cannot be read does not, s-maxage is for shared caches. no-cache, no-store and an answer that is stale already
// count as 1 s; the caller has a lower bound.
func maxAge(h http.Header) time.Duration {
	const none = time.Duration(-1)
	age := none
	for _, line := range h.Values("Cache-Control") {
		for _, d := range strings.Split(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(strings.ToLower(d)), "=")
			limit := none
			switch strings.TrimSpace(name) {
			case "no-store", "no-cache":
				limit = 0
			case "max-age":
				limit = deltaSeconds(strings.Trim(value, `"`))
			}
			if limit != none && (age == none || limit < age) {
				age = limit
			}
		}
	}
	if age == none {
		return 0
	}
	if spent := deltaSeconds(h.Get("Age")); spent != none {
		age -= spent
	}
	return max(age, time.Second)
}

// deltaSeconds reads a number of seconds (RFC 9111, 1.2.2), of which 2^31 is as good as any larger one. -1: it is none.
func deltaSeconds(s string) time.Duration {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return -1
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		n = 1 << 31
	}
	return time.Duration(n) * time.Second
}

// metadataLimits bounds a discovery document.
var metadataLimits = jose.Limits{Depth: 16, Members: 4096}

// discover fetches the metadata and returns its jwks_uri. Its issuer must be the configured one, byte by byte (OpenID Connect
// Discovery, 4.3; RFC 8414, 3.3).
func (s *Source) discover(ctx context.Context) (string, error) {
	at, err := discoveryURL(s.cfg)
	if err != nil {
		return "", err
	}
	doc, err := s.get(ctx, s.client, at)
	if err != nil {
		return "", err
	}
	if err := jose.CheckJSON(doc.body, metadataLimits); err != nil {
		return "", fmt.Errorf("fetch: %s is not one strict JSON object", shown(at))
	}
	v, err := fastjson.ParseBytes(doc.body)
	if err != nil {
		return "", fmt.Errorf("fetch: %s is not JSON", shown(at))
	}
	if got := string(v.GetStringBytes("issuer")); got != s.cfg.Issuer {
		return "", fmt.Errorf("fetch: %s says issuer %.200q, the config says %q: they must be identical", shown(at), got, s.cfg.Issuer)
	}
	uri := string(v.GetStringBytes("jwks_uri"))
	if err := checkURL(uri, s.cfg.AllowHTTP); err != nil {
		return "", fmt.Errorf("fetch: jwks_uri in %s: %w", shown(at), err)
	}
	return uri, nil
}
