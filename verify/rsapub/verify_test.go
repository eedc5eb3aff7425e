package rsapub

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"
)

var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

// schemes are both ways of ours and of crypto/rsa.
var schemes = []struct {
	name string
	pss  bool
	ours func(p *PublicKey, h crypto.Hash, digest, sig []byte) bool
	std  func(pub *rsa.PublicKey, h crypto.Hash, digest, sig []byte) bool
}{
	{"PKCS1v15", false, (*PublicKey).VerifyPKCS1v15VarTime, func(pub *rsa.PublicKey, h crypto.Hash, digest, sig []byte) bool {
		return rsa.VerifyPKCS1v15(pub, h, digest, sig) == nil
	}},
	{"PSS", true, (*PublicKey).VerifyPSSVarTime, func(pub *rsa.PublicKey, h crypto.Hash, digest, sig []byte) bool {
		return rsa.VerifyPSS(pub, h, digest, sig, pssOptions) == nil
	}},
}

func newKey(tb testing.TB, pub *rsa.PublicKey, k Kernel) *PublicKey {
	tb.Helper()
	p, err := NewPublicKey(pub.N, pub.E, k)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// eachKey runs body over every kernel and every key of testdata.
func eachKey(t *testing.T, body func(t *testing.T, p *PublicKey, key *rsa.PrivateKey)) {
	keys := testKeys(t)
	eachKernel(t, func(t *testing.T, k Kernel) {
		for name, key := range keys {
			t.Run(name, func(t *testing.T) { body(t, newKey(t, &key.PublicKey, k), key) })
		}
	})
}

func TestVerifyAcceptsAndRefusesOneBit(t *testing.T) {
	r := newRand(t)
	eachKey(t, func(t *testing.T, p *PublicKey, key *rsa.PrivateKey) {
		for _, h := range hashes {
			digest := testDigest(h, t.Name())
			for _, s := range schemes {
				sig := sign(t, key, h, s.pss, digest)
				if !s.ours(p, h, digest, sig) {
					t.Errorf("%s %v: valid signature refused", s.name, h)
				}
				flips := []int{0, 7, 8, len(sig)*8 - 1}
				for range 20 {
					flips = append(flips, r.IntN(len(sig)*8))
				}
				for _, bit := range flips {
					bad := bytes.Clone(sig)
					bad[bit/8] ^= 1 << (bit % 8)
					if s.ours(p, h, digest, bad) {
						t.Errorf("%s %v: signature with bit %d flipped accepted", s.name, h, bit)
					}
				}
				for range 5 {
					bad := bytes.Clone(digest)
					bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
					if s.ours(p, h, bad, sig) {
						t.Errorf("%s %v: digest %x accepted instead of %x", s.name, h, bad, digest)
					}
				}
			}
		}
	})
}

func TestVerifyRefusesEveryBit(t *testing.T) {
	key := testKey(t, "2048/65537")
	eachKernel(t, func(t *testing.T, k Kernel) {
		p := newKey(t, &key.PublicKey, k)
		digest := testDigest(crypto.SHA256, "every bit")
		for _, s := range schemes {
			sig := sign(t, key, crypto.SHA256, s.pss, digest)
			for bit := range len(sig) * 8 {
				sig[bit/8] ^= 1 << (bit % 8)
				if s.ours(p, crypto.SHA256, digest, sig) {
					t.Errorf("%s: signature with bit %d flipped accepted", s.name, bit)
				}
				sig[bit/8] ^= 1 << (bit % 8)
			}
			if !s.ours(p, crypto.SHA256, digest, sig) {
				t.Errorf("%s: valid signature refused", s.name)
			}
		}
	})
}

func TestVerifyRefusesOtherHashSchemeAndKey(t *testing.T) {
	keys := testKeys(t)
	eachKernel(t, func(t *testing.T, k Kernel) {
		key := keys["2048/65537"]
		p, other := newKey(t, &key.PublicKey, k), newKey(t, &keys["2048/17"].PublicKey, k)
		for i, s := range schemes {
			for _, h := range hashes {
				digest := testDigest(h, "other")
				sig := sign(t, key, h, s.pss, digest)
				for _, h2 := range append([]crypto.Hash{0, crypto.SHA1, crypto.SHA224, crypto.SHA512_256, crypto.SHA3_256, 99}, hashes...) {
					if got, want := s.ours(p, h2, digest, sig), h2 == h; got != want {
						t.Errorf("%s: signature made with %v under %v: %v", s.name, h, h2, got)
					}
				}
				if schemes[1-i].ours(p, h, digest, sig) {
					t.Errorf("%s: signature accepted as %s", s.name, schemes[1-i].name)
				}
				if s.ours(other, h, digest, sig) {
					t.Errorf("%s: signature accepted under another key", s.name)
				}
				for _, d := range [][]byte{nil, digest[1:], digest[:len(digest)-1], append(bytes.Clone(digest), 0)} {
					if s.ours(p, h, d, sig) {
						t.Errorf("%s: digest of %d octets accepted", s.name, len(d))
					}
				}
			}
		}
	})
}

// TestVerifyRefusesRange is for signatures that are not in [0, n), or not of exactly k octets.
func TestVerifyRefusesRange(t *testing.T) {
	eachKey(t, func(t *testing.T, p *PublicKey, key *rsa.PrivateKey) {
		h := crypto.SHA256
		digest := testDigest(h, "range")
		n := key.N
		for _, s := range schemes {
			sig := sign(t, key, h, s.pss, digest)
			x := new(big.Int).SetBytes(sig)
			list := []*big.Int{
				big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(n, big.NewInt(2)), new(big.Int).Sub(n, big.NewInt(1)), n,
				new(big.Int).Add(n, big.NewInt(1)), new(big.Int).Add(n, x), new(big.Int).Sub(n, x), pow2(8*p.Size(), -1),
			}
			for _, v := range list {
				if v.BitLen() > 8*p.Size() {
					continue
				}
				bad := v.FillBytes(make([]byte, p.Size()))
				if s.ours(p, h, digest, bad) {
					t.Errorf("%s: signature %x accepted", s.name, bad)
				}
			}
			for _, bad := range [][]byte{nil, {}, sig[1:], sig[:len(sig)-1], append([]byte{0}, sig...), append(bytes.Clone(sig), 0), make([]byte, 1<<16)} {
				if s.ours(p, h, digest, bad) {
					t.Errorf("%s: signature of %d octets accepted", s.name, len(bad))
				}
			}
		}
	})
}

// forge signs an encoded message as it is: em^d mod n. It returns nil when em is not below n.
func forge(key *rsa.PrivateKey, em []byte) []byte {
	id := keyName(key) + string(em)
	if sig, ok := forged.Load(id); ok {
		return sig.([]byte)
	}
	m := new(big.Int).SetBytes(em)
	if m.Cmp(key.N) >= 0 {
		return nil
	}
	p, q := key.Primes[0], key.Primes[1]
	a, b := new(big.Int).Exp(m, key.Precomputed.Dp, p), new(big.Int).Exp(m, key.Precomputed.Dq, q)
	a.Sub(a, b).Mul(a, key.Precomputed.Qinv).Mod(a, p)
	a.Mul(a, q).Add(a, b)
	sig := a.FillBytes(make([]byte, key.Size()))
	forged.Store(id, sig)
	return sig
}

// forged remembers forge's results, which every kernel needs.
var forged sync.Map

// checkForged compares ours with crypto/rsa and with what must come out, for a message encoded by hand.
func checkForged(t *testing.T, p *PublicKey, key *rsa.PrivateKey, pss bool, h crypto.Hash, digest, em []byte, what string, want bool) {
	t.Helper()
	sig := forge(key, em)
	if sig == nil {
		return
	}
	for _, s := range schemes {
		if s.pss != pss {
			continue
		}
		if got := s.ours(p, h, digest, sig); got != want {
			t.Errorf("%s, %s: %v, want %v; EM %x", s.name, what, got, want, em)
		}
		if got := s.std(&key.PublicKey, h, digest, sig); got != want {
			t.Errorf("crypto/rsa %s, %s: %v, want %v; EM %x", s.name, what, got, want, em)
		}
	}
}

func TestVerifyPKCS1v15RefusesPadding(t *testing.T) {
	eachKey(t, func(t *testing.T, p *PublicKey, key *rsa.PrivateKey) {
		h, prefix := crypto.SHA256, prefixSHA256
		digest := testDigest(h, "padding")
		pad := func(first, kind, fill, end byte, tail string) []byte {
			em := bytes.Repeat([]byte{fill}, p.Size())
			em[0], em[1] = first, kind
			em[len(em)-len(tail)-1] = end
			copy(em[len(em)-len(tail):], tail)
			return em
		}
		d := string(digest)
		good := pad(0, 1, 0xff, 0, prefix+d)
		checkForged(t, p, key, false, h, digest, good, "good", true)
		checkForged(t, p, key, false, h, digest, pad(0, 2, 0xff, 0, prefix+d), "block type 2", false)
		checkForged(t, p, key, false, h, digest, pad(0, 0, 0, 0, prefix+d), "block type 0", false)
		checkForged(t, p, key, false, h, digest, pad(1, 1, 0xff, 0, prefix+d), "first octet 1", false)
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xfe, 0, prefix+d), "fill", false)
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xff, 0xff, prefix+d), "no separator", false)
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xff, 1, prefix+d), "separator 1", false)
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xff, 0, d), "bare digest", false)
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xff, 0, prefixSHA512+d), "prefix of SHA-512", false)
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xff, 0, prefixSHA384[:17]+"\x04\x20"+d), "identifier of SHA-384", false)
		// Wycheproof's "missing NULL", which some accept: 30 2f 30 0b …
		missing := "\x30\x2f\x30\x0b" + prefix[4:15] + "\x04\x20"
		checkForged(t, p, key, false, h, digest, pad(0, 1, 0xff, 0, missing+d), "missing NULL", false)
		// Bleichenbacher 2006: short padding, garbage behind the digest.
		for _, junk := range []int{1, 64, 150} {
			em := pad(0, 1, 0xff, 0, prefix+d+string(make([]byte, junk)))
			checkForged(t, p, key, false, h, digest, em, "octets behind the digest", false)
		}
		for i := range good {
			em := bytes.Clone(good)
			em[i] ^= 0x10
			if i%64 == 0 || i > len(good)-len(prefix)-len(d)-3 && i < len(good)-len(d)+2 {
				checkForged(t, p, key, false, h, digest, em, fmt.Sprintf("octet %d", i), false)
			}
		}
	})
}

