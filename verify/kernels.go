package verify

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"sallyport/verify/ecpub"
	"sallyport/verify/edpub"
	"sallyport/verify/jose"
	"sallyport/verify/rsapub"
)

// Kernels says what checks signatures. Its zero value is the standard library for all.
type Kernels struct {
	RSA    rsapub.Kernel // 2048 to 4096 bits; 0: crypto/rsa
	ECDSA  ecpub.Kernel  // on P-256; P-384 and P-521 have the portable one alone. 0: crypto/ecdsa
	EdDSA  edpub.Kernel  // Ed25519, which has no ADX kernel: it is the portable one then. 0: crypto/ed25519
	Base64 jose.Vector   // base64url. 0: Go code
}

// KernelNames are what ChooseKernels takes; "auto" is the best that passes its self-test.
var KernelNames = []string{"auto", "std", "portable", "adx", "ifma"}

// ChooseKernels returns what name asks for. With "auto" a kernel that fails its self-test is left out for the standard library, and
// the error says so beside Kernels that are good to use; any other name gets what it says, or a zero Kernels and an error. In Go's
// FIPS 140-3 mode it is always the standard library, since the kernels are outside Go's cryptographic module.
func ChooseKernels(name string) (Kernels, error) {
	if fips140.Enabled() || name == "std" {
		return Kernels{}, nil
	}
	var k Kernels
	switch name {
	case "auto":
		return tested(Kernels{RSA: rsapub.Available()[0], ECDSA: ecpub.Best(ecpub.P256), EdDSA: edpub.Best(), Base64: jose.BestVector()})
	case "portable":
		k = Kernels{RSA: rsapub.Portable, ECDSA: ecpub.Portable, EdDSA: edpub.Portable}
	case "adx":
		k = Kernels{RSA: rsapub.ADX, ECDSA: ecpub.ADX, EdDSA: edpub.Portable}
		if jose.AVX2.Supported() {
			k.Base64 = jose.AVX2
		}
	case "ifma":
		k = Kernels{RSA: rsapub.IFMA, ECDSA: ecpub.IFMA, EdDSA: edpub.IFMA, Base64: jose.BestVector()}
	default:
		return Kernels{}, fmt.Errorf("verify: cannot use kernels %q: unknown (allowed: %s)", name, strings.Join(KernelNames, ", "))
	}
	if !rsapub.Supported(k.RSA) || !ecpub.Supported(ecpub.P256, k.ECDSA) || !edpub.Supported(k.EdDSA) {
		return Kernels{}, fmt.Errorf("verify: cannot use kernels %q: this processor does not have what they need", name)
	}
	good, err := tested(k)
	if err != nil {
		return Kernels{}, err
	}
	return good, nil
}

// The self-tests, which a test replaces.
var selfTest = struct {
	rsa    func(rsapub.Kernel) error
	ecdsa  func(ecpub.Curve, ecpub.Kernel) error
	eddsa  func(edpub.Kernel) error
	base64 func(jose.Vector) error
}{rsapub.SelfTest, ecpub.SelfTest, edpub.SelfTest, jose.SelfTest}

// tested returns k without what fails its self-test, and why.
func tested(k Kernels) (Kernels, error) {
	var errs []error
	if err := selfTest.rsa(k.RSA); err != nil {
		errs, k.RSA = append(errs, err), 0
	}
	for _, c := range []ecpub.Curve{ecpub.P256, ecpub.P384, ecpub.P521} {
		if err := selfTest.ecdsa(c, kernelOf(c, k.ECDSA)); err != nil {
			errs, k.ECDSA = append(errs, err), 0
			break
		}
	}
	if err := selfTest.eddsa(k.EdDSA); err != nil {
		errs, k.EdDSA = append(errs, err), 0
	}
	if err := selfTest.base64(k.Base64); err != nil {
		errs, k.Base64 = append(errs, err), 0
	}
	return k, errors.Join(errs...)
}

// kernelOf is what a curve has of k.
func kernelOf(c ecpub.Curve, k ecpub.Kernel) ecpub.Kernel {
	if k != 0 && c != ecpub.P256 {
		return ecpub.Portable
	}
	return k
}

// String names the kernels: "rsa=ifma ecdsa=ifma ed25519=ifma base64=vbmi".
func (k Kernels) String() string {
	rsa, ecdsa, ed25519 := "std", "std", "std"
	if k.RSA != 0 {
		rsa = k.RSA.String()
	}
	if k.ECDSA != 0 {
		ecdsa = k.ECDSA.String()
	}
	if k.EdDSA != 0 {
		ed25519 = k.EdDSA.String()
	}
	return "rsa=" + rsa + " ecdsa=" + ecdsa + " ed25519=" + ed25519 + " base64=" + k.Base64.String()
}

var kernels atomic.Pointer[Kernels]

// UseKernels sets what keys that are made from now on use. It is for the start of the process; before it, all is the standard library.
func UseKernels(k Kernels) {
	jose.UseVector(k.Base64)
	kernels.Store(&k)
}

// ActiveKernels returns what UseKernels set.
func ActiveKernels() Kernels {
	if k := kernels.Load(); k != nil {
		return *k
	}
	return Kernels{}
}
