package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/edge/demo"
)

// A service is an upstream that counts, and that holds requests for slow and stream until release is closed, those for late
// until releaseLate is.
type service struct {
	*httptest.Server
	connections, requests         atomic.Int64
	entered, release, releaseLate chan struct{}
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{entered: make(chan struct{}, 100), release: make(chan struct{}), releaseLate: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		hold := func(release chan struct{}) {
			s.entered <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done(): // given up, so that the test can end
			}
		}
		switch filepath.Base(r.URL.Path) {
		case "slow":
			hold(s.release)
		case "late":
			hold(s.releaseLate)
		case "stream":
			io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			hold(s.release)
			io.WriteString(w, "last\n")
			return
		case "ticks":
			s.entered <- struct{}{}
			for r.Context().Err() == nil {
				io.WriteString(w, "tick\n")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
			return
		}
		json.NewEncoder(w).Encode(r.Header)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// reservePort binds a port on which nobody listens, so that connections to it are refused and nobody else can have it, until
// open.
func reservePort(t *testing.T) (address string, open func() net.Listener) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "reserved")
	t.Cleanup(func() { f.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port), func() net.Listener {
		if err := syscall.Listen(fd, 128); err != nil {
			t.Fatal(err)
		}
		ln, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
}

// A provider is an OpenID provider that counts how often its keys are fetched.
type provider struct {
	url     string
	fetches atomic.Int64
}

func newProvider(t *testing.T, ln net.Listener, signers ...*demo.Signer) *provider {
	t.Helper()
	p := &provider{url: "http://" + ln.Addr().String()}
	set := keySet(t, signers...)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": p.url, "jwks_uri": p.url + "/jwks"})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		io.WriteString(w, set)
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return p
}

// keySet returns the public keys as a JWK set.
func keySet(t *testing.T, signers ...*demo.Signer) string {
	t.Helper()
	list := []map[string]any{}
	for _, s := range signers {
		jwk, err := s.JWK(false)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, jwk)
	}
	set, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}

// fetchedIssuer is the config of an issuer whose keys are fetched.
func fetchedIssuer(url string) string {
	return fmt.Sprintf("[[issuer]]\nissuer = %q\naudiences = [\"api\"]\nalgorithms = [\"ES256\"]\ndiscovery = \"oidc\"\nallow_http = true\n", url)
}