// encodePSS is EMSA-PSS-ENCODE with a salt of any length (RFC 8017, 9.1.1).
func encodePSS(h crypto.Hash, digest, salt []byte, bits int) []byte {
	em := make([]byte, (bits+6)/8)
	db := em[:len(em)-h.Size()-1]
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	d := h.New()
	d.Write(make([]byte, 8))
	d.Write(digest)
	d.Write(salt)
	seed := d.Sum(nil)
	mask := make([]byte, len(db))
	mgf1(mask, h, seed)
	for i := range db {
		db[i] ^= mask[i]
	}
	db[0] &= 0xff >> (8*len(em) - (bits - 1))
	copy(em[len(db):], seed)
	em[len(em)-1] = 0xbc
	return em
}

func TestVerifyPSSRefusesEncoding(t *testing.T) {
	eachKey(t, func(t *testing.T, p *PublicKey, key *rsa.PrivateKey) {
		for _, h := range hashes {
			digest := testDigest(h, "encoding")
			bits := key.N.BitLen()
			most := (bits+6)/8 - h.Size() - 2
			for _, n := range []int{0, 1, 8, 20, h.Size() - 1, h.Size(), h.Size() + 1, most - 1, most} {
				em := encodePSS(h, digest, bytes.Repeat([]byte{0xa5}, n), bits)
				checkForged(t, p, key, true, h, digest, em, fmt.Sprintf("salt of %d", n), n == h.Size())
			}
			good := encodePSS(h, digest, make([]byte, h.Size()), bits)
			db := len(good) - h.Size() - 1
			for _, i := range []int{0, 1, db - h.Size() - 2, db - h.Size() - 1, db - h.Size(), db - 1, db, len(good) - 2, len(good) - 1} {
				for _, flip := range []byte{1, 0x40, 0x80} {
					em := bytes.Clone(good)
					em[i] ^= flip
					checkForged(t, p, key, true, h, digest, em, fmt.Sprintf("octet %d", i), false)
				}
			}
			// The excess bits of the first octet, and the octet before the message at bits ≡ 1 mod 8, must be zero.
			m := new(big.Int).SetBytes(good)
			for bit := bits - 1; bit < 8*p.Size(); bit++ {
				em := new(big.Int).SetBit(m, bit, 1)
				checkForged(t, p, key, true, h, digest, em.Bytes(), fmt.Sprintf("excess bit %d", bit), false)
				m.SetBit(m, bit, 0)
			}
		}
	})
}

