package conformance

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	josev4 "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

const (
	now      = 1_800_000_000
	skew     = 10
	issuer   = "https://issuer.test"
	audience = "api"
)

var b64 = base64.RawURLEncoding

// oracleAlgs are those that all oracles know.
var oracleAlgs = []jose.Alg{jose.ES256, jose.RS256, jose.EdDSA, jose.HS256, jose.PS256, jose.ES384}

// world is one issuer with a key of each algorithm, its kid the algorithm's name. It is read only.
type world struct {
	signers map[jose.Alg]*demo.Signer
	public  map[jose.Alg]any
	v       *verify.Verifier
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{signers: map[jose.Alg]*demo.Signer{}, public: map[jose.Alg]any{}}
	var entries []verify.KeyEntry
	for _, alg := range oracleAlgs {
		s, err := demo.NewSigner(alg, alg.String(), 0)
		if err != nil {
			t.Fatal(err)
		}
		k, err := verify.NewKey(alg, s.Public())
		if err != nil {
			t.Fatal(err)
		}
		w.signers[alg], w.public[alg] = s, s.Public()
		entries = append(entries, verify.KeyEntry{Kid: s.Kid, HasKid: true, Key: k})
	}
	is := &verify.Issuer{
		Name: issuer, Audiences: []string{audience}, Algs: jose.NewAlgSet(oracleAlgs...), ClockSkew: skew,
		Type: verify.TypeAnyAccess, Keys: new(verify.KeyStore),
	}
	is.Keys.Store(verify.NewKeySet(entries))
	is.Keys.Load().Precompute()
	var err error
	if w.v, err = verify.NewVerifier([]*verify.Issuer{is}, verify.Options{MaxTokenBytes: 16 << 10}); err != nil {
		t.Fatal(err)
	}
	return w
}

// identity is what a service behind the proxy would take from a token. All readers of an accepted token must agree on it.
type identity struct {
	iss, sub, jti string
	exp           int64
}

// An oracle is another library, told of the same key, issuer, audience, skew and time.
type oracle struct {
	name   string
	verify func(token string, alg jose.Alg, public any) (identity, error)
	// What the library refuses for a reason of its own that is none for us is taken out or spelled another way, and the token
	// signed anew: all the rest of it is still asked of the library. nil: there is no such thing.
	header, payload func(map[string]json.RawMessage)
}

var oracles = []oracle{
	{name: "golang-jwt", verify: golangJWT},
	{name: "go-jose", verify: goJose, header: withoutNonce},
	{name: "jwx", verify: jwx, header: withoutKeyMembers, payload: plainDates},
}

// withoutKeyMembers removes the header's members that say where a key could be had or what the payload is. Both libraries
// parse them as URLs, keys, certificates and strings, used or not. sallyport does not even look: RFC 7515, 4.1.2 to 4.1.10,
// makes all of them optional to use.
func withoutKeyMembers(header map[string]json.RawMessage) {
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty"} {
		delete(header, name)
	}
}

// withoutNonce removes one more for go-jose, which wants a string in ACME's member (RFC 8555, 6.5.2) in every token.
func withoutNonce(header map[string]json.RawMessage) {
	withoutKeyMembers(header)
	delete(header, "nonce")
}

// plainDates writes dates without an exponent, exactly. jwx reads digits and a point only; RFC 7519, 2, has any JSON number.
func plainDates(payload map[string]json.RawMessage) {
	for _, name := range []string{"exp", "nbf", "iat"} {
		text := string(payload[name])
		if !strings.ContainsAny(text, "eE") {
			continue
		}
		// An accepted date has at most 64 characters, and so, with an exponent of three digits, 1000 behind the point.
		if r, ok := new(big.Rat).SetString(text); ok {
			payload[name] = json.RawMessage(strings.TrimRight(strings.TrimRight(r.FloatString(1100), "0"), "."))
		}
	}
}

func golangJWT(token string, alg jose.Alg, public any) (identity, error) {
	p := golangjwt.NewParser(
		golangjwt.WithValidMethods([]string{alg.String()}), golangjwt.WithIssuer(issuer), golangjwt.WithAudience(audience),
		golangjwt.WithLeeway(skew*time.Second), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt(),
		golangjwt.WithStrictDecoding(),
		golangjwt.WithTimeFunc(func() time.Time { return time.Unix(now, 0) }),
	)
	c := golangjwt.MapClaims{}
	if _, err := p.ParseWithClaims(token, c, func(*golangjwt.Token) (any, error) { return public, nil }); err != nil {
		return identity{}, err
	}
	exp, err := c.GetExpirationTime()
	if err != nil {
		return identity{}, err
	}
	id := identity{exp: exp.Unix()}
	id.iss, _ = c["iss"].(string)
	id.sub, _ = c["sub"].(string)
	id.jti, _ = c["jti"].(string)
	return id, nil
}

