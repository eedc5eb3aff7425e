// Package p384 sums multiples of two points of P-384 (FIPS 186-5, SP 800-186) with a table of each: u1·G + u2·Q as an
// addition of one entry per window of u1 and u2, without doublings. Package ecpub makes an ECDSA verification of it.
package p384

// The shape of the curve for point.go and table.go.
const (
	ScalarBits  = 384
	ScalarWords = 6
	entrySize   = 96 // octets of an Affine
)

// SumVarTime sets z to the x coordinate of u1·G + u2·Q, g and q being the tables of G and Q. u1 and u2 are in [1, n] with
// their signs. Time depends on both. It does not allocate.
func SumVarTime(z *Sum, g, q *Table, u1, u2 *Scalar) { sumVarTime(z, g, q, u1, u2) }
