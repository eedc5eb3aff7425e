package rsapub

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

// eachKernel runs the same body over every kernel of this build and processor.
func eachKernel(t *testing.T, body func(t *testing.T, k Kernel)) {
	for _, k := range Available() {
		t.Run(k.String(), func(t *testing.T) { body(t, k) })
	}
}

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randBits returns a random number of at most n bits.
func randBits(r *rand.Rand, n int) *big.Int {
	b := make([]byte, (n+7)/8)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	x := new(big.Int).SetBytes(b)
	return x.Rsh(x, uint(8*len(b)-n))
}

// randRuns returns a number of at most n bits that is made of long runs of ones and zeros.
func randRuns(r *rand.Rand, n int) *big.Int {
	x := new(big.Int)
	bit := uint(r.Uint32() & 1)
	for i := 0; i < n; {
		for run := 1 + r.IntN(200); run > 0 && i < n; run-- {
			x.SetBit(x, i, bit)
			i++
		}
		bit ^= 1
	}
	return x
}

// pow2 returns 2^n + d.
func pow2(n int, d int64) *big.Int {
	x := new(big.Int).Lsh(big.NewInt(1), uint(n))
	return x.Add(x, big.NewInt(d))
}

// modulus makes x an odd number of exactly n bits.
func modulus(x *big.Int, n int) *big.Int {
	x = new(big.Int).Set(x)
	x.SetBit(x, 0, 1)
	return x.SetBit(x, n-1, 1)
}

var testExponents = []int{3, 5, 17, 257, 65537, 65539, 1<<31 - 1}

// moduli returns moduli of n bits that are random, at both ends of the range, made of runs, and of extreme digits.
func moduli(r *rand.Rand, n int) []*big.Int {
	list := []*big.Int{
		pow2(n-1, 1), pow2(n-1, 3), pow2(n-1, 1<<62-1), pow2(n, -1), pow2(n, -3), pow2(n, -1<<62+1),
		new(big.Int).Sub(pow2(n, 0), pow2(n/2, 1)),
		new(big.Int).Add(pow2(n-1, 0), pow2(n/2, -1)),
	}
	for range 4 {
		list = append(list, modulus(randBits(r, n), n), modulus(randRuns(r, n), n))
	}
	for _, low := range []int64{1, -1} { // n0 at its extremes in both radices
		x := randBits(r, n)
		x.Rsh(x, 128).Lsh(x, 128).Add(x, pow2(128, low))
		list = append(list, modulus(x, n))
	}
	return list
}

// operands returns values in [0, n): the ends, and values whose digits are all ones or zeros in either radix.
func operands(r *rand.Rand, n *big.Int) []*big.Int {
	bits := n.BitLen()
	list := []*big.Int{
		big.NewInt(0), big.NewInt(1), big.NewInt(2),
		new(big.Int).Sub(n, big.NewInt(1)), new(big.Int).Sub(n, big.NewInt(2)), new(big.Int).Rsh(n, 1),
		pow2(bits-1, -1), pow2(bits-2, 0), pow2(52*20, -1), pow2(64*20, -1), pow2(52, -1), pow2(64, -1),
	}
	for range 3 {
		list = append(list, randBits(r, bits), randRuns(r, bits))
	}
	for _, x := range list {
		x.Mod(x, n)
	}
	return list
}

func checkExp(t *testing.T, p *PublicKey, n, s *big.Int) {
	t.Helper()
	var x, z limbs64
	fromBig(&x, s)
	p.expVarTime(&z, &x)
	want := new(big.Int).Exp(s, big.NewInt(int64(p.e)), n)
	if got := toBig(&z); got.Cmp(want) != 0 {
		t.Fatalf("%s: %x^%d mod %x = %x, want %x", p.kernel, s, p.e, n, got, want)
	}
}

func toBig(x *limbs64) *big.Int {
	var buf [maxSize]byte
	fillBytes(buf[:], x)
	return new(big.Int).SetBytes(buf[:])
}

func TestExpMatchesBig(t *testing.T) {
	eachKernel(t, func(t *testing.T, k Kernel) {
		r := newRand(t)
		for _, bits := range testBits {
			for i, n := range moduli(r, bits) {
				if n.BitLen() != bits || n.Bit(0) == 0 {
					t.Fatalf("modulus %d of %d bits is %x", i, bits, n)
				}
				// Every modulus with 65537 and one other exponent.
				for j, e := range []int{65537, testExponents[r.IntN(len(testExponents))]} {
					p, err := NewPublicKey(n, e, k)
					if err != nil {
						t.Fatal(err)
					}
					list := operands(r, n)
					if j == 1 {
						list = list[r.IntN(len(list)):]
						list = list[:min(len(list), 3)]
					}
					for _, s := range list {
						checkExp(t, p, n, s)
					}
				}
			}
		}
	})
}

func TestExpExponents(t *testing.T) {
	eachKernel(t, func(t *testing.T, k Kernel) {
		r := newRand(t)
		for _, bits := range []int{2048, 3072, 4096} {
			n := modulus(randBits(r, bits), bits)
			for _, e := range testExponents {
				t.Run(fmt.Sprintf("%d/%d", bits, e), func(t *testing.T) {
					p, err := NewPublicKey(n, e, k)
					if err != nil {
						t.Fatal(err)
					}
					for range 20 {
						checkExp(t, p, n, new(big.Int).Mod(randBits(r, bits), n))
					}
				})
			}
		}
	})
}
