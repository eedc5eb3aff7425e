package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/edge"
	"sallyport/edge/config"
	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

// A recorder is an upstream that notes every octet it gets, connection by connection, and answers each request head with
// what reply returns.
type recorder struct {
	ln net.Listener

	mu    sync.Mutex
	got   []string // requests with their bodies
	reply func(request string) string
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{ln: ln, reply: func(string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" }}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *recorder) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		var head strings.Builder
		for {
			line, err := br.ReadString('\n')
			head.WriteString(line)
			if err != nil {
				if head.Len() > 0 {
					r.note("INCOMPLETE " + head.String())
				}
				return
			}
			if line == "\r\n" {
				break
			}
		}
		text := head.String()
		if req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(text), br))); err == nil && (req.ContentLength > 0 || len(req.TransferEncoding) > 0) {
			body, err := io.ReadAll(req.Body)
			text += string(body)
			if err != nil {
				text += "BROKEN"
			}
		}
		r.note(text)
		r.mu.Lock()
		reply := r.reply
		r.mu.Unlock()
		answer := reply(text)
		if _, err := io.WriteString(c, answer); err != nil || strings.Contains(answer, "Connection: close") {
			return
		}
	}
}

func (r *recorder) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, s)
}

// take returns what came since the last take.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func (r *recorder) addr() string { return r.ln.Addr().String() }

func (r *recorder) answer(f func(request string) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reply = f
}

