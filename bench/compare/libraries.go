package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	josev4 "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"sallyport/bench/corpus"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// A library reads one token from end to end: form, signature, iss, aud, exp. All do the same work on the same octets, with what
// can be made once made once: the key parsed, the parser and its options built. Each has the token in the form that it takes,
// and gives the claims in the form that costs it least.
type library struct {
	name string
	// prepare returns the function that accepts or refuses one token under the key of c.
	prepare func(c *corpus.Corpus) (func(text string, raw []byte) error, error)
}

var libraries = []library{
	{"sallyport", sallyport},
	{"golang-jwt", golangJWT},
	{"go-jose", goJose},
	{"jwx", jwx},
}

const skew = corpus.ClockSkew * time.Second

// sallyport has its cache off, the kernels of a normal start and the key's table built, and one Token for all, as a connection has.
// Its claims can be read, all of them, as the members of a set.
func sallyport(c *corpus.Corpus) (func(string, []byte) error, error) {
	v, err := c.Verifier(nil)
	if err != nil {
		return nil, err
	}
	var tok verify.Token
	source := netip.MustParseAddr("127.0.0.1")
	return func(_ string, raw []byte) error { return v.Verify(&tok, raw, time.Now().Unix(), source) }, nil
}

// golangJWT reads the registered claims into its own struct, which costs it less than the MapClaims that most programs use.
func golangJWT(c *corpus.Corpus) (func(string, []byte) error, error) {
	p := golangjwt.NewParser(
		golangjwt.WithValidMethods([]string{c.Signer.Alg.String()}), golangjwt.WithIssuer(corpus.Issuer),
		golangjwt.WithAudience(corpus.Audience), golangjwt.WithLeeway(skew), golangjwt.WithExpirationRequired(),
	)
	public := c.Signer.Public()
	key := func(*golangjwt.Token) (any, error) { return public, nil }
	return func(text string, _ []byte) error {
		var claims golangjwt.RegisteredClaims
		_, err := p.ParseWithClaims(text, &claims, key)
		return err
	}, nil
}

// goJose gets the bare public key, which it need not look up or convert, and reads the registered claims.
func goJose(c *corpus.Corpus) (func(string, []byte) error, error) {
	algs := []josev4.SignatureAlgorithm{josev4.SignatureAlgorithm(c.Signer.Alg.String())}
	expected := josejwt.Expected{Issuer: corpus.Issuer, AnyAudience: josejwt.Audience{corpus.Audience}}
	public := c.Signer.Public()
	return func(text string, _ []byte) error {
		tok, err := josejwt.ParseSigned(text, algs)
		if err != nil {
			return err
		}
		var claims josejwt.Claims
		if err := tok.Claims(public, &claims); err != nil {
			return err
		}
		if claims.Expiry == nil {
			return errors.New("no exp")
		}
		expected := expected
		expected.Time = time.Now()
		return claims.ValidateWithLeeway(expected, skew)
	}, nil
}

// jwx gets the bare public key, with which it has a short way for compact tokens. The program is built with its tag jwx_goccy for
// the quicker JSON that it offers, half of its time; jwx_asmbase64 makes no difference beside that.
func jwx(c *corpus.Corpus) (func(string, []byte) error, error) {
	alg, ok := jwa.LookupSignatureAlgorithm(c.Signer.Alg.String())
	if !ok {
		return nil, fmt.Errorf("jwx does not know %s", c.Signer.Alg)
	}
	options := []jwxjwt.ParseOption{
		jwxjwt.WithKey(alg, c.Signer.Public()), jwxjwt.WithIssuer(corpus.Issuer), jwxjwt.WithAudience(corpus.Audience),
		jwxjwt.WithAcceptableSkew(skew), jwxjwt.WithRequiredClaim("exp"),
	}
	return func(_ string, raw []byte) error {
		_, err := jwxjwt.Parse(raw, options...)
		return err
	}, nil
}

// tokens is how many different tokens take turns.
const tokens = 5000

var algs = []jose.Alg{jose.RS256, jose.ES256}

// inTurn returns a function that has lib read the next token of c. A refusal is a fault of what is measured.
func inTurn(lib library, c *corpus.Corpus) (func(), error) {
	read, err := lib.prepare(c)
	if err != nil {
		return nil, err
	}
	raw := make([][]byte, len(c.Tokens))
	for i, t := range c.Tokens {
		raw[i] = []byte(t)
	}
	i := 0
	return func() {
		if err := read(c.Tokens[i], raw[i]); err != nil {
			panic(fmt.Sprintf("compare: %s refuses a good token: %v", lib.name, err))
		}
		if i++; i == len(raw) {
			i = 0
		}
	}, nil
}
