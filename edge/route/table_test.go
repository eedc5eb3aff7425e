package route

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func compile(t *testing.T, specs ...Spec) *Table {
	t.Helper()
	table, err := Compile(specs)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// match compares Match for "METHOD host path" with the wanted index of a route, -1 for none.
func match(t *testing.T, table *Table, request string, want int, verdict Verdict, allow string) {
	t.Helper()
	part := strings.SplitN(request, " ", 3)
	i, v, a := table.Match([]byte(part[1]), []byte(part[2]), []byte(part[0]))
	if i != want || v != verdict || a != allow {
		t.Errorf("Match(%q) = %d, %d, %q; want %d, %d, %q", request, i, v, a, want, verdict, allow)
	}
}

func TestMatchPaths(t *testing.T) {
	table := compile(t, Spec{Path: "/a"}, Spec{Path: "/a/*"}, Spec{Path: "/a/b"}, Spec{Path: "/a/b/"}, Spec{Path: "/"}, Spec{Path: "/a/b/c/d/*"},
		Spec{Path: "/%C3%BC"}, Spec{Path: "/e/*"})
	check := func(path string, want int) {
		t.Helper()
		verdict := Found
		if want < 0 {
			verdict = NoRoute
		}
		match(t, table, "GET h "+path, want, verdict, "")
	}
	check("/", 4)
	check("/a", 0) // exact before the prefix that covers it too
	check("/a/", 1)
	check("/a/b", 2)
	check("/a/b/", 3)
	check("/a/b/c", 1)
	check("/a/b/c/d", 5)
	check("/a/b/c/d/e", 5)
	check("/a/b/c/dd", 1)
	check("/ab", -1)
	check("/b", -1)
	check("/%C3%BC", 6)
	check("/e", 7)
	check("/e/", 7)
	check("/ee", -1)
	check("", -1)
	check("a", -1)
}

func TestMatchHosts(t *testing.T) {
	table := compile(t, Spec{Host: "a.example.com", Path: "/a"}, Spec{Host: "*.example.com", Path: "/*"}, Spec{Host: "*.b.example.com", Path: "/b"},
		Spec{Path: "/*"}, Spec{Host: "[::1]", Path: "/6"})
	match(t, table, "GET a.example.com /a", 0, Found, "")
	match(t, table, "GET c.example.com /a", 1, Found, "")
	match(t, table, "GET c.d.example.com /a", 1, Found, "")
	match(t, table, "GET x.b.example.com /b", 2, Found, "")
	match(t, table, "GET example.com /a", 3, Found, "") // the wildcard wants a label
	match(t, table, "GET .example.com /a", 3, Found, "")
	match(t, table, "GET badexample.com /a", 3, Found, "")
	match(t, table, "GET  /a", 3, Found, "")
	match(t, table, "GET [::1] /6", 4, Found, "")
	// There is no falling back to a wider host.
	match(t, table, "GET a.example.com /b", -1, NoRoute, "")
	match(t, table, "GET x.b.example.com /a", -1, NoRoute, "")
	match(t, table, "GET [::1] /a", -1, NoRoute, "")
}

func TestMatchMethods(t *testing.T) {
	table := compile(t, Spec{Path: "/a", Methods: []string{"POST", "GET"}}, Spec{Path: "/a", Methods: []string{"DELETE"}}, Spec{Path: "/*"})
	match(t, table, "GET h /a", 0, Found, "")
	match(t, table, "DELETE h /a", 1, Found, "")
	// There is no falling back to a wider path either.
	match(t, table, "PUT h /a", -1, MethodNotAllowed, "DELETE, GET, POST")
	match(t, table, "HEAD h /a", -1, MethodNotAllowed, "DELETE, GET, POST")
	match(t, table, "get h /a", -1, MethodNotAllowed, "DELETE, GET, POST")
	match(t, table, "TRACE h /b", -1, MethodNotAllowed, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY")
	for _, m := range Methods {
		match(t, table, m+" h /b", 2, Found, "")
	}
}

// An upstream decodes what it gets: an escape that is not needed must not lead to another route than the octet itself.
func TestMatchDecodesEscapes(t *testing.T) {
	table := compile(t, Spec{Path: "/v1/*"}, Spec{Path: "/v1/things:delete"}, Spec{Path: "/a%20b/*"}, Spec{Path: "/c%40d"})
	match(t, table, "GET h /v1/things:delete", 1, Found, "")
	match(t, table, "GET h /v1/things%3Adelete", 1, Found, "")
	match(t, table, "GET h /v1/things%3Adelete2", 0, Found, "")
	match(t, table, "GET h /a%20b/c", 2, Found, "")
	match(t, table, "GET h /c@d", 3, Found, "")
	match(t, table, "GET h /c%40d", 3, Found, "")
	match(t, table, "GET h /v1/"+strings.Repeat("%3A", 2*maxSegment), 0, Found, "")
	if _, err := Compile([]Spec{{Path: "/a:b"}, {Path: "/a%3Ab"}}); err == nil {
		t.Errorf("two spellings of one path were taken for two routes")
	}
}

// Servlet containers cut off ";x" before they look at a path. A route must not be evaded by it.
func TestMatchParametersDecideNothing(t *testing.T) {
	table := compile(t, Spec{Path: "/*"}, Spec{Path: "/admin/*"}, Spec{Path: "/admin/login;v=1"}, Spec{Path: "/files/*"})
	for _, path := range []string{"/admin;x", "/admin;x/users", "/;x/admin/users", "/admin;/", "/admin/login;v=1", "/;/admin"} {
		match(t, table, "GET h "+path, -1, NoRoute, "")
	}
	match(t, table, "GET h /b;x", 0, Found, "")
	match(t, table, "GET h /admin/users;x=y", 1, Found, "")
	match(t, table, "GET h /files/a;b/c;d", 3, Found, "")
}

func TestCompileRefuses(t *testing.T) {
	for _, specs := range [][]Spec{
		{{Path: ""}},
		{{Path: "a"}},
		{{Path: "*"}},
		{{Path: "/a*"}},
		{{Path: "/*/a"}},
		{{Path: "/a/**"}},
		{{Path: "/a//b"}},
		{{Path: "/a/../b"}},
		{{Path: "/a?b"}},
		{{Path: "/%41"}},
		{{Path: "/%c3%bc"}},
		{{Path: "/a b"}},
		{{Path: "http://a/b"}},
		{{Path: "/" + strings.Repeat("a", maxSegment+1)}},
		{{Path: "/", Host: "A"}},
		{{Path: "/", Host: "a:80"}},
		{{Path: "/", Host: "a."}},
		{{Path: "/", Host: "*a"}},
		{{Path: "/", Host: "*."}},
		{{Path: "/", Host: "*.*"}},
		{{Path: "/", Host: "a.*"}},
		{{Path: "/", Host: "[0:0::1]"}},
		{{Path: "/a"}, {Path: "/a"}},
		{{Path: "/a"}, {Path: "/a", Host: "*"}},
		{{Path: "/a", Methods: []string{"GET", "PUT"}}, {Path: "/a", Methods: []string{"PUT"}}},
		{{Path: "/a", Methods: []string{"GET", "GET"}}},
		{{Path: "/a"}, {Path: "/a", Methods: []string{"GET"}}},
	} {
		if _, err := Compile(specs); err == nil {
			t.Errorf("Compile(%q) = nil, want an error", specs)
		}
	}
}

// naive finds the route by what Table's comment says and nothing else: it looks at every one.
func naive(specs []Spec, host, path, method string) (int, Verdict, string) {
	group, found := bestHost(specs, host)
	if !found {
		return -1, NoRoute, ""
	}
	literal, ok := bestPath(specs, group, segmentsOf(path, false))
	bare, _ := bestPath(specs, group, segmentsOf(path, true))
	if !ok || literal != bare {
		return -1, NoRoute, ""
	}
	var allow []string
	for i, s := range specs {
		if hostOf(s) != group || pathOf(s) != literal {
			continue
		}
		methods := s.Methods
		if len(methods) == 0 {
			methods = Methods
		}
		if slices.Contains(methods, method) {
			return i, Found, ""
		}
		allow = append(allow, methods...)
	}
	slices.Sort(allow)
	return -1, MethodNotAllowed, strings.Join(allow, ", ")
}

func hostOf(s Spec) string {
	if s.Host == "*" {
		return ""
	}
	return s.Host
}

func pathOf(s Spec) string {
	p, err := url.PathUnescape(s.Path)
	if err != nil {
		panic(err)
	}
	return p
}

func bestHost(specs []Spec, host string) (best string, found bool) {
	rank := -1
	for _, s := range specs {
		h := hostOf(s)
		r := -1
		switch suffix, wild := strings.CutPrefix(h, "*"); {
		case h == "":
			r = 0
		case wild && strings.HasSuffix(host, suffix) && len(host) > len(suffix):
			r = len(suffix)
		case h == host:
			r = 1000
		}
		if r > rank {
			best, rank, found = h, r, true
		}
	}
	return best, found
}

func segmentsOf(path string, bare bool) (out []string) {
	all := strings.Split(path[1:], "/")
	for i, s := range all {
		if name, _, cut := strings.Cut(s, ";"); bare && cut {
			if s = name; s == "" && i < len(all)-1 {
				continue
			}
		}
		s, err := url.PathUnescape(s)
		if err != nil {
			panic(err)
		}
		out = append(out, s)
	}
	return out
}

// bestPath returns the decoded path of the routes that take the segments.
func bestPath(specs []Spec, host string, segments []string) (best string, found bool) {
	rank := -1
	for _, s := range specs {
		if hostOf(s) != host {
			continue
		}
		p := pathOf(s)
		body, prefix := strings.CutSuffix(p, "/*")
		var want []string
		if body != "" {
			want = strings.Split(body[1:], "/")
		}
		r := -1
		switch {
		case !prefix && slices.Equal(want, segments):
			r = 1000
		case !prefix:
		case len(want) <= len(segments) && slices.Equal(want, segments[:len(want)]):
			r = len(want)
		}
		if r > rank {
			best, rank, found = p, r, true
		}
	}
	return best, found
}

// Random tables and requests from a small alphabet, so that most of them nearly match.
func TestMatchAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	randomPath := func(config bool) string {
		var b strings.Builder
		for range r.IntN(4) {
			b.WriteByte('/')
			if config {
				b.WriteString(pick("a", "b", "a:b", "a%20b", "a%3Ab"))
			} else {
				b.WriteString(pick("a", "b", "a:b", "a%20b", "a%3Ab", "a;x", ";x", "b;", "c", "a%3Ab;y"))
			}
		}
		if config && r.IntN(2) == 0 {
			return b.String() + "/*"
		}
		if b.Len() == 0 || r.IntN(4) == 0 {
			b.WriteByte('/')
		}
		return b.String()
	}
	tables, found := 0, 0
	for range 3000 {
		var specs []Spec
		for range 1 + r.IntN(8) {
			s := Spec{Host: pick("", "*", "x", "b.x", "a.b.x", "*.x", "*.b.x"), Path: randomPath(true)}
			if r.IntN(2) == 0 {
				s.Methods = []string{pick("GET", "PUT", "POST")}
			}
			if _, err := Compile(append(specs, s)); err == nil {
				specs = append(specs, s)
			}
		}
		table, err := Compile(specs)
		if err != nil {
			t.Fatal(err)
		}
		tables++
		for range 20 {
			host, path, method := pick("", "x", "a.x", "b.x", "a.b.x", "c.a.b.x", "y"), randomPath(false), pick("GET", "PUT", "DELETE")
			i, v, allow := table.Match([]byte(host), []byte(path), []byte(method))
			wantI, wantV, wantAllow := naive(specs, host, path, method)
			if i != wantI || v != wantV || allow != wantAllow {
				t.Fatalf("%q: Match(%q, %q, %q) = %d, %d, %q; want %d, %d, %q", specs, host, path, method, i, v, allow, wantI, wantV, wantAllow)
			}
			if v == Found {
				found++
			}
		}
	}
	if found < tables {
		t.Errorf("only %d requests of %d found a route: the alphabet is no longer small", found, 20*tables)
	}
}
