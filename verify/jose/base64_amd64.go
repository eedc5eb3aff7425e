//go:build !purego

package jose

import (
	"errors"

	"golang.org/x/sys/cpu"
)

var hasVBMI = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI

// useVBMI says that decodeVBMI is to be used.
var useVBMI bool

// HasVector reports whether the processor has what the vector form of base64url needs.
func HasVector() bool { return hasVBMI }

// UseVector turns the vector form of base64url on, where the processor has it, or off. It is for the start of the process.
func UseVector(on bool) { useVBMI = on && hasVBMI }

// SelfTest checks the vector form against the portable one, in every length up to two registers and a rest.
func SelfTest() error {
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
		bad := decodeVBMI(&got[0], &text[0], n)
		if !decodePortable(want[:m], text[:n]) || bad != 0 || got != want {
			return errors.New("jose: self-test of vector base64url failed: wrong octets")
		}
		old := text[n-1]
		text[n-1] = '='
		bad = decodeVBMI(&got[0], &text[0], n)
		text[n-1] = old
		if bad == 0 {
			return errors.New("jose: self-test of vector base64url failed: padding was accepted")
		}
		copy(got[:], want[:])
	}
	return nil
}

// decode decodes src into out, which has exactly the room, and reports whether all characters are in the alphabet. Unused bits
// are the caller's.
func decode(out, src []byte) bool {
	if useVBMI && len(out) > 0 {
		return decodeVBMI(&out[0], &src[0], len(src)) == 0
	}
	return decodePortable(out, src)
}
