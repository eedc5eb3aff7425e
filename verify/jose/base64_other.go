//go:build !amd64 || purego

package jose

// Supported reports whether this processor and this build have the form.
func (v Vector) Supported() bool { return v == NoVector }

// SelfTest checks a vector form.
func SelfTest(Vector) error { return nil }

func decodeBy(_ Vector, out, src []byte) bool { return decodePortable(out, src) }
