package edpub

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// kernels returns all that this machine can run.
func kernels() (list []Kernel) {
	for k := Portable; k <= IFMA; k++ {
		if Supported(k) {
			list = append(list, k)
		}
	}
	return list
}

// subject is one key in the standard library and in every kernel.
type subject struct {
	key []byte
	own map[Kernel]*PublicKey
	// a and small are the private key where it is known: the key is a·B + torsion[small].
	a     *big.Int
	small int
}

// newSubject makes a subject, with narrow windows: a table of them is built eight times as fast.
func newSubject(t testing.TB, key []byte, width int) *subject {
	t.Helper()
	s := &subject{key: key, own: map[Kernel]*PublicKey{}}
	for _, k := range kernels() {
		own, err := NewPublicKeyWidth(key, k, width)
		if err != nil {
			t.Fatal(err)
		}
		s.own[k] = own
	}
	return s
}

func newRelated(t testing.TB, a *big.Int, small, width int) *subject {
	t.Helper()
	s := newSubject(t, refB.mul(a).add(torsion[small]).encode(), width)
	s.a, s.small = a, small
	return s
}

// check compares all kernels with crypto/ed25519 and returns what that says.
func (s *subject) check(t testing.TB, message, sig []byte) bool {
	t.Helper()
	want := ed25519.Verify(s.key, message, sig)
	for k, own := range s.own {
		if got := own.VerifyVarTime(message, sig); got != want {
			t.Fatalf("%s: VerifyVarTime(%x, %x) with key %x = %v, crypto/ed25519 says %v", k, message, sig, s.key, got, want)
		}
	}
	return want
}

// challenge returns k.
func (s *subject) challenge(r, message []byte) *big.Int {
	h := sha512.Sum512(slices.Concat(r, s.key, message))
	k := fromLittleEndian(h[:])
	return k.Mod(k, refL)
}

// sign returns the signature with [S]B = r·B + [k]a·B and the encoding of R that is given.
func (s *subject) sign(encodedR []byte, r *big.Int, message []byte) []byte {
	v := s.challenge(encodedR, message)
	v.Mul(v, s.a).Add(v, r).Mod(v, refL)
	return slices.Concat(encodedR, littleEndian(v, 32))
}

// craft returns the signature with R = r·B + torsion[small], and whether the equation without the cofactor holds: one of
// eight does, the others with the cofactor only.
func (s *subject) craft(r *big.Int, small int, message []byte) (sig []byte, valid bool) {
	sig = s.sign(refB.mul(r).add(torsion[small]).encode(), r, message)
	k := s.challenge(sig[:32], message)
	k.Mul(k, big.NewInt(int64(s.small))).Add(k, big.NewInt(int64(small)))
	return sig, k.Mod(k, big.NewInt(8)).Sign() == 0
}

func TestSelfTest(t *testing.T) {
	for _, k := range kernels() {
		if err := SelfTest(k); err != nil {
			t.Error(err)
		}
	}
	for _, k := range []Kernel{0, IFMA + 1} {
		if Supported(k) || SelfTest(k) == nil {
			t.Errorf("%s is supported", k)
		}
	}
	if !Supported(Best()) {
		t.Errorf("Best() = %s", Best())
	}
}

// TestVerify takes keys of the standard library, all widths, messages of all kinds of lengths.
func TestVerify(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	for i := range 8 {
		seed := make([]byte, 32)
		for j := range seed {
			seed[j] = byte(rng.Uint32())
		}
		priv := ed25519.NewKeyFromSeed(seed)
		s := newSubject(t, priv.Public().(ed25519.PublicKey), 5+i%4)
		// Around the blocks of SHA-512 after R and A, and long.
		for _, size := range []int{0, 1, 31, 46, 47, 48, 63, 64, 65, 127, 128, 174, 175, 176, 460, 1000, 16384, 70001} {
			message := make([]byte, size)
			for j := range message {
				message[j] = byte(rng.Uint32())
			}
			sig := ed25519.Sign(priv, message)
			if !s.check(t, message, sig) {
				t.Fatal("valid signature refused")
			}
			if size > 0 {
				message[rng.IntN(size)] ^= 1 << rng.IntN(8)
				if s.check(t, message, sig) {
					t.Fatal("wrong message accepted")
				}
			}
		}
	}
}

