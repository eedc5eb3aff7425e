package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Elements lie in slots of the frame: five limbs of 52 bits, each of eight lanes, limb j at 64·j. The comments on ranges are in
// radix52.go, which does the same to one lane.
const slotSize = 5 * 64

type slot int

const (
	sX slot = iota
	sY
	sZZ
	sZZZ
	sX2 // of the point that is added
	sY2
	sZZ2
	sZZZ2
	sP
	sR
	sPP
	sPPP
	sQ
	sRR
	sU1
	sS1
	slots
)

// lanes emits vector code of eight lanes in ZMM registers or four in YMM registers.
type lanes struct {
	regs [32]VecPhysical
	base GPPhysical // the slots, aligned to 64
}

var (
	zmm = [32]VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}
	ymm = [32]VecPhysical{
		Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15,
		Y16, Y17, Y18, Y19, Y20, Y21, Y22, Y23, Y24, Y25, Y26, Y27, Y28, Y29, Y30, Y31,
	}
)

// Registers with a fixed use. t0 to t9 are 0 to 9; a product's result is in 5 to 9.
const (
	rA    = 10 // to 14: the multiplicand
	rB    = 15 // to 17: digits of the multiplier, in turn
	rTmp  = 18
	rZero = 19
	rA2   = 20 // to 24: the multiplicand of the second product
	rB2   = 25 // to 27
	rP4   = 28 // 2^48 - 2^16, the highest limb of p
	r36   = 29 // 2^36, limb 3 of p
	r44   = 30 // 2^44, limb 1 of p + 1
	rMask = 31 // 2^52 - 1
)

func (l *lanes) r(i int) VecPhysical { return l.regs[i] }

func (l *lanes) at(s slot, limb int) Mem { return Mem{Base: l.base, Disp: int(s)*slotSize + 64*limb} }

var multiples Mem // of p: [c-1][limb], c·p without carries, limb 0 as -c

func constants() {
	p := [5]int64{-1, 1 << 44, 0, 1 << 36, 1<<48 - 1<<16}
	multiples = GLOBL("multiples", RODATA|NOPTR)
	for c := range int64(4) {
		for j := range 5 {
			DATA(int(c)*40+8*j, U64(uint64((c+1)*p[j])))
		}
	}
}

func words(name string, w ...uint64) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range w {
		DATA(8*i, U64(v))
	}
	return m
}

// setup loads the constants.
func (l *lanes) setup() {
	for _, c := range []struct {
		r int
		v uint64
	}{{rP4, 1<<48 - 1<<16}, {r36, 1 << 36}, {r44, 1 << 44}, {rMask, 1<<52 - 1}} {
		MOVQ(U64(c.v), RAX)
		VPBROADCASTQ(RAX, l.r(c.r))
	}
	VPXORQ(l.r(rZero), l.r(rZero), l.r(rZero))
}

func (l *lanes) load(s slot, r int) {
	for j := range 5 {
		VMOVDQU64(l.at(s, j), l.r(r+j))
	}
}

func (l *lanes) store(r int, s slot) {
	for j := range 5 {
		VMOVDQU64(l.r(r+j), l.at(s, j))
	}
}

// row adds a·b[i] to t: the low halves of a's limbs at i, the high halves one above. t[i+5] is fresh.
func (l *lanes) row(i, a, b int, fresh bool) {
	if fresh {
		if i == 0 {
			for j := range 5 {
				VPXORQ(l.r(j), l.r(j), l.r(j))
			}
		}
		VPXORQ(l.r(i+5), l.r(i+5), l.r(i+5))
	}
	for j := range 5 {
		VPMADD52LUQ(l.r(a+j), l.r(b), l.r(i+j))
	}
	for j := range 5 {
		VPMADD52HUQ(l.r(a+j), l.r(b), l.r(i+j+1))
	}
}

