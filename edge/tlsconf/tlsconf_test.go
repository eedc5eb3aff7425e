package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/edge/config"
)

// An authority issues certificates; one without a parent is its own.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serial atomic.Int64

// issue signs tmpl for key, by itself when a is nil.
func (a *authority) issue(t *testing.T, tmpl *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	tmpl.SerialNumber = big.NewInt(serial.Add(1))
	if tmpl.NotAfter.IsZero() {
		tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, by := tmpl, key
	if a != nil {
		parent, by = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) ca(t *testing.T, name string) *authority {
	t.Helper()
	key := ecKey(t)
	return &authority{a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, key), key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func pemOf(certs ...*x509.Certificate) []byte {
	var b []byte
	for _, c := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}

func write(t *testing.T, name string, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// files writes a key and its chain as an operator would.
func files(t *testing.T, key crypto.Signer, chain ...*x509.Certificate) config.Certificate {
	t.Helper()
	return config.Certificate{CertFile: write(t, "cert.pem", pemOf(chain...), 0o644), KeyFile: write(t, "key.pem", keyPEM(t, key), 0o600)}
}

// named issues an ECDSA certificate for names.
func (a *authority) named(t *testing.T, names ...string) (config.Certificate, *x509.Certificate) {
	t.Helper()
	key := ecKey(t)
	cert := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "cn-" + names[0]}, DNSNames: names}, key)
	return files(t, key, cert), cert
}

// handshake connects a client with the config to a server with the config and returns both sides' errors and the client's state.
func handshake(t *testing.T, client, server *tls.Config) (state tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(30 * time.Second))
		s := tls.Server(c, server)
		err = s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x")) // the client of TLS 1.3 is done before the server has seen its last message
		}
		done <- err
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	c := tls.Client(nc, client)
	if clientErr = c.Handshake(); clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1))
	}
	state = c.ConnectionState()
	nc.Close()
	return state, clientErr, <-done
}

