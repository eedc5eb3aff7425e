package jose

import "github.com/valyala/fastjson"

// maxKid bounds a key ID in octets. It is an opaque look-up key and nothing else.
const maxKid = 256

// MaxHeader bounds a decoded JOSE header in octets (SECURITY notes 2.1).
const MaxHeader = 4 << 10

// Header is what is read of a JOSE header. Kid and Typ are views into the parser's memory, valid until its next use.
type Header struct {
	Alg    Alg
	Kid    []byte
	HasKid bool
	Typ    []byte
	HasTyp bool
}

// Parse reads the decoded header. Everything it does not name is ignored (RFC 7515, 4), above all jku, jwk, x5u and x5c,
// which are never a source of keys.
func (h *Header) Parse(p *fastjson.Parser, c *Checker, decoded []byte) error {
	*h = Header{}
	if len(decoded) > MaxHeader {
		return ErrMalformed
	}
	if err := c.Check(decoded, DefaultLimits); err != nil {
		return ErrMalformed
	}
	v, err := p.ParseBytes(decoded)
	if err != nil {
		return ErrMalformed
	}
	// RFC 7515, 4.1.11: a recipient that does not understand a critical parameter must refuse. We know no extension, so any
	// crit is refused; b64 (RFC 7797) changes what is signed, zip what is read.
	if v.Exists("crit") || v.Exists("b64") || v.Exists("zip") {
		return ErrCritical
	}
	alg := v.Get("alg")
	if alg == nil || alg.Type() != fastjson.TypeString {
		return ErrAlgorithm
	}
	if h.Alg = ParseAlg(alg.GetStringBytes()); h.Alg == AlgInvalid {
		return ErrAlgorithm
	}
	if h.Kid, h.HasKid, err = optionalString(v, "kid"); err != nil {
		return err
	}
	if len(h.Kid) > maxKid {
		return ErrMalformed
	}
	h.Typ, h.HasTyp, err = optionalString(v, "typ")
	return err
}

func optionalString(v *fastjson.Value, key string) ([]byte, bool, error) {
	m := v.Get(key)
	if m == nil {
		return nil, false, nil
	}
	if m.Type() != fastjson.TypeString {
		return nil, false, ErrMalformed
	}
	return m.GetStringBytes(), true, nil
}
