package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

const (
	issuerName = "https://login.example.com/realms/main"
	clockSkew  = 10 // seconds
	// begin is the time of the first request, which moves by up to span until the last.
	begin, span = 1_800_000_000, 100
)

var audiences = [2]string{"https://api.example.com", "https://other.example.com"}

var algs = [...]jose.Alg{jose.RS256, jose.ES256, jose.EdDSA, jose.HS256}

// A signer is one of the keys of an algorithm.
type signer uint8

const (
	keyA       signer = iota // kid a, always in force
	keyB1                    // kid b, at times
	keyB2                    // kid b too, at other times
	foreign                  // never published
	nobody                   // whatever the signature is, no key made it
	numSigners = foreign + 1
)

// kid is the key ID that a token of s bears.
func (s signer) kid(alg jose.Alg) string {
	return map[bool]string{true: "a-", false: "b-"}[s == keyA] + alg.String()
}

// A token is one that has been made before the run, and what is true of it.
type token struct {
	raw      string
	alg      jose.Alg
	named    signer // whose kid it bears
	signed   signer // who has signed it
	exp      int64
	audience int
	sub      string
}

// A family is a genuine token and what forgers make of it.
type family struct {
	genuine token
	stolen  token // the same header and claims, signed with another key; right while that one is in force under the same kid
	changed token // other claims under the genuine signature
}

// corpus is all keys and tokens of a run.
type corpus struct {
	keys     [len(algs)][numSigners]*verify.Key // none of foreign
	families []family                           // all algorithms in turn
}

type claims struct {
	Iss   string   `json:"iss"`
	Aud   []string `json:"aud"`
	Sub   string   `json:"sub"`
	Scope string   `json:"scope"`
	Email string   `json:"email"`
	Iat   int64    `json:"iat"`
	Exp   int64    `json:"exp"`
}

func newCorpus(perAlg int) (*corpus, error) {
	c := new(corpus)
	var signers [len(algs)][numSigners]*demo.Signer
	for i, alg := range algs {
		for s := range numSigners {
			var err error
			if signers[i][s], err = demo.NewSigner(alg, s.kid(alg), 0); err != nil {
				return nil, err
			}
			if s == foreign {
				continue
			}
			if c.keys[i][s], err = verify.NewKey(alg, signers[i][s].Public()); err != nil {
				return nil, err
			}
		}
	}
	for n := range perAlg {
		for i := range algs {
			f, err := newFamily(&signers[i], algs[i], n)
			if err != nil {
				return nil, err
			}
			c.families = append(c.families, f)
		}
	}
	return c, nil
}

// newFamily makes number n of an algorithm. Of 32 tokens 16 are of A and eight of either B; four have expired, four expire
// during the run, and eight are for the other audience.
func newFamily(signers *[numSigners]*demo.Signer, alg jose.Alg, n int) (f family, err error) {
	named := [4]signer{keyA, keyB1, keyA, keyB2}[n%4]
	g := token{alg: alg, named: named, signed: named, exp: begin + 3600, sub: fmt.Sprintf("user-%s-%08d", alg, n)}
	switch n / 4 % 8 {
	case 3:
		g.exp = begin - 3600
	case 5:
		g.exp = begin + int64(n)%span
	case 6, 7:
		g.audience = 1
	}
	header, err := json.Marshal(map[string]string{"alg": alg.String(), "kid": named.kid(alg), "typ": "at+jwt"})
	if err != nil {
		return f, err
	}
	encode := func(t *token) (payload []byte, err error) {
		return json.Marshal(claims{
			Iss: issuerName, Aud: []string{audiences[t.audience], "account"}, Sub: t.sub, Scope: "openid profile orders.read",
			Email: t.sub + "@example.com", Iat: begin - 7200, Exp: t.exp,
		})
	}
	payload, err := encode(&g)
	if err != nil {
		return f, err
	}
	if g.raw, err = signers[g.signed].SignRaw(header, payload); err != nil {
		return f, err
	}
	f.genuine, f.stolen, f.changed = g, g, g
	// In turn somebody else's key, and one that is or was in force under another kid or in the same one's place.
	f.stolen.signed = [4]signer{foreign, keyA, keyB1, keyB2}[n/4%4]
	if f.stolen.signed == named {
		f.stolen.signed = foreign
	}
	if f.stolen.raw, err = signers[f.stolen.signed].SignRaw(header, payload); err != nil {
		return f, err
	}
	// A longer life, and somebody else's name.
	f.changed.signed, f.changed.exp, f.changed.sub = nobody, begin+7200, "admin"
	if payload, err = encode(&f.changed); err != nil {
		return f, err
	}
	c := strings.Split(g.raw, ".")
	f.changed.raw = c[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + c[2]
	return f, nil
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// appendForged appends t with another signature, for each id another one. One digit differs, and not the last, in which there may be
// bits that say nothing.
func appendForged(dst []byte, t *token, id uint64) []byte {
	first := strings.LastIndexByte(t.raw, '.') + 1
	places := uint64(len(t.raw) - 1 - first)
	dst = append(dst, t.raw...)
	d := &dst[len(dst)-len(t.raw)+first+int(id%places)]
	*d = digits[(strings.IndexByte(digits, *d)+1+int(id/places%63))%64]
	return dst
}
