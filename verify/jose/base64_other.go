//go:build !amd64 || purego

package jose

func decode(out, src []byte) bool { return decodePortable(out, src) }
