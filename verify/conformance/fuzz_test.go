package conformance

import (
	"slices"
	"strings"
	"testing"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// In headers "$" stands for the name of the algorithm, so that one seed serves all.
const goodHeader = `{"alg":"$","kid":"$","typ":"at+jwt"}`

func payload(more string) string {
	return `{"iss":"https://issuer.test","aud":"api","sub":"alice","jti":"1","exp":1800000300` + more + `}`
}

// exp returns a payload whose exp is text.
func exp(text string) string {
	return `{"iss":"https://issuer.test","aud":"api","sub":"alice","exp":` + text + `}`
}

func header(more string) string { return `{"alg":"$","kid":"$","typ":"at+jwt",` + more + `}` }

func aud(text string) string {
	return `{"iss":"https://issuer.test","aud":` + text + `,"exp":1800000300}`
}

func sub(text string) string {
	return `{"iss":"https://issuer.test","aud":"api","sub":` + text + `,"exp":1800000300}`
}

// A seed is a draft for every algorithm with the verdict that it must have.
type seed struct {
	name string
	draft
	want verify.Reason
}

func d(header, payload string) draft { return draft{header: header, payload: payload} }

var seeds = []seed{
	{"good", d(goodHeader, payload("")), verify.ReasonOK},
	{"no kid", d(`{"alg":"$"}`, payload("")), verify.ReasonOK},
	{"typ JWT", d(`{"alg":"$","typ":"JWT"}`, payload("")), verify.ReasonOK},
	{"typ in full", d(`{"alg":"$","typ":"application/AT+JWT"}`, payload("")), verify.ReasonOK},
	{"typ of another", d(`{"alg":"$","typ":"secevent+jwt"}`, payload("")), verify.ReasonType},
	{"typ null", d(`{"alg":"$","typ":null}`, payload("")), verify.ReasonMalformed},
	{"spaces in header", d("\t{ \"alg\" :\r\n\"$\" } ", payload("")), verify.ReasonOK},
	{"spaces in payload", d(goodHeader, " \n"+payload(" ")+"\r\t"), verify.ReasonOK},
	{"escapes in header", d(`{"\u0061lg":"\u0024","kid":"$","t\u0079p":"at\u002bjwt"}`, payload("")), verify.ReasonAlgorithm},
	{"escaped names in header", d(`{"\u0061lg":"$","kid":"$","t\u0079p":"at\u002bjwt"}`, payload("")), verify.ReasonOK},
	{
		"escapes in payload",
		d(goodHeader, `{"\u0069ss":"https:\/\/issuer.test","aud":["\u0061pi"],"sub":"\ud83d\ude00\n","exp":1800000300}`),
		verify.ReasonOK,
	},
	{"unicode", d(goodHeader, payload(`,"name":"Zoë \u2028 😀"`)), verify.ReasonOK},
	{"alg none", d(`{"alg":"none"}`, payload("")), verify.ReasonAlgorithm},
	{"alg of another", d(`{"alg":"RS512","kid":"$"}`, payload("")), verify.ReasonAlgorithm},
	{"alg array", d(`{"alg":["$"]}`, payload("")), verify.ReasonAlgorithm},
	{"alg missing", d(`{"kid":"$"}`, payload("")), verify.ReasonAlgorithm},
	{"alg in other case", d(`{"ALG":"$"}`, payload("")), verify.ReasonAlgorithm},
	{"alg in two cases", d(header(`"ALG":"none"`), payload("")), verify.ReasonOK},
	{"alg twice", d(header(`"alg":"$"`), payload("")), verify.ReasonMalformed},
	{"alg twice, escaped", d(header(`"\u0061lg":"none"`), payload("")), verify.ReasonMalformed},
	{"kid unknown", d(`{"alg":"$","kid":"x"}`, payload("")), verify.ReasonUnknownKey},
	{"kid number", d(`{"alg":"$","kid":1}`, payload("")), verify.ReasonMalformed},
	{"crit", d(header(`"crit":["exp"],"exp":1`), payload("")), verify.ReasonCritical},
	{"crit empty", d(header(`"crit":[]`), payload("")), verify.ReasonCritical},
	{"b64", d(header(`"b64":false,"crit":["b64"]`), payload("")), verify.ReasonCritical},
	{"b64 true", d(header(`"b64":true`), payload("")), verify.ReasonCritical},
	{"zip", d(header(`"zip":"DEF"`), payload("")), verify.ReasonCritical},
	{
		"key members",
		d(header(`"jwk":{"kty":"oct","k":"AA"},"jku":"https://x","x5u":"x","x5c":["AAAA"],"x5t":1`), payload("")),
		verify.ReasonOK,
	},
	{"cty", d(header(`"cty":"JWT"`), payload("")), verify.ReasonOK},
	{"cty number", d(header(`"cty":1`), payload("")), verify.ReasonOK},
	{"private member", d(header(`"http://x":[{},null,1e3,true],"nonce":"x"`), payload("")), verify.ReasonOK},
	{"nonce number", d(header(`"nonce":1`), payload("")), verify.ReasonOK},
	{"header array", d(`[]`, payload("")), verify.ReasonMalformed},
	{"header with data behind", d(goodHeader+`{}`, payload("")), verify.ReasonMalformed},

	{"exp twice", d(goodHeader, payload(`,"exp":1900000000`)), verify.ReasonMalformed},
	{"exp twice, escaped", d(goodHeader, payload(`,"\u0065xp":1`)), verify.ReasonMalformed},
	{"exp in two cases", d(goodHeader, payload(`,"EXP":1`)), verify.ReasonOK},
	{"iss in two cases", d(goodHeader, payload(`,"Iss":"https://other.test","SUB":"x","Aud":"other"`)), verify.ReasonOK},
	{"deep twice", d(goodHeader, payload(`,"x":{"a":1,"b":[{"c":1,"c":2}]}`)), verify.ReasonMalformed},
	{"same name apart", d(goodHeader, payload(`,"x":{"exp":1},"y":{"exp":2}`)), verify.ReasonOK},
	{"exp in skew", d(goodHeader, exp(`1799999991`)), verify.ReasonOK},
	{"exp at skew", d(goodHeader, exp(`1799999990`)), verify.ReasonUnverified},
	{"exp long ago", d(goodHeader, exp(`1700000000`)), verify.ReasonUnverified},
	{"exp fraction", d(goodHeader, exp(`1800000000.75`)), verify.ReasonOK},
	{"exp fraction, long", d(goodHeader, exp(`1800000000.99999999999999999999`)), verify.ReasonOK},
	{"exp fraction at skew", d(goodHeader, exp(`1799999990.999`)), verify.ReasonUnverified},
	{"exp exponent", d(goodHeader, exp(`18.000003E+8`)), verify.ReasonOK},
	{"exp exponent down", d(goodHeader, exp(`180000030000000e-5`)), verify.ReasonOK},
	{"exp exponent and fraction", d(goodHeader, exp(`18000003001e-1`)), verify.ReasonOK},
	{"exp far", d(goodHeader, exp(`9007199254740992`)), verify.ReasonOK},
	{"exp too far", d(goodHeader, exp(`9007199254740993`)), verify.ReasonMalformed},
	{"exp string", d(goodHeader, exp(`"1900000000"`)), verify.ReasonMalformed},
	{"exp negative", d(goodHeader, exp(`-1`)), verify.ReasonMalformed},
	{"exp NaN", d(goodHeader, exp(`NaN`)), verify.ReasonMalformed},
	{"exp 1e400", d(goodHeader, exp(`1e400`)), verify.ReasonMalformed},
	{"exp leading zero", d(goodHeader, exp(`01900000000`)), verify.ReasonMalformed},
	{"exp missing", d(goodHeader, `{"iss":"https://issuer.test","aud":"api"}`), verify.ReasonClaim},
	{"nbf in skew", d(goodHeader, payload(`,"nbf":1800000010`)), verify.ReasonOK},
	{"nbf fraction in skew", d(goodHeader, payload(`,"nbf":1800000009.5,"iat":1.7e9`)), verify.ReasonOK},
	{"nbf zero", d(goodHeader, payload(`,"nbf":0,"iat":0`)), verify.ReasonOK},
	{"nbf tiny", d(goodHeader, payload(`,"nbf":1e-300`)), verify.ReasonOK},
	{"nbf beyond", d(goodHeader, payload(`,"nbf":1800000010.1`)), verify.ReasonNotYetValid},
	{"nbf far ahead", d(goodHeader, payload(`,"nbf":1800000200`)), verify.ReasonNotYetValid},
	{"iat beyond", d(goodHeader, payload(`,"iat":1800000011`)), verify.ReasonNotYetValid},
	{"aud array", d(goodHeader, aud(`["x","api",""]`)), verify.ReasonOK},
	{"aud array twice", d(goodHeader, aud(`["api","api"]`)), verify.ReasonOK},
	{"aud empty", d(goodHeader, aud(`[]`)), verify.ReasonMalformed},
	{"aud mixed", d(goodHeader, aud(`["api",1]`)), verify.ReasonMalformed},
	{"aud nested", d(goodHeader, aud(`[["api"]]`)), verify.ReasonMalformed},
	{"aud null", d(goodHeader, aud(`null`)), verify.ReasonMalformed},
	{"aud prefix", d(goodHeader, aud(`"api/"`)), verify.ReasonAudience},
	{"iss other", d(goodHeader, strings.Replace(payload(""), "issuer", "other", 1)), verify.ReasonUnverified},
	{"iss slash", d(goodHeader, strings.Replace(payload(""), ".test", ".test/", 1)), verify.ReasonUnverified},
	{"sub number", d(goodHeader, sub(`1`)), verify.ReasonMalformed},
	{"sub empty", d(goodHeader, sub(`""`)), verify.ReasonOK},
	{"name empty", d(goodHeader, payload(`,"":1`)), verify.ReasonOK},
	{"numbers", d(goodHeader, payload(`,"x":[-0,0.5e-3,1E10,123456789012345678901234567890]`)), verify.ReasonOK},
	{"lone surrogate", d(goodHeader, payload(`,"x":"\ud800"`)), verify.ReasonMalformed},
	{"control character", d(goodHeader, payload(",\"x\":\"\x01\"")), verify.ReasonMalformed},
	{"NUL escape", d(goodHeader, payload(`,"x":"\u0000"`)), verify.ReasonOK},
	{"invalid UTF-8", d(goodHeader, payload(",\"x\":\"\xff\"")), verify.ReasonMalformed},
	{"BOM", d(goodHeader, "\xef\xbb\xbf"+payload("")), verify.ReasonMalformed},
	{"trailing comma", d(goodHeader, payload(",")), verify.ReasonMalformed},
	{"payload string", d(goodHeader, `"x"`), verify.ReasonMalformed},
	{"cnf", d(goodHeader, payload(`,"cnf":{"jkt":"x"}`)), verify.ReasonConfirmation},

	{"signature changed", draft{header: goodHeader, payload: payload(""), xor: "\x01"}, verify.ReasonSignature},
	{"signature longer", draft{header: goodHeader, payload: payload(""), xor: strings.Repeat("\x00", 300)}, verify.ReasonSignature},
	{"line break at the end", draft{header: goodHeader, payload: payload(""), at: -1, insert: "\n"}, verify.ReasonMalformed},
	{"padding at the end", draft{header: goodHeader, payload: payload(""), at: -1, insert: "="}, verify.ReasonMalformed},
	{"dot at the end", draft{header: goodHeader, payload: payload(""), at: -1, insert: "."}, verify.ReasonMalformed},
	{"line break inside", draft{header: goodHeader, payload: payload(""), at: 7, insert: "\r\n"}, verify.ReasonMalformed},
	{"twin", draft{header: goodHeader, payload: payload(""), twin: true}, verify.ReasonOK},
}

// for an algorithm: "$" is replaced.
func (s seed) under(alg jose.Alg) draft {
	s.alg = alg
	s.header = strings.ReplaceAll(s.header, "$", alg.String())
	return s.draft
}

// TestSeeds gives every seed the verdict that it was written for, under every algorithm, so that the fuzzing below starts
// from tokens that get as far as they should.
func TestSeeds(t *testing.T) {
	w := newWorld(t)
	for _, s := range seeds {
		t.Run(s.name, func(t *testing.T) {
			for _, alg := range oracleAlgs {
				if got := w.agree(t, s.under(alg)); got != s.want {
					t.Errorf("%s: Verify = %v, want %v", alg, got, s.want)
				}
			}
		})
	}
}

// The oracles are awake: each accepts a good token under every algorithm and refuses what is wrong in one thing, so that its
// consent means something. What one of them is known to let pass (crit in golang-jwt, padding and dates as strings in jwx) is not asked.
func TestOraclesRefuse(t *testing.T) {
	w := newWorld(t)
	bad := []string{
		"signature changed", "signature longer", "exp long ago", "exp missing", "nbf far ahead", "iat beyond", "aud prefix",
		"iss other", "alg of another", "alg none", "dot at the end",
	}
	asked := 0
	for _, s := range seeds {
		if s.name != "good" && !slices.Contains(bad, s.name) {
			continue
		}
		asked++
		for i := range oracles {
			for _, alg := range oracleAlgs {
				d := s.under(alg)
				_, err := oracles[i].verify(d.sign(t, w), alg, w.public[alg])
				if got, want := err == nil, s.name == "good"; got != want {
					t.Errorf("%s, the %s token %q: accepted = %v, want %v (%v)", oracles[i].name, alg, s.name, got, want, err)
				}
			}
		}
	}
	if asked != len(bad)+1 {
		t.Errorf("asked about %d seeds, want %d", asked, len(bad)+1)
	}
}

// members are seeds for one member alone, with the payload that lacks it: what is changed there is still JSON more often than
// not, unlike in a whole text.
var members = []struct{ payload, name, value string }{
	{`{"iss":"https://issuer.test","aud":"api"}`, "exp", `1800000300`},
	{`{"iss":"https://issuer.test","aud":"api"}`, "exp", `1799999990.000001`},
	{`{"iss":"https://issuer.test","aud":"api"}`, "exp", `1.8000003e9`},
	{`{"iss":"https://issuer.test","aud":"api"}`, `\u0065xp`, `180000030000e-2`},
	{`{"iss":"https://issuer.test","exp":1800000300}`, "aud", `["a","api"]`},
	{`{"aud":"api","exp":1800000300}`, "iss", `"https:\/\/issuer.test"`},
	{payload(""), "nbf", `1800000009.9`},
	{payload(""), "iat", `1.8e+9`},
	{payload(""), "scope", `["a b","c"]`},
	{payload(""), "azp", `"\ud83d\ude00"`},
	{payload(""), "x", `{"a":[{"b":null},-0.0e-0,"\\\""]}`},
}

// FuzzOracles looks for a token that sallyport accepts and another library does not, or reads differently. Header and payload
// are signed after they were changed, so that the fuzzing gets behind the signature. name and value, where there is a name, are
// put into the payload as one more member; value is raw JSON, and name the inside of a string.
func FuzzOracles(f *testing.F) {
	w := newWorld(f)
	for i, s := range seeds {
		f.Add(uint8(i%len(oracleAlgs)), s.header, s.payload, "", "", s.xor, s.twin, s.at, s.insert)
	}
	for i, m := range members {
		f.Add(uint8(i%len(oracleAlgs)), goodHeader, m.payload, m.name, m.value, "", false, 0, "")
	}
	f.Fuzz(func(t *testing.T, alg uint8, header, payload, name, value, xor string, twin bool, at int, insert string) {
		if end := strings.LastIndexByte(payload, '}'); name != "" && end >= 0 {
			payload = payload[:end] + `,"` + name + `":` + value + payload[end:]
		}
		s := seed{draft: draft{header: header, payload: payload, xor: xor, twin: twin, at: at, insert: insert}}
		w.agree(t, s.under(oracleAlgs[int(alg)%len(oracleAlgs)]))
	})
}
