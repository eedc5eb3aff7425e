package main

import (
	"bytes"
	"encoding/base64"

	"github.com/valyala/fastjson"

	"sallyport/bench/corpus"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// parseTokens is how many different tokens are parsed in turn.
const parseTokens = 1000

// parseSallyport is everything about a token but its signature's check, without the memory of headers that a verifier has.
func parseSallyport() (func(), error) {
	list := corpus.Unsigned(parseTokens)
	var checker jose.Checker
	var parser claims.Parser
	var header jose.Header
	var set claims.Set
	var head, payload, sig []byte
	i := 0
	return func() {
		c, err := jose.Split(list[i])
		if i++; i == len(list) {
			i = 0
		}
		if err == nil {
			head, err = jose.DecodeSegment(head[:0], c.Header)
		}
		if err == nil {
			err = header.Parse(&checker, head)
		}
		if err == nil {
			payload, err = jose.DecodeSegment(payload[:0], c.Payload)
		}
		if err == nil {
			err = parser.Parse(&set, payload)
		}
		if err == nil {
			sig, err = jose.DecodeSegment(sig[:0], c.Signature)
		}
		if err != nil || !set.HasAudience("account") || !set.HasScope("orders.read") {
			panic("compare: sallyport refuses a good token")
		}
	}, nil
}

// parseFastJSON is the standard library's base64 with fastjson, which check less: padding bits, duplicate members, UTF-8 and the form
// of numbers pass there.
func parseFastJSON() (func(), error) {
	list := corpus.Unsigned(parseTokens)
	var p fastjson.Parser
	var head, payload, sig []byte
	enc := base64.RawURLEncoding
	i := 0
	return func() {
		raw := list[i]
		if i++; i == len(list) {
			i = 0
		}
		first := bytes.IndexByte(raw, '.')
		second := first + 1 + bytes.IndexByte(raw[first+1:], '.')
		var err error
		if head, err = enc.AppendDecode(head[:0], raw[:first]); err != nil {
			panic(err)
		}
		v, err := p.ParseBytes(head)
		if err != nil || len(v.GetStringBytes("alg")) == 0 || len(v.GetStringBytes("kid")) == 0 || len(v.GetStringBytes("typ")) == 0 {
			panic("compare: fastjson refuses a good header")
		}
		if payload, err = enc.AppendDecode(payload[:0], raw[first+1:second]); err != nil {
			panic(err)
		}
		if v, err = p.ParseBytes(payload); err != nil {
			panic(err)
		}
		for _, name := range []string{"iss", "sub", "jti", "client_id", "scope"} {
			if len(v.GetStringBytes(name)) == 0 {
				panic(name)
			}
		}
		if v.GetInt64("exp") == 0 || v.GetInt64("nbf") == 0 || v.GetInt64("iat") == 0 || len(v.GetArray("aud")) == 0 {
			panic("compare: fastjson misses a claim")
		}
		if sig, err = enc.AppendDecode(sig[:0], raw[second+1:]); err != nil {
			panic(err)
		}
	}, nil
}
