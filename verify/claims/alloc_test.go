//go:build !race

package claims

import "testing"

func TestAllocs(t *testing.T) {
	payload := []byte(`{"iss":"https://issuer.test","sub":"alice","aud":["a","b"],"exp":1.8e9,"nbf":1.5,"scope":"read write","scp":["x"],` +
		`"\u006eame":"Zo\u00eb","realm_access":{"roles":["clerk",7,true]}}`)
	roles, name := Path{"realm_access", "roles"}, Path{"name"}
	var s Set
	var p Parser
	var text []byte
	read := func() {
		if err := p.Parse(&s, payload); err != nil {
			t.Fatal(err)
		}
		v, _ := s.Lookup(roles)
		whole, _ := s.Lookup(roles[:1])
		n, _ := s.Lookup(name)
		if !s.HasAudience("b") || !s.HasScope("x") || !s.HasScope("write") || !v.Equal("7") || !n.Equal("Zoë") {
			t.Fatal("not read")
		}
		text = n.AppendJSON(whole.AppendJSON(text[:0]))
	}
	read()
	if got := testing.AllocsPerRun(100, read); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
	if got, want := string(text), `{"roles":["clerk",7,true]}"Zo\u00eb"`; got != want {
		t.Errorf("AppendJSON = %s, want %s", got, want)
	}
}
