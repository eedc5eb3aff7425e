package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Elements lie in slots of the frame: five limbs of 51 bits, each of eight lanes, limb j at 64·j. The comments on ranges are in
// lane.go, which does the same to one lane.
const slotSize = 5 * 64

type slot int

const (
	sP  slot = iota // Y + X
	sM              // Y - X
	sT              // T
	sZ              // Z, wide in the loop of mixed additions
	sP2             // of the point that is added
	sM2
	sT2
	sZ2
	sA // A, then X
	sE
	sF
	sG
	sH
	sPlus // table entries
	sMinus
	sT2d
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

// Registers with a fixed use. The columns of a product are 0 to 9, its result is in 0 to 4.
const (
	rA    = 10 // to 14: the multiplicand
	rB    = 15 // to 19: the multiplier
	rU    = 20 // to 24: a second result
	r2P0  = 25 // 2p, lowest limb
	r2P   = 26 // 2p, the other limbs
	rK0   = 27 // 512·p, lowest limb
	rK    = 28 // 512·p, the other limbs
	r19   = 29
	rMask = 30 // 2^51 - 1
)

func (l *lanes) r(i int) VecPhysical { return l.regs[i] }

func (l *lanes) at(s slot, limb int) Mem { return Mem{Base: l.base, Disp: int(s)*slotSize + 64*limb} }

func words(name string, w ...uint64) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range w {
		DATA(8*i, U64(v))
	}
	return m
}

func (l *lanes) broadcast(v uint64, r int) {
	MOVQ(U64(v), RAX)
	VPBROADCASTQ(RAX, l.r(r))
}

// setup loads the constants.
func (l *lanes) setup() {
	l.broadcast(512*(1<<51-19), rK0)
	l.broadcast(512*(1<<51-1), rK)
	l.broadcast(2*(1<<51-19), r2P0)
	l.broadcast(2*(1<<51-1), r2P)
	l.broadcast(19, r19)
	l.broadcast(1<<51-1, rMask)
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

// mul leaves x·y in 0 to 4, wide. The high halves of 104 bits are worth 2^52, so they count twice one limb above.
func (l *lanes) mul(x, y slot) {
	l.load(x, rA)
	l.load(y, rB)
	l.product()
}

// product is mul for factors in rA and rB.
func (l *lanes) product() {
	for j := range 10 {
		VPXORQ(l.r(j), l.r(j), l.r(j))
	}
	for i := range 5 {
		for j := range 5 {
			VPMADD52HUQ(l.r(rA+j), l.r(rB+i), l.r(i+j+1))
		}
	}
	for j := 1; j < 10; j++ {
		VPADDQ(l.r(j), l.r(j), l.r(j))
	}
	for i := range 5 {
		for j := range 5 {
			VPMADD52LUQ(l.r(rA+j), l.r(rB+i), l.r(i+j))
		}
	}
	for j := range 5 {
		VPMULLQ(l.r(r19), l.r(5+j), l.r(5+j))
		VPADDQ(l.r(5+j), l.r(j), l.r(j))
	}
}

// carry carries the five limbs at r, all at once.
func (l *lanes) carry(r int) {
	c := [5]VecPhysical{l.r(5), l.r(6), l.r(7), l.r(8), l.r(9)}
	for j := 4; j >= 0; j-- {
		VPSRLQ(Imm(51), l.r(r+j), c[j])
		VPANDQ(l.r(rMask), l.r(r+j), l.r(r+j))
	}
	VPMULLQ(l.r(r19), c[4], c[4])
	for j := range 5 {
		VPADDQ(c[(j+4)%5], l.r(r+j), l.r(r+j))
	}
}

// sumDiff makes x + y and y - x of y in 0 to 4 and x in rA: the sum in 0 to 4, the difference in rU, both carried.
func (l *lanes) sumDiff() {
	for j := range 5 {
		k := rK
		if j == 0 {
			k = rK0
		}
		VPADDQ(l.r(k), l.r(j), l.r(rU+j))
		VPSUBQ(l.r(rA+j), l.r(rU+j), l.r(rU+j))
		VPADDQ(l.r(rA+j), l.r(j), l.r(j))
	}
	l.carry(0)
	l.carry(rU)
}

// efgh makes E, F, G and H of A in its slot, B made by b, C made by c and Z made by z, wide, in rA.
func (l *lanes) efgh(b, c, z func()) {
	b()
	l.load(sA, rA)
	l.sumDiff()
	l.store(0, sH)
	l.store(rU, sE)
	c()
	z()
	Comment("F = 2Z - C, G = 2Z + C.")
	for j := range 5 {
		k := rK
		if j == 0 {
			k = rK0
		}
		VPADDQ(l.r(rA+j), l.r(rA+j), l.r(rA+j))
		VPSUBQ(l.r(j), l.r(rA+j), l.r(rU+j))
		VPADDQ(l.r(k), l.r(rU+j), l.r(rU+j))
		VPADDQ(l.r(rA+j), l.r(j), l.r(j))
	}
	l.carry(0)
	l.carry(rU)
	l.store(0, sG)
	l.store(rU, sF)
}

// finish makes the sum of E, F, G and H.
func (l *lanes) finish() {
	l.mul(sE, sH)
	l.carry(0)
	l.store(0, sT)
	l.mul(sE, sF)
	l.store(0, sA)
	l.mul(sG, sH)
	l.load(sA, rA)
	l.sumDiff()
	l.store(0, sP)
	l.store(rU, sM)
	l.mul(sF, sG)
}

// unpack writes four words in w, below 2^255, to a slot as limbs. It needs 0 and 1.
func unpack(l *lanes, w []VecPhysical, s slot) {
	t, u := l.r(0), l.r(1)
	VPANDQ(l.r(rMask), w[0], t)
	VMOVDQU64(t, l.at(s, 0))
	for j := range uint64(3) {
		VPSRLQ(Imm(51-13*j), w[j], t)
		VPSLLQ(Imm(13+13*j), w[j+1], u)
		VPTERNLOGQ(Imm(0xa8), l.r(rMask), u, t) // (t | u) & mask
		VMOVDQU64(t, l.at(s, int(j)+1))
	}
	VPSRLQ(Imm(12), w[3], t)
	VMOVDQU64(t, l.at(s, 4))
}

// entries loads the eight table entries of the terms at ptr to sPlus, sMinus and sT2d, negated where the sign says so.
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
	Comment("Transpose: word i of y + x and y - x of the eight entries to one register.")
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
	Comment("The opposite has both exchanged.")
	for i := range 4 {
		VMOVDQA64(word[i], zmm[i])
		VMOVDQA64(word[4+i], K1, word[i])
		VMOVDQA64(zmm[i], K1, word[4+i])
	}
	unpack(l, word[:4], sPlus)
	unpack(l, word[4:], sMinus)
	Comment("2dxy: two entries to a register, so that the shuffles leave the lanes in order.")
	for i, rows := range [4][2]int{{0, 2}, {1, 3}, {4, 6}, {5, 7}} {
		VMOVDQU64(Mem{Base: gp[rows[0]], Disp: 64}, ymm[2+i])
		VINSERTI64X4(Imm(1), Mem{Base: gp[rows[1]], Disp: 64}, zmm[2+i], zmm[2+i])
	}
	w := zmm[10:14]
	for odd := range 2 {
		a, b := zmm[6], zmm[7]
		if odd == 0 {
			VPUNPCKLQDQ(zmm[3], zmm[2], a)
			VPUNPCKLQDQ(zmm[5], zmm[4], b)
		} else {
			VPUNPCKHQDQ(zmm[3], zmm[2], a)
			VPUNPCKHQDQ(zmm[5], zmm[4], b)
		}
		VSHUFI64X2(Imm(0x88), b, a, w[odd])
		VSHUFI64X2(Imm(0xdd), b, a, w[2+odd])
	}
	unpack(l, w, sT2d)
}