func TestServerChoosesBySNI(t *testing.T) {
	var root *authority
	ca := root.ca(t, "ca")
	fileA, a := ca.named(t, "a.example", "Shared.Example")
	fileW, w := ca.named(t, "*.a.example")
	fileB, b := ca.named(t, "b.example", "x.a.example", "shared.example")
	conf, err := Server(&config.ListenerTLS{Certificates: []config.Certificate{fileA, fileW, fileB}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(sni string, want *x509.Certificate) {
		t.Helper()
		state, err, serverErr := handshake(t, &tls.Config{ServerName: sni, InsecureSkipVerify: true}, conf)
		if err != nil || serverErr != nil {
			t.Errorf("SNI %q: %v, %v", sni, err, serverErr)
			return
		}
		if got := state.PeerCertificates[0]; !got.Equal(want) {
			t.Errorf("SNI %q got the certificate %s, want %s", sni, got.Subject, want.Subject)
		}
	}
	check("a.example", a)
	check("A.EXAMPLE", a)
	check("b.example", b)
	check("shared.example", a) // of two for one name the first
	check("y.a.example", w)
	check("Y.A.Example", w)
	check("x.a.example", b)   // exact before wildcard, though the wildcard stands first
	check("z.y.a.example", a) // a wildcard is for one label, so this is the default
	check("b.a.example.evil", a)
	check("xa.example", a)
	check("unknown.example", a)
	check("localhost", a)
	check("", a)
	check("127.0.0.1", a) // an address is not sent

	// crypto/tls refuses a name with a dot at the end before we are asked (RFC 6066, 3); another stack may not.
	for name, want := range map[string]*x509.Certificate{"b.example.": b, "Q.a.example.": w, ".": a, "..": a, ".a.example": w, "*.a.example": w} {
		got, err := conf.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil || !got.Leaf.Equal(want) {
			t.Errorf("GetCertificate(%q) = %v, %v, want %s", name, got, err, want.Subject)
		}
	}
}

// Where an RSA and an ECDSA certificate are for one name, each client gets one that it can use.
func TestServerTwoKeysForOneName(t *testing.T) {
	var root *authority
	ca := root.ca(t, "ca")
	ecFile, ec := ca.named(t, "a.example")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert := ca.issue(t, &x509.Certificate{DNSNames: []string{"a.example"}}, rsaKey)
	conf, err := Server(&config.ListenerTLS{Certificates: []config.Certificate{ecFile, files(t, rsaKey, rsaCert)}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, suite uint16, want *x509.Certificate) {
		t.Helper()
		client := &tls.Config{ServerName: "a.example", RootCAs: ca.pool(), MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
		state, err, serverErr := handshake(t, client, conf)
		if err != nil || serverErr != nil || !state.PeerCertificates[0].Equal(want) {
			t.Errorf("a client for %s: %v, %v, want the certificate for it", name, err, serverErr)
		}
	}
	check("ECDSA", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ec)
	check("RSA", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, rsaCert)
}

func TestServerSendsChain(t *testing.T) {
	var root *authority
	ca := root.ca(t, "root")
	middle := ca.ca(t, "intermediate")
	key := ecKey(t)
	leaf := middle.issue(t, &x509.Certificate{DNSNames: []string{"a.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}, key)
	verify := func(conf *tls.Config, name string) error {
		t.Helper()
		_, err, _ := handshake(t, &tls.Config{ServerName: name, RootCAs: ca.pool()}, conf)
		return err
	}
	conf, err := Server(&config.ListenerTLS{Certificates: []config.Certificate{files(t, key, leaf, middle.cert)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.example", "127.0.0.1", "::1"} {
		if err := verify(conf, name); err != nil {
			t.Errorf("a client that asks for %s and trusts the root: %v", name, err)
		}
	}
	if err := verify(conf, "127.0.0.2"); err == nil {
		t.Error("a client that asks for an address which the certificate has not: no error")
	}
	conf, err = Server(&config.ListenerTLS{Certificates: []config.Certificate{files(t, key, leaf)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(conf, "a.example"); err == nil {
		t.Error("without the intermediate certificate in the file a client trusts the leaf: this test cannot fail")
	}
}

func TestMinVersionIsEnforced(t *testing.T) {
	var root *authority
	ca := root.ca(t, "ca")
	file, _ := ca.named(t, "a.example")
	peer := func(version uint16) *tls.Config {
		return &tls.Config{MinVersion: version, MaxVersion: version, ServerName: "a.example", RootCAs: ca.pool()}
	}
	own, err := tls.LoadX509KeyPair(file.CertFile, file.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	caFile := write(t, "ca.pem", pemOf(ca.cert), 0o644)
	check := func(min string, version uint16, want bool) {
		t.Helper()
		listener, err := Server(&config.ListenerTLS{MinVersion: min, Certificates: []config.Certificate{file}})
		if err != nil {
			t.Fatal(err)
		}
		state, clientErr, serverErr := handshake(t, peer(version), listener)
		if ok := clientErr == nil && serverErr == nil && state.Version == version; ok != want {
			t.Errorf("listener with min_version %q, client of %s: %v, %v, want accepted %v", min, tls.VersionName(version), clientErr, serverErr, want)
		}
		up, _, err := Upstream(&config.UpstreamTLS{MinVersion: min, CAFile: caFile, ServerName: "a.example"})
		if err != nil {
			t.Fatal(err)
		}
		server := &tls.Config{MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{own}}
		state, clientErr, serverErr = handshake(t, up, server)
		if ok := clientErr == nil && serverErr == nil && state.Version == version; ok != want {
			t.Errorf("upstream with min_version %q, server of %s: %v, %v, want accepted %v", min, tls.VersionName(version), clientErr, serverErr, want)
		}
	}
	check("", tls.VersionTLS11, false)
	check("", tls.VersionTLS12, true)
	check("", tls.VersionTLS13, true)
	check("1.2", tls.VersionTLS10, false)
	check("1.2", tls.VersionTLS11, false)
	check("1.2", tls.VersionTLS12, true)
	check("1.2", tls.VersionTLS13, true)
	check("1.3", tls.VersionTLS12, false)
	check("1.3", tls.VersionTLS13, true)
	for _, min := range []string{"1.1", "1.0", "1.4", "TLS1.2", "1.2 ", "0"} {
		if _, err := Server(&config.ListenerTLS{MinVersion: min, Certificates: []config.Certificate{file}}); err == nil {
			t.Errorf("Server with min_version %q: no error", min)
		}
		if _, _, err := Upstream(&config.UpstreamTLS{MinVersion: min}); err == nil {
			t.Errorf("Upstream with min_version %q: no error", min)
		}
	}
}

// Of ALPN only HTTP/1.1 is spoken; a client that insists on HTTP/2 must not be left to think that it has it.
func TestServerSpeaksHTTP11(t *testing.T) {
	var root *authority
	file, _ := root.ca(t, "ca").named(t, "a.example")
	conf, err := Server(&config.ListenerTLS{Certificates: []config.Certificate{file}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string, offered ...string) {
		t.Helper()
		state, err, _ := handshake(t, &tls.Config{InsecureSkipVerify: true, NextProtos: offered}, conf)
		if want == "refused" {
			if err == nil {
				t.Errorf("a client that offers %q: no error", offered)
			}
			return
		}
		if err != nil || state.NegotiatedProtocol != want {
			t.Errorf("a client that offers %q got %q, %v, want %q", offered, state.NegotiatedProtocol, err, want)
		}
	}
	check("")
	check("http/1.1", "h2", "http/1.1")
	check("http/1.1", "http/1.1")
	check("refused", "h2")
}

func TestServerRejects(t *testing.T) {
	var root *authority
	ca := root.ca(t, "ca")
	good, cert := ca.named(t, "a.example")
	check := func(name string, c config.Certificate, want string) {
		t.Helper()
		// Beside a good one: each must be right, not only the default.
		for _, list := range [][]config.Certificate{{c}, {good, c}} {
			_, err := Server(&config.ListenerTLS{Certificates: list})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, with %d certificates: Server = %v, want an error with %q", name, len(list), err, want)
			}
			if err != nil && strings.Contains(err.Error(), "-----BEGIN") {
				t.Errorf("%s: the error holds a file's content: %v", name, err)
			}
		}
	}
	if _, err := Server(&config.ListenerTLS{}); err == nil {
		t.Error("Server without certificates: no error")
	}
	key, err := os.ReadFile(good.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	withKey := func(data []byte, mode os.FileMode) config.Certificate {
		return config.Certificate{CertFile: good.CertFile, KeyFile: write(t, "key.pem", data, mode)}
	}
	withCert := func(data []byte) config.Certificate {
		return config.Certificate{CertFile: write(t, "cert.pem", data, 0o644), KeyFile: good.KeyFile}
	}
	for _, mode := range []os.FileMode{0o604, 0o640, 0o660, 0o644, 0o601} {
		c := withKey(key, 0o600)
		if err := os.Chmod(c.KeyFile, mode); err != nil {
			t.Fatal(err)
		}
		check("key of mode "+mode.String(), c, "chmod 600")
	}
	check("no certificate file", config.Certificate{CertFile: good.CertFile + ".no", KeyFile: good.KeyFile}, "cannot read certificate")
	check("no key file", config.Certificate{CertFile: good.CertFile, KeyFile: good.KeyFile + ".no"}, "cannot read key")
	check("key is a folder", config.Certificate{CertFile: good.CertFile, KeyFile: t.TempDir()}, "is a directory")
	check("key of another certificate", withKey(keyPEM(t, ecKey(t)), 0o600), "private key does not match")
	check("key and certificate exchanged", config.Certificate{CertFile: good.KeyFile, KeyFile: good.CertFile}, "")
	check("key empty", withKey(nil, 0o600), "key")
	check("key cut off", withKey(key[:len(key)/2], 0o600), "key")
	check("certificate empty", withCert(nil), "certificate")
	check("certificate is a key", withCert(key), "certificate")
	check("certificate damaged", withCert(bytes.Replace(pemOf(cert), []byte("MII"), []byte("AII"), 1)), "")
	check("chain in the wrong order", withCert(append(pemOf(ca.cert), pemOf(cert)...)), "private key does not match")

	old := ecKey(t)
	expired := ca.issue(t, &x509.Certificate{
		DNSNames: []string{"old.example"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Minute),
	}, old)
	check("expired", files(t, old, expired), "expired on "+expired.NotAfter.Format(time.DateOnly))
}

func TestUpstreamChecksServer(t *testing.T) {
	var root *authority
	ours, foreign := root.ca(t, "ours"), root.ca(t, "foreign")
	caFile := write(t, "ca.pem", pemOf(ours.cert), 0o644)
	serve := func(a *authority, tmpl *x509.Certificate) *tls.Config {
		t.Helper()
		key := ecKey(t)
		cert := a.issue(t, tmpl, key)
		return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	}
	names := func(n ...string) *x509.Certificate { return &x509.Certificate{DNSNames: n} }
	check := func(name, serverName, endpoint string, server *tls.Config, want bool) {
		t.Helper()
		conf, _, err := Upstream(&config.UpstreamTLS{CAFile: caFile, ServerName: serverName})
		if err != nil {
			t.Fatal(err)
		}
		if conf.InsecureSkipVerify {
			t.Fatal("the server's certificate is not verified")
		}
		_, err, _ = handshake(t, ForEndpoint(conf, endpoint), server)
		if (err == nil) != want {
			t.Errorf("%s: server_name %q, endpoint %s: %v, want accepted %v", name, serverName, endpoint, err, want)
		}
	}
	ip := func(a ...net.IP) *x509.Certificate { return &x509.Certificate{IPAddresses: a} }
	check("own CA", "a.example", "10.0.0.1:443", serve(ours, names("a.example")), true)
	check("foreign CA", "a.example", "10.0.0.1:443", serve(foreign, names("a.example")), false)
	check("wrong name", "a.example", "10.0.0.1:443", serve(ours, names("b.example")), false)
	check("the endpoint's name instead of server_name", "a.example", "b.example:443", serve(ours, names("b.example")), false)
	check("name in the subject alone", "a.example", "x:443", serve(ours, &x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}}), false)
	check("expired", "a.example", "x:443", serve(ours, &x509.Certificate{
		DNSNames: []string{"a.example"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}), false)
	check("the endpoint's host", "", "b.example:443", serve(ours, names("b.example")), true)
	check("another than the endpoint's host", "", "b.example:443", serve(ours, names("c.example")), false)
	check("the endpoint's IPv4 address", "", "10.0.0.1:443", serve(ours, ip(net.IPv4(10, 0, 0, 1))), true)
	check("another IPv4 address", "", "10.0.0.1:443", serve(ours, ip(net.IPv4(10, 0, 0, 2))), false)
	check("the endpoint's IPv6 address", "", "[2001:db8::1]:443", serve(ours, ip(net.ParseIP("2001:db8::1"))), true)
	check("an address as a name", "", "10.0.0.1:443", serve(ours, names("10.0.0.1")), false)
	if got := ForEndpoint(nil, "a.example:80"); got != nil {
		t.Errorf("ForEndpoint(nil) = %v, want nil: this would turn plain text into TLS", got)
	}
}

func TestUpstreamRejects(t *testing.T) {
	var root *authority
	_, cert := root.ca(t, "ca").named(t, "a.example")
	check := func(name, path string) {
		t.Helper()
		if _, _, err := Upstream(&config.UpstreamTLS{CAFile: path}); err == nil {
			t.Errorf("Upstream with %s as ca_file: no error; the system's CAs would be trusted instead", name)
		}
	}
	check("a missing file", filepath.Join(t.TempDir(), "no.pem"))
	check("an empty file", write(t, "ca.pem", nil, 0o644))
	check("text", write(t, "ca.pem", []byte("ca"), 0o644))
	check("DER", write(t, "ca.pem", cert.Raw, 0o644))
	check("a private key", write(t, "ca.pem", keyPEM(t, ecKey(t)), 0o644))
}

// The key decides whether an upstream keeps its connections through a reload.
func TestUpstreamKey(t *testing.T) {
	var root *authority
	a, b := root.ca(t, "a"), root.ca(t, "b")
	file := write(t, "ca.pem", pemOf(a.cert), 0o644)
	key := func(c config.UpstreamTLS) string {
		t.Helper()
		_, k, err := Upstream(&c)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := config.UpstreamTLS{CAFile: file, ServerName: "a.example"}
	first := key(base)
	if again := key(base); again != first {
		t.Errorf("the same settings have the keys %s and %s", first, again)
	}
	if same := key(config.UpstreamTLS{CAFile: file, ServerName: "a.example", MinVersion: "1.2"}); same != first {
		t.Error("min_version 1.2 and the default, which is the same, have two keys")
	}
	seen := []string{first}
	for name, c := range map[string]config.UpstreamTLS{
		"min_version":     {CAFile: file, ServerName: "a.example", MinVersion: "1.3"},
		"server_name":     {CAFile: file, ServerName: "b.example"},
		"no server_name":  {CAFile: file},
		"no ca_file":      {ServerName: "a.example"},
		"nothing":         {},
		"names that join": {ServerName: `a.example" "` + file},
	} {
		k := key(c)
		if slices.Contains(seen, k) {
			t.Errorf("%s: the key is that of other settings", name)
		}
		seen = append(seen, k)
	}
	for _, content := range [][]byte{pemOf(b.cert), pemOf(a.cert, b.cert), append(pemOf(a.cert), '\n')} {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if k := key(base); slices.Contains(seen, k) {
			t.Errorf("the content of ca_file changed and the key did not")
		} else {
			seen = append(seen, k)
		}
	}
}
