package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/keys/revoke"
	"sallyport/verify"
)

const adminToken = "the-admin-token"

// newAPI returns the handler of a listener with revocation on, and its store.
func newAPI(t testing.TB) (http.Handler, *revoke.Store) {
	t.Helper()
	store, err := revoke.Open(filepath.Join(t.TempDir(), "r.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return handler(Options{Token: []byte(adminToken), Revocation: &Revocation{
		Store: store, Issuers: map[string]revoke.Issuer{"a": {MaxLifetime: 3600}, "b": {}},
		Changed: func(string, verify.RuleID) {}, Failed: func(err error) { t.Error(err) },
	}}), store
}

func handler(opt Options) http.Handler {
	s := new(Server)
	s.Set(opt)
	return http.HandlerFunc(s.serve)
}

// call sends a request with the token, and as JSON, unless change says otherwise.
func call(h http.Handler, method, target, body string, change func(r *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:9901"
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func set(name, value string) func(r *http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

const goodRule = `{"issuer":"a","sub":"alice","until":"never","reason":"left <us>"}`

func TestRevocations(t *testing.T) {
	h, store := newAPI(t)
	w := call(h, "POST", "/v1/revocations", goodRule, nil)
	var rule map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &rule); err != nil || w.Code != 201 {
		t.Fatalf("POST: %d %s %v", w.Code, w.Body, err)
	}
	id, _ := rule["id"].(string)
	if len(id) != 32 || w.Header().Get("Location") != "/v1/revocations/"+id || w.Header().Get("Content-Type") != "application/json" ||
		rule["sub"] != "alice" || rule["until"] != "never" || rule["reason"] != "left <us>" {
		t.Errorf("POST: %v %s", w.Header(), w.Body)
	}
	if got := call(h, "GET", "/v1/revocations/"+id, "", nil); got.Code != 200 || got.Body.String() != w.Body.String() {
		t.Errorf("GET: %d %s", got.Code, got.Body)
	}
	if w := call(h, "POST", "/v1/revocations", goodRule, set("Content-Type", "application/json; charset=utf-8")); w.Code != 201 || store.Len() != 2 {
		t.Errorf("POST with charset: %d %s", w.Code, w.Body)
	}
	for _, want := range []int{204, 404} {
		if w := call(h, "DELETE", "/v1/revocations/"+id, "", nil); w.Code != want {
			t.Errorf("DELETE: %d %s, want %d", w.Code, w.Body, want)
		}
	}
	if w := call(h, "GET", "/v1/revocations/"+id, "", nil); w.Code != 404 || store.Len() != 1 {
		t.Errorf("GET after DELETE: %d %s, %d rules", w.Code, w.Body, store.Len())
	}
}

func TestRevocationPages(t *testing.T) {
	h, _ := newAPI(t)
	list := func(query string) (p struct {
		Revocations []struct{ ID string }
		Next        string
	},
	) {
		w := call(h, "GET", "/v1/revocations"+query, "", nil)
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 200 || p.Revocations == nil {
			t.Fatalf("GET %s: %d %s %v", query, w.Code, w.Body, err)
		}
		return p
	}
	if p := list(""); len(p.Revocations) != 0 || p.Next != "" {
		t.Errorf("an empty list: %v", p)
	}
	for i := range 7 {
		if w := call(h, "POST", "/v1/revocations", fmt.Sprintf(`{"issuer":"b","jti":"j%d","until":2000000000}`, i), nil); w.Code != 201 {
			t.Fatalf("POST: %d %s", w.Code, w.Body)
		}
	}
	seen := map[string]bool{}
	next := ""
	for _, want := range []int{3, 3, 1} {
		query := "?limit=3"
		if next != "" {
			query += "&after=" + next
		}
		p := list(query)
		if len(p.Revocations) != want || (p.Next == "") != (want == 1) {
			t.Errorf("page %s: %v", query, p)
		}
		for _, r := range p.Revocations {
			seen[r.ID] = true
		}
		next = p.Next
	}
	if len(seen) != 7 || len(list("").Revocations) != 7 {
		t.Errorf("%d rules in pages", len(seen))
	}
}

// Every bad request gets its status and a JSON body that says why, and changes nothing.
func TestRevocationsRefuse(t *testing.T) {
	h, store := newAPI(t)
	off := handler(Options{Token: []byte(adminToken)})
	noToken := handler(Options{Revocation: &Revocation{Store: store}})
	const at = "/v1/revocations"
	id := "/" + strings.Repeat("0", 32)
	for _, tt := range []struct {
		what           string
		h              http.Handler
		method, target string
		body           string
		change         func(r *http.Request)
		status         int
		text           string
	}{
		{"no token is set", noToken, "POST", at, goodRule, nil, 403, "set token_file"},
		{"no token is set", noToken, "GET", at, "", nil, 403, "set token_file"},
		{"no token is set", noToken, "DELETE", at + id, "", nil, 403, "set token_file"},
		{"off", off, "POST", at, goodRule, nil, 404, "set file in [revocation]"},
		{"off", off, "GET", at + id, "", nil, 404, "set file in [revocation]"},
		{"no credential", h, "POST", at, goodRule, func(r *http.Request) { r.Header.Del("Authorization") }, 401, "bearer token"},
		{"another credential", h, "POST", at, goodRule, set("Authorization", "Bearer the-admin-tokem"), 401, "bearer token"},
		{"another scheme", h, "GET", at, "", set("Authorization", "Basic "+adminToken), 401, "bearer token"},
		{"no credential", h, "DELETE", at + id, "", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "bearer token"},
		{"no credential, and off", off, "GET", at, "", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "bearer token"},
		{"a form's type", h, "POST", at, goodRule, set("Content-Type", "text/plain"), 415, "application/json"},
		{"no type", h, "POST", at, goodRule, func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "application/json"},
		{"a type like it", h, "POST", at, goodRule, set("Content-Type", "application/json-seq"), 415, "application/json"},
		{"too long", h, "POST", at, goodRule + strings.Repeat(" ", revoke.MaxBody), nil, 413, "longer than 16384"},
		{"empty", h, "POST", at, "", nil, 400, "strict JSON object"},
		{"no rule", h, "POST", at, "{}", nil, 400, "issuer is required"},
		{"everybody", h, "POST", at, `{"issuer":"a","until":"never"}`, nil, 400, `say "all": true`},
		{"another issuer", h, "POST", at, `{"issuer":"c","sub":"x","until":"never"}`, nil, 400, "none of the config's"},
		{"an unknown member", h, "POST", at, `{"issuer":"a","subject":"x","until":"never"}`, nil, 400, `unknown member "subject"`},
		{"no end", h, "POST", at, `{"issuer":"a","sub":"x"}`, nil, 400, "until is required"},
		{"method", h, "PUT", at, goodRule, nil, 405, "GET, POST"},
		{"method", h, "DELETE", at, "", nil, 405, "GET, POST"},
		{"method", h, "POST", at + id, goodRule, nil, 405, "DELETE, GET"},
		{"unknown", h, "GET", at + id, "", nil, 404, "no such rule"},
		{"unknown", h, "DELETE", at + id, "", nil, 404, "no such rule"},
		{"no ID", h, "DELETE", at + "/all", "", nil, 404, "no rule's ID"},
		{"an ID in upper case", h, "GET", at + "/" + strings.Repeat("A", 32), "", nil, 404, "no rule's ID"},
		{"limit 0", h, "GET", at + "?limit=0", "", nil, 400, "1 to 1000"},
		{"limit", h, "GET", at + "?limit=1001", "", nil, 400, "1 to 1000"},
		{"limit", h, "GET", at + "?limit=x", "", nil, 400, "1 to 1000"},
		{"after", h, "GET", at + "?after=x", "", nil, 400, "rule's ID"},
		{"twice", h, "GET", at + "?limit=1&limit=2", "", nil, 400, "once each"},
		{"unknown", h, "GET", at + "?sub=alice", "", nil, 400, "after and limit"},
		{"broken", h, "GET", at + "?limit=%zz", "", nil, 400, "cannot be read"},
	} {
		w := call(tt.h, tt.method, tt.target, tt.body, tt.change)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != tt.status || p.Status != tt.status || !strings.Contains(p.Error, tt.text) {
			t.Errorf("%s: %s %.40s: %d %s; want %d, %q", tt.what, tt.method, tt.target, w.Code, w.Body, tt.status, tt.text)
		}
		if strings.Contains(w.Body.String(), adminToken) || (w.Header().Get("WWW-Authenticate") != "") != (tt.status == 401) {
			t.Errorf("%s: %v %s", tt.what, w.Header(), w.Body)
		}
	}
	if store.Len() != 0 || store.Added() != 0 {
		t.Errorf("bad requests left %d rules", store.Len())
	}
	store.Seal()
	if w := call(h, "POST", at, goodRule, nil); w.Code != 503 || w.Header().Get("Retry-After") == "" || store.Len() != 0 {
		t.Errorf("a store that was replaced: %d %s, %d rules", w.Code, w.Body, store.Len())
	}
}

// FuzzRevocations wants a JSON answer to everything, a rule for each 201 and for nothing else, and no fault of the store.
func FuzzRevocations(f *testing.F) {
	f.Add("POST", "/v1/revocations", "application/json", goodRule)
	f.Add("GET", "/v1/revocations?limit=2&after=00000000000000000000000000000000", "", "")
	f.Add("DELETE", "/v1/revocations/0123456789abcdef0123456789abcdef", "", "")
	h, store := newAPI(f)
	f.Fuzz(func(t *testing.T, method, target, contentType, body string) {
		r, err := http.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(r.URL.Path, "/v1/revocations") {
			return
		}
		r.Header.Set("Authorization", "Bearer "+adminToken)
		r.Header.Set("Content-Type", contentType)
		before := store.Len()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") == "application/json" && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s is not JSON", w.Code, w.Body)
		}
		if added := store.Len() - before; (added == 1) != (w.Code == 201) || added < 0 || added > 1 {
			t.Fatalf("%d %s: %d rules more", w.Code, w.Body, added)
		}
		if id := strings.TrimPrefix(w.Header().Get("Location"), "/v1/revocations/"); w.Code == 201 {
			if got := call(h, "DELETE", "/v1/revocations/"+id, "", nil); got.Code != 204 || store.Len() != before {
				t.Fatalf("DELETE of what was added: %d %s", got.Code, got.Body)
			}
		}
	})
}
