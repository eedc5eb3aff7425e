package ecpub_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"sallyport/verify/ecpub"
)

var stdCurves = map[ecpub.Curve]elliptic.Curve{
	ecpub.P256: elliptic.P256(), ecpub.P384: elliptic.P384(), ecpub.P521: elliptic.P521(),
}

// eachKernel runs the test body for every curve and kernel of this machine.
func eachKernel(t *testing.T, body func(t *testing.T, c ecpub.Curve, k ecpub.Kernel)) {
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		for _, k := range kernels(c) {
			t.Run(fmt.Sprintf("%s/%s", c, k), func(t *testing.T) { body(t, c, k) })
		}
	}
}

// eachCurve runs the test body for every curve; a subject holds all kernels of it.
func eachCurve(t *testing.T, body func(t *testing.T, c ecpub.Curve)) {
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		t.Run(c.String(), func(t *testing.T) { body(t, c) })
	}
}

// kernels returns all that this machine can run.
func kernels(c ecpub.Curve) (list []ecpub.Kernel) {
	for k := ecpub.Portable; k <= ecpub.IFMA; k++ {
		if ecpub.Supported(c, k) {
			list = append(list, k)
		}
	}
	return list
}

// subject is one key in the standard library and in every kernel.
type subject struct {
	std  *ecdsa.PublicKey
	own  map[ecpub.Kernel]*ecpub.PublicKey
	n, p *big.Int
	size int
	// related tells that the private key is known to be special, so that exceptional additions may occur.
	related   bool
	undecided map[ecpub.Kernel]int
}

