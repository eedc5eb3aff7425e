// Package edge is the proxy itself: sockets, one State per config, and the phases of a request.
package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"sallyport/edge/admin"
	"sallyport/edge/audit"
	"sallyport/edge/config"
	"sallyport/edge/metrics"
	"sallyport/edge/tlsconf"
	"sallyport/edge/wire"
	"sallyport/keys/fetch"
	"sallyport/verify"
)

// Options is what does not stand in the config file.
type Options struct {
	ConfigPath string
	// Config, when set, is used instead of reading ConfigPath; reloads still read ConfigPath. For the demo.
	Config    *config.Config
	LogOutput io.Writer // default os.Stderr
	// Listen and Dial, when set, take the place of TCP for clients and upstreams: for measurements without sockets.
	Listen func(address string) (net.Listener, error)
	Dial   func(address string) (net.Conn, error)
	// KernelFault is a kernel that failed its self-test and was left out, for the log.
	KernelFault error
}

// Server is the running proxy. One State at a time decides; what must outlive a config (sockets, key sources, upstream
// pools, metrics, the audit log) is held here and lent to States as handles.
type Server struct {
	opt       Options
	log       *slog.Logger
	logVar    *slog.LevelVar
	logFormat string
	metrics   *metrics.Metrics

	state        atomic.Pointer[State]
	audit        atomic.Pointer[auditHandle]
	auditDropped atomic.Uint64 // of all audit logs
	draining     atomic.Bool
	inFlight     atomic.Int64
	connections  atomic.Int64 // open, of all listeners

	// mu serialises Start, Reload and Shutdown, and guards what follows.
	mu        sync.Mutex
	listeners map[string]*listener // by configured address
	handles   handles
	admin     *adminHandle
	stopped   bool
	wg        sync.WaitGroup

	// Listeners that a reload has removed drain on; closing is done when they must end.
	removed sync.WaitGroup
	closing context.Context
	close   context.CancelFunc
}

// An adminHandle is the admin listener; srv is nil when it is turned off.
type adminHandle struct {
	address string // as configured
	srv     *admin.Server
}

type auditHandle struct {
	cfg  config.Audit
	log  *audit.Log
	stop func() // flushes and joins the writer, within flushTimeout
}

// Start loads the config, builds everything and serves. On an error nothing is left running.
func Start(opt Options) (*Server, error) {
	if opt.LogOutput == nil {
		opt.LogOutput = os.Stderr
	}
	if opt.Listen == nil {
		opt.Listen = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	s := &Server{opt: opt, listeners: map[string]*listener{}, logVar: new(slog.LevelVar)}
	s.closing, s.close = context.WithCancel(context.Background())
	s.handles.init(opt.Dial)
	cfg := opt.Config
	if cfg == nil {
		var err error
		if cfg, _, err = config.Load(opt.ConfigPath); err != nil {
			return nil, err
		}
	}
	s.log, s.logFormat = newLogger(opt.LogOutput, cfg.Log, s.logVar), cfg.Log.Format
	s.metrics = metrics.New(s.gauges())
	for _, answer := range fetch.Answers() {
		s.metrics.KeyWaits(answer, 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.apply(cfg); err != nil {
		s.stopAll(context.Background())
		return nil, err
	}
	s.metrics.ReloadSucceeded(time.Now())
	s.warn(cfg)
	if opt.KernelFault != nil {
		s.log.Error("a signature kernel failed its self-test; the standard library serves in its place", "error", opt.KernelFault)
	}
	s.log.Info("serving", "kernels", verify.ActiveKernels().String(), "listeners", s.addresses(), "admin", s.adminURL(), "routes", len(cfg.Routes), "issuers", len(cfg.Issuers))
	return s, nil
}

// Reload reads the config again and swaps it in. On an error the old State serves on, untouched.
func (s *Server) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("edge: cannot reload: shutting down")
	}
	if s.opt.ConfigPath == "" {
		return errors.New("edge: cannot reload: there is no config file")
	}
	cfg, _, err := config.Load(s.opt.ConfigPath)
	if err == nil {
		err = s.apply(cfg)
	}
	if err != nil {
		s.metrics.ReloadFailed()
		var faults config.Faults
		if errors.As(err, &faults) {
			for _, f := range faults {
				s.log.Error("reload: config fault; the old config serves on", "fault", f.String())
			}
		} else {
			s.log.Error("reload: failed; the old config serves on", "error", err)
		}
		return err
	}
	s.metrics.ReloadSucceeded(time.Now())
	s.warn(cfg)
	s.log.Info("reload: done", "listeners", s.addresses(), "admin", s.adminURL(), "routes", len(cfg.Routes), "issuers", len(cfg.Issuers))
	return nil
}

// apply builds a State from cfg and swaps it in. Every step that can fail comes before the first that shows.
func (s *Server) apply(cfg *config.Config) (err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for _, f := range slices.Backward(undo) {
				f()
			}
		}
	}()
	next, err := s.handles.prepare(cfg, s.log)
	if err != nil {
		return err
	}
	undo = append(undo, next.abandon)
	if err := s.handles.prepareRevoked(next, cfg, s.log); err != nil {
		return err
	}
	st, err := buildState(cfg, next, s)
	if err != nil {
		return err
	}
	servers, opened, err := s.prepareListeners(cfg)
	undo = append(undo, func() {
		for _, l := range opened {
			l.ln.Close()
		}
	})
	if err != nil {
		return err
	}
	newAudit, err := s.prepareAudit(cfg.Audit)
	if err != nil {
		return err
	}
	if newAudit != nil {
		undo = append(undo, newAudit.stop)
	}
	newAdmin, err := s.prepareAdmin(cfg, next.revoked)
	if err != nil {
		return err
	}
	// From here on nothing fails.
	s.commit(st, next, servers, opened, newAudit, newAdmin)
	return nil
}

