package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/edge/demo"
)

// A broken file changes nothing and costs no request; the good file after it is in force.
func TestReloadBrokenThenGood(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	n := serve(t, s.path)
	l := newLoad(n.listeners[0], "/api/x", s.token(t, nil), 3)
	l.more(t, 50)

	s.writeText(t, s.text()+"\n[[route]]\nname = \"bad\"\nupstream = \"nowhere\"\nmethdos = [\"GET\"]\n")
	n.reload(t, "failed")
	if got := n.metric(t, "sallyport_config_last_reload_successful"); got != 0 {
		t.Errorf("sallyport_config_last_reload_successful %v after a broken file, want 0", got)
	}
	faults := ""
	for _, r := range n.logged("reload: config fault; the old config serves on") {
		faults += r["fault"].(string) + "\n"
	}
	if lacks := lacking(faults, "route[2].path:", "route[2].upstream:", "route[2].methdos: unknown key (did you mean methods?)"); lacks != nil {
		t.Errorf("the log lacks the faults %q:\n%s", lacks, faults)
	}
	// A fault that shows only when everything is put together is refused as well.
	s.writeText(t, s.text()+"\n[[issuer]]\nissuer = \"more\"\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\njwks_file = \"sallyport.toml\"\n")
	n.reload(t, "failed")
	l.more(t, 50)

	s.routes += "[[route]]\nname = \"new\"\npath = \"/new\"\npublic = true\nupstream = \"up\"\n"
	s.write(t)
	if a := get(t, n.url("/new"), ""); a.StatusCode != 404 {
		t.Errorf("before the reload the new route answers %d, want 404", a.StatusCode)
	}
	n.reload(t, "ok")
	if a := get(t, n.url("/new"), ""); a.StatusCode != 200 {
		t.Errorf("the new route answers %d, want 200", a.StatusCode)
	}
	if got := n.metric(t, "sallyport_config_last_reload_successful"); got != 1 {
		t.Errorf("sallyport_config_last_reload_successful %v after a good file, want 1", got)
	}
	l.more(t, 50)
	l.finish(t)
	if got := l.reconnects.Load(); got != 0 {
		t.Errorf("%d connections were closed, though the listener did not change", got)
	}
}

// Reloads in quick succession, each of which changes the listener's settings, cost no request, and do not hide SIGTERM.
func TestReloadStorm(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	n := serve(t, s.path)
	l := newLoad(n.listeners[0], "/api/x", s.token(t, nil), 3)
	l.more(t, 10)
	const signals = 50
	for i := range signals {
		s.listener = plainListener + fmt.Sprintf("idle_timeout = \"%ds\"\n", 30+i)
		s.write(t)
		n.signal(t, syscall.SIGHUP)
		l.more(t, 3)
	}
	reloads := func() float64 { return n.metric(t, `sallyport_reloads_total{result="ok"}`) }
	eventually(t, "several reloads", func() bool { return reloads() >= 5 })
	// The last signal is not lost: what it announced is in force.
	s.routes += "[[route]]\nname = \"new\"\npath = \"/new\"\npublic = true\nupstream = \"up\"\n"
	s.write(t)
	n.signal(t, syscall.SIGHUP)
	eventually(t, "the last config", func() bool { return get(t, n.url("/new"), "").StatusCode == 200 })
	l.more(t, 20)
	l.finish(t)
	if l.reconnects.Load() == 0 {
		t.Error("no connection was asked to close, so no generation of settings was retired")
	}
	if got := n.metric(t, `sallyport_reloads_total{result="failed"}`); got != 0 {
		t.Errorf("%v reloads failed", got)
	}
	for range 200 {
		n.signal(t, syscall.SIGHUP)
		time.Sleep(100 * time.Microsecond)
	}
	n.signal(t, syscall.SIGTERM)
	if code := n.wait(t); code != 0 {
		t.Errorf("exit status %d after SIGTERM among SIGHUPs, want 0", code)
	}
}

