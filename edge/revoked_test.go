package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/edge"
)

const revokeToken = "the-token-of-the-admin-listener"

// newRevoker is a proxy with revocation on, whose admin listener asks for revokeToken.
func newRevoker(t *testing.T, upstream string) *proxy {
	t.Helper()
	p := newProxy(t, upstream, baseRoutes)
	if err := os.WriteFile(filepath.Join(p.dir, "admin.token"), []byte(revokeToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(p.text(t), "[admin]\n", "[admin]\ntoken_file = \"admin.token\"\n", 1)
	p.write(t, text+"[revocation]\nfile = \"r.db\"\n")
	p.reload(t)
	return p
}

func (p *proxy) reload(t *testing.T) {
	t.Helper()
	if err := p.server.Reload(); err != nil {
		t.Fatal(err)
	}
}

// api calls the revocation API, and returns the status and the rule's ID, if there is one.
func (p *proxy) api(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, p.server.AdminURL()+"/v1/revocations"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+revokeToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var rule struct{ ID string }
	_ = json.Unmarshal(text, &rule)
	return resp.StatusCode, rule.ID
}

// revoke adds a rule and returns its ID.
func (p *proxy) revoke(t *testing.T, rule string) string {
	t.Helper()
	status, id := p.api(t, "POST", "", rule)
	if status != 201 || id == "" {
		t.Fatalf("POST %s: %d", rule, status)
	}
	return id
}

// ask returns the status for a token, over a connection of client's.
func (p *proxy) ask(client *http.Client, token string) (int, error) {
	req, err := http.NewRequest("GET", "http://"+p.addr+"/api/x", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode, err
}

func (p *proxy) want(t *testing.T, what, token string, want int) {
	t.Helper()
	if got, err := p.ask(http.DefaultClient, token); got != want || err != nil {
		t.Errorf("%s: %d %v, want %d", what, got, err, want)
	}
}

// Under load, with every token in the cache, no request that begins after the 201 is accepted.
func TestRevocationIsInForceWithThe201(t *testing.T) {
	p := newRevoker(t, newRecorder(t).addr())
	const rules = 120
	tokens := make([]string, rules)
	var gone [rules]atomic.Bool
	var accepted, refused [rules]atomic.Int64
	for i := range tokens {
		tokens[i] = p.token(t, map[string]any{"jti": fmt.Sprint("j", i), "sub": fmt.Sprint("u", i), "sid": fmt.Sprint("s", i)})
	}
	var at atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for at.Load() < rules && !t.Failed() {
				i := int(at.Load())
				for _, k := range []int{i, i - 1, i / 2} {
					if k < 0 || k >= rules {
						continue
					}
					was := gone[k].Load()
					switch status, err := p.ask(client, tokens[k]); {
					case err != nil:
						t.Error(err)
					case status == 200 && was:
						t.Errorf("token %d was accepted after its rule was acknowledged", k)
					case status == 200:
						accepted[k].Add(1)
					case status == 401:
						refused[k].Add(1)
					default:
						t.Errorf("status %d", status)
					}
				}
			}
		})
	}
	for i := range rules {
		for accepted[i].Load() < 2 && !t.Failed() { // it is in the cache, and has passed the present epoch
			time.Sleep(50 * time.Microsecond)
		}
		p.revoke(t, fmt.Sprintf([]string{
			`{"issuer":"test","jti":"j%d","until":"never"}`, `{"issuer":"test","sub":"u%d","until":"never"}`,
			`{"issuer":"test","claim":"sid","value":"s%d","until":"never"}`,
		}[i%3], i))
		gone[i].Store(true)
		for refused[i].Load() < 2 && !t.Failed() {
			time.Sleep(50 * time.Microsecond)
		}
		at.Store(int64(i + 1))
	}
	wg.Wait()
}

