package verify_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
	"testing"

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
		var key [32]byte
		fmt.Sscanf(h, "%x", new([]byte))
		for i := range key {
			fmt.Sscanf(h[2*i:2*i+2], "%02x", &key[i])
		}
		if _, err := verify.NewKey(jose.EdDSA, ed25519.PublicKey(key[:])); err == nil {
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