// A proxy is a running Server with an ES256 issuer called "test", whose config is base and what a test adds.
type proxy struct {
	server *edge.Server
	signer *demo.Signer
	addr   string
	dir    string
	path   string
	log    *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

const baseConfig = `
[audit]
output = "audit.log"
[admin]
address = "127.0.0.1:0"
[[issuer]]
issuer = "test"
audiences = ["api"]
algorithms = ["ES256"]
[[issuer.keys]]
jwk = '''%s'''
[[upstream]]
name = "up"
endpoints = ["%s"]
response_timeout = "1s"
`

const baseRoutes = `
[[listener]]
address = "127.0.0.1:0"
max_connections = 100
read_timeout = "1s"
[[route]]
name = "api"
path = "/api/*"
upstream = "up"
claim_headers = { X-User = "sub" }
require.scopes = ["read"]
[[route]]
name = "public"
path = "/public/*"
public = true
upstream = "up"
max_body = "64KiB"
`

func newProxy(t *testing.T, upstream, extra string) *proxy {
	t.Helper()
	signer, err := demo.NewSigner(jose.ES256, "k1", 0)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := signer.JWK(false)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := json.Marshal(jwk)
	p := &proxy{signer: signer, dir: t.TempDir(), log: new(syncBuffer)}
	p.path = filepath.Join(p.dir, "sallyport.toml")
	if err := os.WriteFile(p.path, []byte(fmt.Sprintf(baseConfig, key, upstream)+extra), 0o600); err != nil {
		t.Fatal(err)
	}
	if p.server, err = edge.Start(edge.Options{ConfigPath: p.path, LogOutput: p.log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		p.server.Shutdown(ctx)
		if strings.Contains(p.log.String(), "BUG") {
			t.Errorf("the log holds a panic:\n%s", p.log)
		}
	})
	p.addr = p.server.Addr("127.0.0.1:0").String()
	return p
}

func (p *proxy) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	c := map[string]any{"iss": "test", "aud": "api", "sub": "alice", "scope": "read", "iat": now, "exp": now + 600, "jti": "j1"}
	for k, v := range changes {
		c[k] = v
	}
	s, err := p.signer.Sign("at+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send writes raw octets on a new connection, says that there are no more, and returns everything that comes back.
func (p *proxy) send(t *testing.T, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(c) // a reset after the answer is fine
	return string(answer)
}

// statuses returns the status codes of all responses in an answer whose bodies hold no status line.
func statuses(answer string) []string {
	var out []string
	for _, line := range strings.Split(answer, "\n") {
		if i := strings.Index(line, "HTTP/1.1 "); i >= 0 && len(line) >= i+12 {
			out = append(out, line[i+9:i+12])
		}
	}
	return out
}

func TestProxyPassesIdentity(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	answer := p.send(t, "GET /api/x?q=1 HTTP/1.1\r\nHost: a.test\r\nX-User: mallory\r\nx-user: mallory\r\nCookie: a=b\r\nX-Twice: 1\r\nX-Twice: 2\r\nAuthorization: Bearer "+p.token(t, nil)+"\r\n\r\n")
	if got := statuses(answer); len(got) != 1 || got[0] != "200" {
		t.Fatalf("answer %q", answer)
	}
	got := up.take()
	if len(got) != 1 {
		t.Fatalf("upstream got %q", got)
	}
	for _, want := range []string{"GET /api/x?q=1 HTTP/1.1\r\n", "Host: a.test\r\n", "X-User: alice\r\n", "Cookie: a=b\r\n", "X-Twice: 1\r\nX-Twice: 2\r\n", "X-Forwarded-For: 127.0.0.1\r\n"} {
		if !strings.Contains(got[0], want) {
			t.Errorf("upstream got %q, want %q in it", got[0], want)
		}
	}
	for _, not := range []string{"mallory", "Bearer", "Authorization"} {
		if strings.Contains(got[0], not) {
			t.Errorf("upstream got %q, want no %q in it", got[0], not)
		}
	}
}

func TestProxyRefusals(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes+"[[route]]\npath = \"/staff\"\nupstream = \"up\"\nrequire.scopes = [\"read\"]\nrequire.roles = [\"clerk\"]\n"+
		"[[route]]\npath = \"/blue\"\nupstream = \"up\"\nrequire.scopes = [\"read\"]\nrequire.claims = { tenant = [\"blue\"] }\n")
	good := p.token(t, nil)
	check := func(name, head, status, challenge string) {
		t.Helper()
		answer := p.send(t, head)
		if got := statuses(answer); len(got) != 1 || got[0] != status {
			t.Errorf("%s: answer %q, want one %s", name, answer, status)
		}
		if !strings.Contains(answer, challenge) {
			t.Errorf("%s: answer %q, want %q in it", name, answer, challenge)
		}
		if challenge == "" && strings.Contains(answer, "WWW-Authenticate") {
			t.Errorf("%s: answer %q, want no challenge", name, answer)
		}
		if got := up.take(); len(got) != 0 {
			t.Errorf("%s: upstream got %q", name, got)
		}
	}
	get := func(path, auth string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + auth + "Connection: close\r\n\r\n"
	}
	bearer := func(token string) string { return "Authorization: Bearer " + token + "\r\n" }
	const invalid = `WWW-Authenticate: Bearer realm="sallyport", error="invalid_token"`
	check("no token", get("/api/x", ""), "401", "WWW-Authenticate: Bearer realm=\"sallyport\"\r\n")
	check("other scheme", get("/api/x", "Authorization: Basic YTpi\r\n"), "401", "WWW-Authenticate: Bearer realm=\"sallyport\"\r\n")
	check("syntax", get("/api/x", "Authorization: Bearer a b\r\n"), "400", `error="invalid_request"`)
	check("empty token", get("/api/x", "Authorization: Bearer \r\n"), "400", `error="invalid_request"`)
	check("two fields", get("/api/x", bearer(good)+bearer(good)), "400", `error="invalid_request"`)
	check("forged", get("/api/x", bearer(good[:len(good)-10]+"AAAAAAAAAA")), "401", invalid)
	check("garbage", get("/api/x", bearer("garbage")), "401", invalid)
	check("expired", get("/api/x", bearer(p.token(t, map[string]any{"exp": 1}))), "401", invalid)
	check("audience", get("/api/x", bearer(p.token(t, map[string]any{"aud": "x"}))), "401", invalid)
	check("scope", get("/api/x", bearer(p.token(t, map[string]any{"scope": "other"}))), "403", `error="insufficient_scope", error_description="a required scope is missing", scope="read"`)
	check("role", get("/staff", bearer(good)), "403", `error="insufficient_scope", error_description="a required role is missing"`+"\r\n")
	check("claim value", get("/blue", bearer(good)), "403", `error="insufficient_scope", error_description="a claim does not have the required value"`+"\r\n")
	check("token in query", get("/api/x?access_token="+good, ""), "401", "WWW-Authenticate")
	check("no route", get("/other", bearer(good)), "404", "")
	check("above root", get("/../api/x", bearer(good)), "400", "")
	check("encoded slash", get("/public%2f..%2fapi/x", ""), "400", "")
	check("dot segments lead to the protected path", get("/public/../api/x", ""), "401", "WWW-Authenticate")
	check("encoded dots lead to the protected path", get("/public/%2e%2e/api/x", ""), "401", "WWW-Authenticate")
}

// The rows of SECURITY notes 3.2: what comes in as one request must be refused, or go out as exactly one.
func TestHTTPAttacks(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	const g = "GET /public/x HTTP/1.1\r\n"
	const post = "POST /public/x HTTP/1.1\r\nHost: a\r\n"
	chunked := post + "Transfer-Encoding: chunked\r\n"
	for _, c := range []struct{ name, raw, want string }{
		{"NoHost", g + "\r\n", "400"},
		{"EmptyHost", g + "Host:\r\n\r\n", "400"},
		{"TwoHosts", g + "Host: a\r\nHost: a\r\n\r\n", "400"},
		{"HostWithSpace", g + "Host: a b\r\n\r\n", "400"},
		{"HostWithSlash", g + "Host: a/b\r\n\r\n", "400"},
		{"HostWithEscape", g + "Host: a%2eb\r\n\r\n", "400"},
		{"HostWithUserinfo", g + "Host: u@evil\r\n\r\n", "400"},
		{"HostList", g + "Host: a,b\r\n\r\n", "400"},
		{"HostPortTooLarge", g + "Host: [::1]:99999\r\n\r\n", "400"},
		{"AbsoluteFormOtherHost", "GET http://evil/public/x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"AbsoluteFormFTP", "GET ftp://a/public/x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"AbsoluteFormSameHost", "GET http://a/public/x HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
		{"DoubleSlashAuthority", "GET //evil/a://b HTTP/1.1\r\nHost: a\r\n\r\n", "404"},
		{"BareLFLineEnds", "GET /public/x HTTP/1.1\nHost: a\r\n\r\n", "400"},
		{"BareLFField", g + "Host: a\nX: y\r\n\r\n", "400"},
		{"PureLF", "GET /public/x HTTP/1.1\nHost: a\n\n", "400"},
		{"ObsFold", g + "Host: a\r\nX: y\r\n z\r\n\r\n", "400"},
		{"ObsFoldTE", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400"},
		{"NameWithSpace", g + "Host: a\r\nX User: b\r\n\r\n", "400"},
		{"SpaceBeforeColon", g + "Host: a\r\nX : b\r\n\r\n", "400"},
		{"TabBeforeColon", g + "Host: a\r\nX\t: b\r\n\r\n", "400"},
		{"EmptyName", g + "Host: a\r\n: b\r\n\r\n", "400"},
		{"LeadingWhitespace", g + " Host: a\r\n\r\n", "400"},
		{"HighByteName", g + "Host: a\r\nX\xff: b\r\n\r\n", "400"},
		{"NULInValue", g + "Host: a\r\nX: b\x00c\r\n\r\n", "400"},
		{"CRInValue", g + "Host: a\r\nX: b\rc\r\n\r\n", "400"},
		{"UnderscoreOfIdentity", g + "Host: a\r\nX_User: mallory\r\n\r\n", "400"},
		{"UnderscoreOther", g + "Host: a\r\nX_Other: b\r\n\r\n", "200"},
		{"HTTP99", "GET /public/x HTTP/9.9\r\nHost: a\r\n\r\n", "505"},
		{"HTTP2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
		{"HTTP09", "GET /public/x\r\n", "400"},
		{"TwoSpaces", "GET  /public/x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"TabSeparator", "GET\t/public/x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CLAndTE", chunked + "Content-Length: 5\r\n\r\n0\r\n\r\n", "400"},
		{"TwoCL", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "400"},
		{"CLList", post + "Content-Length: 1, 1\r\n\r\nx", "400"},
		{"CLPlus", post + "Content-Length: +1\r\n\r\nx", "400"},
		{"CLEmpty", post + "Content-Length:\r\n\r\nx", "400"},
		{"CLHex", post + "Content-Length: 0x1\r\n\r\nx", "400"},
		{"CLHuge", post + "Content-Length: 9223372036854775808\r\n\r\nx", "400"},
		{"CLLeadingZeros", post + "Content-Length: 00001\r\n\r\nx", "400"},
		{"TEIdentity", post + "Transfer-Encoding: identity\r\n\r\n", "501"},
		{"TEIdentityWithCL", post + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "501"},
		{"TEXChunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"},
		{"TEGzipChunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"},
		{"TELeadingComma", post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", "400"},
		{"TEVerticalTab", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400"},
		{"TETwice", chunked + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"TEOnHTTP10", "POST /public/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"TEUpperCase", post + "Transfer-Encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n", "200"},
		{"ChunkExt", chunked + "\r\n1;a=b\r\nx\r\n0\r\n\r\n", "200"},
		{"ChunkExtTooLong", chunked + "\r\n1;" + strings.Repeat("a", 300) + "\r\nx\r\n0\r\n\r\n", "400"},
		{"ChunkSizeTrailingSpace", chunked + "\r\n1 \r\nx\r\n0\r\n\r\n", "400"},
		{"ChunkBareLF", chunked + "\r\n1\nx\r\n0\r\n\r\n", "400"},
		{"ChunkHexPrefix", chunked + "\r\n0x1\r\nx\r\n0\r\n\r\n", "400"},
		{"ChunkOverflow", chunked + "\r\nffffffffffffffffff\r\nx\r\n0\r\n\r\n", "400"},
		{"ChunkExtLF", chunked + "\r\n1;a\nb\r\nx\r\n0\r\n\r\n", "400"},
		{"ChunkTooShort", chunked + "\r\n2\r\nx\r\n0\r\n\r\n", "400"},
		{"TrailerIdentity", chunked + "\r\n1\r\nx\r\n0\r\nX-User: admin\r\n\r\n", "400"},
		{"TrailerAuthorization", chunked + "\r\n1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n", "400"},
		{"TrailerHarmless", chunked + "Trailer: Checksum\r\n\r\n1\r\nx\r\n0\r\nChecksum: 1\r\n\r\n", "200"},
		{"GETWithBody", g + "Host: a\r\nContent-Length: 1\r\n\r\nx", "400"},
		{"LeadingCRLF", "\r\n" + g + "Host: a\r\n\r\n", "200"},
		{"LeadingCRLFs", "\r\n\r\n" + g + "Host: a\r\n\r\n", "400"},
		{"EncodedSlash", "GET /public/a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"Backslash", "GET /public/a\\b HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"EncodedBackslash", "GET /public/a%5Cb HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"DotDotSemicolon", "GET /public/..;/api/x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"EncodedNUL", "GET /public/%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"BrokenEscape", "GET /public/%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"Fragment", "GET /public/x#frag HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"HighByteInPath", "GET /public/\xff HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "501"},
		{"TRACE", "TRACE /public/x HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
		{"LowerCaseMethod", "get /public/x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"UnknownMethod", "FOO /public/x HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
		{"OptionsAsterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"ExpectOther", post + "Expect: foo\r\nContent-Length: 1\r\n\r\nx", "417"},
		{"ConnectionNamesIdentity", g + "Host: a\r\nConnection: close, x-user\r\n\r\n", "400"},
		{"ConnectionNamesAuthorization", g + "Host: a\r\nConnection: Authorization\r\n\r\n", "400"},
		{"HeadTooLarge", g + "Host: a\r\nX: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", "431"},
		{"TooManyFields", g + "Host: a\r\n" + strings.Repeat("X: a\r\n", 101) + "\r\n", "431"},
		{"URITooLong", "GET /public/" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
		{"BodyTooLarge", post + "Content-Length: 65537\r\n\r\n", "413"},
		{"Garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := p.send(t, c.raw)
			if got := statuses(answer); len(got) != 1 || got[0] != c.want {
				t.Errorf("answer %q, want one %s", answer, c.want)
			}
			time.Sleep(time.Millisecond)
			got := up.take()
			complete := 0
			for _, r := range got {
				if !strings.HasPrefix(r, "INCOMPLETE") && !strings.HasSuffix(r, "BROKEN") {
					complete++
				}
				if strings.Contains(strings.ToLower(r), "trailer") || strings.Contains(r, "admin") || strings.Contains(r, "mallory") {
					t.Errorf("upstream got %q", r)
				}
			}
			if c.want == "200" && (complete != 1 || len(got) != 1) {
				t.Errorf("upstream got %q, want exactly one request", got)
			}
			if c.want != "200" && complete > 0 && !strings.HasPrefix(c.name, "Chunk") && !strings.HasPrefix(c.name, "Trailer") {
				t.Errorf("upstream got %q, want none", got)
			}
			if c.want == "400" && complete > 0 {
				t.Errorf("upstream got a complete request %q of a broken one", got)
			}
		})
	}
}

// Finding 1: a client that announces the identity header as a trailer cannot make it disappear or send its own.
func TestTrailerCannotDropIdentity(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	auth := "Authorization: Bearer " + p.token(t, nil) + "\r\n"
	p.send(t, "GET /api/x HTTP/1.1\r\nHost: a\r\nTrailer: X-User\r\n"+auth+"\r\n")
	p.send(t, "POST /api/x HTTP/1.1\r\nHost: a\r\nTrailer: X-User\r\nTransfer-Encoding: chunked\r\n"+auth+"\r\n1\r\nZ\r\n0\r\n\r\n")
	got := up.take()
	if len(got) != 2 {
		t.Fatalf("upstream got %q", got)
	}
	for _, r := range got {
		if strings.Count(r, "X-User: alice\r\n") != 1 || strings.Contains(r, "Trailer") {
			t.Errorf("upstream got %q", r)
		}
	}
}

// Finding 2: what an upstream writes on an idle connection is nobody's response.
func TestStaleResponseReachesNobody(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	for _, poison := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON", "garbage",
	} {
		n := 0
		up.answer(func(string) string {
			n++
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%02d", n) + poison
		})
		for i := range 5 {
			answer := p.send(t, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
			if !strings.HasSuffix(answer, fmt.Sprintf("\r\n\r\n%02d", i+1)) {
				t.Errorf("request %d: answer %q", i, answer)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// Finding 3: an upstream that does not answer gets one request, and the client 504.
func TestNoRetryOnTimeout(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	up.answer(func(string) string { time.Sleep(1500 * time.Millisecond); return "Connection: close" })
	answer := p.send(t, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
	if got := statuses(answer); len(got) != 1 || got[0] != "504" {
		t.Errorf("answer %q, want 504", answer)
	}
	if got := up.take(); len(got) != 1 {
		t.Errorf("upstream got %d requests, want 1", len(got))
	}
}

// Finding 9: a refusal comes before the body has been read, and the connection ends.
func TestRefusalBeforeBody(t *testing.T) {
	p := newProxy(t, newRecorder(t).addr(), baseRoutes)
	for _, framing := range []string{"Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 60000\r\nExpect: 100-continue\r\n", "Content-Length: 60000\r\nContent-Type: multipart/form-data; boundary=x\r\n"} {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(3 * time.Second))
		io.WriteString(c, "POST /api/x HTTP/1.1\r\nHost: a\r\n"+framing+"\r\n")
		answer, err := io.ReadAll(c)
		c.Close()
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") || !strings.Contains(string(answer), "Connection: close\r\n") {
			t.Errorf("%q: answer %q, %v; want 401 and the end of the connection", framing, answer, err)
		}
	}
}

func TestExpectContinuePasses(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * time.Second))
	io.WriteString(c, "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	br := bufio.NewReader(c)
	if line, _ := br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("first line %q", line)
	}
	br.ReadString('\n')
	io.WriteString(c, "abc")
	if line, _ := br.ReadString('\n'); line != "HTTP/1.1 200 OK\r\n" {
		t.Fatalf("second line %q", line)
	}
	got := up.take()
	if len(got) != 1 || !strings.HasSuffix(got[0], "\r\n\r\nabc") || strings.Contains(got[0], "Expect") {
		t.Errorf("upstream got %q", got)
	}
}

func TestBodiesStream(t *testing.T) {
	echo := demo.NewEcho()
	if err := echo.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	p := newProxy(t, echo.Addr(), baseRoutes)
	for _, n := range []int{0, 1, 4095, 4096, 4097, 65536} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = bytes.NewReader(make([]byte, n))
			if chunked {
				body = io.MultiReader(body)
			}
			resp, err := http.Post("http://"+p.addr+"/public/x", "application/octet-stream", body)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Body int `json:"body_bytes"`
			}
			json.NewDecoder(resp.Body).Decode(&got)
			resp.Body.Close()
			if resp.StatusCode != 200 || got.Body != n {
				t.Errorf("%d octets, chunked %v: status %d, upstream read %d", n, chunked, resp.StatusCode, got.Body)
			}
		}
	}
	// More than max_body without a word about it.
	resp, err := http.Post("http://"+p.addr+"/public/x", "application/octet-stream", io.MultiReader(bytes.NewReader(make([]byte, 80<<10))))
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("too large in chunks: status %d, want 413", resp.StatusCode)
		}
	}
}

func TestResponsesStream(t *testing.T) {
	release := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/public/sse":
			io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			<-release
			io.WriteString(w, "second\n")
		case "/public/big":
			w.Header().Set("Content-Length", "1000000")
			w.Write(make([]byte, 1000000))
		case "/public/head":
			w.Header().Set("Content-Length", "123")
		case "/public/none":
			w.WriteHeader(204)
		case "/public/cookies":
			w.Header().Add("Set-Cookie", "a=1; Path=/")
			w.Header().Add("Set-Cookie", "b=2; HttpOnly")
			w.Header().Set("Connection", "X-Private")
			w.Header().Set("X-Private", "1")
			w.WriteHeader(304)
		}
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	defer srv.Close()
	p := newProxy(t, ln.Addr().String(), baseRoutes)
	get := func(method, path string) *http.Response {
		req, _ := http.NewRequest(method, "http://"+p.addr+path, nil)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := get("GET", "/public/sse")
	br := bufio.NewReader(resp.Body)
	if line, err := br.ReadString('\n'); line != "first\n" {
		t.Fatalf("first event %q, %v", line, err)
	}
	close(release)
	if line, _ := br.ReadString('\n'); line != "second\n" {
		t.Fatalf("second event %q", line)
	}
	resp.Body.Close()
	resp = get("GET", "/public/big")
	if n, err := io.Copy(io.Discard, resp.Body); n != 1000000 || err != nil {
		t.Errorf("big: %d octets, %v", n, err)
	}
	resp.Body.Close()
	if resp = get("HEAD", "/public/head"); resp.ContentLength != 123 {
		t.Errorf("HEAD: length %d, want 123", resp.ContentLength)
	}
	if resp = get("GET", "/public/none"); resp.StatusCode != 204 {
		t.Errorf("status %d, want 204", resp.StatusCode)
	}
	resp = get("GET", "/public/cookies")
	if c := resp.Header.Values("Set-Cookie"); resp.StatusCode != 304 || len(c) != 2 || c[1] != "b=2; HttpOnly" {
		t.Errorf("status %d, cookies %q", resp.StatusCode, c)
	}
	if resp.Header.Get("X-Private") != "" {
		t.Error("a field that Connection names was passed on")
	}
}

func TestPipelinedRequests(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	answer := p.send(t, "GET /public/1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /public/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /public/3 HTTP/1.1\r\nHost: a\r\n\r\nGET /pub")
	if got := statuses(answer); len(got) < 3 || got[0] != "200" || got[1] != "200" || got[2] != "200" {
		t.Errorf("answers %q", got)
	}
	if got := up.take(); len(got) != 3 || !strings.HasSuffix(got[1], "\r\n\r\nabc") {
		t.Errorf("upstream got %q", got)
	}
}

func TestAuditAndMetrics(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	good := p.token(t, nil)
	forged := good[:len(good)-10] + "AAAAAAAAAA"
	for _, token := range []string{good, forged} {
		p.send(t, "GET /api/x?secret=1 HTTP/1.1\r\nHost: A.test:80\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	}
	p.send(t, "BROKEN\r\n\r\n")
	var records []map[string]any
	for deadline := time.Now().Add(3 * time.Second); len(records) < 3 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		records = nil
		data, _ := os.ReadFile(filepath.Join(p.dir, "audit.log"))
		for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
			var r map[string]any
			if json.Unmarshal(line, &r) == nil {
				records = append(records, r)
			}
		}
		for _, bad := range []string{good, forged, strings.Split(good, ".")[2], "secret"} {
			if bytes.Contains(data, []byte(bad)) {
				t.Fatalf("the audit log holds %q", bad)
			}
		}
	}
	if len(records) != 3 {
		t.Fatalf("%d records, want 3", len(records))
	}
	check := func(i int, key string, want any) {
		t.Helper()
		if got := records[i][key]; got != want {
			t.Errorf("record %d: %s = %v, want %v", i, key, got, want)
		}
	}
	for key, want := range map[string]any{
		"verdict": "allow", "reason": "ok", "sub": "alice", "iss": "test", "kid": "k1", "alg": "ES256", "jti": "j1",
		"route": "api", "upstream": "up", "status": 200.0, "host": "a.test", "path": "/api/x", "bytes_out": 2.0, "method": "GET", "peer": "127.0.0.1",
	} {
		check(0, key, want)
	}
	for key, want := range map[string]any{"verdict": "deny", "reason": "signature", "sub": nil, "iss": nil, "kid": nil, "jti": nil, "alg": nil, "status": 401.0} {
		check(1, key, want)
	}
	check(2, "reason", "bad_request")
	check(2, "detail", "request line is malformed")
	resp, err := http.Get(p.server.AdminURL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, want := range []string{
		`sallyport_requests_total{route="api",code="200"} 1`, `sallyport_requests_total{route="api",code="401"} 1`,
		`sallyport_verdicts_total{issuer="test",reason="ok"} 1`, `sallyport_verdicts_total{issuer="",reason="signature"} 1`,
		`sallyport_config_last_reload_successful 1`, `sallyport_keyset_keys{issuer="test"} 1`, `sallyport_requests_in_flight 0`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("metrics lack %q", want)
		}
	}
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^sallyport_([a-z_]+?)(?:_bucket|_sum|_count)?[{ ]`).FindAllSubmatch(text, -1) {
		if !bytes.Contains(design, append([]byte("`"), m[1]...)) {
			t.Errorf("the list of metrics in DESIGN.md lacks %s", m[1])
		}
	}
	if resp, err := http.Get(p.server.AdminURL() + "/readyz"); err != nil || resp.StatusCode != 200 {
		t.Errorf("readyz: %v %v", resp, err)
	}
}

// The time that a request waited for a connection to its upstream is not taken from its client's for the body.
func TestBodyTimeBeginsWithTheBody(t *testing.T) {
	up := newRecorder(t)
	held := make(chan struct{})
	up.answer(func(request string) string {
		if strings.HasPrefix(request, "GET") {
			<-held
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	})
	routes := "max_connections = 1\n" + strings.Replace(baseRoutes, `read_timeout = "1s"`, `read_timeout = "100ms"`, 1)
	p := newProxy(t, up.addr(), routes)
	var wg sync.WaitGroup
	wg.Go(func() { p.send(t, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n") })
	for len(up.take()) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.AfterFunc(300*time.Millisecond, func() { close(held) })
	size := 60 << 10 // more than is read with the head
	answer := p.send(t, fmt.Sprintf("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
	if got := statuses(answer); !slices.Equal(got, []string{"200"}) {
		t.Errorf("%q, want 200", answer)
	}
	wg.Wait()
}

// The audit record says which of the things that a reason stands for it was, and nothing of the token in doing so.
func TestAuditHasDetail(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	want := []string{"iss is none of the configured issuers", "issuer test: exp has passed; the signature was not checked", "no Authorization field"}
	get := "GET /api/x HTTP/1.1\r\nHost: a\r\n"
	for _, request := range []string{
		get + "Authorization: Bearer " + p.token(t, map[string]any{"iss": "other"}) + "\r\n\r\n",
		get + "Authorization: Bearer " + p.token(t, map[string]any{"exp": 1}) + "\r\n\r\n",
		get + "\r\n",
	} {
		p.send(t, request)
	}
	var got []string
	for deadline := time.Now().Add(3 * time.Second); len(got) < len(want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		got = nil
		data, _ := os.ReadFile(filepath.Join(p.dir, "audit.log"))
		for line := range bytes.Lines(data) {
			var r struct{ Detail string }
			if json.Unmarshal(line, &r) == nil {
				got = append(got, r.Detail)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("details %q, want %q", got, want)
	}
}

// A broken file changes nothing, a good one everything that it says, and neither costs a request.
func TestReloadUnderLoad(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	original, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	stop, failed := make(chan struct{}), make(chan string, 100)
	var wg sync.WaitGroup
	auth := "Bearer " + p.token(t, nil)
	for range 4 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, _ := http.NewRequest("GET", "http://"+p.addr+"/api/x", nil)
				req.Header.Set("Authorization", auth)
				resp, err := client.Do(req)
				if err != nil {
					failed <- err.Error()
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					failed <- resp.Status
					return
				}
			}
		})
	}
	write := func(text string) {
		if err := os.WriteFile(p.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		write(string(original) + "\n[[route]]\nbroken = true\n")
		if err := p.server.Reload(); err == nil {
			t.Fatal("a broken file was taken")
		}
		write(string(original) + fmt.Sprintf("\n[[route]]\nname = \"extra\"\npath = \"/extra/%d\"\npublic = true\nupstream = \"up\"\n", i))
		if err := p.server.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := statuses(p.send(t, fmt.Sprintf("GET /extra/%d HTTP/1.1\r\nHost: a\r\n\r\n", i))); len(got) != 1 || got[0] != "200" {
			t.Errorf("the new route answers %v", got)
		}
		if got := statuses(p.send(t, fmt.Sprintf("GET /extra/%d HTTP/1.1\r\nHost: a\r\n\r\n", i-1))); len(got) != 1 || got[0] != "404" {
			t.Errorf("the old route answers %v", got)
		}
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-failed:
		t.Errorf("a request failed: %s", err)
	default:
	}
}

func TestCORSPreflight(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), strings.Replace(baseRoutes, `name = "api"`, "name = \"api\"\ncors_preflight = true\nmethods = [\"GET\"]", 1))
	check := func(raw, want string) {
		t.Helper()
		if got := statuses(p.send(t, raw)); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %v, want %s", raw, got, want)
		}
	}
	const o = "OPTIONS /api/x HTTP/1.1\r\nHost: a\r\n"
	check(o+"Origin: https://o\r\nAccess-Control-Request-Method: GET\r\n\r\n", "200")
	check(o+"Origin: https://o\r\nAccess-Control-Request-Method: PUT\r\n\r\n", "405")
	check(o+"Origin: https://o\r\n\r\n", "405")
	check(o+"Access-Control-Request-Method: GET\r\n\r\n", "405")
	check("GET /api/x HTTP/1.1\r\nHost: a\r\nOrigin: https://o\r\nAccess-Control-Request-Method: GET\r\n\r\n", "401")
	up.take()
	check(o+"Origin: https://o\r\nAccess-Control-Request-Method: GET\r\nAuthorization: Bearer x\r\nX-User: m\r\n\r\n", "200")
	if got := up.take(); len(got) != 1 || strings.Contains(got[0], "Bearer") || strings.Contains(got[0], "X-User") {
		t.Errorf("upstream got %q", got)
	}
}

func TestTokenPlaces(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes+`
[[route]]
path = "/header"
token_header = "X-Token"
upstream = "up"
[[route]]
path = "/cookie"
token_cookie = "session"
upstream = "up"
[[route]]
path = "/forward"
forward_token = true
upstream = "up"
`)
	token := p.token(t, nil)
	check := func(path, fields, want, inside, outside string) {
		t.Helper()
		up.take()
		if got := statuses(p.send(t, "GET "+path+" HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n")); len(got) != 1 || got[0] != want {
			t.Errorf("%s %.40q: %v, want %s", path, fields, got, want)
		}
		if got := up.take(); want == "200" && (len(got) != 1 || !strings.Contains(got[0], inside) || (outside != "" && strings.Contains(got[0], outside))) {
			t.Errorf("%s: upstream got %q", path, got)
		}
	}
	bearer := "Authorization: Bearer " + token + "\r\n"
	check("/header", "X-Token: "+token+"\r\n", "200", "", token)
	check("/header", bearer, "401", "", "")
	check("/header", "X-Token: "+token+"\r\nX-Token: "+token+"\r\n", "400", "", "")
	check("/header", "X_Token: "+token+"\r\n", "401", "", "")
	check("/cookie", "Cookie: a=1; session="+token+"; b=2\r\n", "200", "Cookie: a=1; b=2\r\n", token)
	check("/cookie", "Cookie: session="+token+"; session="+token+"\r\n", "400", "", "")
	check("/cookie", "Cookie: session=\r\n", "400", "", "")
	check("/cookie", bearer, "401", "", "")
	check("/forward", bearer, "200", bearer, "")
}

func TestParseDemoConfig(t *testing.T) {
	for _, name := range []string{"../configs/minimal.toml", "../configs/sallyport.toml"} {
		cfg, _, err := config.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := edge.Check(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
