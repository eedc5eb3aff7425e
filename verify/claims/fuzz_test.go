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
		for name, w := range want {
			v, ok := s.Lookup(Path{name})
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
			if text, ok := w.(string); ok && (string(v.Bytes()) != text || !v.Equal(text)) {
				t.Fatalf("%q: %q is %q, want %q", payload, name, v.Bytes(), text)
			}
		}
	})
}

// touch looks at all that there is in a claim, and, where it is an object, for a member that is not there.
func touch(s *Set, name string) {
	v, _ := s.Lookup(Path{name})
	touchValue(v)
	s.Lookup(Path{name, "\\"})
}

func touchValue(v Value) {
	v.Equal("x")
	for i := range v.Len() {
		touchValue(v.At(i))
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
