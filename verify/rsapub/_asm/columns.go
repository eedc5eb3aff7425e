package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// columns is the squaring whose digits go down the lanes first: digit z·l + r is in lane l of register r.
func columns(z int) {
	digits := 8 * z
	TEXT(fmt.Sprintf("sqr%d", digits), NOSPLIT, fmt.Sprintf("func(x, n *[%d]uint64, k0, times uint64)", digits))
	Doc(fmt.Sprintf("sqr%d sets x to x²/2^(52·%d) mod n, below 2n, times times, at least once, for x below 2n and 2^(52·%d) ≥ 4n. All digits are",
		digits, digits, digits), fmt.Sprintf("below 2^52; digit %d·l + r of x and n is at 8·r + l. k0 is -n⁻¹ mod 2^52.", z))
	Pragma("noescape")
	v := newVec(z)
	cross := zmm[z : 2*z]
	v.a, v.n = nil, nil
	free := zmm[3*z : 30]
	for i := range z {
		v.n = append(v.n, zmm[2*z+i])
		// The last are used most: where there are too few registers the first stay in memory.
		if at := i - max(0, z-len(free)); at >= 0 {
			v.a = append(v.a, free[at])
		} else {
			v.a = append(v.a, Mem{Base: v.x, Disp: 64 * i})
		}
	}
	times := RBP
	Load(Param("times"), times)
	v.start(8)
	Label("again")
	MOVQ(Mem{Base: v.x}, v.a0)
	MOVQ(v.x, v.mul)
	XORL(v.low.As32(), v.low.As32())
	for i, r := range v.acc {
		VPXORQ(r, r, r)
		VPXORQ(cross[i], cross[i], cross[i])
	}
	MOVL(U32(8), v.row.As32())
	Label("lane")
	acc, twice := append([]VecPhysical{}, v.acc...), append([]VecPhysical{}, cross...)
	for r := range z {
		v.column(r, acc, twice)
		acc, twice = append(acc[1:], acc[0]), append(twice[1:], twice[0])
	}
	ADDQ(Imm(8), v.mul)
	DECQ(v.row)
	JNZ(LabelRef("lane"))
	for r := 1; r < z; r++ {
		VPADDQ(cross[r], v.acc[r], v.acc[r])
		VPADDQ(cross[r], v.acc[r], v.acc[r])
	}
	VPBROADCASTQ(v.low, v.lane0, v.acc[0])
	v.carryColumns(cross)
	DECQ(times)
	JNZ(LabelRef("again"))
	VZEROUPPER()
	RET()
}

// column is a row for a digit of register r. acc is the sum, as in a product, but for the products of two registers, which are taken
// once, in twice.
func (v *vec) column(r int, acc, twice []VecPhysical) {
	Comment(fmt.Sprintf("A digit of register %d: its products with the registers from that on.", r))
	VPBROADCASTQ(Mem{Base: v.mul, Disp: 64 * r}, v.b)
	if r == 0 {
		MOVQ(Mem{Base: v.mul}, RDX)
		MULXQ(v.a0, v.lo, v.hi)
	}
	VPMADD52LUQ(v.a[r], v.b, acc[r])
	for i := r + 1; i < v.z; i++ {
		VPMADD52LUQ(v.a[i], v.b, twice[i])
	}
	VMOVQ(acc[1].AsX(), v.next)
	VMOVQ(twice[1].AsX(), v.lo2)
	LEAQ(Mem{Base: v.next, Index: v.lo2, Scale: 2}, v.next)
	v.quotient(r == 0)
	Comment("What leaves twice is added, and all go down by a digit.")
	for i := range v.z {
		VPMADD52LUQ(v.n[i], v.q, acc[i])
	}
	VALIGNQ_Z(Imm(1), acc[0], acc[0], v.low7, acc[0])
	VPADDQ(twice[1], acc[1], acc[1])
	VPADDQ(twice[1], acc[1], acc[1])
	VPXORQ(twice[0], twice[0], twice[0])
	down := func(s []VecPhysical, i int) VecPhysical { return s[(i+1)%v.z] }
	for i := range v.z {
		VPMADD52HUQ(v.n[i], v.q, down(acc, i))
	}
	VPMADD52HUQ(v.a[r], v.b, down(acc, r))
	for i := r + 1; i < v.z; i++ {
		VPMADD52HUQ(v.a[i], v.b, down(twice, i))
	}
}

// carryColumns is carry for columns; the digits go to a's registers as well.
func (v *vec) carryColumns(up []VecPhysical) {
	Comment("Carries: all at once, by one digit.")
	VPBROADCASTQ(v.mask, v.q)
	for i, r := range v.acc {
		VPSRLQ(Imm(52), r, up[i])
		VPANDQ(v.q, r, r)
	}
	last := up[v.z-1]
	VPXORQ(v.b, v.b, v.b)
	VALIGNQ(Imm(7), v.b, last, last)
	for i, r := range v.acc {
		VPADDQ(up[(i+v.z-1)%v.z], r, r)
		VMOVDQU64(r, Mem{Base: v.x, Disp: 64 * i})
	}
	Comment("A digit above 2^52-1 is rare: carry one by one.")
	VPMAXUQ(v.acc[1], v.acc[0], v.b)
	for _, r := range v.acc[2:] {
		VPMAXUQ(r, v.b, v.b)
	}
	VPCMPUQ(Imm(6), v.q, v.b, K3) // any above the mask
	KORTESTW(K3, K3)
	JZ(LabelRef("carried"))
	XORL(v.hi.As32(), v.hi.As32())
	MOVQ(v.x, v.mul)
	MOVL(U32(8), v.row.As32())
	Label("digits")
	for i := range v.z {
		at := Mem{Base: v.mul, Disp: 64 * i}
		ADDQ(at, v.hi)
		MOVQ(v.hi, v.lo)
		ANDQ(v.mask, v.lo)
		MOVQ(v.lo, at)
		SHRQ(Imm(52), v.hi)
	}
	ADDQ(Imm(8), v.mul)
	DECQ(v.row)
	JNZ(LabelRef("digits"))
	for i, r := range v.acc {
		VMOVDQU64(Mem{Base: v.x, Disp: 64 * i}, r)
	}
	Label("carried")
	for i, a := range v.a {
		if _, ok := a.(Mem); !ok {
			VMOVDQA64(v.acc[i], a)
		}
	}
}
