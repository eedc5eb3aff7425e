package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A frame is one line of a stack: a function, and whether it is the kernel's.
type frame struct {
	function string
	kernel   bool
}

// readStacks reads what `perf script -F ip,sym,dso` prints: one stack a paragraph, the innermost frame first. It calls take for each.
// The stack is valid until the next.
func readStacks(r io.Reader, take func(stack []frame)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var stack []frame
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			if len(stack) > 0 {
				take(stack)
			}
			stack = stack[:0]
			continue
		}
		ip, rest, ok := strings.Cut(line, " ")
		if !ok {
			return fmt.Errorf("profile: perf's line %q is no frame", line)
		}
		function, _, _ := strings.Cut(rest, " (/")
		function, _, _ = strings.Cut(function, " ([")
		// The upper half of the address space is the kernel's on all 64-bit systems that Go has.
		stack = append(stack, frame{function: function, kernel: len(ip) == 16 && ip[0] == 'f'})
	}
	if len(stack) > 0 {
		take(stack)
	}
	return lines.Err()
}

// A rule gives the time of functions with a prefix to a part of the request.
type rule struct{ prefix, part string }

// The parts, in the order of a request.
const (
	partClientRead    = "system: read the client's request"
	partUpstreamProbe = "system: see that the upstream's connection is silent"
	partUpstreamWrite = "system: write to the upstream"
	partUpstreamRead  = "system: read the upstream's response"
	partClientWrite   = "system: write to the client"
	partPoll          = "system: wait (epoll, futex, timers)"
	partInterrupts    = "system: interrupts and the rest"
	partScheduler     = "goroutine switches and the network poller"
	partNet           = "Go's net, poll and syscall around system calls"
	partFasthttp      = "fasthttp: server, request and client"
	partHead          = "head check (wire)"
	partRules         = "header rules"
	partRoute         = "canonical path and route"
	partCredential    = "credential, decision's order"
	partCache         = "token look-up in the cache"
	partJSON          = "base64url, header and claims of a new token"
	partSignature     = "signature and pool"
	partPolicy        = "issuer's and route's policy"
	partIdentity      = "identity headers"
	partOutgoing      = "outgoing head"
	partUpstream      = "upstream: pick, connection, exchange"
	partRespParse     = "response head: parse"
	partRespHead      = "response head: copy and write"
	partMetrics       = "metrics"
	partAudit         = "audit record"
	partExchange      = "exchange: set-up, clocks, end"
	partRuntime       = "Go runtime: the rest"
)

var partOrder = []string{
	partClientRead, partUpstreamProbe, partUpstreamWrite, partUpstreamRead, partClientWrite, partPoll, partInterrupts, partScheduler, partNet,
	partFasthttp, partHead, partRules, partRoute, partCredential, partCache, partJSON, partSignature, partPolicy, partIdentity, partOutgoing,
	partUpstream, partRespParse, partRespHead, partMetrics, partAudit, partExchange, partRuntime,
}

