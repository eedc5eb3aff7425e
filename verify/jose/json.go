package jose

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Limits bounds a JSON text.
type Limits struct {
	Depth   int // nesting of objects and arrays, the outermost counted as 1
	Members int // members of all objects and elements of all arrays together
}

// DefaultLimits are for headers and claims (SECURITY notes 2.1: depth ≤ 16, keys ≤ 256).
var DefaultLimits = Limits{Depth: 16, Members: 256}

// ErrJSON says that a text is not one strict JSON object.
var ErrJSON = errors.New("jose: not one strict JSON object")

// A Checker checks JSON texts. It is reusable, not safe for concurrent use, and allocates nothing once warm.
type Checker struct {
	src     []byte
	pos     int
	limits  Limits
	members int
	names   []Text   // of the objects that are open, innermost last
	buf     []byte   // unescaped strings, as far as they had escapes
	top     []Member // of the outermost object
}

// Text is the span of a string after unescaping: in the checked text where it had no escapes, else in Unescaped.
type Text struct {
	From, To int32
	Escaped  bool
}

// Bytes returns the string, given the checked text and what the Checker unescaped.
func (t Text) Bytes(src, unescaped []byte) []byte {
	if t.Escaped {
		return unescaped[t.From:t.To:t.To]
	}
	return src[t.From:t.To:t.To]
}

// Member is a member of the outermost object: its name, the span of its value's JSON text and, of a string, the value itself.
type Member struct {
	Name     Text
	From, To int32
	String   Text
}

// maxJSON bounds a text, so that its offsets fit.
const maxJSON = 1 << 30

// CheckJSON is Checker.Check with a Checker of its own.
func CheckJSON(b []byte, lim Limits) error {
	var c Checker
	return c.Check(b, lim)
}

// Check reports whether b is exactly one JSON object (RFC 8259) in UTF-8, within lim, with white space around it at most,
// without a byte order mark, without two members of one name after unescaping in any object (RFC 7515, 4; RFC 7519, 4),
// without lone surrogates, and with numbers that a float64 can hold. What passes has one reading in every decent parser.
func (c *Checker) Check(b []byte, lim Limits) error {
	_, _, err := c.Index(b, lim)
	return err
}

// Index is Check that tells the members of the object, in their order. They refer to b and to unescaped; both slices are the
// Checker's and valid until its next use.
func (c *Checker) Index(b []byte, lim Limits) (members []Member, unescaped []byte, err error) {
	c.src, c.pos, c.limits, c.members = b, 0, lim, 0
	c.names, c.buf, c.top = c.names[:0], c.buf[:0], c.top[:0]
	if len(b) > maxJSON {
		return nil, nil, ErrJSON
	}
	c.space()
	if c.peek() != '{' || !c.object(1) {
		return nil, nil, ErrJSON
	}
	c.space()
	if c.pos != len(c.src) {
		return nil, nil, ErrJSON
	}
	return c.top, c.buf, nil
}

// peek returns the octet at pos, or 0 at the end (0 is valid nowhere).
func (c *Checker) peek() byte {
	if c.pos < len(c.src) {
		return c.src[c.pos]
	}
	return 0
}

