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
