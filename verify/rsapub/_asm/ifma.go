package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// vec is a Montgomery multiplication in radix 2^52 over digits in z ZMM registers, eight a register, lowest first.
type vec struct {
	z      int
	acc    []VecPhysical // lane j of row i holds digit i+j of the product, up to 2^61
	a, n   []Op          // the multiplicand and the modulus
	b, q   VecPhysical   // the row's digit of the multiplier and of the quotient, in all lanes
	h      []VecPhysical // sums of high halves
	nptr   GPPhysical    // the modulus in memory
	low7   OpmaskPhysical
	lane0  OpmaskPhysical
	mask   GPPhysical // 2^52-1
	k0     GPPhysical // -n⁻¹ mod 2^52
	a0     GPPhysical // lowest digits
	n0, n1 GPPhysical
	low    GPPhysical // the lowest digit of the accumulator, in place of lane 0
	next   GPPhysical // the digit above it
	mul    GPPhysical // the multiplier's digits
	row    GPPhysical
	lo, hi GPPhysical
	lo2    GPPhysical
	x      GPPhysical // the operand in memory: multiplicand and result
}

var zmm = []VecPhysical{
	Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
	Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
}

func ifma(z int) {
	digits := 8 * z
	TEXT(fmt.Sprintf("mul%d", digits), NOSPLIT, fmt.Sprintf("func(x, y, n *[%d]uint64, k0, rows uint64)", digits))
	Doc(fmt.Sprintf("mul%d sets x to x·y/2^(52·rows) mod n, below 2n, for x and y below 2n. All are in radix 2^52 with their digits below", digits),
		"2^52, and those of y from rows on zero; k0 is -n⁻¹ mod 2^52. 2^(52·rows) ≥ 4n, or else x is below n.")
	Pragma("noescape")
	v := newVec(z)
	Load(Param("y"), v.mul)
	v.start(1)
	v.multiply()
	v.carry()
	VZEROUPPER()
	RET()

	columns(z)
}

func newVec(z int) *vec {
	v := &vec{
		z: z, acc: zmm[:z], b: zmm[30], q: zmm[31], low7: K1, lane0: K2,
		mask: R8, k0: R9, a0: R10, n0: R11, n1: R12, low: R13, next: R14, mul: RSI, row: RCX,
		lo: RAX, hi: RBX, lo2: R15, nptr: RDI, x: RDI,
	}
	for i := range z {
		v.a = append(v.a, zmm[z+i])
		v.n = append(v.n, zmm[2*z+i])
	}
	v.h = zmm[3*z : min(3*z+4, 30)]
	if len(v.h) == 0 {
		v.h = zmm[29:30]
		v.n[z-1] = Mem{Base: v.nptr, Disp: 64 * (z - 1)}
	}
	return v
}

// start loads all but the multiplier. The modulus's digit 1 is at one.
func (v *vec) start(one int) {
	Load(Param("x"), v.x)
	n := v.lo
	Load(Param("n"), n)
	Load(Param("k0"), v.k0)
	for i := range v.z {
		if _, ok := v.a[i].(Mem); !ok {
			VMOVDQU64(Mem{Base: v.x, Disp: 64 * i}, v.a[i])
		}
		if _, ok := v.n[i].(Mem); !ok {
			VMOVDQU64(Mem{Base: n, Disp: 64 * i}, v.n[i])
		}
	}
	MOVQ(Mem{Base: n}, v.n0)
	MOVQ(Mem{Base: n, Disp: 8 * one}, v.n1)
	MOVQ(U64(1<<52-1), v.mask)
	MOVL(U32(0x7f), v.hi.As32())
	KMOVW(v.hi.As32(), v.low7)
	MOVL(U32(1), v.hi.As32())
	KMOVW(v.hi.As32(), v.lane0)
}

// multiply leaves the product in acc, its digits not carried.
func (v *vec) multiply() {
	Comment("The product, row by row.")
	MOVQ(Mem{Base: v.x}, v.a0)
	Load(Param("rows"), v.row)
	XORL(v.low.As32(), v.low.As32())
	for _, r := range v.acc {
		VPXORQ(r, r, r)
	}
	Load(Param("n"), v.nptr)
	Label("row")
	v.oneRow()
	DECQ(v.row)
	JNZ(LabelRef("row"))
	Load(Param("x"), v.x)
	VPBROADCASTQ(v.low, v.lane0, v.acc[0])
}

