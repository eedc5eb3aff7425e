package edge

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"sallyport/edge/header"
	"sallyport/edge/upstream/h1"
	"sallyport/edge/wire"
	"sallyport/verify"
)

// forward sends the request to the upstream and prepares the response. It returns the decision's own reason when there is
// a response to pass on.
func (x *exchange) forward(ctx *fasthttp.RequestCtx) verify.Reason {
	x.up.HEAD = string(x.req.Method) == "HEAD"
	x.up.Idempotent = idempotent(x.req.Method)
	x.up.BodyLen, x.up.MaxBody, x.up.Body = x.bodyLen, x.rs.maxBody, nil
	var body *bodyReader
	if x.bodyLen != 0 {
		body = &bodyReader{server: x.server, conn: x.wire, timeout: x.h.conns.cfg.ReadTimeout}
		x.up.Body, x.up.Interrupt = body, body.interrupt
	}
	if err := x.send(); err != nil {
		if body != nil && body.panicked.Load() {
			return verify.ReasonInternal
		}
		return upstreamReason(err)
	}
	x.rs.metrics.Upstream(time.Since(x.decided))
	x.respond(ctx)
	return x.dec.Reason
}

// send picks an endpoint and exchanges heads. An endpoint that could not even be connected to has seen nothing, so another
// one may be tried; everything else is final, since the upstream may have acted (SECURITY notes, finding 3).
func (x *exchange) send() error {
	var err error
	for attempt := 0; attempt < 2; attempt++ {
		x.ep = x.rs.pool.Pick(x.start.Unix())
		client := x.ep.Client.(*h1.Client)
		x.head = x.appendHead(x.head[:0], x.ep.Address())
		x.up.Head = x.head
		if err = client.Do(&x.up); err == nil {
			x.upOpen = true
			return nil
		}
		if errors.Is(err, h1.ErrRequestBody) || errors.Is(err, h1.ErrBodyTooLarge) || errors.Is(err, h1.ErrBusy) {
			x.ep.Abandon()
			x.ep = nil
		} else {
			x.closeUpstream(false)
		}
		if !errors.Is(err, h1.ErrConnect) {
			break
		}
	}
	return err
}

func upstreamReason(err error) verify.Reason {
	switch {
	case errors.Is(err, h1.ErrBodyTooLarge):
		return verify.ReasonBodyTooLarge
	case errors.Is(err, h1.ErrRequestBody):
		return verify.ReasonBadRequest
	case errors.Is(err, h1.ErrBusy):
		return verify.ReasonUpstreamBusy
	case errors.Is(err, h1.ErrTimeout):
		return verify.ReasonUpstreamTimeout
	case errors.Is(err, h1.ErrConnect):
		return verify.ReasonUpstreamUnreachable
	}
	return verify.ReasonUpstreamResponse
}

// idempotent lists the methods of RFC 9110, 9.2.2, and QUERY (its own RFC says so).
func idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "QUERY":
		return true
	}
	return false
}

