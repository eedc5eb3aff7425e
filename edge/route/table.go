package route

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Spec is one route as the config has it.
type Spec struct {
	// Host is a name in lower case, "*.example.com" for one or more labels before it, or "" for any.
	Host string
	// Path is exact ("/a/b"), or a prefix by whole segments ("/a/*": /a and all below it; "/*": all).
	Path string
	// Methods are upper case; none means all that the proxy forwards.
	Methods []string
}

// Verdict is the outcome of Match. The zero value is NoRoute.
type Verdict uint8

// The verdicts.
const (
	NoRoute Verdict = iota
	Found
	MethodNotAllowed
)

// Methods are what a route without methods takes.
var Methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}

// Table is an immutable route table. The most specific host wins (exact, then the longest wildcard, then any), in it the most
// specific path (exact, then the longest prefix), and there the method; a route that does not fit by host or path is never
// considered. There is no falling back: a host with routes of its own never takes those of a wildcard or of any host, and no other
// path is tried when only the method does not fit.
type Table struct {
	exact    map[string]*node // by host
	wildcard map[string]*node // by ".example.com"
	any      *node
}

// node is one segment of the paths of one host.
type node struct {
	children map[string]*node
	exact    *methods // a route ends here
	prefix   *methods // a route covers this and all below
}

// methods are the routes of one host and path.
type methods struct {
	routes []methodRoute
	allow  string // the Allow field
}

type methodRoute struct {
	method string
	index  int
}

// Compile makes a table. Two routes for the same host, path and method are an error, since the second could never match.
func Compile(specs []Spec) (*Table, error) {
	t := &Table{exact: map[string]*node{}, wildcard: map[string]*node{}}
	for i := range specs {
		if err := t.add(&specs[i], i); err != nil {
			return nil, fmt.Errorf("route: cannot add route %d (host %q, path %q): %w", i+1, specs[i].Host, specs[i].Path, err)
		}
	}
	return t, nil
}

func (t *Table) add(s *Spec, index int) error {
	n, err := t.root(s.Host)
	if err != nil {
		return err
	}
	path, prefix, err := parsePath(s.Path)
	if err != nil {
		return err
	}
	for _, segment := range path {
		next := n.children[segment]
		if next == nil {
			next = &node{}
			if n.children == nil {
				n.children = map[string]*node{}
			}
			n.children[segment] = next
		}
		n = next
	}
	m := &n.exact
	if prefix {
		m = &n.prefix
	}
	if *m == nil {
		*m = &methods{}
	}
	return (*m).add(s.Methods, index)
}

func (t *Table) root(host string) (*node, error) {
	if host == "" || host == "*" {
		if t.any == nil {
			t.any = &node{}
		}
		return t.any, nil
	}
	m, key := t.exact, host
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		m, key = t.wildcard, "."+rest
		host = rest
		if rest == "" || rest[0] == '[' {
			return nil, errors.New("there is no name behind the wildcard")
		}
	}
	canonical, err := CanonicalAuthority(nil, []byte(host))
	if err != nil || string(canonical) != host {
		return nil, errors.New("host is not a lower-case name without port")
	}
	if m[key] == nil {
		m[key] = &node{}
	}
	return m[key], nil
}

// parsePath returns the segments of a configured path. It must be canonical, or no request could match it. A last empty
// segment stands for a slash at the end.
func parsePath(path string) (segments []string, prefix bool, err error) {
	body, prefix := strings.CutSuffix(path, "/*")
	if prefix && body == "" {
		return nil, true, nil
	}
	if prefix && strings.HasSuffix(body, "/") {
		return nil, false, errors.New(`"//*" would match nothing below it: requests have no "//"`)
	}
	if strings.Contains(body, "*") {
		return nil, false, errors.New(`"*" may only stand at the end, as "/*"`)
	}
	canonical, query, err := Canonical(nil, []byte(body))
	if err != nil || query != nil || string(canonical) != body {
		return nil, false, errors.New("path is not canonical: it must begin with /, without query, dot segments, // or needless escapes")
	}
	return strings.Split(body[1:], "/"), prefix, nil
}

func (m *methods) add(list []string, index int) error {
	if len(list) == 0 {
		list = Methods
	}
	for _, name := range list {
		for _, r := range m.routes {
			if r.method == name {
				return fmt.Errorf("it can never match: route %d has the same host, path and method %s", r.index+1, name)
			}
		}
		m.routes = append(m.routes, methodRoute{name, index})
	}
	all := make([]string, len(m.routes))
	for i, r := range m.routes {
		all[i] = r.method
	}
	slices.Sort(all)
	m.allow = strings.Join(all, ", ")
	return nil
}

// Match returns the index of the route for a canonical host and path and a method. With MethodNotAllowed allow is the value
// of the Allow field. It costs a map look-up for each label of the host and each segment of the path, and allocates nothing.
func (t *Table) Match(host, path, method []byte) (index int, verdict Verdict, allow string) {
	if m := lookup(t.rootOf(host), path); m != nil {
		return m.pick(method)
	}
	return -1, NoRoute, ""
}

// rootOf returns the paths of the most specific host that has any; none other is tried.
func (t *Table) rootOf(host []byte) *node {
	if n := t.exact[string(host)]; n != nil {
		return n
	}
	if len(t.wildcard) > 0 {
		for i, c := range host {
			if c == '.' && i > 0 {
				if n := t.wildcard[string(host[i:])]; n != nil {
					return n
				}
			}
		}
	}
	return t.any
}

func (m *methods) pick(method []byte) (int, Verdict, string) {
	for i := range m.routes {
		if string(method) == m.routes[i].method {
			return m.routes[i].index, Found, ""
		}
	}
	return -1, MethodNotAllowed, m.allow
}

// lookup walks the segments of path from n and returns the exact route, else that of the longest prefix, else nil.
func lookup(n *node, path []byte) *methods {
	if n == nil || len(path) == 0 || path[0] != '/' {
		return nil
	}
	best := n.prefix
	rest := path[1:]
	for {
		end := bytes.IndexByte(rest, '/')
		last := end < 0
		if last {
			end = len(rest)
		}
		n = n.children[string(rest[:end])]
		if n == nil {
			return best
		}
		if n.prefix != nil {
			best = n.prefix
		}
		if last {
			if n.exact != nil {
				return n.exact
			}
			return best
		}
		rest = rest[end+1:]
	}
}
