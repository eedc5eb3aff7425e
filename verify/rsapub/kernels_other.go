//go:build !amd64 || purego

package rsapub

// No assembly in this build: the twins stand in, for the tests.
const hasADX, hasIFMA = false, false

func (m *radix52) mulRows(x, y *digits, rows uint64) { m.mulTwinRows(x, y, rows) }

func (m *radix52) sqr(x *digits, times uint64) {
	for range times {
		y := *x
		m.mulTwin(x, &y)
	}
}

func (p *PublicKey) mul64(x, y *limbs64) { p.mulPortable(x, y) }

func (p *PublicKey) sqr64(x *limbs64) { p.sqrPortable(x) }
