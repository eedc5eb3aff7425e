package claims

import (
	"errors"
	"fmt"
	"strings"
)

// Path leads to a claim through nested objects.
type Path []string

// ParsePath reads a path: names separated by dots, "realm_access.roles", or, when it begins with a slash, an RFC 6901 JSON
// Pointer through objects, for names that contain dots: "/https:~1~1example.com~1roles".
func ParsePath(s string) (Path, error) {
	if s == "" {
		return nil, errors.New("claims: cannot parse claim path: it is empty")
	}
	var p Path
	if s[0] == '/' {
		for _, part := range strings.Split(s[1:], "/") {
			name, err := unescapePointer(part)
			if err != nil {
				return nil, fmt.Errorf("claims: cannot parse claim path %q: %w", s, err)
			}
			p = append(p, name)
		}
	} else {
		p = strings.Split(s, ".")
	}
	for _, name := range p {
		if name == "" {
			return nil, fmt.Errorf("claims: cannot parse claim path %q: empty name", s)
		}
	}
	return p, nil
}

// String returns p in the form that ParsePath reads, with dots where that is possible.
func (p Path) String() string {
	for _, name := range p {
		if strings.ContainsAny(name, "./") {
			escapes := strings.NewReplacer("~", "~0", "/", "~1")
			var b strings.Builder
			for _, name := range p {
				b.WriteString("/" + escapes.Replace(name))
			}
			return b.String()
		}
	}
	return strings.Join(p, ".")
}

// unescapePointer replaces ~1 by / and ~0 by ~ (RFC 6901, 4); another ~ is an error.
func unescapePointer(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '~' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case i < len(s) && s[i] == '0':
			b.WriteByte('~')
		case i < len(s) && s[i] == '1':
			b.WriteByte('/')
		default:
			return "", errors.New("~ must be followed by 0 or 1")
		}
	}
	return b.String(), nil
}
