package ecpub_test

import (
	"fmt"
	"math/big"
	"testing"

	"sallyport/verify/ecpub"
)

// FuzzVerify compares every kernel with crypto/ecdsa. The key is k·G for a small k or the inverse of one. With crafted, the
// signature is made for u1 and u2 taken from digest and sig, so that equal and opposite points meet for small ones; flip then
// alters one bit of it. Else digest and sig are taken as they are, sig cut or filled up to the right length.
func FuzzVerify(f *testing.F) {
	f.Add(byte(0), int16(1), true, uint16(0), []byte{1}, []byte{1})                     // Q = G, G + Q is a doubling
	f.Add(byte(0), int16(-1), true, uint16(0), []byte{1}, []byte{1})                    // Q = -G, infinity
	f.Add(byte(1), int16(2), true, uint16(0), []byte{2}, []byte{1})                     // 2G + Q
	f.Add(byte(2), int16(300), true, uint16(9), []byte("digest"), []byte("signature"))  // one bit wrong
	f.Add(byte(0), int16(7), false, uint16(0), []byte{}, []byte{})                      // r = s = 0
	f.Add(byte(1), int16(7), false, uint16(0), []byte("digest"), []byte("signature"))   // r = 0
	f.Add(byte(3), int16(-300), true, uint16(0), []byte("digest"), []byte("signature")) // Q = -G/300
	cache := map[string]*subject{}
	f.Fuzz(func(t *testing.T, which byte, k int16, crafted bool, flip uint16, digest, sig []byte) {
		c := ecpub.Curve(which%3) + ecpub.P256
		curve := stdCurves[c]
		if k == 0 {
			return
		}
		k %= 64 // few keys: a table takes milliseconds
		if k == 0 {
			k = 64
		}
		d := big.NewInt(int64(k))
		if which >= 128 {
			d.ModInverse(new(big.Int).Mod(d, curve.Params().N), curve.Params().N)
		}
		name := fmt.Sprint(c, d)
		s := cache[name]
		if s == nil {
			s = newSubject(t, c, multiple(t, curve, d))
			s.related = true
			cache[name] = s
		}
		if crafted {
			u1 := new(big.Int).SetBytes(digest[:min(len(digest), s.size)])
			u2 := new(big.Int).SetBytes(sig[:min(len(sig), s.size)])
			if u2.Mod(u2, s.n).Sign() == 0 {
				return
			}
			if digest, sig = s.craft(u1, u2); digest == nil {
				return
			}
			if flip > 0 {
				bit := int(flip) % (8 * len(sig))
				sig[bit/8] ^= 1 << (bit % 8)
			}
		} else {
			sig = append(make([]byte, max(0, 2*s.size-len(sig))), sig...)[:2*s.size]
		}
		s.check(t, digest, sig)
	})
}