// frame reserves the slots and leaves their address in base.
func frame(base GPPhysical) {
	m := AllocLocal(int(slots)*slotSize + 64)
	LEAQ(m, base)
	ADDQ(Imm(63), base)
	ANDQ(I32(-64), base)
}

func ifma() {
	fieldIFMA()
	sumIFMA()
}

// sumIFMA: slots as above; SI terms, CX steps left, DX level.
func sumIFMA() {
	signs := words("signs", 1, 3, 5, 7, 9, 11, 13, 15)
	d2 := words("d2limbs", 0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff)
	swaps := words("swaps", 1, 0, 3, 2, 2, 3, 0, 1)

	TEXT("sumIFMA", 0, "func(z *[15]uint64, terms *[104]struct{entry *[12]uint64; sign uint64}, steps uint64)")
	Doc("sumIFMA sets z to X, Y and Z of the sum of 8·steps terms, steps ≥ 1: five limbs of 51 bits each, lowest first, wide. Lane i",
		"sums the terms 8·j+i for all j. It takes about 2 µs. See lane.go.")
	Pragma("noescape")
	l := &lanes{zmm, RBX}
	frame(l.base)
	Load(Param("terms"), RSI)
	Load(Param("steps"), RCX)

	Comment("Ask for all entries at once. Each is on two lines of the cache.")
	MOVQ(RCX, RDX)
	MOVQ(RSI, RDI)
	Label("prefetch")
	for i := range 8 {
		MOVQ(Mem{Base: RDI, Disp: 16 * i}, RAX)
		PREFETCHT0(Mem{Base: RAX})
		PREFETCHT0(Mem{Base: RAX, Disp: 64})
	}
	ADDQ(U32(128), RDI)
	DECQ(RDX)
	JNZ(LabelRef("prefetch"))

	l.setup()
	Comment("The first terms: Y + X = 4(y + x), Y - X = 4(y - x), Z = 4, T = 2x·2y.")
	l.entries(RSI, signs)
	l.load(sMinus, rA)
	l.load(sPlus, 0)
	l.sumDiff()
	for j := range 5 {
		VMOVDQA64(l.r(rU+j), l.r(rA+j))
		VMOVDQA64(l.r(j), l.r(rB+j))
	}
	l.product()
	l.carry(0)
	l.store(0, sT)
	for i, s := range []slot{sPlus, sMinus} {
		l.load(s, 0)
		for j := range 5 {
			VPSLLQ(Imm(2), l.r(j), l.r(j))
		}
		l.carry(0)
		l.store(0, sP+slot(i))
	}
	for j := range 5 {
		v := uint64(0)
		if j == 0 {
			v = 4
		}
		l.broadcast(v, 0)
		VMOVDQU64(l.r(0), l.at(sZ, j))
	}
	DECQ(RCX)
	JZ(LabelRef("reduce"))

	Comment("Mixed additions.")
	Label("mixed")
	ADDQ(U32(128), RSI)
	l.entries(RSI, signs)
	l.mul(sM, sMinus)
	l.store(0, sA)
	l.efgh(
		func() { l.mul(sP, sPlus) },
		func() {
			Comment("The opposite has -2dxy: 2p - t, limb by limb, so it need not be carried.")
			l.load(sT2d, rB)
			for j := range 5 {
				VPSUBQ(l.r(rB+j), l.r(r2P0+min(j, 1)), K1, l.r(rB+j))
			}
			l.load(sT, rA)
			l.product()
		},
		func() { l.load(sZ, rA) },
	)
	l.finish()
	l.store(0, sZ)
	DECQ(RCX)
	JNZ(LabelRef("mixed"))

	Label("reduce")
	l.load(sZ, 0)
	l.carry(0)
	l.store(0, sZ)
	Comment("Eight sums to four, to two, to one, in the lanes of YMM registers.")
	l.regs = ymm
	for s := sP; s <= sZ; s++ {
		for j := range 5 {
			VMOVDQU64(l.at(s, j).Offset(32), l.r(0))
			VMOVDQU64(l.r(0), l.at(s+sP2-sP, j))
		}
	}
	MOVQ(U32(3), RDX)
	Label("full")
	l.mul(sM, sM2)
	l.store(0, sA)
	l.efgh(
		func() { l.mul(sP, sP2) },
		func() {
			l.mul(sZ, sZ2)
			l.store(0, sZ)
			l.load(sT, rA)
			for j := range 5 {
				VPBROADCASTQ(d2.Offset(8*j), l.r(rB+j))
			}
			l.product()
			l.carry(0)
			for j := range 5 {
				VMOVDQA64(l.r(j), l.r(rA+j))
			}
			l.load(sT2, rB)
			l.product()
		},
		func() { l.load(sZ, rA) },
	)
	DECQ(RDX)
	JZ(LabelRef("done"))
	l.finish()
	l.carry(0)
	l.store(0, sZ)
	Comment("The other summands: lanes 2 and 3 first, then lane 1.")
	MOVQ(RDX, RAX)
	SHLQ(Imm(5), RAX)
	LEAQ(swaps, RDI)
	VMOVDQU64(Mem{Base: RDI, Index: RAX, Scale: 1, Disp: -32}, l.r(0))
	for s := sP; s <= sZ; s++ {
		for j := range 5 {
			VPERMQ(l.at(s, j), l.r(0), l.r(1))
			VMOVDQU64(l.r(1), l.at(s+sP2-sP, j))
		}
	}
	JMP(LabelRef("full"))

	Label("done")
	Load(Param("z"), RDI)
	for i, f := range [3][2]slot{{sE, sF}, {sG, sH}, {sF, sG}} {
		l.mul(f[0], f[1])
		for j, x := range []VecPhysical{X0, X1, X2, X3, X4} {
			VMOVQ(x, Mem{Base: RDI, Disp: 40*i + 8*j})
		}
	}
	VZEROUPPER()
	RET()
}