// Addresses come and go by reload. A listener that goes lets its requests end.
func TestReloadListeners(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	n := serve(t, s.path)
	first := n.listeners[0]
	s.listener += strings.Replace(plainListener, "127.0.0.1", "127.0.0.2", 1)
	s.write(t)
	n.reload(t, "ok")
	if len(n.listeners) != 2 || n.listeners[0] != first {
		t.Fatalf("listeners %q, want %s and another", n.listeners, first)
	}
	second := n.listeners[1]
	if a := get(t, "http://"+second+"/public/x", ""); a.StatusCode != 200 {
		t.Errorf("the new listener answers %d, want 200", a.StatusCode)
	}
	slow := make(chan int)
	go func() { slow <- statusOf("http://" + second + "/public/slow") }()
	<-s.up.entered

	s.listener = plainListener
	s.write(t)
	n.reload(t, "ok")
	if c, err := net.Dial("tcp", second); err == nil {
		c.Close()
		t.Errorf("the removed listener takes connections")
	}
	close(s.up.release)
	if got := <-slow; got != 200 {
		t.Errorf("the request in flight at the removed listener: %d, want 200", got)
	}
	if a := get(t, "http://"+first+"/public/x", ""); a.StatusCode != 200 {
		t.Errorf("the listener that stays answers %d, want 200", a.StatusCode)
	}
	// The same address again, at once.
	s.listener += strings.Replace(plainListener, "127.0.0.1:0", second, 1)
	s.write(t)
	n.reload(t, "ok")
	if a := get(t, "http://"+second+"/public/x", ""); a.StatusCode != 200 {
		t.Errorf("the listener that came back answers %d, want 200", a.StatusCode)
	}
}

// statusOf is for goroutines: 0 for an error.
func statusOf(url string) int {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// writeCertificate makes a self-signed certificate with that serial number, as the listener's.
func (s *setup) writeCertificate(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"edge.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.file(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
	s.file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600)
}

const tlsListener = plainListener + "[[listener.tls.certificate]]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n"

// A tlsClient is one TLS connection that is kept.
type tlsClient struct {
	*tls.Conn
	br *bufio.Reader
}

