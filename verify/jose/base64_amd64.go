//go:build !purego

package jose

import "golang.org/x/sys/cpu"

// useVBMI says that the processor has what decodeVBMI needs. Tests turn it off.
var useVBMI = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI

// decode decodes src into out, which has exactly the room, and reports whether all characters are in the alphabet. Unused bits
// are the caller's.
func decode(out, src []byte) bool {
	if useVBMI && len(out) > 0 {
		return decodeVBMI(&out[0], &src[0], len(src)) == 0
	}
	return decodePortable(out, src)
}
