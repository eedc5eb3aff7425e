//go:build !purego

package jose

import (
	"fmt"

	"golang.org/x/sys/cpu"
)

var (
	hasAVX2 = cpu.X86.HasAVX2
	hasVBMI = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI
)

// Supported reports whether this processor and this build have the form.
func (v Vector) Supported() bool {
	switch v {
	case NoVector:
		return true
	case AVX2:
		return hasAVX2
	case VBMI:
		return hasVBMI
	}
	return false
}

// SelfTest checks a vector form that is supported against the portable one, in every length up to two registers and a rest.
func SelfTest(v Vector) error {
	var text [140]byte
	var got, want [105]byte
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range text {
		text[i] = alphabet[i*37%len(alphabet)]
	}
	for n := 2; n < len(text); n++ {
		if n%4 == 1 {
			continue
		}
		m := DecodedLen(n)
		good := decodeBy(v, got[:m], text[:n])
		if !decodePortable(want[:m], text[:n]) || !good || got != want {
			return fmt.Errorf("jose: self-test of %s base64url failed: wrong octets", v)
		}
		old := text[n-1]
		text[n-1] = '='
		good = decodeBy(v, got[:m], text[:n])
		text[n-1] = old
		if good {
			return fmt.Errorf("jose: self-test of %s base64url failed: padding was accepted", v)
		}
		copy(got[:], want[:])
	}
	return nil
}

// decodeBy decodes src into out, which has exactly the room, and reports whether all characters are in the alphabet. Unused bits
// are the caller's.
func decodeBy(v Vector, out, src []byte) bool {
	switch {
	case v == VBMI && len(out) > 0:
		return decodeVBMI(&out[0], &src[0], len(src)) == 0
	case v == AVX2 && len(src) >= 32:
		full := len(src) &^ 3
		return decodeAVX2(&out[0], &src[0], full) == 0 && decodePortable(out[full/4*3:], src[full:])
	}
	return decodePortable(out, src)
}
