// Package header reads the fields of a request once, and builds the outgoing ones from that.
//
// A field is known by its name in lower case with "_" read as "-", because some servers do not tell the two apart: what
// could be taken for an identity field by anybody behind us never passes.
package header

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// ErrField says that a field is malformed, or named so that it could be taken for another one.
var ErrField = errors.New("header: a field is malformed or ambiguous")

// Kind says what a field means to the proxy. The zero value is an ordinary end-to-end field.
type Kind uint8

// The kinds.
const (
	KindPlain            Kind = iota
	KindHost                  //
	KindConnection            //
	KindHopByHop              // Keep-Alive, Proxy-Connection, TE, Trailer, Upgrade, …
	KindAuthorization         //
	KindCookie                //
	KindContentLength         //
	KindTransferEncoding      //
	KindExpect                //
	KindForwarded             // Forwarded and X-Forwarded-*, X-Real-Ip and their like
	KindForwardedFor          // X-Forwarded-For
	KindIdentity              // a claim header of any route
	KindRequestID             //
	KindOrigin                //
	KindACRM                  // Access-Control-Request-Method
	KindUnderscore            // harmless, but dropped for the "_" in its name
	numKinds
)

// known maps normalised names to kinds.
var known = map[string]Kind{
	"host": KindHost, "connection": KindConnection, "authorization": KindAuthorization, "cookie": KindCookie,
	"content-length": KindContentLength, "transfer-encoding": KindTransferEncoding, "expect": KindExpect,
	"origin": KindOrigin, "access-control-request-method": KindACRM, "x-request-id": KindRequestID,

	// RFC 9110, 7.6.1, and the older custom of Keep-Alive and Proxy-Connection. HTTP2-Settings goes with Upgrade: h2c.
	"keep-alive": KindHopByHop, "proxy-connection": KindHopByHop, "te": KindHopByHop, "trailer": KindHopByHop,
	"upgrade": KindHopByHop, "proxy-authenticate": KindHopByHop, "proxy-authorization": KindHopByHop,
	"proxy-authentication-info": KindHopByHop, "http2-settings": KindHopByHop,

	"forwarded": KindForwarded, "x-forwarded-for": KindForwardedFor, "x-forwarded-proto": KindForwarded,
	"x-forwarded-host": KindForwarded, "x-forwarded-port": KindForwarded, "x-forwarded-prefix": KindForwarded,
	"x-forwarded-scheme": KindForwarded, "x-forwarded-server": KindForwarded, "x-forwarded-uri": KindForwarded,
	"x-forwarded-method": KindForwarded, "x-forwarded-path": KindForwarded, "x-forwarded-ssl": KindForwarded,
	"x-forwarded-by": KindForwarded, "x-forwarded-user": KindForwarded, "x-forwarded-email": KindForwarded,
	"x-forwarded-groups": KindForwarded, "x-forwarded-client-cert": KindForwarded, "x-forwarded-access-token": KindForwarded,
	"x-forwarded-preferred-username": KindForwarded, "x-forwarded-tls-client-cert": KindForwarded,
	"x-real-ip": KindForwarded, "x-client-ip": KindForwarded, "true-client-ip": KindForwarded,
	"x-original-url": KindForwarded, "x-rewrite-url": KindForwarded, "x-original-method": KindForwarded,
	"x-http-method-override": KindForwarded, "x-http-method": KindForwarded, "x-method-override": KindForwarded,
	"client-cert": KindForwarded, "client-cert-chain": KindForwarded,
}

// Field is one field line; the bytes are views into the scanned block.
type Field struct {
	Name, Value []byte
	Kind        Kind
	listed      bool // named by Connection: it ends here
}

// Fields is the scanned head of one request. It is reusable and allocates nothing once warm.
type Fields struct {
	list   []Field
	counts [numKinds]int
}

// Reset forgets the fields.
func (f *Fields) Reset() {
	clear(f.list)
	f.list, f.counts = f.list[:0], [numKinds]int{}
}

// All returns the fields in their order.
func (f *Fields) All() []Field { return f.list }

// Count returns how many fields are of kind k.
func (f *Fields) Count(k Kind) int { return f.counts[k] }

// First returns the first field of kind k, nil when there is none.
func (f *Fields) First(k Kind) *Field {
	if f.counts[k] == 0 {
		return nil
	}
	for i := range f.list {
		if f.list[i].Kind == k {
			return &f.list[i]
		}
	}
	return nil
}

// Get returns the value of the first field called name, without regard to case, and how many there are.
func (f *Fields) Get(name string) (value []byte, n int) {
	for i := range f.list {
		if sameName(f.list[i].Name, name) {
			if n == 0 {
				value = f.list[i].Value
			}
			n++
		}
	}
	return value, n
}

// Rules is the vocabulary of one config: the built-in kinds and its identity headers. It is immutable.
type Rules struct {
	kinds map[string]Kind
	// shapes has a bit for the first octet of each name in kinds, by length. Most names are of no shape and need no look into
	// the map (BenchmarkScan).
	shapes [maxKnownName + 1]uint32
}

// shapeBit returns the bit for a name that begins with c, the same for all spellings that normalise makes one: a letter's two
// cases agree in their lower five bits. Other octets share the bits of letters.
func shapeBit(c byte) uint32 {
	if c == '_' {
		c = '-'
	}
	return 1 << (c & 31)
}

