package h1

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// testTLS makes settings of both sides for the name "endpoint".
func testTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"endpoint"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "endpoint"}
}

// A gathering holds writes back until flush, so that several TLS records arrive as one segment.
type gathering struct {
	net.Conn
	hold bool
	buf  bytes.Buffer
}

func (g *gathering) Write(b []byte) (int, error) {
	if g.hold {
		return g.buf.Write(b)
	}
	return g.Conn.Write(b)
}

func (g *gathering) flush() {
	_, _ = g.Conn.Write(g.buf.Bytes())
	g.buf.Reset()
}

// listenTLS starts an endpoint that speaks TLS; script can gather its writes.
func listenTLS(t *testing.T, cfg *tls.Config, script func(p *peer, g *gathering)) *endpoint {
	return listen(t, func(p *peer) {
		g := &gathering{Conn: p.Conn}
		c := tls.Server(g, cfg)
		if c.Handshake() != nil {
			return
		}
		script(&peer{Conn: c, br: bufio.NewReader(c), ep: p.ep, n: p.n}, g)
	})
}

func TestTLS(t *testing.T) {
	server, client := testTLS(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server.MaxVersion = version
		ep := listenTLS(t, server, func(p *peer, _ *gathering) {
			for p.request() {
				p.send(chunkedResponse("2\r\nok\r\n0\r\n\r\n"))
			}
		})
		c := testClient(t, ep.addr, func(o *Options) { o.TLS = client })
		for i, ex := range []*Exchange{get(), post(), put("hello"), put(strings.Repeat("a", 100<<10)), chunked(strings.NewReader("hello")), get()} {
			if status, body, err := do(c, ex); status != 200 || body != "ok" || err != nil {
				t.Errorf("TLS %x, request %d: %d, %q, %v", version, i, status, body, err)
			}
		}
		// Session tickets and the look for unread octets leave the connection as it was.
		if conns, requests := ep.seen(); conns != 1 || len(requests) != 6 {
			t.Errorf("TLS %x: %d connections for %d requests, want 1 for 6", version, conns, len(requests))
		}
	}
}

func TestTLSNotTrusted(t *testing.T) {
	server, client := testTLS(t)
	ep := listenTLS(t, server, func(p *peer, _ *gathering) { p.drain() })
	for _, cfg := range []*tls.Config{{ServerName: "endpoint"}, {ServerName: "other", RootCAs: client.RootCAs}, {RootCAs: client.RootCAs}} {
		c := testClient(t, ep.addr, func(o *Options) { o.TLS = cfg })
		if _, _, err := do(c, get()); !errors.Is(err, ErrConnect) {
			t.Errorf("server name %q: %v, want %v", cfg.ServerName, err, ErrConnect)
		}
		if n := c.openConns(); n != 0 {
			t.Errorf("server name %q: %d connections still counted", cfg.ServerName, n)
		}
	}
}

// A handshake that never ends is bounded as a connection is.
func TestTLSSilentHandshake(t *testing.T) {
	_, client := testTLS(t)
	ep := listen(t, func(p *peer) { p.drain() })
	c := testClient(t, ep.addr, func(o *Options) { o.TLS, o.ConnectTimeout = client, 50*time.Millisecond })
	if _, _, err := do(c, get()); !errors.Is(err, ErrConnect) {
		t.Errorf("no handshake: %v, want %v", err, ErrConnect)
	}
}

// SECURITY notes 0.2, below TLS: a second response may lie in the TLS layer, where no look at the socket finds it: in the same
// record as the first, or in a record of the same segment.
func TestTLSSurplus(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
	server, client := testTLS(t)
	for _, tt := range []struct {
		name  string
		parts []string // each is one record; all are one segment
	}{
		{"same record", []string{okResponse + poison}},
		{"another record", []string{okResponse, poison}},
		{"body and more in another record", []string{strings.TrimSuffix(okResponse, "ok"), "ok" + poison}},
		{"an octet", []string{okResponse, "!"}},
		{"behind chunks", []string{chunkedResponse("2\r\nok\r\n0\r\n\r\n"), poison}},
	} {
		ep := listenTLS(t, server, func(p *peer, g *gathering) {
			for n := 1; p.request(); n++ {
				if p.n > 1 {
					p.send(okResponse)
					continue
				}
				g.hold = true
				for _, part := range tt.parts {
					p.send(part)
				}
				g.flush()
			}
		})
		c := testClient(t, ep.addr, func(o *Options) { o.TLS = client })
		for i := range 2 {
			ex := post()
			if err := c.Do(ex); err != nil {
				t.Fatalf("%s: request %d: %v", tt.name, i, err)
			}
			// Read as a proxy does that knows the length: not an octet more than the body has.
			var body []byte
			buf := make([]byte, 2)
			for {
				n, err := ex.Read(buf)
				if body = append(body, buf[:n]...); err != nil {
					break
				}
			}
			if ex.Status != 200 || string(body) != "ok" {
				t.Errorf("%s: request %d got %d, %q", tt.name, i, ex.Status, body)
			}
			ex.Close()
		}
		if conns, _ := ep.seen(); conns != 2 {
			t.Errorf("%s: %d connections, want 2", tt.name, conns)
		}
	}
}
