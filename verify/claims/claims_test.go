package claims

import "testing"

// read reads a payload as Verify does.
func read(payload string) (*Set, error) {
	s := new(Set)
	return s, new(Parser).Parse(s, []byte(payload))
}

// parse is read of a payload that must be good.
func parse(t testing.TB, payload string) *Set {
	t.Helper()
	s, err := read(payload)
	if err != nil {
		t.Fatalf("Parse(%s) = %v", payload, err)
	}
	return s
}

func TestSetAccessors(t *testing.T) {
	s := parse(t, `{"iss":"i","sub":"s","jti":"j","azp":"z","client_id":"c","exp":3,"nbf":1,"iat":2}`)
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %q, want %q", what, got, want)
		}
	}
	check("Issuer", string(s.Issuer()), "i")
	check("Subject", string(s.Subject()), "s")
	check("JTI", string(s.JTI()), "j")
	check("ClientID", string(s.ClientID()), "c") // azp only where there is no client_id
	check("ClientID of azp", string(parse(t, `{"azp":"z"}`).ClientID()), "z")
	check("ClientID, empty", string(parse(t, `{"azp":"z","client_id":""}`).ClientID()), "")
	check("escaped", string(parse(t, `{"\u0069ss":"\ud83d\ude00\n\/"}`).Issuer()), "😀\n/")

	// An empty string is there, and nil is not: who compares must be able to tell.
	empty := parse(t, `{"iss":"","sub":"","jti":"","azp":""}`)
	absent := parse(t, `{}`)
	for _, get := range []func(*Set) []byte{(*Set).Issuer, (*Set).Subject, (*Set).JTI, (*Set).ClientID} {
		if got := get(empty); got == nil || len(got) != 0 {
			t.Errorf("an empty claim is %#v, want empty and not nil", got)
		}
		if got := get(absent); got != nil {
			t.Errorf("an absent claim is %#v, want nil", got)
		}
	}
	for _, get := range []func(*Set) (int64, bool){(*Set).Expiry, (*Set).NotBefore, (*Set).IssuedAt} {
		if n, ok := get(absent); n != 0 || ok {
			t.Errorf("an absent date is %d, %v, want 0, false", n, ok)
		}
	}
}

