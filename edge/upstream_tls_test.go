package edge_test

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Without server_name an upstream's certificate must be for the endpoint's host; with it, for that name and no other.
func TestUpstreamTLSServerName(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	up.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshakes that are refused
	up.StartTLS()
	defer up.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem") // its certificate is its own, for 127.0.0.1 and example.com
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: up.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(tls, want string) {
		t.Helper()
		p := newProxy(t, up.Listener.Addr().String(), "[upstream.tls]\n"+tls+baseRoutes)
		answer := p.send(t, "GET /public/x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
		if got := statuses(answer); !slices.Equal(got, []string{want}) {
			t.Errorf("an upstream with %q answers %v, want %s:\n%s", tls, got, want, answer)
		}
	}
	own := fmt.Sprintf("ca_file = %q\n", ca)
	check(own, "204")
	check(own+"server_name = \"example.com\"\n", "204")
	check(own+"server_name = \"other.example\"\n", "502")
	check("", "502") // not signed by one of the system's CAs
}
