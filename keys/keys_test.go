package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"sallyport/edge/demo"
	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/jose"
)

var b64 = base64.RawURLEncoding

// signers has one key of each algorithm, made when it is first asked for: RSA keys take long to make.
var signers = map[jose.Alg]*demo.Signer{}

func signerOf(t testing.TB, alg jose.Alg) *demo.Signer {
	t.Helper()
	if s := signers[alg]; s != nil {
		return s
	}
	s, err := demo.NewSigner(alg, alg.String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	signers[alg] = s
	return s
}

type jwk = map[string]any

// jwkOf returns the public JWK of alg's signer with changes applied; a value of drop takes the member away.
func jwkOf(t testing.TB, alg jose.Alg, changes ...jwk) jwk {
	t.Helper()
	j, err := signerOf(t, alg).JWK(false)
	if err != nil {
		t.Fatal(err)
	}
	return with(j, changes...)
}

type dropped struct{}

var drop dropped

func with(j jwk, changes ...jwk) jwk {
	j = maps.Clone(j)
	for _, c := range changes {
		for name, v := range c {
			if v == drop {
				delete(j, name)
			} else {
				j[name] = v
			}
		}
	}
	return j
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func setOf(t testing.TB, list ...any) []byte {
	t.Helper()
	return marshal(t, jwk{"keys": list})
}

// octetsOf decodes a member of j.
func octetsOf(t testing.TB, j jwk, name string) []byte {
	t.Helper()
	b, err := b64.DecodeString(j[name].(string))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// modulus returns an odd number of exactly this many bits. It need not be a product of two primes: no rule looks at that.
func modulus(bits int) *big.Int {
	src := rand.New(rand.NewPCG(1, uint64(bits)))
	n := new(big.Int)
	for n.BitLen() < bits+64 {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(src.Uint64()))
	}
	n.Rsh(n, uint(n.BitLen()-bits))
	return n.SetBit(n, 0, 1)
}

func rsaJWK(kid string, n *big.Int, e int64) jwk {
	return jwk{
		"kty": "RSA", "alg": "RS256", "kid": kid,
		"n": b64.EncodeToString(n.Bytes()), "e": b64.EncodeToString(big.NewInt(e).Bytes()),
	}
}

func algsOf(p keys.Parsed) []jose.Alg {
	var algs []jose.Alg
	for _, e := range p.Entries {
		algs = append(algs, e.Key.Alg())
	}
	return algs
}

var publicAlgs = func() (algs []jose.Alg) {
	for a := jose.AlgInvalid + 1; a < jose.NumAlgs; a++ {
		if !a.Symmetric() {
			algs = append(algs, a)
		}
	}
	return algs
}()

func TestParseJWKSEveryAlgorithm(t *testing.T) {
	input := []byte("header.payload")
	for _, alg := range publicAlgs {
		s := signerOf(t, alg)
		p, err := keys.ParseJWKS(setOf(t, jwkOf(t, alg)), keys.Options{})
		if err != nil || len(p.Entries) != 1 || len(p.Skipped) != 0 {
			t.Errorf("ParseJWKS(a %s key) = %+v, %v, want one entry", alg, p, err)
			continue
		}
		e := p.Entries[0]
		if e.Kid != alg.String() || !e.HasKid || e.Key.Alg() != alg {
			t.Errorf("ParseJWKS(a %s key) has kid %q (%v) and alg %s", alg, e.Kid, e.HasKid, e.Key.Alg())
		}
		sig, err := s.Signature(input)
		if err != nil {
			t.Fatal(err)
		}
		if !e.Key.VerifySignature(input, sig) {
			t.Errorf("the %s key that was read does not verify its own signature", alg)
		}
		if e.Key.VerifySignature([]byte("header.Payload"), sig) {
			t.Errorf("the %s key that was read verifies a signature over something else", alg)
		}
	}
}

// isolated reports what became of key between two good ones, which must live whatever it is.
func isolated(t *testing.T, name string, key any) (skipped []keys.Skipped, middle []verify.KeyEntry) {
	t.Helper()
	first, last := jwkOf(t, jose.ES256, jwk{"kid": "first"}), jwkOf(t, jose.ES384, jwk{"kid": "last"})
	data := setOf(t, first, key, last)
	p, err := keys.ParseJWKS(data, keys.Options{})
	if err != nil {
		t.Errorf("%s: ParseJWKS(%.300s) = %v: one bad key has cost the set", name, data, err)
		return nil, nil
	}
	n := len(p.Entries)
	if n < 2 || p.Entries[0].Kid != "first" || p.Entries[n-1].Kid != "last" {
		t.Errorf("%s: ParseJWKS(%.300s) lost a good key beside it: %+v", name, data, p.Entries)
		return nil, nil
	}
	return p.Skipped, p.Entries[1 : n-1]
}

// skips returns a check that a key is left out for a reason that has why in it.
func skips(t *testing.T) func(name string, key any, why string) {
	return func(name string, key any, why string) {
		t.Helper()
		skipped, middle := isolated(t, name, key)
		if len(middle) != 0 {
			t.Errorf("%s: %.300s was accepted for %v", name, marshal(t, key), middle[0].Key.Alg())
			return
		}
		if len(skipped) != 1 || skipped[0].Index != 1 || !strings.Contains(skipped[0].Why, why) {
			t.Errorf("%s: skipped %+v, want index 1 because of %q", name, skipped, why)
		}
		// The same key alone, as it may stand in the config, is an error and not a warning.
		if p, err := keys.ParseJWK(marshal(t, key), keys.Options{}); err == nil || len(p.Entries) != 0 {
			t.Errorf("%s: ParseJWK(%.300s) accepted", name, marshal(t, key))
		}
	}
}

func TestParseJWKSSkipsUnknown(t *testing.T) {
	check := skips(t)
	ec, okp, rsa := jwkOf(t, jose.ES256), jwkOf(t, jose.Ed25519), jwkOf(t, jose.RS256)
	check("null", nil, "not a JSON object")
	check("number", 5, "not a JSON object")
	check("string", "kty", "not a JSON object")
	check("array", []any{ec}, "not a JSON object")
	check("empty", jwk{}, `no "kty"`)
	check("kty number", with(ec, jwk{"kty": 1}), `"kty" is not a string`)
	check("kty null", with(ec, jwk{"kty": nil}), `"kty" is not a string`)
	check("kty unknown", with(ec, jwk{"kty": "ECX"}), "kty")
	check("kty empty", with(ec, jwk{"kty": ""}), "kty")
	check("kty in lower case", with(rsa, jwk{"kty": "rsa"}), "kty") // RFC 7517, 4.1: case-sensitive
	check("kty OCT", jwk{"kty": "OCT", "k": "c2VjcmV0"}, "kty")
	check("crv missing", with(ec, jwk{"crv": drop}), `no "crv"`)
	check("crv secp256k1", with(ec, jwk{"crv": "secp256k1"}), "crv")
	check("crv P-224", with(ec, jwk{"crv": "P-224"}), "crv")
	check("crv in lower case", with(ec, jwk{"crv": "p-256"}), "crv")
	check("crv of an OKP key on EC", with(ec, jwk{"crv": "Ed25519"}), "crv")
	check("crv of an EC key on OKP", with(okp, jwk{"crv": "P-256"}), "crv")
	check("crv X25519", with(okp, jwk{"crv": "X25519"}), "not for signatures")
	check("crv X448", with(okp, jwk{"crv": "X448", "x": b64.EncodeToString(make([]byte, 56))}), "not for signatures")
}

// A reason is logged and shown: what it quotes of the set must be short, whatever stands there.
func TestParseJWKSReasonsAreShort(t *testing.T) {
	long := strings.Repeat("A\n", 5000)
	for _, name := range []string{"kty", "crv", "alg", "use", "kid", "x", "y"} {
		skipped, _ := isolated(t, name, jwkOf(t, jose.ES256, jwk{name: long}))
		if len(skipped) != 1 || len(skipped[0].Why) > 150 || len(skipped[0].Kid) > 256 {
			t.Errorf("a %q of 10000 octets: skipped %.300v, want one short reason", name, skipped)
		}
		if len(skipped) == 1 && strings.Contains(skipped[0].Why, "\n") {
			t.Errorf("a %q with line ends: reason %q has one too", name, skipped[0].Why)
		}
	}
	skipped, _ := isolated(t, "pub", jwkOf(t, jose.MLDSA44, jwk{"alg": long}))
	if len(skipped) != 1 || len(skipped[0].Why) > 150 {
		t.Errorf("an AKP alg of 10000 octets: skipped %.300v", skipped)
	}
}

func TestParseJWKSRejectsAlgOfOtherKey(t *testing.T) {
	check := skips(t)
	fitting := map[string][]jose.Alg{
		"RSA":   {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512},
		"P-256": {jose.ES256}, "P-384": {jose.ES384}, "P-521": {jose.ES512},
		"Ed25519": {jose.Ed25519, jose.EdDSA}, "Ed448": {jose.Ed448, jose.EdDSA},
	}
	base := map[string]jwk{
		"RSA": jwkOf(t, jose.RS256), "P-256": jwkOf(t, jose.ES256), "P-384": jwkOf(t, jose.ES384), "P-521": jwkOf(t, jose.ES512),
		"Ed25519": jwkOf(t, jose.Ed25519), "Ed448": jwkOf(t, jose.Ed448),
	}
	for typ, j := range base {
		for alg := jose.AlgInvalid; alg < jose.NumAlgs; alg++ {
			key := with(j, jwk{"alg": alg.String()})
			if !slices.Contains(fitting[typ], alg) {
				check(fmt.Sprintf("%s on a %s key", alg, typ), key, "alg")
				continue
			}
			p, err := keys.ParseJWK(marshal(t, key), keys.Options{})
			if got := algsOf(p); err != nil || !slices.Equal(got, []jose.Alg{alg}) {
				t.Errorf("ParseJWK(%s key with alg %s) is for %v, %v, want exactly its alg", typ, alg, got, err)
			}
		}
		for _, name := range []any{"none", "None", "", "rs256", "ES256 ", "RS1", "RSA-OAEP", nil, 5, []any{"ES256"}, true} {
			check(fmt.Sprintf("alg %#v on a %s key", name, typ), with(j, jwk{"alg": name}), "alg")
		}
	}
}

func TestParseJWKSUse(t *testing.T) {
	check, ec := skips(t), jwkOf(t, jose.ES256)
	check("use enc", with(ec, jwk{"use": "enc"}), `use is "enc"`)
	check("use SIG", with(ec, jwk{"use": "SIG"}), "use")
	check("use empty", with(ec, jwk{"use": ""}), "use")
	check("use null", with(ec, jwk{"use": nil}), `"use" is not a string`)
	check("use array", with(ec, jwk{"use": []any{"sig"}}), `"use" is not a string`)
	check("key_ops empty", with(ec, jwk{"key_ops": []any{}}), "do not contain verify")
	check("key_ops sign", with(ec, jwk{"key_ops": []any{"sign"}}), "do not contain verify")
	check("key_ops VERIFY", with(ec, jwk{"key_ops": []any{"VERIFY"}}), "do not contain verify")
	check("key_ops encrypt", with(ec, jwk{"key_ops": []any{"encrypt", "wrapKey"}}), "do not contain verify")
	check("key_ops null", with(ec, jwk{"key_ops": nil}), "not an array")
	check("key_ops string", with(ec, jwk{"key_ops": "verify"}), "not an array")
	check("key_ops object", with(ec, jwk{"key_ops": jwk{"verify": true}}), "not an array")
	check("key_ops with a number", with(ec, jwk{"key_ops": []any{"verify", 1}}), "key_ops")
	check("key_ops nested", with(ec, jwk{"key_ops": []any{[]any{"verify"}}}), "key_ops")
	check("key_ops verify twice", with(ec, jwk{"key_ops": []any{"verify", "verify"}}), "key_ops")
	check("use enc with key_ops verify", with(ec, jwk{"use": "enc", "key_ops": []any{"verify"}}), "use")
	check("use sig with key_ops encrypt", with(ec, jwk{"use": "sig", "key_ops": []any{"encrypt"}}), "key_ops")

	for _, key := range []jwk{
		with(ec, jwk{"use": drop}), with(ec, jwk{"use": "sig"}),
		with(ec, jwk{"key_ops": []any{"verify"}}), with(ec, jwk{"use": drop, "key_ops": []any{"encrypt", "verify", "other"}}),
	} {
		if skipped, middle := isolated(t, "use", key); len(middle) != 1 {
			t.Errorf("%s was skipped: %+v", marshal(t, key), skipped)
		}
	}
}

func TestParseJWKSRejectsPrivateMembers(t *testing.T) {
	check := skips(t)
	for _, alg := range []jose.Alg{jose.RS256, jose.ES256, jose.Ed25519, jose.Ed448, jose.MLDSA44} {
		j, err := signerOf(t, alg).JWK(true)
		if err != nil {
			t.Fatal(err)
		}
		check("private "+alg.String(), j, "this key is public now")
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
			check(fmt.Sprintf("%s with %q", alg, name), jwkOf(t, alg, jwk{name: "AQAB"}), "private member")
			// Whatever its value: somebody's serialiser writes private members, and tomorrow it may fill them in.
			check(fmt.Sprintf("%s with null %q", alg, name), jwkOf(t, alg, jwk{name: nil}), "private member")
		}
	}
	// Of a type or a use that is of no interest, the warning is still due.
	check("unknown kty", jwk{"kty": "X", "d": "AQAB"}, "private member")
	check("use enc", jwkOf(t, jose.RS256, jwk{"use": "enc", "d": "AQAB"}), "private member")
}

// A secret in a published set is no secret. The name of the member must not be what it hangs on.
func TestParseJWKSRejectsOct(t *testing.T) {
	check := skips(t)
	secret := b64.EncodeToString(bytes.Repeat([]byte("k"), 64))
	for _, alg := range []any{"HS256", "HS384", "HS512", "RS256", drop} {
		check(fmt.Sprintf("oct with alg %v", alg), with(jwk{"kty": "oct", "k": secret, "kid": "s"}, jwk{"alg": alg}), "shared secret")
	}
	check("oct without k", jwk{"kty": "oct"}, "shared secret")
	check("k on an RSA key for HS256", jwkOf(t, jose.RS256, jwk{"alg": "HS256", "k": secret}), "alg")
	opt := keys.Options{Algs: jose.NewAlgSet(jose.HS256)}
	p, err := keys.ParseJWKS(setOf(t, jwk{"kty": "oct", "k": secret}, jwkOf(t, jose.RS256, jwk{"alg": drop})), opt)
	if err != nil || len(p.Entries) != 0 {
		t.Errorf("ParseJWKS(an oct and an RSA key) for an HS256 issuer = %v, %v, want no key", algsOf(p), err)
	}
}

func TestParseJWKSRejectsBadBase64(t *testing.T) {
	check := skips(t)
	for alg, names := range map[jose.Alg][]string{
		jose.RS256: {"n", "e"}, jose.ES256: {"x", "y"}, jose.Ed25519: {"x"}, jose.Ed448: {"x"}, jose.MLDSA65: {"pub"},
	} {
		j := jwkOf(t, alg)
		for _, name := range names {
			v := j[name].(string)
			what := func(s string) string { return fmt.Sprintf("%s, %s %s", alg, name, s) }
			check(what("missing"), with(j, jwk{name: drop}), name)
			check(what("null"), with(j, jwk{name: nil}), name)
			check(what("number"), with(j, jwk{name: 65537}), name)
			check(what("array"), with(j, jwk{name: []any{v}}), name)
			check(what("empty"), with(j, jwk{name: ""}), name)
			check(what("padded"), with(j, jwk{name: v + "="}), name)
			check(what("with a line end"), with(j, jwk{name: v + "\n"}), name)
			check(what("with a line end inside"), with(j, jwk{name: v[:2] + "\r\n" + v[2:]}), name)
			check(what("with a space"), with(j, jwk{name: " " + v}), name)
			check(what("of the other alphabet"), with(j, jwk{name: "+/" + v[2:]}), name)
			check(what("with NUL"), with(j, jwk{name: v + "\x00"}), name)
			check(what("outside ASCII"), with(j, jwk{name: "é" + v[2:]}), name)
		}
	}
	// The bits after the last octet are zero, or one key has several spellings.
	n := jwkOf(t, jose.RS256)["n"].(string) // 256 octets: 342 characters with four such bits
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", n[len(n)-1])
	loose := n[:len(n)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
	check("n with loose bits", jwkOf(t, jose.RS256, jwk{"n": loose}), `"n"`)
}

func TestParseJWKSRejectsBadRSA(t *testing.T) {
	check, j := skips(t), jwkOf(t, jose.RS256)
	n, e := octetsOf(t, j, "n"), octetsOf(t, j, "e")
	member := func(name string, v []byte) jwk { return with(j, jwk{name: b64.EncodeToString(v)}) }
	exp := func(e int64) []byte { return big.NewInt(e).Bytes() }
	even := bytes.Clone(n)
	even[len(even)-1] &^= 1
	check("even modulus", member("n", even), "even")
	check("modulus 0", member("n", []byte{0}), "leading zero")
	check("modulus 1", member("n", []byte{1}), "too short")
	check("e = 0", member("e", []byte{0}), "leading zero")
	check("e = 1", member("e", exp(1)), "exponent")
	check("e = 3", member("e", exp(3)), "exponent")
	check("e = 65535", member("e", exp(65535)), "exponent")
	check("e = 65536", member("e", exp(65536)), "exponent")
	check("e = 65538", member("e", exp(65538)), "even")
	check("e = 2^31 + 1", member("e", exp(1<<31+1)), "too large")
	check("e = 2^32 - 1", member("e", exp(1<<32-1)), "too large")
	check("e = 2^32 + 65537", member("e", exp(1<<32+65537)), "too large") // 65537 in 32 bits
	check("e = 2^64 + 65537", member("e", append([]byte{1, 0, 0, 0, 0, 0}, 1, 0, 1)), "too large")
	check("e as long as n", member("e", n), "too large")
	check("leading zero in n", member("n", append([]byte{0}, n...)), "leading zero")
	check("leading zero in e", member("e", append([]byte{0}, e...)), "leading zero")
	check("n of 64 KiB", member("n", bytes.Repeat([]byte{0xff}, 64<<10)), "too large")
	check("ROCA", rsaJWK("roca", rocaModulus(t), 65537), "ROCA")

	for _, e := range []int64{65537, 65539, 1<<31 - 1} {
		if skipped, middle := isolated(t, "e", member("e", exp(e))); len(middle) != 1 {
			t.Errorf("an RSA key with e = %d was skipped: %+v", e, skipped)
		}
	}
}

// rocaModulus makes a modulus as the flawed library did: primes k·M + (65537^a mod M), where M is the product of the first 126
// primes (Nemec et al., CCS 2017, 2.1, for keys of 2048 bits).
func rocaModulus(t *testing.T) *big.Int {
	t.Helper()
	m, count := big.NewInt(1), 0
	for p := int64(2); count < 126; p++ {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
			count++
		}
	}
	src := rand.New(rand.NewPCG(65537, 126))
	prime := func() *big.Int {
		for {
			p := new(big.Int).Exp(big.NewInt(65537), new(big.Int).SetUint64(src.Uint64()), m)
			k := new(big.Int).SetUint64(src.Uint64())
			k.Rsh(k, uint(64-(1024-m.BitLen()))).SetBit(k, 1023-m.BitLen(), 1)
			p.Add(p, k.Mul(k, m))
			if p.BitLen() == 1024 && p.ProbablyPrime(1) {
				return p
			}
		}
	}
	for {
		if n := new(big.Int).Mul(prime(), prime()); n.BitLen() == 2048 {
			return n
		}
	}
}

func TestParseJWKSRSABits(t *testing.T) {
	check := func(bits, limit int, want bool) {
		t.Helper()
		p, err := keys.ParseJWKS(setOf(t, rsaJWK("k", modulus(bits), 65537)), keys.Options{MaxRSABits: limit})
		if err != nil || (len(p.Entries) == 1) != want {
			t.Errorf("a modulus of %d bits, max_rsa_bits %d: accepted %v, want %v (%v, %+v)", bits, limit, len(p.Entries) == 1, want, err, p.Skipped)
		}
	}
	check(512, 0, false)
	check(1024, 0, false)
	check(2047, 0, false)
	check(2048, 0, true)
	check(2049, 0, true)
	check(4096, 0, true)
	check(4097, 0, false)
	check(2048, 2048, true)
	check(2049, 2048, false)
	check(3072, 3072, true)
	check(3073, 3072, false)
	check(8192, 8192, true)
	check(8193, 8192, false)
	check(8192, 4096, false)
	check(8193, 1<<20, false) // CVE-2023-29409: no config permits more
	check(16384, 1<<20, false)
	check(2047, 1024, false) // nor less than 2048
	check(1024, 1024, false)
	check(2048, 1024, false)
}

func TestParseJWKSRejectsBadEC(t *testing.T) {
	check := skips(t)
	for _, alg := range []jose.Alg{jose.ES256, jose.ES384, jose.ES512} {
		j := jwkOf(t, alg)
		x, y := octetsOf(t, j, "x"), octetsOf(t, j, "y")
		point := func(x, y []byte) jwk { return with(j, jwk{"x": b64.EncodeToString(x), "y": b64.EncodeToString(y)}) }
		what := func(s string) string { return alg.String() + ": " + s }
		other := bytes.Clone(y)
		other[len(other)-1] ^= 1
		ones := bytes.Repeat([]byte{0xff}, len(x)) // ≥ p
		zero := make([]byte, len(x))
		check(what("off the curve"), point(x, other), "curve")
		check(what("x and y swapped"), point(y, x), "curve")
		check(what("origin"), point(zero, zero), "curve")
		check(what("x beyond the field"), point(ones, y), "curve")
		check(what("y beyond the field"), point(x, ones), "curve")
		check(what("x one octet short"), point(x[1:], y), "length")
		check(what("y one octet short"), point(x, y[1:]), "length")
		check(what("x with a zero octet before"), point(append([]byte{0}, x...), y), "length")
		check(what("y with a zero octet before"), point(x, append([]byte{0}, y...)), "length")
		check(what("x of one octet"), point([]byte{1}, y), "length")
		check(what("an octet moved"), point(append(bytes.Clone(x), y[0]), y[1:]), "length")
		check(what("x as a whole point"), point(append(append([]byte{4}, x...), y...), y), "length")
	}
	// The curve that is named is the one that counts: a P-256 point is not on another, and has not its length.
	check("P-256 point as P-384", jwkOf(t, jose.ES256, jwk{"crv": "P-384", "alg": "ES384"}), "length")
	check("P-384 point as P-256", jwkOf(t, jose.ES384, jwk{"crv": "P-256", "alg": "ES256"}), "length")
}

// Coordinates keep their leading zero octets (RFC 7518, 6.2.1.2). One point in 128 has one, so that a library which trims
// them goes unnoticed for long.
func TestParseJWKSECLeadingZero(t *testing.T) {
	for range 20_000 {
		s, err := demo.NewSigner(jose.ES256, "k", 0)
		if err != nil {
			t.Fatal(err)
		}
		j, err := s.JWK(false)
		if err != nil {
			t.Fatal(err)
		}
		x, y := octetsOf(t, j, "x"), octetsOf(t, j, "y")
		if x[0] != 0 && y[0] != 0 {
			continue
		}
		if skipped, middle := isolated(t, "leading zero", j); len(middle) != 1 {
			t.Errorf("x %x, y %x was skipped: %+v", x, y, skipped)
		}
		trimmed := with(j, jwk{
			"x": b64.EncodeToString(new(big.Int).SetBytes(x).Bytes()), "y": b64.EncodeToString(new(big.Int).SetBytes(y).Bytes()),
		})
		if _, middle := isolated(t, "trimmed", trimmed); len(middle) != 0 {
			t.Errorf("x %x, y %x was accepted with its zero octets cut off", x, y)
		}
		return
	}
	t.Fatal("none of 20000 points has a leading zero octet: the chance of that is below 2^-100")
}

// weakEd25519 are points of small order, under each of which one signature is good for every message, and encodings that are
// not canonical (RFC 8032, 5.1.3). verify tests all of them; here it counts that a JWK does not go round that check.
var weakEd25519 = []string{
	"0100000000000000000000000000000000000000000000000000000000000000", // the identity
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
	"0000000000000000000000000000000000000000000000000000000000000000", // order 4
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", // order 8
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1, the identity again
	"0100000000000000000000000000000000000000000000000000000000000080", // the identity with a sign
	"0200000000000000000000000000000000000000000000000000000000000000", // not on the curve
}

func TestParseJWKSRejectsBadOKP(t *testing.T) {
	check := skips(t)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, alg := range []jose.Alg{jose.Ed25519, jose.EdDSA} {
		x := func(b []byte) jwk { return jwkOf(t, alg, jwk{"x": b64.EncodeToString(b)}) }
		good := octetsOf(t, jwkOf(t, alg), "x")
		check("31 octets", x(good[:31]), "32 octets")
		check("33 octets", x(append(bytes.Clone(good), 0)), "32 octets")
		check("64 octets, a private key's form", x(append(bytes.Clone(good), good...)), "32 octets")
		for _, h := range weakEd25519 {
			check("weak "+h, x(unhex(h)), "public key is")
		}
	}
	ed448 := func(b []byte) jwk { return jwkOf(t, jose.Ed448, jwk{"x": b64.EncodeToString(b)}) }
	good := octetsOf(t, jwkOf(t, jose.Ed448), "x")
	check("Ed448 of 56 octets", ed448(good[:56]), "57 octets")
	check("Ed448 of 58 octets", ed448(append(bytes.Clone(good), 0)), "57 octets")
	check("Ed448 with an Ed25519 point", jwkOf(t, jose.Ed25519, jwk{"crv": "Ed448", "alg": "Ed448"}), "57 octets")
	check("Ed25519 with an Ed448 point", jwkOf(t, jose.Ed448, jwk{"crv": "Ed25519", "alg": "Ed25519"}), "32 octets")

	// p = 2^448 − 2^224 − 1, little-endian. The four points of small order are (0, 1), (0, −1) and (±1, 0).
	p := make([]byte, 57)
	for i := range 56 {
		p[i] = 0xff
	}
	p[28] = 0xfe
	add := func(b []byte, d int) []byte { b = bytes.Clone(b); b[0] = byte(int(b[0]) + d); return b }
	sign := func(b []byte) []byte { b = bytes.Clone(b); b[56] |= 0x80; return b }
	zero := make([]byte, 57)
	for name, b := range map[string][]byte{
		"identity": add(zero, 1), "order 2": add(p, -1), "order 4, +": zero, "order 4, -": sign(zero),
		"identity with a sign": sign(add(zero, 1)), "order 2 with a sign": sign(add(p, -1)),
		"y = p": p, "y = p with a sign": sign(p), "y = 2^448 - 1": append(bytes.Repeat([]byte{0xff}, 56), 0),
		"a bit beyond the sign": append(bytes.Clone(good[:56]), good[56]|1),
	} {
		check("Ed448 "+name, ed448(b), "public key is")
	}
}

func TestParseJWKSRejectsBadAKP(t *testing.T) {
	check := skips(t)
	sizes := map[jose.Alg]int{jose.MLDSA44: 1312, jose.MLDSA65: 1952, jose.MLDSA87: 2592} // FIPS 204, table 2
	for alg, size := range sizes {
		pub := octetsOf(t, jwkOf(t, alg), "pub")
		if len(pub) != size {
			t.Fatalf("the %s key has %d octets, want %d", alg, len(pub), size)
		}
		check(alg.String()+" without alg", jwkOf(t, alg, jwk{"alg": drop}), `no "alg"`)
		check(alg.String()+" with alg null", jwkOf(t, alg, jwk{"alg": nil}), `"alg"`)
		check(alg.String()+" one octet short", jwkOf(t, alg, jwk{"pub": b64.EncodeToString(pub[1:])}), "length")
		check(alg.String()+" one octet long", jwkOf(t, alg, jwk{"pub": b64.EncodeToString(append(pub, 0))}), "length")
		for other := jose.AlgInvalid; other < jose.NumAlgs; other++ {
			if other != alg {
				check(fmt.Sprintf("%s key as %s", alg, other), jwkOf(t, alg, jwk{"alg": other.String()}), "its ")
			}
		}
		check(alg.String()+" pre-hashed", jwkOf(t, alg, jwk{"alg": "Hash" + alg.String()}), "alg") // RFC 9964: no HashML-DSA
		// An issuer whose algorithms are set does not make up for a missing alg.
		opt := keys.Options{Algs: jose.NewAlgSet(alg)}
		if p, err := keys.ParseJWK(marshal(t, jwkOf(t, alg, jwk{"alg": drop})), opt); err == nil {
			t.Errorf("ParseJWK(an AKP key without alg) for a %s issuer = %v, want an error", alg, algsOf(p))
		}
	}
}

func TestParseJWKSKid(t *testing.T) {
	check, ec := skips(t), jwkOf(t, jose.ES256)
	check("kid of 257 octets", with(ec, jwk{"kid": strings.Repeat("k", 257)}), "kid is too long")
	check("kid of 129 two-octet letters", with(ec, jwk{"kid": strings.Repeat("é", 129)}), "kid is too long")
	check("kid number", with(ec, jwk{"kid": 1}), `"kid" is not a string`)
	check("kid null", with(ec, jwk{"kid": nil}), `"kid" is not a string`)
	check("kid array", with(ec, jwk{"kid": []any{"a"}}), `"kid" is not a string`)
	check("kid object", with(ec, jwk{"kid": jwk{}}), `"kid" is not a string`)

	good := func(kid any, want string, has bool) {
		t.Helper()
		_, middle := isolated(t, "kid", with(ec, jwk{"kid": kid}))
		if len(middle) != 1 || middle[0].Kid != want || middle[0].HasKid != has {
			t.Errorf("kid %q: entries %+v, want kid %q, %v", kid, middle, want, has)
		}
	}
	good(strings.Repeat("k", 256), strings.Repeat("k", 256), true)
	good("../../etc/passwd", "../../etc/passwd", true) // opaque, never a name of anything
	good("a\x00\"b\n", "a\x00\"b\n", true)
	good("", "", true)
	good(drop, "", false)
}

// RFC 7517, 5: members that are not understood are ignored, in the set and in its keys.
func TestParseJWKSIgnoresMembers(t *testing.T) {
	key := jwkOf(t, jose.ES256, jwk{
		"x5c": []any{"not a certificate"}, "x5t": 1, "x5u": "http://127.0.0.1/", "iat": 1e9, "nested": jwk{"kty": "RSA", "d": "AQAB"},
	})
	data := marshal(t, jwk{"keys": []any{key}, "issuer": "x", "ttl": 5, "Keys": []any{1}})
	p, err := keys.ParseJWKS(append([]byte(" \r\n\t"), append(data, "\n "...)...), keys.Options{})
	if err != nil || len(p.Entries) != 1 || len(p.Skipped) != 0 {
		t.Errorf("ParseJWKS(%s) = %+v, %v, want one key", data, p, err)
	}
}

func TestParseJWKWithoutAlg(t *testing.T) {
	check := func(of jose.Alg, configured []jose.Alg, want ...jose.Alg) {
		t.Helper()
		opt := keys.Options{Algs: jose.NewAlgSet(configured...), Intern: keys.NewInterner()}
		p, err := keys.ParseJWK(marshal(t, jwkOf(t, of, jwk{"alg": drop, "kid": "k"})), opt)
		if got := algsOf(p); !slices.Equal(got, want) || (err == nil) != (len(want) > 0) {
			t.Errorf("ParseJWK(%s's key without alg) for an issuer with %v serves %v, %v, want %v", of, configured, got, err, want)
		}
		for _, e := range p.Entries {
			if e.Kid != "k" || !e.HasKid {
				t.Errorf("ParseJWK(%s's key without alg): the entry for %s has kid %q, %v", of, e.Key.Alg(), e.Kid, e.HasKid)
			}
		}
	}
	type algs = []jose.Alg
	check(jose.RS256, nil, jose.RS256)
	check(jose.ES256, nil, jose.ES256)
	check(jose.ES384, nil, jose.ES384)
	check(jose.ES512, nil, jose.ES512)
	check(jose.Ed25519, nil, jose.Ed25519)
	check(jose.Ed448, nil, jose.Ed448)
	check(jose.RS256, algs{jose.PS256}, jose.PS256)
	check(jose.RS256, algs{jose.RS256, jose.PS512, jose.ES256}, jose.RS256, jose.PS512)
	check(jose.RS256, algs{jose.ES256, jose.EdDSA, jose.HS256, jose.MLDSA44})
	check(jose.RS256, algs{jose.HS256}) // the RSA key must not become a secret
	check(jose.ES256, algs{jose.ES256, jose.ES384, jose.ES512}, jose.ES256)
	check(jose.ES256, algs{jose.ES384})
	check(jose.ES384, algs{jose.ES256, jose.HS384})
	check(jose.Ed25519, algs{jose.EdDSA}, jose.EdDSA)
	check(jose.Ed25519, algs{jose.EdDSA, jose.Ed25519}, jose.Ed25519, jose.EdDSA)
	check(jose.Ed25519, algs{jose.Ed448})
	check(jose.Ed448, algs{jose.Ed25519})
	check(jose.Ed448, algs{jose.EdDSA, jose.Ed448}, jose.Ed448, jose.EdDSA)

	// A key's own alg is not widened by the issuer's algorithms.
	p, err := keys.ParseJWK(marshal(t, jwkOf(t, jose.PS256)), keys.Options{Algs: jose.NewAlgSet(jose.RS256, jose.PS384)})
	if got := algsOf(p); err != nil || !slices.Equal(got, algs{jose.PS256}) {
		t.Errorf("ParseJWK(a key with alg PS256) for an RS256 issuer serves %v, %v, want PS256 alone", got, err)
	}
}

func TestParseJWKSRejectsSet(t *testing.T) {
	ec := string(marshal(t, jwkOf(t, jose.ES256)))
	check := func(name, data string) {
		t.Helper()
		if p, err := keys.ParseJWKS([]byte(data), keys.Options{}); err == nil || len(p.Entries) != 0 {
			t.Errorf("%s: ParseJWKS(%.200q) accepted with %d keys", name, data, len(p.Entries))
		}
	}
	good := `{"keys":[` + ec + `]}`
	if _, err := keys.ParseJWKS([]byte(good), keys.Options{}); err != nil {
		t.Fatalf("ParseJWKS(%s) = %v", good, err)
	}
	check("empty", "")
	check("null", "null")
	check("an array", "["+ec+"]")
	check("a bare key", ec)
	check("no keys", "{}")
	check("keys null", `{"keys":null}`)
	check("keys object", `{"keys":`+ec+`}`)
	check("keys string", `{"keys":"`+b64.EncodeToString([]byte(ec))+`"}`)
	check("Keys", strings.Replace(good, "keys", "Keys", 1))
	check("truncated", good[:len(good)-1])
	check("something after it", good+"x")
	check("a second set after it", good+good)
	check("byte order mark", "\ufeff"+good)
	check("HTML", "<!doctype html><title>Sign in</title>")
	check("keys twice", `{"keys":[],"keys":[`+ec+`]}`)
	check("keys twice, once escaped", `{"keys":[],"\u006beys":[`+ec+`]}`)
	for _, name := range []string{"kty", "crv", "x", "y", "kid", "alg", "use"} {
		check(name+" twice", `{"keys":[`+strings.Replace(ec, "{", `{"`+name+`":"sig",`, 1)+`]}`)
		escaped := fmt.Sprintf(`\u%04x%s`, name[0], name[1:])
		check(name+" twice, once escaped", `{"keys":[`+strings.Replace(ec, "{", `{"`+escaped+`":"sig",`, 1)+`]}`)
	}
	check("not UTF-8", strings.Replace(good, `"kid":"`, "\"kid\":\"\xff", 1))
	check("lone surrogate", strings.Replace(good, `"kid":"`, `"kid":"\ud800`, 1))
	check("raw control character", strings.Replace(good, `"kid":"`, "\"kid\":\"\x01", 1))
	check("NaN", `{"keys":[`+ec+`],"ttl":NaN}`)
	check("comment", `{"keys":[`+ec+`]/* */}`)
	check("trailing comma", `{"keys":[`+ec+`,]}`)
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `,"keys":[` + ec + `]}`
	}
	if _, err := keys.ParseJWKS([]byte(nested(16)), keys.Options{}); err != nil {
		t.Errorf("ParseJWKS(a set of depth 16) = %v", err)
	}
	check("depth 17", nested(17))
	check("depth 1e6", nested(1_000_000))
	check("depth 1e6, unclosed", strings.Repeat(`{"keys":[`, 500_000))
	check("too many members", `{"keys":[`+ec+`],"a":[`+strings.Repeat("0,", 5000)+`0]}`)
}

