package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/jose"
)

func block(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

// pkixOf returns a PUBLIC KEY block.
func pkixOf(t testing.TB, pub any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return block("PUBLIC KEY", der)
}

// certOf returns a self-signed certificate's DER, valid from start for an hour.
func certOf(t testing.TB, key crypto.Signer, start time.Time) []byte {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "key"}, NotBefore: start, NotAfter: start.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// privateOf returns a private key of the kind, made once.
func privateOf(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	if k := privates[kind]; k != nil {
		return k
	}
	var k crypto.Signer
	var err error
	switch kind {
	case "RSA":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "Ed25519":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	case "P-224":
		k, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "P-256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	privates[kind] = k
	return k
}

var (
	privates = map[string]crypto.Signer{}
	pemKinds = map[string][]jose.Alg{
		"RSA":   {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512},
		"P-224": nil, "P-256": {jose.ES256}, "P-384": {jose.ES384}, "P-521": {jose.ES512},
		"Ed25519": {jose.Ed25519, jose.EdDSA},
	}
)

// Each kind of key, in each form, serves the algorithms that fit it and no other: the alg is the config's, but it cannot turn
// one key into another, an RSA key into an HMAC secret least of all.
func TestParsePEMEveryKey(t *testing.T) {
	for kind, fitting := range pemKinds {
		priv := privateOf(t, kind)
		forms := map[string][]byte{
			"PKIX": pkixOf(t, priv.Public()), "certificate": block("CERTIFICATE", certOf(t, priv, time.Now())),
			"expired certificate": block("CERTIFICATE", certOf(t, priv, time.Now().AddDate(-9, 0, 0))), // only its key is used
		}
		if pub, ok := priv.Public().(*rsa.PublicKey); ok {
			forms["PKCS #1"] = block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(pub))
		}
		for form, data := range forms {
			for alg := jose.AlgInvalid; alg < jose.NumAlgs; alg++ {
				p, err := keys.ParsePEM(data, "k", alg, keys.Options{})
				if !slices.Contains(fitting, alg) {
					if err == nil {
						t.Errorf("ParsePEM(%s key as %s, %s) accepted", kind, form, alg)
					}
					continue
				}
				if err != nil || len(p.Entries) != 1 || p.Entries[0].Key.Alg() != alg || p.Entries[0].Kid != "k" || !p.Entries[0].HasKid {
					t.Errorf("ParsePEM(%s key as %s, %s) = %+v, %v", kind, form, alg, p, err)
					continue
				}
				want, err := verify.NewKey(alg, priv.Public())
				if err != nil || p.Entries[0].Key.Fingerprint() != want.Fingerprint() {
					t.Errorf("ParsePEM(%s key as %s, %s) has other material than the key, %v", kind, form, alg, err)
				}
			}
		}
	}
}

// rejectsPEM returns a check that data is refused for every algorithm, and for alg because of why.
func rejectsPEM(t *testing.T) func(name string, data []byte, alg jose.Alg, why string) {
	return func(name string, data []byte, alg jose.Alg, why string) {
		t.Helper()
		for a := jose.AlgInvalid; a < jose.NumAlgs; a++ {
			p, err := keys.ParsePEM(data, "k", a, keys.Options{MaxRSABits: 8192})
			if err == nil || len(p.Entries) != 0 {
				t.Errorf("%s: ParsePEM(%.400q, %s) accepted", name, data, a)
			}
			if a == alg && err != nil && !strings.Contains(err.Error(), why) {
				t.Errorf("%s: ParsePEM(%s) = %v, want an error with %q", name, a, err, why)
			}
		}
	}
}

func TestParsePEMRejectsPrivateKeys(t *testing.T) {
	check := rejectsPEM(t)
	for _, kind := range []string{"RSA", "P-256", "Ed25519"} {
		priv := privateOf(t, kind)
		der, err := x509.MarshalPKCS8PrivateKey(priv)
		if err != nil {
			t.Fatal(err)
		}
		check(kind+" PKCS #8", block("PRIVATE KEY", der), jose.RS256, "private key")
		check(kind+" encrypted", block("ENCRYPTED PRIVATE KEY", der), jose.RS256, "private key")
		check(kind+" OpenSSH", block("OPENSSH PRIVATE KEY", der), jose.RS256, "private key")
		// Named as if it were public: the DER says what it is.
		check(kind+" mislabelled", block("PUBLIC KEY", der), jose.RS256, "PUBLIC KEY")
		check(kind+" mislabelled as a certificate", block("CERTIFICATE", der), jose.RS256, "CERTIFICATE")
		check(kind+" after its public key", append(pkixOf(t, priv.Public()), block("PRIVATE KEY", der)...), jose.RS256, "one block")
		check(kind+" before its public key", append(block("PRIVATE KEY", der), pkixOf(t, priv.Public())...), jose.RS256, "one block")
	}
	check("PKCS #1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(privateOf(t, "RSA").(*rsa.PrivateKey))), jose.RS256, "private key")
	sec1, err := x509.MarshalECPrivateKey(privateOf(t, "P-256").(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	check("SEC 1", block("EC PRIVATE KEY", sec1), jose.ES256, "private key")
}

func TestParsePEMRejectsMoreThanOneBlock(t *testing.T) {
	check := rejectsPEM(t)
	one, two := pkixOf(t, privateOf(t, "P-256").Public()), pkixOf(t, privateOf(t, "Ed25519").Public())
	cert := block("CERTIFICATE", certOf(t, privateOf(t, "P-256"), time.Now()))
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	check("empty", nil, jose.ES256, "no PEM block")
	check("text", []byte("secret"), jose.ES256, "no PEM block")
	check("DER", certOf(t, privateOf(t, "P-256"), time.Now()), jose.ES256, "no PEM block")
	check("a JWK", marshal(t, jwkOf(t, jose.ES256)), jose.ES256, "no PEM block")
	check("two keys", join(one, two), jose.ES256, "one block")
	check("the same key twice", join(one, one), jose.ES256, "one block")
	check("a chain", join(cert, cert), jose.ES256, "one block")
	check("text after it", join(one, []byte("key of 2026\n")), jose.ES256, "one block")
	check("a begun block after it", join(one, []byte("-----BEGIN PUBLIC KEY-----\n")), jose.ES256, "one block")
	check("NUL after it", join(one, []byte{0}), jose.ES256, "one block")
	// pem.Decode steps over a damaged block. Whoever put two there may have meant the first.
	damaged := bytes.Replace(one, []byte("KoZI"), []byte("Ko*I"), 1)
	if bytes.Equal(damaged, one) {
		t.Fatal("nothing was damaged")
	}
	check("a damaged key before it", join(damaged, two), jose.EdDSA, "one block")
	check("a block without end before it", join(one[:len(one)/2], []byte("\n"), two), jose.EdDSA, "one block")
	check("end of another type", bytes.Replace(one, []byte("END PUBLIC"), []byte("END PRIVATE"), 1), jose.ES256, "no PEM block")

	good := func(name string, data []byte) {
		t.Helper()
		if _, err := keys.ParsePEM(data, "", jose.ES256, keys.Options{}); err != nil {
			t.Errorf("%s: ParsePEM(%q) = %v", name, data, err)
		}
	}
	good("white space around it", join([]byte("\n\n"), one, []byte(" \r\n\t\n")))
	good("CRLF", bytes.ReplaceAll(one, []byte("\n"), []byte("\r\n")))
	good("no line end at the end", bytes.TrimSpace(one))
	good("the readable form before it, as openssl x509 -text writes", join([]byte("Certificate:\n    Data:\n"), cert))
}

func TestParsePEMRejectsOtherBlocks(t *testing.T) {
	check := rejectsPEM(t)
	spki := func(pub any) []byte {
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	der := spki(privateOf(t, "P-256").Public())
	for _, typ := range []string{"CERTIFICATE REQUEST", "X509 CRL", "EC PARAMETERS", "TRUSTED CERTIFICATE", "public key", "PUBLIC KEY ", "EC PUBLIC KEY", ""} {
		check("type "+typ, []byte(fmt.Sprintf("-----BEGIN %s-----\n%s\n-----END %[1]s-----\n", typ, b64PEM(der))), jose.ES256, "PEM")
	}
	check("an empty block", block("PUBLIC KEY", nil), jose.ES256, "PUBLIC KEY")
	check("octets after the key", block("PUBLIC KEY", append(slices.Clone(der), 0)), jose.ES256, "trailing")
	check("PKCS #1 as PKIX", block("PUBLIC KEY", x509.MarshalPKCS1PublicKey(privateOf(t, "RSA").Public().(*rsa.PublicKey))), jose.RS256, "PUBLIC KEY")
	check("PKIX as PKCS #1", block("RSA PUBLIC KEY", spki(privateOf(t, "RSA").Public())), jose.RS256, "RSA PUBLIC KEY")

	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	check("X25519", pkixOf(t, x25519.PublicKey()), jose.EdDSA, "")
	check("P-224", pkixOf(t, privateOf(t, "P-224").Public()), jose.ES256, "curve")
	check("DSA", block("PUBLIC KEY", dsaSPKI(t)), jose.RS256, "unsupported key type *dsa.PublicKey")
}

func b64PEM(der []byte) string {
	b := block("X", der)
	b = bytes.TrimPrefix(b, []byte("-----BEGIN X-----\n"))
	return strings.TrimSpace(string(bytes.TrimSuffix(b, []byte("-----END X-----\n"))))
}

// dsaSPKI makes a SubjectPublicKeyInfo of a DSA key (RFC 3279, 2.3.2), which x509 still reads.
func dsaSPKI(t *testing.T) []byte {
	t.Helper()
	params := struct{ P, Q, G *big.Int }{modulus(1024), modulus(160), big.NewInt(2)}
	y, err := asn1.Marshal(big.NewInt(4))
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		Algorithm struct {
			OID    asn1.ObjectIdentifier
			Params any
		}
		Key asn1.BitString
	}{
		Algorithm: struct {
			OID    asn1.ObjectIdentifier
			Params any
		}{asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}, params},
		Key: asn1.BitString{Bytes: y, BitLength: 8 * len(y)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestParsePEMRejectsBadRSA(t *testing.T) {
	check := rejectsPEM(t)
	pub := privateOf(t, "RSA").Public().(*rsa.PublicKey)
	pkcs1 := func(n, e *big.Int) []byte {
		der, err := asn1.Marshal(struct{ N, E *big.Int }{n, e})
		if err != nil {
			t.Fatal(err)
		}
		return block("RSA PUBLIC KEY", der)
	}
	f4 := big.NewInt(65537)
	if _, err := keys.ParsePEM(pkcs1(pub.N, f4), "", jose.RS256, keys.Options{}); err != nil {
		t.Fatalf("ParsePEM(a good key) = %v", err)
	}
	check("negative modulus", pkcs1(new(big.Int).Neg(pub.N), f4), jose.RS256, "negative")
	check("modulus 0", pkcs1(new(big.Int), f4), jose.RS256, "zero")
	check("even modulus", pkcs1(new(big.Int).Lsh(modulus(2047), 1), f4), jose.RS256, "even")
	check("2047 bits", pkcs1(modulus(2047), f4), jose.RS256, "too short")
	check("8193 bits", pkcs1(modulus(8193), f4), jose.RS256, "too long")
	check("e = 1", pkcs1(pub.N, big.NewInt(1)), jose.RS256, "exponent")
	check("e = 3", pkcs1(pub.N, big.NewInt(3)), jose.RS256, "exponent")
	check("e = 65538", pkcs1(pub.N, big.NewInt(65538)), jose.RS256, "even")
	check("e = -65537", pkcs1(pub.N, big.NewInt(-65537)), jose.RS256, "")
	check("e = 2^31 + 1", pkcs1(pub.N, big.NewInt(1<<31+1)), jose.RS256, "")
	check("e = 2^64 + 65537", pkcs1(pub.N, new(big.Int).SetBit(f4, 64, 1)), jose.RS256, "")
	check("ROCA", pkcs1(rocaModulus(t), big.NewInt(65537)), jose.RS256, "ROCA")

	opt := keys.Options{MaxRSABits: 3072}
	if _, err := keys.ParsePEM(pkcs1(modulus(3073), big.NewInt(65537)), "", jose.PS256, opt); err == nil {
		t.Error("ParsePEM(a modulus of 3073 bits) accepted with max_rsa_bits 3072")
	}
}

// x509 says nil, or an error, for keys that it does not know. Nothing of that may be taken for a key.
func TestParsePEMRejectsOtherSPKI(t *testing.T) {
	check := rejectsPEM(t)
	replaced := func(der, old, now []byte) []byte {
		t.Helper()
		if bytes.Count(der, old) != 1 {
			t.Fatalf("%x is %d times in %x", old, bytes.Count(der, old), der)
		}
		return bytes.Replace(der, old, now, 1)
	}
	spki := func(kind string) []byte {
		t.Helper()
		der, err := x509.MarshalPKIXPublicKey(privateOf(t, kind).Public())
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	// rsaEncryption becomes id-RSASSA-PSS (RFC 4055): one octet in the OID.
	rsaOID := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1}
	pssOID := append(slices.Clone(rsaOID[:8]), 10)
	check("RSASSA-PSS", block("PUBLIC KEY", replaced(spki("RSA"), rsaOID, pssOID)), jose.PS256, "unknown public key algorithm")
	cert := certOf(t, privateOf(t, "RSA"), time.Now())
	check("certificate with RSASSA-PSS", block("CERTIFICATE", replaced(cert, rsaOID, pssOID)), jose.PS256, "unknown type")

	// id-Ed25519 is 1.3.101.112; …113 is Ed448, which x509 does not know, and …110 is X25519.
	ed, ed25519OID := spki("Ed25519"), []byte{0x06, 3, 0x2b, 0x65, 0x70}
	check("Ed448's OID", block("PUBLIC KEY", replaced(ed, ed25519OID, []byte{0x06, 3, 0x2b, 0x65, 0x71})), jose.EdDSA, "")
	check("X25519's OID", block("PUBLIC KEY", replaced(ed, ed25519OID, []byte{0x06, 3, 0x2b, 0x65, 0x6e})), jose.EdDSA, "")
	pub := privateOf(t, "Ed25519").Public().(ed25519.PublicKey)
	for _, h := range weakEd25519 {
		var weak []byte
		fmt.Sscanf(h, "%x", &weak)
		check("Ed25519 "+h, block("PUBLIC KEY", replaced(ed, pub, weak)), jose.EdDSA, "public key is")
	}
	// The curve's OID changed from P-256 (1.2.840.10045.3.1.7) to another, and its point taken off it.
	ec, p256OID := spki("P-256"), []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}
	check("an unknown curve", block("PUBLIC KEY", replaced(ec, p256OID, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 6})), jose.ES256, "")
	off := slices.Clone(ec)
	off[len(off)-1] ^= 1
	check("off the curve", block("PUBLIC KEY", off), jose.ES256, "")
	infinity, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
			Parameters: asn1.RawValue{FullBytes: append([]byte{6, 8}, p256OID...)},
		},
		asn1.BitString{Bytes: []byte{0}, BitLength: 8},
	})
	if err != nil {
		t.Fatal(err)
	}
	check("the point at infinity", block("PUBLIC KEY", infinity), jose.ES256, "")
}

func TestParsePEMKid(t *testing.T) {
	p, err := keys.ParsePEM(pkixOf(t, privateOf(t, "P-256").Public()), "", jose.ES256, keys.Options{})
	if err != nil || p.Entries[0].HasKid {
		t.Fatalf("ParsePEM without kid = %+v, %v, want no kid", p, err)
	}
	// Without a kid it is the key of all tokens of its algorithm, and of those only.
	set := verify.NewKeySet(p.Entries)
	for _, alg := range publicAlgs {
		got := set.Lookup([]byte("any"), true, alg)
		if (got == p.Entries[0].Key) != (alg == jose.ES256) || (got != nil) != (alg == jose.ES256) {
			t.Errorf("Lookup(any, %s) = %p with an ES256 key alone", alg, got)
		}
	}
}
