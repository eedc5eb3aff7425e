// Package ecpub verifies ECDSA signatures (ES256, ES384, ES512) with tables precomputed for one public key.
//
// A verification asks whether x(u1·G + u2·Q) mod n is r, for u1 = e/s and u2 = r/s modulo the order n. The standard library
// takes Q as unknown each time, so two thirds of its time are a scalar multiplication by doublings. A proxy sees the same few
// keys again and again: with odd multiples of 2^(wi)·Q in a table for every window i, as for G, the sum is one addition of a
// table entry per window of u1 and u2 and no doubling at all.
//
// The parts:
//   - modinv: e/s and r/s with an inversion whose time depends on s. All inputs of a verification are public.
//   - p256, p384, p521: the fields, the tables and the sums. All three sum in XYZZ coordinates, ten multiplications an
//     addition, and digits are odd, so there is neither a zero digit nor a carry out of the highest window.
//   - the last step compares r·ZZ with X, and (r+n)·ZZ with X if r + n < p, so nothing is inverted in the field.
//
// What is accepted is exactly what crypto/ecdsa accepts. The addition formulas do not cover the addition of equal or opposite
// points; they give ZZ = 0 then, and it stays 0 to the end of the sum. VerifyVarTime then answers that it has not decided and
// the caller asks the standard library. Nobody meets that who does not know a relation between G and Q, that is the private
// key, or a digest that is 0 modulo n.
//
// A table costs memory (MemSize) and some milliseconds to build, so a caller builds keys in the background, uses the standard
// library until then, and bounds how many keys it keeps. Tables of G are shared by all keys of a curve and built with the
// first.
//
// Kernels: Portable is Go. ADX is the P-256 field in MULX/ADCX/ADOX assembly. IFMA sums the terms of one P-256 signature in
// the eight lanes of AVX-512 IFMA, radix 2^52, eight terms a lane, and adds the eight sums up at the end.
package ecpub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"sallyport/verify/ecpub/modinv"
	"sallyport/verify/p256"
	"sallyport/verify/p384"
	"sallyport/verify/p521"
)

// Curve names an elliptic curve. The zero value is none.
type Curve uint8

// The curves of RFC 7518, 3.4.
const (
	P256 Curve = iota + 1
	P384
	P521
)

// Kernel names an implementation of a curve's arithmetic. The zero value is none.
type Kernel uint8

const (
	// Portable is the form in Go, for any machine.
	Portable Kernel = iota + 1
	// ADX needs amd64 with BMI2 and ADX.
	ADX
	// IFMA needs amd64 with AVX-512 F, DQ, VL and IFMA.
	IFMA
)

func (c Curve) String() string {
	switch c {
	case P256:
		return "P-256"
	case P384:
		return "P-384"
	case P521:
		return "P-521"
	}
	return "unknown curve"
}

func (k Kernel) String() string {
	switch k {
	case Portable:
		return "portable"
	case ADX:
		return "adx"
	case IFMA:
		return "ifma"
	}
	return "unknown kernel"
}

// Supported reports whether this machine can run kernel k for curve c.
func Supported(c Curve, k Kernel) bool {
	switch {
	case k == Portable:
		return c >= P256 && c <= P521
	case c == P256 && k == ADX:
		return p256.HasADX
	case c == P256 && k == IFMA:
		return p256.HasIFMA
	}
	return false
}

// Best returns the fastest kernel for c that this machine can run.
func Best(c Curve) Kernel {
	for _, k := range []Kernel{IFMA, ADX} {
		if Supported(c, k) {
			return k
		}
	}
	return Portable
}

// params are the constants of a curve and the tables of its G.
type params struct {
	std   elliptic.Curve
	size  int // octets of r, of s and of a coordinate
	order *modinv.Modulus
	// gap is p - n: r + n is below p, so a possible x coordinate, for r below gap.
	gap modinv.Nat
	// excess is how many bits the octets of n have above its length.
	excess int
}

var curves = [...]params{P256: newParams(elliptic.P256()), P384: newParams(elliptic.P384()), P521: newParams(elliptic.P521())}

func newParams(std elliptic.Curve) params {
	p := std.Params()
	c := params{std: std, size: (p.BitSize + 7) / 8, order: modinv.New(p.N.Bytes())}
	c.gap.SetBytes(new(big.Int).Sub(p.P, p.N).Bytes())
	c.excess = 8*c.size - p.N.BitLen()
	return c
}

// Default and shared widths of windows, in bits. A table of a key has to share the caches with others and with the program,
// so it is narrower than that of G, which is there once.
const (
	gWidth256  = 8
	gWidthIFMA = 8
	gWidth384  = 8
	gWidth521  = 8
)