func TestParseJWKSMaxKeys(t *testing.T) {
	// As Entra ID publishes them: a dozen members a key, with its certificates.
	wide := jwkOf(t, jose.ES256, jwk{
		"x5c": []any{"MII", "MII", "MII"}, "x5t": "a", "x5t#S256": "b", "issuer": "https://login.example", "cloud_instance_name": "c",
	})
	check := func(n, limit int, want bool) {
		t.Helper()
		list := make([]any, n)
		for i := range list {
			list[i] = with(wide, jwk{"kid": fmt.Sprint(i)})
		}
		p, err := keys.ParseJWKS(setOf(t, list...), keys.Options{MaxKeys: limit, Intern: keys.NewInterner()})
		if ok := err == nil && len(p.Entries) == n; ok != want {
			t.Errorf("%d keys, max_keys %d: %d entries, %v, want accepted %v", n, limit, len(p.Entries), err, want)
		}
		if !want && (err == nil || !strings.Contains(err.Error(), "max_keys")) {
			t.Errorf("%d keys, max_keys %d: error %v does not name the setting", n, limit, err)
		}
	}
	check(1, 1, true)
	check(2, 1, false)
	check(100, 0, true)
	check(101, 0, false)
	check(1000, 1000, true) // the most that config permits
	check(1001, 1000, false)
	// Keys that would be skipped count too: the bound is on work.
	bad := make([]any, 101)
	if _, err := keys.ParseJWKS(setOf(t, bad...), keys.Options{}); err == nil {
		t.Error("101 elements that are no keys were read under the default of 100")
	}
}

