package main

import (
	"strings"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/verify/jose"
)

func newCorpus(t testing.TB, alg jose.Alg, n int, at time.Time) *corpus.Corpus {
	t.Helper()
	c, err := corpus.New(alg, n, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func useKernels(t testing.TB) {
	t.Helper()
	restore, err := corpus.UseKernels()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(restore)
}

// Who did less than verify and validate would be compared unfairly.
func TestLibrariesAcceptAndRefuse(t *testing.T) {
	useKernels(t)
	for _, alg := range algs {
		c := newCorpus(t, alg, 2, time.Now())
		other := newCorpus(t, alg, 1, time.Now())
		foreign := func(claims map[string]any) string {
			all := map[string]any{"iss": corpus.Issuer, "aud": corpus.Audience, "sub": "x", "exp": time.Now().Unix() + 300}
			for k, v := range claims {
				if all[k] = v; v == nil {
					delete(all, k)
				}
			}
			text, err := c.Signer.Sign("at+jwt", all)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		first, second := c.Tokens[0], c.Tokens[1]
		bad := map[string]string{
			"signature of another token": first[:strings.LastIndexByte(first, '.')] + second[strings.LastIndexByte(second, '.'):],
			"key of somebody else":       other.Tokens[0],
			"cut":                        first[:len(first)-4],
			"other issuer":               foreign(map[string]any{"iss": "https://else.example"}),
			"other audience":             foreign(map[string]any{"aud": "else"}),
			"expired":                    foreign(map[string]any{"exp": time.Now().Unix() - 60}),
			"without exp":                foreign(map[string]any{"exp": nil}),
		}
		for _, lib := range libraries {
			read, err := lib.prepare(c)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{first, second, foreign(nil)} {
				if err := read(text, []byte(text)); err != nil {
					t.Errorf("%s, %s: a good token is refused: %v", alg, lib.name, err)
				}
			}
			for what, text := range bad {
				if read(text, []byte(text)) == nil {
					t.Errorf("%s, %s: accepted: %s", alg, lib.name, what)
				}
			}
		}
	}
}

func TestParsers(t *testing.T) {
	for _, setup := range []func() (func(), error){parseSallyport, parseFastJSON} {
		f, err := setup()
		if err != nil {
			t.Fatal(err)
		}
		for range parseTokens + 1 {
			f()
		}
	}
}