func goJose(token string, alg jose.Alg, public any) (identity, error) {
	tok, err := josejwt.ParseSigned(token, []josev4.SignatureAlgorithm{josev4.SignatureAlgorithm(alg.String())})
	if err != nil {
		return identity{}, err
	}
	var c josejwt.Claims
	if err := tok.Claims(public, &c); err != nil {
		return identity{}, err
	}
	if c.Expiry == nil {
		return identity{}, errors.New("no exp")
	}
	expected := josejwt.Expected{Issuer: issuer, AnyAudience: josejwt.Audience{audience}, Time: time.Unix(now, 0)}
	if err := c.ValidateWithLeeway(expected, skew*time.Second); err != nil {
		return identity{}, err
	}
	return identity{iss: c.Issuer, sub: c.Subject, jti: c.ID, exp: c.Expiry.Time().Unix()}, nil
}

func jwx(token string, alg jose.Alg, public any) (identity, error) {
	a, ok := jwa.LookupSignatureAlgorithm(alg.String())
	if !ok {
		return identity{}, fmt.Errorf("jwx does not know %s", alg)
	}
	tok, err := jwxjwt.Parse(
		[]byte(token), jwxjwt.WithKey(a, public), jwxjwt.WithValidate(true),
		jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(audience),
		jwxjwt.WithAcceptableSkew(skew*time.Second), jwxjwt.WithRequiredClaim("exp"),
		jwxjwt.WithClock(jwxjwt.ClockFunc(func() time.Time { return time.Unix(now, 0) })),
	)
	if err != nil {
		return identity{}, err
	}
	var id identity
	id.iss, _ = tok.Issuer()
	id.sub, _ = tok.Subject()
	id.jti, _ = tok.JwtID()
	exp, _ := tok.Expiration()
	id.exp = exp.Unix()
	return id, nil
}

// A draft is a token before it is signed, and what is done to it afterwards.
type draft struct {
	alg             jose.Alg
	header, payload string
	xor             string // laid over the signature; what is longer is added to it
	twin            bool   // for ECDSA, r‖(n−s) instead of r‖s
	at              int    // where insert goes into the finished text
	insert          string
}

func (d draft) sign(t testing.TB, w *world) string {
	t.Helper()
	input := b64.EncodeToString([]byte(d.header)) + "." + b64.EncodeToString([]byte(d.payload))
	sig, err := w.signers[d.alg].Signature([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	if n := orders[d.alg]; d.twin && n != nil {
		half := sig[len(sig)/2:]
		new(big.Int).Sub(n, new(big.Int).SetBytes(half)).FillBytes(half)
	}
	for i := range len(d.xor) {
		if i < len(sig) {
			sig[i] ^= d.xor[i]
		} else {
			sig = append(sig, d.xor[i:]...)
			break
		}
	}
	text := input + "." + b64.EncodeToString(sig)
	if d.insert != "" {
		at := (d.at%(len(text)+1) + len(text) + 1) % (len(text) + 1) // -1 is the end
		text = text[:at] + d.insert + text[at:]
	}
	return text
}

// orders are those of the curves' groups.
var orders = map[jose.Alg]*big.Int{jose.ES256: elliptic.P256().Params().N, jose.ES384: elliptic.P384().Params().N}

// ask gives token to an oracle, in the form that it can take.
func (o *oracle) ask(t testing.TB, w *world, d draft, token string) (identity, error) {
	t.Helper()
	rewrite := func(text *string, edit func(map[string]json.RawMessage)) {
		var members map[string]json.RawMessage
		if edit == nil {
			return
		}
		if err := json.Unmarshal([]byte(*text), &members); err != nil {
			t.Fatalf("accepted, and no JSON: %q: %v", *text, err)
		}
		before := maps.Clone(members)
		if edit(members); maps.EqualFunc(before, members, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			return
		}
		edited, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		*text = string(edited)
	}
	again := d
	rewrite(&again.header, o.header)
	rewrite(&again.payload, o.payload)
	if again != d {
		again.xor, again.insert = "", ""
		token = again.sign(t, w)
	}
	return o.verify(token, d.alg, w.public[d.alg])
}

// agree checks what holds for every token: if sallyport accepts it, every oracle does, and all read the same in it. It
// returns sallyport's verdict.
func (w *world) agree(t testing.TB, d draft) verify.Reason {
	t.Helper()
	token := d.sign(t, w)
	var tok verify.Token
	if err := w.v.Verify(&tok, []byte(token), now, netip.Addr{}); err != nil {
		return verify.ReasonOf(err)
	}
	c := tok.Claims()
	exp, _ := c.Expiry()
	own := identity{iss: string(c.Issuer()), sub: string(c.Subject()), jti: string(c.JTI()), exp: exp}
	for i := range oracles {
		got, err := oracles[i].ask(t, w, d, token)
		if err != nil {
			t.Errorf("accepted, but not by %s: %v\nheader  %q\npayload %q\n%s", oracles[i].name, err, d.header, d.payload, token)
			continue
		}
		// A reader that goes through float64 may round a fraction up to the next second.
		if got.exp == own.exp+1 {
			got.exp = own.exp
		}
		if got != own {
			t.Errorf("%s reads %+v, sallyport %+v\nheader  %q\npayload %q", oracles[i].name, got, own, d.header, d.payload)
		}
	}
	return verify.ReasonOK
}
