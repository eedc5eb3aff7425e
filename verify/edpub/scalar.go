package edpub

import (
	"encoding/binary"
	"math/bits"

	"sallyport/verify/ecpub/modinv"
)

// scalar is a number in [0, L), L = 2^252 + 27742317777372353535851937790883648493 the order of B, least significant word
// first.
//
// It is an integer and not a residue: a key may have a component of small order, under which L is not 0, so k must not be
// replaced by k - L or the like.
type scalar [4]uint64

// order is L.
var order = scalar{0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000}

var (
	orderMod = modinv.New([]byte{
		0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7, 0x9c, 0xd6, 0x58, 0x12, 0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed,
	})
	orderRR = orderMod.RR() // R² mod L with R = 2^256
	orderR  = func() (r modinv.Nat) {
		orderMod.MontMul(&r, &orderRR, &modinv.Nat{1})
		return r
	}()
)

// setBytes sets s to b, little-endian, and reports whether that is below L (RFC 8032, 5.1.7, step 1).
func (s *scalar) setBytes(b *[32]byte) bool {
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return s.less(&order)
}

// less reports whether s < t.
func (s *scalar) less(t *scalar) bool {
	var borrow uint64
	for i := range s {
		_, borrow = bits.Sub64(s[i], t[i], borrow)
	}
	return borrow == 1
}

// reduce sets s to h, little-endian, modulo L.
func (s *scalar) reduce(h *[64]byte) {
	var low, high modinv.Nat
	for i := range 4 {
		low[i] = binary.LittleEndian.Uint64(h[8*i:])
		high[i] = binary.LittleEndian.Uint64(h[32+8*i:])
	}
	orderMod.MontMul(&high, &orderRR, &high) // high·R
	orderMod.MontMul(&low, &orderR, &low)    // low
	var carry, borrow uint64
	for i := range s {
		s[i], carry = bits.Add64(low[i], high[i], carry) // below 2L, so no carry is left
	}
	if s.less(&order) {
		return
	}
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], order[i], borrow)
	}
}
