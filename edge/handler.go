package edge

import (
	"errors"
	"net"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"sallyport/edge/metrics"
	"sallyport/edge/wire"
	"sallyport/verify"
)

// A handler joins one generation of a listener to the server. Its methods are what fasthttp calls.
type handler struct {
	server *Server
	conns  *connServer
}

// serve answers one request whose head has been read.
func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	x := acquireExchange(h, ctx)
	defer x.leave(ctx)
	reason := x.decide()
	if reason == verify.ReasonOK || reason == verify.ReasonPublic {
		reason = x.forward(ctx)
	}
	x.reason = reason
	if reason != verify.ReasonOK && reason != verify.ReasonPublic {
		x.refuse(ctx)
	}
}

// leave ends serve: a panic becomes a 500, and the exchange is finished unless its response is still streaming.
func (x *exchange) leave(ctx *fasthttp.RequestCtx) {
	if p := recover(); p != nil {
		x.server.panicked("while serving a request", p)
		x.closeUpstream(false)
		x.reason = verify.ReasonInternal
		x.streaming = false
		x.refuse(ctx)
	}
	if x.h.conns.retiring.Load() || x.server.draining.Load() {
		ctx.SetConnectionClose()
	}
	if !x.streaming {
		x.finish(ctx.Response.StatusCode())
	}
}

// panicked counts and logs a panic that was recovered from. The HTTP library recovers from none: it would end the process.
func (s *Server) panicked(when string, p any) {
	s.metrics.Panic()
	s.log.Error("BUG: panic "+when, "panic", p, "stack", string(debug.Stack()))
}

// errPanicked ends a response whose body cannot be read for a fault of ours.
var errPanicked = errors.New("edge: BUG: panic")

// expect answers Expect: 100-continue before a body is asked for: a request that will be refused is refused here. The
// request that may go on is decided again in serve, so that there is one path on which requests pass.
func (h *handler) expect(ctx *fasthttp.RequestCtx) int {
	x := acquireExchange(h, ctx)
	reason := x.decideGuarded()
	if reason == verify.ReasonOK || reason == verify.ReasonPublic {
		x.abandon()
		return fasthttp.StatusContinue
	}
	x.reason = reason
	x.refuse(ctx)
	status := ctx.Response.StatusCode()
	x.finish(status)
	return status
}

// decideGuarded is decide for a caller without leave.
func (x *exchange) decideGuarded() (reason verify.Reason) {
	defer func() {
		if p := recover(); p != nil {
			x.server.panicked("while deciding a request", p)
			reason = verify.ReasonInternal
		}
	}()
	return x.decide()
}

// framingError answers bytes that never became a request: wire's verdict, time-outs.
func (h *handler) framingError(ctx *fasthttp.RequestCtx, err error) {
	reason, detail := verify.ReasonBadRequest, ""
	var we *wire.Error
	var netErr net.Error
	switch {
	case errors.As(err, &we):
		reason, detail = reasonForStatus(we.Status), we.Text
	case errors.As(err, &netErr) && netErr.Timeout():
		reason = verify.ReasonRequestTimeout
	}
	ctx.Response.Reset()
	x := acquireExchange(h, ctx)
	x.unparsed = true
	x.reason, x.dec.Detail = reason, detail
	x.refuse(ctx)
	ctx.SetConnectionClose()
	x.finish(ctx.Response.StatusCode())
}

