package edge

import (
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sallyport/edge/audit"
	"sallyport/edge/gate"
	"sallyport/edge/header"
	"sallyport/edge/upstream"
	"sallyport/edge/upstream/h1"
	"sallyport/edge/wire"
	"sallyport/verify"
)

const (
	headerHost      = header.KindHost
	headerOrigin    = header.KindOrigin
	headerRequestID = header.KindRequestID
)

// An exchange is one request and its response, from the parsed head to the last byte sent. It is pooled; what it points to
// in the fasthttp context is valid until the response has been written.
type exchange struct {
	call // wiped as a whole by release

	// Reused memory; each has its own Reset.
	fields    header.Fields
	req       gate.Request
	dec       gate.Decision
	up        h1.Exchange
	rec       audit.Record
	head      []byte // outgoing request head
	scratch   []byte
	peerBuf   []byte
	clientBuf []byte
}

// A call is what an exchange knows of the present request.
type call struct {
	h      *handler
	server *Server
	wire   *wire.Conn
	st     *State             // loaded once
	rs     *routeState        // nil until a route is found
	ep     *upstream.Endpoint // nil: none picked

	start     time.Time
	decided   time.Time  // when the upstream's time begins
	peer      netip.Addr // the connection's other end
	client    netip.Addr // after trusted forwarding
	trusted   bool       // the peer may speak for others
	bodyLen   int64      // request body: 0 none, -1 chunked
	bytesOut  int64
	upOpen    bool // up must be closed
	unparsed  bool // there is no request, only bytes
	streaming bool // the response body is read from x; Close finishes
	complete  bool // the streamed body was read to its end
	finished  bool
	admitted  bool // it passes, on the promise that its record will be written
	reason    verify.Reason
	idBuf     [32]byte
	idGiven   []byte // the trusted peer's own id, a view into the request
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func acquireExchange(h *handler, ctx *fasthttp.RequestCtx) *exchange {
	x := exchanges.Get().(*exchange)
	x.h, x.server, x.st = h, h.server, h.server.state.Load()
	x.wire = wire.Of(ctx.Conn())
	x.start = time.Now()
	x.dec.RouteIndex = -1
	x.peer = x.wire.Peer()
	x.client = x.peer
	x.server.inFlight.Add(1)
	for i, p := 0, h.conns.cfg.TrustedProxies; i < len(p); i++ {
		if p[i].Contains(x.peer) {
			x.trusted = true
			break
		}
	}
	return x
}

// abandon gives x back without a record; for a request that is decided again.
func (x *exchange) abandon() {
	x.finished = true
	x.release()
}

// release wipes x, identity and token first, and pools it. Nothing may hold x afterwards.
func (x *exchange) release() {
	x.server.inFlight.Add(-1)
	x.dec.Reset()
	x.fields.Reset()
	x.up.Reset()
	x.req = gate.Request{}
	x.rec.Reset()
	clear(x.head)
	x.head, x.scratch, x.peerBuf, x.clientBuf = x.head[:0], x.scratch[:0], x.peerBuf[:0], x.clientBuf[:0]
	x.call = call{}
	exchanges.Put(x)
}

// identifyRequest chooses the request id and, behind a trusted proxy, the client's address.
func (x *exchange) identifyRequest() {
	if !x.trusted {
		return
	}
	if f := x.fields.First(headerRequestID); f != nil && x.fields.Count(headerRequestID) == 1 && validRequestID(f.Value) {
		x.idGiven = f.Value
	}
	x.client = x.fields.ClientAddr(x.peer, x.isTrusted)
}

func (x *exchange) isTrusted(a netip.Addr) bool {
	for _, p := range x.h.conns.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// requestID returns the id of this request: the trusted peer's, or 128 random bits in hex. It is not a secret.
func (x *exchange) requestID() []byte {
	if x.idGiven != nil {
		return x.idGiven
	}
	if x.idBuf[0] == 0 {
		var raw [16]byte
		a, b := rand.Uint64(), rand.Uint64()
		for i := range 8 {
			raw[i], raw[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
		}
		hex.Encode(x.idBuf[:], raw[:])
	}
	return x.idBuf[:]
}

// validRequestID allows what is safe in a header, a log and a JSON string: 1 to 128 of A–Z a–z 0–9 - _ . : / + =.
func validRequestID(b []byte) bool {
	if len(b) == 0 || len(b) > 128 {
		return false
	}
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}

// Read implements io.Reader for a streamed response body.
func (x *exchange) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			x.server.panicked("while reading a response", v)
			n, err = 0, errPanicked
			x.reason = verify.ReasonInternal
		}
	}()
	n, err = x.up.Read(p)
	x.bytesOut += int64(n)
	switch {
	case err == io.EOF:
		x.complete = true
	case errors.Is(err, h1.ErrRequestBody), errors.Is(err, h1.ErrBodyTooLarge):
		x.reason = verify.ReasonClientGone // its body failed while the response was under way; the endpoint is not to blame
	case err != nil:
		x.reason = verify.ReasonUpstreamResponse // the status is out; the record says how it ended
	}
	return n, err
}

