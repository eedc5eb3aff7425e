// Package rig runs the whole path of a request in one process: a client connection, the proxy as it is, and an upstream. Client
// and upstream allocate nothing, so that what the process allocates is the proxy's.
package rig

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"sallyport/bench/corpus"
	"sallyport/edge"
	"sallyport/verify/jose"
)

// Options is what the proxy is asked to do.
type Options struct {
	Alg    jose.Alg // of the tokens; AlgInvalid: a public route, no token
	Audit  bool     // write the audit log, to a file
	Tokens int      // how many different ones take turns; 0: 64
	// NeverSeen turns the claim cache off: each token is verified as if it were the first time.
	NeverSeen bool
}

// A Rig is running. Do must not be called concurrently.
type Rig struct {
	dir      string
	upstream net.Listener
	wg       sync.WaitGroup
	server   *edge.Server
	client   net.Conn
	requests [][]byte
	next     int
	buf      [16 << 10]byte
}

const config = `
[[listener]]
address = %q
max_connections = 100
max_requests_per_connection = 1000000000
[[upstream]]
name = "up"
endpoints = [%q]
[audit]
output = %q
[admin]
address = ""
[log]
level = "error"
[[route]]
name = "orders"
path = "/api/orders/*"
upstream = "up"
`

const private = `
require.scopes = ["orders.read"]
claim_headers = { X-User = "sub", X-Roles = "roles" }
[[issuer]]
issuer = %q
audiences = [%q]
algorithms = [%q]
[[issuer.keys]]
%s
`

// New starts a rig.
func New(opt Options) (r *Rig, err error) {
	r = new(Rig)
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "sallyport-rig-"); err != nil {
		return nil, err
	}
	if r.upstream, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("rig: cannot listen: %w", err)
	}
	r.wg.Go(r.serveUpstream)
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	c, err := opt.corpus()
	if err != nil {
		return nil, err
	}
	r.requests = requestsOf(c)
	path, err := opt.configure(r.dir, address, r.upstream.Addr().String(), c)
	if err != nil {
		return nil, err
	}
	if r.server, err = edge.Start(edge.Options{ConfigPath: path}); err != nil {
		return nil, err
	}
	if r.client, err = net.Dial("tcp", address); err != nil {
		return nil, fmt.Errorf("rig: cannot connect: %w", err)
	}
	return r, nil
}

// corpus makes the tokens; nil for a public route.
func (opt *Options) corpus() (*corpus.Corpus, error) {
	if opt.Alg == jose.AlgInvalid {
		return nil, nil
	}
	return corpus.New(opt.Alg, max(opt.Tokens, 64), time.Now())
}

// requestsOf returns a request for each token, or the one without.
func requestsOf(c *corpus.Corpus) [][]byte {
	if c == nil {
		return [][]byte{corpus.Request("")}
	}
	return c.Requests()
}

// configure writes the proxy's config to a file in dir and returns its path.
func (opt *Options) configure(dir, listen, upstream string, c *corpus.Corpus) (string, error) {
	audit := "off"
	if opt.Audit {
		audit = filepath.Join(dir, "audit.log")
	}
	text := fmt.Sprintf(config, listen, upstream, audit)
	if c == nil {
		text += "public = true\n"
	} else {
		key, err := c.WriteKey(dir)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(private, corpus.Issuer, corpus.Audience, opt.Alg.String(), key)
	}
	if opt.NeverSeen {
		// On a machine that does much else a queue may stand still for long.
		text += "[cache]\nsize = \"0\"\n[verification]\nmax_wait = \"30s\"\n"
	}
	path := filepath.Join(dir, "sallyport.toml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("rig: cannot find a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// RequestLen returns the octets of one request.
func (r *Rig) RequestLen() int64 { return int64(len(r.requests[0])) }

// Close ends everything.
func (r *Rig) Close() {
	if r.client != nil {
		r.client.Close()
	}
	if r.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		r.server.Shutdown(ctx)
		cancel()
	}
	if r.upstream != nil {
		r.upstream.Close()
	}
	r.wg.Wait()
	os.RemoveAll(r.dir)
}

var (
	answer  = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world")
	okLine  = []byte("HTTP/1.1 200 OK\r\n")
	tail    = []byte("\r\n\r\nhello world")
	headEnd = []byte("\r\n\r\n")
)

// serveUpstream answers whatever ends in an empty line.
func (r *Rig) serveUpstream() {
	for {
		c, err := r.upstream.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() {
			defer c.Close()
			buf := make([]byte, 16<<10)
			for n := 0; ; {
				m, err := c.Read(buf[n:])
				if err != nil {
					return
				}
				if n += m; !bytes.HasSuffix(buf[:n], headEnd) {
					continue
				}
				n = 0
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		})
	}
}

// Do sends the next request and reads the response, which must be the upstream's.
func (r *Rig) Do() error {
	if _, err := r.client.Write(r.requests[r.next]); err != nil {
		return err
	}
	if r.next++; r.next == len(r.requests) {
		r.next = 0
	}
	for n := 0; ; {
		m, err := r.client.Read(r.buf[n:])
		if err != nil {
			return err
		}
		n += m
		if bytes.HasSuffix(r.buf[:n], tail) {
			if !bytes.HasPrefix(r.buf[:n], okLine) {
				return fmt.Errorf("rig: response is not 200: %.200q", r.buf[:n])
			}
			return nil
		}
		if n == len(r.buf) || !bytes.HasPrefix(r.buf[:n], okLine[:min(n, len(okLine))]) {
			return fmt.Errorf("rig: response is not 200: %.200q", r.buf[:n])
		}
	}
}

// AllocsPerRequest returns the heap allocations of the whole process for one request: the fewest of several rounds of n, after a
// warm-up as long, rounded down as testing.AllocsPerRun does. What a ticker allocates now and then is not in the result; what
// each request allocates is in all rounds.
func (r *Rig) AllocsPerRequest(n int) (float64, error) {
	fewest, err := fewestAllocs(5, 0, func() error {
		for range n {
			if err := r.Do(); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(fewest / uint64(n)), err
}

// fewestAllocs returns the heap allocations of the process in one round, the fewest of so many after a warm-up, each behind a pause.
func fewestAllocs(rounds int, pause time.Duration, round func() error) (uint64, error) {
	fewest := uint64(math.MaxUint64)
	for i := range rounds + 1 {
		time.Sleep(pause)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := round(); err != nil {
			return 0, err
		}
		runtime.ReadMemStats(&after)
		if i > 0 {
			fewest = min(fewest, after.Mallocs-before.Mallocs)
		}
	}
	return fewest, nil
}
