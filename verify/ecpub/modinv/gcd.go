package modinv

import "math/bits"

// matrix is what a batch of 62 division steps does to (f, g), times 2^62: f' = (u·f + v·g)/2^62, g' = (q·f + r·g)/2^62.
// |u|+|v| and |q|+|r| are at most 2^62.
type matrix struct{ u, v, q, r int64 }

// InverseMontVarTime sets z to x^-1·R mod m, in [0, m), for x in [1, m-1] coprime to m; R is that of MontMul. For an x that is
// not coprime to m the result is undefined. z may be x.
func (m *Modulus) InverseMontVarTime(z, x *Nat) {
	var d signed62
	e := m.r62
	f, g := m.m62, m.split(x)
	eta := int64(-1) // minus the delta of the paper
	n := m.limbs     // limbs that f and g still need
	for {
		var t matrix
		eta = divsteps(eta, uint64(f[0])|uint64(f[1])<<62, uint64(g[0])|uint64(g[1])<<62, &t)
		m.updateDE(&d, &e, &t)
		updateFG(&f, &g, &t, n)
		var rest int64
		for _, v := range g[:n] {
			rest |= v
		}
		if rest == 0 {
			break
		}
		// When the highest limb of both is only a sign, the limb below takes it over.
		for n > 2 && (f[n-1] == 0 || f[n-1] == -1) && (g[n-1] == 0 || g[n-1] == -1) {
			f[n-2] |= f[n-1] << 62
			g[n-2] |= g[n-1] << 62
			n--
		}
	}
	// f is 1 or -1 now and d·x ≡ f·R.
	m.normalize(&d, f[n-1] < 0)
	*z = m.join(&d)
}

// divsteps does 62 division steps on the low 64 bits of f and g, f odd, and returns the new eta.
func divsteps(eta int64, f, g uint64, t *matrix) int64 {
	var u, v, q, r uint64 = 1, 0, 0, 1
	i := 62
	for {
		// The sentinel bit stops the run at the end of the batch.
		zeros := bits.TrailingZeros64(g | ^uint64(0)<<(i&63))
		g >>= zeros & 63
		u <<= zeros & 63
		v <<= zeros & 63
		eta -= int64(zeros)
		i -= zeros
		if i == 0 {
			break
		}
		if eta < 0 {
			eta = -eta
			f, g = g, -f
			u, q = q, -u
			v, r = r, -v
		}
		// No swap can come for eta+1 steps: as many low bits of g, six at most, go at once with w·f where w = -g/f mod 2^6.
		// f·(2-f²) is f^-1 modulo 64, because f² is 1 modulo 8.
		limit := min(eta+1, int64(i), 6)
		w := (f * g * (f*f - 2)) & (1<<(limit&63) - 1)
		g += f * w
		q += u * w
		r += v * w
	}
	*t = matrix{int64(u), int64(v), int64(q), int64(r)}
	return eta
}

// acc is a signed sum of 128 bits.
type acc struct{ hi, lo uint64 }

// add adds a·b, for b in [0, 2^63).
func (s *acc) add(a, b int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	var c uint64
	s.lo, c = bits.Add64(s.lo, lo, 0)
	s.hi += hi - uint64(a>>63)&uint64(b) + c
}

// addSigned adds a·b.
func (s *acc) addSigned(a, b int64) {
	s.add(a, b)
	s.hi -= uint64(b>>63) & uint64(a)
}

// shift divides by 2^62 and returns the lowest limb that was.
func (s *acc) shift() int64 {
	limb := int64(s.lo & mask62)
	s.lo = s.lo>>62 | s.hi<<2
	s.hi = uint64(int64(s.hi) >> 62)
	return limb
}

// updateFG applies t to n limbs of f and g. The low 62 bits of both sums are zero by the choice of t.
func updateFG(f, g *signed62, t *matrix, n int) {
	var x, y acc
	for i := range n - 1 {
		fi, gi := f[i], g[i]
		x.add(t.u, fi)
		x.add(t.v, gi)
		y.add(t.q, fi)
		y.add(t.r, gi)
		a, b := x.shift(), y.shift()
		if i > 0 {
			f[i-1], g[i-1] = a, b
		}
	}
	fi, gi := f[n-1], g[n-1]
	x.addSigned(t.u, fi)
	x.addSigned(t.v, gi)
	y.addSigned(t.q, fi)
	y.addSigned(t.r, gi)
	f[n-2], g[n-2] = x.shift(), y.shift()
	f[n-1], g[n-1] = int64(x.lo), int64(y.lo)
}

// updateDE applies t to d and e modulo m. Both are in (-2m, m) before and after: with m added to a negative one they are in
// (-m, m), so the sum is in (-2^62·m, 2^62·m), and at most (2^62-1)·m is taken off to make it divisible by 2^62.
func (m *Modulus) updateDE(d, e *signed62, t *matrix) {
	n := m.limbs
	sd, se := d[n-1]>>63, e[n-1]>>63
	md := t.u&sd + t.v&se
	me := t.q&sd + t.r&se
	cd := uint64(t.u)*uint64(d[0]) + uint64(t.v)*uint64(e[0])
	ce := uint64(t.q)*uint64(d[0]) + uint64(t.r)*uint64(e[0])
	md -= int64((m.inv62*cd + uint64(md)) & mask62)
	me -= int64((m.inv62*ce + uint64(me)) & mask62)
	var x, y acc
	for i := range n - 1 {
		di, ei, mi := d[i], e[i], m.m62[i]
		x.add(t.u, di)
		x.add(t.v, ei)
		x.add(md, mi)
		y.add(t.q, di)
		y.add(t.r, ei)
		y.add(me, mi)
		a, b := x.shift(), y.shift()
		if i > 0 {
			d[i-1], e[i-1] = a, b
		}
	}
	di, ei, mi := d[n-1], e[n-1], m.m62[n-1]
	x.addSigned(t.u, di)
	x.addSigned(t.v, ei)
	x.add(md, mi)
	y.addSigned(t.q, di)
	y.addSigned(t.r, ei)
	y.add(me, mi)
	d[n-2], e[n-2] = x.shift(), y.shift()
	d[n-1], e[n-1] = int64(x.lo), int64(y.lo)
}

// normalize brings d from (-2m, m) to [0, m), negated first if neg.
func (m *Modulus) normalize(d *signed62, neg bool) {
	n := m.limbs
	if d[n-1] < 0 {
		m.addSmall(d, 1) // now in (-m, m)
	}
	if neg {
		for i := range n {
			d[i] = -d[i]
		}
		m.addSmall(d, 0)
	}
	if d[n-1] < 0 {
		m.addSmall(d, 1)
	}
}

// addSmall adds k·m, k in [0, 1], and carries.
func (m *Modulus) addSmall(d *signed62, k int64) {
	n := m.limbs
	var carry int64
	for i := range n - 1 {
		v := d[i] + k*m.m62[i] + carry
		d[i] = v & mask62
		carry = v >> 62
	}
	d[n-1] += k*m.m62[n-1] + carry
}