// step is the Montgomery step that clears t[i]: its low 52 bits m are the quotient. m·p = m·2^256 - m·2^224 + m·2^192 +
// m·2^96 - m, and the rest of t[i] is carried.
func (l *lanes) step(i int) {
	m, tmp := l.r(i), l.r(rTmp)
	VPSRLQ(Imm(52), m, tmp)
	VPMADD52LUQ(l.r(r44), m, l.r(i+1))
	VPMADD52HUQ(l.r(r44), m, l.r(i+2))
	VPMADD52LUQ(l.r(r36), m, l.r(i+3))
	VPMADD52HUQ(l.r(r36), m, l.r(i+4))
	VPMADD52LUQ(l.r(rP4), m, l.r(i+4))
	VPMADD52HUQ(l.r(rP4), m, l.r(i+5))
	VPADDQ(tmp, l.r(i+1), l.r(i+1))
}

// mul leaves x·y in 5 to 9, not carried.
func (l *lanes) mul(x, y slot) {
	l.load(x, rA)
	for i := range 5 {
		b := rB + i%3
		VMOVDQU64(l.at(y, i), l.r(b))
		l.row(i, rA, b, true)
		if i > 0 {
			l.step(i - 1)
		}
	}
	l.step(4)
}

// mulAdd leaves x·y + v·w in 5 to 9, not carried: one reduction for two products.
func (l *lanes) mulAdd(x, y, v, w slot) {
	l.load(x, rA)
	l.load(v, rA2)
	for i := range 5 {
		b, b2 := rB+i%3, rB2+i%3
		VMOVDQU64(l.at(y, i), l.r(b))
		VMOVDQU64(l.at(w, i), l.r(b2))
		l.row(i, rA, b, true)
		l.row(i, rA2, b2, false)
		if i > 0 {
			l.step(i - 1)
		}
	}
	l.step(4)
}

// sqr leaves x² in 5 to 9, not carried: the products of two limbs once, doubled, then the squares.
func (l *lanes) sqr(x slot) {
	l.load(x, rA)
	for j := range 10 {
		VPXORQ(l.r(j), l.r(j), l.r(j))
	}
	for i := range 4 {
		for j := i + 1; j < 5; j++ {
			VPMADD52LUQ(l.r(rA+i), l.r(rA+j), l.r(i+j))
		}
		for j := i + 1; j < 5; j++ {
			VPMADD52HUQ(l.r(rA+i), l.r(rA+j), l.r(i+j+1))
		}
	}
	for j := 1; j < 9; j++ {
		VPADDQ(l.r(j), l.r(j), l.r(j))
	}
	for i := range 5 {
		VPMADD52LUQ(l.r(rA+i), l.r(rA+i), l.r(2*i))
		VPMADD52HUQ(l.r(rA+i), l.r(rA+i), l.r(2*i+1))
	}
	for i := range 5 {
		l.step(i)
	}
}

// carry brings 5 to 8 into [0, 2^52); the highest limb takes the rest. Limbs may be negative.
func (l *lanes) carry() {
	for j := 5; j < 9; j++ {
		VPSRAQ(Imm(52), l.r(j), l.r(rTmp))
		VPANDQ(l.r(rMask), l.r(j), l.r(j))
		VPADDQ(l.r(rTmp), l.r(j+1), l.r(j+1))
	}
}

// subPlus subtracts s and adds c·p, limb by limb.
func (l *lanes) subPlus(s slot, c int) {
	for j := range 5 {
		VPSUBQ(l.at(s, j), l.r(5+j), l.r(5+j))
	}
	l.plus(c)
}

func (l *lanes) plus(c int) {
	for _, j := range []int{0, 1, 3, 4} {
		VPADDQ_BCST(multiples.Offset((c-1)*40+8*j), l.r(5+j), l.r(5+j))
	}
}

// reduce takes k·p off, with k the bits from 256 on of the highest limb, signed, and adds p; then it carries.
func (l *lanes) reduce() {
	k, tmp := l.r(rTmp), l.r(rA)
	VPSRAQ(Imm(48), l.r(9), k)
	VPADDQ(k, l.r(5), l.r(5))
	VPSLLQ(Imm(44), k, tmp)
	VPSUBQ(tmp, l.r(6), l.r(6))
	VPSLLQ(Imm(36), k, tmp)
	VPSUBQ(tmp, l.r(8), l.r(8))
	VPSLLQ(Imm(16), k, tmp)
	VPADDQ(tmp, l.r(9), l.r(9))
	VPSLLQ(Imm(48), k, tmp)
	VPSUBQ(tmp, l.r(9), l.r(9))
	l.plus(1)
	l.carry()
}

