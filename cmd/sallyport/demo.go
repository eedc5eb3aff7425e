package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sallyport/edge"
	"sallyport/edge/config"
	"sallyport/edge/demo"
)

const (
	readyTimeout = 10 * time.Second
	drainTimeout = 5 * time.Second
)

// demoConfig is a config like any other: the proxy in the demo reaches the issuer over HTTP, as it would any provider.
const demoConfig = `
[[listener]]
address = %q
max_connections = 1000

[[issuer]]
issuer = %q
audiences = ["demo-api"]
algorithms = ["RS256", "ES256", "EdDSA"]
discovery = "oidc"
allow_http = true
refresh_interval = "30s"

[[upstream]]
name = "echo"
endpoints = [%q]

[[route]]
name = "public"
path = "/public/*"
public = true
upstream = "echo"

[[route]]
name = "api"
path = "/api/*"
require.scopes = ["read"]
claim_headers = { X-User = "sub", X-Scope = "scope" }
cors_preflight = true
upstream = "echo"

[audit]
output = %q

[admin]
address = "127.0.0.1:0"
token_file = %q

[revocation]
file = %q

[log]
level = "warn"
format = "text"
`

// demoOutput is the one line of demo -json.
type demoOutput struct {
	Proxy  string            `json:"proxy"`
	Issuer string            `json:"issuer"`
	Admin  string            `json:"admin"`
	Token  string            `json:"admin_token"`
	Tokens map[string]string `json:"tokens"`
	Paths  map[string]string `json:"paths"`
}

func runDemo(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("demo", "demo [-listen ADDR] [-json] [-audit WHERE]", stderr)
	listen := fs.String("listen", "127.0.0.1:8080", "address of the proxy; port 0 takes a free one")
	asJSON := fs.Bool("json", false, "print one JSON line for scripts, instead of curl lines")
	audit := fs.String("audit", "off", "where the audit log goes: off, stderr, or a file's path with a slash or a dot in it")
	if code := parse(fs, args); code >= 0 {
		return code
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	fault, err := useKernels()
	if err != nil {
		fmt.Fprintf(stderr, "sallyport demo: %s: %v\n", kernelsEnv, err)
		return 2
	}
	d, err := startDemo(*listen, *audit, fault, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "sallyport demo: %v\n", err)
		return 1
	}
	defer d.close()
	if *asJSON {
		err = json.NewEncoder(stdout).Encode(d.out)
	} else {
		err = d.print(stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "sallyport demo: cannot print: %v\n", err)
		return 1
	}
	for sig := range signals {
		if sig != syscall.SIGHUP {
			break
		}
		// Somebody tries a reload; or the terminal has gone, and then this cannot be written.
		if _, err := fmt.Fprintln(stderr, "sallyport demo: there is no config file to read again; interrupt (Ctrl-C) to stop"); err != nil {
			break
		}
	}
	return 0
}

// A demoRun is the three parts of the demo, running.
type demoRun struct {
	issuer *demo.Issuer
	echo   *demo.Echo
	server *edge.Server
	dir    string // of the admin token and the revocation rules
	out    demoOutput
}

