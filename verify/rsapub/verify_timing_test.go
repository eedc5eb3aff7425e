package rsapub

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
)

// BenchmarkSignature times one verification, without hashing the signing input, of one key after the other kernel.
func BenchmarkSignature(b *testing.B) {
	digest := sha256.Sum256([]byte("signing input"))
	for _, bits := range []int{2048, 3072, 4096} {
		key := timingKey(b, bits)
		v15, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		pss, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], pssOptions)
		if err != nil {
			b.Fatal(err)
		}
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

var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

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

var timingKeys sync.Map // bits → *rsa.PrivateKey

func timingKey(tb testing.TB, bits int) *rsa.PrivateKey {
	if key, ok := timingKeys.Load(bits); ok {
		return key.(*rsa.PrivateKey)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatal(err)
	}
	timingKeys.Store(bits, key)
	return key
}
