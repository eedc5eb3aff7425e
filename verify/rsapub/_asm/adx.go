package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// block is a product of 8 by 8 limbs of 64 bits, added to a window of 8 limbs that lies in registers and moves up by one limb a row:
// what leaves at its low end is written to t. A strip is a row of blocks: x of many blocks by y of one.
type block struct {
	window []GPPhysical
	t      GPPhysical // the window's place in memory
	x, y   GPPhysical // multiplicand and multiplier, at their current block
	count  GPPhysical // blocks left in the strip
	lo, hi GPPhysical
	carry  Mem // out of the last addition of t to the window: 0 or 1, of the weight of the limb above it
}

func newBlock(locals Mem) *block {
	return &block{
		window: []GPPhysical{R8, R9, R10, R11, R12, R13, R14, R15},
		t:      RDI, x: RSI, y: RCX, count: RBP, lo: RAX, hi: RBX,
		carry: locals,
	}
}

func limb(base GPPhysical, i int) Mem { return Mem{Base: base, Disp: 8 * i} }

func adx() {
	TEXT("mulADX", 0, "func(t *[128]uint64, x, y *[64]uint64, blocks uint64)")
	Doc("mulADX adds x·y to t, for t zero. x and y have 8·blocks limbs of 64 bits, t twice as many; blocks ≥ 1.")
	Pragma("noescape")
	locals := AllocLocal(16)
	outer := locals.Offset(8)
	b := newBlock(locals)
	Load(Param("blocks"), b.count)
	MOVQ(b.count, outer)
	Load(Param("t"), b.t)
	Load(Param("y"), b.y)
	Label("strip")
	Load(Param("x"), b.x)
	Load(Param("blocks"), b.count)
	b.strip("block")
	b.endStrip()
	Comment("The next block of y; t goes back but for one block.")
	ADDQ(Imm(64), b.y)
	Load(Param("blocks"), b.count)
	SHLQ(Imm(6), b.count)
	SUBQ(b.count, b.t)
	ADDQ(Imm(64), b.t)
	DECQ(outer)
	JNZ(LabelRef("strip"))
	RET()

	sqrADX()
	reduceADX()
}

func sqrADX() {
	TEXT("sqrADX", 0, "func(t *[128]uint64, x *[64]uint64, blocks uint64)")
	Doc("sqrADX adds x² to t, for t zero. x has 8·blocks limbs of 64 bits, t twice as many; blocks ≥ 2.")
	Pragma("noescape")
	locals := AllocLocal(32)
	outer, doubled := locals.Offset(8), locals.Offset(16)
	b := newBlock(locals)
	Comment("Products of different limbs, once: block i of x by what is above each of its limbs, at block 2i of t.")
	Load(Param("t"), b.t)
	Load(Param("x"), b.y)
	Load(Param("blocks"), b.count)
	MOVQ(b.count, outer)
	Label("strip")
	for i, r := range b.window {
		MOVQ(limb(b.t, i), r)
	}
	MOVQ(U32(0), b.carry)
	for i := range 8 {
		MOVQ(limb(b.y, i), RDX)
		b.triangleRow(i)
	}
	LEAQ(Mem{Base: b.y, Disp: 64}, b.x)
	ADDQ(Imm(64), b.t)
	MOVQ(outer, b.count)
	DECQ(b.count)
	JZ(LabelRef("last"))
	MOVQ(b.count, outer)
	b.moreStrip("block")
	b.endStrip()
	Comment("The strip ended at block i+blocks of t; the next one begins at 2i+2.")
	MOVQ(outer, b.count)
	SHLQ(Imm(6), b.count)
	SUBQ(b.count, b.t)
	ADDQ(Imm(64), b.t)
	ADDQ(Imm(64), b.y)
	JMP(LabelRef("strip"))
	Label("last")
	b.store()

	Comment("t = 2t plus the square of each limb.")
	Load(Param("t"), b.t)
	Load(Param("x"), b.x)
	Load(Param("blocks"), b.count)
	MOVQ(U32(0), b.carry)
	MOVQ(U32(0), doubled)
	Label("square")
	b.flags(doubled, b.carry)
	lo, hi, w := b.lo, b.hi, b.window[0]
	for i := range 8 {
		MOVQ(limb(b.x, i), RDX)
		MULXQ(RDX, lo, hi)
		for j, r := range []GPPhysical{lo, hi} {
			MOVQ(limb(b.t, 2*i+j), w)
			ADCXQ(w, w)
			ADOXQ(r, w)
			MOVQ(w, limb(b.t, 2*i+j))
		}
	}
	MOVL(U32(0), lo.As32())
	MOVL(U32(0), hi.As32())
	MOVL(U32(0), RDX.As32())
	ADCXQ(hi, lo)
	ADOXQ(hi, RDX)
	MOVQ(lo, doubled)
	MOVQ(RDX, b.carry)
	ADDQ(Imm(128), b.t)
	ADDQ(Imm(64), b.x)
	DECQ(b.count)
	JNZ(LabelRef("square"))
	RET()
}

