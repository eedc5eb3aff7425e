// Command main writes base64_amd64.s: base64url, 64 characters at a time by AVX-512 VBMI and 32 by AVX2.
package main

//go:generate go run . -out ../base64_amd64.s -stubs ../base64_stubs_amd64.go -pkg jose

import (
	"encoding/binary"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// bad is what a table holds for an octet that is not in the alphabet: it sets the top bit that errors are gathered in.
const bad = 0x80

func main() {
	ConstraintExpr("!purego")
	table := make([]byte, 128)
	for i := range table {
		table[i] = bad
	}
	for i := range len(alphabet) {
		table[alphabet[i]] = byte(i)
	}
	tables := GLOBL("base64Tables", RODATA|NOPTR)
	for i, b := range table {
		DATA(i, U8(b))
	}
	// Each group of four characters is a little-endian dword of 24 bits, whose octets go out from the third to the first.
	order := GLOBL("base64Order", RODATA|NOPTR)
	for i := range 64 {
		b := 0
		if i < 48 {
			b = i/3*4 + 2 - i%3
		}
		DATA(i, U8(b))
	}
	decode(tables, order)
	decodeAVX2()
	Generate()
}

func decode(tables, order Mem) {
	TEXT("decodeVBMI", NOSPLIT, "func(dst, src *byte, n int) (bad uint64)")
	Doc("decodeVBMI decodes the n base64url characters at src to the n·6/8 octets at dst. bad is not 0 when one of them is not in",
		"the alphabet; then dst holds anything. Bits that belong to no octet are dropped unseen, and n mod 4 is not looked at.")
	Pragma("noescape")
	dst, src, n := RDI, RSI, RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), n)
	low, high, perm, errors, as, pairs, quads := Z0, Z1, Z2, Z3, Z4, Z5, Z6
	VMOVDQU8(tables, low)
	VMOVDQU8(tables.Offset(64), high)
	VMOVDQU8(order, perm)
	VPXORQ(errors, errors, errors)
	broadcast := func(v uint64, to VecPhysical) {
		MOVQ(U64(v), RAX)
		VPBROADCASTQ(RAX, to)
	}
	broadcast(0x4141414141414141, as)    // "A": zero bits
	broadcast(0x0140014001400140, pairs) // first·2^6 + second
	broadcast(0x0001100000011000, quads) // first pair·2^12 + second

	in, v := Z7, Z8
	step := func() {
		VMOVDQA64(in, v)
		VPERMI2B(high, low, v) // indexes in v: its low seven bits; replaced by what is found
		VPTERNLOGD(U8(0xfe), in, v, errors)
		VPMADDUBSW(pairs, v, v)
		VPMADDWD(quads, v, v)
		VPERMB(v, perm, v)
	}

	out := K1
	MOVQ(U64(1<<48-1), RAX)
	KMOVQ(RAX, out)
	Label("loop")
	CMPQ(n, U8(64))
	JLT(LabelRef("tail"))
	VMOVDQU8(Mem{Base: src}, in)
	step()
	VMOVDQU8(v, out, Mem{Base: dst})
	ADDQ(U8(64), src)
	ADDQ(U8(48), dst)
	SUBQ(U8(64), n)
	JMP(LabelRef("loop"))

	// The rest: what is not there is not loaded, and counts as "A".
	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	rest := K2
	MOVQ(U64(1), RAX)
	SHLQ(CL, RAX)
	DECQ(RAX)
	KMOVQ(RAX, rest)
	VMOVDQA64(as, in)
	VMOVDQU8(Mem{Base: src}, rest, in)
	step()
	LEAQ(Mem{Base: n, Index: n, Scale: 2}, RCX) // n·3/4 octets
	SHRQ(U8(2), RCX)
	MOVQ(U64(1), RAX)
	SHLQ(CL, RAX)
	DECQ(RAX)
	KMOVQ(RAX, out)
	VMOVDQU8(v, out, Mem{Base: dst})

	Label("done")
	VPMOVB2M(errors, K3)
	KMOVQ(K3, RAX)
	Store(RAX, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// constant makes one of 16 octets.
func constant(name string, octets [16]byte) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := 0; i < 16; i += 8 {
		DATA(i, U64(binary.LittleEndian.Uint64(octets[i:])))
	}
	return m
}

// Octets fall into classes by their upper four bits. badUpper has the class's bit, badLower a bit for each class in which these
// lower four bits are not in the alphabet: both have one in common exactly when the octet is not in it.
func nibbleTables() (badUpper, badLower, offset [16]byte) {
	var members [16][16]bool // by upper and lower bits
	for value := range len(alphabet) {
		c := alphabet[value]
		members[c>>4][c&15] = true
		if c != '_' {
			offset[c>>4] = byte(value) - c
		}
	}
	classes := map[[16]bool]byte{}
	for upper, m := range members {
		bit, ok := classes[m]
		if !ok {
			if bit = 1 << len(classes); bit == 0 {
				panic("more than eight classes")
			}
			classes[m] = bit
			for lower, in := range m {
				if !in {
					badLower[lower] |= bit
				}
			}
		}
		badUpper[upper] = bit
	}
	// "_" is the one character whose value does not follow from its upper bits alone.
	for value := range len(alphabet) {
		if c := alphabet[value]; c != '_' && c+offset[c>>4] != byte(value) {
			panic("a character has another offset")
		}
	}
	return badUpper, badLower, offset
}

