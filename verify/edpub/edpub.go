// Package edpub verifies Ed25519 signatures (RFC 8032, pure Ed25519) with a table precomputed for one public key.
//
// A signature R‖S is one of A over M if S is below L and [S]B - [k]A, encoded, is R, for k the SHA-512 hash of R‖A‖M modulo L.
// The standard library takes A as unknown each time, and spends nearly all of its time on doublings. A proxy sees the same few
// keys again and again: with the multiples of 2^(wi)·(-A) in a table for every window i, as for B, the sum is one addition of a
// table entry per window of S and k and no doubling at all.
//
// What is accepted is exactly what crypto/ed25519 accepts. The equation is the one without the cofactor; R is compared in its
// encoding, so one that is not canonical never matches; keys are decoded with the same lenience, and a caller that wants to
// refuse keys that are not canonical or of small order does so itself. The formulas of addition are complete on this curve:
// there is no exceptional case whatever A and R are.
//
// A table costs memory (MemSize) and some milliseconds to build, so a caller builds keys in the background, uses the standard
// library until then, and bounds how many keys it keeps. Tables of B are shared by all keys of a kernel and built with the
// first.
//
// Kernels: Portable is Go. IFMA sums the terms of one signature in the eight lanes of AVX-512 IFMA, radix 2^51, eight or nine
// terms a lane, and adds the eight sums up at the end.
package edpub

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync"
)

// Sizes in octets (RFC 8032, 5.1).
const (
	PublicKeySize = 32
	SignatureSize = 64
)

// Kernel names an implementation of the arithmetic. The zero value is none.
type Kernel uint8

const (
	// Portable is the form in Go, for any machine.
	Portable Kernel = iota + 1
	// IFMA needs amd64 with AVX-512 F, DQ, VL and IFMA.
	IFMA
)

func (k Kernel) String() string {
	switch k {
	case Portable:
		return "portable"
	case IFMA:
		return "ifma"
	}
	return "unknown kernel"
}

// Supported reports whether this machine can run kernel k.
func Supported(k Kernel) bool {
	switch k {
	case Portable:
		return true
	case IFMA:
		return hasIFMA
	}
	return false
}

// Best returns the fastest kernel that this machine can run.
func Best() Kernel {
	if Supported(IFMA) {
		return IFMA
	}
	return Portable
}

// DefaultWidth returns the window that NewPublicKey takes, in bits. See BenchmarkWidth: one bit more costs 1.7 times the memory
// and saves 6 % of the time with Portable, 3 % with IFMA.
func DefaultWidth(k Kernel) int {
	if k == IFMA {
		return 7
	}
	return 8
}

// baseWidth is the window of the tables of B. They share the caches with those of the keys and with the program.
const baseWidth = 8

var (
	baseTable = sync.OnceValue(func() *table {
		x, y := basePoint()
		return newTable(x, y, baseWidth)
	})
	baseTableIFMA = sync.OnceValue(func() *tableIFMA {
		x, y := basePoint()
		return newTableIFMA(newTable(x, y, baseWidth))
	})
)

// basePoint returns B: y is 4/5 and x is even (RFC 8032, 5.1).
func basePoint() (x, y *big.Int) {
	key, _ := hex.DecodeString("5866666666666666666666666666666666666666666666666666666666666666")
	x, y, err := decode(key)
	if err != nil {
		panic("sallyport: BUG: " + err.Error())
	}
	return x, y
}

// PublicKey is a public key with its table. It is immutable and safe for concurrent use.
type PublicKey struct {
	kernel Kernel
	key    [PublicKeySize]byte // as it was given, for the hash

	// The tables of B and of -A for the one kernel.
	b, q         *table
	bIFMA, qIFMA *tableIFMA
}

// NewPublicKey makes a key of its encoding, 32 octets, which it copies, and builds its table for kernel k, which must be
// supported. It takes some milliseconds, and more for the first key of a kernel. The error is not nil exactly if
// crypto/ed25519 could not decode the key either; keys of small order and encodings that are not canonical are no error.
func NewPublicKey(key []byte, k Kernel) (*PublicKey, error) {
	return NewPublicKeyWidth(key, k, DefaultWidth(k))
}

// NewPublicKeyWidth is NewPublicKey with windows of width bits, 5 to 8: the table has 2^(width-1) entries for each of
// 1/width of the scalar's bits.
func NewPublicKeyWidth(key []byte, k Kernel, width int) (*PublicKey, error) {
	if !Supported(k) {
		return nil, fmt.Errorf("edpub: kernel %s is not supported here", k)
	}
	if width < 5 || width > 8 {
		return nil, errors.New("edpub: window out of range")
	}
	if len(key) != PublicKeySize {
		return nil, errors.New("edpub: cannot make Ed25519 key: not of 32 octets")
	}
	x, y, err := decode(key)
	if err != nil {
		return nil, err
	}
	x.Sub(fieldPrime, x).Mod(x, fieldPrime) // -A
	p := &PublicKey{kernel: k, key: [PublicKeySize]byte(key)}
	if k == IFMA {
		p.bIFMA, p.qIFMA = baseTableIFMA(), newTableIFMA(newTable(x, y, width))
		return p, nil
	}
	p.b, p.q = baseTable(), newTable(x, y, width)
	return p, nil
}

// MemSize returns the memory that the key alone holds, in bytes.
func (p *PublicKey) MemSize() int {
	if p.kernel == IFMA {
		return p.qIFMA.size()
	}
	return p.q.size()
}