func newSubject(t testing.TB, c ecpub.Curve, pub *ecdsa.PublicKey) *subject {
	t.Helper()
	point, err := pub.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	params := stdCurves[c].Params()
	s := &subject{
		std: pub, own: map[ecpub.Kernel]*ecpub.PublicKey{}, n: params.N, p: params.P, size: (params.BitSize + 7) / 8,
		undecided: map[ecpub.Kernel]int{},
	}
	for _, k := range kernels(c) {
		if s.own[k], err = ecpub.NewPublicKey(c, point, k); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// multiple returns k·G, k not 0 modulo n.
func multiple(t testing.TB, curve elliptic.Curve, k *big.Int) *ecdsa.PublicKey {
	t.Helper()
	params := curve.Params()
	k = new(big.Int).Mod(k, params.N)
	key, err := ecdsa.ParseRawPrivateKey(curve, k.FillBytes(make([]byte, (params.BitSize+7)/8)))
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

// reference is verify.Key's path through the standard library.
func (s *subject) reference(digest, sig []byte) bool {
	if len(sig) != 2*s.size {
		return false
	}
	r, v := new(big.Int).SetBytes(sig[:s.size]), new(big.Int).SetBytes(sig[s.size:])
	if r.Sign() == 0 || v.Sign() == 0 || r.Cmp(s.n) >= 0 || v.Cmp(s.n) >= 0 {
		return false
	}
	return ecdsa.Verify(s.std, digest, r, v)
}

// check compares both and returns what the standard library says.
func (s *subject) check(t testing.TB, digest, sig []byte) bool {
	t.Helper()
	want := s.reference(digest, sig)
	for k, own := range s.own {
		ok, decided := own.VerifyVarTime(digest, sig)
		switch {
		case !decided && ok:
			t.Fatalf("%s: VerifyVarTime(%x, %x) = true and undecided", k, digest, sig)
		case !decided:
			s.undecided[k]++
			if e := s.hashToInt(digest); !s.related && e.Sign() != 0 {
				t.Fatalf("%s: VerifyVarTime(%x, %x) is undecided", k, digest, sig)
			}
		case ok != want:
			t.Fatalf("%s: VerifyVarTime(%x, %x) = %v, crypto/ecdsa says %v", k, digest, sig, ok, want)
		}
	}
	return want
}

func (s *subject) hashToInt(digest []byte) *big.Int {
	e := new(big.Int).SetBytes(digest[:min(len(digest), s.size)])
	if over := 8*min(len(digest), s.size) - s.n.BitLen(); over > 0 {
		e.Rsh(e, uint(over))
	}
	return e.Mod(e, s.n)
}

func (s *subject) raw(r, v *big.Int) []byte {
	return append(r.FillBytes(make([]byte, s.size)), v.FillBytes(make([]byte, s.size))...)
}

func (s *subject) random(t testing.TB) *big.Int {
	t.Helper()
	k, err := rand.Int(rand.Reader, new(big.Int).Sub(s.n, big.NewInt(1)))
	if err != nil {
		t.Fatal(err)
	}
	return k.Add(k, big.NewInt(1))
}

// craft returns a digest and a signature with the given u1 and u2 that is valid for Q, if u1·G + u2·Q is a point with x not
// 0 modulo n: r = x, s = r/u2, e = u1·s.
func (s *subject) craft(u1, u2 *big.Int) (digest, sig []byte) {
	curve := s.std.Curve
	x1, y1 := baseMult(curve, new(big.Int).Mod(u1, s.n))
	x2, y2 := scalarMult(curve, s.std, new(big.Int).Mod(u2, s.n))
	x, y := add(curve, x1, y1, x2, y2)
	if x.Sign() == 0 && y.Sign() == 0 {
		return nil, nil
	}
	r := x.Mod(x, s.n)
	v := new(big.Int).ModInverse(new(big.Int).Mod(u2, s.n), s.n)
	v.Mul(v, r).Mod(v, s.n)
	e := new(big.Int).Mul(u1, v)
	e.Mod(e, s.n)
	// For P-521 the digest is one bit string of 521 bits in 66 octets.
	e.Lsh(e, uint(8*s.size-s.n.BitLen()))
	return e.FillBytes(make([]byte, s.size)), s.raw(r, v)
}

func TestSelfTest(t *testing.T) {
	eachKernel(t, func(t *testing.T, c ecpub.Curve, k ecpub.Kernel) {
		if err := ecpub.SelfTest(c, k); err != nil {
			t.Fatal(err)
		}
	})
	if err := ecpub.SelfTest(ecpub.P521, ecpub.IFMA); err == nil {
		t.Error("SelfTest of an unsupported kernel passed")
	}
	if ecpub.Supported(0, ecpub.Portable) || ecpub.Supported(ecpub.P256, 0) || ecpub.Supported(9, ecpub.Portable) {
		t.Error("Supported of the zero value")
	}
}

func TestNewPublicKeyRejects(t *testing.T) {
	eachKernel(t, func(t *testing.T, c ecpub.Curve, k ecpub.Kernel) {
		curve := stdCurves[c]
		g, err := multiple(t, curve, big.NewInt(1)).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		size := len(g) / 2
		off := bytes.Clone(g)
		off[len(off)-1] ^= 1
		over := append(append([]byte{4}, curve.Params().P.FillBytes(make([]byte, size))...), g[1+size:]...)
		for name, point := range map[string][]byte{
			"empty": nil, "infinity": {0}, "off the curve": off, "x = p": over, "short": g[:len(g)-1], "long": append(bytes.Clone(g), 0),
			"compressed": append([]byte{2 + g[len(g)-1]&1}, g[1:1+size]...), "hybrid": append([]byte{6 + g[len(g)-1]&1}, g[1:]...),
		} {
			if _, err := ecpub.NewPublicKey(c, point, k); err == nil {
				t.Errorf("NewPublicKey took a point that is %s", name)
			}
		}
		for _, width := range []int{-1, 0, 4, 9} {
			if _, err := ecpub.NewPublicKeyWidth(c, g, k, width); err == nil {
				t.Errorf("NewPublicKeyWidth took %d bits", width)
			}
		}
		key, err := ecpub.NewPublicKey(c, g, k)
		if err != nil {
			t.Fatal(err)
		}
		if key.MemSize() < 100<<10 || key.MemSize() > 512<<10 {
			t.Errorf("MemSize() = %d", key.MemSize())
		}
	})
	if _, err := ecpub.NewPublicKey(ecpub.P384, nil, ecpub.IFMA); err == nil {
		t.Error("NewPublicKey took an unsupported kernel")
	}
}

func TestVerify(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		keys := 4
		if c != ecpub.P256 {
			keys = 1
		}
		for range keys {
			priv, err := ecdsa.GenerateKey(stdCurves[c], rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			s := newSubject(t, c, &priv.PublicKey)
			// Shorter, as long, longer than the order.
			for _, length := range []int{0, 1, 20, 32, 48, 64, s.size - 1, s.size, s.size + 1, 100} {
				digest := make([]byte, length)
				rand.Read(digest)
				r, v, err := ecdsa.Sign(rand.Reader, priv, digest)
				if err != nil {
					t.Fatal(err)
				}
				sig := s.raw(r, v)
				if !s.check(t, digest, sig) {
					t.Fatal("a signature of the standard library is not valid")
				}
				if !s.check(t, digest, s.raw(r, new(big.Int).Sub(s.n, v))) {
					t.Fatal("(r, n-s) is not valid")
				}
				for range 12 {
					bad := bytes.Clone(sig)
					bit, _ := rand.Int(rand.Reader, big.NewInt(int64(8*len(sig))))
					bad[bit.Int64()/8] ^= 1 << (bit.Int64() % 8)
					if s.check(t, digest, bad) {
						t.Fatal("altered signature is valid")
					}
				}
				if length > 0 && length < s.size {
					bad := bytes.Clone(digest)
					bad[length/2] ^= 4
					s.check(t, bad, sig)
				}
				s.check(t, digest, s.raw(v, r))
				for _, wrong := range [][]byte{nil, sig[:len(sig)-1], append(bytes.Clone(sig), 0), sig[:s.size]} {
					if s.check(t, digest, wrong) {
						t.Fatal("a signature of a wrong length is valid")
					}
				}
			}
		}
	})
}

func TestVerifyRandomPairs(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		priv, err := ecdsa.GenerateKey(stdCurves[c], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := newSubject(t, c, &priv.PublicKey)
		rounds := 1000
		if c != ecpub.P256 {
			rounds = 50
		}
		if testing.Short() {
			rounds /= 10
		}
		for range rounds {
			digest := s.random(t).FillBytes(make([]byte, s.size))
			r, v, err := ecdsa.Sign(rand.Reader, priv, digest)
			if err != nil {
				t.Fatal(err)
			}
			s.check(t, digest, s.raw(r, v))
			s.check(t, digest, s.raw(s.random(t), s.random(t)))
		}
	})
}

// TestVerifyRejectsOutOfRange: r and s at the ends of [1, n-1] and outside (CVE-2022-21449).
func TestVerifyRejectsOutOfRange(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		priv, err := ecdsa.GenerateKey(stdCurves[c], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := newSubject(t, c, &priv.PublicKey)
		digest := make([]byte, 32)
		rand.Read(digest)
		r, v, err := ecdsa.Sign(rand.Reader, priv, digest)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		outside := []*big.Int{new(big.Int), s.n, new(big.Int).Add(s.n, one), s.p, new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*s.size)), one)}
		for _, x := range outside {
			for _, sig := range [][]byte{s.raw(x, v), s.raw(r, x), s.raw(x, x)} {
				for k, own := range s.own {
					if ok, decided := own.VerifyVarTime(digest, sig); ok || !decided {
						t.Errorf("%s: VerifyVarTime(%x) = %v, %v, want false, true", k, sig, ok, decided)
					}
				}
			}
		}
		if rn := new(big.Int).Add(r, s.n); rn.BitLen() <= 8*s.size {
			s.check(t, digest, s.raw(rn, v))
		}
		inside := []*big.Int{one, big.NewInt(2), new(big.Int).Sub(s.n, one), new(big.Int).Sub(s.n, big.NewInt(2)), new(big.Int).Rsh(s.n, 1)}
		for _, x := range inside {
			s.check(t, digest, s.raw(x, v))
			s.check(t, digest, s.raw(r, x))
			for _, y := range inside {
				s.check(t, digest, s.raw(x, y))
			}
		}
	})
}

