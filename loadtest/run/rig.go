package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A rig is everything that a scenario needs, running on loopback.
type rig struct {
	opt      options
	dir      string // keys and tokens; removed in the end
	logPath  string
	config   string // path
	params   configParams
	target   string
	admin    string
	control  string // URL
	proxy    *child
	children []*child // in the order of their start
	servers  []*http.Server
	open     any // *load.Load of the latency scenario
	closers  []func()
	keys     [2]string // public key sets: the first key's, the second's
	jwks     atomic.Pointer[string]
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func startRig(ctx context.Context, opt options, sc scenario) (r *rig, err error) {
	r = &rig{opt: opt}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "sallyport-load-"); err != nil {
		return r, err
	}
	base := filepath.Join(opt.results, opt.scenario)
	r.logPath, r.config = base+".log", base+".toml"
	if err = r.makeKeys(); err != nil {
		return r, err
	}
	issuer, err := r.serve(r.issuerAndControl())
	if err != nil {
		return r, err
	}
	r.control = "http://" + issuer
	if err = r.mint(sc); err != nil {
		return r, err
	}
	upstream, err := r.startUpstream(sc.tool)
	if err != nil {
		return r, err
	}
	r.params = configParams{issuer: r.control, alg: opt.alg, upstream: upstream, cache: cmp.Or(sc.cache, "64MiB")}
	return r, r.startProxy(ctx, sc)
}

// serve runs h on a free port until stop.
func (r *rig) serve(h http.Handler) (address string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	r.servers = append(r.servers, s)
	go s.Serve(ln) // ends with Close in stop
	return ln.Addr().String(), nil
}

// token runs sallyport token.
func (r *rig) token(args ...string) (string, error) {
	cmd := exec.Command(r.opt.sallyport, append([]string{"token"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sallyport token %s: %w: %s", args[0], err, stderr.String())
	}
	return string(out), nil
}

// makeKeys makes the issuer's two keys; the first is published.
func (r *rig) makeKeys() error {
	for i := range r.keys {
		name := fmt.Sprintf("key-%d", i+1)
		if _, err := r.token("keygen", "-alg", r.opt.alg, "-kid", name, "-out", r.path(name)); err != nil {
			return err
		}
		set, err := r.token("jwks", "-key", r.path(name))
		if err != nil {
			return err
		}
		r.keys[i] = set
	}
	r.jwks.Store(&r.keys[0])
	return nil
}

// audience is of all tokens.
const audience = "load"

// mint writes the files of tokens.
func (r *rig) mint(sc scenario) error {
	files := []struct {
		name, key, lifetime string
		count               int
	}{
		{"tokens", "key-1", "24h", sc.tokens}, {"expired", "key-1", "-1h", few}, {"next", "key-2", "24h", few},
	}
	for _, f := range files {
		_, err := r.token("mint", "-key", r.path(f.key), "-iss", r.control, "-aud", audience, "-sub", f.name, "-exp="+f.lifetime,
			"-count", strconv.Itoa(f.count), "-out", r.path(f.name))
		if err != nil {
			return err
		}
	}
	return nil
}

const nginxConfig = `
daemon off; master_process off; pid %[1]s/nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; default_type text/plain;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s; location / { return 200 $http_x_user; } }
}
`

// startUpstream starts a service that answers with the identity that it was given.
func (r *rig) startUpstream(t tool) (address string, err error) {
	if t == toolOpen {
		return r.startOpenLoop()
	}
	nginx, err := exec.LookPath(r.opt.nginx)
	if err != nil {
		fmt.Println("loadtest: no nginx; a small server stands in for the upstream")
		return r.serve(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, req.Header.Get("X-User"))
		}))
	}
	if address, err = freeAddress(); err != nil {
		return "", err
	}
	conf := r.path("nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConfig, r.dir, address), 0o600); err != nil {
		return "", err
	}
	c, err := r.start(r.path("nginx.log"), append(t.pinRest(), nginx, "-p", r.dir, "-e", "stderr", "-c", conf)...)
	if err != nil {
		return "", err
	}
	return address, c.waitFor(func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

func (r *rig) startProxy(ctx context.Context, sc scenario) (err error) {
	if r.params.listen, err = freeAddress(); err != nil {
		return err
	}
	if r.params.admin, err = freeAddress(); err != nil {
		return err
	}
	r.target, r.admin = "http://"+r.params.listen+"/api/load", "http://"+r.params.admin
	if err = os.WriteFile(r.config, []byte(r.params.text()), 0o600); err != nil {
		return err
	}
	argv := append(sc.tool.pin(), r.opt.sallyport, "serve", "-config", r.config)
	if r.proxy, err = r.start(r.logPath, argv...); err != nil {
		return err
	}
	return r.proxy.waitFor(func() bool {
		status, _, err := get(ctx, r.admin+"/readyz")
		return err == nil && status == http.StatusOK
	})
}

func get(ctx context.Context, url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// metrics reads the proxy's counters.
func (r *rig) metrics(ctx context.Context) (metrics, error) {
	status, body, err := get(ctx, r.admin+"/metrics")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s/metrics answers %d", r.admin, status)
	}
	if err != nil {
		return nil, err
	}
	return parseMetrics(body), nil
}

// stop ends everything, the proxy before what it needs.
func (r *rig) stop() {
	for i := len(r.children) - 1; i >= 0; i-- {
		r.children[i].stop()
	}
	for _, s := range r.servers {
		s.Close()
	}
	for _, f := range r.closers {
		f()
	}
	r.closers = nil
	if r.dir != "" {
		os.RemoveAll(r.dir)
	}
}

// A child is a program that runs until stop.
type child struct {
	cmd   *exec.Cmd
	log   string // path
	ended chan struct{}
}

func (r *rig) start(log string, argv ...string) (*child, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has its own
	c := &child{cmd: exec.Command(argv[0], argv[1:]...), log: log, ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = f, f
	// In a group of its own, so that Ctrl-C reaches the load first and not what it is measured on.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", argv[0], err)
	}
	go func() {
		c.cmd.Wait()
		close(c.ended)
	}()
	r.children = append(r.children, c)
	return c, nil
}

// waitFor waits until ready says so.
func (c *child) waitFor(ready func() bool) error {
	var err error
	for end := time.Now().Add(20 * time.Second); ; {
		select {
		case <-c.ended:
			err = errors.New("ended")
		case <-time.After(10 * time.Millisecond):
			if ready() {
				return nil
			}
			if time.Now().After(end) {
				err = errors.New("is not ready after 20 s")
			}
		}
		if err != nil {
			said, _ := os.ReadFile(c.log)
			return fmt.Errorf("%s %w: %s", strings.Join(c.cmd.Args, " "), err, said[max(0, len(said)-2000):])
		}
	}
}

func (c *child) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(40 * time.Second): // longer than limits.drain_timeout
		c.cmd.Process.Kill()
		<-c.ended
	}
}
