//go:build !race

package route

import (
	"fmt"
	"testing"
)

func TestAllocatesNothing(t *testing.T) {
	specs := []Spec{{Path: "/*"}, {Host: "*.example.com", Path: "/v1/things:delete"}}
	for i := range 100 {
		specs = append(specs, Spec{Host: "api.example.com", Path: fmt.Sprintf("/v1/service-%d/*", i)})
	}
	table := compile(t, specs...)
	buf := make([]byte, 0, 256)
	for _, target := range []string{"/v1/service-7/a/../b?c=d", "/v1/%61%3a%C3%BC;x//y", "http://a/b", "/a/../..", "/v1/things%3Adelete"} {
		in := []byte(target)
		var path []byte
		if n := testing.AllocsPerRun(100, func() { path, _, _ = Canonical(buf[:0], in) }); n != 0 {
			t.Errorf("Canonical(%q): %v allocations, want 0", target, n)
		}
		for _, host := range []string{"api.example.com", "b.example.com", "other"} {
			h, method := []byte(host), []byte("GET")
			if n := testing.AllocsPerRun(100, func() { table.Match(h, path, method) }); n != 0 {
				t.Errorf("Match(%q, %q): %v allocations, want 0", host, path, n)
			}
		}
	}
	// An IPv6 address costs the string that net/netip wants.
	for _, authority := range []string{"API.Example.com.:443", "127.0.0.1", "a..b"} {
		in := []byte(authority)
		if n := testing.AllocsPerRun(100, func() { _, _ = CanonicalAuthority(buf[:0], in) }); n != 0 {
			t.Errorf("CanonicalAuthority(%q): %v allocations, want 0", authority, n)
		}
	}
}