func TestVerifyRejectsBitFlips(t *testing.T) {
	priv := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	s := newSubject(t, priv.Public().(ed25519.PublicKey), 8)
	message := []byte("message")
	sig := ed25519.Sign(priv, message)
	for bit := range 8 * len(sig) {
		bad := slices.Clone(sig)
		bad[bit/8] ^= 1 << (bit % 8)
		if s.check(t, message, bad) {
			t.Errorf("bit %d flipped: accepted", bit)
		}
	}
	for _, bad := range [][]byte{nil, {}, sig[:63], append(slices.Clone(sig), 0), sig[1:], sig[:32], slices.Concat(sig, sig)} {
		if s.check(t, message, bad) {
			t.Errorf("signature of %d octets accepted", len(bad))
		}
	}
	// Another key.
	other := newSubject(t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)).Public().(ed25519.PublicKey), 7)
	if other.check(t, message, sig) {
		t.Error("accepted under another key")
	}
}

// TestVerifyRejectsSPlusL: S is below L, or refused, also where S + cL is what fits.
func TestVerifyRejectsSPlusL(t *testing.T) {
	s := newRelated(t, big.NewInt(77), 0, 5)
	message := []byte("message")
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	for i := range int64(10) {
		sig, _ := s.craft(big.NewInt(1000+i), 0, message)
		if !s.check(t, message, sig) {
			t.Fatal("valid signature refused")
		}
		v := fromLittleEndian(sig[32:])
		for {
			if v.Add(v, refL); v.Cmp(limit) >= 0 {
				break
			}
			if s.check(t, message, slices.Concat(sig[:32], littleEndian(v, 32))) {
				t.Fatal("S above L accepted")
			}
		}
	}
}

// TestVerifyEdgeS makes valid signatures with chosen S: R is S·B - k·A for an A whose multiples by k are known, as A is of
// small order.
func TestVerifyEdgeS(t *testing.T) {
	one := big.NewInt(1)
	values := []*big.Int{new(big.Int), one, big.NewInt(8), new(big.Int).Sub(refL, one), new(big.Int).Lsh(one, 252)}
	for small := range torsion {
		s := newRelated(t, new(big.Int), small, 5)
		accepted := 0
		for _, v := range values {
			for i := range 8 {
				r := refB.mul(v).add(torsion[i]).encode()
				if s.check(t, nil, slices.Concat(r, littleEndian(v, 32))) {
					accepted++
				}
			}
		}
		if accepted == 0 {
			t.Errorf("torsion[%d]: no S was accepted", small)
		}
		for _, v := range []*big.Int{refL, new(big.Int).Add(refL, one), new(big.Int).Lsh(one, 253), new(big.Int).Lsh(one, 255)} {
			for i := range 8 {
				r := refB.mul(v).add(torsion[i]).encode()
				if s.check(t, nil, slices.Concat(r, littleEndian(v, 32))) {
					t.Errorf("torsion[%d]: S = %x was accepted", small, v)
				}
			}
		}
	}
}

// TestVerifyTorsion: keys and R with components of small order. Only the equation without the cofactor counts.
func TestVerifyTorsion(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	for small := range 8 {
		for _, a := range []*big.Int{randomBelow(rng, refL), new(big.Int), big.NewInt(1), new(big.Int).Sub(refL, big.NewInt(1))} {
			s := newRelated(t, a, small, 5+small%4)
			valid := 0
			for _, r := range []*big.Int{randomBelow(rng, refL), new(big.Int), big.NewInt(2)} {
				for i := range 8 {
					message := []byte{byte(i)}
					for range 4 {
						sig, want := s.craft(r, i, message)
						if s.check(t, message, sig) != want {
							t.Fatalf("a = %x, torsion %d, r = %x, torsion %d: want %v", a, small, r, i, want)
						}
						if want {
							valid++
						}
						message = append(message, 1)
					}
				}
			}
			if valid == 0 || valid == 3*8*4 {
				t.Errorf("%d signatures with torsion are valid", valid)
			}
		}
	}
}

// strangeEncodings are encodings of points that are not canonical: y in [p, 2^255), and x = 0 with the sign bit.
func strangeEncodings() (list [][]byte) {
	for _, y := range []int64{1, -1} {
		b := littleEndian(new(big.Int).Mod(big.NewInt(y), refP), 32)
		b[31] |= 0x80
		list = append(list, b)
	}
	for d := range int64(19) {
		for _, sign := range []byte{0, 0x80} {
			b := littleEndian(new(big.Int).Add(refP, big.NewInt(d)), 32)
			b[31] |= sign
			list = append(list, b)
		}
	}
	return list
}

// TestVerifyRejectsNonCanonicalR: R is compared as octets, so what decodes to the right point in another form is refused.
func TestVerifyRejectsNonCanonicalR(t *testing.T) {
	message := []byte("message")
	for small := range 8 {
		s := newRelated(t, big.NewInt(4321), small, 5)
		for _, r := range strangeEncodings() {
			if s.check(t, message, s.sign(r, new(big.Int), message)) {
				t.Errorf("R = %x was accepted", r)
			}
			for i := range torsion {
				s.check(t, message, slices.Concat(r, littleEndian(big.NewInt(int64(i)), 32)))
			}
		}
	}
	// R the neutral element, in its own form, is fine.
	s := newRelated(t, big.NewInt(4321), 0, 5)
	if !s.check(t, message, s.sign(identity.encode(), new(big.Int), message)) {
		t.Error("R = identity was refused")
	}
}

