package rsapub

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

const (
	digitBits = 52
	digitMask = 1<<digitBits - 1
	maxDigits = 80
)

// digits is a number in radix 2^52, lowest digit first. All digits are below 2^52; those from radix52.rows on are zero.
type digits = [maxDigits]uint64

// radix52 is a modulus for the IFMA kernel. R = 2^(52·rows), and R ≥ 4n, so that values below 2n stay below 2n.
type radix52 struct {
	n    digits
	rr   digits // R² mod n
	k0   uint64 // -n⁻¹ mod 2^52
	rows uint64 // digits of a multiplier: 40, 64 or 80
	down digits // n in columns
}

func (m *radix52) init(n *big.Int, bitLen int) {
	switch {
	case bitLen+2 <= 40*digitBits:
		m.rows = 40
	case bitLen+2 <= 64*digitBits:
		m.rows = 64
	default:
		m.rows = 80
	}
	var l limbs64
	fromBig(&l, n)
	toDigits(&m.n, &l, m.rows)
	fromBig(&l, squareOfR(n, digitBits*int(m.rows)))
	toDigits(&m.rr, &l, m.rows)
	m.k0 = -inverse64(m.n[0]) & digitMask
	m.toColumns(&m.down, &m.n)
}

// expIFMA sets z to s^e mod n, in [0, n), for s in [0, n).
func (p *PublicKey) expIFMA(z, s *limbs64) {
	m := &p.r52
	var plain, x digits
	toDigits(&plain, s, m.rows)
	x = plain
	m.mul(&x, &m.rr) // s·R
	acc := x
	run := uint64(0) // squarings put off, to be done in one call
	for i := bits.Len32(p.e) - 2; i > 0; i-- {
		run++
		if p.e>>i&1 == 1 {
			m.sqr(&acc, run)
			m.mul(&acc, &x)
			run = 0
		}
	}
	// e is odd: the last factor is s itself, and takes the product out of the Montgomery domain.
	m.sqr(&acc, run+1)
	m.mul(&acc, &plain)
	m.reduce(&acc)
	fromDigits(z, &acc, m.rows)
}

// toColumns sets z to x in the order of the squarings, digit rows/8·l + r at 8·r + l; what is above the digits stays.
func (m *radix52) toColumns(z, x *digits) {
	regs := int(m.rows / 8)
	for l := range 8 {
		for r := range regs {
			z[8*r+l] = x[regs*l+r]
		}
	}
}

// fromColumns is the other way round.
func (m *radix52) fromColumns(z, x *digits) {
	regs := int(m.rows / 8)
	for l := range 8 {
		for r := range regs {
			z[regs*l+r] = x[8*r+l]
		}
	}
}

// reduce makes x, below 2n, canonical.
func (m *radix52) reduce(x *digits) {
	for i := int(m.rows) - 1; i >= 0; i-- {
		if x[i] < m.n[i] {
			return
		}
		if x[i] > m.n[i] {
			break
		}
	}
	var borrow uint64
	for i := range m.rows {
		d := x[i] - m.n[i] - borrow
		x[i], borrow = d&digitMask, d>>63
	}
}

// Two digits are 13 octets.
const pairSize = 2 * digitBits / 8

// octets has room for all digits, and for loads and stores of eight octets at the last pair.
type octets = [maxDigits/2*pairSize + 8]byte

// limbsOf returns how many limbs rows digits take.
func limbsOf(rows uint64) int { return min(maxLimbs, (digitBits*int(rows)+63)/64) }

// toDigits sets z, which is zero, to x of at most rows digits.
func toDigits(z *digits, x *limbs64, rows uint64) {
	var buf octets
	for i, v := range x[:limbsOf(rows)] {
		binary.LittleEndian.PutUint64(buf[8*i:], v)
	}
	for i := 0; i < int(rows); i += 2 {
		b := buf[i/2*pairSize:]
		z[i] = binary.LittleEndian.Uint64(b) & digitMask
		z[i+1] = binary.LittleEndian.Uint64(b[6:]) >> 4 & digitMask
	}
}

// fromDigits sets z to x of at most rows digits, which is below 2^MaxBits.
func fromDigits(z *limbs64, x *digits, rows uint64) {
	var buf octets
	for i := 0; i < int(rows); i += 2 {
		b := buf[i/2*pairSize:]
		binary.LittleEndian.PutUint64(b, x[i]|x[i+1]<<digitBits)
		binary.LittleEndian.PutUint64(b[8:], x[i+1]>>(64-digitBits)) // the next pair overwrites what is past 13 octets
	}
	l := limbsOf(rows)
	clear(z[l:])
	for i := range z[:l] {
		z[i] = binary.LittleEndian.Uint64(buf[8*i:])
	}
}

// mul sets x to x·y/R mod n, below 2n, for x and y below 2n.
func (m *radix52) mul(x, y *digits) { m.mulRows(x, y, m.rows) }

// mulTwin is mul in Go.
func (m *radix52) mulTwin(x, y *digits) { m.mulTwinRows(x, y, m.rows) }

// mulTwinRows is what the assembly of mulRows computes, digit for digit, since q = -x·y/n mod 2^(52·rows) is the only one of so many
// rows.
func (m *radix52) mulTwinRows(x, y *digits, rows uint64) {
	var t digits
	for i := range rows {
		var c uint64 // digit above t
		c = addMul52(&t, x, y[i])
		q := t[0] * m.k0 & digitMask
		c += addMul52(&t, &m.n, q)
		copy(t[:], t[1:])
		t[maxDigits-1] = c
	}
	*x = t
}

// addMul52 adds x·y to z and returns the digit that carries out.
func addMul52(z, x *digits, y uint64) (carry uint64) {
	for j := range z {
		hi, lo := bits.Mul64(x[j], y)
		lo, c := bits.Add64(lo, z[j], 0)
		hi += c
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		z[j] = lo & digitMask
		carry = hi<<(64-digitBits) | lo>>digitBits
	}
	return carry
}
