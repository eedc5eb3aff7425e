package jose

import "unsafe"

// View returns the octets of b as a string without copying them. The string is good only while b is neither changed nor
// reused, so it must not outlive the call that it is passed to.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Behind returns the n octets that follow *p, which must be in the same object and hold no pointers. They keep the object.
func Behind[T any](p *T, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(p), unsafe.Sizeof(*p))), n)
}
