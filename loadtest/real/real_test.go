package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/loadtest/real/provider"
)

const config = `
listener = [{ address = "%s", max_connections = 100 }]
upstream = [{ name = "service", endpoints = ["%s"] }]
[[issuer]]
issuer = "%s"
audiences = ["sid1", "web"]
algorithms = ["RS256"]
discovery = "oidc"
allow_http = true
type = "jwt-or-absent"
[[route]]
path = "/*"
upstream = "service"
claim_headers = { X-User = "sub" }
[admin]
address = "%s"
[audit]
output = "off"
`

// start runs the provider, an echo service and the real binary, and returns the URLs of provider and proxy.
func start(t *testing.T) (*provider.Provider, string) {
	t.Helper()
	p, err := provider.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	service := listen(t)
	go http.Serve(service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user=%s authorization=%q", r.Header.Get("X-User"), r.Header.Get("Authorization"))
	}))
	proxy, admin := freeAddress(t), freeAddress(t)
	path := filepath.Join(t.TempDir(), "sallyport.toml")
	if err := os.WriteFile(path, []byte(fmt.Sprintf(config, proxy, service.Addr(), p.URL, admin)), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.Abs("../../bin/sallyport")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "-config", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start the binary (make build): %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get("http://" + admin + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the proxy is not ready after 10 s")
		}
	}
	return p, "http://" + proxy
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

type tokens struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
}

func tokenRequest(t *testing.T, p *provider.Provider, id, secret string, form url.Values) tokens {
	t.Helper()
	req, _ := http.NewRequest("POST", p.URL+"/oauth/token", strings.NewReader(form.Encode()))
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var tk tokens
	if err := json.NewDecoder(resp.Body).Decode(&tk); err != nil || tk.Access == "" {
		t.Fatalf("the provider gave no token: %s, %v", resp.Status, err)
	}
	return tk
}

// get returns status, body and challenge.
func get(t *testing.T, proxy, token string) (int, string, string) {
	t.Helper()
	req, _ := http.NewRequest("GET", proxy+"/x", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), resp.Header.Get("WWW-Authenticate")
}

func checkTokens(t *testing.T, proxy string, tk tokens, user string) {
	t.Helper()
	if status, body, _ := get(t, proxy, tk.Access); status != 200 || body != "user="+user+` authorization=""` {
		t.Errorf("access token: %d %q, want 200 and user %s", status, body, user)
	}
	// Every octet but the last, whose unused bits are another rule's, changed by one place in the alphabet.
	for i := 0; i < len(tk.Access)-1; i += 7 {
		c := byte('A')
		if tk.Access[i] == c {
			c = 'B'
		}
		changed := tk.Access[:i] + string(c) + tk.Access[i+1:]
		if status, _, challenge := get(t, proxy, changed); status != 401 || !strings.Contains(challenge, `error="invalid_token"`) {
			t.Fatalf("octet %d changed: %d %q, want 401 invalid_token", i, status, challenge)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	p, proxy := start(t)
	tk := tokenRequest(t, p, provider.ServiceID, provider.ServiceSecret, url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}})
	checkTokens(t, proxy, tk, provider.ServiceID)
}

// The code flow gives an ID token beside the access token; only the latter opens anything.
func TestCodeFlow(t *testing.T) {
	p, proxy := start(t)
	tk := tokenRequest(t, p, provider.WebID, provider.WebSecret, url.Values{
		"grant_type": {"authorization_code"}, "code": {login(t, p)}, "redirect_uri": {provider.RedirectURI},
	})
	if tk.ID == "" {
		t.Fatal("the provider gave no ID token")
	}
	checkTokens(t, proxy, tk, "id2")
	if status, _, challenge := get(t, proxy, tk.ID); status != 401 || !strings.Contains(challenge, `error="invalid_token"`) {
		t.Errorf("ID token: %d %q, want 401 invalid_token", status, challenge)
	}
}

var hiddenID = regexp.MustCompile(`name="id" value="([^"]*)"`)

// login does what a browser and its user do, and returns the code.
func login(t *testing.T, p *provider.Provider) string {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	var code string
	client := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), provider.RedirectURI) {
			code = req.URL.Query().Get("code")
			return http.ErrUseLastResponse
		}
		return nil
	}}
	q := url.Values{"client_id": {provider.WebID}, "redirect_uri": {provider.RedirectURI}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {"s"}, "nonce": {"n"}}
	resp, err := client.Get(p.URL + "/auth?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	m := hiddenID.FindSubmatch(page)
	if m == nil {
		t.Fatalf("no login form: %s", page)
	}
	resp, err = client.PostForm(p.URL+"/login/username", url.Values{"username": {p.Username()}, "password": {provider.UserPassword}, "id": {string(m[1])}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if code == "" {
		t.Fatal("the login gave no code")
	}
	return code
}
