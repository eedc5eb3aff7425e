package main

import (
	"slices"
	"strings"
	"testing"
)

// stack writes what perf script prints of frames, the innermost first; the kernel's begin with "k:".
func stack(frames ...string) string {
	var b strings.Builder
	for _, f := range frames {
		if name, ok := strings.CutPrefix(f, "k:"); ok {
			b.WriteString("\tffffffff81e2eed9 " + name + " ([kernel.kallsyms])\n")
		} else {
			b.WriteString("\t          3dac63 " + f + " (/a b/bin/sallyport)\n")
		}
	}
	return b.String() + "\n"
}

func TestParts(t *testing.T) {
	const (
		fast = "github.com/valyala/fasthttp.(*Server).serveConnCounted"
		raw  = "internal/runtime/syscall/linux.Syscall6"
	)
	check := func(want string, frames ...string) {
		t.Helper()
		p, err := takeParts(strings.NewReader(stack(frames...)))
		if err != nil || p.total != 1 || p.samples[want] != 1 {
			t.Errorf("%q: %v, %v, want %q", frames, p.samples, err, want)
		}
	}
	check(partHead, "sallyport/edge/wire.isFieldValue", "sallyport/edge/wire.(*Conn).Read", "bufio.(*Reader).fill", fast)
	check(partOutgoing, "runtime.memmove", "sallyport/edge/header.(*Fields).AppendForward", "sallyport/edge.(*exchange).appendHead")
	check(partRules, "sallyport/edge/header.(*Rules).Add", "sallyport/edge.(*exchange).readFields", "sallyport/edge.(*exchange).decide")
	check(partPolicy, "sallyport/verify/claims.(*Set).Lookup", "sallyport/verify.(*Policy).CheckClaims", "sallyport/edge/gate.(*Gate).Judge")
	check(partIdentity, "sallyport/verify/claims.(*Set).Lookup", "sallyport/edge/gate.(*Decision).setIdentity", "sallyport/edge/gate.(*Gate).Judge")
	check(partCache, "memeqbody", "sallyport/verify/cache.(*Cache[go.shape.struct {}]).Get", "sallyport/verify.(*Verifier).Verify")
	check(partFasthttp, "bytes.IndexByte", fast)
	check(partNet, raw, "syscall.read", "internal/poll.(*FD).Read", "net.(*conn).Read", "sallyport/edge/wire.(*Conn).fill", fast)
	check(partScheduler, "runtime.findRunnable", "runtime.schedule", "runtime.park_m", "runtime.mcall")
	check(partRuntime, "runtime.gcDrain", "runtime.gcBgMarkWorker")

	check(partClientRead, "k:tcp_recvmsg", "k:ksys_read", raw, "syscall.read", "internal/poll.(*FD).Read", "sallyport/edge/wire.(*Conn).fill", fast)
	check(partClientWrite, "k:ksys_write", raw, "syscall.write", "internal/poll.(*FD).Write", "sallyport/edge.(*conn).Write", "sallyport/edge/wire.(*Conn).Write", fast)
	check(partUpstreamWrite, "k:ksys_write", raw, "syscall.write", "sallyport/edge/upstream/h1.(*conn).rawWrite", "sallyport/edge/upstream/h1.(*conn).rawStep")
	check(partUpstreamProbe, "k:ksys_read", raw, "syscall.read", "sallyport/edge/upstream/h1.isSilent", "sallyport/edge/upstream/h1.(*conn).rawStep")
	check(partUpstreamRead, "k:ksys_read", raw, "syscall.read", "sallyport/edge/upstream/h1.(*conn).rawRead", "sallyport/edge/upstream/h1.(*conn).rawStep")
	check(partUpstreamWrite, "k:ksys_write", raw, "internal/poll.(*FD).Write", "github.com/valyala/fasthttp.(*HostClient).doNonNilReqResp", fast)
	check(partClientRead, "k:ksys_read", raw, "internal/poll.(*FD).Read", fast)
	check(partPoll, "k:do_epoll_wait", raw, "runtime.netpoll", "runtime.findRunnable")
	check(partPoll, "k:futex_wait", "runtime.futex.abi0", "runtime.futexsleep")
	check(partInterrupts, "k:asm_sysvec_apic_timer_interrupt", "sallyport/edge/wire.isFieldValue", fast)
	check(partInterrupts, "k:ret_from_fork")
}

// Every part has its line in the table, once, and no rule names another.
func TestPartsAreInTheTable(t *testing.T) {
	for _, r := range append(slices.Clone(userRules), systemRules...) {
		if !slices.Contains(partOrder, r.part) {
			t.Errorf("part %q, of %q, has no line", r.part, r.prefix)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(partOrder)))) != len(partOrder) {
		t.Error("a part has two lines")
	}
}

func TestTakePartsRefusesNothing(t *testing.T) {
	for _, text := range []string{"", "\n\n"} {
		if p, err := takeParts(strings.NewReader(text)); err == nil {
			t.Errorf("takeParts(%q) = %v without an error", text, p)
		}
	}
	if _, err := takeParts(strings.NewReader("nonsense\n")); err == nil {
		t.Error("a line that is no frame was taken")
	}
}

func TestPrintParts(t *testing.T) {
	var b strings.Builder
	printParts(&b, []column{
		{"bare", 16, parts{map[string]int{partFasthttp: 1, partPoll: 3}, 4}},
		{"cached", 20, parts{map[string]int{partFasthttp: 1, partRoute: 1, partPoll: 2}, 4}},
	})
	want := "| µs of CPU for one request | bare | cached |\n|---|--:|--:|\n" +
		"| " + partPoll + " | 12.00 | 10.00 |\n| " + partFasthttp + " | 4.00 | 5.00 |\n| " + partRoute + " | 0.00 | 5.00 |\n| all | 16.00 | 20.00 |\n"
	if b.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", b.String(), want)
	}
}
