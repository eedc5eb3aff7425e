package main

import (
	"fmt"
	"sync"

	"sallyport/bench/arm"
	"sallyport/bench/signatures"
	"sallyport/verify/ecpub"
	"sallyport/verify/edpub"
	"sallyport/verify/rsapub"
)

// kernelFigures are speed-ups of one signature check over the standard library: its time by ours, without hashing the
// input but for Ed25519.
func kernelFigures() []Figure {
	return []Figure{
		rsaFigure(2048, rsapub.IFMA, 4.5),
		rsaFigure(2048, rsapub.ADX, 2),
		// Who has only the portable code has a standard library without assembly as well: both sides are built with purego.
		{
			Name: "signature/RS256-2048/portable-vs-std", Goal: AtLeast(1.3),
			Ratio: CompareTool("RS256-2048/std", "RS256-2048/portable", "portable", "purego"),
		},
		rsaFigure(3072, rsapub.IFMA, 10),
		rsaFigure(4096, rsapub.IFMA, 10),
		{
			Name: "signature/RS256-2048/ifma-vs-openssl", Goal: AtLeast(2.3), Lacks: lacksOpenSSL, Ratio: opensslRatio,
		},
		ecFigure(ecpub.P256, ecpub.IFMA, 8),
		ecColdFigure(ecpub.P256, ecpub.IFMA, 6),
		ecFigure(ecpub.P256, ecpub.ADX, 5),
		ecFigure(ecpub.P256, ecpub.Portable, 2.5), // against the standard library with its assembly
		{
			Name: "signature/ES256/portable-vs-std-purego", Goal: AtLeast(2.5),
			Ratio: CompareTool("ES256/std", "ES256/portable", "portable", "purego"),
		},
		ecFigure(ecpub.P384, ecpub.Portable, 5),
		ecFigure(ecpub.P521, ecpub.Portable, 5),
		edFigure(edpub.IFMA, AtLeast(4)),
		edFigure(edpub.Portable, Goal{}),
	}
}

// edFigure hashes the message on both sides, as Ed25519 does it as part of a check.
func edFigure(k edpub.Kernel, goal Goal) Figure {
	return Figure{
		Name: fmt.Sprintf("signature/Ed25519/%s-vs-std", k), Goal: goal,
		Lacks: func() string { return lacksKernel(edpub.Supported(k), k) },
		Ratio: func(*Env) (Pair, error) {
			l, err := signatures.NewEd25519()
			if err != nil {
				return Pair{}, err
			}
			own, err := l.Kernel(k)
			return Pair{Num: Func(l.Std()), Den: Func(own)}, err
		},
	}
}

func rsaFigure(bits int, k rsapub.Kernel, goal float64) Figure {
	return Figure{
		Name: fmt.Sprintf("signature/RS256-%d/%s-vs-std", bits, k), Goal: AtLeast(goal),
		Lacks: func() string { return lacksKernel(rsapub.Supported(k), k) },
		Ratio: func(*Env) (Pair, error) {
			l, err := rsaSignatures(bits)
			if err != nil {
				return Pair{}, err
			}
			own, err := l.Kernel(k)
			return Pair{Num: Func(l.Std()), Den: Func(own)}, err
		},
	}
}

var esNames = map[ecpub.Curve]string{ecpub.P256: "ES256", ecpub.P384: "ES384", ecpub.P521: "ES512"}

func ecFigure(c ecpub.Curve, k ecpub.Kernel, goal float64) Figure {
	return Figure{
		Name: fmt.Sprintf("signature/%s/%s-vs-std", esNames[c], k), Goal: AtLeast(goal),
		Lacks: func() string { return lacksKernel(ecpub.Supported(c, k), k) },
		Ratio: func(*Env) (Pair, error) {
			std, own, err := ecFunctions(c, k)
			return Pair{Num: Func(std), Den: Func(own)}, err
		},
	}
}

// ecColdFigure is for a proxy that has done other things since it saw the key last: tables and code are in the third level of
// caches, not the first two.
func ecColdFigure(c ecpub.Curve, k ecpub.Kernel, goal float64) Figure {
	f := ecFigure(c, k, goal)
	f.Name += "-cold"
	f.Ratio = func(*Env) (Pair, error) {
		std, own, err := ecFunctions(c, k)
		junk := make([]byte, coldBytes)
		cold := func() { evict(junk) }
		return Pair{Num: Arm{Run: arm.FuncAfter(cold, std)}, Den: Arm{Run: arm.FuncAfter(cold, own)}}, err
	}
	return f
}

// coldBytes is more than the second level of caches of any processor with these kernels holds.
const coldBytes = 3 << 20

// evict fills the first two levels of caches with something else.
func evict(junk []byte) {
	for i := 0; i < len(junk); i += 64 {
		junk[i]++
	}
}

func ecFunctions(c ecpub.Curve, k ecpub.Kernel) (std, own func(), err error) {
	l, err := ecSignatures(c)
	if err != nil {
		return nil, nil, err
	}
	own, err = l.Kernel(k)
	return l.Std(), own, err
}

func lacksKernel(supported bool, k fmt.Stringer) string {
	if supported {
		return ""
	}
	return "this processor does not have what kernel " + k.String() + " needs"
}

// The signatures are made once: with long keys that takes longer than the measurement.
var (
	rsaSignatures = remember(signatures.NewRSA)
	ecSignatures  = remember(signatures.NewECDSA)
)

// remember calls f once for each argument.
func remember[K comparable, V any](f func(K) (V, error)) func(K) (V, error) {
	var mu sync.Mutex
	known := map[K]V{}
	return func(k K) (V, error) {
		mu.Lock()
		defer mu.Unlock()
		if v, ok := known[k]; ok {
			return v, nil
		}
		v, err := f(k)
		if err == nil {
			known[k] = v
		}
		return v, err
	}
}