// TestVerifyDigest: digests that are 0, n or above n as numbers.
func TestVerifyDigest(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		priv, err := ecdsa.GenerateKey(stdCurves[c], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := newSubject(t, c, &priv.PublicKey)
		shift := uint(8*s.size - s.n.BitLen())
		for _, d := range []int64{-2, -1, 0, 1, 2} {
			e := new(big.Int).Add(s.n, big.NewInt(d))
			digest := e.Lsh(e, shift).FillBytes(make([]byte, s.size))
			r, v, err := ecdsa.Sign(rand.Reader, priv, digest)
			if err != nil {
				t.Fatal(err)
			}
			s.check(t, digest, s.raw(r, v))
			s.check(t, digest, s.raw(v, r))
		}
		for _, digest := range [][]byte{nil, make([]byte, 32), make([]byte, 100), bytes.Repeat([]byte{0xff}, s.size), bytes.Repeat([]byte{0xff}, 100)} {
			r, v, err := ecdsa.Sign(rand.Reader, priv, digest)
			if err != nil {
				t.Fatal(err)
			}
			s.check(t, digest, s.raw(r, v))
			s.check(t, digest, s.raw(v, r))
		}
	})
}

// abscissa returns the point with the given x, nil if there is none.
func abscissa(curve elliptic.Curve, x *big.Int) *ecdsa.PublicKey {
	params := curve.Params()
	y2 := new(big.Int).Exp(x, big.NewInt(3), params.P)
	y2.Sub(y2, new(big.Int).Mul(x, big.NewInt(3))).Add(y2, params.B).Mod(y2, params.P)
	y := new(big.Int).ModSqrt(y2, params.P)
	if y == nil {
		return nil
	}
	return newPoint(curve, x, y)
}

