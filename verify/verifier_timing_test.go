package verify_test

import (
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// BenchmarkVerifier is one token from end to end, of 5 000 in turn, under the kernels of a normal start: never-seen with the cache
// off, cached when all of them are in it.
func BenchmarkVerifier(b *testing.B) {
	restore, err := corpus.UseKernels()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(restore)
	for _, alg := range []jose.Alg{jose.HS256, jose.RS256, jose.ES256, jose.EdDSA} {
		b.Run(alg.String(), func(b *testing.B) {
			start := time.Now()
			c, err := corpus.New(alg, 5000, start)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("never-seen", func(b *testing.B) { timeVerifier(b, c, nil, start.Unix()) })
			b.Run("cached", func(b *testing.B) { timeVerifier(b, c, verify.NewCache(32<<20), start.Unix()) })
		})
	}
}

func timeVerifier(b *testing.B, c *corpus.Corpus, cache *verify.Cache, at int64) {
	v, err := c.Verifier(cache)
	if err != nil {
		b.Fatal(err)
	}
	raw := make([][]byte, len(c.Tokens))
	var tok verify.Token
	for i, t := range c.Tokens {
		raw[i] = []byte(t)
		if err := v.Verify(&tok, raw[i], at, source); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(raw[0])))
	i := 0
	for b.Loop() {
		if err := v.Verify(&tok, raw[i], at, source); err != nil {
			b.Fatal(err)
		}
		if tok.Cached() != (cache != nil) {
			b.Fatalf("token %d: cached is %v", i, tok.Cached())
		}
		if i++; i == len(raw) {
			i = 0
		}
	}
}