func decodeAVX2() {
	upperTable, lowerTable, offsetTable := nibbleTables()
	repeat := func(b byte) (r [16]byte) {
		for i := range r {
			r[i] = b
		}
		return r
	}
	words := func(a, b byte) (r [16]byte) {
		for i := range r {
			r[i] = [2]byte{a, b}[i%2]
		}
		return r
	}
	underscore := byte(256 + 63 - '_')
	constants := []struct {
		name   string
		octets [16]byte
		in     VecPhysical
	}{
		{"avx2Upper", upperTable, Y0},
		{"avx2Lower", lowerTable, Y1},
		{"avx2Offset", offsetTable, Y2},
		{"avx2Nibble", repeat(0x0f), Y3},
		{"avx2Underscore", repeat('_'), Y4},
		{"avx2Extra", repeat(underscore - offsetTable['_'>>4]), Y5},
		{"avx2Pairs", words(0x40, 0x01), Y6}, // first·2^6 + second
		{"avx2Quads", [16]byte{1: 0x10, 2: 1, 5: 0x10, 6: 1, 9: 0x10, 10: 1, 13: 0x10, 14: 1}, Y7},
		// Each group of four characters is a little-endian dword of 24 bits, whose octets go out from the third to the first.
		{"avx2Order", [16]byte{2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 0x80, 0x80, 0x80, 0x80}, Y8},
	}
	together := GLOBL("avx2Together", RODATA|NOPTR) // the lanes' three dwords side by side
	for i, d := range []uint32{0, 1, 2, 4, 5, 6, 3, 7} {
		DATA(4*i, U32(d))
	}
	memory := make([]Mem, len(constants))
	for i, c := range constants {
		memory[i] = constant(c.name, c.octets)
	}

	TEXT("decodeAVX2", NOSPLIT, "func(dst, src *byte, n int) (bad uint64)")
	Doc("decodeAVX2 decodes the n base64url characters at src to the n·3/4 octets at dst; n is a multiple of 4 and at least 32. bad is",
		"not 0 when one of them is not in the alphabet; then dst holds anything.")
	Pragma("noescape")
	dst, src, n := RDI, RSI, RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), n)
	for i, c := range constants {
		VBROADCASTI128(memory[i], c.in)
	}
	upper, lower, offset, nibble, line, extra, pairs, quads, order := Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8
	perm, errors, in, a, b := Y9, Y10, Y11, Y12, Y13
	VMOVDQU(together, perm)
	VPXOR(errors, errors, errors)

	Label("loop")
	VMOVDQU(Mem{Base: src}, in)
	VPAND(in, nibble, a)
	VPSHUFB(a, lower, a)
	VPSRLD(U8(4), in, b)
	VPAND(b, nibble, b)
	VPSHUFB(b, offset, Y14)
	VPSHUFB(b, upper, b)
	VPAND(a, b, a)
	VPOR(a, errors, errors)
	VPCMPEQB(in, line, b)
	VPAND(b, extra, b)
	VPADDB(Y14, in, in)
	VPADDB(b, in, in)
	VPMADDUBSW(pairs, in, in)
	VPMADDWD(quads, in, in)
	VPSHUFB(order, in, in)
	VPERMD(in, perm, in)
	VMOVDQU(in.AsX(), Mem{Base: dst})
	VEXTRACTI128(U8(1), in, in.AsX())
	VMOVQ(in.AsX(), Mem{Base: dst, Disp: 16})
	ADDQ(U8(32), src)
	ADDQ(U8(24), dst)
	SUBQ(U8(32), n)
	JZ(LabelRef("done"))
	CMPQ(n, U8(32))
	JGE(LabelRef("loop"))
	// The rest, once more with characters before it, so that nothing behind it is touched.
	LEAQ(Mem{Base: src, Index: n, Scale: 1, Disp: -32}, src)
	LEAQ(Mem{Base: n, Index: n, Scale: 2}, n) // n·3/4 octets
	SHRQ(U8(2), n)
	LEAQ(Mem{Base: dst, Index: n, Scale: 1, Disp: -24}, dst)
	MOVQ(U32(32), n)
	JMP(LabelRef("loop"))

	Label("done")
	// Bits of errors are set anywhere in an octet.
	VPXOR(a, a, a)
	VPCMPEQB(a, errors, errors)
	VPMOVMSKB(errors, EAX)
	NOTL(EAX)
	Store(RAX, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
