package claims

import (
	"bytes"

	"sallyport/verify/jose"
)

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

// Value is one claim: a view into its Set. The zero value is no value.
type Value struct {
	raw []byte // JSON text, without white space around it; the strict check has passed it
	str []byte // a string's text where it is known without unescaping; else nil
}

// value returns a member of the outermost object.
func (s *Set) value(m *jose.Member) Value {
	v := Value{raw: s.text[m.From:m.To:m.To]}
	if v.raw[0] == '"' {
		v.str = m.String.Bytes(s.text, s.unescaped)
	}
	return v
}

// Lookup returns the claim at p.
func (s *Set) Lookup(p Path) (Value, bool) {
	if len(p) == 0 {
		return Value{}, false
	}
	for i := range s.members {
		m := &s.members[i]
		if string(m.Name.Bytes(s.text, s.unescaped)) != p[0] {
			continue
		}
		v := s.value(m)
		for _, name := range p[1:] {
			var ok bool
			if v, ok = v.member(name); !ok {
				return Value{}, false
			}
		}
		return v, true
	}
	return Value{}, false
}

// member returns a member of an object.
func (v Value) member(name string) (Value, bool) {
	if v.Kind() != KindObject {
		return Value{}, false
	}
	for rest := v.raw[1:]; ; {
		rest = skipSpace(rest)
		if rest[0] == '}' {
			return Value{}, false
		}
		key := Value{raw: rest[:valueLen(rest)]}
		rest = skipSpace(rest[len(key.raw):])
		rest = skipSpace(rest[1:]) // the colon
		n := valueLen(rest)
		if string(key.Bytes()) == name {
			return Value{raw: rest[:n:n]}, true
		}
		if rest = skipSpace(rest[n:]); rest[0] == ',' {
			rest = rest[1:]
		}
	}
}

// Kind returns the JSON type.
func (v Value) Kind() Kind { return kind(v.raw) }

func kind(raw []byte) Kind {
	if len(raw) == 0 {
		return KindInvalid
	}
	switch raw[0] {
	case '"':
		return KindString
	case '{':
		return KindObject
	case '[':
		return KindArray
	case 't', 'f':
		return KindBool
	case 'n':
		return KindNull
	}
	return KindNumber
}

// Elements walks the elements of an array; those of anything else are none.
type Elements struct {
	rest []byte
	raw  []byte // of the present one
}

// Elements returns the walk. Call Next before each Value.
func (v Value) Elements() Elements { return elements(v.raw) }

func elements(raw []byte) Elements {
	if kind(raw) != KindArray {
		return Elements{}
	}
	return Elements{rest: raw[1:]}
}

// Next moves to the next element and reports whether there is one.
func (e *Elements) Next() bool {
	if len(e.rest) == 0 {
		return false
	}
	rest := skipSpace(e.rest)
	if rest[0] == ',' {
		rest = skipSpace(rest[1:])
	}
	if rest[0] == ']' {
		e.rest = nil
		return false
	}
	n := valueLen(rest)
	e.raw, e.rest = rest[:n:n], rest[n:]
	return true
}

// Value returns the present element.
func (e *Elements) Value() Value { return Value{raw: e.raw} }

// Bytes returns the unescaped text of a string, nil for other kinds. It is a view, but for a string with escapes inside an
// array or object, which is copied.
func (v Value) Bytes() []byte {
	if v.str != nil {
		return v.str
	}
	if v.Kind() != KindString {
		return nil
	}
	return unquote(v.raw)
}

// unquote returns the text of a JSON string.
func unquote(raw []byte) []byte {
	inner := raw[1 : len(raw)-1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	return jose.Unescape(raw)
}

// AppendJSON appends the value as compact JSON; strings and numbers as they were written.
func (v Value) AppendJSON(dst []byte) []byte {
	for rest := v.raw; len(rest) > 0; {
		switch c := rest[0]; c {
		case ' ', '\t', '\n', '\r':
			rest = rest[1:]
		case '"':
			n := valueLen(rest)
			dst = append(dst, rest[:n]...)
			rest = rest[n:]
		default:
			dst = append(dst, c)
			rest = rest[1:]
		}
	}
	return dst
}

// Scalar returns what Equal compares: a string's text, a number as written, true or false. It is nil for other kinds and never nil for
// these.
func (v Value) Scalar() []byte {
	switch v.Kind() {
	case KindString:
		return v.Bytes()
	case KindBool, KindNumber:
		return v.raw
	}
	return nil
}

// Equal reports whether the value is the scalar that want names: a string's text, a number as written, true or false.
// An array equals want when one of its scalar elements does. Null and objects equal nothing.
func (v Value) Equal(want string) bool {
	switch v.Kind() {
	case KindString:
		return string(v.Bytes()) == want
	case KindBool, KindNumber:
		return string(v.raw) == want
	case KindArray:
		for e := v.Elements(); e.Next(); {
			if kind(e.raw) != KindArray && e.Value().Equal(want) {
				return true
			}
		}
	}
	return false
}

// skipSpace cuts white space off the front. There is always something behind it in a checked text.
func skipSpace(b []byte) []byte {
	for b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r' {
		b = b[1:]
	}
	return b
}

// valueLen returns the length of the value at the head of b, whose JSON has been checked.
func valueLen(b []byte) int {
	switch b[0] {
	case '"':
		return stringLen(b)
	case '{', '[':
		depth := 0
		for i := 0; ; {
			switch b[i] {
			case '"':
				i += stringLen(b[i:])
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	n := 1
	for n < len(b) && b[n] != ',' && b[n] != '}' && b[n] != ']' && b[n] > ' ' {
		n++
	}
	return n
}

// stringLen returns the length of the string at the head of b, quotes included.
func stringLen(b []byte) int {
	// Fast path (BenchmarkParse): a quote with no backslash before it ends the string.
	if i := 1 + bytes.IndexByte(b[1:], '"'); b[i-1] != '\\' {
		return i + 1
	}
	for i := 1; ; i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}