func TestNewPublicKeyRefuses(t *testing.T) {
	odd := pow2(2047, 1)
	eachKernel(t, func(t *testing.T, k Kernel) {
		check := func(what string, n *big.Int, e int) {
			t.Helper()
			if p, err := NewPublicKey(n, e, k); err == nil || p != nil {
				t.Errorf("%s accepted", what)
			}
		}
		check("no modulus", nil, 65537)
		check("modulus 0", new(big.Int), 65537)
		check("negative modulus", new(big.Int).Neg(odd), 65537)
		check("modulus of 2047 bits", pow2(2047, -1), 65537)
		check("modulus of 4097 bits", pow2(4096, 1), 65537)
		check("even modulus", pow2(2047, 2), 65537)
		for _, e := range []int64{-3, -1, 0, 1, 2, 4, 65536, 1<<31 + 1, 1<<32 + 3} {
			if int64(int(e)) == e { // not on 32 bits
				check(fmt.Sprintf("exponent %d", e), odd, int(e))
			}
		}
		if _, err := NewPublicKey(odd, 3, k); err != nil {
			t.Error(err)
		}
	})
	for _, k := range []Kernel{0, IFMA + 1, 255} {
		if _, err := NewPublicKey(odd, 3, k); err == nil {
			t.Errorf("kernel %d accepted", k)
		}
	}
}

