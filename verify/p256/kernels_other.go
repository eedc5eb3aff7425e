//go:build !amd64 || purego

package p256

// No assembly in this build: the twins stand in, for the tests.
const HasIFMA, HasADX = false, false

func sumIFMA(z *[10]uint64, terms *[maxTermsIFMA]ifmaTerm, steps uint64) { sumTwin(z, terms, steps) }

func mulADX(z, x, y *[4]uint64) { (*Element)(z).Mul((*Element)(x), (*Element)(y)) }

func sqrADX(z, x *[4]uint64) { (*Element)(z).Sqr((*Element)(x)) }

func addADX(p *[4][4]uint64, x2, y2 *[4]uint64, sign uint64) {
	q := point{p[0], p[1], p[2], p[3]}
	q.add(term{&Affine{*x2, *y2}, sign})
	*p = [4][4]uint64{q.X, q.Y, q.ZZ, q.ZZZ}
}