func TestKeySetDuplicateKid(t *testing.T) {
	second := func(alg jose.Alg) jwk {
		s, err := demo.NewSigner(alg, "same", 0)
		if err != nil {
			t.Fatal(err)
		}
		j, err := s.JWK(false)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	a := jwkOf(t, jose.ES256, jwk{"kid": "same"})
	check := func(name string, want int, alg jose.Alg, list ...any) {
		t.Helper()
		p, err := keys.ParseJWKS(setOf(t, list...), keys.Options{Intern: keys.NewInterner()})
		if err != nil || len(p.Entries) != len(list) {
			t.Fatalf("%s: ParseJWKS = %+v, %v", name, p, err)
		}
		var wantKey *verify.Key
		if want >= 0 {
			wantKey = p.Entries[want].Key
		}
		set := verify.NewKeySet(p.Entries)
		if got := set.Lookup([]byte("same"), true, alg); got != wantKey {
			t.Errorf("%s: Lookup(same, %s) = %p, want %p (entry %d)", name, alg, got, wantKey, want)
		}
	}
	check("other algorithm", 0, jose.ES256, a, second(jose.ES384))
	check("other algorithm, its key", 1, jose.ES384, a, second(jose.ES384))
	check("same algorithm", -1, jose.ES256, a, second(jose.ES256))
	check("same algorithm, the other way round", -1, jose.ES256, second(jose.ES256), a)
	check("the same key twice", 0, jose.ES256, a, a)
	check("the same key twice and another", -1, jose.ES256, a, second(jose.ES256), a)
	check("RS256 and PS256", 1, jose.PS256, jwkOf(t, jose.RS256, jwk{"kid": "same"}), jwkOf(t, jose.RS256, jwk{"kid": "same", "alg": "PS256"}))
}

func TestNewSecret(t *testing.T) {
	secret := []byte("correct horse battery staple, correct horse battery staple, 64!!")
	for alg, size := range map[jose.Alg]int{jose.HS256: 32, jose.HS384: 48, jose.HS512: 64} {
		for _, n := range []int{0, 1, size - 1} {
			if _, err := keys.NewSecret(secret[:n], "k", alg); err == nil {
				t.Errorf("NewSecret(%d octets, %s) accepted, want at least %d (RFC 7518, 3.2)", n, alg, size)
			} else if n > 8 && strings.Contains(err.Error(), string(secret[:n])) {
				t.Errorf("NewSecret(%d octets, %s): the error holds the secret: %v", n, alg, err)
			}
		}
		e, err := keys.NewSecret(secret[:size], "k", alg)
		if err != nil || e.Kid != "k" || !e.HasKid || e.Key.Alg() != alg {
			t.Errorf("NewSecret(%d octets, %s) = %+v, %v", size, alg, e, err)
		}
	}
	if e, err := keys.NewSecret(secret, "", jose.HS256); err != nil || e.HasKid {
		t.Errorf("NewSecret without kid = %+v, %v, want no kid", e, err)
	}
	for alg := jose.AlgInvalid; alg < jose.NumAlgs; alg++ {
		if _, err := keys.NewSecret(secret, "k", alg); (err == nil) != alg.Symmetric() {
			t.Errorf("NewSecret(%s) = %v, want a key %v", alg, err, alg.Symmetric())
		}
	}
}

func TestInternerKeepsPointers(t *testing.T) {
	in := keys.NewInterner()
	parse := func(in *keys.Interner, list ...any) []*verify.Key {
		t.Helper()
		p, err := keys.ParseJWKS(setOf(t, list...), keys.Options{Intern: in, Algs: jose.NewAlgSet(jose.Ed25519, jose.EdDSA)})
		if err != nil || len(p.Skipped) != 0 {
			t.Fatalf("ParseJWKS = %+v, %v", p, err)
		}
		var ks []*verify.Key
		for _, e := range p.Entries {
			ks = append(ks, e.Key)
		}
		return ks
	}
	ec, rsa, akp := jwkOf(t, jose.ES256), jwkOf(t, jose.RS256), jwkOf(t, jose.MLDSA44)
	first := parse(in, ec, rsa, akp)
	// The order, the kid and what else stands in the JWK are not material.
	again := parse(in, with(akp, jwk{"kid": "new"}), ec, with(rsa, jwk{"kid": drop, "use": drop, "x5t": "x"}))
	if again[0] != first[2] || again[1] != first[0] || again[2] != first[1] {
		t.Errorf("equal material gave other keys: %p then %p", first, again)
	}
	// The algorithm is: one key, one algorithm.
	if ps := parse(in, with(rsa, jwk{"alg": "PS256"}))[0]; ps == first[1] || ps.Alg() != jose.PS256 {
		t.Errorf("RS256 and PS256 share a key, %p", ps)
	}
	if both := parse(in, jwkOf(t, jose.Ed25519, jwk{"alg": drop})); len(both) != 2 || both[0] == both[1] {
		t.Errorf("an Ed25519 key for Ed25519 and EdDSA gave %p, want two keys", both)
	}
	// Another issuer has another Interner, and its keys are never ours though the material is.
	if other := parse(keys.NewInterner(), ec)[0]; other == first[0] || other.Fingerprint() != first[0].Fingerprint() {
		t.Errorf("another Interner gave %p (fingerprint %x), want another key of equal material", other, other.Fingerprint())
	}
	if none := parse(nil, ec, ec); none[0] == none[1] {
		t.Error("without an Interner two keys are one")
	}
	p, err := keys.ParsePEM(pkixOf(t, signerOf(t, jose.ES256).Public()), "pem", jose.ES256, keys.Options{Intern: in})
	if err != nil || p.Entries[0].Key != first[0] {
		t.Errorf("the same key as PEM = %p, %v, want %p", p.Entries[0].Key, err, first[0])
	}
}

func TestInternerSweep(t *testing.T) {
	in := keys.NewInterner()
	parse := func(list ...any) keys.Parsed {
		t.Helper()
		p, err := keys.ParseJWKS(setOf(t, list...), keys.Options{Intern: in})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ec, ed := jwkOf(t, jose.ES256), jwkOf(t, jose.EdDSA)
	both := parse(ec, ed)
	in.Sweep(verify.NewKeySet(both.Entries))
	if again := parse(ec, ed); again.Entries[0].Key != both.Entries[0].Key || again.Entries[1].Key != both.Entries[1].Key {
		t.Error("a Sweep that dropped nothing changed a key's pointer")
	}
	in.Sweep(verify.NewKeySet(both.Entries[:1]))
	again := parse(ec, ed)
	if again.Entries[0].Key != both.Entries[0].Key {
		t.Error("a current key lost its pointer in a Sweep")
	}
	if again.Entries[1].Key == both.Entries[1].Key {
		t.Error("a key that was gone came back with its old pointer, and with whatever hangs on that")
	}
}

func TestInternerConcurrently(t *testing.T) {
	in := keys.NewInterner()
	_, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]*verify.Key, 16)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			k, err := verify.NewKey(jose.EdDSA, priv.Public())
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = in.Intern(k)
			in.Sweep(verify.NewKeySet([]verify.KeyEntry{{Key: got[i]}}))
		})
	}
	wg.Wait()
	for i, k := range got {
		if k == nil || k != got[0] {
			t.Errorf("goroutine %d got %p, goroutine 0 %p, want one key", i, k, got[0])
		}
	}
}

