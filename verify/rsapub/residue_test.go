package rsapub

import (
	"crypto"
	"crypto/rsa"
	"math/big"
	"testing"
)

// TestResidues holds the constants against their definition, and the short multiplication against math/big.
func TestResidues(t *testing.T) {
	r := newRand(t)
	for _, bits := range testBits {
		for _, n := range moduli(r, bits) {
			p := &PublicKey{size: (bits + 7) / 8}
			m := &p.r52
			m.init(n, bits)
			mulRows := m.mulRows
			if !hasIFMA {
				mulRows = m.mulTwinRows
			}
			// What brings residues back: R^65536.
			back := new(big.Int).Exp(new(big.Int).Mod(pow2(digitBits*int(m.rows), 0), n), big.NewInt(1<<16), n)
			for i, res := range p.newResidues(n) {
				h := crypto.SHA256 + crypto.Hash(i)
				em := make([]byte, p.size)
				digest := testDigest(h, "residues")
				encode(em, prefixOf(h), digest)
				want := new(big.Int).SetBytes(em)
				zero := new(big.Int).Sub(want, new(big.Int).SetBytes(digest))
				check := func(what string, got *digits, want *big.Int) {
					t.Helper()
					x := bigDigits(got)
					if x.Cmp(n) >= 0 || x.Mul(x, back).Mod(x, n).Cmp(new(big.Int).Mod(want, n)) != 0 {
						t.Fatalf("%s of %v mod %x is %x", what, h, n, bigDigits(got))
					}
				}
				check("padding", &res.padding, zero)
				check("factor", &res.factor, pow2(digitBits*int(res.rows), 0))
				for _, d := range append(patterns(r, pow2(8*h.Size(), 0)), new(big.Int).SetBytes(digest)) {
					var y, twin digits
					setDigits(&y, d)
					got := res.factor
					twin = got
					mulRows(&got, &y, res.rows)
					m.mulTwinRows(&twin, &y, res.rows)
					if got != twin {
						t.Fatalf("%v: %x·%x by %d rows mod %x = %x, twin %x", h, bigDigits(&res.factor), d, res.rows, n, bigDigits(&got), bigDigits(&twin))
					}
					m.reduce(&got)
					check("digest", &got, d)
					m.add(&got, &res.padding)
					m.reduce(&got)
					check("encoded message", &got, new(big.Int).Add(zero, d))
				}
			}
		}
	}
}

// TestResiduesDecideAsEncodings compares the verdicts with those of encoding and comparing, which other exponents still take, and of
// crypto/rsa: for encodings that differ in one bit, by a multiple of 2^52, by what a digest can add, and for the ends of the range.
func TestResiduesDecideAsEncodings(t *testing.T) {
	if !hasIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	r := newRand(t)
	for _, name := range []string{"2048/65537", "3072/65537", "4096/65537"} {
		key := testKey(t, name)
		p := newKey(t, &key.PublicKey, IFMA)
		plain := *p
		plain.residues = nil
		accepted := 0
		check := func(h crypto.Hash, digest, sig []byte) {
			t.Helper()
			got, want := p.VerifyPKCS1v15VarTime(h, digest, sig), plain.VerifyPKCS1v15VarTime(h, digest, sig)
			if std := rsa.VerifyPKCS1v15(&key.PublicKey, h, digest, sig) == nil; got != want || got != std {
				t.Errorf("%s %v: %v, encodings %v, crypto/rsa %v; digest %x, signature %x", name, h, got, want, std, digest, sig)
			}
			if got {
				accepted++
			}
		}
		for _, h := range hashes {
			digest := testDigest(h, name)
			good := make([]byte, p.size)
			encode(good, prefixOf(h), digest)
			em := new(big.Int).SetBytes(good)
			check(h, digest, forge(key, good))
			for _, shift := range []int{0, 51, 52, 8*h.Size() - 1, 8 * h.Size(), 260, 416, 520, 8*p.size - 17, r.IntN(8*p.size - 16)} {
				for _, sign := range []int64{1, -1} {
					d := new(big.Int).Lsh(big.NewInt(sign), uint(shift))
					check(h, digest, forge(key, d.Add(d, em).FillBytes(make([]byte, p.size))))
				}
			}
			for _, s := range []*big.Int{new(big.Int), big.NewInt(1), new(big.Int).Sub(key.N, big.NewInt(1)), key.N} {
				check(h, digest, s.FillBytes(make([]byte, p.size)))
			}
			other := hashes[(int(h-crypto.SHA256)+1)%3]
			check(other, testDigest(other, name), forge(key, good))
		}
		if accepted != len(hashes) {
			t.Errorf("%s: %d signatures are accepted, want %d", name, accepted, len(hashes))
		}
	}
}
