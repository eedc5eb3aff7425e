package ecpub_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"sallyport/verify/ecpub"
)

var algNames = map[ecpub.Curve]string{ecpub.P256: "ES256", ecpub.P384: "ES384", ecpub.P521: "ES512"}

// load is one key of each implementation with many signatures, so that reads of the tables are spread as in service.
type load struct {
	curve   ecpub.Curve
	std     *ecdsa.PublicKey
	own     map[ecpub.Kernel]*ecpub.PublicKey
	digests [][]byte
	sigs    [][]byte
	r, s    []*big.Int
	next    int
}

const loadSize = 1000

var loads = map[ecpub.Curve]*load{}

func newLoad(b *testing.B, c ecpub.Curve) *load {
	b.Helper()
	if l := loads[c]; l != nil {
		return l
	}
	priv, err := ecdsa.GenerateKey(stdCurves[c], rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	l := &load{curve: c, std: &priv.PublicKey, own: map[ecpub.Kernel]*ecpub.PublicKey{}}
	point, err := l.std.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range kernels(c) {
		if l.own[k], err = ecpub.NewPublicKey(c, point, k); err != nil {
			b.Fatal(err)
		}
	}
	size := (stdCurves[c].Params().BitSize + 7) / 8
	for range loadSize {
		digest := make([]byte, min(size, 64))
		rand.Read(digest)
		r, s, err := ecdsa.Sign(rand.Reader, priv, digest)
		if err != nil {
			b.Fatal(err)
		}
		l.digests = append(l.digests, digest)
		l.sigs = append(l.sigs, append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
		l.r, l.s = append(l.r, r), append(l.s, s)
	}
	loads[c] = l
	return l
}

// verify checks the next signature; kernel 0 is the standard library.
func (l *load) verify(k ecpub.Kernel) bool {
	i := l.next % loadSize
	l.next++
	if k == 0 {
		return ecdsa.Verify(l.std, l.digests[i], l.r[i], l.s[i])
	}
	ok, _ := l.own[k].VerifyVarTime(l.digests[i], l.sigs[i])
	return ok
}

// contestants returns the kernels of this machine after 0, the standard library.
func contestants(c ecpub.Curve) []ecpub.Kernel { return append([]ecpub.Kernel{0}, kernels(c)...) }

func kernelName(k ecpub.Kernel) string {
	if k == 0 {
		return "std"
	}
	return k.String()
}

func BenchmarkSignature(b *testing.B) {
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		for _, k := range contestants(c) {
			b.Run(algNames[c]+"/"+kernelName(k), func(b *testing.B) {
				l := newLoad(b, c)
				b.ReportAllocs()
				for b.Loop() {
					if !l.verify(k) {
						b.Fatal("valid signature refused")
					}
				}
			})
		}
	}
}

var evicted byte

// evict fills the first two levels of caches with something else.
func evict(junk []byte) {
	for i := 0; i < len(junk); i += 64 {
		junk[i]++
		evicted += junk[i]
	}
}

// BenchmarkCold times single calls, each after 3 MiB of other memory were touched, and reports the median.
func BenchmarkCold(b *testing.B) {
	junk := make([]byte, 3<<20)
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		for _, k := range contestants(c) {
			b.Run(algNames[c]+"/"+kernelName(k), func(b *testing.B) {
				l := newLoad(b, c)
				var times []time.Duration
				for b.Loop() {
					evict(junk)
					start := time.Now()
					ok := l.verify(k)
					times = append(times, time.Since(start))
					if !ok {
						b.Fatal("valid signature refused")
					}
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "ns/verify")
			})
		}
	}
}

// BenchmarkSpeedup times the standard library and a kernel in turn and reports the median of the ratios, hot and cold: what a
// claim of "so many times faster" rests on, since both runs of a pair see the same neighbours.
func BenchmarkSpeedup(b *testing.B) {
	junk := make([]byte, 3<<20)
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		for _, k := range kernels(c) {
			for _, cold := range []bool{false, true} {
				// A batch stays well below the time slice of a busy machine.
				name, batch := "hot", 1
				if cold {
					name = "cold"
				} else if c == ecpub.P256 {
					batch = 10
				}
				b.Run(fmt.Sprintf("%s/%s/%s", algNames[c], kernelName(k), name), func(b *testing.B) {
					l := newLoad(b, c)
					run := func(k ecpub.Kernel) float64 {
						if cold {
							evict(junk)
						}
						start := time.Now()
						for range batch {
							if !l.verify(k) {
								b.Fatal("valid signature refused")
							}
						}
						return float64(time.Since(start).Nanoseconds()) / float64(batch)
					}
					var ratios, std, own []float64
					for b.Loop() {
						s, o := run(0), run(k)
						ratios, std, own = append(ratios, s/o), append(std, s), append(own, o)
					}
					for _, list := range [][]float64{ratios, std, own} {
						slices.Sort(list)
					}
					b.ReportMetric(ratios[len(ratios)/2], "x-std")
					b.ReportMetric(std[len(std)/2], "std-ns")
					b.ReportMetric(own[len(own)/2], "own-ns")
				})
			}
		}
	}
}

// BenchmarkWidth is what a window's width costs and gains: time of a verification, of a table, and memory.
func BenchmarkWidth(b *testing.B) {
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		for _, k := range kernels(c) {
			for width := 5; width <= 8; width++ {
				b.Run(fmt.Sprintf("%s/%s/%d", algNames[c], kernelName(k), width), func(b *testing.B) {
					l := newLoad(b, c)
					point, err := l.std.Bytes()
					if err != nil {
						b.Fatal(err)
					}
					start := time.Now()
					key, err := ecpub.NewPublicKeyWidth(c, point, k, width)
					if err != nil {
						b.Fatal(err)
					}
					build := time.Since(start)
					i := 0
					for b.Loop() {
						if ok, _ := key.VerifyVarTime(l.digests[i%loadSize], l.sigs[i%loadSize]); !ok {
							b.Fatal("valid signature refused")
						}
						i++
					}
					b.ReportMetric(float64(key.MemSize()), "table-B")
					b.ReportMetric(float64(build.Microseconds())/1000, "build-ms")
				})
			}
		}
	}
}

// BenchmarkSelfTest is what the boot pays for a kernel, without the tables of G.
func BenchmarkSelfTest(b *testing.B) {
	for c := ecpub.P256; c <= ecpub.P521; c++ {
		for _, k := range kernels(c) {
			b.Run(algNames[c]+"/"+kernelName(k), func(b *testing.B) {
				newLoad(b, c)
				for b.Loop() {
					if err := ecpub.SelfTest(c, k); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
