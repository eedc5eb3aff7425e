package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Elements are four words in memory, each in [0, p). A product is left in registers.
var (
	rLo, rHi, rC = RAX, RBX, RCX
	rP1, rP3     = RBP, R15 // words 1 and 3 of p; word 0 is 2^64-1, word 2 is 0
	rNull        = R14
)

type words4 [4]GPPhysical

func at4(base Mem, i int) Mem { return base.Offset(8 * i) }

func loadPrime() {
	MOVQ(U64(0x00000000ffffffff), rP1)
	MOVQ(U64(0xffffffff00000001), rP3)
	XORL(R14L, R14L)
}

// step4 is the Montgomery step that clears t[0]: t[0]·p = t[0]·(2^64-2^32+1)·2^192 + t[0]·2^96 - t[0]. The carry out of t[4]
// goes to t[0].
func step4(t []GPPhysical) {
	MOVQ(t[0], RDX)
	MULXQ(rP3, rLo, rHi)
	MOVQ(t[0], rC)
	SHLQ(Imm(32), RDX)
	SHRQ(Imm(32), rC)
	XORL(t[0].As32(), t[0].As32())
	ADDQ(RDX, t[1])
	ADCQ(rC, t[2])
	ADCQ(rLo, t[3])
	ADCQ(rHi, t[4])
	ADCQ(rNull, t[0])
}

// mul4 returns x·y/2^256 mod p in registers. Bounds as in Element.Mul.
func mul4(x, y Mem) words4 {
	t := []GPPhysical{R8, R9, R10, R11, R12, R13}
	MOVQ(at4(y, 0), RDX)
	MULXQ(at4(x, 0), t[0], t[1])
	MULXQ(at4(x, 1), rLo, t[2])
	ADDQ(rLo, t[1])
	MULXQ(at4(x, 2), rLo, t[3])
	ADCQ(rLo, t[2])
	MULXQ(at4(x, 3), rLo, t[4])
	ADCQ(rLo, t[3])
	ADCQ(rNull, t[4])
	step4(t)
	for i := 1; i < 4; i++ {
		// The carry of the last step is the new highest word, and its register comes round; the sum of the row fits into five.
		t = []GPPhysical{t[1], t[2], t[3], t[4], t[0]}
		MOVQ(at4(y, i), RDX)
		XORL(rC.As32(), rC.As32()) // clears both carries
		for j := range 4 {
			MULXQ(at4(x, j), rLo, rHi)
			ADCXQ(rLo, t[j])
			ADOXQ(rHi, t[j+1])
		}
		ADCXQ(rNull, t[4])
		step4(t)
	}
	return final4(words4{t[1], t[2], t[3], t[4]}, t[0])
}

// final4 subtracts p once if carry·2^256 + t is not below p.
func final4(t words4, carry GPPhysical) words4 {
	MOVQ(t[0], rLo)
	MOVQ(t[1], rHi)
	MOVQ(t[2], rC)
	MOVQ(t[3], RDX)
	SUBQ(I8(-1), rLo)
	SBBQ(rP1, rHi)
	SBBQ(rNull, rC)
	SBBQ(rP3, RDX)
	SBBQ(rNull, carry)
	CMOVQCC(rLo, t[0])
	CMOVQCC(rHi, t[1])
	CMOVQCC(rC, t[2])
	CMOVQCC(RDX, t[3])
	return t
}

// sub4 subtracts b modulo p.
func sub4(t words4, b Mem) words4 {
	SUBQ(at4(b, 0), t[0])
	SBBQ(at4(b, 1), t[1])
	SBBQ(at4(b, 2), t[2])
	SBBQ(at4(b, 3), t[3])
	SBBQ(rLo, rLo)
	MOVL(EAX, EBX) // p1 if borrowed
	MOVQ(rLo, rC)
	ANDQ(rP3, rC)
	ADDQ(rLo, t[0])
	ADCQ(rHi, t[1])
	ADCQ(rNull, t[2])
	ADCQ(rC, t[3])
	return t
}

func store4(t words4, m Mem) {
	for i := range 4 {
		MOVQ(t[i], at4(m, i))
	}
}

