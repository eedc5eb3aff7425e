package edpub

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// answers are known answers.
//
// The first is RFC 8032, 7.1, TEST 2. The others have a key with a component of order 8, 12345·B + T, and R = 678·B + 3T:
// [S]B = R + [k]A holds times the cofactor for both, and as it stands for one.
var answers = [...]struct {
	key, message, sig string
	want              bool
}{
	{
		key:     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		message: "72",
		sig: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
			"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		want: true,
	},
	{
		key:     "2043e9e419b3bcfd0a9bbc00d6330c95df8a41e5e059800ed94a9cea0a97e3c7",
		message: "12",
		sig: "b674ac9cd8e5172b05b736df821c000d839945908ad870be036fa98b7cc96591" +
			"4cd9f061cee7ae738974a1425919b8fa36bd8433a5aef4b4a783174693d64906",
		want: true,
	},
	{
		key:     "2043e9e419b3bcfd0a9bbc00d6330c95df8a41e5e059800ed94a9cea0a97e3c7",
		message: "00",
		sig: "b674ac9cd8e5172b05b736df821c000d839945908ad870be036fa98b7cc96591" +
			"77c0ca1a5f8a6ba439bba83adad95134cc4a83da97f3c92502ec1cd37d60fc0f",
	},
}

// selfTestWidth keeps the tables of SelfTest small.
const selfTestWidth = 5

// SelfTest checks kernel k against known answers: signatures that are valid, and many that are not. An error means that the
// kernel must not be used. It takes some milliseconds, and more if the table of B is not built yet.
func SelfTest(k Kernel) error {
	if !Supported(k) {
		return fmt.Errorf("edpub: kernel %s is not supported here", k)
	}
	for _, a := range answers {
		if err := selfTest(k, a.key, a.message, a.sig, a.want); err != nil {
			return err
		}
	}
	return nil
}

func selfTest(k Kernel, hexKey, hexMessage, hexSig string, want bool) error {
	encoded, _ := hex.DecodeString(hexKey)
	message, _ := hex.DecodeString(hexMessage)
	sig, _ := hex.DecodeString(hexSig)
	key, err := NewPublicKeyWidth(encoded, k, selfTestWidth)
	if err != nil {
		return err
	}
	test := func(what string, message, sig []byte, want bool) {
		if got := key.VerifyVarTime(message, sig); err == nil && got != want {
			err = fmt.Errorf("edpub: self-test of kernel %s: %s: got %v, want %v", k, what, got, want)
		}
	}
	test("signature", message, sig, want)
	for bit := 0; bit < 8*len(sig); bit += 37 {
		bad := slices.Clone(sig)
		bad[bit/8] ^= 1 << (bit % 8)
		test("altered signature", message, bad, false)
	}
	for size := 2; size < 600; size += 83 {
		test("altered message", append(slices.Clone(message), make([]byte, size)...), sig, false)
	}
	// S + L is below 2^256.
	var s scalar
	s.setBytes((*[32]byte)(sig[32:]))
	var carry uint64
	plus := slices.Clone(sig)
	for i := range 32 {
		sum := s[i/8]>>(i%8*8)&0xff + order[i/8]>>(i%8*8)&0xff + carry
		plus[32+i] = byte(sum)
		carry = sum >> 8
	}
	test("S + L", message, plus, false)
	test("S = 0", message, slices.Concat(sig[:32], make([]byte, 32)), false)
	test("R = S = 0", message, make([]byte, SignatureSize), false)
	test("short signature", message, sig[1:], false)
	return err
}
