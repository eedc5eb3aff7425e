// Command main writes base64_amd64.s: base64url, 64 characters at a time.
package main

//go:generate go run . -out ../base64_amd64.s -stubs ../base64_stubs_amd64.go -pkg jose

import (
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
