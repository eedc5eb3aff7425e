package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/verify/jose"
)

// A fault is a way for a provider to answer, and what a fetch must say of it.
type fault struct {
	name    string
	answer  http.HandlerFunc
	want    string        // in the error
	timeout time.Duration // 0: long
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func typed(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func encoded(encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		_, _ = w.Write(body)
	}
}

func gzipped(body io.Reader) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.Copy(z, body)
	_ = z.Close()
	return b.Bytes()
}

// hang says nothing until the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// drip sends a good head and then one octet of white space after the other, which is a valid beginning of any JSON text.
func drip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// elsewhere is a server that must not be contacted.
func elsewhere(t *testing.T) *provider {
	p := newProvider(t, false)
	t.Cleanup(func() {
		if n, _ := p.connections(); n != 0 {
			t.Errorf("a server that a provider pointed to was contacted %d times", n)
		}
	})
	return p
}

// bomb is 16 MiB of white space, in some 16 KiB.
var bomb = sync.OnceValue(func() []byte {
	z := zeros(16 << 20)
	return gzipped(&z)
})

// zeros reads as n octets of white space.
type zeros int

func (z *zeros) Read(b []byte) (int, error) {
	if *z <= 0 {
		return 0, io.EOF
	}
	n := min(len(b), int(*z))
	for i := range b[:n] {
		b[i] = ' '
	}
	*z -= zeros(n)
	return n, nil
}

