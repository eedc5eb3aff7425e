package header

import (
	"net/netip"

	"sallyport/verify/claims"
)

// ForwardOptions says which credentials stay behind. The zero value passes them on.
type ForwardOptions struct {
	StripAuthorization bool
	StripHeader        string // a further field that holds the token
	StripCookie        string // the cookie that holds the token; the others pass
}

// AppendForward appends every end-to-end field, in order and with duplicates, as "Name: value\r\n". What ends here: the
// hop-by-hop fields and those that Connection names, Host and framing (generated anew), Expect, the forwarding fields
// (AppendForwarding), X-Request-Id, names with "_", every identity field of any route, and the credentials that opt names.
func (f *Fields) AppendForward(dst []byte, opt ForwardOptions) []byte {
	for i := range f.list {
		field := &f.list[i]
		if field.listed {
			continue
		}
		switch field.Kind {
		case KindPlain, KindOrigin, KindACRM:
		case KindAuthorization:
			if opt.StripAuthorization {
				continue
			}
		case KindCookie:
			if opt.StripCookie != "" {
				dst = appendCookies(dst, field, opt.StripCookie)
				continue
			}
		default:
			continue
		}
		if opt.StripHeader != "" && sameName(field.Name, opt.StripHeader) {
			continue
		}
		dst = appendLine(dst, field.Name, field.Value)
	}
	return dst
}

