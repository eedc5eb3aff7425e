package demo

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Echo is a service that answers with what it was asked, as JSON.
type Echo struct {
	srv *http.Server
	ln  net.Listener
	wg  sync.WaitGroup
}

// NewEcho makes the service.
func NewEcho() *Echo { return &Echo{} }

// Start listens on address and serves.
func (e *Echo) Start(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("demo: echo cannot listen: %w", err)
	}
	e.ln = ln
	e.srv = &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: 5 * time.Second}
	e.wg.Go(func() { _ = e.srv.Serve(ln) }) // ends with ErrServerClosed
	return nil
}

// Addr returns host:port.
func (e *Echo) Addr() string { return e.ln.Addr().String() }

// Close stops serving.
func (e *Echo) Close() error {
	if e.srv == nil {
		return nil
	}
	err := e.srv.Close()
	e.wg.Wait()
	return err
}

func echo(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	writeJSON(w, map[string]any{
		"method": r.Method, "host": r.Host, "path": r.URL.EscapedPath(), "query": r.URL.RawQuery, "headers": r.Header, "body_bytes": n,
	})
}
