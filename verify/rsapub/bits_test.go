//go:build !race

package rsapub

// testBits are the sizes of moduli: those of real keys, and both sides of where a limb, a digit or a register more is needed.
var testBits = []int{2048, 2049, 2050, 2056, 2078, 2079, 2112, 3000, 3071, 3072, 3073, 3326, 3327, 4030, 4095, 4096}