// decide runs everything that comes before the upstream.
func (x *exchange) decide() verify.Reason {
	head := x.wire.Head()
	if err := x.readFields(head.Fields); err != nil {
		x.dec.Detail = "a header field is malformed, differs from one that is set or read here by _ for -, or is such a one that Connection names"
		return verify.ReasonBadRequest
	}
	x.req.Method, x.req.Target, x.req.Authority = head.Method, head.Target, x.authority()
	x.req.Fields, x.req.Peer, x.req.Now = &x.fields, x.peer, x.start.Unix()
	x.identifyRequest()
	x.req.Source = sourceOf(x.client)
	x.st.gate.Decide(&x.dec, &x.req)
	took := time.Since(x.start)
	x.decided = x.start.Add(took)
	x.server.metrics.Decided(x.sight(), took)
	if x.dec.Route != nil {
		x.rs = x.st.routes[x.dec.RouteIndex]
	}
	if !x.dec.Allowed() {
		return x.dec.Reason
	}
	if reason := x.checkBody(); reason != verify.ReasonOK {
		return reason
	}
	if a := x.server.audit.Load(); a.log != nil && a.cfg.WhenFull == "refuse" {
		if a.log.Full() {
			x.dec.Detail = "the audit log is full and when_full is refuse"
			return verify.ReasonOverloaded
		}
		x.admitted = true
	}
	return x.dec.Reason
}

// readFields sorts the fields by what they mean.
func (x *exchange) readFields(list []wire.Field) error {
	for i := range list {
		if err := x.st.rules.Add(&x.fields, list[i].Name, list[i].Value); err != nil {
			return err
		}
	}
	return x.st.rules.Done(&x.fields)
}

// sight is what the claim cache had of this request's token.
func (x *exchange) sight() metrics.Sight {
	switch {
	case x.dec.Token.Cached():
		return metrics.Hit
	case x.dec.Tokens == 1:
		return metrics.Miss
	}
	return metrics.NoToken
}

// authority is the Host field. wire has made sure that there is exactly one and that an absolute-form target agrees with it;
// HTTP/1.0 may have none.
func (x *exchange) authority() []byte {
	if f := x.fields.First(headerHost); f != nil {
		return f.Value
	}
	return nil
}

// checkBody refuses a body that is too large by its own word, and one where none belongs (SECURITY notes 2.3.1).
func (x *exchange) checkBody() verify.Reason {
	x.bodyLen = x.wire.BodyLen()
	if x.bodyLen == 0 {
		return verify.ReasonOK
	}
	if x.bodyLen > x.rs.maxBody {
		return verify.ReasonBodyTooLarge
	}
	if !x.rs.bodyOnGet {
		switch string(x.req.Method) {
		case "GET", "HEAD", "DELETE", "OPTIONS":
			x.dec.Detail = "a body on a method that has none; see body_on_get"
			return verify.ReasonBadRequest
		}
	}
	return verify.ReasonOK
}

// wwwAuthenticate is kept as the RFCs spell it; the library would write Www-Authenticate.
var wwwAuthenticate = []byte("WWW-Authenticate")

// refuse writes the answer for x.reason.
func (x *exchange) refuse(ctx *fasthttp.RequestCtx) {
	a := answerFor(x.reason)
	resp := &ctx.Response
	resp.Reset()
	resp.Header.SetNoDefaultContentType(true)
	resp.SetStatusCode(a.status)
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Cache-Control", "no-store")
	resp.Header.SetBytesV("X-Request-Id", x.requestID())
	realm, scope := "sallyport", ""
	if x.rs != nil {
		realm = x.rs.realm
		if x.reason == verify.ReasonScope {
			scope = x.rs.scope // for a role or a claim, a token with more scope would be refused again
		}
	}
	if a.challenge {
		x.scratch = appendChallenge(x.scratch[:0], a, realm, scope)
		resp.Header.SetCanonical(wwwAuthenticate, x.scratch)
		if x.fields.Count(headerOrigin) > 0 {
			resp.Header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, X-Request-Id")
		}
	}
	if a.retryAfter > 0 {
		resp.Header.Set("Retry-After", itoa(a.retryAfter))
	}
	if x.reason == verify.ReasonMethod {
		resp.Header.Set("Allow", x.dec.Allow)
	}
	x.scratch = appendErrorBody(x.scratch[:0], a, x.requestID())
	resp.SetBody(x.scratch)
	x.bytesOut = int64(len(x.scratch))
	// An unread body is not drained for somebody who was refused.
	if a.close || x.unparsed || !x.wire.BodyRead() {
		ctx.SetConnectionClose()
	}
}
