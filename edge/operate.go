package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"time"

	"sallyport/edge/admin"
	"sallyport/edge/audit"
	"sallyport/edge/config"
	"sallyport/edge/metrics"
)

// newLogger makes the process log. Its level can change with a reload, its format cannot.
func newLogger(w io.Writer, cfg config.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, cfg)
	opt := &slog.HandlerOptions{Level: level, ReplaceAttr: durationText}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, opt))
	}
	return slog.New(slog.NewJSONHandler(w, opt))
}

// durationText writes durations with their unit; in JSON they would be numbers of nanoseconds.
func durationText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
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
		Output: cfg.Output, Buffer: cfg.Buffer, WithQuery: cfg.WithQuery, Keep: cfg.WhenFull == "refuse", Dropped: &s.auditDropped,
		OnError: func(err error) { s.log.Error("audit: the log has a fault", "error", err) },
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
		select {
		case <-ended:
			return
		case <-time.After(flushTimeout):
		}
		// Whoever reads the log has stopped to. A standard stream cannot be closed under the writer, which then ends with
		// the process.
		s.log.Error("audit: the log takes no records; those that wait are lost", "output", cfg.Output, "records", l.Abort())
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
	}
	return a, nil
}

// flushTimeout is how long a log that ends may take to write what waits.
const flushTimeout = 3 * time.Second

// A preparedAdmin is what commitAdmin puts in force.
type preparedAdmin struct {
	handle *adminHandle
	opt    admin.Options
	opened bool // the handle's socket is new
}

// prepareAdmin makes the admin listener's settings, token file included, and opens its socket where the address is a new
// one. The present listener goes on until commitAdmin.
func (s *Server) prepareAdmin(all *config.Config, revoked *revokedHandle) (*preparedAdmin, error) {
	cfg := all.Admin
	next := &preparedAdmin{handle: &adminHandle{address: cfg.Address}}
	if cfg.Address == "" {
		return next, nil
	}
	token, err := adminToken(cfg)
	if err != nil {
		return nil, fmt.Errorf("edge: admin.token_file: %w", err)
	}
	next.opt = admin.Options{
		Address: cfg.Address, Pprof: cfg.Pprof, Token: token, NotReady: s.notReady, Metrics: s.metrics.WritePrometheus,
		Revocation: revoked.api(all, s.log),
	}
	if s.admin != nil && s.admin.address == cfg.Address {
		next.handle = s.admin
		return next, nil
	}
	if next.handle.srv, err = admin.New(next.opt); err != nil {
		return nil, err
	}
	next.opened = true
	return next, nil
}

// adminToken reads the token of the admin listener, nil when it has none.
func adminToken(cfg config.Admin) ([]byte, error) {
	if cfg.TokenFile == "" {
		return nil, nil
	}
	token, err := config.ReadSecret(cfg.TokenFile)
	if err != nil {
		return nil, err
	}
	if token = bytes.TrimSpace(token); len(token) < 16 {
		return nil, fmt.Errorf("%s holds fewer than 16 characters", cfg.TokenFile)
	}
	return token, nil
}

func (s *Server) commitAdmin(next *preparedAdmin) {
	old := s.admin
	s.admin = next.handle
	if srv := next.handle.srv; next.opened {
		s.wg.Go(func() {
			if err := srv.Run(); err != nil {
				s.log.Error("admin: stopped", "error", err)
			}
		})
	} else if srv != nil {
		srv.Set(next.opt)
	}
	if old != nil && old != next.handle && old.srv != nil {
		old.srv.Close()
	}
}

// AdminURL returns the URL of the admin listener, "" when there is none.
func (s *Server) AdminURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.adminURL()
}

// adminURL is AdminURL with s.mu held.
func (s *Server) adminURL() string {
	if s.admin == nil || s.admin.srv == nil {
		return ""
	}
	return "http://" + s.admin.srv.Addr().String()
}

// warn says what a config asks for and will not get.
func (s *Server) warn(cfg *config.Config) {
	if cfg.Log.Format != s.logFormat {
		s.log.Warn("log.format is read at the start only: restart to change it", "present", s.logFormat, "config", cfg.Log.Format)
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	if need := descriptors(cfg); need > limit.Cur {
		s.log.Warn("the limit of open files is lower than what max_connections may need; raise it (ulimit -n, LimitNOFILE=) or lower them",
			"limit", limit.Cur, "needed", need)
	}
}

// descriptors is how many file descriptors cfg may need: a connection of a client, one to an upstream for each of them up to
// the upstreams' limits, and some for the rest.
func descriptors(cfg *config.Config) uint64 {
	const rest = 64
	var clients, upstreams uint64
	for i := range cfg.Listeners {
		clients += uint64(cfg.Listeners[i].MaxConnections)
	}
	for i := range cfg.Upstreams {
		upstreams += uint64(cfg.Upstreams[i].MaxConnections) * uint64(len(cfg.Upstreams[i].Endpoints))
	}
	return clients + min(clients, upstreams) + rest
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
		InFlight:     func() float64 { return float64(s.inFlight.Load()) },
		Connections:  func() float64 { return float64(s.connections.Load()) },
		AuditDropped: func() float64 { return float64(s.auditDropped.Load()) },
		Write:        s.writeState,
	}
}

// writeState writes the series of key sets and endpoints.
func (s *Server) writeState(w io.Writer) {
	st := s.state.Load()
	if st == nil {
		return
	}
	st.engine.write(w)
	st.revoked.write(w)
	for _, name := range sortedKeys(st.issuers) {
		ih, label := st.issuers[name], metrics.Label(name)
		if ih.source == nil {
			if set := ih.store.Load(); set != nil {
				fmt.Fprintf(w, "sallyport_keyset_keys{issuer=%s} %d\n", label, set.Len())
			}
			continue
		}
		f := ih.source.Status()
		fmt.Fprintf(w, "sallyport_keyset_keys{issuer=%s} %d\n", label, f.Keys)
		fmt.Fprintf(w, "sallyport_keyset_keys_skipped{issuer=%s} %d\n", label, f.Skipped)
		fmt.Fprintf(w, "sallyport_keyset_fetches_total{issuer=%s} %d\n", label, f.Fetches)
		fmt.Fprintf(w, "sallyport_keyset_fetch_failures_total{issuer=%s} %d\n", label, f.Failures)
		if f.Age > 0 { // none before the first fetch, also where the keys are those of the source before this one
			fmt.Fprintf(w, "sallyport_keyset_age_seconds{issuer=%s} %.3f\n", label, f.Age.Seconds())
		}
	}
	now := time.Now().Unix()
	for _, name := range sortedKeys(st.upstreams) {
		label := metrics.Label(name)
		for _, e := range st.upstreams[name].pool.Status(now) {
			ejected := 0
			if e.Ejected {
				ejected = 1
			}
			fmt.Fprintf(w, "sallyport_endpoint_in_flight{upstream=%s,endpoint=%s} %d\n", label, metrics.Label(e.Address), e.InFlight)
			fmt.Fprintf(w, "sallyport_endpoint_ejected{upstream=%s,endpoint=%s} %d\n", label, metrics.Label(e.Address), ejected)
		}
	}
}
