// Package admin serves health, readiness, metrics, profiles and the revocation API, on a loopback address by default.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Options is what the listener shows.
type Options struct {
	Address string
	Pprof   bool
	Token   []byte // bearer token; empty: none is asked for. Health and readiness never ask
	// NotReady says why this node should get no traffic; empty: it is ready.
	NotReady func() []string
	Metrics  func(io.Writer)
	// Revocation is what /v1/revocations serves; nil: revocation is off.
	Revocation *Revocation
}

// Server is the admin listener.
type Server struct {
	ln   net.Listener
	srv  *http.Server
	view atomic.Pointer[view]
}

// A view is what one set of Options shows.
type view struct {
	opt Options
	mux *http.ServeMux
}

// New opens the socket.
func New(opt Options) (*Server, error) {
	ln, err := net.Listen("tcp", opt.Address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("admin: cannot listen on %s: the address is taken; set another [admin] address, or \"\" to turn it off (%w)", opt.Address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("admin: cannot listen on %s: %w", opt.Address, err)
	}
	s := &Server{ln: ln}
	s.Set(opt)
	s.srv = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	return s, nil
}

// Set makes later requests see opt. The socket stays, whatever opt.Address says.
func (s *Server) Set(opt Options) { s.view.Store(newView(opt)) }

// Addr returns the bound address.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Run serves until Shutdown or Close.
func (s *Server) Run() error {
	if err := s.srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin: listener ended: %w", err)
	}
	return nil
}

// Shutdown lets requests in progress end until ctx is done.
func (s *Server) Shutdown(ctx context.Context) {
	if s.srv.Shutdown(ctx) != nil {
		s.srv.Close()
	}
}

// Close closes the socket at once. The server first: to Run, a socket closed under it is a fault.
func (s *Server) Close() { s.srv.Close(); s.ln.Close() }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	v := s.view.Load()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	// A page in a browser may reach a loopback address under a name of its own (DNS rebinding): only addresses and
	// localhost are names of this listener.
	if !localName(r.Host) && len(v.opt.Token) == 0 {
		http.Error(w, "unknown host", http.StatusMisdirectedRequest)
		return
	}
	v.mux.ServeHTTP(w, r)
}

func newView(opt Options) *view {
	v := &view{opt: opt, mux: http.NewServeMux()}
	v.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	v.mux.HandleFunc("GET /readyz", v.ready)
	v.mux.HandleFunc("GET /metrics", v.guarded(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		v.opt.Metrics(w)
	}))
	v.mux.HandleFunc("/v1/revocations", v.api(v.revocations))
	v.mux.HandleFunc("/v1/revocations/{id}", v.api(v.revocation))
	if opt.Pprof {
		v.mux.HandleFunc("GET /debug/pprof/", v.guarded(pprof.Index))
		v.mux.HandleFunc("GET /debug/pprof/cmdline", v.guarded(pprof.Cmdline))
		v.mux.HandleFunc("GET /debug/pprof/profile", v.guarded(pprof.Profile))
		v.mux.HandleFunc("GET /debug/pprof/symbol", v.guarded(pprof.Symbol))
		v.mux.HandleFunc("GET /debug/pprof/trace", v.guarded(pprof.Trace))
	}
	return v
}

func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return host == "localhost" || net.ParseIP(host) != nil
}

func (v *view) ready(w http.ResponseWriter, _ *http.Request) {
	if why := v.opt.NotReady(); len(why) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, strings.Join(why, "\n")+"\n")
		return
	}
	io.WriteString(w, "ready\n")
}

// guarded asks for the bearer token. Hashes are compared, so that neither content nor length shows in the time taken.
func (v *view) guarded(next http.HandlerFunc) http.HandlerFunc {
	if len(v.opt.Token) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if !v.authorized(w, r) {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

// authorized reports whether r has the token; if not, it sets the challenge.
func (v *view) authorized(w http.ResponseWriter, r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256(v.opt.Token)
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sallyport admin"`)
		return false
	}
	return true
}