func (s *Server) commit(st *State, next *preparedHandles, servers map[string]*connServer, opened map[string]*listener, newAudit *auditHandle, newAdmin *preparedAdmin) {
	setLevel(s.logVar, st.cfg.Log)
	var oldAudit *auditHandle
	if newAudit != nil {
		oldAudit = s.audit.Swap(newAudit)
	}
	retired := s.handles.commit(next)
	s.metrics.SetRoutes(routeNames(st.cfg))
	s.metrics.SetIssuers(issuerNames(st.cfg))
	s.state.Store(st)
	s.commitListeners(st.cfg, servers, opened)
	s.commitAdmin(newAdmin)
	s.wg.Go(retired)
	if oldAudit != nil {
		s.wg.Go(oldAudit.stop)
	} else if a := s.audit.Load(); a != nil && a.log != nil && newAudit == nil {
		// SIGHUP is also how logrotate says that the file was moved.
		if err := a.log.Reopen(); err != nil {
			s.log.Error("audit: cannot reopen the log; writing on to the old file", "error", err)
		}
	}
}

// prepareListeners opens sockets for new addresses and makes the settings for all of them.
func (s *Server) prepareListeners(cfg *config.Config) (map[string]*connServer, map[string]*listener, error) {
	servers, opened := map[string]*connServer{}, map[string]*listener{}
	for i := range cfg.Listeners {
		lc := cfg.Listeners[i]
		l := s.listeners[lc.Address]
		if l == nil {
			var err error
			if l, err = listen(lc.Address, s.opt.Listen, s.log); err != nil {
				return nil, opened, s.listenError(lc.Address, err)
			}
			l.onLimit, l.count = s.metrics.ConnectionRefused, &s.connections
			opened[lc.Address] = l
		}
		cs, err := s.newConnServer(l, lc, cfg.Limits)
		if err != nil {
			return nil, opened, err
		}
		servers[lc.Address] = cs
	}
	return servers, opened, nil
}

// listenError says what to do about the usual faults.
func (s *Server) listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && s.holdsPort(address):
		return fmt.Errorf("edge: cannot listen on %s: the port is in use by a listener of the present config, which a reload only gives back afterwards; "+
			"restart, or move to the address by way of another port (%w)", address, err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("edge: cannot listen on %s: the address is taken; stop the program that uses it or set another [[listener]] address (%w)", address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("edge: cannot listen on %s: not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, see configs/sallyport.service (%w)", address, err)
	}
	return fmt.Errorf("edge: cannot listen on %s: %w", address, err)
}

// holdsPort reports whether a socket of ours has the port of address.
func (s *Server) holdsPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	held := s.addresses()
	if s.admin != nil && s.admin.srv != nil {
		held = append(held, s.admin.srv.Addr().String())
	}
	return slices.ContainsFunc(held, func(a string) bool {
		_, p, err := net.SplitHostPort(a)
		return err == nil && p == port
	})
}

func (s *Server) newConnServer(l *listener, lc config.Listener, lim config.Limits) (*connServer, error) {
	cs := &connServer{
		cfg: lc,
		limits: &wire.Limits{
			Head: int(lim.Header), URI: int(lim.Header) / 2, Fields: lim.HeaderFields, ChunkExt: 256, LineBreaksBefore: 1,
			HeadTimeout: lc.ReadTimeout, IdleTimeout: lc.IdleTimeout,
		},
		feed: newChanListener(l.ln.Addr()),
	}
	if lc.TLS != nil {
		tc, err := tlsconf.Server(lc.TLS)
		if err != nil {
			return nil, err
		}
		cs.tls.Store(tc)
	}
	cs.http = s.newHTTPServer(cs)
	return cs, nil
}

