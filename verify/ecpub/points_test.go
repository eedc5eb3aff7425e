package ecpub_test

//lint:file-ignore SA1019 the point arithmetic of crypto/elliptic is the second opinion on sums, in tests only

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
)

// (0, 0) is the point at infinity here, as in crypto/elliptic.

func baseMult(c elliptic.Curve, k *big.Int) (x, y *big.Int) {
	if k.Sign() == 0 {
		return new(big.Int), new(big.Int)
	}
	return c.ScalarBaseMult(k.Bytes())
}

func scalarMult(c elliptic.Curve, p *ecdsa.PublicKey, k *big.Int) (x, y *big.Int) {
	return c.ScalarMult(p.X, p.Y, k.Bytes())
}

func add(c elliptic.Curve, x1, y1, x2, y2 *big.Int) (x, y *big.Int) {
	return c.Add(x1, y1, x2, y2)
}

func newPoint(c elliptic.Curve, x, y *big.Int) *ecdsa.PublicKey {
	return &ecdsa.PublicKey{Curve: c, X: x, Y: y}
}
