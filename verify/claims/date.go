package claims

// maxDate is the largest NumericDate: 2^53, beyond which a float64 skips seconds.
const maxDate = 1 << 53

// date reads a NumericDate (RFC 7519, 2) from the number's own text. Integers and finite decimals from 0 to 2^53 are read, in
// plain or exponent form; nothing else. up says which way a fraction is rounded.
func date(raw []byte, up bool) (int64, bool) {
	if kind(raw) != KindNumber {
		return 0, false
	}
	n, fraction, ok := parseDate(raw)
	if fraction && up {
		n++
	}
	return n, ok
}

// parseDate reads digits [. digits] [e[+-]digits] exactly, without floating point. fraction says that something below one
// second was cut off.
func parseDate(text []byte) (n int64, fraction, ok bool) {
	// Fast path (BenchmarkParse/claims): nothing but digits, and fewer than maxDate has.
	if n, ok := shortInteger(text); ok {
		return n, false, true
	}
	mantissa, exponent, ok := splitExponent(text)
	if !ok || len(mantissa) == 0 || mantissa[0] == '-' {
		return 0, false, false
	}
	point := len(mantissa) // how many digits stand before the decimal point
	for i, c := range mantissa {
		if c == '.' {
			point = i
			break
		}
	}
	whole := point + exponent // the same after moving it
	digits := 0
	for i, c := range mantissa {
		if i == point {
			continue
		}
		if c < '0' || c > '9' {
			return 0, false, false
		}
		if digits < whole {
			if n = n*10 + int64(c-'0'); n > maxDate {
				return 0, false, false
			}
		} else if c != '0' {
			fraction = true
		}
		digits++
	}
	for ; digits < whole && n > 0; digits++ {
		if n *= 10; n > maxDate {
			return 0, false, false
		}
	}
	return n, fraction, true
}

func shortInteger(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 15 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// splitExponent cuts the exponent off. One of more than three digits is refused, whatever they are: no date needs it.
func splitExponent(text []byte) (mantissa []byte, exponent int, ok bool) {
	for i, c := range text {
		if c != 'e' && c != 'E' {
			continue
		}
		e, negative := text[i+1:], false
		if len(e) > 0 && (e[0] == '+' || e[0] == '-') {
			negative = e[0] == '-'
			e = e[1:]
		}
		if len(e) == 0 || len(e) > 3 {
			return nil, 0, false
		}
		for _, d := range e {
			if d < '0' || d > '9' {
				return nil, 0, false
			}
			exponent = exponent*10 + int(d-'0')
		}
		if negative {
			exponent = -exponent
		}
		return text[:i], exponent, true
	}
	return text, 0, true
}