// newHTTPServer sets what SECURITY notes 3.4 ask for. Of a request fasthttp sees the few octets that wire.Conn tells it; wire.Conn
// and conn keep the limits, and all read deadlines.
func (s *Server) newHTTPServer(cs *connServer) *fasthttp.Server {
	h := &handler{server: s, conns: cs}
	return &fasthttp.Server{
		Handler:                       h.serve,
		ErrorHandler:                  h.framingError,
		ExpectHandler:                 h.expect,
		MaxRequestBodySize:            1, // it never sees one
		ReadBufferSize:                512,
		WriteBufferSize:               4096,
		Concurrency:                   cs.cfg.MaxConnections + 1, // listener counts exactly
		MaxRequestsPerConn:            cs.cfg.MaxRequestsPerConn,
		SecureErrorLogMessage:         true,
		Logger:                        discardLogger{},
		NoDefaultServerHeader:         true,
		NoDefaultContentType:          true,
		CloseOnShutdown:               true,
		DisableHeaderNamesNormalizing: false,
		LazyRequestTime:               true, // nobody asks for it
	}
}

// discardLogger drops what fasthttp says: connection errors are the network's daily noise, and what matters is counted here.
type discardLogger struct{}

// Printf implements fasthttp.Logger.
func (discardLogger) Printf(string, ...any) {}

func (s *Server) commitListeners(cfg *config.Config, servers map[string]*connServer, opened map[string]*listener) {
	for address, l := range opened {
		s.listeners[address] = l
	}
	for address, cs := range servers {
		l := s.listeners[address]
		if old := l.cur.Load(); old != nil && sameSettings(old, cs) {
			// Only certificates can differ: later handshakes take the new ones, open connections stay.
			l.replaceTLS(cs)
			continue
		}
		l.install(cs)
		if _, isNew := opened[address]; isNew {
			s.wg.Go(l.run)
		}
	}
	for address, l := range s.listeners {
		if servers[address] == nil {
			delete(s.listeners, address)
			l.ln.Close() // now, so that the next reload can have the address again
			s.removed.Go(func() {
				ctx, cancel := context.WithTimeout(s.closing, cfg.Limits.DrainTimeout)
				defer cancel()
				l.shutdown(ctx)
			})
		}
	}
}

// Addr returns the bound address of the listener configured as address, or nil.
func (s *Server) Addr(address string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[address]; l != nil {
		return l.ln.Addr()
	}
	return nil
}

func (s *Server) addresses() []string {
	var out []string
	for _, l := range s.listeners {
		out = append(out, l.ln.Addr().String())
	}
	slices.Sort(out)
	return out
}

// Shutdown drains: no new connections, requests in flight end, at the latest after limits.drain_timeout or when ctx is done.
func (s *Server) Shutdown(ctx context.Context) {
	s.draining.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	timeout := s.state.Load().cfg.Limits.DrainTimeout
	s.log.Info("draining", "timeout", timeout, "in_flight", s.inFlight.Load())
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s.stopAll(ctx)
	s.log.Info("stopped")
}

func (s *Server) stopAll(ctx context.Context) {
	s.stopped = true
	defer context.AfterFunc(ctx, s.close)()
	var wg sync.WaitGroup
	for _, l := range s.listeners {
		wg.Go(func() { l.shutdown(ctx) })
	}
	wg.Wait()
	s.removed.Wait()
	s.settle()
	s.handles.closeAll()
	if s.admin != nil && s.admin.srv != nil {
		s.admin.srv.Shutdown(ctx)
	}
	if a := s.audit.Load(); a != nil {
		a.stop()
	}
	s.close()
	s.wg.Wait()
}

// settle waits a moment for requests whose connections were just closed to note how they ended. One that still waits for its
// upstream does not learn of it and leaves no record.
func (s *Server) settle() {
	for end := time.Now().Add(time.Second); s.inFlight.Load() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.log.Warn("requests are cut off without an audit record", "count", s.inFlight.Load())
			return
		}
	}
}

// sameSettings reports whether nothing but key material differs between two generations of a listener.
func sameSettings(a, b *connServer) bool {
	x, y := a.cfg, b.cfg
	tlsEqual := (x.TLS == nil) == (y.TLS == nil)
	x.TLS, y.TLS = nil, nil
	trusted := slices.Equal(x.TrustedProxies, y.TrustedProxies)
	x.TrustedProxies, y.TrustedProxies = nil, nil
	return tlsEqual && trusted && *a.limits == *b.limits && comparableListener(x) == comparableListener(y)
}

type listenerSettings struct {
	maxConns, maxPerIP, maxRequests int
	read, write, idle               time.Duration
}

func comparableListener(l config.Listener) listenerSettings {
	return listenerSettings{l.MaxConnections, l.MaxConnectionsPerIP, l.MaxRequestsPerConn, l.ReadTimeout, l.WriteTimeout, l.IdleTimeout}
}
