package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/bench/corpus"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// verifierFigures are about a whole token: parsed, its signature checked, its claims validated, with the cache off.
func verifierFigures() []Figure {
	list := []Figure{
		{
			Name: "verifier/RS256/never-seen-vs-crypto-rsa", Goal: AtLeast(3.7),
			Ratio: neverSeen(jose.RS256, func(public any, d *[32]byte, sig []byte) bool {
				return rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), crypto.SHA256, d[:], sig) == nil
			}),
		},
		{
			Name: "verifier/ES256/never-seen-vs-crypto-ecdsa", Goal: AtLeast(6.5),
			Ratio: neverSeen(jose.ES256, func(public any, d *[32]byte, sig []byte) bool {
				return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), d[:], sig)
			}),
		},
	}
	for _, alg := range []jose.Alg{jose.RS256, jose.ES256} {
		for _, library := range []string{"golang-jwt", "go-jose", "jwx"} {
			list = append(list, Figure{
				Name: fmt.Sprintf("verifier/%s/vs-%s", alg, library), Goal: AtLeast(7),
				Ratio: CompareTool(alg.String()+"/"+library, alg.String()+"/sallyport", "compare", jwxTag),
			})
		}
	}
	return append(
		list,
		Figure{
			Name: "parse/vs-base64-fastjson", Goal: AtMost(0.75),
			Ratio: CompareTool("parse/sallyport", "parse/base64-fastjson", "compare", jwxTag),
		},
		Figure{Name: "parse/allocs", Unit: "allocs", Goal: Exactly(0), Count: parseAllocs},
	)
}

// jwxTag makes jwx use the quicker of its JSON libraries.
const jwxTag = "jwx_goccy"

// neverSeen compares the bare call of the standard library, on digests and signatures that are ready for it, with all that
// sallyport does for the same tokens.
func neverSeen(alg jose.Alg, std func(public any, digest *[32]byte, sig []byte) bool) func(*Env) (Pair, error) {
	return func(*Env) (p Pair, err error) {
		c, err := tokensOf(alg)
		if err != nil {
			return p, err
		}
		restore, err := corpus.UseKernels()
		if err != nil {
			return p, err
		}
		p.Num.Close = restore
		v, err := c.Verifier(nil)
		if err != nil {
			p.close()
			return p, err
		}
		digests, sigs, err := digested(c)
		if err != nil {
			p.close()
			return p, err
		}
		public := c.Signer.Public()
		p.Num.Run = Func(inTurn(len(sigs), func(i int) bool { return std(public, &digests[i], sigs[i]) })).Run
		raw := make([][]byte, len(c.Tokens))
		for i, t := range c.Tokens {
			raw[i] = []byte(t)
		}
		var tok verify.Token
		now, source := time.Now().Unix(), netip.MustParseAddr("127.0.0.1")
		p.Den = Func(inTurn(len(raw), func(i int) bool { return v.Verify(&tok, raw[i], now, source) == nil }))
		return p, nil
	}
}

// verifierTokens is how many different tokens take turns.
const verifierTokens = 5000

// tokensOf makes them once for all figures: 5 000 RSA signatures take some seconds.
var tokensOf = remember(func(alg jose.Alg) (*corpus.Corpus, error) { return corpus.New(alg, verifierTokens, time.Now()) })

// digested returns what the standard library is given of each token: ECDSA signatures in ASN.1, which it is quickest with.
func digested(c *corpus.Corpus) (digests [][32]byte, sigs [][]byte, err error) {
	for _, t := range c.Tokens {
		dot := strings.LastIndexByte(t, '.')
		sig, err := base64.RawURLEncoding.DecodeString(t[dot+1:])
		if err != nil {
			return nil, nil, err
		}
		if c.Signer.Alg == jose.ES256 {
			r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
			if sig, err = asn1.Marshal(struct{ R, S *big.Int }{r, s}); err != nil {
				return nil, nil, err
			}
		}
		digests, sigs = append(digests, sha256.Sum256([]byte(t[:dot]))), append(sigs, sig)
	}
	return digests, sigs, nil
}

// inTurn calls f with 0 to n-1, over and over. f reports whether the result was right.
func inTurn(n int, f func(i int) bool) func() {
	i := 0
	return func() {
		if !f(i) {
			panic("figures: what is measured gives a wrong result")
		}
		if i++; i == n {
			i = 0
		}
	}
}

// parseAllocs counts the heap allocations of taking a token apart.
func parseAllocs(*Env) (float64, error) {
	list := corpus.Unsigned(100)
	var checker jose.Checker
	var parser claims.Parser
	var header jose.Header
	var set claims.Set
	var buf [3][]byte
	good := true
	parse := inTurn(len(list), func(i int) bool {
		c, err := jose.Split(list[i])
		for j, segment := range [...][]byte{c.Header, c.Payload, c.Signature} {
			if err == nil {
				buf[j], err = jose.DecodeSegment(buf[j][:0], segment)
			}
		}
		good = good && err == nil && header.Parse(&checker, buf[0]) == nil && parser.Parse(&set, buf[1]) == nil
		return true
	})
	n := testing.AllocsPerRun(1000, parse)
	if !good {
		return 0, errors.New("a good token is refused")
	}
	return n, nil
}