// x3 makes X = RR - PPP - 2Q from RR in 5 to 9, and P = X - Q.
func (l *lanes) x3() {
	for j := range 5 {
		VMOVDQU64(l.at(sQ, j), l.r(rA2+j))
		VPSUBQ(l.at(sPPP, j), l.r(5+j), l.r(5+j))
		VPSUBQ(l.r(rA2+j), l.r(5+j), l.r(5+j))
		VPSUBQ(l.r(rA2+j), l.r(5+j), l.r(5+j))
	}
	l.reduce()
	l.store(5, sX)
	for j := range 5 {
		VPSUBQ(l.r(rA2+j), l.r(5+j), l.r(5+j))
	}
	l.plus(2)
	l.carry()
	l.store(5, sP)
}

// entries loads the eight table entries of the terms at ptr: x to sX2, y to sY2, limbs of 52 bits, and the mask of those to be
// subtracted to K1.
func (l *lanes) entries(ptr GPPhysical, signs Mem) {
	gp := []GPPhysical{R8, R9, R10, R11, R12, R13, R14, R15}
	for i, g := range gp {
		MOVQ(Mem{Base: ptr, Disp: 16 * i}, g)
	}
	VMOVDQU64(signs, Z16)
	VMOVDQU64(Mem{Base: ptr}, Z17)
	VPERMT2Q(Mem{Base: ptr, Disp: 64}, Z16, Z17)
	VPMOVQ2M(Z17, K1)
	for i, g := range gp {
		VMOVDQU64(Mem{Base: g}, zmm[i])
	}
	Comment("Transpose: word i of the eight entries to one register.")
	for i := 0; i < 8; i += 2 {
		VPUNPCKLQDQ(zmm[i+1], zmm[i], zmm[8+i])
		VPUNPCKHQDQ(zmm[i+1], zmm[i], zmm[9+i])
	}
	word := [8]VecPhysical{}
	for odd := range 2 {
		a0, a1, a2, a3 := zmm[8+odd], zmm[10+odd], zmm[12+odd], zmm[14+odd]
		c := zmm[4*odd : 4*odd+4]
		VSHUFI64X2(Imm(0x88), a1, a0, c[0])
		VSHUFI64X2(Imm(0xdd), a1, a0, c[1])
		VSHUFI64X2(Imm(0x88), a3, a2, c[2])
		VSHUFI64X2(Imm(0xdd), a3, a2, c[3])
	}
	for odd := range 2 {
		c, d := zmm[4*odd:4*odd+4], zmm[8+4*odd:12+4*odd]
		VSHUFI64X2(Imm(0x88), c[2], c[0], d[0])
		VSHUFI64X2(Imm(0xdd), c[2], c[0], d[1])
		VSHUFI64X2(Imm(0x88), c[3], c[1], d[2])
		VSHUFI64X2(Imm(0xdd), c[3], c[1], d[3])
		word[odd], word[4+odd], word[2+odd], word[6+odd] = d[0], d[1], d[2], d[3]
	}
	for i, s := range []slot{sX2, sY2} {
		w := word[4*i : 4*i+4]
		t, u := zmm[0], zmm[1]
		VPANDQ(zmm[rMask], w[0], t)
		VMOVDQU64(t, l.at(s, 0))
		for j := range uint64(3) {
			VPSRLQ(Imm(52-12*j), w[j], t)
			VPSLLQ(Imm(12+12*j), w[j+1], u)
			VPORQ(u, t, t)
			VPANDQ(zmm[rMask], t, t)
			VMOVDQU64(t, l.at(s, int(j)+1))
		}
		VPSRLQ(Imm(16), w[3], t)
		VMOVDQU64(t, l.at(s, 4))
	}
}

// frame reserves the slots and leaves their address in base.
func frame(base GPPhysical) {
	m := AllocLocal(int(slots)*slotSize + 64)
	LEAQ(m, base)
	ADDQ(Imm(63), base)
	ANDQ(I32(-64), base)
}

func ifma() {
	constants()
	fieldIFMA()
	sumIFMA()
}

