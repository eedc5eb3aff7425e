package claims

import (
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"
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

// Kind is the JSON type of a Value. The zero value is that of no value.
type Kind uint8

// The kinds.
const (
	KindInvalid Kind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// Value is one claim, valid until its Set is parsed again.
type Value struct {
	v   *fastjson.Value
	set *Set // for its scratch memory
}

// Lookup returns the claim at p.
func (s *Set) Lookup(p Path) (Value, bool) {
	if s.root == nil || len(p) == 0 {
		return Value{}, false
	}
	v := s.root
	for _, name := range p {
		if v.Type() != fastjson.TypeObject {
			return Value{}, false
		}
		if v = v.Get(name); v == nil {
			return Value{}, false
		}
	}
	return Value{v, s}, true
}

// Kind returns the JSON type.
func (v Value) Kind() Kind {
	if v.v == nil {
		return KindInvalid
	}
	switch v.v.Type() {
	case fastjson.TypeNull:
		return KindNull
	case fastjson.TypeTrue, fastjson.TypeFalse:
		return KindBool
	case fastjson.TypeNumber:
		return KindNumber
	case fastjson.TypeString:
		return KindString
	case fastjson.TypeArray:
		return KindArray
	case fastjson.TypeObject:
		return KindObject
	}
	return KindInvalid
}

// Len returns the number of elements of an array, else 0.
func (v Value) Len() int {
	if v.Kind() != KindArray {
		return 0
	}
	return len(v.v.GetArray())
}

// At returns element i of an array.
func (v Value) At(i int) Value { return Value{v.v.GetArray()[i], v.set} }

// Bytes returns the unescaped text of a string, a view; nil for other kinds.
func (v Value) Bytes() []byte {
	if v.Kind() != KindString {
		return nil
	}
	return v.v.GetStringBytes()
}

// Equal reports whether the value is the scalar that want names: a string's text, a number as written, true or false.
// An array equals want when one of its scalar elements does. Null and objects equal nothing.
func (v Value) Equal(want string) bool {
	switch v.Kind() {
	case KindString:
		return string(v.v.GetStringBytes()) == want
	case KindBool:
		return (v.v.Type() == fastjson.TypeTrue && want == "true") || (v.v.Type() == fastjson.TypeFalse && want == "false")
	case KindNumber:
		// fastjson shows the text of a number in no other way, and a local array would escape.
		v.set.scratch = v.v.MarshalTo(v.set.scratch[:0])
		return string(v.set.scratch) == want
	case KindArray:
		for i := range v.Len() {
			if e := v.At(i); e.Kind() != KindArray && e.Equal(want) {
				return true
			}
		}
	}
	return false
}
