// Package modinv is arithmetic modulo an odd public number of up to 521 bits: the order of an elliptic curve's group, or its
// field when a table is built.
//
// An ECDSA verification divides by s modulo the order once. The standard library does that by Fermat's theorem, in time that
// does not depend on s, which costs 7 µs for P-256; s is public, so the inverse here is taken by a greatest common divisor
// whose time depends on it.
//
// Method: the division steps of Bernstein and Yang, "Fast constant-time gcd computation and modular inversion" (2019), in
// batches of 62. One batch looks only at the lowest 62 bits of f and g and makes a 2×2 matrix of them; the matrix is then
// applied to the whole of f and g, and to d and e modulo m, where d·x ≡ f and e·x ≡ g (up to a power of 2 that each batch
// divides away). Runs of zeros are skipped at once, and up to six bits of g are cleared by one multiple of f.
package modinv

import (
	"encoding/binary"
	"math/bits"
)

// Words is the number of 64-bit words of a Nat: 521 bits and some.
const Words = 9

// Nat is a natural number, least significant word first. Words beyond those of its modulus are zero.
type Nat [Words]uint64

// signed62 is an integer in radix 2^62, least significant limb first. All limbs but the highest in use are in [0, 2^62); the
// highest is signed.
type signed62 [Words]int64

const mask62 = 1<<62 - 1

// Modulus is an odd modulus m with its constants. It is immutable.
type Modulus struct {
	words int    // words of m: Montgomery's R is 2^(64·words)
	m     Nat    // m itself
	k0    uint64 // -m^-1 mod 2^64
	r, rr Nat    // R mod m and R² mod m

	limbs int      // limbs of radix 2^62 that hold m and a sign
	m62   signed62 // m
	inv62 uint64   // m^-1 mod 2^62
	r62   signed62 // R mod m
}

// New makes a Modulus of m, big-endian, which must be odd, above 2 and of at most 521 bits.
func New(m []byte) *Modulus {
	if len(m) > 8*Words || len(m) == 0 || m[len(m)-1]&1 == 0 {
		panic("sallyport: BUG: modinv: modulus out of range")
	}
	x := &Modulus{}
	x.m.SetBytes(m)
	width := 0
	for i, w := range x.m {
		if w != 0 {
			x.words = i + 1
			width = 64*i + bits.Len64(w)
		}
	}
	// Newton's iteration: each step doubles the low bits that are right, from 3.
	inv := x.m[0]
	for range 5 {
		inv *= 2 - x.m[0]*inv
	}
	x.k0 = -inv
	x.inv62 = inv & mask62
	// d and e stay in (-2m, m): two bits more than m, sign included.
	x.limbs = max(2, (width+2+61)/62)
	x.m62 = x.split(&x.m)
	x.r = x.pow2(64 * x.words)
	x.rr = x.pow2(128 * x.words)
	x.r62 = x.split(&x.r)
	return x
}

// pow2 returns 2^k mod m by doublings.
func (x *Modulus) pow2(k int) Nat {
	z := Nat{1}
	for range k {
		var carry uint64
		for i := range x.words {
			z[i], carry = bits.Add64(z[i], z[i], carry)
		}
		x.reduceOnce(&z, carry)
	}
	return z
}

// SetBytes sets z to b, big-endian, of at most 72 octets.
func (z *Nat) SetBytes(b []byte) {
	*z = Nat{}
	i := 0
	for ; len(b) >= 8; i++ {
		z[i] = binary.BigEndian.Uint64(b[len(b)-8:])
		b = b[:len(b)-8]
	}
	for _, v := range b {
		z[i] = z[i]<<8 | uint64(v)
	}
}

// ShiftRight shifts z right by k bits, k in [1, 63].
func (z *Nat) ShiftRight(k int) {
	for i := range Words - 1 {
		z[i] = z[i]>>k | z[i+1]<<(64-k)
	}
	z[Words-1] >>= k
}

// LessVarTime reports whether z < x.
func (z *Nat) LessVarTime(x *Nat) bool {
	for i := Words - 1; i >= 0; i-- {
		if z[i] != x[i] {
			return z[i] < x[i]
		}
	}
	return false
}

// IsZero reports whether z is 0.
func (z *Nat) IsZero() bool {
	var acc uint64
	for _, w := range z {
		acc |= w
	}
	return acc == 0
}

// LessVarTime reports whether z < m.
func (x *Modulus) LessVarTime(z *Nat) bool { return z.LessVarTime(&x.m) }

// Words returns the number of words of m.
func (x *Modulus) Words() int { return x.words }

// M returns m.
func (x *Modulus) M() Nat { return x.m }