// A set that is used again holds nothing of the last token: not after a good one, a bad one or a Reset.
func TestSetForgets(t *testing.T) {
	const full = `{"iss":"i","sub":"s","jti":"j","azp":"z","client_id":"c","exp":3,"nbf":1,"iat":2,"aud":"a","scope":"r","scp":["w"],"x":1}`
	var p Parser
	for name, next := range map[string]func(*Set){
		"another": func(s *Set) {
			if err := p.Parse(s, []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		},
		"a bad one": func(s *Set) {
			if err := p.Parse(s, []byte(`{"aud":1}`)); err == nil {
				t.Fatal("accepted")
			}
		},
		"no JSON": func(s *Set) {
			if err := p.Parse(s, []byte(`{`)); err == nil {
				t.Fatal("accepted")
			}
		},
		"Reset": (*Set).Reset,
	} {
		s := parse(t, full)
		if !s.HasAudience("a") || !s.HasScope("r") || !s.HasScope("w") {
			t.Fatal("the full set is not read")
		}
		next(s)
		_, hasExp := s.Expiry()
		_, hasNbf := s.NotBefore()
		_, hasIat := s.IssuedAt()
		_, hasX := s.Lookup(Path{"x"})
		if s.Issuer() != nil || s.Subject() != nil || s.JTI() != nil || s.ClientID() != nil || hasExp || hasNbf || hasIat || hasX ||
			s.HasAudience("a") || s.HasScope("r") || s.HasScope("w") {
			t.Errorf("after %s the set still holds %+v", name, s)
		}
	}
}

// A copy refers to its own memory: who reads the next token into the memory of this one changes nothing.
func TestCopyToOwnsItsMemory(t *testing.T) {
	payload := []byte(`{"iss":"iss\u0075er","aud":["one"],"x":{"y":"deep"},"\u0061":"\u0062"}`)
	var s Set
	var p Parser
	if err := p.Parse(&s, payload); err != nil {
		t.Fatal(err)
	}
	c := s.CopyTo(make([]byte, s.TextLen()))
	for i := range payload {
		payload[i] = 'X'
	}
	if err := p.Parse(&s, []byte(`{"\u0070\u0071":"\u0071\u0071\u0071\u0071\u0071\u0071\u0071","aud":"two","iss":"\u0078","a":1,"b":2,"c":3}`)); err != nil {
		t.Fatal(err)
	}
	deep, _ := c.Lookup(Path{"x", "y"})
	escaped, _ := c.Lookup(Path{"a"})
	if string(c.Issuer()) != "issuer" || !c.HasAudience("one") || c.HasAudience("two") || string(deep.Bytes()) != "deep" || !escaped.Equal("b") {
		t.Errorf("after the payload was overwritten: %q, %q, %q", c.Issuer(), deep.Bytes(), escaped.Bytes())
	}
}

func TestHasAudience(t *testing.T) {
	check := func(aud, name string, want bool) {
		t.Helper()
		s := parse(t, `{"aud":`+aud+`}`)
		if got := s.HasAudience(name); got != want {
			t.Errorf("aud %s: HasAudience(%q) = %v, want %v", aud, name, got, want)
		}
	}
	check(`"api"`, "api", true)
	check(`"\u0061pi"`, "api", true)
	check(`"api"`, "ap", false)
	check(`"api"`, "api ", false)
	check(`"api"`, "API", false)
	check(`"api"`, "", false)
	check(`"api other"`, "api", false) // aud is no list of words
	check(`["x","api"]`, "api", true)
	check(`["x","api"]`, "x,api", false)
	check(`["x"]`, "api", false)
	check(`"https://api.test/"`, "https://api.test", false) // byte by byte, no URL is normalised
	if parse(t, `{}`).HasAudience("") {
		t.Error("without aud HasAudience(\"\") = true, want false")
	}
}

func TestHasScope(t *testing.T) {
	check := func(payload, name string, want bool) {
		t.Helper()
		if got := parse(t, payload).HasScope(name); got != want {
			t.Errorf("%s: HasScope(%q) = %v, want %v", payload, name, got, want)
		}
	}
	check(`{"scope":"read write:all"}`, "read", true)
	check(`{"scope":"read write:all"}`, "write:all", true)
	check(`{"scope":"read write:all"}`, "write", false)
	check(`{"scope":"read write:all"}`, "rea", false)
	check(`{"scope":"read write:all"}`, "Read", false)
	check(`{"scope":"read write:all"}`, "read write:all", false)
	check(`{"scope":"read write:all"}`, "", false)
	check(`{"scope":"  read  "}`, "read", true)
	check(`{"scope":"  read  "}`, "", false)
	check(`{"scope":"read\twrite"}`, "read", false) // only the space separates (RFC 6749, 3.3)
	check(`{"scope":"read,write"}`, "read", false)
	check(`{"scope":""}`, "", false)
	check(`{"scope":["read","write"]}`, "write", true)
	check(`{"scope":["read write"]}`, "write", false) // one element is one scope, and this is none
	check(`{"scope":["read write"]}`, "read write", false)
	check(`{"scp":["x read","read"]}`, "read", true)
	check(`{"scope":[]}`, "read", false)
	check(`{"scp":["read"]}`, "read", true)
	check(`{"scp":"read write"}`, "write", true)
	check(`{"scope":"read","scp":["write"]}`, "write", true)
	check(`{"scopes":"read"}`, "read", false)
	check(`{}`, "read", false)
	check(`{}`, "", false)
}

// Strings of an array that end in escapes, and words at every place of a scope.
func TestHasFindsWhatIsThere(t *testing.T) {
	s := parse(t, `{"aud":["a\\","b\"","\\\"","\\\\","","\u0063","d"],"scope":" e  ff \u0067 h","scp":["i j","k\\"]}`)
	for _, name := range []string{`a\`, `b"`, `\"`, `\\`, "", "c", "d"} {
		if !s.HasAudience(name) {
			t.Errorf("HasAudience(%q) = false", name)
		}
	}
	for _, name := range []string{"a", `a\\`, `a\","b`, "b", `\`, "ab", `\u0063`, "e", "d]"} {
		if s.HasAudience(name) {
			t.Errorf("HasAudience(%q) = true", name)
		}
	}
	for _, name := range []string{"e", "ff", "g", "h", `k\`} {
		if !s.HasScope(name) {
			t.Errorf("HasScope(%q) = false", name)
		}
	}
	for _, name := range []string{"", " ", "f", "e ", "ff g", "i", "j", "i j", "k", "hh", `\u0067`} {
		if s.HasScope(name) {
			t.Errorf("HasScope(%q) = true", name)
		}
	}
}

// Of several claims the one that is wrong is named.
func TestWrongTypeIsNamed(t *testing.T) {
	for payload, want := range map[string]string{
		`{"iss":"i","exp":1,"aud":[],"sub":"s"}`: "aud", `{"iat":1,"nbf":"1","iss":2}`: "nbf", `{"x":1,"iss":{}}`: "iss", `{"iss":"i","exp":1,"sc\u006fpe":[1]}`: "scope",
	} {
		if _, err := read(payload); err == nil || err.Error() != "claim "+want+" has the wrong type or range" {
			t.Errorf("Parse(%s) = %v, want %s named", payload, err, want)
		}
	}
}
