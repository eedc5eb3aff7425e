package claims

import "github.com/valyala/fastjson"

// AppendJSON appends the value as compact JSON, in one spelling however it was written: characters are escaped only where
// they must be (RFC 8259, 7), numbers stay as they are, members keep their order.
//
// fastjson's MarshalTo would not do: a string that was looked at before comes out in Go's notation (strconv.AppendQuote).
func (v Value) AppendJSON(dst []byte) []byte {
	if v.v == nil {
		return dst
	}
	return appendValue(dst, v.v)
}

// appendValue appends v. Its depth is bounded by jose.Checker.
func appendValue(dst []byte, v *fastjson.Value) []byte {
	switch v.Type() {
	case fastjson.TypeString:
		return appendString(dst, v.GetStringBytes())
	case fastjson.TypeArray:
		dst = append(dst, '[')
		for i, e := range v.GetArray() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	case fastjson.TypeObject:
		dst = append(dst, '{')
		first := true
		v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(appendString(dst, key), ':')
			dst = appendValue(dst, member)
		})
		return append(dst, '}')
	}
	return v.MarshalTo(dst) // a number, true, false or null
}

// appendString appends text, which is UTF-8, in quotes.
func appendString(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, digits[c>>4], digits[c&15])
		}
	}
	return append(dst, '"')
}
