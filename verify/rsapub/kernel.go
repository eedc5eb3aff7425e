package rsapub

// Kernel names an implementation of s^e mod n. The zero value is none.
type Kernel uint8

const (
	Portable Kernel = iota + 1 // Go
	ADX                        // amd64 with BMI2 and ADX
	IFMA                       // amd64 with AVX-512 F, DQ, VL and IFMA
)

// String returns the name as in SALLYPORT_KERNELS and in benchmarks.
func (k Kernel) String() string {
	switch k {
	case Portable:
		return "portable"
	case ADX:
		return "adx"
	case IFMA:
		return "ifma"
	}
	return "invalid"
}

// Supported reports whether this processor and this build have the kernel.
func Supported(k Kernel) bool {
	switch k {
	case Portable:
		return true
	case ADX:
		return hasADX
	case IFMA:
		return hasIFMA
	}
	return false
}

// Available returns the supported kernels, fastest first.
func Available() []Kernel {
	var list []Kernel
	for _, k := range []Kernel{IFMA, ADX, Portable} {
		if Supported(k) {
			list = append(list, k)
		}
	}
	return list
}
