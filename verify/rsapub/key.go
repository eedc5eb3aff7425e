package rsapub

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
)

// Bounds of the modulus in bits.
const (
	MinBits = 2048
	MaxBits = 4096
)

const (
	maxSize  = MaxBits / 8  // octets of a signature
	maxLimbs = MaxBits / 64 // limbs of 64 bits
	maxE     = 1<<31 - 1    // as crypto/rsa
)

// limbs64 is a number in radix 2^64, lowest limb first. Limbs from PublicKey.limbs on are zero.
type limbs64 = [maxLimbs]uint64

// PublicKey is an RSA public key with all that its kernel needs of it. It is immutable and safe for concurrent use.
type PublicKey struct {
	kernel Kernel
	bits   int // of the modulus
	size   int // octets of the modulus and of each signature: k in RFC 8017
	e      uint32

	// Radix 2^64. n and size serve every kernel, the others ADX and Portable.
	n     limbs64
	rr    limbs64 // R² mod n with R = 2^(64·limbs)
	n0    uint64  // -n⁻¹ mod 2^64
	limbs int     // a multiple of 4; for ADX of 8

	// Radix 2^52, for IFMA only.
	r52      radix52
	residues *[3]residues // by hash; nil for exponents other than 65537
}

// NewPublicKey precomputes for the modulus n and the exponent e; n is not kept. The modulus must be odd and of MinBits to MaxBits
// bits, the exponent odd and in [3, 2³¹-1]. What makes an exponent acceptable is for the caller to say.
func NewPublicKey(n *big.Int, e int, k Kernel) (*PublicKey, error) {
	switch {
	case !Supported(k):
		return nil, fmt.Errorf("rsapub: cannot use kernel %q: not supported here", k)
	case n == nil || n.Sign() <= 0 || n.BitLen() < MinBits || n.BitLen() > MaxBits:
		return nil, fmt.Errorf("rsapub: cannot use modulus: not of %d to %d bits", MinBits, MaxBits)
	case n.Bit(0) == 0:
		return nil, errors.New("rsapub: cannot use modulus: even")
	case e < 3 || e > maxE || e&1 == 0:
		return nil, fmt.Errorf("rsapub: cannot use exponent %d: not odd or not in [3, 2^31-1]", e)
	}
	p := &PublicKey{kernel: k, bits: n.BitLen(), size: (n.BitLen() + 7) / 8, e: uint32(e)}
	p.limbs = (p.bits + 63) / 64
	if k == ADX {
		p.limbs = (p.limbs + 7) / 8 * 8
	} else {
		p.limbs = (p.limbs + 3) / 4 * 4
	}
	fromBig(&p.n, n)
	fromBig(&p.rr, squareOfR(n, 64*p.limbs))
	p.n0 = -inverse64(p.n[0])
	if k == IFMA {
		p.r52.init(n, p.bits)
		if e == residueExponent {
			p.residues = p.newResidues(n)
		}
	}
	return p, nil
}

// Kernel returns the kernel that the key was made for.
func (p *PublicKey) Kernel() Kernel { return p.kernel }

// Size returns the length of the modulus, and of every signature, in octets.
func (p *PublicKey) Size() int { return p.size }

// squareOfR returns 2^(2·rbits) mod n.
func squareOfR(n *big.Int, rbits int) *big.Int {
	r := new(big.Int).Lsh(big.NewInt(1), uint(2*rbits))
	return r.Mod(r, n)
}

// inverse64 returns x⁻¹ mod 2^64 for odd x: x is its own inverse mod 8, and each Newton step doubles the bits.
func inverse64(x uint64) uint64 {
	y := x
	for range 5 {
		y *= 2 - x*y
	}
	return y
}

// fromBig sets z to x, which is below 2^MaxBits.
func fromBig(z *limbs64, x *big.Int) {
	var buf [maxSize]byte
	x.FillBytes(buf[:])
	setBytes(z, buf[:])
}

// setBytes sets z to the big-endian number b of at most maxSize octets.
func setBytes(z *limbs64, b []byte) {
	i := 0
	for ; len(b) >= 8; i++ {
		z[i] = binary.BigEndian.Uint64(b[len(b)-8:])
		b = b[:len(b)-8]
	}
	if len(b) > 0 {
		var top uint64
		for _, c := range b {
			top = top<<8 | uint64(c)
		}
		z[i] = top
		i++
	}
	clear(z[i:])
}

// fillBytes writes x big-endian to b, of at most maxSize octets; x must fit.
func fillBytes(b []byte, x *limbs64) {
	i := 0
	for ; len(b) >= 8; i++ {
		binary.BigEndian.PutUint64(b[len(b)-8:], x[i])
		b = b[:len(b)-8]
	}
	for j := range b {
		b[j] = byte(x[i] >> (8 * (len(b) - 1 - j)))
	}
}

// less reports whether x < y.
func less(x, y *limbs64) bool {
	for i := len(x) - 1; i >= 0; i-- {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}

// sub sets x to x - y mod 2^(64·len(x)); both are of equal length.
func sub(x, y []uint64) {
	var borrow uint64
	y = y[:len(x)]
	for i := range x {
		x[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
}

// representative sets s to sig. It reports false when sig is not of exactly p.size octets or is not below n (RFC 8017, 5.2.2 and 8.2.2,
// step 1): there is one signature for each representative.
func (p *PublicKey) representative(s *limbs64, sig []byte) bool {
	if len(sig) != p.size {
		return false
	}
	setBytes(s, sig)
	return less(s, &p.n)
}

// recover writes sig^e mod n, canonical and big-endian, to em, which has p.size octets. It reports false when sig has no representative.
func (p *PublicKey) recover(em, sig []byte) bool {
	var s, m limbs64
	if !p.representative(&s, sig) {
		return false
	}
	p.expVarTime(&m, &s)
	fillBytes(em, &m)
	return true
}

// expVarTime sets z to s^e mod n, in [0, n), for s in [0, n).
func (p *PublicKey) expVarTime(z, s *limbs64) {
	switch p.kernel {
	case IFMA:
		p.expIFMA(z, s)
	case ADX, Portable:
		p.exp64(z, s)
	default:
		panic("sallyport: BUG: rsapub.PublicKey was not made by NewPublicKey")
	}
	// z < 2n, since the last factor was s < n.
	if !less(z, &p.n) {
		sub(z[:], p.n[:])
	}
}