// keyFor returns the key for which u1·G + u2·Q is the point, with u1 = e/s and u2 = r/s: Q = (s·R - e·G)/r.
func keyFor(curve elliptic.Curve, point *ecdsa.PublicKey, r, s, e *big.Int) *ecdsa.PublicKey {
	n := curve.Params().N
	rInv := new(big.Int).ModInverse(r, n)
	e = new(big.Int).Mul(e, rInv)
	x1, y1 := scalarMult(curve, point, new(big.Int).Mod(new(big.Int).Mul(s, rInv), n))
	x2, y2 := baseMult(curve, e.Neg(e).Mod(e, n))
	x, y := add(curve, x1, y1, x2, y2)
	return newPoint(curve, x, y)
}

// TestVerifyWraps: signatures whose x coordinate is r + n, for keys made to fit, and what only looks so.
func TestVerifyWraps(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		curve := stdCurves[c]
		params := curve.Params()
		digest := make([]byte, 32)
		rand.Read(digest)
		e := new(big.Int).SetBytes(digest)
		found := 0
		for i := int64(1); found < 3; i++ {
			r, v := big.NewInt(i), big.NewInt(7919*i)
			point := abscissa(curve, new(big.Int).Add(params.N, r))
			if point == nil {
				continue
			}
			found++
			s := newSubject(t, c, keyFor(curve, point, r, v, e))
			if !s.check(t, digest, s.raw(r, v)) {
				t.Fatalf("r = %d is not valid", i)
			}
			if s.check(t, digest, s.raw(new(big.Int).Add(r, s.n), v)) {
				t.Fatal("r + n is valid")
			}
			s.check(t, digest, s.raw(big.NewInt(i+1), v))
			s.check(t, digest, s.raw(new(big.Int).Sub(params.N, r), v))
		}
	})
}

// TestVerifyRejectsRPlusN: r and s are small, so that r + n and s + n still fit into their octets; they must be in range all
// the same. And x is small with r = x + p - n: then r + n is x modulo p, but not below p.
func TestVerifyRejectsRPlusN(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		curve := stdCurves[c]
		digest := make([]byte, 32)
		rand.Read(digest)
		e := new(big.Int).SetBytes(digest)
		plus := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
		found := 0
		for i := int64(5); found < 3; i++ {
			x, v := big.NewInt(i), big.NewInt(7919*i)
			point := abscissa(curve, x)
			if point == nil {
				continue
			}
			found++
			s := newSubject(t, c, keyFor(curve, point, x, v, e))
			if !s.check(t, digest, s.raw(x, v)) {
				t.Fatalf("x = r = %d is not valid", i)
			}
			for _, sig := range [][]byte{
				s.raw(plus(x, s.n), v), s.raw(x, plus(v, s.n)), s.raw(plus(x, s.n), plus(v, s.n)), s.raw(plus(x, s.p), v),
			} {
				if s.check(t, digest, sig) {
					t.Fatal("r or s above n is valid")
				}
			}
			gap := new(big.Int).Sub(s.p, s.n)
			if gap.Sign() < 0 {
				t.Fatal("n is above p")
			}
			for d := int64(-1); d <= 1; d++ {
				r := plus(plus(x, gap), big.NewInt(d))
				s := newSubject(t, c, keyFor(curve, point, r, v, e))
				if s.check(t, digest, s.raw(r, v)) {
					t.Fatal("x = r + n - p is valid")
				}
			}
		}
	})
}

