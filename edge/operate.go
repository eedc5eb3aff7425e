package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sallyport/edge/admin"
	"sallyport/edge/audit"
	"sallyport/edge/config"
	"sallyport/edge/metrics"
)

// newLogger makes the process log. Its level can change with a reload, its format cannot.
func newLogger(w io.Writer, cfg config.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, cfg)
	opt := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, opt))
	}
	return slog.New(slog.NewJSONHandler(w, opt))
}

func setLevel(level *slog.LevelVar, cfg config.Log) {
	var l slog.Level
	if l.UnmarshalText([]byte(cfg.Level)) == nil {
		level.Set(l)
	}
}

// prepareAudit opens the audit log when cfg differs from that of the one in use; nil means that it goes on.
func (s *Server) prepareAudit(cfg config.Audit) (*auditHandle, error) {
	if a := s.audit.Load(); a != nil && a.cfg == cfg {
		return nil, nil
	}
	a := &auditHandle{cfg: cfg, stop: func() {}}
	if cfg.Output == "off" {
		return a, nil
	}
	l, err := audit.New(audit.Options{
		Output: cfg.Output, Buffer: cfg.Buffer, WithQuery: cfg.WithQuery,
		OnError: func(err error) { s.log.Error("audit: records are lost", "error", err) },
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			s.log.Error("audit: cannot close the log", "error", err)
		}
	}()
	a.log = l
	a.stop = func() {
		cancel()
		<-ended
	}
	return a, nil
}

// refuses reports whether the next request must be refused because it could not be written down.
func (a *auditHandle) refuses() bool {
	return a.log != nil && a.cfg.WhenFull == "refuse" && a.log.Full()
}

// prepareAdmin opens the admin listener when cfg differs from that of the one in use; nil means that it goes on.
func (s *Server) prepareAdmin(cfg config.Admin) (*adminHandle, error) {
	if s.admin != nil && s.admin.cfg == cfg {
		return nil, nil
	}
	h := &adminHandle{cfg: cfg}
	if cfg.Address == "" {
		return h, nil
	}
	opt := admin.Options{Address: cfg.Address, Pprof: cfg.Pprof, NotReady: s.notReady, Metrics: s.metrics.WritePrometheus}
	if cfg.TokenFile != "" {
		token, err := config.ReadSecret(cfg.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("edge: cannot read admin.token_file: %w", err)
		}
		if opt.Token = bytes.TrimSpace(token); len(opt.Token) < 16 {
			return nil, errors.New("edge: admin.token_file holds fewer than 16 characters")
		}
	}
	if s.admin != nil && s.admin.srv != nil && s.admin.cfg.Address == cfg.Address {
		// The socket is in use by the listener that this one replaces.
		s.admin.srv.Close()
	}
	srv, err := admin.New(opt)
	if err != nil {
		return nil, err
	}
	h.srv = srv
	return h, nil
}

func (s *Server) commitAdmin(next *adminHandle) {
	if next == nil {
		return
	}
	if old := s.admin; old != nil && old.srv != nil {
		old.srv.Close()
	}
	s.admin = next
	if next.srv != nil {
		s.wg.Go(func() {
			if err := next.srv.Run(); err != nil {
				s.log.Error("admin: stopped", "error", err)
			}
		})
	}
}

// AdminURL returns the URL of the admin listener, "" when there is none.
func (s *Server) AdminURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admin == nil || s.admin.srv == nil {
		return ""
	}
	return "http://" + s.admin.srv.Addr().String()
}

// notReady says why this node should get no traffic.
func (s *Server) notReady() []string {
	if s.draining.Load() {
		return []string{"draining"}
	}
	st := s.state.Load()
	if st == nil {
		return []string{"starting"}
	}
	return missingKeys(st)
}

// WaitReady waits until /readyz would say so.
func (s *Server) WaitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		why := s.notReady()
		if len(why) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("edge: not ready after %s: %s", timeout, why[0])
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// gauges are the figures that are read when somebody looks.
func (s *Server) gauges() metrics.Gauges {
	return metrics.Gauges{
		InFlight:    func() float64 { return float64(s.inFlight.Load()) },
		Connections: func() float64 { return float64(s.connections.Load()) },
		AuditDropped: func() float64 {
			if a := s.audit.Load(); a != nil && a.log != nil {
				return float64(a.log.Dropped())
			}
			return 0
		},
		Write: s.writeState,
	}
}

// writeState writes the series of key sets and endpoints.
func (s *Server) writeState(w io.Writer) {
	st := s.state.Load()
	if st == nil {
		return
	}
	for _, name := range sortedKeys(st.issuers) {
		ih := st.issuers[name]
		if ih.source == nil {
			if set := ih.store.Load(); set != nil {
				fmt.Fprintf(w, "sallyport_keyset_keys{issuer=%q} %d\n", name, set.Len())
			}
			continue
		}
		f := ih.source.Status()
		fmt.Fprintf(w, "sallyport_keyset_keys{issuer=%q} %d\n", name, f.Keys)
		fmt.Fprintf(w, "sallyport_keyset_keys_skipped{issuer=%q} %d\n", name, f.Skipped)
		fmt.Fprintf(w, "sallyport_keyset_fetches_total{issuer=%q} %d\n", name, f.Fetches)
		fmt.Fprintf(w, "sallyport_keyset_fetch_failures_total{issuer=%q} %d\n", name, f.Failures)
		if f.Ready {
			fmt.Fprintf(w, "sallyport_keyset_age_seconds{issuer=%q} %.3f\n", name, f.Age.Seconds())
		}
	}
	now := time.Now().Unix()
	for _, name := range sortedKeys(st.upstreams) {
		for _, e := range st.upstreams[name].pool.Status(now) {
			ejected := 0
			if e.Ejected {
				ejected = 1
			}
			fmt.Fprintf(w, "sallyport_endpoint_in_flight{upstream=%q,endpoint=%q} %d\n", name, e.Address, e.InFlight)
			fmt.Fprintf(w, "sallyport_endpoint_ejected{upstream=%q,endpoint=%q} %d\n", name, e.Address, ejected)
		}
	}
}