// RR returns R² mod m, with R = 2^(64·Words()): MontMul by it brings a number into the Montgomery domain.
func (x *Modulus) RR() Nat { return x.rr }

// reduceOnce subtracts m from carry·R + z, which must be below 2m, if it is not below m.
func (x *Modulus) reduceOnce(z *Nat, carry uint64) {
	var t Nat
	var borrow uint64
	for i := range x.words {
		t[i], borrow = bits.Sub64(z[i], x.m[i], borrow)
	}
	if carry >= borrow {
		*z = t
	}
}

// AddM adds m to z; the sum must be below R.
func (x *Modulus) AddM(z *Nat) {
	var carry uint64
	for i := range x.words {
		z[i], carry = bits.Add64(z[i], x.m[i], carry)
	}
}

// Negate sets z to m - z, for z in [0, m].
func (x *Modulus) Negate(z *Nat) {
	var borrow uint64
	for i := range x.words {
		z[i], borrow = bits.Sub64(x.m[i], z[i], borrow)
	}
}

// MontMul sets z to a·b/R mod m, in [0, m). One of a and b must be below m and the other below R. z may be a or b.
func (x *Modulus) MontMul(z, a, b *Nat) {
	if x.words == 4 {
		x.montMul4(z, a, b)
		return
	}
	var t [Words + 1]uint64
	n := x.words
	var top uint64 // the sum is top·2^(64(n+1)) + t; top is always 0 after the reduction
	for i := range n {
		var carry, c uint64
		y := b[i]
		for j := range n {
			hi, lo := bits.Mul64(a[j], y)
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			t[j], c = bits.Add64(t[j], lo, 0)
			carry = hi + c
		}
		t[n], top = bits.Add64(t[n], carry, 0)

		q := t[0] * x.k0
		hi, lo := bits.Mul64(q, x.m[0])
		_, c = bits.Add64(t[0], lo, 0)
		carry = hi + c
		for j := 1; j < n; j++ {
			hi, lo := bits.Mul64(q, x.m[j])
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			t[j-1], c = bits.Add64(t[j], lo, 0)
			carry = hi + c
		}
		t[n-1], c = bits.Add64(t[n], carry, 0)
		t[n] = top + c
	}
	*z = Nat{}
	copy(z[:n], t[:n])
	x.reduceOnce(z, t[n])
}

// montMul4 is MontMul for a modulus of four words.
func (x *Modulus) montMul4(z, a, b *Nat) {
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
	m0, m1, m2, m3 := x.m[0], x.m[1], x.m[2], x.m[3]
	var t0, t1, t2, t3, t4 uint64
	for i := range 4 {
		y := b[i]
		var c, t5 uint64
		h0, l0 := bits.Mul64(a0, y)
		h1, l1 := bits.Mul64(a1, y)
		h2, l2 := bits.Mul64(a2, y)
		h3, l3 := bits.Mul64(a3, y)
		l1, c = bits.Add64(l1, h0, 0)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		h3 += c
		t0, c = bits.Add64(t0, l0, 0)
		t1, c = bits.Add64(t1, l1, c)
		t2, c = bits.Add64(t2, l2, c)
		t3, c = bits.Add64(t3, l3, c)
		t4, t5 = bits.Add64(t4, h3, c)

		q := t0 * x.k0
		h0, l0 = bits.Mul64(m0, q)
		h1, l1 = bits.Mul64(m1, q)
		h2, l2 = bits.Mul64(m2, q)
		h3, l3 = bits.Mul64(m3, q)
		l1, c = bits.Add64(l1, h0, 0)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		h3 += c
		_, c = bits.Add64(t0, l0, 0)
		t0, c = bits.Add64(t1, l1, c)
		t1, c = bits.Add64(t2, l2, c)
		t2, c = bits.Add64(t3, l3, c)
		t3, c = bits.Add64(t4, h3, c)
		t4 = t5 + c
	}
	*z = Nat{t0, t1, t2, t3}
	x.reduceOnce(z, t4)
}

// split returns z in radix 2^62.
func (x *Modulus) split(z *Nat) signed62 {
	var s signed62
	for i := range x.limbs {
		w, b := i*62/64, i*62%64
		v := z[w] >> b
		if w+1 < Words {
			v |= z[w+1] << (64 - b) // a shift by 64 gives 0
		}
		s[i] = int64(v & mask62)
	}
	return s
}

// join returns s, which must be in [0, m), in words.
func (x *Modulus) join(s *signed62) Nat {
	var z Nat
	for i := range x.limbs {
		w, b := i*62/64, i*62%64
		z[w] |= uint64(s[i]) << b
		if b > 2 && w+1 < Words {
			z[w+1] |= uint64(s[i]) >> (64 - b)
		}
	}
	return z
}
