package jose

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkDecodeSegment is base64url of a claims set and of an RSA-2048 signature, by each form that there is.
func BenchmarkDecodeSegment(b *testing.B) {
	defer UseVector(vector)
	src, dst := bytes.Repeat([]byte("eyJ-_A"), 100), make([]byte, 0, 512)
	for _, v := range []Vector{NoVector, AVX2, VBMI} {
		if !v.Supported() {
			continue
		}
		for _, n := range []int{44, 342, 560} {
			b.Run(fmt.Sprintf("%s/%d", v, n), func(b *testing.B) {
				UseVector(v)
				b.SetBytes(int64(n))
				for b.Loop() {
					if _, err := DecodeSegment(dst, src[:n]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