// faults are those that any document can have. at is the document's own URL.
func faults(t *testing.T, p *provider, at, good string) []fault {
	short := 200 * time.Millisecond
	other := elsewhere(t)
	packed := gzipped(strings.NewReader(good))
	host := strings.TrimPrefix(p.url, "http://")
	return []fault{
		{name: "404", answer: status(404), want: "answered 404 Not Found"},
		{name: "500", answer: status(500), want: "answered 500"},
		{name: "204", answer: status(204), want: "answered 204"},
		{name: "401", answer: status(401), want: "answered 401"},
		{name: "206 with a good body", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(206)
			_, _ = io.WriteString(w, good)
		}, want: "answered 206"},
		{name: "404 with a good body", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, good)
		}, want: "answered 404"},
		{name: "304 unasked", answer: status(304), want: "answered 304"},

		{name: "redirect to another host", answer: redirect(other.url + "/jwks"), want: "another origin"},
		{name: "redirect to another name of this host", answer: redirect(strings.Replace(at, "127.0.0.1", "localhost", 1)), want: "another origin"},
		{name: "redirect to a private address", answer: redirect("http://10.255.255.1/jwks"), want: "another origin"},
		{name: "redirect to the metadata address", answer: redirect("http://169.254.169.254/latest/meta-data/"), want: "another origin"},
		{name: "redirect without a scheme", answer: redirect("//" + strings.TrimPrefix(other.url, "http://") + "/jwks"), want: "another origin"},
		{name: "redirect to https", answer: redirect("https://" + host + "/jwks"), want: "another origin"},
		{name: "redirect to a file", answer: redirect("file:///etc/passwd"), want: "another origin"},
		{name: "redirect with credentials", answer: redirect("http://user:hunter2@" + host + "/jwks"), want: "credentials"},
		{name: "redirect without a target", answer: status(302), want: "302"},
		{name: "redirect to itself", answer: redirect(at), want: "too many redirects"},
		{name: "300", answer: status(300), want: "answered 300"},

		{name: "endless body", answer: endless("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat(" ", 16<<10)), want: "larger than 65536 bytes"},
		{name: "10 GB", answer: endless("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", strings.Repeat(" ", 16<<10)), want: "larger than 65536 bytes"},
		{name: "endless chunks", answer: endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\n \r\n", 1000)), want: "larger than 65536 bytes"},
		{name: "one octet too many", answer: text(good + strings.Repeat(" ", 64<<10+1-len(good))), want: "larger than 65536 bytes"},
		{name: "gzip bomb", answer: encoded("gzip", bomb()), want: "larger than 65536 bytes"},
		{name: "no gzip", answer: encoded("gzip", []byte(good)), want: "gzip"},
		{name: "gzip cut off", answer: encoded("gzip", packed[:len(packed)/2]), want: "unexpected EOF"},
		{name: "encoding not asked for", answer: encoded("br", []byte("\x1b\x2e\x00")), want: "JSON"},
		{name: "endless head", answer: endless("HTTP/1.1 200 OK\r\n", "X-Filler: "+strings.Repeat("x", 4<<10)+"\r\n"), want: "headers exceeded"},
		{name: "endless line in the head", answer: endless("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 16<<10)), want: "headers exceeded"},
		{name: "endless interim responses", answer: endless("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 100)), want: ""},

		{name: "one octet at a time", answer: drip, want: "deadline exceeded", timeout: short},
		{name: "silence", answer: hang, want: "deadline exceeded", timeout: short},
		{name: "silence after the head", answer: func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}, want: "deadline exceeded", timeout: short},

		{name: "HTML", answer: typed("text/html; charset=utf-8", "<html>Sign in</html>"), want: "HTML page"},
		{name: "HTML by another name", answer: typed("application/json", "<html>Sign in</html>"), want: "JSON"},
		{name: "good body as HTML", answer: typed("text/html", good), want: "HTML page"},
		{name: "nothing", answer: text(""), want: "JSON"},
		{name: "null", answer: text("null"), want: "JSON"},
		{name: "an array", answer: text("[]"), want: "JSON"},
		{name: "cut off", answer: text(good[:len(good)-1]), want: "JSON"},
		{name: "two", answer: text(good + good), want: "JSON"},
		{name: "byte order mark", answer: text("\ufeff" + good), want: "JSON"},
		{name: "nested a million deep", answer: text(strings.Repeat(`{"a":`, 10_000)), want: "JSON"},

		{name: "no HTTP", answer: raw("SSH-2.0-OpenSSH_9.9\r\n"), want: "malformed HTTP"},
		{name: "closed at once", answer: raw(), want: "EOF"},
		{name: "fewer octets than said", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", good), want: "unexpected EOF"},
		{name: "two lengths", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), want: "Content-Length"},
		{name: "no chunk", answer: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", good), want: "chunk"},
		{name: "a chunk cut off", answer: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", good), want: "unexpected EOF"},
		{name: "no last chunk", answer: raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(good), good)), want: "unexpected EOF"},
		{name: "a coding of its own", answer: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), want: "transfer encoding"},
		{name: "a long reason phrase", answer: raw("HTTP/1.1 503 " + strings.Repeat("hunter2 ", 5000) + "\r\n\r\n"), want: "answered 503"},
		{name: "a long status line", answer: raw("HTTP/1.1 " + strings.Repeat("x", 50_000) + "\r\n\r\n"), want: "malformed HTTP"},
	}
}

// TestProviderFromHell lets a provider fail in every way, in each document. Whatever it does: the fetch ends with the right
// error, the last good keys stay, no more is said of it than is good to log, and when the provider has recovered, the key that
// was there before is the same pointer.
func TestProviderFromHell(t *testing.T) {
	k := newKey(t, "k")
	run := func(document, path string, config func(*provider) Config) {
		t.Run(document, func(t *testing.T) {
			p := newProvider(t, false)
			good := map[string]http.HandlerFunc{
				"/jwks": text(jwks(k)), oidcPath: discovery(p.url, p.url+"/jwks"),
			}
			for at, h := range good {
				p.on(at, h)
			}
			body := jwks(k)
			if path == oidcPath {
				body = fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, p.url, p.url+"/jwks")
			}
			for _, f := range faults(t, p, p.url+path, body) {
				cfg := config(p)
				if f.timeout != 0 {
					cfg.Timeout = f.timeout
				}
				s, log := newSource(t, cfg)
				eventuallyFetched(t, s)
				set := s.Keys().Load()
				before := k.in(t, set)

				p.on(path, f.answer)
				err := once(s)
				p.on(path, good[path])
				if err == nil || !strings.Contains(err.Error(), f.want) {
					t.Errorf("%s: fetch = %.300v, want an error with %q", f.name, err, f.want)
				}
				if got := s.Keys().Load(); got != set {
					t.Errorf("%s: the last good set was not kept", f.name)
				}
				st := s.Status()
				if !st.Ready || st.LastError == "" || len(st.LastError) > maxErrorText+3 || st.Failures == 0 {
					t.Errorf("%s: Status() = %+.300v, want keys and a short error", f.name, st)
				}
				if strings.Contains(log.String(), "hunter2") || len(log.String()) > 4<<10 {
					t.Errorf("%s: the log holds what the provider sent: %.500s", f.name, log)
				}

				eventuallyFetched(t, s)
				if after := k.in(t, s.Keys().Load()); after == nil || after != before {
					t.Errorf("%s: after recovery the key is %p, want %p as before", f.name, after, before)
				}
				if st := s.Status(); st.LastError != "" {
					t.Errorf("%s: after recovery Status has the error %q", f.name, st.LastError)
				}
			}
		})
	}
	run("key set", "/jwks", (*provider).config)
	run("discovery", oidcPath, (*provider).discovered)
	run("key set that was discovered", "/jwks", (*provider).discovered)
}

// eventuallyFetched fetches from a good provider, again if the test's own short timeout has hit it.
func eventuallyFetched(t *testing.T, s *Source) {
	t.Helper()
	var err error
	for range 50 {
		if err = once(s); err == nil {
			return
		}
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
			break
		}
	}
	t.Fatalf("cannot fetch from a good provider: %v", err)
}

// Faults of the key set alone.
func TestFetchRefusesEmptySets(t *testing.T) {
	k := newKey(t, "k")
	p := newProvider(t, false)
	s, log := newSource(t, p.config())
	p.on("/jwks", text(jwks(k)))
	set := mustFetch(t, s)
	check := func(body, want string) {
		t.Helper()
		p.on("/jwks", text(body))
		if err := once(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fetch of %.200s = %v, want an error with %q", body, err, want)
		}
		if s.Keys().Load() != set {
			t.Errorf("%.200s replaced the last good set", body)
		}
	}
	check(`{"keys":[]}`, "no usable key (0 skipped)")
	check(`{}`, "no array")
	check(`{"keys":null}`, "no array")
	check(`{"keys":[{"kty":"oct","k":"aHVudGVyMg"}]}`, "a shared secret")
	check(`{"keys":[{"kty":"EC","d":"aHVudGVyMg","kid":"hunter2"}]}`, "public now")
	check(`{"keys":[],"keys":[1]}`, "JSON")
	check(`{"keys":[`+strings.Repeat(`0,`, 10)+`0]}`, "more than 10 (max_keys)")
	if text := log.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
		t.Errorf("the log holds what a key held: %s", text)
	}
}

