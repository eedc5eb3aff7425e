package verify_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"

	"github.com/cloudflare/circl/sign/ed448"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// offCurve is not on P-256. A point can only be put together like this by hand.
//
//lint:ignore SA1019 that is the point
var offCurve = &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}

func TestNewKeyRejects(t *testing.T) {
	rs := signerOf(t, jose.RS256).Public().(*rsa.PublicKey)
	ec := signerOf(t, jose.ES256).Public().(*ecdsa.PublicKey)
	small := &rsa.PublicKey{N: new(big.Int).Rsh(rs.N, 1), E: 65537}
	small.N.SetBit(small.N, 0, 1)
	big8 := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4200), E: 65537}
	big8.N.Add(big8.N, big.NewInt(1))
	check := func(name string, alg jose.Alg, pub any) {
		t.Helper()
		if k, err := verify.NewKey(alg, pub); err == nil || k != nil {
			t.Errorf("%s: NewKey(%s) accepted", name, alg)
		}
	}
	check("2047 bits", jose.RS256, small)
	check("4201 bits", jose.RS256, big8)
	check("even modulus", jose.RS256, &rsa.PublicKey{N: new(big.Int).Add(rs.N, big.NewInt(1)), E: 65537})
	check("e = 1", jose.RS256, &rsa.PublicKey{N: rs.N, E: 1})
	check("e = 3", jose.RS256, &rsa.PublicKey{N: rs.N, E: 3})
	check("e even", jose.RS256, &rsa.PublicKey{N: rs.N, E: 65538})
	check("EC for RS", jose.RS256, ec)
	check("RSA for ES", jose.ES256, rs)
	check("P-256 for ES384", jose.ES384, ec)
	check("off curve", jose.ES256, offCurve)
	check("secret short", jose.HS256, make([]byte, 31))
	check("secret short 512", jose.HS512, make([]byte, 63))
	check("secret for RS", jose.RS256, make([]byte, 64))
	check("RSA for HS", jose.HS256, rs)
	check("unknown type", jose.RS256, "x")
	check("Ed length", jose.EdDSA, ed25519.PublicKey(make([]byte, 31)))
	check("alg invalid", jose.AlgInvalid, rs)
}

// smallOrder are the encodings of all points whose order divides 8, the non-canonical ones included.
func TestNewKeyRejectsSmallOrderEd25519(t *testing.T) {
	for _, h := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		// not canonical: y ≥ p, or x = 0 with its sign
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		// not on the curve
		"0200000000000000000000000000000000000000000000000000000000000000",
	} {
		key, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.NewKey(jose.EdDSA, ed25519.PublicKey(key)); err == nil {
			t.Errorf("NewKey(%s) accepted", h)
		}
	}
	for range 20 {
		pub, _, _ := ed25519.GenerateKey(nil)
		if _, err := verify.NewKey(jose.EdDSA, pub); err != nil {
			t.Errorf("NewKey(%x): %v", pub, err)
		}
	}
}

