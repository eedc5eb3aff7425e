package claims

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// jsonNumber is the grammar of RFC 8259, 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// FuzzDate holds parseDate against exact arithmetic, for every number that jose.Checker lets through.
func FuzzDate(f *testing.F) {
	for _, s := range dateTexts {
		f.Add(s.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// jose.Checker has seen the grammar, and passes at most 64 characters.
		if len(text) > 64 || !jsonNumber.MatchString(text) {
			return
		}
		got, fraction, ok := parseDate([]byte(text))
		want, wantFraction, wantOK := exactDate(t, text)
		if got != want || fraction != wantFraction || ok != wantOK {
			t.Fatalf("parseDate(%q) = %d, %v, %v, want %d, %v, %v", text, got, fraction, ok, want, wantFraction, wantOK)
		}
	})
}

// exactDate says the same by math/big.
func exactDate(t *testing.T, text string) (n int64, fraction, ok bool) {
	t.Helper()
	// A sign is refused even before 0, and so is an exponent of more than three digits, whatever they are.
	if _, exponent, has := strings.Cut(strings.ToLower(text), "e"); has && len(strings.TrimLeft(exponent, "+-")) > 3 {
		return 0, false, false
	}
	if text[0] == '-' {
		return 0, false, false
	}
	r, valid := new(big.Rat).SetString(text)
	if !valid {
		t.Fatalf("math/big cannot read %q", text)
	}
	floor := new(big.Int).Quo(r.Num(), r.Denom())
	if floor.Cmp(big.NewInt(1<<53)) > 0 {
		return 0, false, false
	}
	return floor.Int64(), !r.IsInt(), true
}

// FuzzValues holds what is read of a payload against encoding/json's reading of it: every claim, its kind, and the JSON that is
// written of it again, which must say the same whether or not somebody has looked at its parts before.
func FuzzValues(f *testing.F) {
	for _, s := range valueTexts {
		f.Add([]byte(`{"v":` + s + `}`))
	}
	f.Add([]byte(`{"\u0061":1,"b\n":{"\u0000":"\u001f"},"":[]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := read(string(payload))
		if err != nil {
			return
		}
		want, ok := decode(t, payload).(map[string]any)
		if !ok {
			t.Fatalf("%q is no object", payload)
		}
		copied := s.CopyTo(make([]byte, s.TextLen()))
		for name, w := range want {
			v, ok := s.Lookup(Path{name})
			if c, _ := copied.Lookup(Path{name}); string(c.AppendJSON(nil)) != string(v.AppendJSON(nil)) {
				t.Fatalf("%q: the copy's %q is %q", payload, name, c.AppendJSON(nil))
			}
			if !ok {
				t.Fatalf("%q: Lookup(%q) finds nothing", payload, name)
			}
			for range 2 {
				text := v.AppendJSON(nil)
				if got := decode(t, text); !reflect.DeepEqual(got, w) {
					t.Fatalf("%q: %q is written as %q", payload, name, text)
				}
				touch(s, name)
			}
			if got := v.Kind(); got != kindOf(w) {
				t.Fatalf("%q: %q is of kind %d, want %d", payload, name, got, kindOf(w))
			}
			checkParts(t, s, payload, Path{name}, v, w)
			if text, ok := w.(string); ok && (string(v.Bytes()) != text || !v.Equal(text)) {
				t.Fatalf("%q: %q is %q, want %q", payload, name, v.Bytes(), text)
			}
		}
	})
}

// checkParts compares what lies inside a claim: the elements of arrays, and the members of objects by their paths.
func checkParts(t *testing.T, s *Set, payload []byte, at Path, v Value, want any) {
	t.Helper()
	switch w := want.(type) {
	case []any:
		n := 0
		for e := v.Elements(); e.Next(); n++ {
			if n >= len(w) || !reflect.DeepEqual(decode(t, e.Value().AppendJSON(nil)), w[n]) {
				t.Fatalf("%q: element %d of %q is %q", payload, n, at, e.Value().AppendJSON(nil))
			}
			if text, ok := w[n].(string); ok && string(e.Value().Bytes()) != text {
				t.Fatalf("%q: element %d of %q says %q, want %q", payload, n, at, e.Value().Bytes(), text)
			}
		}
		if n != len(w) {
			t.Fatalf("%q: %q has %d elements, want %d", payload, at, n, len(w))
		}
	case map[string]any:
		for name, inner := range w {
			path := append(at[:len(at):len(at)], name)
			got, ok := s.Lookup(path)
			if !ok || !reflect.DeepEqual(decode(t, got.AppendJSON(nil)), inner) {
				t.Fatalf("%q: %q is %q, %v", payload, path, got.AppendJSON(nil), ok)
			}
			checkParts(t, s, payload, path, got, inner)
		}
	}
}

// touch looks at all that there is in a claim, and, where it is an object, for a member that is not there.
func touch(s *Set, name string) {
	v, _ := s.Lookup(Path{name})
	touchValue(v)
	s.Lookup(Path{name, "\\"})
}

func touchValue(v Value) {
	v.Equal("x")
	for e := v.Elements(); e.Next(); {
		touchValue(e.Value())
	}
}

func kindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return KindNull
	case bool:
		return KindBool
	case json.Number:
		return KindNumber
	case string:
		return KindString
	case []any:
		return KindArray
	}
	return KindObject
}

// decode reads one JSON value by encoding/json, with numbers as they are written.
func decode(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("%q is no JSON: %v", text, err)
	}
	return v
}