func appendLine(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendField appends one field. name and value must be valid: they come from the config and from AppendClaim.
func AppendField(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// appendCookies appends the Cookie field without the pairs called name.
func appendCookies(dst []byte, field *Field, name string) []byte {
	start := len(dst)
	dst = append(dst, field.Name...)
	dst = append(dst, ": "...)
	first := true
	for rest := field.Value; len(rest) > 0; {
		var pair []byte
		pair, rest = nextCookie(rest)
		if key, _ := splitCookie(pair); string(key) == name || len(pair) == 0 {
			continue
		}
		if !first {
			dst = append(dst, "; "...)
		}
		first = false
		dst = append(dst, pair...)
	}
	if first {
		return dst[:start] // no cookie is left
	}
	return append(dst, "\r\n"...)
}

// AppendClaim appends a claim as a field value of visible ASCII and inner spaces. Everything else is percent-encoded: "%"
// itself, control characters (so never CR or LF), non-ASCII, and a space at either end. The elements of an array of scalars
// are joined by ",", a "," in them as "%2C"; an object or a nested array is compact JSON, encoded the same way. Null, an
// empty string and an empty array are no value: false.
func AppendClaim(dst []byte, v claims.Value) ([]byte, bool) {
	start := len(dst)
	switch v.Kind() {
	case claims.KindString:
		dst = appendEncoded(dst, v.Bytes(), false)
	case claims.KindNumber, claims.KindBool:
		dst = v.AppendJSON(dst)
	case claims.KindArray:
		if flat(v) {
			comma := false
			for e := v.Elements(); e.Next(); comma = true {
				if comma {
					dst = append(dst, ',')
				}
				dst = appendElement(dst, e.Value())
			}
			break
		}
		dst = appendJSON(dst, v)
	case claims.KindObject:
		dst = appendJSON(dst, v)
	default:
		return dst, false
	}
	return dst, len(dst) > start
}

// flat reports whether an array holds scalars only.
func flat(v claims.Value) bool {
	for e := v.Elements(); e.Next(); {
		switch e.Value().Kind() {
		case claims.KindArray, claims.KindObject, claims.KindNull:
			return false
		}
	}
	return true
}

func appendElement(dst []byte, v claims.Value) []byte {
	if v.Kind() == claims.KindString {
		return appendEncoded(dst, v.Bytes(), true)
	}
	return v.AppendJSON(dst)
}

// appendJSON writes v's JSON behind dst and encodes it in place of itself.
func appendJSON(dst []byte, v claims.Value) []byte {
	start := len(dst)
	dst = v.AppendJSON(dst)
	end := len(dst)
	dst = appendEncoded(dst, dst[start:end:end], false)
	n := copy(dst[start:], dst[end:])
	return dst[:start+n]
}

func appendEncoded(dst, text []byte, comma bool) []byte {
	const digits = "0123456789ABCDEF"
	if isPlain(text) {
		return append(dst, text...)
	}
	for i, c := range text {
		edge := c == ' ' && (i == 0 || i == len(text)-1)
		if c < 0x20 || c > 0x7e || c == '%' || edge || (comma && c == ',') {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// isPlain reports whether text holds only octets that stand for themselves wherever they are, which is most claims.
func isPlain(text []byte) bool {
	for _, c := range text {
		if !plainOctet[c] {
			return false
		}
	}
	return true
}

var plainOctet = func() (t [256]bool) {
	for c := '!'; c <= '~'; c++ {
		t[c] = c != '%' && c != ','
	}
	return t
}()

// Forwarding is what the next hop is told about this one.
type Forwarding struct {
	Peer    netip.Addr // the connection's other end
	Trusted bool       // the peer may speak for those before it
	Scheme  []byte     // "http" or "https", of this connection
	Host    []byte     // authority that the client asked for
}

// AppendForwarding appends X-Forwarded-For, -Proto and -Host and Forwarded (RFC 7239). Those of an untrusted peer are
// replaced. A trusted peer's X-Forwarded-For and Forwarded are continued, its X-Forwarded-Proto and -Host passed on.
func (f *Fields) AppendForwarding(dst []byte, fw Forwarding) []byte {
	dst = append(dst, "X-Forwarded-For: "...)
	if fw.Trusted {
		dst = f.appendValues(dst, "x-forwarded-for")
	}
	dst = appendAddr(dst, fw.Peer)
	dst = append(dst, "\r\n"...)
	dst = f.appendOne(dst, "X-Forwarded-Proto", fw.Scheme, fw.Trusted)
	dst = f.appendOne(dst, "X-Forwarded-Host", fw.Host, fw.Trusted)
	dst = append(dst, "Forwarded: "...)
	if fw.Trusted {
		dst = f.appendValues(dst, "forwarded")
	}
	dst = append(dst, "for="...)
	if fw.Peer.Is6() {
		dst = append(dst, `"[`...) // RFC 7239, 6: an IPv6 address is bracketed and quoted
		dst = fw.Peer.AppendTo(dst)
		dst = append(dst, `]"`...)
	} else {
		dst = appendAddr(dst, fw.Peer)
	}
	if len(fw.Host) > 0 {
		dst = append(dst, `;host="`...) // validated before: no quote in it
		dst = append(dst, fw.Host...)
		dst = append(dst, '"')
	}
	dst = append(dst, ";proto="...)
	dst = append(dst, fw.Scheme...)
	return append(dst, "\r\n"...)
}

func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(dst, "unknown"...)
	}
	return a.AppendTo(dst)
}

// appendValues appends the values of all fields called name, each followed by ", ".
func (f *Fields) appendValues(dst []byte, name string) []byte {
	for i := range f.list {
		if field := &f.list[i]; sameName(field.Name, name) && len(field.Value) > 0 {
			dst = append(dst, field.Value...)
			dst = append(dst, ", "...)
		}
	}
	return dst
}

// appendOne appends the trusted peer's single value, else ours.
func (f *Fields) appendOne(dst []byte, name string, own []byte, trusted bool) []byte {
	if trusted {
		if v, n := f.Get(name); n == 1 && len(v) > 0 {
			own = v
		}
	}
	if len(own) == 0 {
		return dst
	}
	return AppendField(dst, name, own)
}

// ClientAddr returns the address of the client: the peer, or behind trusted peers the last address in X-Forwarded-For that
// is not trusted itself. An entry that is not an address ends the search at the hop that wrote it.
func (f *Fields) ClientAddr(peer netip.Addr, trusted func(netip.Addr) bool) netip.Addr {
	client := peer
	for i := len(f.list) - 1; i >= 0 && trusted(client); i-- {
		if f.list[i].Kind != KindForwardedFor {
			continue
		}
		for list := f.list[i].Value; len(list) > 0 && trusted(client); {
			var last []byte
			list, last = lastOption(list)
			a, err := netip.ParseAddr(string(last))
			if err != nil {
				return client
			}
			client = a.Unmap().WithZone("")
		}
	}
	return client
}

func lastOption(list []byte) (rest, last []byte) {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == ',' {
			return list[:i], trim(list[i+1:])
		}
	}
	return nil, trim(list)
}
