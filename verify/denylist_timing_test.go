package verify_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// denyKinds are one rule each of every kind that has values, named by a string as tokens have them.
var denyKinds = []struct {
	name string
	kind verify.RuleKind
	path string
}{
	{"jti", verify.RuleJTI, ""},
	{"sub", verify.RuleSubject, ""},
	{"sid", verify.RuleSession, ""},
	{"client", verify.RuleClient, ""},
	{"claim", verify.RuleClaim, "tenant"},
}

func uuid(n int) string { return fmt.Sprintf("%08x-7c1d-4f3e-9a52-%012x", uint32(n)*2654435761, n) }

func fill(b *testing.B, d *verify.Denylist, kind verify.RuleKind, path string, first, n int) {
	b.Helper()
	for i := range n {
		r := rule(first+i, kind, uuid(i))
		if path != "" {
			r.Claim = []string{path}
		}
		if err := d.Add(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDenylist is the whole look-up of a verified token of 5 000 in turn, none of which a rule names, as after every insert: the
// mark in the cache does not help. Per kind in use that is the figure divided by the number of kinds.
func BenchmarkDenylist(b *testing.B) {
	for _, rules := range []int{1, 1_000_000} {
		for _, kinds := range []int{1, len(denyKinds)} {
			b.Run(fmt.Sprintf("rules=%d/kinds=%d", rules, kinds), func(b *testing.B) {
				d := verify.NewDenylist()
				for i, k := range denyKinds[:kinds] {
					fill(b, d, k.kind, k.path, i<<24, max(1, rules/kinds))
				}
				tokens := denyTokens(b, func(i int) string { return uuid(1<<23 + i) })
				timeDenied(b, d, tokens, true, kinds)
			})
		}
	}
	b.Run("rules=1000000/hit", func(b *testing.B) {
		d := verify.NewDenylist()
		fill(b, d, verify.RuleJTI, "", 0, 1_000_000)
		timeDenied(b, d, denyTokens(b, func(i int) string { return uuid(i * 197) }), false, 1)
	})
}

func denyTokens(b *testing.B, value func(i int) string) []*verify.Token {
	b.Helper()
	w := newWorld(b, jose.HS256)
	tokens := make([]*verify.Token, 5000)
	for i := range tokens {
		v := value(i)
		raw := w.sign(b, jose.HS256, with(map[string]any{"jti": v, "sub": v, "sid": v, "client_id": v, "tenant": v}))
		tokens[i] = new(verify.Token)
		if err := w.v.Verify(tokens[i], []byte(raw), now, source); err != nil {
			b.Fatal(err)
		}
	}
	return tokens
}

func timeDenied(b *testing.B, d *verify.Denylist, tokens []*verify.Token, want bool, kinds int) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if d.Passes(tokens[i], now) != want {
			b.Fatalf("token %d: %v", i, !want)
		}
		if i++; i == len(tokens) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(kinds), "ns/kind")
}

// BenchmarkDenylistAdd is one insert, of a value of 36 octets; with -benchtime 1000000x the set ends with a million. Besides: the longest
// insert, and the heap's bytes for each rule.
func BenchmarkDenylistAdd(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := verify.NewDenylist()
	var longest time.Duration
	n := 0
	for b.Loop() {
		r := rule(n, verify.RuleJTI, uuid(n))
		start := time.Now()
		if err := d.Add(r); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(start))
		n++
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/rule")
	runtime.KeepAlive(d)
}