// A key of nobody's business among good ones is left out, said once, and said again only when it changes.
func TestFetchReportsSkippedKeysOnce(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	p := newProvider(t, false)
	s, log := newSource(t, p.config())
	b.jwk["use"] = "enc"
	p.on("/jwks", text(jwks(a, b)))
	for range 3 {
		set := mustFetch(t, s)
		if set.Len() != 1 || a.in(t, set) == nil {
			t.Fatalf("the set has %d keys, want a alone", set.Len())
		}
	}
	if st := s.Status(); st.Skipped != 1 || st.Keys != 1 {
		t.Errorf("Status() = %+v, want one key and one skipped", st)
	}
	if n := strings.Count(log.String(), "key skipped"); n != 1 {
		t.Errorf("three fetches reported the skipped key %d times, want once", n)
	}
	b.jwk["d"] = "AA"
	p.on("/jwks", text(jwks(a, b)))
	mustFetch(t, s)
	if n := strings.Count(log.String(), "key skipped"); n != 2 || !strings.Contains(log.String(), "public now") {
		t.Errorf("a published private key was not reported: %s", log)
	}
}

func TestFetchFollowsRotation(t *testing.T) {
	p := newProvider(t, false)
	s, _ := newSource(t, p.config())
	publish := func(list ...testKey) *Source {
		t.Helper()
		p.on("/jwks", text(jwks(list...)))
		mustFetch(t, s)
		return s
	}
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	stays := a.in(t, publish(a, b).Keys().Load())
	if stays == nil || b.in(t, s.Keys().Load()) == nil {
		t.Fatal("the first keys are not both there")
	}
	removed := b.in(t, s.Keys().Load())

	set := publish(c, a).Keys().Load()
	if got := a.in(t, set); got != stays {
		t.Errorf("an unchanged key is %p after a refresh, want %p", got, stays)
	}
	if got := set.Lookup([]byte("b"), true, jose.ES256); got != nil || set.Contains(removed) {
		t.Error("a key that the provider removed is still in the set")
	}
	if c.in(t, set) == nil {
		t.Error("a new key is not in the set")
	}

	// Another key under the same kid: the old one's signatures are void at once.
	impostor := newKey(t, "a")
	set = publish(impostor, c).Keys().Load()
	if a.in(t, set) != nil || set.Contains(stays) {
		t.Error("a key that was replaced under its kid still verifies")
	}
	if impostor.in(t, set) == nil {
		t.Error("the key that replaces another under its kid does not verify")
	}
	// And back: no memory of it is left to be confused.
	set = publish(a, c).Keys().Load()
	if impostor.in(t, set) != nil || a.in(t, set) == nil {
		t.Error("the key is not the one that is published")
	}
	if a.in(t, set) == stays {
		t.Error("a key that was gone came back with its old pointer: what is no longer current is not forgotten")
	}
}

