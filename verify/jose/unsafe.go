package jose

import "unsafe"

// View returns the octets of b as a string without copying them. The string is good only while b is neither changed nor
// reused, so it must not outlive the call that it is passed to.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
