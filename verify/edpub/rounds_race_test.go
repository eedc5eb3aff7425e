//go:build race

package edpub

// rounds are fewer with the race detector, which slows the reference down and has nothing to find in it.
const rounds = 2
