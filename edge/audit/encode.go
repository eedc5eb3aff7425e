package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendRecord appends r as one line of JSON. Each name is written with what comes before it, in one piece.
func appendRecord(dst []byte, r *Record, withQuery bool) []byte {
	dst = append(dst, `{"time":"`...)
	dst = appendTime(dst, r.Time)
	dst = appendQuoted(append(dst, `","request_id":`...), r.RequestID)
	dst = appendQuoted(append(dst, `,"peer":`...), r.Peer)
	dst = appendOptional(dst, `,"client":`, r.Client)
	dst = appendQuoted(append(dst, `,"method":`...), r.Method)
	dst = appendQuoted(append(dst, `,"host":`...), r.Host)
	dst = appendQuoted(append(dst, `,"path":`...), r.Path)
	if withQuery {
		dst = appendOptional(dst, `,"query":`, r.Query)
	}
	dst = appendQuoted(append(dst, `,"route":`...), r.Route)
	dst = appendQuoted(append(dst, `,"verdict":`...), r.Verdict)
	dst = appendQuoted(append(dst, `,"reason":`...), r.Reason)
	dst = appendOptional(dst, `,"detail":`, r.Detail)
	dst = appendOptional(dst, `,"iss":`, r.Issuer)
	dst = appendOptional(dst, `,"sub":`, r.Subject)
	dst = appendOptional(dst, `,"jti":`, r.JTI)
	dst = appendOptional(dst, `,"kid":`, r.Kid)
	dst = appendOptional(dst, `,"alg":`, r.Alg)
	dst = appendOptional(dst, `,"upstream":`, r.Upstream)
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(r.Status), 10)
	dst = strconv.AppendInt(append(dst, `,"bytes_in":`...), r.BytesIn, 10)
	dst = strconv.AppendInt(append(dst, `,"bytes_out":`...), r.BytesOut, 10)
	dst = strconv.AppendInt(append(dst, `,"duration_us":`...), r.Duration.Microseconds(), 10)
	return append(dst, "}\n"...)
}

// appendTime appends t as RFC 3339 with milliseconds in UTC. AppendFormat would read its layout anew each time.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), second, 2)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/1e6, 3)
	return append(dst, 'Z')
}

// appendDigits appends the last width decimal digits of n, which must not be negative; width is at most 4.
func appendDigits(dst []byte, n, width int) []byte {
	var digits [4]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[:width]...)
}

// appendOptional appends key, which has its comma and colon, and s, unless s is empty.
func appendOptional[T []byte | string](dst []byte, key string, s T) []byte {
	if len(s) == 0 {
		return dst
	}
	return appendQuoted(append(dst, key...), s)
}

// plain holds the octets that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendQuoted appends s as a JSON string. Control characters, DEL and the line separators that some log readers break at
// are escaped, octets that are no UTF-8 become U+FFFD.
func appendQuoted[T []byte | string](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		// Fast path: what needs no escape is copied in one piece (BenchmarkAppendRecord).
		start := i
		for i < len(s) && plain[s[i]] {
			i++
		}
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			break
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\', c)
			} else {
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
			i++
			continue
		}
		end := min(i+utf8.UTFMax, len(s))
		r, size := utf8.DecodeRuneInString(string(s[i:end]))
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\u2028' || r == '\u2029' || r == '\u0085':
			dst = append(dst, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return append(dst, '"')
}