// TestPublicKeyKeepsItsModulus: the caller may change n afterwards.
func TestPublicKeyKeepsItsModulus(t *testing.T) {
	key := testKey(t, "2048/65537")
	eachKernel(t, func(t *testing.T, k Kernel) {
		n := new(big.Int).Set(key.N)
		p, err := NewPublicKey(n, key.E, k)
		if err != nil {
			t.Fatal(err)
		}
		n.SetInt64(15)
		digest := testDigest(crypto.SHA256, "keeps")
		if !p.VerifyPKCS1v15VarTime(crypto.SHA256, digest, sign(t, key, crypto.SHA256, false, digest)) {
			t.Error("valid signature refused")
		}
		if p.Kernel() != k || p.Size() != 256 {
			t.Errorf("kernel %s of %d octets, want %s of 256", p.Kernel(), p.Size(), k)
		}
	})
}

func TestZeroPublicKeyRefuses(t *testing.T) {
	var p PublicKey
	if p.VerifyPKCS1v15VarTime(crypto.SHA256, make([]byte, 32), nil) || p.VerifyPSSVarTime(crypto.SHA256, make([]byte, 32), nil) {
		t.Error("a key that was not made accepts")
	}
}

func TestKernels(t *testing.T) {
	list := Available()
	if !slices.Contains(list, Portable) {
		t.Errorf("Available() = %v, without portable", list)
	}
	for _, k := range []Kernel{0, Portable, ADX, IFMA, IFMA + 1} {
		if got, want := Supported(k), slices.Contains(list, k); got != want {
			t.Errorf("Supported(%s) = %v, want %v", k, got, want)
		}
	}
	for k, want := range map[Kernel]string{0: "invalid", Portable: "portable", ADX: "adx", IFMA: "ifma", 77: "invalid"} {
		if got := k.String(); got != want {
			t.Errorf("Kernel(%d) = %q, want %q", k, got, want)
		}
	}
}

func TestSelfTest(t *testing.T) {
	eachKernel(t, func(t *testing.T, k Kernel) {
		start := time.Now()
		if err := SelfTest(k); err != nil {
			t.Error(err)
		}
		t.Logf("took %v", time.Since(start))
	})
	if SelfTest(0) == nil {
		t.Error("a kernel that does not exist passes")
	}
}

// TestSelfTestFinds checks that a vector with any part changed fails.
func TestSelfTestFinds(t *testing.T) {
	good := vectors[0]
	flip := func(s string) string { return s[:40] + string(s[40]^1) + s[41:] }
	for what, change := range map[string]func(v *vector){
		"modulus": func(v *vector) { v.n = flip(v.n) }, "signature": func(v *vector) { v.sig = flip(v.sig) },
		"exponent": func(v *vector) { v.e += 2 }, "scheme": func(v *vector) { v.pss = !v.pss },
		"hash": func(v *vector) { v.hash = crypto.SHA512 },
	} {
		v := good
		change(&v)
		if v.check(Portable) == nil {
			t.Errorf("vector with another %s passes", what)
		}
	}
}
