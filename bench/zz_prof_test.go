package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/load"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

func TestMain(m *testing.M) { proc.Main(); os.Exit(m.Run()) }

func TestProf(t *testing.T) {
	which := os.Getenv("WHICH")
	if which == "" {
		t.Skip()
	}
	dir := t.TempDir()
	measured, rest, err := proc.Split()
	if err != nil {
		t.Fatal(err)
	}
	c, err := corpus.New(jose.RS256, 5000, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	undo, _ := proc.Pin(rest)
	defer undo()
	l, err := load.Listen()
	if err != nil {
		t.Fatal(err)
	}
	address, _ := proc.FreeAddress()
	var argv []string
	if which == "bare" {
		argv = []string{os.Getenv("BARE"), "-listen", address, "-upstream", l.Upstream()}
	} else {
		key, _ := c.WriteKey(dir)
		conf := fmt.Sprintf(`
[[listener]]
address = %q
max_connections = 1000
max_requests_per_connection = 1000000000
[[issuer]]
issuer = %q
audiences = [%q]
algorithms = [%q]
[[issuer.keys]]
%s
[[upstream]]
name = "up"
endpoints = [%q]
[[route]]
name = "orders"
path = "/api/orders/*"
require.scopes = ["orders.read"]
claim_headers = { X-User = "sub", X-Roles = "roles" }
upstream = "up"
[audit]
output = %q
[admin]
address = ""
[log]
level = "warn"
[cache]
size = %q
`, address, corpus.Issuer, corpus.Audience, "RS256", key, l.Upstream(), "off", os.Getenv("CACHE"))
		p := filepath.Join(dir, "c.toml")
		os.WriteFile(p, []byte(conf), 0o600)
		argv = []string{os.Getenv("SP"), "serve", "-config", p}
	}
	p, err := proc.Start(measured, argv...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if err := p.WaitListening(address); err != nil {
		t.Fatal(err)
	}
	if err := l.Dial(address, 32, c.Requests()); err != nil {
		t.Fatal(err)
	}
	l.Run(20000)
	cmdline := os.Getenv("CMD")
	var cmd *exec.Cmd
	if cmdline != "" {
		cmd = exec.Command("bash", "-c", cmdline)
		cmd.Env = append(os.Environ(), "PID="+strconv.Itoa(p.PID()))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
		cmd.Start()
	}
	b, _ := p.CPUTime()
	n := 0
	for start := time.Now(); time.Since(start) < 6*time.Second; n += 5000 {
		if _, err := l.Run(5000); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := p.CPUTime()
	fmt.Println(which, float64((a-b).Nanoseconds())/float64(n), "ns/request", n)
	if cmd != nil {
		cmd.Wait()
	}
}