// sqr4 returns x²/2^256 mod p in registers: cross products, doubled, plus the squares, as Element.Sqr.
func sqr4(x Mem) words4 {
	t := []GPPhysical{R8, R9, R10, R11, R12, R13, RSI, rC}
	MOVQ(at4(x, 0), RDX)
	MULXQ(at4(x, 1), t[1], t[2])
	MULXQ(at4(x, 2), rLo, t[3])
	ADDQ(rLo, t[2])
	MULXQ(at4(x, 3), rLo, t[4])
	ADCQ(rLo, t[3])
	ADCQ(rNull, t[4])
	MOVQ(at4(x, 1), RDX)
	XORL(t[5].As32(), t[5].As32()) // clears both carries
	MULXQ(at4(x, 2), rLo, rHi)
	ADCXQ(rLo, t[3])
	ADOXQ(rHi, t[4])
	MULXQ(at4(x, 3), rLo, rHi)
	ADCXQ(rLo, t[4])
	ADOXQ(rHi, t[5])
	MOVQ(at4(x, 2), RDX)
	MULXQ(at4(x, 3), rLo, t[6])
	ADCXQ(rLo, t[5])
	ADOXQ(rNull, t[6]) // no carry is left: the value fits
	ADCXQ(rNull, t[6])

	XORL(t[7].As32(), t[7].As32())
	MOVQ(at4(x, 0), RDX)
	MULXQ(RDX, t[0], rHi)
	ADCXQ(t[1], t[1])
	ADOXQ(rHi, t[1])
	for i := 1; i < 4; i++ {
		MOVQ(at4(x, i), RDX)
		MULXQ(RDX, rLo, rHi)
		ADCXQ(t[2*i], t[2*i])
		ADOXQ(rLo, t[2*i])
		ADCXQ(t[2*i+1], t[2*i+1])
		ADOXQ(rHi, t[2*i+1])
	}
	Comment("Four steps on the lower half alone.")
	low := []GPPhysical{t[0], t[1], t[2], t[3]}
	// t[7] lives in rC, which a step needs.
	MOVQ(t[7], RDI)
	for range 4 {
		q := low[0]
		MOVQ(q, RDX)
		MULXQ(rP3, rLo, rHi)
		MOVQ(q, rC)
		SHLQ(Imm(32), RDX)
		SHRQ(Imm(32), rC)
		ADDQ(RDX, low[1])
		ADCQ(rC, low[2])
		ADCQ(rLo, low[3])
		MOVQ(rNull, q) // not MOVL $0, which the assembler makes a XORL
		ADCQ(rHi, q)
		low = []GPPhysical{low[1], low[2], low[3], q}
	}
	XORL(EDX, EDX)
	ADDQ(t[4], low[0])
	ADCQ(t[5], low[1])
	ADCQ(t[6], low[2])
	ADCQ(RDI, low[3])
	ADCQ(rNull, RDX)
	MOVQ(RDX, t[4])
	return final4(words4{low[0], low[1], low[2], low[3]}, t[4])
}

func adx() {
	TEXT("mulADX", NOSPLIT, "func(z, x, y *[4]uint64)")
	Doc("mulADX is Element.Mul.")
	Pragma("noescape")
	Load(Param("x"), RSI)
	Load(Param("y"), RDI)
	loadPrime()
	t := mul4(Mem{Base: RSI}, Mem{Base: RDI})
	Load(Param("z"), RSI)
	store4(t, Mem{Base: RSI})
	RET()

	TEXT("sqrADX", NOSPLIT, "func(z, x *[4]uint64)")
	Doc("sqrADX is Element.Sqr.")
	Pragma("noescape")
	x := AllocLocal(32)
	Load(Param("x"), RSI)
	for i := range 4 {
		MOVQ(Mem{Base: RSI, Disp: 8 * i}, RAX)
		MOVQ(RAX, x.Offset(8*i))
	}
	loadPrime()
	t = sqr4(x)
	Load(Param("z"), RSI)
	store4(t, Mem{Base: RSI})
	RET()

	addADX()
}

// addADX: madd-2008-s, like point.add.
func addADX() {
	TEXT("addADX", 0, "func(p *[4][4]uint64, x2, y2 *[4]uint64, sign uint64)")
	Doc("addADX adds the table entry (x2, y2), or its opposite if sign is not 0, to p, which is X, Y, ZZ, ZZZ. It is point.add.",
		"All are four words, least significant first, in the Montgomery domain x·2^256 mod p, in [0, p).")
	Pragma("noescape")
	slot := func() Mem { return AllocLocal(32) }
	h, r, hh, hhh, q, y2, x3 := slot(), slot(), slot(), slot(), slot(), slot(), slot()
	var p Mem
	open := func() {
		Load(Param("p"), RDI)
		p = Mem{Base: RDI}
	}
	coordinate := func(i int) Mem { return p.Offset(32 * i) }
	const X, Y, ZZ, ZZZ = 0, 1, 2, 3

	loadPrime()
	Comment("y2 or p - y2.")
	Load(Param("y2"), RSI)
	Load(Param("sign"), RDX)
	y := words4{R8, R9, R10, R11}
	n := words4{RAX, RBX, RCX, R12}
	for i := range 4 {
		MOVQ(Mem{Base: RSI, Disp: 8 * i}, y[i])
	}
	MOVQ(I32(-1), n[0])
	MOVQ(rP1, n[1])
	XORL(n[2].As32(), n[2].As32())
	MOVQ(rP3, n[3])
	SUBQ(y[0], n[0])
	SBBQ(y[1], n[1])
	SBBQ(y[2], n[2])
	SBBQ(y[3], n[3])
	TESTQ(RDX, RDX)
	for i := range 4 {
		CMOVQNE(n[i], y[i])
	}
	store4(y, y2)

	Comment("H = x2·ZZ - X, R = y2·ZZZ - Y.")
	open()
	Load(Param("x2"), RSI)
	store4(sub4(mul4(Mem{Base: RSI}, coordinate(ZZ)), coordinate(X)), h)
	store4(sub4(mul4(y2, coordinate(ZZZ)), coordinate(Y)), r)
	Comment("HH = H², HHH = H·HH, Q = X·HH, ZZ·HH, ZZZ·HHH.")
	store4(sqr4(h), hh)
	open()
	store4(mul4(h, hh), hhh)
	store4(mul4(coordinate(X), hh), q)
	store4(mul4(coordinate(ZZ), hh), coordinate(ZZ))
	store4(mul4(coordinate(ZZZ), hhh), coordinate(ZZZ))
	Comment("X = R² - HHH - 2Q.")
	t := sub4(sub4(sub4(sqr4(r), hhh), q), q)
	open()
	store4(t, x3)
	store4(t, coordinate(X))
	Comment("Y = R·(Q - X) - Y·HHH.")
	for i := range 4 {
		MOVQ(at4(q, i), y[i])
	}
	store4(sub4(y, x3), q)
	store4(mul4(hhh, coordinate(Y)), hhh)
	store4(sub4(mul4(q, r), hhh), coordinate(Y))
	RET()
}
