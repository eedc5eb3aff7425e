package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// metric returns the value of a series as the admin listener writes it, "" when there is none.
func (p *proxy) metric(t *testing.T, series string) string {
	t.Helper()
	resp, err := http.Get(p.server.AdminURL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return value
		}
	}
	return ""
}

// A reload that leaves an issuer's keys alone leaves its cached tokens alone; a cache that is turned off holds nothing.
func TestCacheAndReload(t *testing.T) {
	up := newRecorder(t)
	p := newProxy(t, up.addr(), baseRoutes)
	original, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	get := "GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + p.token(t, nil) + "\r\nConnection: close\r\n\r\n"
	check := func(what, hits, misses, entries string) {
		t.Helper()
		if got := statuses(p.send(t, get)); len(got) != 1 || got[0] != "200" {
			t.Errorf("%s: answers %v, want 200", what, got)
		}
		h, m, e := p.metric(t, "sallyport_cache_hits_total"), p.metric(t, "sallyport_cache_misses_total"), p.metric(t, "sallyport_cache_entries")
		if h != hits || m != misses || e != entries {
			t.Errorf("%s: %s hits, %s misses, %s entries; want %s, %s, %s", what, h, m, e, hits, misses, entries)
		}
	}
	reload := func(more string) {
		t.Helper()
		if err := os.WriteFile(p.path, []byte(string(original)+more), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.server.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	check("first sight", "0", "1", "1")
	check("second sight", "1", "1", "1")
	reload("\n[[route]]\npath = \"/more\"\npublic = true\nupstream = \"up\"\n")
	check("after a reload", "2", "1", "1")
	p.send(t, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	for sight, want := range map[string]string{"hit": "2", "miss": "1", "none": "1"} {
		if got := p.metric(t, `sallyport_decision_duration_seconds_count{cache="`+sight+`"}`); got != want {
			t.Errorf("%s decisions on tokens with cache=%s, want %s", got, sight, want)
		}
	}
	// Another audience in force: the entry is there, and no longer good for anything.
	changed := strings.Replace(string(original), `audiences = ["api"]`, `audiences = ["other"]`, 1)
	if err := os.WriteFile(p.path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.server.Reload(); err != nil {
		t.Fatal(err)
	}
	if answer := p.send(t, get); fmt.Sprint(statuses(answer)) != "[401]" {
		t.Errorf("with another audience: %q, want 401", answer)
	}
	reload("\n[cache]\nsize = \"0\"\n")
	check("cache off", "3", "2", "0")
	check("cache off, again", "3", "3", "0")
	if got := p.metric(t, "sallyport_cache_max_bytes"); got != "0" {
		t.Errorf("a cache that is off may take %s bytes", got)
	}
	if got := p.metric(t, `sallyport_pool_verifications_total{how="inline"}`); got != "3" {
		t.Errorf("%s signatures were checked, want 3", got)
	}
}