// Keys are bound to their issuer: neither an equal kid nor equal material lets one issuer's key speak for another.
func TestKeysOfOneIssuerNeverServeAnother(t *testing.T) {
	const now = 1_800_000_000
	issuer := func(name string, algs jose.AlgSet, list ...any) *verify.Issuer {
		t.Helper()
		p, err := keys.ParseJWKS(setOf(t, list...), keys.Options{Algs: algs, Intern: keys.NewInterner()})
		if err != nil || len(p.Entries) == 0 {
			t.Fatalf("ParseJWKS = %+v, %v", p, err)
		}
		is := &verify.Issuer{
			Name: name, Audiences: []string{"api"}, Algs: algs, Type: verify.TypeAccessToken, Keys: new(verify.KeyStore),
		}
		is.Keys.Store(verify.NewKeySet(p.Entries))
		return is
	}
	signer := func(alg jose.Alg, kid string) *demo.Signer {
		t.Helper()
		s, err := demo.NewSigner(alg, kid, 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	public := func(s *demo.Signer) jwk {
		t.Helper()
		j, err := s.JWK(false)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	a, b, shared := signer(jose.ES256, "1"), signer(jose.ES256, "1"), signer(jose.Ed25519, "shared")
	v, err := verify.NewVerifier([]*verify.Issuer{
		issuer("https://a.example", jose.NewAlgSet(jose.ES256, jose.Ed25519), public(a), public(shared)),
		issuer("https://b.example", jose.NewAlgSet(jose.ES256), public(b), public(shared)),
		issuer("https://a.example/", jose.NewAlgSet(jose.ES256), public(b)),
	}, verify.Options{MaxTokenBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	check := func(s *demo.Signer, iss string, want verify.Reason) {
		t.Helper()
		token, err := s.Sign("at+jwt", map[string]any{"iss": iss, "aud": "api", "exp": now + 60, "iat": now})
		if err != nil {
			t.Fatal(err)
		}
		var tok verify.Token
		err = v.Verify(&tok, []byte(token), now, netip.Addr{})
		if got := verify.ReasonOf(err); got != want {
			t.Errorf("a token of kid %q that says iss %q: %v, want %v", s.Kid, iss, got, want)
		}
		if err == nil && (tok.Issuer().Name != iss || !tok.Issuer().Keys.Load().Contains(tok.Key())) {
			t.Errorf("a token of iss %q was verified for %q with a key that is not in its set", iss, tok.Issuer().Name)
		}
	}
	check(a, "https://a.example", verify.ReasonOf(nil))
	check(b, "https://b.example", verify.ReasonOf(nil))
	check(b, "https://a.example/", verify.ReasonOf(nil))
	check(b, "https://a.example", verify.ReasonSignature)
	check(a, "https://b.example", verify.ReasonSignature)
	check(a, "https://a.example/", verify.ReasonSignature)
	check(a, "https://A.example", verify.ReasonUnverified)
	check(shared, "https://a.example", verify.ReasonOf(nil))
	check(shared, "https://b.example", verify.ReasonAlgorithm) // published there, for an algorithm that b does not use
}
