package main

import (
	"io"
	"strings"
	"testing"

	"sallyport/verify"
)

func TestSoak(t *testing.T) {
	r, err := run(options{tokens: 400_000, perAlg: 320, progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", r)
	if r.wrong > 0 {
		t.Errorf("%d wrong verdicts", r.wrong)
	}
	// Everything that it is about has happened.
	sum := func(k kind, reason verify.Reason) uint64 { return r.verdicts[k][reason] }
	for what, n := range map[string]uint64{
		"hits": r.hits, "evictions": r.evicted, "checks inline": r.pool.Inline, "queued": r.pool.Queued, "shared": r.pool.Coalesced,
		"rejections": r.pool.Rejected, "changes of keys": r.changes, "checks during them": r.unclear,
		"genuine tokens that passed": sum(genuine, verify.ReasonOK), "that expired": sum(genuine, verify.ReasonExpired),
		"for somebody else": sum(genuine, verify.ReasonAudience), "of a withdrawn key": sum(genuine, verify.ReasonUnknownKey),
		"of a replaced key": sum(genuine, verify.ReasonSignature), "stolen ones that were refused": sum(stolen, verify.ReasonSignature),
		"changed ones": sum(changed, verify.ReasonSignature), "forged ones": sum(forged, verify.ReasonSignature), "expired and forged": sum(forged, verify.ReasonUnverified),
	} {
		if n == 0 {
			t.Errorf("no %s", what)
		}
	}
	if r.busy() > 0.25 {
		t.Errorf("%.0f %% were refused as busy: not much was tried", 100*r.busy())
	}
}

// A soak that cannot find anything wrong is worth nothing.
func TestSoakNoticesWrongVerdicts(t *testing.T) {
	for what, spoil := range map[string]func(f *family){
		"a forged token that passes": func(f *family) { f.genuine.signed = nobody },
		"a good one that does not":   func(f *family) { f.stolen.signed = f.stolen.named },
		"another's name":             func(f *family) { f.genuine.sub = "admin" },
		"an expired one that passes": func(f *family) { f.genuine.exp = begin - 3600 },
	} {
		s, err := newSoak(options{tokens: 3000, perAlg: 32, progress: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.corpus.families {
			spoil(&s.corpus.families[i])
		}
		if s.work(1); s.wrong.Load() == 0 {
			t.Errorf("%s was taken for right", what)
		}
		if len(s.report.examples) == 0 || strings.Contains(s.report.examples[0], "eyJ") {
			t.Errorf("%s: examples are to be there, and no token in them: %.300q", what, s.report.examples)
		}
	}
}

func TestForgedTokensDiffer(t *testing.T) {
	c, err := newCorpus(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.families {
		seen := map[string]bool{f.genuine.raw: true}
		for id := range uint64(2000) {
			raw := string(appendForged(nil, &f.genuine, id))
			if seen[raw] || len(raw) != len(f.genuine.raw) || raw[len(raw)-1] != f.genuine.raw[len(raw)-1] {
				t.Fatalf("%s: number %d is another one's, or not of the same form", f.genuine.alg, id)
			}
			seen[raw] = true
		}
	}
}
