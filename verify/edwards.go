package verify

import (
	"errors"
	"math/big"

	"github.com/cloudflare/circl/ecc/goldilocks"
)

var (
	errNotCanonical = errors.New("public key is not a canonical point")
	errSmallOrder   = errors.New("public key is a point of small order")
)

// p25519 is 2^255 − 19.
var p25519 = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// checkEd25519 refuses what crypto/ed25519 accepts: encodings with y ≥ p, x = 0 with its sign bit set, y off the curve, and
// the eight points of small order, under which anybody can sign (RFC 8032, 5.1.3; FIPS 186-5, 7.8). key has 32 octets.
// It runs once for each key that is loaded, so it may be slow and plain.
func checkEd25519(key []byte) error {
	le := make([]byte, 32)
	for i := range le {
		le[i] = key[31-i]
	}
	sign := le[0] >> 7
	le[0] &= 0x7f
	y := new(big.Int).SetBytes(le)
	if y.Cmp(p25519) >= 0 {
		return errNotCanonical
	}
	x, ok := recoverX(y)
	if !ok || (x.Sign() == 0 && sign == 1) {
		return errNotCanonical
	}
	// 8·P is the identity (0, 1) exactly for the points of small order. Doubling three times in affine form; the formulas
	// are complete, so that no denominator is 0.
	for range 3 {
		x, y = edwardsDouble(x, y)
	}
	if x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0 {
		return errSmallOrder
	}
	return nil
}

// d25519 is −121665/121666.
var d25519 = func() *big.Int {
	d := new(big.Int).ModInverse(big.NewInt(121666), p25519)
	d.Mul(d, big.NewInt(-121665))
	return d.Mod(d, p25519)
}()

// recoverX returns a root of x² = (y² − 1)/(d·y² + 1).
func recoverX(y *big.Int) (*big.Int, bool) {
	yy := mulMod(y, y)
	num := new(big.Int).Sub(yy, big.NewInt(1))
	num.Mod(num, p25519)
	den := mulMod(d25519, yy)
	den.Add(den, big.NewInt(1)).Mod(den, p25519)
	inv := new(big.Int).ModInverse(den, p25519)
	if inv == nil {
		return nil, false
	}
	x := new(big.Int).ModSqrt(mulMod(num, inv), p25519)
	return x, x != nil
}

// edwardsDouble doubles (x, y) on −x² + y² = 1 + d·x²·y².
func edwardsDouble(x, y *big.Int) (*big.Int, *big.Int) {
	xx, yy, xy := mulMod(x, x), mulMod(y, y), mulMod(x, y)
	t := mulMod(d25519, mulMod(xx, yy))
	one := big.NewInt(1)
	dx := new(big.Int).ModInverse(new(big.Int).Mod(new(big.Int).Add(one, t), p25519), p25519)
	dy := new(big.Int).ModInverse(new(big.Int).Mod(new(big.Int).Sub(one, t), p25519), p25519)
	x2 := mulMod(new(big.Int).Lsh(xy, 1), dx)
	y2 := mulMod(new(big.Int).Add(yy, xx), dy)
	return x2, y2
}

func mulMod(a, b *big.Int) *big.Int {
	z := new(big.Int).Mul(a, b)
	return z.Mod(z, p25519)
}

// checkEd448 refuses encodings that are not canonical and the four points of small order (RFC 8032, 5.2.3). key has 57
// octets.
func checkEd448(key []byte) error {
	p, err := goldilocks.FromBytes(key)
	if err != nil {
		return errNotCanonical
	}
	again := make([]byte, len(key))
	if err := p.ToBytes(again); err != nil || string(again) != string(key) {
		return errNotCanonical
	}
	p.Double()
	p.Double()
	if p.IsIdentity() {
		return errSmallOrder
	}
	return nil
}