// fieldIFMA is for tests of the parts.
func fieldIFMA() {
	TEXT("fieldIFMA", 0, "func(z *[4][5][8]uint64, x, y *[5][8]uint64)")
	Doc("fieldIFMA is for the tests of the parts of sumIFMA. In each of eight lanes it sets z to x·y, wide, the same carried, and x + y",
		"and y - x carried. Indices are output, limb, lane.")
	Pragma("noescape")
	l := &lanes{zmm, RBX}
	Load(Param("x"), RSI)
	Load(Param("y"), RDI)
	Load(Param("z"), RDX)
	l.setup()
	out := func(i, r int) {
		for j := range 5 {
			VMOVDQU64(l.r(r+j), Mem{Base: RDX, Disp: slotSize*i + 64*j})
		}
	}
	for j := range 5 {
		VMOVDQU64(Mem{Base: RSI, Disp: 64 * j}, l.r(rA+j))
		VMOVDQU64(Mem{Base: RDI, Disp: 64 * j}, l.r(rB+j))
	}
	l.product()
	out(0, 0)
	l.carry(0)
	out(1, 0)
	for j := range 5 {
		VMOVDQA64(l.r(rB+j), l.r(j))
	}
	l.sumDiff()
	out(2, 0)
	out(3, rU)
	VZEROUPPER()
	RET()
}