func reduceADX() {
	TEXT("reduceADX", 0, "func(t *[128]uint64, n *[64]uint64, n0, blocks uint64) (carry uint64)")
	Doc("reduceADX adds q·n to t, where q makes the lower half of t zero, and returns the carry out of t. The lower half is lost (it",
		"becomes q). n has 8·blocks limbs of 64 bits, t twice as many; blocks ≥ 2; n0 is -n⁻¹ mod 2^64.")
	Pragma("noescape")
	locals := AllocLocal(32)
	outer, top, n0 := locals.Offset(8), locals.Offset(16), locals.Offset(24)
	b := newBlock(locals)
	Load(Param("n0"), b.lo)
	MOVQ(b.lo, n0)
	MOVQ(U32(0), top)
	Load(Param("t"), b.t)
	Load(Param("blocks"), b.count)
	MOVQ(b.count, outer)
	Label("strip")
	Comment("Eight limbs of q, with the lowest block of n; they take the place of t's.")
	Load(Param("n"), b.x)
	for i, r := range b.window {
		MOVQ(limb(b.t, i), r)
	}
	for i := range 8 {
		MOVQ(b.window[i], RDX)
		IMULQ(n0, RDX)
		MOVQ(RDX, limb(b.t, i))
		b.row(i, func(GPPhysical) {})
	}
	MOVQ(U32(0), b.carry)
	MOVQ(b.t, b.y)
	ADDQ(Imm(64), b.t)
	ADDQ(Imm(64), b.x)
	Load(Param("blocks"), b.count)
	DECQ(b.count)
	b.moreStrip("block")
	Comment("window + carry is the limb that leaves the strip; add it to t, with the carry of the strip before.")
	b.flags(b.carry, top)
	MOVL(U32(0), RDX.As32())
	for i, r := range b.window {
		ADCXQ(limb(b.t, i), r)
		ADOXQ(RDX, r)
	}
	MOVL(U32(0), b.lo.As32())
	ADCXQ(RDX, b.lo)
	ADOXQ(RDX, b.lo)
	MOVQ(b.lo, top)
	b.store()
	Load(Param("blocks"), b.count)
	SHLQ(Imm(6), b.count)
	SUBQ(b.count, b.t)
	ADDQ(Imm(64), b.t)
	DECQ(outer)
	JNZ(LabelRef("strip"))
	MOVQ(top, b.lo)
	Store(b.lo, ReturnIndex(0))
	RET()
}

// strip adds the products of count blocks of x by y to t, from an empty window. It leaves the highest block in the window.
func (b *block) strip(label string) {
	b.zero()
	MOVQ(U32(0), b.carry)
	b.moreStrip(label)
}

// moreStrip is strip with a window and carry that are not empty.
func (b *block) moreStrip(label string) {
	Label(label)
	MOVQ(b.carry, b.lo)
	ADDQ(I32(-1), b.lo) // the carry flag
	for i, r := range b.window {
		ADCQ(limb(b.t, i), r)
	}
	MOVL(U32(0), b.lo.As32())
	ADCQ(b.lo, b.lo)
	MOVQ(b.lo, b.carry)
	b.rows()
	ADDQ(Imm(64), b.t)
	ADDQ(Imm(64), b.x)
	DECQ(b.count)
	JNZ(LabelRef(label))
}

// endStrip writes the window and the carry to t, which is zero there.
func (b *block) endStrip() {
	MOVQ(b.carry, b.lo)
	ADDQ(b.lo, b.window[0])
	for _, r := range b.window[1:] {
		ADCQ(Imm(0), r)
	}
	b.store()
}

func (b *block) zero() {
	for _, r := range b.window {
		XORL(r.As32(), r.As32())
	}
}

func (b *block) store() {
	for i, r := range b.window {
		MOVQ(r, limb(b.t, i))
	}
}

// flags sets CF and OF from two words that are 0 or 1. RDX and lo are lost.
func (b *block) flags(cf, of Mem) {
	MOVQ(I32(-1), RDX)
	MOVQ(I32(-1), b.lo)
	XORL(b.hi.As32(), b.hi.As32()) // both clear
	ADCXQ(cf, RDX)
	ADOXQ(of, b.lo)
}

// rows adds x·y; the eight low limbs go to t.
func (b *block) rows() {
	for i := range 8 {
		MOVQ(limb(b.y, i), RDX)
		b.row(i, func(r GPPhysical) { MOVQ(r, limb(b.t, i)) })
	}
}

// row adds x·RDX to the window, of which i limbs have left. out gets the limb that leaves now.
func (b *block) row(i int, out func(GPPhysical)) {
	w := func(j int) GPPhysical { return b.window[(i+j)%8] }
	XORL(b.lo.As32(), b.lo.As32()) // CF and OF
	for j := range 8 {
		if j < 7 {
			MULXQ(limb(b.x, j), b.lo, b.hi)
			ADCXQ(b.lo, w(j))
			ADOXQ(b.hi, w(j+1))
		} else {
			MULXQ(limb(b.x, j), b.lo, w(8))
			ADCXQ(b.lo, w(7))
		}
		if j == 0 {
			out(w(0))
		}
	}
	MOVL(U32(0), b.lo.As32())
	ADCXQ(b.lo, w(8))
	ADOXQ(b.lo, w(8))
}

// triangleRow adds the products of limb i of y, which is in RDX, by those above it. Limb i of the block leaves to t.
func (b *block) triangleRow(i int) {
	w := func(j int) GPPhysical { return b.window[(i+j)%8] }
	MOVQ(w(0), limb(b.t, i))
	XORL(w(0).As32(), w(0).As32()) // the new limb at the top, and CF and OF
	for j := i + 1; j < 8; j++ {
		MULXQ(limb(b.y, j), b.lo, b.hi)
		ADCXQ(b.lo, w(j))
		ADOXQ(b.hi, w(j+1))
	}
	MOVL(U32(0), b.lo.As32())
	ADCXQ(b.lo, w(8))
}
