package jose

// maxKid bounds a key ID in octets. It is an opaque look-up key and nothing else.
const maxKid = 256

// MaxHeader bounds a decoded JOSE header in octets (SECURITY notes 2.1).
const MaxHeader = 4 << 10

// Header is what is read of a JOSE header. Kid and Typ are views into the decoded header and the Checker's memory.
type Header struct {
	Alg    Alg
	HasKid bool
	HasTyp bool
	Kid    []byte
	Typ    []byte
}

// Parse reads the decoded header. Everything it does not name is ignored (RFC 7515, 4), above all jku, jwk, x5u and x5c,
// which are never a source of keys.
func (h *Header) Parse(c *Checker, decoded []byte) error {
	*h = Header{}
	if len(decoded) > MaxHeader {
		return ErrMalformed
	}
	members, unescaped, err := c.Index(decoded, DefaultLimits)
	if err != nil {
		return ErrMalformed
	}
	var alg, kid, typ *Member
	for i := range members {
		m := &members[i]
		switch string(m.Name.Bytes(decoded, unescaped)) {
		case "alg":
			alg = m
		case "kid":
			kid = m
		case "typ":
			typ = m
		case "crit", "b64", "zip":
			// RFC 7515, 4.1.11: a recipient that does not understand a critical parameter must refuse. We know no extension, so
			// any crit is refused; b64 (RFC 7797) changes what is signed, zip what is read.
			return ErrCritical
		}
	}
	if alg == nil || decoded[alg.From] != '"' {
		return ErrAlgorithm
	}
	if h.Alg = ParseAlg(alg.String.Bytes(decoded, unescaped)); h.Alg == AlgInvalid {
		return ErrAlgorithm
	}
	var ok bool
	if h.Kid, h.HasKid, ok = optionalString(kid, decoded, unescaped); !ok || len(h.Kid) > maxKid {
		return ErrMalformed
	}
	if h.Typ, h.HasTyp, ok = optionalString(typ, decoded, unescaped); !ok {
		return ErrMalformed
	}
	return nil
}

func optionalString(m *Member, decoded, unescaped []byte) (s []byte, has, ok bool) {
	if m == nil {
		return nil, false, true
	}
	if decoded[m.From] != '"' {
		return nil, false, false
	}
	return m.String.Bytes(decoded, unescaped), true, true
}
