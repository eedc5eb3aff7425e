package rsapub

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"testing"
)

// BenchmarkSignature times one verification, without hashing the signing input, kernel after kernel.
func BenchmarkSignature(b *testing.B) {
	digest := sha256.Sum256([]byte("signing input"))
	for _, bits := range []int{2048, 3072, 4096} {
		key := timingKey(b, bits)
		v15 := sign(b, key, crypto.SHA256, false, digest[:])
		pss := sign(b, key, crypto.SHA256, true, digest[:])
		name := fmt.Sprintf("RS256-%d/", bits)
		b.Run(name+"std", func(b *testing.B) {
			timeVerify(b, func() bool { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], v15) == nil })
		})
		for _, k := range Available() {
			p, err := NewPublicKey(key.N, key.E, k)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+k.String(), func(b *testing.B) {
				timeVerify(b, func() bool { return p.VerifyPKCS1v15VarTime(crypto.SHA256, digest[:], v15) })
			})
		}
		name = fmt.Sprintf("PS256-%d/", bits)
		b.Run(name+"std", func(b *testing.B) {
			timeVerify(b, func() bool { return rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], pss, pssOptions) == nil })
		})
		for _, k := range Available() {
			p, err := NewPublicKey(key.N, key.E, k)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+k.String(), func(b *testing.B) {
				timeVerify(b, func() bool { return p.VerifyPSSVarTime(crypto.SHA256, digest[:], pss) })
			})
		}
	}
}

func timeVerify(b *testing.B, verify func() bool) {
	b.ReportAllocs()
	for b.Loop() {
		if !verify() {
			b.Fatal("refused")
		}
	}
}

// BenchmarkNewPublicKey times the precomputation.
func BenchmarkNewPublicKey(b *testing.B) {
	key := timingKey(b, 2048)
	for _, k := range Available() {
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewPublicKey(key.N, key.E, k); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func timingKey(tb testing.TB, bits int) *rsa.PrivateKey {
	return testKey(tb, fmt.Sprintf("%d/65537", bits))
}