// A rule lasts through reloads and a restart, ends by itself or when it is deleted, and its refusal names whose token it was.
func TestRevocationLasts(t *testing.T) {
	p := newRevoker(t, newRecorder(t).addr())
	token, other := p.token(t, nil), p.token(t, map[string]any{"sub": "bob", "jti": "j2"})
	p.want(t, "before", token, 200)
	id := p.revoke(t, `{"issuer":"test","sub":"alice","until":"never"}`)
	p.want(t, "revoked", token, 401)
	p.want(t, "somebody else", other, 200)
	answer := p.send(t, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	if !strings.Contains(answer, `error="invalid_token", error_description="the access token was revoked"`) {
		t.Errorf("answer %q", answer)
	}
	p.reload(t)
	p.want(t, "after a reload", token, 401)
	bad := strings.Replace(p.text(t), "path = \"/api/*\"", "path = \"api\"", 1)
	good := p.text(t)
	p.write(t, bad)
	if p.server.Reload() == nil {
		t.Fatal("a bad config is put in force")
	}
	p.want(t, "after a reload that failed", token, 401)
	p.write(t, strings.Replace(good, `"r.db"`, `"no/such/r.db"`, 1))
	if p.server.Reload() == nil {
		t.Fatal("a file that cannot be opened is put in force")
	}
	p.want(t, "with a file that cannot be opened", token, 401)
	if status, _ := p.api(t, "GET", "/"+id, ""); status != 200 {
		t.Errorf("GET: %d", status)
	}
	_, text := adminGet(t, p.server.AdminURL()+"/metrics", revokeToken)
	for _, want := range []string{"sallyport_revocation_rules 1\n", "sallyport_revocations_total 1\n", `sallyport_verdicts_total{issuer="test",reason="revoked"} 5`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %q", want)
		}
	}

	// Another file has other rules; with the first one they are back.
	p.write(t, strings.Replace(good, `"r.db"`, `"other.db"`, 1))
	p.reload(t)
	p.want(t, "with another file", token, 200)
	p.write(t, good)
	p.reload(t)
	p.want(t, "with the first file again", token, 401)

	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	p.server.Shutdown(ctx)
	var err error
	if p.server, err = edge.Start(edge.Options{ConfigPath: p.path, LogOutput: p.log}); err != nil {
		t.Fatal(err)
	}
	p.addr = p.server.Addr("127.0.0.1:0").String()
	p.want(t, "after a restart", token, 401)
	if status, _ := p.api(t, "DELETE", "/"+id, ""); status != 204 {
		t.Errorf("DELETE: %d", status)
	}
	p.want(t, "deleted", token, 200)

	p.revoke(t, fmt.Sprintf(`{"issuer":"test","jti":"j1","until":%d}`, time.Now().Unix()+2))
	p.want(t, "until later", token, 401)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, _ := p.ask(http.DefaultClient, token); status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the rule does not end")
		}
	}

	audit, err := os.ReadFile(filepath.Join(p.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if line := lineWith(audit, `"reason":"revoked"`); !strings.Contains(line, `"alice"`) {
		t.Errorf("the audit log has %q of a revoked token", line)
	}
}

func lineWith(text []byte, part string) string {
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(part)) {
			return string(line)
		}
	}
	return ""
}

// Where it is off, or nobody could be told from anybody, the API says what to set.
func TestRevocationOff(t *testing.T) {
	p := newRevoker(t, newRecorder(t).addr())
	token := p.token(t, nil)
	p.revoke(t, `{"issuer":"test","all":true,"until":"never"}`)
	p.want(t, "all", token, 401)
	text := p.text(t)
	p.write(t, strings.Replace(text, "token_file = \"admin.token\"\n", "", 1))
	p.reload(t)
	if status, _ := p.api(t, "POST", "", `{"issuer":"test","sub":"x","until":"never"}`); status != 403 {
		t.Errorf("without a token file: %d, want 403", status)
	}
	p.want(t, "without a token file", token, 401)
	p.write(t, strings.Replace(text, `file = "r.db"`, `file = ""`, 1))
	p.reload(t)
	if status, _ := p.api(t, "GET", "", ""); status != 404 {
		t.Errorf("turned off: %d, want 404", status)
	}
	p.want(t, "turned off", token, 200)
}

// Rules posted while reloads change the file are either refused with 503, or kept in the file that was in force.
func TestRevocationWhileTheFileChanges(t *testing.T) {
	p := newRevoker(t, newRecorder(t).addr())
	text := p.text(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var ids sync.Map
	for g := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				switch status, id := p.api(t, "POST", "", fmt.Sprintf(`{"issuer":"test","jti":"%d-%d","until":"never"}`, g, i)); status {
				case 201:
					ids.Store(id, true)
				case 503:
				default:
					t.Errorf("POST: %d", status)
				}
			}
		})
	}
	for i := range 10 {
		p.write(t, strings.Replace(text, `"r.db"`, []string{`"r.db"`, `"s.db"`}[(i+1)%2], 1))
		p.reload(t)
		time.Sleep(5 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	found := map[string]bool{}
	for _, file := range []string{`"r.db"`, `"s.db"`} {
		p.write(t, strings.Replace(text, `"r.db"`, file, 1))
		p.reload(t)
		ids.Range(func(id, _ any) bool {
			if status, _ := p.api(t, "GET", "/"+id.(string), ""); status == 200 {
				found[id.(string)] = true
			}
			return true
		})
	}
	total := 0
	ids.Range(func(id, _ any) bool {
		if total++; !found[id.(string)] {
			t.Errorf("rule %v was acknowledged and is in neither file", id)
		}
		return true
	})
	if total == 0 {
		t.Error("no rule was acknowledged")
	}
}
