package jose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	c, err := Split([]byte("ab.cd.ef"))
	if err != nil || string(c.Header) != "ab" || string(c.Payload) != "cd" || string(c.Signature) != "ef" || string(c.SigningInput) != "ab.cd" {
		t.Errorf("Split = %q, %v", c, err)
	}
	for _, bad := range []string{"", "a", "a.b", ".b.c", "a.b.", "a.b.c.", "a.b.c.d"} {
		if _, err := Split([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("Split(%q) = %v, want ErrMalformed", bad, err)
		}
	}
}

func TestAlgNames(t *testing.T) {
	for a := AlgInvalid + 1; a < NumAlgs; a++ {
		if got := ParseAlg([]byte(a.String())); got != a {
			t.Errorf("ParseAlg(%q) = %v, want %v", a, got, a)
		}
	}
	for _, bad := range []string{"", "none", "NONE", "invalid", "rs256", "RS256 ", "HS1", "ES256K"} {
		if got := ParseAlg([]byte(bad)); got != AlgInvalid {
			t.Errorf("ParseAlg(%q) = %v, want invalid", bad, got)
		}
	}
	s := NewAlgSet(RS256, ES256)
	if !s.Has(RS256) || s.Has(RS384) || s.Has(AlgInvalid) || s.With(AlgInvalid) != s || s.Has(NumAlgs) {
		t.Errorf("AlgSet %b is wrong", s)
	}
}

func TestCheckJSONLimits(t *testing.T) {
	check := func(text string, want bool) {
		t.Helper()
		if got := CheckJSON([]byte(text), Limits{Depth: 3, Members: 4}) == nil; got != want {
			t.Errorf("CheckJSON(%q) ok = %v, want %v", text, got, want)
		}
	}
	check(`{"a":{"b":{}}}`, true)
	check(`{"a":{"b":{"c":{}}}}`, false)
	check(`{"a":[[[1]]]}`, false)
	check(`{"a":1,"b":2,"c":3,"d":4}`, true)
	check(`{"a":1,"b":2,"c":3,"d":4,"e":5}`, false)
	check(`{"a":[1,2,3]}`, true)
	check(`{"a":[1,2,3,4]}`, false)
	check(`{"a":1,"b":{"a":1}}`, true)
	check(`{"a":1,"b":{"a":1},"a":2}`, false)
	check(`{"\u0061":1,"b":[{"a":1},{"a":1}],"a":2}`, false)
	check(`{"a\n":1,"a\u000a":2}`, false)
	check(`{"\ud83d\ude00":1,"😀":2}`, false)
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, `{"a":[1,2,{"b":"\u00e9\ud83d\ude00"}],"c":-0.5e-3}`, ` { "a" : null , "b" : true } `,
		`{"a":1,"\u0061":2}`, `{"a":1e400}`, `{"a":01}`, `{"a":"\ud800"}`, "\xef\xbb\xbf{}", `{"a":{"a":{"a":1}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Checker
		if c.Check(b, DefaultLimits) != nil {
			return
		}
		// What passes is JSON for the standard library too, an object, and says the same after a round through it.
		var v map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("Check passed %q: encoding/json says %v", b, err)
		}
		if d.More() {
			t.Fatalf("Check passed %q with data behind it", b)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(again, DefaultLimits); err != nil {
			t.Fatalf("Check refused %q, made of %q", again, b)
		}
	})
}

func FuzzDecodeSegment(f *testing.F) {
	for _, s := range []string{"", "QQ", "QUI", "QUJD", "QR", "Q", "QQ==", "Q\nQ", "Q-_Q", "Q+/Q", strings.Repeat("A", 87), strings.Repeat("z_-9", 9) + "Q=", strings.Repeat("\xc1", 40)} {
		f.Add([]byte(s))
	}
	defer UseVector(vector)
	f.Fuzz(func(t *testing.T, src []byte) {
		want, werr := base64.RawURLEncoding.Strict().DecodeString(string(src))
		if bytes.ContainsAny(src, "\r\n") {
			werr = errors.New("the standard library skips line breaks")
		}
		for _, v := range []Vector{NoVector, AVX2, VBMI} {
			UseVector(v)
			got, err := DecodeSegment([]byte("x"), src)
			if (err == nil) != (werr == nil) {
				t.Fatalf("%s: DecodeSegment(%q) = %v, want %v", v, src, err, werr)
			}
			if err != nil {
				if string(got) != "x" {
					t.Fatalf("%s: DecodeSegment(%q) left %q in dst", v, src, got)
				}
				continue
			}
			if string(got) != "x"+string(want) {
				t.Fatalf("%s: DecodeSegment(%q) = %q, want %q", v, src, got[1:], want)
			}
		}
	})
}

// FuzzIndex compares what Index tells of the outermost object with what encoding/json reads.
func FuzzIndex(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"iss":"a","aud":["b","c"],"exp":1}`, ` { "a" : "\u00e9\ud83d\ude00x" , "\u0062" : { "c" : "\n" } , "d" : [ "\t" ] } `, `{"":""}`,
		`{"aaaaaaaa":"bbbbbbbbbbbbbbbb","c":"dddddddéeeeeeee"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Checker
		members, unescaped, err := c.Index(b, DefaultLimits)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("Index passed %q: encoding/json says %v", b, err)
		}
		if len(members) != len(want) {
			t.Fatalf("Index(%q) tells %d members, want %d", b, len(members), len(want))
		}
		for _, m := range members {
			name := string(m.Name.Bytes(b, unescaped))
			raw, ok := want[name]
			if got := b[m.From:m.To]; !ok || string(got) != string(bytes.TrimSpace(raw)) {
				t.Fatalf("Index(%q): member %q is %q, want %q", b, name, got, raw)
			}
			if raw[0] != '"' {
				continue
			}
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			if got := string(m.String.Bytes(b, unescaped)); got != s {
				t.Fatalf("Index(%q): member %q says %q, want %q", b, name, got, s)
			}
			if got := string(Unescape(raw)); got != s {
				t.Fatalf("Unescape(%q) = %q, want %q", raw, got, s)
			}
		}
	})
}