// TestVerifyRelatedKeys takes keys whose discrete logarithm is known, so that equal and opposite points meet in the sum.
func TestVerifyRelatedKeys(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		curve := stdCurves[c]
		n := curve.Params().N
		half := new(big.Int).ModInverse(big.NewInt(2), n)
		keys := []*big.Int{big.NewInt(1), big.NewInt(-1), big.NewInt(2), half}
		if c == ecpub.P256 {
			keys = append(keys, big.NewInt(-2), big.NewInt(3), big.NewInt(256), new(big.Int).Neg(half))
		}
		undecided := map[ecpub.Kernel]int{}
		for _, d := range keys {
			s := newSubject(t, c, multiple(t, curve, d))
			s.related = true
			try := func(u1, u2 *big.Int) {
				t.Helper()
				digest, sig := s.craft(u1, u2)
				if digest == nil {
					// The point at infinity: whatever r is, the answer is no.
					v := new(big.Int).ModInverse(new(big.Int).Mod(u2, s.n), s.n)
					e := new(big.Int).Mul(u1, v)
					e.Mod(e, s.n).Lsh(e, uint(8*s.size-s.n.BitLen()))
					if s.check(t, e.FillBytes(make([]byte, s.size)), s.raw(big.NewInt(1), v)) {
						t.Fatal("infinity is valid")
					}
					return
				}
				if !s.check(t, digest, sig) {
					t.Fatalf("crafted signature for u1 = %x, u2 = %x, Q = %x·G is not valid", u1, u2, d)
				}
				sig[0] ^= 1
				s.check(t, digest, sig)
			}
			small := []int64{-3, -2, -1, 1, 2, 3, 5, 17, 255, 256, 257}
			if c != ecpub.P256 {
				small = []int64{-1, 1, 2, 255}
			}
			for _, a := range small {
				for _, b := range small {
					try(big.NewInt(a), big.NewInt(b))
				}
				try(new(big.Int), big.NewInt(a)) // u1 = 0
				u := s.random(t)
				try(u, big.NewInt(a))
				try(big.NewInt(a), u)
			}
			for range 3 {
				u2 := s.random(t)
				u1 := new(big.Int).Mul(u2, d)
				try(u1, u2)                   // u1·G = u2·Q
				try(new(big.Int).Neg(u1), u2) // u1·G = -u2·Q
			}
			for k, count := range s.undecided {
				undecided[k] += count
			}
		}
		for _, k := range kernels(c) {
			if undecided[k] == 0 {
				t.Errorf("%s: no exceptional case was met", k)
			}
		}
	})
}

func TestConcurrent(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		priv, err := ecdsa.GenerateKey(stdCurves[c], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := newSubject(t, c, &priv.PublicKey)
		digest := make([]byte, 32)
		digest[5] = 1
		r, v, err := ecdsa.Sign(rand.Reader, priv, digest)
		if err != nil {
			t.Fatal(err)
		}
		sig := s.raw(r, v)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					for _, own := range s.own {
						if ok, decided := own.VerifyVarTime(digest, sig); !ok || !decided {
							t.Error("valid signature refused")
							return
						}
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestSameText holds the files together that the packages of the curves share.
func TestSameText(t *testing.T) {
	for _, file := range []string{"point.go", "table.go", "point_test.go"} {
		var first string
		for _, pkg := range []string{"p256", "p384", "p521"} {
			b, err := os.ReadFile("../" + pkg + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(b), "package "+pkg+"\n", "", 1)
			if first == "" {
				first = text
			}
			if text != first {
				lines, other := strings.Split(first, "\n"), strings.Split(text, "\n")
				i := 0
				for i < min(len(lines), len(other)) && lines[i] == other[i] {
					i++
				}
				t.Errorf("%s/%s differs from p256's near line %d", pkg, file, i+2)
			}
		}
	}
}

func TestUnmodifiedInputs(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecpub.Curve) {
		s := newSubject(t, c, multiple(t, stdCurves[c], big.NewInt(12345)))
		digest, sig := s.craft(big.NewInt(77), s.random(t))
		d, g := slices.Clone(digest), slices.Clone(sig)
		s.check(t, digest, sig)
		if !bytes.Equal(d, digest) || !bytes.Equal(g, sig) {
			t.Error("VerifyVarTime wrote to its input")
		}
	})
}