// stdDecodes reports whether crypto/ed25519 can decode the key.
func stdDecodes(key []byte) bool {
	err := ed25519.VerifyWithOptions(key, nil, make([]byte, 64), &ed25519.Options{Hash: crypto.Hash(0)})
	return err == nil || !strings.Contains(err.Error(), "point encoding") && !strings.Contains(err.Error(), "public key")
}

// TestStrangeKeys: keys that are not canonical or of small order, and what is no point at all.
func TestStrangeKeys(t *testing.T) {
	keys := strangeEncodings()
	for _, p := range torsion {
		keys = append(keys, p.encode())
	}
	for y := range int64(40) {
		keys = append(keys, littleEndian(big.NewInt(y), 32), littleEndian(new(big.Int).Sub(refP, big.NewInt(y+1)), 32))
	}
	rng := rand.New(rand.NewPCG(35, 36))
	for range 100 {
		keys = append(keys, littleEndian(randomBelow(rng, new(big.Int).Lsh(big.NewInt(1), 256)), 32))
	}
	keys = append(keys, bytes.Repeat([]byte{0xff}, 32), make([]byte, 32))
	decoded, accepted := 0, 0
	for _, key := range keys {
		want := stdDecodes(key)
		if _, err := NewPublicKeyWidth(key, Portable, 5); (err == nil) != want {
			t.Fatalf("NewPublicKey(%x) = %v; the standard library can decode it: %v", key, err, want)
		}
		if !want {
			continue
		}
		decoded++
		s := newSubject(t, key, 5)
		for i := range byte(8) {
			for small := range torsion {
				// For keys of small order: S = 0 and any R of small order.
				if s.check(t, []byte{i}, slices.Concat(torsion[small].encode(), make([]byte, 32))) {
					accepted++
				}
			}
		}
		for _, r := range strangeEncodings() {
			s.check(t, nil, slices.Concat(r, make([]byte, 32)))
		}
	}
	if decoded < 50 || decoded == len(keys) || accepted < 100 {
		t.Errorf("%d keys decoded of %d, %d signatures accepted", decoded, len(keys), accepted)
	}
}

func TestNewPublicKeyErrors(t *testing.T) {
	key := refB.encode()
	for _, k := range kernels() {
		for _, bad := range [][]byte{nil, key[:31], append(slices.Clone(key), 0)} {
			if _, err := NewPublicKey(bad, k); err == nil {
				t.Errorf("%s: key of %d octets accepted", k, len(bad))
			}
		}
		for _, width := range []int{-1, 0, 4, 9, 64} {
			if _, err := NewPublicKeyWidth(key, k, width); err == nil {
				t.Errorf("%s: width %d accepted", k, width)
			}
		}
		own, err := NewPublicKey(key, k)
		if err != nil {
			t.Fatal(err)
		}
		if size := own.MemSize(); size < 1<<17 || size > 1<<20 {
			t.Errorf("%s: MemSize() = %d", k, size)
		}
	}
	for _, k := range []Kernel{0, IFMA + 1} {
		if _, err := NewPublicKey(key, k); err == nil {
			t.Errorf("kernel %d accepted", k)
		}
	}
}

func TestConcurrent(t *testing.T) {
	s := newRelated(t, big.NewInt(99), 0, 5)
	var wg sync.WaitGroup
	for i := range 4 {
		message := fmt.Append(nil, i)
		sig, _ := s.craft(big.NewInt(int64(i)), 0, message)
		wg.Go(func() {
			for range 50 {
				for _, own := range s.own {
					if !own.VerifyVarTime(message, sig) {
						t.Error("valid signature refused")
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestUnmodifiedInputs(t *testing.T) {
	key := refB.mul(big.NewInt(5)).encode()
	s := newSubject(t, key, 5)
	s.a = big.NewInt(5)
	message := []byte("message")
	sig, _ := s.craft(big.NewInt(3), 0, message)
	g := slices.Clone(sig)
	s.check(t, message, sig)
	if string(message) != "message" || !bytes.Equal(g, sig) {
		t.Error("VerifyVarTime wrote to its input")
	}
	// The key is copied.
	for k := range s.own {
		own, err := NewPublicKeyWidth(key, k, 5)
		if err != nil {
			t.Fatal(err)
		}
		key[0] ^= 1
		if !own.VerifyVarTime(message, sig) {
			t.Errorf("%s: the key was not copied", k)
		}
		key[0] ^= 1
	}
}
