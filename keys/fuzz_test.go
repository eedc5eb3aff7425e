package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// reference returns the algorithms that the JWK raw may be used with, or an error when it must not be accepted. It reads it
// with encoding/json and encoding/base64, and states the rules of SECURITY notes 1.3 a second time.
func reference(raw []byte, opt keys.Options) ([]jose.Alg, error) {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, errors.New("not an object")
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		if _, ok := m[name]; ok {
			return nil, fmt.Errorf("private member %s", name)
		}
	}
	if use, ok := m["use"]; ok && use != "sig" {
		return nil, errors.New("use")
	}
	if ops, ok := m["key_ops"]; ok {
		if list, _ := ops.([]any); !slices.Contains(list, any("verify")) {
			return nil, errors.New("key_ops")
		}
	}
	if kid, ok := m["kid"]; ok {
		if s, isString := kid.(string); !isString || len(s) > 256 {
			return nil, errors.New("kid")
		}
	}
	fitting, err := referenceType(m, opt)
	if err != nil {
		return nil, err
	}
	if alg, ok := m["alg"]; ok {
		i := slices.IndexFunc(fitting, func(a jose.Alg) bool { return any(a.String()) == alg })
		if i < 0 {
			return nil, errors.New("alg")
		}
		return fitting[i : i+1], nil
	}
	if m["kty"] == "AKP" {
		return nil, errors.New("AKP without alg")
	}
	if opt.Algs == 0 {
		return fitting[:1], nil
	}
	return slices.DeleteFunc(fitting, func(a jose.Alg) bool { return !opt.Algs.Has(a) }), nil
}

func referenceType(m map[string]any, opt keys.Options) ([]jose.Alg, error) {
	octets := func(name string) []byte {
		s, _ := m[name].(string)
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != s {
			return nil
		}
		return b
	}
	switch m["kty"] {
	case "RSA":
		n, e := new(big.Int).SetBytes(octets("n")), new(big.Int).SetBytes(octets("e"))
		limit := opt.MaxRSABits
		if limit == 0 {
			limit = 4096
		}
		if n.BitLen() < 2048 || n.BitLen() > min(limit, 8192) || n.Bit(0) == 0 || len(octets("n")) != (n.BitLen()+7)/8 {
			return nil, errors.New("modulus")
		}
		if e.Cmp(big.NewInt(65537)) < 0 || e.BitLen() > 31 || e.Bit(0) == 0 || len(octets("e")) != (e.BitLen()+7)/8 {
			return nil, errors.New("exponent")
		}
		return slices.Clone(pemKinds["RSA"]), nil
	case "EC":
		curve := map[any]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[m["crv"]]
		if curve == nil {
			return nil, errors.New("crv")
		}
		params, x, y := curve.Params(), octets("x"), octets("y")
		if size := (params.BitSize + 7) / 8; len(x) != size || len(y) != size {
			return nil, errors.New("length")
		}
		// y² = x³ − 3x + b, with both below p.
		bx, by := new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)
		right := new(big.Int).Mul(bx, bx)
		right.Sub(right, big.NewInt(3)).Mul(right, bx).Add(right, params.B).Mod(right, params.P)
		left := new(big.Int).Mul(by, by)
		if bx.Cmp(params.P) >= 0 || by.Cmp(params.P) >= 0 || left.Mod(left, params.P).Cmp(right) != 0 {
			return nil, errors.New("curve")
		}
		return slices.Clone(pemKinds[params.Name]), nil
	case "OKP":
		x := octets("x")
		switch m["crv"] {
		case "Ed25519":
			if len(x) != 32 || slices.Contains(weakEd25519, hex.EncodeToString(x)) {
				return nil, errors.New("x")
			}
			return []jose.Alg{jose.Ed25519, jose.EdDSA}, nil
		case "Ed448":
			if len(x) != 57 || x[56]&0x7f != 0 {
				return nil, errors.New("x")
			}
			return []jose.Alg{jose.Ed448, jose.EdDSA}, nil
		}
	case "AKP":
		for alg, size := range map[jose.Alg]int{jose.MLDSA44: 1312, jose.MLDSA65: 1952, jose.MLDSA87: 2592} {
			if m["alg"] == alg.String() && len(octets("pub")) == size {
				return []jose.Alg{alg}, nil
			}
		}
	}
	return nil, errors.New("type")
}

