// Package p256 sums multiples of two points of P-256 (FIPS 186-5, SP 800-186) with a table of each: u1·G + u2·Q as an
// addition of one entry per window of u1 and u2, without doublings. Package ecpub makes an ECDSA verification of it.
//
// Three kernels give the same sums, or say that the sum is undefined (see point):
//
//   - SumVarTime is Go: field.go, point.go, table.go.
//   - SumADXVarTime takes the same tables; the addition of an entry is one call of assembly, with the two carry chains of
//     ADCX and ADOX for the rows of a product.
//   - SumIFMAVarTime has tables of its own (TableIFMA). Eight lanes sum an eighth of the terms each in radix 2^52; the eight
//     sums are then added to four, two and one in YMM registers. radix52.go is its twin in Go, and holds the bounds.
//
// On a Zen 4 core a mixed addition of eight lanes takes about 920 cycles, of which 730 is the least that its multiply-adds
// need. Tried without gain: high and low halves in turn, high halves of the products by powers of 2 with shifts instead of
// multiply-adds, windows of 11 bits for G (one step in eight less, but the table of 1.5 MiB does not stay in the second level).
//
// The assembly is written by the program in _asm: make generate.
package p256

// The shape of the curve for point.go and table.go.
const (
	ScalarBits  = 256
	ScalarWords = 4
	entrySize   = 64 // octets of an Affine
)

// SumVarTime sets z to the x coordinate of u1·G + u2·Q, g and q being the tables of G and Q. u1 and u2 are in [1, n] with
// their signs. Time depends on both. It does not allocate.
func SumVarTime(z *Sum, g, q *Table, u1, u2 *Scalar) { sumVarTime(z, g, q, u1, u2) }