// sumIFMA: slots as above; SI terms, CX steps left, DX level.
func sumIFMA() {
	signs := words("signs", 1, 3, 5, 7, 9, 11, 13, 15)
	// 2^260 mod p = 16·(2^256 mod p) in limbs of 52 bits: 2^260 - 16p = 16·(2^224 - 2^192 - 2^96 + 1).
	one := words("one52", 16, 1<<52-1<<48, 1<<52-1, 1<<52-1<<40-1, 1<<20-1)
	swaps := words("swaps", 1, 0, 3, 2, 2, 3, 0, 1)

	TEXT("sumIFMA", 0, "func(z *[10]uint64, terms *[112]struct{entry *[8]uint64; sign uint64}, steps uint64)")
	Doc("sumIFMA sets z to X and ZZ of the sum of 8·steps terms, steps ≥ 2, or of its opposite: five limbs of 52 bits each, lowest",
		"first, in the domain x·2^260 mod p like the entries, X below 2.01p and ZZ below 2p. Lane i sums the terms 8·j+i for all j. The",
		"signs of the terms with j = 2, 4, 6, … must be flipped. It takes about 2 µs. See radix52.go.")
	Pragma("noescape")
	l := &lanes{zmm, RBX}
	frame(l.base)
	Load(Param("terms"), RSI)
	Load(Param("steps"), RCX)

	Comment("Ask for all entries at once.")
	MOVQ(RCX, RDX)
	MOVQ(RSI, RDI)
	Label("prefetch")
	for i := range 8 {
		MOVQ(Mem{Base: RDI, Disp: 16 * i}, RAX)
		PREFETCHT0(Mem{Base: RAX})
	}
	ADDQ(U32(128), RDI)
	DECQ(RDX)
	JNZ(LabelRef("prefetch"))

	l.setup()
	Comment("The first terms: X, ±Y, 1, 1.")
	l.entries(RSI, signs)
	for j := range 5 {
		VMOVDQU64(l.at(sX2, j), zmm[0])
		VMOVDQU64(zmm[0], l.at(sX, j))
		VPBROADCASTQ(one.Offset(8*j), zmm[0])
		VMOVDQU64(zmm[0], l.at(sZZ, j))
		VMOVDQU64(zmm[0], l.at(sZZZ, j))
	}
	l.load(sY2, 5)
	for j := range 5 {
		VPSUBQ(zmm[5+j], zmm[rZero], K1, zmm[5+j])
	}
	for _, j := range []int{0, 1, 3, 4} {
		VPBROADCASTQ(multiples.Offset(8*j), zmm[rA])
		VPADDQ(zmm[rA], zmm[5+j], K1, zmm[5+j])
	}
	l.carry()
	l.store(5, sY)
	DECQ(RCX)

	Comment("Mixed additions.")
	Label("mixed")
	ADDQ(U32(128), RSI)
	l.entries(RSI, signs)
	l.mul(sX2, sZZ)
	l.subPlus(sX, 3)
	l.carry()
	l.store(5, sP)
	l.mul(sY2, sZZZ)
	for j := range 5 {
		VPSUBQ(zmm[5+j], zmm[rZero], K1, zmm[5+j])
	}
	l.subPlus(sY, 4)
	l.carry()
	l.store(5, sR)
	l.sqr(sP)
	l.carry()
	l.store(5, sPP)
	l.sqr(sR)
	l.store(5, sRR)
	l.mul(sP, sPP)
	l.carry()
	l.store(5, sPPP)
	l.mul(sX, sPP)
	l.store(5, sQ)
	l.mul(sZZ, sPP)
	l.carry()
	l.store(5, sZZ)
	l.load(sRR, 5)
	l.x3()
	l.mul(sZZZ, sPPP)
	l.carry()
	l.store(5, sZZZ)
	l.mulAdd(sY, sPPP, sR, sP)
	l.carry()
	l.store(5, sY)
	DECQ(RCX)
	JNZ(LabelRef("mixed"))

	Comment("Eight sums to four, to two, to one, in the lanes of YMM registers.")
	l.regs = ymm
	for s := sX; s <= sZZZ; s++ {
		for j := range 5 {
			VMOVDQU64(l.at(s, j).Offset(32), l.r(0))
			VMOVDQU64(l.r(0), l.at(s+sX2-sX, j))
		}
	}
	MOVQ(U32(3), RDX)
	Label("full")
	l.mul(sX, sZZ2)
	l.carry()
	l.store(5, sU1)
	l.mul(sX2, sZZ)
	l.subPlus(sU1, 2)
	l.carry()
	l.store(5, sP)
	l.mul(sY, sZZZ2)
	l.carry()
	l.store(5, sS1)
	l.mul(sY2, sZZZ)
	l.subPlus(sS1, 2)
	l.carry()
	l.store(5, sR)
	l.mul(sZZ, sZZ2)
	l.carry()
	l.store(5, sZZ)
	l.sqr(sP)
	l.carry()
	l.store(5, sPP)
	l.sqr(sR)
	l.store(5, sRR)
	l.mul(sP, sPP)
	l.carry()
	l.store(5, sPPP)
	l.mul(sU1, sPP)
	l.store(5, sQ)
	l.mul(sZZ, sPP)
	l.carry()
	l.store(5, sZZ)
	l.load(sRR, 5)
	l.x3()
	DECQ(RDX)
	JZ(LabelRef("done"))
	l.mul(sZZZ, sZZZ2)
	l.carry()
	l.store(5, sZZZ)
	l.mul(sZZZ, sPPP)
	l.carry()
	l.store(5, sZZZ)
	l.mulAdd(sS1, sPPP, sR, sP)
	l.carry()
	l.store(5, sY)
	Comment("The other summands: lanes 2 and 3 first, then lane 1.")
	MOVQ(RDX, RAX)
	SHLQ(Imm(5), RAX)
	LEAQ(swaps, RDI)
	VMOVDQU64(Mem{Base: RDI, Index: RAX, Scale: 1, Disp: -32}, l.r(0))
	for s := sX; s <= sZZZ; s++ {
		for j := range 5 {
			VPERMQ(l.at(s, j), l.r(0), l.r(1))
			VMOVDQU64(l.r(1), l.at(s+sX2-sX, j))
		}
	}
	JMP(LabelRef("full"))

	Label("done")
	Load(Param("z"), RDI)
	for i, s := range []slot{sX, sZZ} {
		for j := range 5 {
			MOVQ(l.at(s, j), RAX)
			MOVQ(RAX, Mem{Base: RDI, Disp: 40*i + 8*j})
		}
	}
	VZEROUPPER()
	RET()
}