func (c *Checker) space() {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// value reads a value; of a string it returns the text.
func (c *Checker) value(depth int) (Text, bool) {
	switch b := c.peek(); {
	case b == '"':
		return c.str()
	case b == '{':
		return Text{}, c.object(depth + 1)
	case b == '[':
		return Text{}, c.array(depth + 1)
	case b == 't':
		return Text{}, c.literal("true")
	case b == 'f':
		return Text{}, c.literal("false")
	case b == 'n':
		return Text{}, c.literal("null")
	case b == '-' || ('0' <= b && b <= '9'):
		return Text{}, c.number()
	}
	return Text{}, false
}

func (c *Checker) literal(s string) bool {
	if len(c.src)-c.pos < len(s) || string(c.src[c.pos:c.pos+len(s)]) != s {
		return false
	}
	c.pos += len(s)
	return true
}

// count adds one member or element.
func (c *Checker) count() bool {
	c.members++
	return c.members <= c.limits.Members
}

func (c *Checker) object(depth int) bool {
	if depth > c.limits.Depth {
		return false
	}
	c.pos++ // {
	first, firstBuf := len(c.names), len(c.buf)
	c.space()
	if c.peek() == '}' {
		c.pos++
		return true
	}
	for marks := uint64(0); ; {
		if c.peek() != '"' || !c.count() {
			return false
		}
		n, ok := c.str()
		if !ok {
			return false
		}
		mark := c.mark(n)
		if marks&mark != 0 && c.seen(first, n) {
			return false
		}
		marks |= mark
		c.names = append(c.names, n)
		c.space()
		if c.peek() != ':' {
			return false
		}
		c.pos++
		c.space()
		from := c.pos
		str, ok := c.value(depth)
		if !ok {
			return false
		}
		if depth == 1 {
			c.top = append(c.top, Member{Name: n, From: int32(from), To: int32(c.pos), String: str})
		}
		c.space()
		switch c.peek() {
		case ',':
			c.pos++
			c.space()
		case '}':
			c.pos++
			// This object's names are done with; those of the objects around it stay. Index refers to the outermost one's.
			if c.names = c.names[:first]; depth > 1 {
				c.buf = c.buf[:firstBuf]
			}
			return true
		default:
			return false
		}
	}
}

// mark is one bit of 64 that equal names share, so that most names need not be compared with any other.
func (c *Checker) mark(n Text) uint64 {
	if n.From == n.To {
		return 1
	}
	t := n.Bytes(c.src, c.buf)
	return 1 << ((uint(t[0])*7 + uint(t[len(t)-1])*13 + uint(len(t))*31) & 63)
}

// seen compares n with the names of the object whose first is c.names[first]. The member limit bounds the work: at most
// 256·255/2 comparisons, nearly all of which end at the length.
func (c *Checker) seen(first int, n Text) bool {
	t := n.Bytes(c.src, c.buf)
	for _, o := range c.names[first:] {
		if int(o.To-o.From) == len(t) && string(o.Bytes(c.src, c.buf)) == string(t) {
			return true
		}
	}
	return false
}

func (c *Checker) array(depth int) bool {
	if depth > c.limits.Depth {
		return false
	}
	c.pos++ // [
	c.space()
	if c.peek() == ']' {
		c.pos++
		return true
	}
	for {
		if !c.count() {
			return false
		}
		if _, ok := c.value(depth); !ok {
			return false
		}
		c.space()
		switch c.peek() {
		case ',':
			c.pos++
			c.space()
		case ']':
			c.pos++
			return true
		default:
			return false
		}
	}
}

// str reads a string and returns its text.
func (c *Checker) str() (Text, bool) {
	c.pos++ // "
	start := c.pos
	for {
		c.plain()
		if c.pos >= len(c.src) {
			return Text{}, false
		}
		switch b := c.src[c.pos]; {
		case b == '"':
			c.pos++
			return Text{From: int32(start), To: int32(c.pos - 1)}, true
		case b == '\\':
			return c.escaped(start)
		case b < 0x20:
			return Text{}, false
		default:
			if !c.rune() {
				return Text{}, false
			}
		}
	}
}

// plain steps over octets of a string that stand for themselves, eight at a time: all of ASCII but control characters, the
// quote and the backslash.
func (c *Checker) plain() {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	src, pos := c.src, c.pos
	for len(src)-pos >= 8 {
		w := binary.LittleEndian.Uint64(src[pos:])
		quote, backslash := w^'"'*ones, w^'\\'*ones
		// The lowest bit that is set marks the first octet; a borrow can only set bits above it.
		if m := ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-0x20*ones)&^w | w) & tops; m != 0 {
			c.pos = pos + bits.TrailingZeros64(m)/8
			return
		}
		pos += 8
	}
	for pos < len(src) && src[pos] >= 0x20 && src[pos] < utf8.RuneSelf && src[pos] != '"' && src[pos] != '\\' {
		pos++
	}
	c.pos = pos
}