// userRules decide on time outside of the kernel: the innermost frame that a rule has decides, by the first rule that fits.
var userRules = []rule{
	{"runtime.netpoll", partScheduler},
	{"runtime.schedule", partScheduler},
	{"runtime.findRunnable", partScheduler},
	{"runtime.mcall", partScheduler},
	{"runtime.park_m", partScheduler},
	{"runtime.gopark", partScheduler},
	{"runtime.goready", partScheduler},
	{"runtime.ready", partScheduler},
	{"runtime.gosched", partScheduler},
	{"runtime.Gosched", partScheduler},
	{"runtime.execute", partScheduler},
	{"runtime.gogo", partScheduler},
	{"internal/poll.", partNet},
	{"internal/runtime/syscall", partNet},
	{"net.", partNet},
	{"syscall.", partNet},
	{"sallyport/edge/wire.", partHead},
	{"sallyport/edge/header.AppendClaim", partIdentity},
	{"sallyport/edge/header.append", partOutgoing},
	{"sallyport/edge/header.Append", partOutgoing},
	{"sallyport/edge/header.(*Fields).append", partOutgoing},
	{"sallyport/edge/header.(*Fields).Append", partOutgoing},
	{"sallyport/edge.(*exchange).append", partOutgoing},
	{"sallyport/edge.(*exchange).requestID", partOutgoing},
	{"sallyport/edge/header.IsHopByHop", partRespHead},
	{"sallyport/edge/header.Is", partRespHead},
	{"sallyport/edge/header.", partRules},
	{"sallyport/edge.(*exchange).readFields", partRules},
	{"sallyport/edge/route.", partRoute},
	{"sallyport/edge/gate.(*Gate).match", partRoute},
	{"sallyport/edge/gate.(*Decision).setIdentity", partIdentity},
	{"sallyport/edge/gate.", partCredential},
	{"sallyport/verify/cache.", partCache},
	{"sallyport/verify.(*Verifier).recall", partCache},
	{"sallyport/verify.(*Verifier).hash", partCache},
	{"sallyport/verify.(*KeySet).Lookup", partCache},
	{"sallyport/verify/rsapub.", partSignature},
	{"sallyport/verify/ecpub.", partSignature},
	{"sallyport/verify/p256.", partSignature},
	{"sallyport/verify/edpub.", partSignature},
	{"sallyport/verify/pool.", partSignature},
	{"sallyport/verify.(*rsa", partSignature},
	{"crypto/", partSignature},
	{"sallyport/verify.(*Verifier).checkSignature", partSignature},
	{"sallyport/verify.(*signatureCheck)", partSignature},
	{"sallyport/verify.(*Issuer).", partPolicy},
	{"sallyport/verify.(*Policy).", partPolicy},
	{"sallyport/verify.hasAny", partPolicy},
	{"sallyport/verify.TypePolicy", partPolicy},
	{"sallyport/verify.(*Token).checkClaims", partPolicy},
	{"sallyport/verify/jose.", partJSON},
	{"sallyport/verify.(*Verifier).read", partJSON},
	{"sallyport/verify.(*Token).parse", partJSON},
	{"sallyport/verify.(*Token).read", partJSON},
	{"sallyport/verify/claims.(*Parser)", partJSON},
	{"sallyport/verify.(*KeySet).known", partJSON},
	{"sallyport/verify.(*Verifier).Verify", partCredential},
	{"sallyport/verify.(*Token).", partExchange},
	{"sallyport/edge/upstream/h1.(*Exchange).parse", partRespParse},
	{"sallyport/edge/upstream/h1.(*Exchange).nextHead", partRespParse},
	{"sallyport/edge/upstream/h1.(*Exchange).statusLine", partRespParse},
	{"sallyport/edge/upstream/h1.(*Exchange).framing", partRespParse},
	{"sallyport/edge/upstream/h1.cut", partRespParse},
	{"sallyport/edge/upstream/h1.headEnd", partRespParse},
	{"sallyport/edge/upstream/h1.is", partRespParse},
	{"sallyport/edge/upstream", partUpstream},
	{"sallyport/edge.(*exchange).send", partUpstream},
	{"sallyport/edge.(*exchange).forward", partUpstream},
	{"sallyport/edge.(*exchange).respond", partRespHead},
	{"sallyport/edge.(*exchange).copyFields", partRespHead},
	{"github.com/valyala/fasthttp.(*ResponseHeader)", partRespHead},
	{"github.com/valyala/fasthttp.(*Response)", partRespHead},
	{"github.com/valyala/fasthttp.writeResponse", partRespHead},
	{"sallyport/edge/metrics.", partMetrics},
	{"github.com/VictoriaMetrics/metrics.", partMetrics},
	{"sallyport/edge.(*exchange).count", partMetrics},
	{"sallyport/edge/audit.", partAudit},
	{"sallyport/edge.(*exchange).fillRecord", partAudit},
	{"sallyport/edge.", partExchange},
	{"github.com/valyala/fasthttp", partFasthttp},
	{"main.", partFasthttp},
}

// claimsPackage is read for policy and for identity headers: who asked decides.
const claimsPackage = "sallyport/verify/claims."

