package audit

import (
	"strconv"
	"unicode/utf8"
)

// appendRecord appends r as one line of JSON.
func appendRecord(dst []byte, r *Record, withQuery bool) []byte {
	dst = append(dst, `{"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, '"')
	dst = appendBytes(dst, "request_id", r.RequestID, true)
	dst = appendBytes(dst, "peer", r.Peer, true)
	dst = appendBytes(dst, "client", r.Client, false)
	dst = appendBytes(dst, "method", r.Method, true)
	dst = appendBytes(dst, "host", r.Host, true)
	dst = appendBytes(dst, "path", r.Path, true)
	if withQuery {
		dst = appendBytes(dst, "query", r.Query, false)
	}
	dst = appendString(dst, "route", r.Route, true)
	dst = appendString(dst, "verdict", r.Verdict, true)
	dst = appendString(dst, "reason", r.Reason, true)
	dst = appendString(dst, "detail", r.Detail, false)
	dst = appendString(dst, "iss", r.Issuer, false)
	dst = appendBytes(dst, "sub", r.Subject, false)
	dst = appendBytes(dst, "jti", r.JTI, false)
	dst = appendBytes(dst, "kid", r.Kid, false)
	dst = appendString(dst, "alg", r.Alg, false)
	dst = appendString(dst, "upstream", r.Upstream, false)
	dst = appendInt(dst, "status", int64(r.Status))
	dst = appendInt(dst, "bytes_in", r.BytesIn)
	dst = appendInt(dst, "bytes_out", r.BytesOut)
	dst = appendInt(dst, "duration_us", r.Duration.Microseconds())
	return append(dst, "}\n"...)
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendInt(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(appendKey(dst, key), n, 10)
}

func appendBytes(dst []byte, key string, b []byte, always bool) []byte {
	if len(b) == 0 && !always {
		return dst
	}
	return appendQuoted(appendKey(dst, key), b)
}

func appendString(dst []byte, key, s string, always bool) []byte {
	if s == "" && !always {
		return dst
	}
	return appendQuoted(appendKey(dst, key), s)
}

// appendQuoted appends s as a JSON string. Control characters, DEL and the line separators that some log readers break at
// are escaped, octets that are no UTF-8 become U+FFFD.
func appendQuoted[T []byte | string](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c < 0x20 || c == 0x7f:
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			default:
				dst = append(dst, c)
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