// A provider that is down costs nobody but new keys; a restart under the same address is picked up.
func TestFetchSurvivesProviderRestart(t *testing.T) {
	k := newKey(t, "k")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	srv := &http.Server{Handler: text(jwks(k))}
	go srv.Serve(ln)
	p := &provider{url: "http://" + address, Server: newProvider(t, false).Server}
	s, _ := newSource(t, p.config())
	set := mustFetch(t, s)
	srv.Close()
	for range 3 {
		if err := once(s); err == nil {
			t.Fatal("a fetch from a provider that is down succeeded")
		}
	}
	if s.Keys().Load() != set || !s.Status().Ready {
		t.Error("the provider is down, and the last good keys are gone")
	}
	if ln, err = net.Listen("tcp", address); err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	srv = &http.Server{Handler: text(jwks(k))}
	go srv.Serve(ln)
	defer srv.Close()
	if after := k.in(t, mustFetch(t, s)); after == nil || after != k.in(t, set) {
		t.Errorf("after a restart the key is %p, want %p", after, k.in(t, set))
	}
}

func TestFetchFollowsTwoRedirects(t *testing.T) {
	k := newKey(t, "k")
	p := newProvider(t, false)
	p.on("/jwks", redirect("/1"))
	p.on("/1", redirect(p.url+"/2"))
	p.on("/2", text(jwks(k)))
	s, _ := newSource(t, p.config())
	if k.in(t, mustFetch(t, s)) == nil {
		t.Error("two redirects within the origin were not followed")
	}
	p.on("/2", redirect("/3"))
	p.on("/3", text(jwks(k)))
	if err := once(s); err == nil || !strings.Contains(err.Error(), "too many redirects") {
		t.Errorf("a fetch with three redirects = %v, want an error", err)
	}
	if n := p.hitsOf("/3"); n != 0 {
		t.Errorf("the third redirect was followed %d times", n)
	}
}

// The whole endless body is never taken: what the provider can write is bounded by our limit and the sockets' buffers.
func TestFetchStopsReading(t *testing.T) {
	p := newProvider(t, false)
	var sent atomic.Int64
	done := make(chan struct{})
	p.on("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		piece := bytes.Repeat([]byte(" "), 64<<10)
		for {
			n, err := w.Write(piece)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	s, _ := newSource(t, p.config())
	if err := once(s); err == nil {
		t.Fatal("an endless body was accepted")
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("the connection of an endless body stays open; %d octets were sent", sent.Load())
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d octets of an endless body were taken, with a limit of %d", n, s.cfg.MaxBytes)
	}
}

// The connection of a good fetch serves the next one, that of a bad fetch does not stay open, and Run leaves none behind.
func TestFetchConnections(t *testing.T) {
	k := newKey(t, "k")
	p := newProvider(t, false)
	p.on("/jwks", text(jwks(k)))
	p.on(oidcPath, discovery(p.url, p.url+"/jwks"))
	s, _ := newSource(t, p.discovered())
	for range 5 {
		mustFetch(t, s)
	}
	// One for the operator's URL and one for the learned one: they must not be shared.
	if all, _ := p.connections(); all != 2 {
		t.Errorf("five fetches of two documents took %d connections, want 2", all)
	}
	p.on("/jwks", endless("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat(" ", 16<<10)))
	for range 3 {
		if once(s) == nil {
			t.Fatal("an endless body was accepted")
		}
	}
	p.on("/jwks", text(jwks(k)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	before := p.hitsOf("/jwks")
	eventually(t, "Run fetches", func() bool { return p.hitsOf("/jwks") > before && s.Status().LastError == "" })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want the context's error", err)
	}
	eventually(t, "all connections are closed after Run", func() bool {
		_, open := p.connections()
		return open == 0
	})
}

func TestRunEndsDuringAHangingFetch(t *testing.T) {
	black, err := net.Listen("tcp", "127.0.0.1:0") // accepts, by its backlog, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer black.Close()
	dripping := newProvider(t, false)
	dripping.on("/jwks", drip)
	silent := newProvider(t, false)
	silent.on("/jwks", hang)
	for name, url := range map[string]string{
		"no answer": silent.url, "an answer without end": dripping.url,
		"no HTTP": "http://" + black.Addr().String(), "no TLS": "https://" + black.Addr().String(),
	} {
		cfg := silent.config()
		cfg.Issuer, cfg.JWKSURI, cfg.Timeout = url, url+"/jwks", time.Hour
		s, log := newSource(t, cfg)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		eventually(t, name+": Run fetches", func() bool { return s.Status().Fetches == 1 })
		time.Sleep(20 * time.Millisecond) // into the fetch; it is cancelled the same if it is not there yet
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: Run = %v, want the context's error", name, err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: Run goes on 30 s after its context has ended", name)
		}
		if st := s.Status(); st.Failures != 0 || log.String() != "" {
			t.Errorf("%s: the end of Run was counted and logged as a failure: %+v, %s", name, st, log)
		}
	}
}
