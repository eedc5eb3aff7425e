//go:build !race

package edge_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/bench/rig"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// A request with a valid token allocates nothing on its whole way, from the client's socket to the upstream's and back: framing,
// route, verification, policy, claim headers, audit record, metrics. The test counts everything in the process, and client and
// upstream allocate nothing. What crypto/rsa and crypto/ecdsa allocate for a signature is theirs (on Go 1.26.8: RS256 10,
// ES256 21), and must be all.
func TestRequestAllocs(t *testing.T) {
	for _, alg := range []jose.Alg{jose.AlgInvalid, jose.HS256, jose.EdDSA, jose.RS256, jose.ES256} {
		name, want := "public", 0.0
		if alg != jose.AlgInvalid {
			name, want = alg.String(), signatureAllocs(t, alg)
		}
		t.Run(name, func(t *testing.T) {
			r, err := rig.New(rig.Options{Alg: alg, Audit: true})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := r.AllocsPerRequest(200)
			if err != nil {
				t.Fatal(err)
			}
			if got > want {
				t.Errorf("%v allocations for a request, want %v, those of the signature's check", got, want)
			}
			if want > 0 {
				t.Logf("%v allocations, all of them the standard library's signature check", got)
			}
			if alg == jose.HS256 && want != 0 {
				t.Errorf("HMAC itself allocates %v times", want)
			}
		})
	}
}

// signatureAllocs counts what checking one signature allocates.
func signatureAllocs(t *testing.T, alg jose.Alg) float64 {
	t.Helper()
	c, err := corpus.New(alg, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := verify.NewKey(alg, c.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	dot := strings.LastIndexByte(c.Tokens[0], '.')
	input := []byte(c.Tokens[0][:dot])
	sig, err := base64.RawURLEncoding.DecodeString(c.Tokens[0][dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	return testing.AllocsPerRun(200, func() {
		if !key.VerifySignature(input, sig) {
			t.Fatal("the signature is not good")
		}
	})
}