// rune steps over one UTF-8 sequence.
func (c *Checker) rune() bool {
	r, size := utf8.DecodeRune(c.src[c.pos:])
	if r == utf8.RuneError && size == 1 {
		return false
	}
	c.pos += size
	return true
}

// escaped reads on from the first backslash of a string that began at start, writing the unescaped text to buf.
func (c *Checker) escaped(start int) (Text, bool) {
	from := len(c.buf)
	c.buf = append(c.buf, c.src[start:c.pos]...)
	for {
		at := c.pos
		c.plain()
		c.buf = append(c.buf, c.src[at:c.pos]...)
		if c.pos >= len(c.src) {
			return Text{}, false
		}
		switch b := c.src[c.pos]; {
		case b == '"':
			c.pos++
			return Text{From: int32(from), To: int32(len(c.buf)), Escaped: true}, true
		case b == '\\':
			if !c.escape() {
				return Text{}, false
			}
		case b < 0x20:
			return Text{}, false
		default:
			at := c.pos
			if !c.rune() {
				return Text{}, false
			}
			c.buf = append(c.buf, c.src[at:c.pos]...)
		}
	}
}

// escape reads one escape sequence (RFC 8259, 7).
func (c *Checker) escape() bool {
	if c.pos+1 >= len(c.src) {
		return false
	}
	e := c.src[c.pos+1]
	if e == 'u' {
		return c.unicode()
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(from) {
		if from[i] == e {
			c.buf = append(c.buf, to[i])
			c.pos += 2
			return true
		}
	}
	return false
}

// unicode reads \uXXXX, or a surrogate pair of two; a lone surrogate is refused, since readers differ on it.
func (c *Checker) unicode() bool {
	r, ok := c.hex4(c.pos + 2)
	if !ok {
		return false
	}
	c.pos += 6
	switch {
	case 0xd800 <= r && r < 0xdc00:
		if c.pos+1 >= len(c.src) || c.src[c.pos] != '\\' || c.src[c.pos+1] != 'u' {
			return false
		}
		low, ok := c.hex4(c.pos + 2)
		if !ok || low < 0xdc00 || low > 0xdfff {
			return false
		}
		c.pos += 6
		r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
	case 0xdc00 <= r && r <= 0xdfff:
		return false
	}
	c.buf = utf8.AppendRune(c.buf, r)
	return true
}

func (c *Checker) hex4(at int) (rune, bool) {
	if at+4 > len(c.src) {
		return 0, false
	}
	var r rune
	for _, b := range c.src[at : at+4] {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	return r, true
}

// number reads a number by the grammar of RFC 8259, 6, and refuses one that no float64 holds.
func (c *Checker) number() bool {
	start := c.pos
	if c.peek() == '-' {
		c.pos++
	}
	switch {
	case c.peek() == '0':
		c.pos++
	case !c.digits():
		return false
	}
	simple := true
	if c.peek() == '.' {
		c.pos++
		simple = false
		if !c.digits() {
			return false
		}
	}
	if b := c.peek(); b == 'e' || b == 'E' {
		c.pos++
		simple = false
		if b := c.peek(); b == '+' || b == '-' {
			c.pos++
		}
		if !c.digits() {
			return false
		}
	}
	// Fast path: an integer of at most 19 characters needs no look at its size.
	if simple && c.pos-start <= 19 {
		return true
	}
	if c.pos-start > 64 {
		return false
	}
	_, err := strconv.ParseFloat(string(c.src[start:c.pos]), 64)
	return err == nil
}

// digits reads one digit or more.
func (c *Checker) digits() bool {
	start := c.pos
	for b := c.peek(); '0' <= b && b <= '9'; b = c.peek() {
		c.pos++
	}
	return c.pos > start
}

// Unescape returns the text of a JSON string, quotes included, that a Checker has passed: a copy, for strings inside arrays and
// objects. nil for anything else.
func Unescape(quoted []byte) []byte {
	c := Checker{src: quoted}
	if c.peek() != '"' {
		return nil
	}
	t, ok := c.str()
	if !ok || c.pos != len(quoted) {
		return nil
	}
	return append([]byte{}, t.Bytes(c.src, c.buf)...)
}
