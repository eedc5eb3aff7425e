package rsapub

import (
	"crypto"
	"crypto/rsa"
	"maps"
	"math/big"
	"slices"
	"testing"
)

// FuzzVerify compares every kernel with crypto/rsa. What is fuzzed is a difference to a valid signature or to its encoded message:
// random signatures would never come near to being accepted.
func FuzzVerify(f *testing.F) {
	keys := testKeys(f)
	names := slices.Sorted(maps.Keys(keys))
	public := make(map[string][]*PublicKey)
	for _, name := range names {
		for _, k := range Available() {
			public[name] = append(public[name], newKey(f, &keys[name].PublicKey, k))
		}
	}
	f.Add(uint8(0), uint8(0), false, false, "message", []byte{}, 0)             // valid
	f.Add(uint8(1), uint8(1), true, false, "message", []byte{1}, 0)             // lowest bit
	f.Add(uint8(2), uint8(2), true, true, "message", []byte{0x01}, 0)           // trailer
	f.Add(uint8(3), uint8(0), false, true, "message", []byte{0x05, 0x00}, 32)   // parameters
	f.Add(uint8(4), uint8(0), true, true, "message", []byte{0x80}, 255)         // excess bits
	f.Add(uint8(5), uint8(0), false, false, "message", []byte{0xff, 0xff}, 510) // above n
	f.Fuzz(func(t *testing.T, keyIndex, hash uint8, pss, encoded bool, message string, diff []byte, at int) {
		name := names[int(keyIndex)%len(names)]
		key := keys[name]
		h := hashes[int(hash)%len(hashes)]
		digest := testDigest(h, message)
		// Signed without chance, so that an input means the same each time: the salt is the digest.
		sig := forge(key, encodePSS(h, digest, digest, key.N.BitLen()))
		if !pss {
			sig = sign(t, key, h, false, digest)
		}
		x := new(big.Int).SetBytes(sig)
		if encoded {
			x.Exp(x, big.NewInt(int64(key.E)), key.N)
		}
		d := new(big.Int).SetBytes(diff)
		x.Xor(x, d.Lsh(d, 8*uint(at&511)))
		if x.BitLen() > 8*key.Size() {
			t.Skip()
		}
		if encoded {
			x.SetBytes(forge(key, x.Mod(x, key.N).Bytes()))
		}
		sig = x.FillBytes(make([]byte, key.Size()))
		forged.Clear()
		for _, s := range schemes {
			want := s.std(&key.PublicKey, h, digest, sig)
			for _, p := range public[name] {
				if got := s.ours(p, h, digest, sig); got != want {
					t.Errorf("%s %s %s %v: %v, crypto/rsa %v; digest %x, signature %x", name, p.kernel, s.name, h, got, want, digest, sig)
				}
			}
		}
	})
}

// FuzzExp compares every kernel with math/big for any odd modulus.
func FuzzExp(f *testing.F) {
	ones := pow2(2048, -1).Bytes()
	f.Add(ones, []byte{2}, uint32(65537))                               // sparse powers: carries one by one
	f.Add(pow2(4095, 1).Bytes(), pow2(4095, 0).Bytes(), uint32(65537))  // -1
	f.Add(pow2(2079, -1).Bytes(), ones, uint32(3))                      // one digit more than 40 hold
	f.Add(pow2(3072, -1<<52+1).Bytes(), ones, uint32(1<<31-1))          // runs in both radices
	f.Add(testKey(f, "2048/65537").N.Bytes(), []byte{1}, uint32(65537)) // one
	f.Fuzz(func(t *testing.T, modulus, base []byte, e uint32) {
		n := new(big.Int).SetBytes(modulus)
		if n.BitLen() < MinBits || n.BitLen() > MaxBits {
			t.Skip()
		}
		n.SetBit(n, 0, 1)
		e = e&maxE | 1
		if e < 3 {
			t.Skip()
		}
		s := new(big.Int).SetBytes(base)
		s.Mod(s, n)
		for _, k := range Available() {
			p, err := NewPublicKey(n, int(e), k)
			if err != nil {
				t.Fatal(err)
			}
			checkExp(t, p, n, s)
		}
	})
}

// TestStdAgreesOnKeys: every key of testdata is one that crypto/rsa takes, or the differential tests would compare refusals.
func TestStdAgreesOnKeys(t *testing.T) {
	for name, key := range testKeys(t) {
		digest := testDigest(crypto.SHA256, name)
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest, sign(t, key, crypto.SHA256, false, digest)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
