package claims

import (
	"slices"
	"testing"
)

func TestParsePath(t *testing.T) {
	check := func(text string, want ...string) {
		t.Helper()
		got, err := ParsePath(text)
		if err != nil || !slices.Equal(got, Path(want)) {
			t.Errorf("ParsePath(%q) = %q, %v, want %q", text, got, err, want)
		}
		if again, err := ParsePath(got.String()); err != nil || !slices.Equal(again, got) {
			t.Errorf("ParsePath(%q).String() = %q, which is %q, %v", text, got.String(), again, err)
		}
	}
	check("sub", "sub")
	check("realm_access.roles", "realm_access", "roles")
	check("a.b.c", "a", "b", "c")
	check("a/b", "a/b")
	check("a~1b", "a~1b") // escapes belong to pointers
	check("/sub", "sub")
	check("/a/b", "a", "b")
	check("/a.b", "a.b")
	check("/https:~1~1example.com~1roles", "https://example.com/roles")
	check("/~0~1", "~/")
	check("/~01", "~1") // not "/": RFC 6901, 4
	check("/0", "0")
	check("/ é", " é")
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "/", "//", "/a/", "//a", "/a//b", "/~", "/~2", "/a~", "/~/a"} {
		if got, err := ParsePath(bad); err == nil {
			t.Errorf("ParsePath(%q) = %q, want an error", bad, got)
		}
	}
}

func TestLookup(t *testing.T) {
	s := parse(t, `{"a":{"b":{"c":"deep"},"n":null},"list":["x",{"k":"v"}],"0":"zero","":"empty","a.b":"dotted","\u006eame":"escaped","text":"t"}`)
	check := func(want string, path ...string) {
		t.Helper()
		v, ok := s.Lookup(path)
		if !ok || string(v.AppendJSON(nil)) != want {
			t.Errorf("Lookup(%q) = %s, %v, want %s", path, v.AppendJSON(nil), ok, want)
		}
	}
	check(`"deep"`, "a", "b", "c")
	check(`{"c":"deep"}`, "a", "b")
	check(`null`, "a", "n")
	check(`"zero"`, "0")
	check(`"empty"`, "")
	check(`"dotted"`, "a.b")
	check(`"escaped"`, "name")
	for _, path := range []Path{
		nil,
		{},
		{"x"},
		{"A"},
		{"a", "x"},
		{"a", "b", "c", "d"},
		{"text", "t"},
		{"a", "n", "x"},
		{"list", "0"}, // paths go through objects: fastjson would take an index
		{"list", "1", "k"},
		{`\u006eame`},
	} {
		if v, ok := s.Lookup(path); ok || v.Kind() != KindInvalid || v.AppendJSON(nil) != nil || v.Equal("") {
			t.Errorf("Lookup(%q) = %s, want nothing", path, v.AppendJSON(nil))
		}
	}
	if _, ok := new(Set).Lookup(Path{"a"}); ok {
		t.Error("an empty set has a claim")
	}
}

func TestValueEqual(t *testing.T) {
	check := func(value, want string, equal bool) {
		t.Helper()
		v, ok := parse(t, `{"v":`+value+`}`).Lookup(Path{"v"})
		if !ok {
			t.Fatalf("%s is not there", value)
		}
		if got := v.Equal(want); got != equal {
			t.Errorf("%s: Equal(%q) = %v, want %v", value, want, got, equal)
		}
	}
	check(`"admin"`, "admin", true)
	check(`"\u0061dmin"`, "admin", true)
	check(`"admin"`, "Admin", false)
	check(`"admin"`, `"admin"`, false)
	check(`"admin "`, "admin", false)
	check(`""`, "", true)
	check(`"admin,clerk"`, "admin", false)
	check(`7`, "7", true)
	check(`7.0`, "7", false) // as written: numbers are not computed with
	check(`7e0`, "7", false)
	check(`-0`, "0", false)
	check(`123456789012345678901234567890123456789012345678901234567890123`, "123456789012345678901234567890123456789012345678901234567890123", true)
	check(`true`, "true", true)
	check(`true`, "false", false)
	check(`false`, "false", true)
	check(`false`, "", false)
	check(`null`, "null", false)
	check(`null`, "", false)
	check(`{}`, "{}", false)
	check(`{"admin":true}`, "admin", false)
	check(`["clerk","admin"]`, "admin", true)
	check(`["clerk",7,true,null,{}]`, "7", true)
	check(`["clerk",7,true,null,{}]`, "true", true)
	check(`["clerk",7,true,null,{}]`, "null", false)
	check(`["clerk",7,true,null,{}]`, "{}", false)
	check(`[["admin"]]`, "admin", false) // one level, no deeper
	check(`[]`, "", false)
	check(`["admin"]`, `["admin"]`, false)
}

func TestValueKinds(t *testing.T) {
	s := parse(t, `{"null":null,"bool":false,"number":1,"string":"a\"b","array":[1,"x"],"object":{"k":[]}}`)
	for name, want := range map[string]Kind{
		"null": KindNull, "bool": KindBool, "number": KindNumber, "string": KindString, "array": KindArray, "object": KindObject,
	} {
		v, _ := s.Lookup(Path{name})
		if got := v.Kind(); got != want {
			t.Errorf("Kind of %s = %v, want %v", name, got, want)
		}
		if got := v.Bytes(); (got != nil) != (want == KindString) {
			t.Errorf("Bytes of %s = %q", name, got)
		}
		n := 0
		for e := v.Elements(); e.Next(); n++ {
			if n == 1 && string(e.Value().Bytes()) != "x" {
				t.Errorf("element 1 of %s = %q, want x", name, e.Value().Bytes())
			}
		}
		if (n == 2) != (want == KindArray) {
			t.Errorf("%s has %d elements", name, n)
		}
	}
}

// valueTexts are JSON values as AppendJSON writes them: compact, in one spelling.
var valueTexts = []string{
	`null`, `true`, `false`, `0`, `-0.5e-3`, `123456789012345678901234567890`, `""`, `"x"`, `[]`, `{}`, `[1,"x",[null],{"a":[]}]`,
	`{"b":1,"a":2}`, `"\"\\/\b\f\n\r\t"`, `"\u0000\u0001\u0007\u000b\u001b\u001f"`, `{"\u0001\"":"\u0007"}`,
	"\"\u007f\u0085é\u2028\u200b\ufffd😀\U000e0001\"", // none of these needs an escape (RFC 8259, 7)
}

// What is written is JSON, and the same whether or not a rule or a header has looked at the value before.
func TestAppendJSON(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		s := parse(t, `{"v":`+text+`}`)
		v, _ := s.Lookup(Path{"v"})
		for _, when := range []string{"untouched", "touched"} {
			if got := string(v.AppendJSON([]byte("> "))); got != "> "+want {
				t.Errorf("%s, %s: AppendJSON = %s, want > %s", text, when, got, want)
			}
			touch(s, "v")
		}
	}
	for _, text := range valueTexts {
		check(text, text)
	}
	check(" [ 1 , { \"a\" :\n2 } ] ", `[1,{"a":2}]`)
	check(`"\u0061\/\u00e9\ud83d\ude00\u000a\u001F"`, `"\u0061\/\u00e9\ud83d\ude00\u000a\u001F"`) // as it was written
	check(`{"\u0061":"\u0062 \" c"}`, `{"\u0061":"\u0062 \" c"}`)
	if got := (Value{}).AppendJSON([]byte("> ")); string(got) != "> " {
		t.Errorf("no value: AppendJSON = %s, want nothing", got)
	}
}