func startDemo(listen, audit string, kernelFault error, stderr io.Writer) (d *demoRun, err error) {
	d = new(demoRun)
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.issuer, err = demo.NewIssuer(demo.Options{}); err != nil {
		return d, err
	}
	if err = d.issuer.Start("127.0.0.1:0"); err != nil {
		return d, fmt.Errorf("cannot start the demo issuer: %w", err)
	}
	d.echo = demo.NewEcho()
	if err = d.echo.Start("127.0.0.1:0"); err != nil {
		return d, fmt.Errorf("cannot start the echo upstream: %w", err)
	}
	if _, _, err = net.SplitHostPort(listen); err != nil {
		return d, fmt.Errorf("-listen %q is not host:port", listen)
	}
	if d.dir, err = os.MkdirTemp("", "sallyport-demo-"); err != nil {
		return d, err
	}
	tokenFile := filepath.Join(d.dir, "admin.token")
	d.out.Token = rand.Text()
	if err = writeNew(tokenFile, []byte(d.out.Token)); err != nil {
		return d, err
	}
	text := fmt.Sprintf(demoConfig, listen, d.issuer.URL(), d.echo.Addr(), audit, tokenFile, filepath.Join(d.dir, "revocations.db"))
	cfg, err := config.Parse("demo", []byte(text), config.OSFiles{})
	if err != nil {
		return d, err
	}
	if d.server, err = edge.Start(edge.Options{Config: cfg, LogOutput: stderr, KernelFault: kernelFault}); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is taken; stop the program that uses it, or choose another address: sallyport demo -listen 127.0.0.1:0", listen)
		}
		return d, err
	}
	if err = d.server.WaitReady(context.Background(), readyTimeout); err != nil {
		return d, err
	}
	return d, d.mint(listen)
}

// mint makes the tokens that are printed.
func (d *demoRun) mint(listen string) (err error) {
	d.out = demoOutput{
		Proxy: "http://" + d.server.Addr(listen).String(), Issuer: d.issuer.URL(), Admin: d.server.AdminURL(), Token: d.out.Token,
		Tokens: map[string]string{},
		Paths:  map[string]string{"good": "/api/hello", "forged": "/api/hello", "expired": "/api/hello", "no_scope": "/api/hello"},
	}
	for name, make := range map[string]func() (string, error){
		"good": d.issuer.Good, "forged": d.issuer.Forged, "expired": d.issuer.Expired, "no_scope": d.issuer.NoScope,
	} {
		if d.out.Tokens[name], err = make(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demoRun) close() {
	if d.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		d.server.Shutdown(ctx)
	}
	if d.echo != nil {
		d.echo.Close()
	}
	if d.issuer != nil {
		d.issuer.Close()
	}
	if d.dir != "" {
		_ = os.RemoveAll(d.dir) // a folder for what is temporary
	}
}

func (d *demoRun) print(w io.Writer) error {
	o := &d.out
	_, err := fmt.Fprintf(w, `sallyport demo: issuer %s, proxy %s, admin %s
Interrupt (Ctrl-C) to stop. The issuer rotates its keys while this runs; the tokens stay good for an hour.

# 200: the upstream's echo shows X-User, set from the verified token; the token itself is not passed on
curl -i -H "Authorization: Bearer %s" %s%s

# 401 invalid_token: the same token signed by somebody else
curl -i -H "Authorization: Bearer %s" %s%s

# 401 without a code: no token at all
curl -i %s/api/hello

# 403 insufficient_scope: verified, but without the scope "read"
curl -i -H "Authorization: Bearer %s" %s%s

# 200 without a token: a public route; X-User of the client is removed there too
curl -i -H "X-User: mallory" %s/public/hello

# 201: takes alice's tokens back, for good; DELETE .../v1/revocations/ID, or sallyport revoke, undoes it
curl -i -H "Authorization: Bearer %s" -H "Content-Type: application/json" -d '{"issuer":"%s","sub":"alice","until":"never"}' %s/v1/revocations

# 401 invalid_token: the first token again
curl -i -H "Authorization: Bearer %s" %s%s

# counters
curl -s -H "Authorization: Bearer %s" %s/metrics | grep verdict | grep -v ' 0$'
`, o.Issuer, o.Proxy, o.Admin,
		o.Tokens["good"], o.Proxy, o.Paths["good"], o.Tokens["forged"], o.Proxy, o.Paths["forged"],
		o.Proxy, o.Tokens["no_scope"], o.Proxy, o.Paths["no_scope"], o.Proxy,
		o.Token, o.Issuer, o.Admin, o.Tokens["good"], o.Proxy, o.Paths["good"], o.Token, o.Admin)
	return err
}
