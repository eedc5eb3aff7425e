//go:build !amd64 || purego

package edpub

// No assembly in this build: the twin stands in, for the tests.
const hasIFMA = false

func sumIFMA(z *[15]uint64, terms *[maxTermsIFMA]laneTerm, steps uint64) { sumTwin(z, terms, steps) }
