package jose

import "bytes"

// decodeTable maps an octet to its 6-bit value (RFC 4648, table 2), 0xff for all that are not in the alphabet.
var decodeTable = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// Vector names a form of base64url. The zero value is Go code.
type Vector uint8

const (
	NoVector Vector = iota
	AVX2            // amd64, 32 characters at a time
	VBMI            // amd64 with AVX-512 F, BW and VBMI, 64 at a time
)

// String returns the name as in the log of the start.
func (v Vector) String() string {
	switch v {
	case AVX2:
		return "avx2"
	case VBMI:
		return "vbmi"
	}
	return "portable"
}

// BestVector returns the fastest form that is supported.
func BestVector() Vector {
	for v := VBMI; v > NoVector; v-- {
		if v.Supported() {
			return v
		}
	}
	return NoVector
}

// vector is the form in use.
var vector Vector

// UseVector sets the form that is used from now on, NoVector where v is not supported. It is for the start of the process.
func UseVector(v Vector) {
	if !v.Supported() {
		v = NoVector
	}
	vector = v
}

func indexDot(b []byte, from int) int {
	i := bytes.IndexByte(b[from:], '.')
	if i < 0 {
		return -1
	}
	return from + i
}

// DecodedLen returns how many octets n characters of unpadded base64url decode to.
func DecodedLen(n int) int { return n * 6 / 8 }

// DecodeSegment appends the octets of the base64url text src to dst. It is strict: no padding, no white space, no other
// character, and the bits that belong to no octet must be zero, so that each value has one spelling (RFC 4648, 3.5;
// RFC 7515, 2). On an error dst is returned as it came.
func DecodeSegment(dst, src []byte) ([]byte, error) {
	n := len(src)
	if n == 0 {
		return dst, nil
	}
	start := len(dst)
	unused := [4]byte{0: 0, 2: 0x0f, 3: 0x03}[n%4]
	if n%4 == 1 || decodeTable[src[n-1]]&unused != 0 {
		return dst, ErrMalformed
	}
	dst = grow(dst, DecodedLen(n))
	if !decodeBy(vector, dst[start:], src) {
		return dst[:start], ErrMalformed
	}
	return dst, nil
}

// decodePortable is decodeBy where there is no kernel.
func decodePortable(out, src []byte) bool {
	var bad byte // the top bits of any 0xff from the table
	for len(src) >= 4 && len(out) >= 3 {
		a, b, c, d := decodeTable[src[0]], decodeTable[src[1]], decodeTable[src[2]], decodeTable[src[3]]
		bad |= a | b | c | d
		out[0], out[1], out[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		src, out = src[4:], out[3:]
	}
	switch len(src) {
	case 2:
		a, b := decodeTable[src[0]], decodeTable[src[1]]
		bad |= a | b
		out[0] = a<<2 | b>>4
	case 3:
		a, b, c := decodeTable[src[0]], decodeTable[src[1]], decodeTable[src[2]]
		bad |= a | b | c
		out[0], out[1] = a<<2|b>>4, b<<4|c>>2
	}
	return bad&0xc0 == 0
}

// grow returns dst longer by n octets, whose content is to be overwritten.
func grow(dst []byte, n int) []byte {
	need := len(dst) + n
	if need <= cap(dst) {
		return dst[:need]
	}
	next := make([]byte, need, need+need/4+64)
	copy(next, dst)
	return next
}
