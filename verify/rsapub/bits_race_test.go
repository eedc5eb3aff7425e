//go:build race

package rsapub

// testBits are fewer with the race detector, which slows the twins down and has nothing to find in them.
var testBits = []int{2048, 2049, 3072, 4096}
