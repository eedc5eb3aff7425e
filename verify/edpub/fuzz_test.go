package edpub

import (
	"math/big"
	"testing"
)

// FuzzVerify compares every kernel with crypto/ed25519. The key is a·B + torsion[small]. With crafted, S is made for an R of
// r·B + torsion[small/8], and flip then alters one bit; else sig is taken as it is, cut or filled up to the right length.
func FuzzVerify(f *testing.F) {
	f.Add(int16(1), byte(0), true, uint16(0), []byte("message"), []byte{1})               // the key is B
	f.Add(int16(-1), byte(0), true, uint16(0), []byte("message"), []byte{1})              // the key is -B
	f.Add(int16(0), byte(0), true, uint16(0), []byte{}, []byte{})                         // all is the neutral element
	f.Add(int16(0), byte(3), true, uint16(0), []byte("message"), []byte{2})               // a key of order 8
	f.Add(int16(5), byte(1), true, uint16(0), []byte("message"), []byte{2})               // a key with torsion
	f.Add(int16(5), byte(8*3+1), true, uint16(0), []byte("message"), []byte{2})           // and R too
	f.Add(int16(7), byte(0), true, uint16(300), []byte("message"), []byte("nonce"))       // one bit wrong
	f.Add(int16(7), byte(0), false, uint16(0), []byte("message"), []byte{})               // R = 0…, S = 0
	f.Add(int16(0), byte(1), false, uint16(0), []byte("message"), torsion[1].encode())    // S = 0 and R of small order
	f.Add(int16(0), byte(1), false, uint16(0), []byte("message"), strangeEncodings()[0])  // R not canonical
	f.Add(int16(0), byte(0), false, uint16(1), []byte("message"), littleEndian(refL, 64)) // S = 0, R = L
	f.Add(int16(-3), byte(4), true, uint16(0), []byte("message"), littleEndian(refL, 32)) // r = L
	f.Add(int16(-300), byte(0), true, uint16(512), []byte("other"), []byte("nonce"))      // flip beyond the end
	cache := map[[2]int]*subject{}
	f.Fuzz(func(t *testing.T, a int16, small byte, crafted bool, flip uint16, message, sig []byte) {
		a %= 16 // few keys: a table takes a millisecond
		key := [2]int{int(a), int(small % 8)}
		s := cache[key]
		if s == nil {
			s = newRelated(t, big.NewInt(int64(a)), int(small%8), 5)
			cache[key] = s
		}
		if crafted {
			r := new(big.Int).SetBytes(sig[:min(len(sig), 32)])
			sig, _ = s.craft(r, int(small/8%8), message)
			if flip > 0 {
				bit := int(flip) % (8 * len(sig))
				sig[bit/8] ^= 1 << (bit % 8)
			}
		} else {
			sig = padded(sig)
		}
		s.check(t, message, sig)
	})
}

// FuzzKey compares which keys are taken, and the answer to one signature under each.
func FuzzKey(f *testing.F) {
	for _, key := range strangeEncodings()[:6] {
		f.Add(key, []byte{})
	}
	f.Add(refB.encode(), refB.encode())
	f.Add(torsion[1].encode(), torsion[3].encode())
	f.Fuzz(func(t *testing.T, key, sig []byte) {
		if len(key) != PublicKeySize {
			return
		}
		want := stdDecodes(key)
		if _, err := NewPublicKeyWidth(key, Portable, 5); (err == nil) != want {
			t.Fatalf("NewPublicKey(%x) = %v; the standard library can decode it: %v", key, err, want)
		}
		if want {
			sig = padded(sig)
			newSubject(t, key, 5).check(t, nil, sig)
		}
	})
}

// padded returns a signature that begins with b. It is a new slice: those of the fuzzing engine lie side by side, and an append
// to one may write to the next.
func padded(b []byte) []byte {
	sig := make([]byte, SignatureSize)
	copy(sig, b)
	return sig
}