// fieldIFMA is for tests of the parts.
func fieldIFMA() {
	TEXT("fieldIFMA", 0, "func(z *[5][5][8]uint64, x, y *[5][8]uint64)")
	Doc("fieldIFMA is for the tests of the parts of sumIFMA. In each of eight lanes it sets z to x·y, x², x·y + x², X = x - y - 2y",
		"reduced, and X - y. The first three are in the Montgomery domain and carried, like the last. Indices are output, limb, lane.")
	Pragma("noescape")
	l := &lanes{zmm, RBX}
	frame(l.base)
	Load(Param("x"), RSI)
	Load(Param("y"), RDI)
	for j := range 5 {
		VMOVDQU64(Mem{Base: RSI, Disp: 64 * j}, zmm[0])
		VMOVDQU64(Mem{Base: RDI, Disp: 64 * j}, zmm[1])
		VMOVDQU64(zmm[0], l.at(sR, j))
		VMOVDQU64(zmm[1], l.at(sQ, j))
		VMOVDQU64(zmm[1], l.at(sPPP, j))
	}
	l.setup()
	Load(Param("z"), RDX)
	out := func(i int) {
		for j := range 5 {
			VMOVDQU64(zmm[5+j], Mem{Base: RDX, Disp: slotSize*i + 64*j})
		}
	}
	l.mul(sR, sQ)
	l.carry()
	out(0)
	l.sqr(sR)
	l.carry()
	out(1)
	l.mulAdd(sR, sQ, sR, sR)
	l.carry()
	out(2)
	l.load(sR, 5)
	l.x3()
	out(4)
	l.load(sX, 5)
	out(3)
	VZEROUPPER()
	RET()
}
