//go:build !amd64 || purego

package rsapub

// No assembly in this build: the twins stand in, for the tests.
const hasADX, hasIFMA = false, false

func (m *radix52) mul(x, y *digits) { m.mulTwin(x, y) }

func (m *radix52) sqr(x *digits, times uint64) {
	for range times {
		y := *x
		m.mulTwin(x, &y)
	}
}

func (p *PublicKey) expADX(z, s *limbs64) { p.expPortable(z, s) }
