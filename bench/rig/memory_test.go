package rig

import (
	"strings"
	"testing"

	"sallyport/verify/jose"
)

func newMemory(t *testing.T, opt Options) *Memory {
	t.Helper()
	m, err := NewMemory(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestMemory(t *testing.T) {
	for _, opt := range []Options{{}, {Alg: jose.ES256}, {Alg: jose.EdDSA, NeverSeen: true, Audit: true}} {
		m := newMemory(t, opt)
		n := 0
		m.Each = func() { n++ }
		for range 3 {
			if err := m.Run(50); err != nil {
				t.Fatalf("%+v: %v", opt, err)
			}
		}
		if n != 150 {
			t.Errorf("%+v: %d requests were served of 150", opt, n)
		}
	}
}

// A request that the proxy refuses must end the Run, and all that come after.
func TestMemoryRefused(t *testing.T) {
	m := newMemory(t, Options{Alg: jose.HS256, NeverSeen: true})
	token := strings.Index(string(m.client.requests[3]), "Bearer ") + 200
	m.client.requests[3][token] ^= 1
	if err := m.Run(20); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("Run with a forged token: %v, want the 401", err)
	}
	if err := m.Run(20); err == nil {
		t.Error("Run goes on after a fault")
	}
}

// Nobody known to the upstream, nothing measured.
func TestMemoryUpstreamIsToldWho(t *testing.T) {
	m := newMemory(t, Options{})
	m.up.needs = identity
	if err := m.Run(1); err == nil || !strings.Contains(err.Error(), "somebody known") {
		t.Errorf("Run without identity fields: %v", err)
	}
}