// DefaultWidth returns the window that NewPublicKey takes. See BenchmarkWidth.
func DefaultWidth(c Curve) int {
	switch c {
	case P384:
		return 7
	case P521:
		return 6
	}
	return 8
}

var (
	g256ifma = sync.OnceValue(func() *p256.TableIFMA { return p256.NewTableIFMA(affine256(basePoint(P256)), gWidthIFMA) })
	g256     = sync.OnceValue(func() *p256.Table { return p256.NewTable(affine256(basePoint(P256)), gWidth256) })
	g384     = sync.OnceValue(func() *p384.Table { return p384.NewTable(affine384(basePoint(P384)), gWidth384) })
	g521     = sync.OnceValue(func() *p521.Table { return p521.NewTable(affine521(basePoint(P521)), gWidth521) })
)

// PublicKey is a public key with its table. It is immutable and safe for concurrent use.
type PublicKey struct {
	curve  Curve
	kernel Kernel

	// The tables of the one curve that it is of.
	g256, q256         *p256.Table
	g256ifma, q256ifma *p256.TableIFMA
	g384, q384         *p384.Table
	g521, q521         *p521.Table
}

// NewPublicKey makes a key of an uncompressed point, 04‖x‖y, and builds its table for kernel k, which must be supported. It
// takes some milliseconds, and more for the first key of a curve. The error is that of the standard library if the point is
// not one of the curve.
func NewPublicKey(c Curve, point []byte, k Kernel) (*PublicKey, error) {
	return NewPublicKeyWidth(c, point, k, DefaultWidth(c))
}

// NewPublicKeyWidth is NewPublicKey with windows of width bits, 5 to 8: the table has 2^(width-1) entries for each of
// 1/width of the curve's bits.
func NewPublicKeyWidth(c Curve, point []byte, k Kernel, width int) (*PublicKey, error) {
	if !Supported(c, k) {
		return nil, fmt.Errorf("ecpub: kernel %s for %s is not supported here", k, c)
	}
	if width < 5 || width > 8 {
		return nil, errors.New("ecpub: window out of range")
	}
	if _, err := ecdsa.ParseUncompressedPublicKey(curves[c].std, point); err != nil {
		return nil, fmt.Errorf("ecpub: cannot make %s key: %w", c, err)
	}
	key := &PublicKey{curve: c, kernel: k}
	switch c {
	case P256:
		if k == IFMA {
			key.g256ifma, key.q256ifma = g256ifma(), p256.NewTableIFMA(affine256(point), width)
			break
		}
		key.g256, key.q256 = g256(), p256.NewTable(affine256(point), width)
	case P384:
		key.g384, key.q384 = g384(), p384.NewTable(affine384(point), width)
	case P521:
		key.g521, key.q521 = g521(), p521.NewTable(affine521(point), width)
	}
	return key, nil
}

// MemSize returns the memory that the key alone holds, in bytes.
func (k *PublicKey) MemSize() int {
	switch k.curve {
	case P256:
		if k.kernel == IFMA {
			return k.q256ifma.Size()
		}
		return k.q256.Size()
	case P384:
		return k.q384.Size()
	case P521:
		return k.q521.Size()
	}
	return 0
}

// basePoint returns G as an uncompressed point.
func basePoint(c Curve) []byte {
	p := &curves[c]
	b := make([]byte, 1+2*p.size)
	b[0] = 4
	p.std.Params().Gx.FillBytes(b[1 : 1+p.size])
	p.std.Params().Gy.FillBytes(b[1+p.size:])
	return b
}

// coordinates returns x and y of an uncompressed point that was checked.
func coordinates(point []byte) (x, y modinv.Nat) {
	size := (len(point) - 1) / 2
	x.SetBytes(point[1 : 1+size])
	y.SetBytes(point[1+size:])
	return x, y
}

func affine256(point []byte) *p256.Affine {
	x, y := coordinates(point)
	a := new(p256.Affine)
	a.X.SetPlain((*[4]uint64)(x[:]))
	a.Y.SetPlain((*[4]uint64)(y[:]))
	return a
}

func affine384(point []byte) *p384.Affine {
	x, y := coordinates(point)
	a := new(p384.Affine)
	a.X.SetPlain((*[6]uint64)(x[:]))
	a.Y.SetPlain((*[6]uint64)(y[:]))
	return a
}

func affine521(point []byte) *p521.Affine {
	x, y := coordinates(point)
	a := new(p521.Affine)
	a.X.SetPlain((*[9]uint64)(x[:]))
	a.Y.SetPlain((*[9]uint64)(y[:]))
	return a
}
