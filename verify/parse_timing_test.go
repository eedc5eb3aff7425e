package verify

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// realistic is a token as providers make them: a claims set of 420 octets under a header of 85.
func realistic() []byte {
	header := `{"alg":"RS256","typ":"at+jwt","kid":"b1946ac92492d2347c6235b4d2611184-2026-11-01T00"}`
	payload := `{"iss":"https://login.example.com/realms/main","sub":"248289761001-7f3a-4c1e-9d0b-5e8f2a6c4b1d","aud":["https://api.example.com","account"],` +
		`"exp":1800000300,"iat":1800000000,"nbf":1800000000,"jti":"0b6c7f0e-2d5a-4b8e-9f43-1c2d3e4f5a6b","client_id":"web-frontend",` +
		`"scope":"openid profile orders.read orders.write","realm_access":{"roles":["clerk","auditor","offline_access"]},"name":"Ada Lovelace","locale":"en-GB"}`
	if n := len(payload); n < 410 || n > 430 {
		panic(n)
	}
	enc := base64.RawURLEncoding
	return []byte(enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload)) + "." + enc.EncodeToString([]byte(strings.Repeat("s", 256))))
}

// BenchmarkParse is everything about a token but its signature, against the standard library's base64 with fastjson, which
// check less: padding bits, duplicate members, UTF-8 and number forms pass there.
func BenchmarkParse(b *testing.B) {
	raw := realistic()
	b.Run("sallyport", func(b *testing.B) {
		var t Token
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			c, err := jose.Split(raw)
			if err != nil || t.parseHeader(c.Header) != nil || t.parseClaims(c.Payload) != nil {
				b.Fatal("refused")
			}
			if t.sig, err = jose.DecodeSegment(t.sig[:0], c.Signature); err != nil {
				b.Fatal(err)
			}
			if !t.own.HasAudience("account") || !t.own.HasScope("orders.read") {
				b.Fatal("claims")
			}
		}
	})
	b.Run("base64-fastjson", func(b *testing.B) {
		var p fastjson.Parser
		buf := make([]byte, 0, 4096)
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		enc := base64.RawURLEncoding
		for b.Loop() {
			c, err := jose.Split(raw)
			if err != nil {
				b.Fatal(err)
			}
			head, err := enc.AppendDecode(buf[:0], c.Header)
			if err != nil {
				b.Fatal(err)
			}
			v, err := p.ParseBytes(head)
			if err != nil || len(v.GetStringBytes("alg")) == 0 || len(v.GetStringBytes("kid")) == 0 || len(v.GetStringBytes("typ")) == 0 {
				b.Fatal(err)
			}
			payload, err := enc.AppendDecode(buf[:0], c.Payload)
			if err != nil {
				b.Fatal(err)
			}
			if v, err = p.ParseBytes(payload); err != nil {
				b.Fatal(err)
			}
			for _, name := range []string{"iss", "sub", "jti", "client_id", "scope"} {
				if len(v.GetStringBytes(name)) == 0 {
					b.Fatal(name)
				}
			}
			if v.GetInt64("exp") == 0 || v.GetInt64("nbf") == 0 || v.GetInt64("iat") == 0 || len(v.GetArray("aud")) == 0 {
				b.Fatal("dates")
			}
			if _, err := enc.AppendDecode(buf[:0], c.Signature); err != nil {
				b.Fatal(err)
			}
		}
	})
	c, _ := jose.Split(raw)
	payload, _ := jose.DecodeSegment(nil, c.Payload)
	b.Run("claims", func(b *testing.B) {
		var p claims.Parser
		var s claims.Set
		for b.Loop() {
			if p.Parse(&s, payload) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("base64", func(b *testing.B) {
		buf := make([]byte, 0, 4096)
		for b.Loop() {
			if _, err := jose.DecodeSegment(buf, c.Payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