// Close implements io.Closer: fasthttp calls it when the streamed response has been written or given up.
func (x *exchange) Close() error {
	if x.finished {
		return nil
	}
	status := x.up.Status
	broken := x.reason == verify.ReasonUpstreamResponse || x.reason == verify.ReasonInternal
	if !broken && !x.complete && x.bytesOut != x.up.BodyLength() {
		x.reason = verify.ReasonClientGone
	}
	x.closeUpstream(!broken)
	x.finish(status)
	return nil
}

// closeUpstream ends the upstream side. ok says whether the endpoint behaved.
func (x *exchange) closeUpstream(ok bool) {
	if x.upOpen {
		x.upOpen = false
		x.up.Close()
	}
	if x.ep != nil {
		now := x.start.Unix()
		if !ok {
			now = time.Now().Unix() // from when an endpoint is left out
		}
		x.ep.Done(ok, now)
		x.ep = nil
	}
}

// finish writes the record and the counters, exactly once for each request, and gives x back.
func (x *exchange) finish(status int) {
	if x.finished {
		return
	}
	x.finished = true
	took := time.Since(x.start)
	x.count(status, took)
	if a := x.server.audit.Load(); a.log != nil {
		x.fillRecord(status, took)
		x.rec.Must = x.admitted
		if !a.log.Log(&x.rec) {
			// The log may just have been replaced by a reload.
			if b := x.server.audit.Load(); b != a && b.log != nil {
				b.log.Log(&x.rec)
			}
		}
	}
	x.release()
}

func (x *exchange) count(status int, took time.Duration) {
	issuer := ""
	if is := x.dec.Token.Issuer(); is != nil {
		issuer = is.Name
		x.server.metrics.Verified(x.dec.Token.Cached())
	}
	rm := x.server.metrics.NoRoute()
	if x.rs != nil {
		rm = x.rs.metrics
	}
	rm.Answered(status, took)
	x.server.metrics.Verdict(issuer, x.reason)
}

// fillRecord makes the audit record. Claims are there only once they are verified: Token's accessors see to it.
func (x *exchange) fillRecord(status int, took time.Duration) {
	a := answerFor(x.reason)
	r := &x.rec
	r.Time, r.Duration, r.Status = x.start, took, status
	r.RequestID = x.requestID()
	r.Verdict, r.Reason, r.Detail = a.verdict, x.reason.String(), x.dec.Detail
	r.Method, r.Host, r.Path, r.Query = x.req.Method, x.dec.Host, x.dec.Path, x.dec.Query
	if x.peer.IsValid() {
		x.peerBuf = x.peer.AppendTo(x.peerBuf[:0])
		r.Peer = x.peerBuf
	}
	if x.client != x.peer && x.client.IsValid() {
		x.clientBuf = x.client.AppendTo(x.clientBuf[:0])
		r.Client = x.clientBuf
	}
	if x.rs != nil {
		r.Route, r.Upstream = x.rs.name, x.rs.upstreamName
	}
	if t := &x.dec.Token; t.Verified() {
		r.Issuer = t.Issuer().Name
		r.Subject, r.JTI, r.Kid, r.Alg = t.Claims().Subject(), t.Claims().JTI(), t.Kid(), t.Alg().String()
	}
	r.BytesIn, r.BytesOut = x.up.Sent(), x.bytesOut
}

func itoa(n int) string { return strconv.Itoa(n) }
