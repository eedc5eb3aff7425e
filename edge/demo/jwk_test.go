package demo

import (
	"encoding/json"
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// What JWK writes ParseSigner reads, and the signatures of what was read are the key's.
func TestParseSignerRoundTrip(t *testing.T) {
	for alg := jose.AlgInvalid + 1; alg < jose.NumAlgs; alg++ {
		s, err := NewSigner(alg, "k", 0)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := s.JWK(true)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(jwk)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSigner(data)
		if err != nil {
			t.Errorf("ParseSigner(a %s key) = %v", alg, err)
			continue
		}
		key, err := verify.NewKey(alg, s.Public())
		if err != nil {
			t.Fatal(err)
		}
		sig, err := again.Signature([]byte("a.b"))
		if err != nil || again.Kid != "k" || again.Alg != alg || !key.VerifySignature([]byte("a.b"), sig) {
			t.Errorf("ParseSigner(a %s key) signs as %s, kid %q: not the key that was written (%v)", alg, again.Alg, again.Kid, err)
		}
	}
}

// A private JWK comes from a file of the user's, and must not end the process or sign as what it is not.
func TestParseSignerRejects(t *testing.T) {
	check := func(name, data string) {
		t.Helper()
		if s, err := ParseSigner([]byte(data)); err == nil {
			t.Errorf("%s: ParseSigner(%s) = a %s signer, want an error", name, data, s.Alg)
		}
	}
	check("empty", ``)
	check("no object", `[]`)
	check("no alg", `{"kty":"OKP","crv":"Ed25519","d":"AAAA"}`)
	check("public", `{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB"}`)
	check("unknown kty", `{"kty":"X","alg":"RS256","d":"AQAB"}`)
	check("no base64url", `{"kty":"oct","alg":"HS256","k":"a+b"}`)
	check("RSA without primes", `{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB","d":"AQAB"}`)
	check("RSA of zeros", `{"kty":"RSA","alg":"RS256","n":"AA","e":"AA","d":"AA","p":"AA","q":"AA"}`)
	check("RSA with primes of 1", `{"kty":"RSA","alg":"RS256","n":"AQ","e":"Aw","d":"Aw","p":"AQ","q":"AQ"}`)
	check("RSA that does not fit", `{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB","d":"AQAB","p":"Aw","q":"BQ"}`)
	check("EC of zero", `{"kty":"EC","alg":"ES256","crv":"P-256","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)
	check("EC too short", `{"kty":"EC","alg":"ES256","crv":"P-256","d":"AQ"}`)
	check("Ed25519 too short", `{"kty":"OKP","alg":"EdDSA","crv":"Ed25519","d":"AQ"}`)
	check("unknown crv", `{"kty":"OKP","alg":"EdDSA","crv":"X25519","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)
	check("ML-DSA too short", `{"kty":"AKP","alg":"ML-DSA-44","priv":"AQ"}`)
	const seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
	check("EC key for RS256", `{"kty":"EC","alg":"RS256","crv":"P-256","d":"`+seed+`"}`)
	check("Ed25519 key for ES256", `{"kty":"OKP","alg":"ES256","crv":"Ed25519","d":"`+seed+`"}`)
	check("Ed25519 key for Ed448", `{"kty":"OKP","alg":"Ed448","crv":"Ed25519","d":"`+seed+`"}`)
	check("ML-DSA seed for HS256", `{"kty":"AKP","alg":"HS256","priv":"`+seed+`"}`)
	check("secret for ES256", `{"kty":"oct","alg":"ES256","k":"`+seed+`"}`)
	check("another curve than alg's", `{"kty":"EC","alg":"ES256","crv":"P-384","d":"`+seed+`"}`)
}
