//go:build !amd64 || purego

package jose

// HasVector reports whether the processor has what the vector form of base64url needs.
func HasVector() bool { return false }

// UseVector turns the vector form of base64url on, where there is one.
func UseVector(bool) {}

// SelfTest checks the vector form.
func SelfTest() error { return nil }

func decode(out, src []byte) bool { return decodePortable(out, src) }
