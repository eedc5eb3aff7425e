package header

import (
	"bytes"
	"strings"
	"testing"
)

// Whatever spelling of a known name comes, the shapes must not keep it from the map.
func TestShapesMissNoName(t *testing.T) {
	managed := []string{"X-User", "-odd", "~odd", "9-lives", "Z", strings.Repeat("X", maxKnownName)}
	r := NewRules(managed)
	names := managed
	for name := range known {
		names = append(names, name)
	}
	for _, name := range names {
		want := r.kinds[string(normalise(nil, []byte(name)))]
		if want == KindPlain {
			t.Errorf("%q is not in the vocabulary", name)
		}
		for _, spelling := range []string{
			name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToUpper(name[:1]) + name[1:],
		} {
			if got := r.kindOf([]byte(spelling)); got != want {
				t.Errorf("kindOf(%q) = %d, want %d", spelling, got, want)
			}
		}
	}
}

func TestIsB64TokenEveryOctetEverywhere(t *testing.T) {
	for length := 1; length <= 20; length++ {
		token := bytes.Repeat([]byte("a"), length)
		for at := range token {
			for c := range 256 {
				token[at] = byte(c)
				want := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", byte(c)) >= 0 ||
					(c == '=' && at == length-1 && length > 1)
				if got := IsB64Token(token); got != want {
					t.Errorf("IsB64Token(%q) = %v, want %v", token, got, want)
				}
			}
			token[at] = 'a'
		}
	}
}
