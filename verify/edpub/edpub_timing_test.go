package edpub

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"
)

// load is one key of each implementation with many signatures, so that reads of the tables are spread as in service.
type load struct {
	std            ed25519.PublicKey
	own            map[Kernel]*PublicKey
	messages, sigs [][]byte
	next           int
}

const (
	loadSize    = 1000
	messageSize = 460 // a signing input of usual length
)

var oneLoad *load

func newLoad(b *testing.B) *load {
	b.Helper()
	if oneLoad != nil {
		return oneLoad
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	l := &load{std: pub, own: map[Kernel]*PublicKey{}}
	for _, k := range kernels() {
		if l.own[k], err = NewPublicKey(pub, k); err != nil {
			b.Fatal(err)
		}
	}
	for range loadSize {
		message := make([]byte, messageSize)
		rand.Read(message)
		l.messages = append(l.messages, message)
		l.sigs = append(l.sigs, ed25519.Sign(priv, message))
	}
	oneLoad = l
	return l
}

// verify checks the next signature; kernel 0 is the standard library.
func (l *load) verify(k Kernel) bool {
	i := l.next % loadSize
	l.next++
	if k == 0 {
		return ed25519.Verify(l.std, l.messages[i], l.sigs[i])
	}
	return l.own[k].VerifyVarTime(l.messages[i], l.sigs[i])
}

// contestants returns the kernels of this machine after 0, the standard library.
func contestants() []Kernel { return append([]Kernel{0}, kernels()...) }

func kernelName(k Kernel) string {
	if k == 0 {
		return "std"
	}
	return k.String()
}

func BenchmarkSignature(b *testing.B) {
	for _, k := range contestants() {
		b.Run("Ed25519/"+kernelName(k), func(b *testing.B) {
			l := newLoad(b)
			b.ReportAllocs()
			for b.Loop() {
				if !l.verify(k) {
					b.Fatal("valid signature refused")
				}
			}
		})
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
	for _, k := range contestants() {
		b.Run("Ed25519/"+kernelName(k), func(b *testing.B) {
			l := newLoad(b)
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

// BenchmarkSpeedup times the standard library and a kernel in turn and reports the median of the ratios, hot and cold: what a
// claim of "so many times faster" rests on, since both runs of a pair see the same neighbours.
func BenchmarkSpeedup(b *testing.B) {
	junk := make([]byte, 3<<20)
	for _, k := range kernels() {
		for _, cold := range []bool{false, true} {
			name, batch := "hot", 10
			if cold {
				name, batch = "cold", 1
			}
			b.Run(fmt.Sprintf("Ed25519/%s/%s", k, name), func(b *testing.B) {
				l := newLoad(b)
				run := func(k Kernel) float64 {
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

// BenchmarkWidth is what a window's width costs and gains: time of a verification, of a table, and memory.
func BenchmarkWidth(b *testing.B) {
	for _, k := range kernels() {
		for width := 5; width <= 8; width++ {
			b.Run(fmt.Sprintf("%s/%d", k, width), func(b *testing.B) {
				l := newLoad(b)
				start := time.Now()
				key, err := NewPublicKeyWidth(l.std, k, width)
				if err != nil {
					b.Fatal(err)
				}
				build := time.Since(start)
				i := 0
				for b.Loop() {
					if !key.VerifyVarTime(l.messages[i%loadSize], l.sigs[i%loadSize]) {
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

// BenchmarkParts is what a verification consists of besides the sum.
func BenchmarkParts(b *testing.B) {
	l := newLoad(b)
	key := l.own[Portable]
	b.Run("hash", func(b *testing.B) {
		var k scalar
		for b.Loop() {
			key.hash(&k, (*[32]byte)(l.sigs[0]), l.messages[0])
		}
	})
	b.Run("reduce", func(b *testing.B) {
		var k scalar
		for b.Loop() {
			k.reduce((*[64]byte)(l.sigs[0]))
		}
	})
	var p point
	p.start(&key.q.multiples[0], 0)
	b.Run("mul", func(b *testing.B) {
		x := d2
		for b.Loop() {
			x.mul(&x, &d2)
		}
	})
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			p.add(&key.q.multiples[1], 0)
		}
	})
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			p.encodeVarTime()
		}
	})
}