// NewRules adds managed, the claim headers of all routes, to the built-in kinds.
func NewRules(managed []string) *Rules {
	r := &Rules{kinds: make(map[string]Kind, len(known)+len(managed))}
	for name, k := range known {
		r.add(name, k)
	}
	for _, name := range managed {
		r.add(string(normalise(nil, []byte(name))), KindIdentity)
	}
	return r
}

// add puts a normalised name into the vocabulary.
func (r *Rules) add(name string, k Kind) {
	if name == "" || len(name) > maxKnownName {
		panic("sallyport: BUG: a field name that config does not allow")
	}
	r.kinds[name] = k
	r.shapes[len(name)] |= shapeBit(name[0])
}

// normalise appends name in lower case with "-" for "_".
func normalise(dst, name []byte) []byte {
	for _, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '_':
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

// maxKnownName bounds the names that need a look into the map.
const maxKnownName = 64

// Scan reads block: field lines that end in CRLF, perhaps with the empty line after them. Names must be tokens, values hold no
// control characters, and no line is folded. For the rest see Add and Done.
func (r *Rules) Scan(f *Fields, block []byte) error {
	f.Reset()
	for len(block) > 0 {
		end := bytes.IndexByte(block, '\n')
		if end < 1 || block[end-1] != '\r' {
			return ErrField
		}
		line := block[:end-1]
		block = block[end+1:]
		if len(line) == 0 {
			if len(block) > 0 {
				return ErrField
			}
			break
		}
		if err := r.scanLine(f, line); err != nil {
			return err
		}
	}
	return r.Done(f)
}

func (r *Rules) scanLine(f *Fields, line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return ErrField
	}
	name, value := line[:colon], trim(line[colon+1:])
	for _, c := range name {
		if !tokenOctet[c] {
			return ErrField
		}
	}
	if !isFieldValue(value) {
		return ErrField
	}
	return r.Add(f, name, value)
}

// Add takes the next field of a request, whose name is a token and whose value holds no control characters and no white space
// at its ends. A name that only differs by "_" from one with a meaning is ErrField (SECURITY notes 2.3). After the last one Done
// must be called.
func (r *Rules) Add(f *Fields, name, value []byte) error {
	kind := r.kindOf(name)
	if bytes.IndexByte(name, '_') >= 0 {
		if kind != KindPlain {
			return ErrField
		}
		kind = KindUnderscore
	}
	f.list = append(f.list, Field{Name: name, Value: value, Kind: kind})
	f.counts[kind]++
	return nil
}

// Done does what only all fields show: it marks those that Connection names. One that names a field which this proxy sets or
// reads is ErrField (SECURITY notes 2.3: a client must not have our own fields removed).
func (r *Rules) Done(f *Fields) error {
	if f.counts[KindConnection] > 0 {
		return r.connection(f)
	}
	return nil
}

func (r *Rules) kindOf(name []byte) Kind {
	if len(name) == 0 || len(name) > maxKnownName || r.shapes[len(name)]&shapeBit(name[0]) == 0 {
		return KindPlain
	}
	var buf [maxKnownName]byte
	return r.kinds[string(normalise(buf[:0], name))]
}

// maxOptions bounds the options of all Connection fields together. Each is compared with every field: 16 thousand of them in
// one head took as long as a hundred requests.
const maxOptions = 64

// connection marks the fields that Connection names (RFC 9110, 7.6.1).
func (r *Rules) connection(f *Fields) error {
	options := 0
	for i := range f.list {
		if f.list[i].Kind != KindConnection {
			continue
		}
		for list := f.list[i].Value; len(list) > 0; {
			var option []byte
			option, list = nextOption(list)
			if options++; options > maxOptions {
				return ErrField
			}
			switch r.kindOf(option) {
			case KindPlain, KindHopByHop, KindUnderscore, KindConnection:
			default:
				return ErrField
			}
			for j := range f.list {
				if len(option) > 0 && sameNameBytes(f.list[j].Name, option) {
					f.list[j].listed = true
				}
			}
		}
	}
	return nil
}

// nextOption cuts the first element off a comma-separated list.
func nextOption(list []byte) (option, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trim(list[:i]), list[i+1:]
	}
	return trim(list), nil
}

// isFieldValue reports whether value holds no control character but tabs, eight octets at a time where it can.
func isFieldValue(value []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(value) >= 8 {
		w := binary.LittleEndian.Uint64(value)
		del := w ^ 0x7f*ones
		if ((w-0x20*ones)&^w|(del-ones)&^del)&tops != 0 && !plainOctets(value[:8]) {
			return false
		}
		value = value[8:]
	}
	return plainOctets(value)
}

func plainOctets(value []byte) bool {
	for _, c := range value {
		if (c < 0x20 && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// trim cuts spaces and tabs off both ends (OWS).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// tokenOctet is tchar of RFC 9110, 5.6.2.
var tokenOctet = func() (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func sameName(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func sameNameBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// Is reports whether name is want, without regard to case.
func Is(name []byte, want string) bool { return sameName(name, want) }

// Lists reports whether the comma-separated list has name as an element, without regard to case.
func Lists(list, name []byte) bool {
	for len(list) > 0 {
		var option []byte
		option, list = nextOption(list)
		if sameNameBytes(option, name) {
			return true
		}
	}
	return false
}

// builtin knows no identity headers.
var builtin = NewRules(nil)

// IsHopByHop reports whether a response field ends at this hop (RFC 9110, 7.6.1), framing included.
func IsHopByHop(name []byte) bool {
	switch builtin.kindOf(name) {
	case KindConnection, KindHopByHop, KindTransferEncoding:
		return true
	}
	return false
}
