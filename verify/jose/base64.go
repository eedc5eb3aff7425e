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
	if n%4 == 1 {
		return dst, ErrMalformed
	}
	start := len(dst)
	dst = grow(dst, DecodedLen(n))
	out := dst[start:]
	var bad byte // any 0xff from the table leaves its top bits here
	i, o := 0, 0
	for ; i+4 <= n; i, o = i+4, o+3 {
		a, b, c, d := decodeTable[src[i]], decodeTable[src[i+1]], decodeTable[src[i+2]], decodeTable[src[i+3]]
		bad |= a | b | c | d
		out[o], out[o+1], out[o+2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
	}
	switch n - i {
	case 2:
		a, b := decodeTable[src[i]], decodeTable[src[i+1]]
		bad |= a | b | (b&0x0c)<<4 | b<<6 // four unused bits
		out[o] = a<<2 | b>>4
	case 3:
		a, b, c := decodeTable[src[i]], decodeTable[src[i+1]], decodeTable[src[i+2]]
		bad |= a | b | c | (c&0x03)<<6 // two unused bits
		out[o], out[o+1] = a<<2|b>>4, b<<4|c>>2
	}
	if bad&0xc0 != 0 {
		return dst[:start], ErrMalformed
	}
	return dst, nil
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