func (v *vec) oneRow() {
	Comment("acc += low(a·b). The lowest digit, low + a0·b, is kept in hi:lo.")
	MOVQ(Mem{Base: v.mul}, RDX)
	VPBROADCASTQ(Mem{Base: v.mul}, v.b)
	ADDQ(Imm(8), v.mul)
	MULXQ(v.a0, v.lo, v.hi)
	for i, r := range v.acc {
		VPMADD52LUQ(v.a[i], v.b, r)
	}
	VPEXTRQ(Imm(1), v.acc[0].AsX(), v.next)
	v.quotient(true)
	Comment("acc += low(n·q), down by a digit, and the high halves.")
	VPMADD52LUQ(v.n[0], v.q, v.acc[0])
	for i, r := range v.acc {
		h := v.h[i%len(v.h)]
		VPXORQ(h, h, h)
		VPMADD52HUQ(v.a[i], v.b, h)
		if i+1 < v.z {
			VPMADD52LUQ(v.n[i+1], v.q, v.acc[i+1])
			VALIGNQ(Imm(1), r, v.acc[i+1], r)
		} else {
			VALIGNQ_Z(Imm(1), r, r, v.low7, r)
		}
		VPMADD52HUQ(v.n[i], v.q, h)
		VPADDQ(h, r, r)
	}
}

// quotient makes q of the lowest digit, low, and low the next one, for which next is what the vectors have. With a product in hi:lo
// that is added first.
func (v *vec) quotient(product bool) {
	if product {
		ADDQ(v.low, v.lo)
		ADCQ(Imm(0), v.hi)
	} else {
		MOVQ(v.low, v.lo)
		XORL(v.hi.As32(), v.hi.As32())
	}
	Comment("q = lo·k0 mod 2^52 clears that digit; the rest of hi:lo goes to the next one.")
	MOVQ(v.lo, RDX)
	IMULQ(v.k0, RDX)
	ANDQ(v.mask, RDX)
	VPBROADCASTQ(RDX, v.q)
	MULXQ(v.n0, v.lo2, v.low)
	ADDQ(v.lo2, v.lo)
	ADCQ(v.low, v.hi)
	IMULQ(v.n1, RDX)
	ANDQ(v.mask, RDX)
	SHRQ(Imm(52), v.lo)
	SHLQ(Imm(12), v.hi)
	ADDQ(v.lo, RDX)
	ADDQ(v.hi, RDX)
	LEAQ(Mem{Base: v.next, Index: RDX, Scale: 1}, v.low)
}

// carry brings the digits of acc below 2^52 and writes them to x.
func (v *vec) carry() {
	Comment("Carries: all at once, by one digit.")
	VPBROADCASTQ(v.mask, v.q)
	// The upper halves go where a was, which is of no more use.
	up := v.a
	for i, r := range v.acc {
		VPSRLQ(Imm(52), r, up[i])
		VPANDQ(v.q, r, r)
	}
	for i := v.z - 1; i > 0; i-- {
		VALIGNQ(Imm(7), up[i-1], up[i], up[i])
	}
	VPXORQ(v.b, v.b, v.b)
	VALIGNQ(Imm(7), v.b, up[0], up[0])
	for i, r := range v.acc {
		VPADDQ(up[i], r, r)
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
	XORL(v.row.As32(), v.row.As32())
	Label("digit")
	MOVQ(Mem{Base: v.x, Index: v.row, Scale: 8}, v.lo)
	ADDQ(v.hi, v.lo)
	MOVQ(v.lo, v.hi)
	SHRQ(Imm(52), v.hi)
	ANDQ(v.mask, v.lo)
	MOVQ(v.lo, Mem{Base: v.x, Index: v.row, Scale: 8})
	INCQ(v.row)
	CMPQ(v.row, Imm(uint64(8*v.z)))
	JNE(LabelRef("digit"))
	for i, r := range v.acc {
		VMOVDQU64(Mem{Base: v.x, Disp: 64 * i}, r)
	}
	Label("carried")
}