// The four points whose order divides 4, and the same and others in encodings that are not canonical (RFC 8032, 5.2.3).
func TestNewKeyRejectsSmallOrderEd448(t *testing.T) {
	p := new(big.Int).Lsh(big.NewInt(1), 448)
	p.Sub(p, new(big.Int).Lsh(big.NewInt(1), 224)).Sub(p, big.NewInt(1))
	check := func(what string, y *big.Int, sign byte) {
		t.Helper()
		key := littleEndianBytes(y, ed448.PublicKeySize)
		key[56] |= sign
		if _, err := verify.NewKey(jose.Ed448, ed448.PublicKey(key)); err == nil {
			t.Errorf("%s: NewKey(%x) accepted", what, key)
		}
	}
	add := func(n int64) *big.Int { return new(big.Int).Add(p, big.NewInt(n)) }
	check("identity", big.NewInt(1), 0)
	check("order 2", add(-1), 0)
	check("order 4", new(big.Int), 0)
	check("order 4, other sign", new(big.Int), 0x80)
	check("identity with a sign", big.NewInt(1), 0x80)
	check("order 2 with a sign", add(-1), 0x80)
	check("y = p", p, 0)
	check("y = p, sign", p, 0x80)
	check("y = p+1", add(1), 0)
	check("largest y", new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 448), big.NewInt(1)), 0)
	off := 0
	for y := int64(2); y < 40; y++ {
		key := littleEndianBytes(big.NewInt(y), ed448.PublicKeySize)
		_, err := verify.NewKey(jose.Ed448, ed448.PublicKey(key))
		key[56] = 1 // a bit above those of y
		if _, err := verify.NewKey(jose.Ed448, ed448.PublicKey(key)); err == nil {
			t.Errorf("NewKey(%x) accepted", key)
		}
		if err != nil {
			off++
		}
	}
	// About every other y is that of no point.
	if off == 0 || off == 38 {
		t.Errorf("%d of 38 small y are off the curve", off)
	}
	for range 5 {
		pub, _, err := ed448.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.NewKey(jose.Ed448, pub); err != nil {
			t.Errorf("NewKey(%x): %v", pub, err)
		}
	}
}

// Who changes or wipes what he gave to NewKey changes nothing.
func TestNewKeyCopies(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	edKey := slices.Clone(signerOf(t, jose.EdDSA).Public().(ed25519.PublicKey))
	rsaKey := *signerOf(t, jose.RS256).Public().(*rsa.PublicKey)
	rsaKey.N = new(big.Int).Set(rsaKey.N)
	for alg, c := range map[jose.Alg]struct {
		public any
		spoil  func()
	}{
		jose.HS256: {secret, func() { clear(secret) }},
		jose.EdDSA: {edKey, func() { clear(edKey) }},
		jose.RS256: {&rsaKey, func() { rsaKey.N.SetInt64(1); rsaKey.E = 3 }},
	} {
		signer := signerOf(t, alg)
		if alg == jose.HS256 {
			var err error
			signer, err = demo.ParseSigner([]byte(`{"kty":"oct","alg":"HS256","k":"` + b64.EncodeToString(secret) + `"}`))
			if err != nil {
				t.Fatal(err)
			}
		}
		input := []byte("header.payload")
		sig, err := signer.Signature(input)
		if err != nil {
			t.Fatal(err)
		}
		k, err := verify.NewKey(alg, c.public)
		if err != nil {
			t.Fatal(err)
		}
		before := k.Fingerprint()
		c.spoil()
		if !k.VerifySignature(input, sig) || k.Fingerprint() != before {
			t.Errorf("%s: the key changed with what it was made of", alg)
		}
	}
}

// Equal fingerprints are equal keys: the algorithm is part of it.
func TestFingerprints(t *testing.T) {
	seen := map[[32]byte]string{}
	add := func(name string, alg jose.Alg, public any) {
		t.Helper()
		k, err := verify.NewKey(alg, public)
		if err != nil {
			t.Fatal(err)
		}
		again, err := verify.NewKey(alg, public)
		if err != nil {
			t.Fatal(err)
		}
		if k.Fingerprint() != again.Fingerprint() {
			t.Errorf("%s: two fingerprints of one key", name)
		}
		if other, ok := seen[k.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[k.Fingerprint()] = name
	}
	rs, ed := signerOf(t, jose.RS256).Public(), signerOf(t, jose.EdDSA).Public()
	for _, alg := range []jose.Alg{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512} {
		add(alg.String(), alg, rs)
	}
	add("EdDSA", jose.EdDSA, ed)
	add("Ed25519", jose.Ed25519, ed)
	add("EdDSA of Ed448", jose.EdDSA, signerOf(t, jose.Ed448).Public())
	add("Ed448", jose.Ed448, signerOf(t, jose.Ed448).Public())
	add("HS256", jose.HS256, make([]byte, 64))
	add("HS512", jose.HS512, make([]byte, 64))
	add("HS256, longer", jose.HS256, make([]byte, 65))
}
