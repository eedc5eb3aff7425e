//go:build !amd64 || purego

package p256

// No assembly in this build: the twins stand in, for the tests.
const HasIFMA, HasADX = false, false

func sumIFMA(z *[10]uint64, terms *[maxTermsIFMA]ifmaTerm, steps uint64) { sumTwin(z, terms, steps) }