// userPart returns the part of a stack that was in the process's own code, kernel frames left out.
func userPart(stack []frame) string {
	for _, f := range stack {
		if strings.HasPrefix(f.function, claimsPackage) && !strings.HasPrefix(f.function, claimsPackage+"(*Parser)") {
			continue
		}
		for _, r := range userRules {
			if strings.HasPrefix(f.function, r.prefix) {
				return r.part
			}
		}
	}
	return partRuntime
}

// systemRules decide on time in the kernel: the first rule of which the stack has a frame.
var systemRules = []rule{
	{"sallyport/edge/upstream/h1.isSilent", partUpstreamProbe},
	{"sallyport/edge/upstream/h1.(*conn).rawWrite", partUpstreamWrite},
	{"sallyport/edge/upstream/h1.(*conn).rawRead", partUpstreamRead},
	{"sallyport/edge/upstream/h1.", partUpstreamRead},
	{"sallyport/edge.(*conn).Write", partClientWrite},
	{"sallyport/edge/wire.", partClientRead},
}

// bareSide is systemPart for the bare proxy, whose connections are fasthttp's on both sides; "" for neither side.
func bareSide(stack []frame) string {
	upstream, write, read := false, false, false
	for _, f := range stack {
		upstream = upstream || strings.HasPrefix(f.function, "github.com/valyala/fasthttp.(*HostClient)")
		write = write || strings.HasPrefix(f.function, "internal/poll.(*FD).Write")
		read = read || strings.HasPrefix(f.function, "internal/poll.(*FD).Read")
	}
	switch {
	case upstream && write:
		return partUpstreamWrite
	case upstream && read:
		return partUpstreamRead
	case write:
		return partClientWrite
	case read:
		return partClientRead
	}
	return ""
}

// callers are the functions from which system calls are made, by prefix.
var callers = []string{"internal/runtime/syscall", "syscall.", "runtime.futex", "runtime.usleep", "runtime.epoll"}

// systemPart returns the part of a stack that was in the kernel. The kernel's frames come first.
func systemPart(stack []frame) string {
	own := slices.IndexFunc(stack, func(f frame) bool { return !f.kernel })
	if own < 0 {
		return partInterrupts
	}
	if !slices.ContainsFunc(callers, func(prefix string) bool { return strings.HasPrefix(stack[own].function, prefix) }) {
		return partInterrupts // it asked for nothing
	}
	for _, r := range systemRules {
		if slices.ContainsFunc(stack[own:], func(f frame) bool { return strings.HasPrefix(f.function, r.prefix) }) {
			return r.part
		}
	}
	if part := bareSide(stack[own:]); part != "" {
		return part
	}
	return partPoll
}

// parts are samples by part.
type parts struct {
	samples map[string]int
	total   int
}

// takeParts sorts the stacks of perf script.
func takeParts(r io.Reader) (parts, error) {
	p := parts{samples: map[string]int{}}
	err := readStacks(r, func(stack []frame) {
		p.total++
		if stack[0].kernel {
			p.samples[systemPart(stack)]++
		} else {
			p.samples[userPart(stack)]++
		}
	})
	if err == nil && p.total == 0 {
		err = fmt.Errorf("profile: perf took no samples")
	}
	return p, err
}

// A column is one proxy of the table: what a request costs in microseconds, and where.
type column struct {
	name  string
	cost  float64
	parts parts
}

// printParts writes a table of microseconds, one column a proxy.
func printParts(w io.Writer, columns []column) {
	fmt.Fprintf(w, "| µs of CPU for one request |")
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.name)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(columns)))
	for _, part := range partOrder {
		cells, any := "", false
		for _, c := range columns {
			n := c.parts.samples[part]
			any = any || n > 0
			cells += fmt.Sprintf(" %.2f |", c.cost*float64(n)/float64(c.parts.total))
		}
		if any {
			fmt.Fprintf(w, "| %s |%s\n", part, cells)
		}
	}
	fmt.Fprint(w, "| all |")
	for _, c := range columns {
		fmt.Fprintf(w, " %.2f |", c.cost)
	}
	fmt.Fprintln(w)
}
