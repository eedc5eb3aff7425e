//go:build !purego

package rsapub

import "golang.org/x/sys/cpu"

var (
	hasADX  = cpu.X86.HasBMI2 && cpu.X86.HasADX
	hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512IFMA && cpu.X86.HasBMI2
)

// maxRun bounds the squarings of one call, by the number of ZMM registers: assembly cannot be preempted, and no call should take
// more than about 5 µs.
const (
	maxRun40 = 16
	maxRun64 = 8
	maxRun80 = 5
)

// mulRows sets x to x·y/2^(52·rows) mod n, below 2n, for x below n and y below 2^(52·rows).
func (m *radix52) mulRows(x, y *digits, rows uint64) {
	switch m.rows {
	case 40:
		mul40((*[40]uint64)(x[:]), (*[40]uint64)(y[:]), (*[40]uint64)(m.n[:]), m.k0, rows)
	case 64:
		mul64((*[64]uint64)(x[:]), (*[64]uint64)(y[:]), (*[64]uint64)(m.n[:]), m.k0, rows)
	default:
		mul80(x, y, &m.n, m.k0, rows)
	}
}

// sqr squares x times times: as many x = x²/R mod n.
func (m *radix52) sqr(x *digits, times uint64) {
	var c digits
	m.toColumns(&c, x)
	for times > 0 {
		var run uint64
		switch m.rows {
		case 40:
			run = min(times, maxRun40)
			sqr40((*[40]uint64)(c[:]), (*[40]uint64)(m.down[:]), m.k0, run)
		case 64:
			run = min(times, maxRun64)
			sqr64((*[64]uint64)(c[:]), (*[64]uint64)(m.down[:]), m.k0, run)
		default:
			run = min(times, maxRun80)
			sqr80(&c, &m.down, m.k0, run)
		}
		times -= run
	}
	m.fromColumns(x, &c)
}

// mul64 sets x to x·y/R mod n, below R, for x and y below R.
func (p *PublicKey) mul64(x, y *limbs64) {
	if p.kernel != ADX {
		p.mulPortable(x, y)
		return
	}
	var t wide64
	mulADX(&t, x, y, uint64(p.limbs/8))
	p.reduceADX(x, &t)
}

// sqr64 sets x to x²/R mod n, below R, for x below R.
func (p *PublicKey) sqr64(x *limbs64) {
	if p.kernel != ADX {
		p.sqrPortable(x)
		return
	}
	var t wide64
	sqrADX(&t, x, uint64(p.limbs/8))
	p.reduceADX(x, &t)
}

// reduceADX sets x to t/R mod n, below R, for t below R². The lower half of t is used up.
func (p *PublicKey) reduceADX(x *limbs64, t *wide64) {
	carry := reduceADX(t, &p.n, p.n0, uint64(p.limbs/8))
	copy(x[:p.limbs], t[p.limbs:2*p.limbs])
	if carry != 0 {
		sub(x[:p.limbs], p.n[:p.limbs])
	}
}