func dialTLS(t *testing.T, address string) *tlsClient {
	t.Helper()
	// The certificate is looked at by its serial number.
	c, err := tls.Dial("tcp", address, &tls.Config{ServerName: "edge.test", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &tlsClient{c, bufio.NewReader(c)}
}

func (c *tlsClient) serial() int64 {
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// get returns status and Connection: close of one more request.
func (c *tlsClient) get(t *testing.T) (int, bool) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /public/x HTTP/1.1\r\nHost: edge.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Close
}

// A renewed certificate is for new handshakes; open connections go on with theirs. A broken one changes nothing.
func TestReloadCertificate(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.writeCertificate(t, 1)
	s.listener = tlsListener
	s.write(t)
	n := serve(t, s.path)
	kept := dialTLS(t, n.listeners[0])
	check := func(c *tlsClient, serial int64) {
		t.Helper()
		if status, closing := c.get(t); status != 200 || closing || c.serial() != serial {
			t.Errorf("status %d, close %v, certificate %d; want 200, false, %d", status, closing, c.serial(), serial)
		}
	}
	check(kept, 1)
	s.writeCertificate(t, 2)
	n.reload(t, "ok")
	check(kept, 1)
	check(dialTLS(t, n.listeners[0]), 2)
	s.file(t, "key.pem", "broken", 0o600)
	n.reload(t, "failed")
	check(kept, 1)
	check(dialTLS(t, n.listeners[0]), 2)

	// From TLS to plain text on the same address: new connections are plain, the open one is asked to close.
	s.listener = plainListener
	s.write(t)
	n.reload(t, "ok")
	if a := get(t, n.url("/public/x"), ""); a.StatusCode != 200 {
		t.Errorf("plain text after TLS: %d, want 200", a.StatusCode)
	}
	if status, closing := kept.get(t); status != 200 || !closing {
		t.Errorf("the open TLS connection: %d, close %v; want 200, true", status, closing)
	}
	// And back.
	s.writeCertificate(t, 3)
	s.listener = tlsListener
	s.write(t)
	n.reload(t, "ok")
	check(dialTLS(t, n.listeners[0]), 3)
}

// What did not change keeps what it has: keys are not fetched again, connections to the upstream stay open.
func TestReloadKeepsKeysAndConnections(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, ln, s.signer)
	s.issuer = fetchedIssuer(p.url)
	s.write(t)
	n := serve(t, s.path)
	eventually(t, "ready", func() bool { status, _ := n.fetch(t, "/readyz"); return status == 200 })
	token := s.token(t, map[string]any{"iss": p.url})
	want := func(what string, fetches, connections int64) {
		t.Helper()
		for range 3 {
			if a := get(t, n.url("/api/x"), token); a.StatusCode != 200 {
				t.Errorf("%s: status %d, want 200", what, a.StatusCode)
			}
		}
		if got := p.fetches.Load(); got != fetches {
			t.Errorf("%s: keys were fetched %d times, want %d", what, got, fetches)
		}
		if got := s.up.connections.Load(); got != connections {
			t.Errorf("%s: the upstream got %d connections, want %d", what, got, connections)
		}
	}
	want("at the start", 1, 1)
	for range 3 {
		n.reload(t, "ok")
	}
	want("after reloads of the same file", 1, 1)
	s.issuer += "clock_skew = \"1m\"\nmax_lifetime = \"1h\"\n"
	s.routes += "[[route]]\nname = \"new\"\npath = \"/new\"\npublic = true\nupstream = \"up\"\n"
	s.write(t)
	n.reload(t, "ok")
	want("after policy and routes have changed", 1, 1)

	// A change of how the keys are fetched makes a new source, which begins with the keys of the old one: nobody is refused
	// while it fetches.
	s.issuer += "refresh_interval = \"1h\"\n"
	s.write(t)
	l := newLoad(n.listeners[0], "/api/x", token, 2)
	l.more(t, 10)
	n.reload(t, "ok")
	l.more(t, 10)
	l.finish(t)
	eventually(t, "the new source's fetch", func() bool { return p.fetches.Load() == 2 })
}

// An issuer's keys can come from somewhere else after a reload, and what is not among them any more is refused at once.
func TestReloadKeySource(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fetched, one, two := newSigner(t), newSigner(t), newSigner(t)
	fetched.Kid, two.Kid = "k0", "k2"
	p := newProvider(t, ln, fetched)
	token := func(signer *demo.Signer) string { return mint(t, signer, "at+jwt", map[string]any{"iss": p.url}) }
	fromFile := func(signers ...*demo.Signer) {
		t.Helper()
		s.file(t, "jwks.json", keySet(t, signers...), 0o644)
		s.issuer = fmt.Sprintf("[[issuer]]\nissuer = %q\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\njwks_file = \"jwks.json\"\n", p.url)
		s.write(t)
	}
	fromFile(one, two)
	n := serve(t, s.path)
	check := func(when string, want map[*demo.Signer]int) {
		t.Helper()
		for signer, status := range want {
			if a := get(t, n.url("/api/x"), token(signer)); a.StatusCode != status {
				t.Errorf("%s: a token of key %s is answered with %d, want %d", when, signer.Kid, a.StatusCode, status)
			}
		}
	}
	check("two keys in the file", map[*demo.Signer]int{one: 200, two: 200, fetched: 401})
	fromFile(two)
	n.reload(t, "ok")
	check("one of them removed", map[*demo.Signer]int{one: 401, two: 200, fetched: 401})
	// Only the file of keys has changed, not the config.
	s.file(t, "jwks.json", keySet(t, one), 0o644)
	n.reload(t, "ok")
	check("the other in its place", map[*demo.Signer]int{one: 200, two: 401, fetched: 401})

	s.issuer = fetchedIssuer(p.url)
	s.write(t)
	n.reload(t, "ok")
	eventually(t, "the fetched keys", func() bool { status, _ := n.fetch(t, "/readyz"); return status == 200 })
	check("fetched", map[*demo.Signer]int{one: 401, two: 401, fetched: 200})
	fetches := p.fetches.Load()
	fromFile(one, two)
	n.reload(t, "ok")
	check("from the file again", map[*demo.Signer]int{one: 200, two: 200, fetched: 401})
	if got := p.fetches.Load(); got != fetches {
		t.Errorf("the provider is still asked: %d times, %d before", got, fetches)
	}
}