// appendHead builds the outgoing request head afresh, empty line included. Identity fields come last, after everything of
// the client's that could bear their names has been left out.
func (x *exchange) appendHead(dst []byte, endpoint string) []byte {
	dst = append(dst, x.req.Method...)
	dst = append(dst, ' ')
	dst = append(dst, x.dec.Path...)
	if len(x.dec.Query) > 0 {
		dst = append(dst, '?')
		dst = append(dst, x.dec.Query...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	if x.rs.preserveHost && len(x.req.Authority) > 0 {
		dst = append(dst, x.req.Authority...)
	} else {
		dst = append(dst, endpoint...)
	}
	dst = append(dst, "\r\n"...)
	opt := x.rs.forward
	if x.dec.Preflight {
		opt = header.ForwardOptions{StripAuthorization: true, StripCookie: x.rs.gate.TokenCookie, StripHeader: x.rs.gate.TokenHeader}
	}
	dst = x.fields.AppendForward(dst, opt)
	dst = x.fields.AppendForwarding(dst, header.Forwarding{Peer: x.peer, Trusted: x.trusted, Scheme: x.scheme(), Host: x.req.Authority})
	dst = header.AppendField(dst, "X-Request-Id", x.requestID())
	for i := range x.dec.Set {
		dst = header.AppendField(dst, x.dec.Set[i].Name, x.dec.Set[i].Value)
	}
	dst = append(dst, "Via: 1.1 sallyport\r\n"...)
	return x.appendFraming(dst)
}

// appendFraming appends the framing field, generated from what was read and never copied, and the empty line.
func (x *exchange) appendFraming(dst []byte) []byte {
	switch {
	case x.bodyLen > 0:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, x.bodyLen, 10)
		return append(dst, "\r\n\r\n"...)
	case x.bodyLen < 0:
		return append(dst, "Transfer-Encoding: chunked\r\n\r\n"...)
	}
	switch string(x.req.Method) {
	case "POST", "PUT", "PATCH":
		// RFC 9110, 8.6: SHOULD be sent where the method anticipates content.
		return append(dst, "Content-Length: 0\r\n\r\n"...)
	}
	return append(dst, "\r\n"...)
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
)

func (x *exchange) scheme() []byte {
	if x.h.conns.tls.Load() != nil {
		return schemeHTTPS
	}
	return schemeHTTP
}

// respond copies the upstream's response head and hands over its body: at once when it is already here, else as a stream.
func (x *exchange) respond(ctx *fasthttp.RequestCtx) {
	resp := &ctx.Response
	resp.SetStatusCode(x.up.Status)
	x.copyFields(resp)
	resp.Header.SetCanonical(requestIDName, x.requestID())
	if !x.up.RequestDone() {
		ctx.SetConnectionClose() // an early answer: what is left of the body is not read
	}
	length := x.up.BodyLength()
	if x.up.HEAD || x.up.Status == fasthttp.StatusNotModified {
		resp.SkipBody = true
		if length >= 0 {
			resp.Header.SetContentLength(int(length))
		}
		x.closeUpstream(true)
		return
	}
	if body, ok := x.up.Buffered(); ok {
		x.bytesOut = int64(len(body))
		resp.SetBody(body)
		x.closeUpstream(true)
		return
	}
	x.streaming = true
	resp.SetBodyStream(x, int(length))
	resp.ImmediateHeaderFlush = true
}

// copyFields copies the end-to-end fields of the upstream's response, in order and with duplicates. Framing is generated.
func (x *exchange) copyFields(resp *fasthttp.Response) {
	listed := false // Connection names fields that end here
	for i := range x.up.Fields {
		listed = listed || header.Is(x.up.Fields[i].Name, "connection")
	}
	for i := range x.up.Fields {
		f := &x.up.Fields[i]
		if header.IsHopByHop(f.Name) || header.Is(f.Name, "content-length") || header.Is(f.Name, "x-request-id") {
			continue
		}
		if listed && x.connectionNames(f.Name) {
			continue
		}
		resp.Header.AddBytesKV(f.Name, f.Value)
	}
}

// connectionNames reports whether a Connection field of the response lists name (RFC 9110, 7.6.1).
func (x *exchange) connectionNames(name []byte) bool {
	for i := range x.up.Fields {
		if f := &x.up.Fields[i]; header.Is(f.Name, "connection") && header.Lists(f.Value, name) {
			return true
		}
	}
	return false
}

// A bodyReader reads the client's body. Each read gets a new deadline, and the whole must come at minBodyRate at least, so
// that a client cannot hold an upstream by sending a byte now and then.
type bodyReader struct {
	server   *Server
	conn     *wire.Conn
	timeout  time.Duration
	start    time.Time // of the first Read: what came before, the pool or the way to the upstream, was not the client's time
	renewed  time.Time
	n        int64
	stopped  atomic.Bool
	panicked atomic.Bool
}

// minBodyRate is in bytes a second, after the first timeout.
const minBodyRate = 1 << 10

// Read implements io.Reader. It recovers from panics, because large bodies are read by a goroutine that h1 starts.
func (b *bodyReader) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			b.panicked.Store(true)
			b.server.panicked("while reading a request body", v)
			n, err = 0, errPanicked
		}
	}()
	now := time.Now()
	if b.start.IsZero() {
		b.start = now
	}
	allowed := b.timeout + time.Duration(b.n/minBodyRate)*time.Second
	deadline := min(now.Add(b.timeout).Sub(b.start), allowed)
	if now.Sub(b.renewed) > b.timeout/8 {
		if err := b.conn.SetReadDeadline(b.start.Add(deadline)); err != nil {
			return 0, err
		}
		b.renewed = now
	}
	if b.stopped.Load() {
		return 0, errInterrupted
	}
	n, err = b.conn.ReadBody(p)
	b.n += int64(n)
	return n, err
}

// interrupt makes a Read in progress return.
func (b *bodyReader) interrupt() {
	b.stopped.Store(true)
	_ = b.conn.SetReadDeadline(time.Unix(1, 0))
}

// requestIDName is in the library's own spelling, so that it need not be normalised.
var requestIDName = []byte("X-Request-Id")

var errInterrupted = errors.New("edge: reading the request body was given up")