// FuzzJWKS looks for a panic, and for a key that is accepted against the reference's rules or for another algorithm. A set is
// read key by key: what it gives is what its keys give one by one, with or without an Interner, today and tomorrow.
func FuzzJWKS(f *testing.F) {
	algSets := []jose.AlgSet{
		0, jose.NewAlgSet(jose.RS256, jose.PS256, jose.ES256, jose.EdDSA), jose.NewAlgSet(jose.HS256), jose.NewAlgSet(publicAlgs...),
	}
	var all []any
	for _, alg := range publicAlgs {
		all = append(all, jwkOf(f, alg))
		f.Add(setOf(f, jwkOf(f, alg)), uint8(0))
		f.Add(setOf(f, jwkOf(f, alg, jwk{"alg": drop, "kid": drop})), uint8(1))
	}
	f.Add(setOf(f, all...), uint8(3))
	f.Add(setOf(f, jwkOf(f, jose.ES256), jwkOf(f, jose.ES256), 5, nil, jwk{"kty": "oct", "k": "AAAA"}), uint8(2))
	f.Add(setOf(f, rsaJWK("short", modulus(2047), 65537), rsaJWK("long", modulus(4097), 65537), rsaJWK("e", modulus(2048), 3)), uint8(0))
	f.Add(setOf(f, jwkOf(f, jose.ES256, jwk{"use": "sig", "key_ops": []any{"verify", "sign"}, "d": "AA"})), uint8(0))
	for _, h := range weakEd25519 {
		b, err := hex.DecodeString(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(setOf(f, jwkOf(f, jose.EdDSA, jwk{"x": b64.EncodeToString(b)})), uint8(0))
	}
	f.Add([]byte(`{"keys":[],"\u006beys":[]}`), uint8(0))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`), uint8(0))
	f.Add([]byte("{\"keys\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, choice uint8) {
		opt := keys.Options{Algs: algSets[int(choice)%len(algSets)]}
		p, err := keys.ParseJWKS(data, opt)
		if err != nil {
			if len(p.Entries)+len(p.Skipped) != 0 {
				t.Fatalf("ParseJWKS(%q) gave %+v with the error %v", data, p, err)
			}
			return
		}
		var set struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(exactKeys(t, data), &set.Keys); err != nil {
			t.Fatalf("ParseJWKS(%q) accepted what encoding/json does not: %v", data, err)
		}
		if len(set.Keys) > 100 {
			t.Fatalf("ParseJWKS took a set of %d keys", len(set.Keys))
		}
		var want []verify.KeyEntry
		skipped := 0
		for i, raw := range set.Keys {
			one, err := keys.ParseJWK(raw, opt)
			if err != nil {
				if skipped >= len(p.Skipped) || p.Skipped[skipped].Index != i || len(p.Skipped[skipped].Why) > 200 {
					t.Fatalf("ParseJWKS(%q): key %d is %v alone, and skipped in the set are %+v", data, i, err, p.Skipped)
				}
				skipped++
				continue
			}
			algs, err := reference(raw, opt)
			if got := algsOf(one); err != nil || !slices.Equal(got, algs) || len(got) == 0 {
				t.Fatalf("ParseJWK(%q) for %v, the rules give %v, %v", raw, got, algs, err)
			}
			want = append(want, one.Entries...)
		}
		in := keys.NewInterner()
		opt.Intern = in
		for range 2 {
			again, err := keys.ParseJWKS(data, opt)
			if err != nil || len(again.Entries) != len(p.Entries) || len(again.Skipped) != skipped {
				t.Fatalf("ParseJWKS(%q) again = %+v, %v, before %+v", data, again, err, p)
			}
			for i, e := range again.Entries {
				if e.Key != in.Intern(e.Key) || e.Key.Fingerprint() != want[i].Key.Fingerprint() || e.Kid != want[i].Kid || e.HasKid != want[i].HasKid {
					t.Fatalf("ParseJWKS(%q): entry %d is %+v again, alone %+v", data, i, e, want[i])
				}
			}
		}
		checkSet(t, p.Entries)
	})
}

// exactKeys returns the value of the member "keys": a struct would take "KEYS" too.
func exactKeys(t *testing.T, data []byte) []byte {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("encoding/json cannot read %q: %v", data, err)
	}
	return m["keys"]
}

// checkSet reports look-ups in a set that give a key for another algorithm or one that is not in it.
func checkSet(t *testing.T, entries []verify.KeyEntry) {
	set := verify.NewKeySet(entries)
	for _, e := range entries {
		for alg := jose.AlgInvalid; alg < jose.NumAlgs; alg++ {
			k := set.Lookup([]byte(e.Kid), e.HasKid, alg)
			if k != nil && (k.Alg() != alg || !set.Contains(k) || alg.Symmetric()) {
				t.Fatalf("Lookup(%q, %v, %s) gave a key for %s", e.Kid, e.HasKid, alg, k.Alg())
			}
		}
		if e.Key.VerifySignature([]byte("h.p"), nil) || e.Key.VerifySignature(nil, make([]byte, 64)) {
			t.Fatalf("a %s key verifies no signature at all", e.Key.Alg())
		}
	}
}

// FuzzPEM looks for a panic, and for a key that is accepted though the text is not one block of it, or the algorithm not its.
func FuzzPEM(f *testing.F) {
	for kind, algs := range pemKinds {
		data := pkixOf(f, privateOf(f, kind).Public())
		for _, alg := range append(algs, jose.HS256) {
			f.Add(data, uint8(alg))
		}
	}
	rsaKey := privateOf(f, "RSA").(*rsa.PrivateKey)
	f.Add(block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)), uint8(jose.PS512))
	f.Add(block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), uint8(jose.RS256))
	der, err := x509.MarshalPKCS8PrivateKey(privateOf(f, "Ed25519"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block("PRIVATE KEY", der), uint8(jose.EdDSA))
	two := pkixOf(f, privateOf(f, "P-256").Public())
	f.Add(append(slices.Clone(two), two...), uint8(jose.ES256))
	f.Add(append([]byte("text\n-----BEGIN X-----\n*\n-----END X-----\n"), two...), uint8(jose.ES256))
	f.Fuzz(func(t *testing.T, data []byte, a uint8) {
		alg := jose.Alg(a)
		p, err := keys.ParsePEM(data, "k", alg, keys.Options{})
		if err != nil {
			if len(p.Entries) != 0 {
				t.Fatalf("ParsePEM(%q, %s) gave keys with the error %v", data, alg, err)
			}
			return
		}
		if len(p.Entries) != 1 || p.Entries[0].Key.Alg() != alg || p.Entries[0].Kid != "k" || bytes.Contains(data, []byte("PRIVATE KEY-----")) {
			t.Fatalf("ParsePEM(%q, %s) = %+v", data, alg, p)
		}
		b, rest := pem.Decode(data)
		if b == nil || len(bytes.TrimSpace(rest)) != 0 {
			t.Fatalf("ParsePEM(%q) accepted, though it is not one block", data)
		}
		var pub any
		switch b.Type {
		case "PUBLIC KEY":
			pub, err = x509.ParsePKIXPublicKey(b.Bytes)
		case "RSA PUBLIC KEY":
			pub, err = x509.ParsePKCS1PublicKey(b.Bytes)
		case "CERTIFICATE":
			var c *x509.Certificate
			if c, err = x509.ParseCertificate(b.Bytes); err == nil {
				pub = c.PublicKey
			}
		default:
			t.Fatalf("ParsePEM accepted a block of type %q", b.Type)
		}
		if err != nil || !slices.Contains(fittingOf(pub), alg) {
			t.Fatalf("ParsePEM(%q, %s) accepted a %T, %v", data, alg, pub, err)
		}
		checkSet(t, p.Entries)
	})
}

func fittingOf(pub any) []jose.Alg {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if bits := pub.N.BitLen(); bits < 2048 || bits > 4096 || pub.E < 65537 {
			return nil
		}
		return pemKinds["RSA"]
	case *ecdsa.PublicKey:
		return pemKinds[pub.Params().Name]
	case ed25519.PublicKey:
		return pemKinds["Ed25519"]
	}
	return nil
}
