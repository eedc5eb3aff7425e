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
//
// Segments are compared decoded: "/things:delete" is what an upstream makes of "/things%3Adelete", so it takes the same route.
// A path whose parameters (";x", which some upstreams cut off and some do not) decide which route it takes has none.
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
	if err != nil || host == "" || string(canonical) != host {
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
	segments = strings.Split(body[1:], "/")
	for i := range segments {
		if segments[i] = string(appendDecoded(nil, []byte(segments[i]))); len(segments[i]) > maxSegment {
			return nil, false, fmt.Errorf("a segment is longer than %d octets", maxSegment)
		}
	}
	return segments, prefix, nil
}

// maxSegment bounds the decoded segments of configured paths, in octets, and so what a request's segment is decoded for.
const maxSegment = 256

// appendDecoded appends the canonical segment s with its escapes decoded.
func appendDecoded(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
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
	root := t.rootOf(host)
	m := lookup(root, path, false)
	if m == nil || (bytes.IndexByte(path, ';') >= 0 && lookup(root, path, true) != m) {
		return -1, NoRoute, ""
	}
	return m.pick(method)
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

// lookup walks the segments of path from n and returns the exact route, else that of the longest prefix, else nil. bare says
// that path parameters are to be cut off, as some servers do before they look at the path.
func lookup(n *node, path []byte, bare bool) *methods {
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
		segment := rest[:end]
		if !last {
			rest = rest[end+1:]
		}
		if bare {
			if i := bytes.IndexByte(segment, ';'); i >= 0 {
				if segment = segment[:i]; i == 0 && !last {
					continue // nothing is left of it: "//" is merged
				}
			}
		}
		if n = n.child(segment); n == nil {
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
	}
}

// child returns the node below n for a segment of a request's path.
func (n *node) child(segment []byte) *node {
	if bytes.IndexByte(segment, '%') < 0 {
		return n.children[string(segment)]
	}
	if len(segment) > 3*maxSegment {
		return nil
	}
	var buf [3 * maxSegment]byte
	return n.children[string(appendDecoded(buf[:0], segment))]
}
