package jose

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
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
//
// Its methods take where in src they begin and return where they end, or bad: a place held in memory costs a quarter of the time.
type Checker struct {
	src     []byte
	limits  Limits
	members int
	names   []Text   // of the objects that are open, innermost last
	buf     []byte   // unescaped strings, as far as they had escapes
	top     []Member // of the outermost object
	many    map[nameKey]int32
}

// A nameKey is a name in the object whose first name is names[object]; the value beside it is the name's place in names. What an earlier
// object left points to another name or to none.
type nameKey struct {
	hash   uint64
	object int
}

// nameSeed makes names that meet hard to find.
var nameSeed = maphash.MakeSeed()

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
	c.src, c.limits, c.members = b, lim, 0
	c.names, c.buf, c.top = c.names[:0], c.buf[:0], c.top[:0]
	clear(c.many)
	if len(b) > maxJSON {
		return nil, nil, ErrJSON
	}
	i := space(b, 0)
	if at(b, i) != '{' {
		return nil, nil, ErrJSON
	}
	if i = c.object(i+1, 1); i == bad || space(b, i) != len(b) {
		return nil, nil, ErrJSON
	}
	return c.top, c.buf, nil
}

// bad is where a text ends that is refused.
const bad = -1

// at returns the octet at i, or 0 at the end (0 is valid nowhere).
func at(src []byte, i int) byte {
	if uint(i) < uint(len(src)) {
		return src[i]
	}
	return 0
}

// space returns where the white space at i ends.
func space(src []byte, i int) int {
	const set = 1<<' ' | 1<<'\t' | 1<<'\n' | 1<<'\r'
	for uint(i) < uint(len(src)) && src[i] <= ' ' && set>>src[i]&1 != 0 {
		i++
	}
	return i
}

// value reads the value at i; of a string it returns the text.
func (c *Checker) value(i, depth int) (Text, int) {
	switch at(c.src, i) {
	case '"':
		return c.str(i + 1)
	case '{':
		return Text{}, c.object(i+1, depth+1)
	case '[':
		return Text{}, c.array(i+1, depth+1)
	case 't':
		return Text{}, literal(c.src, i, "true")
	case 'f':
		return Text{}, literal(c.src, i, "false")
	case 'n':
		return Text{}, literal(c.src, i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Text{}, number(c.src, i)
	}
	return Text{}, bad
}

func literal(src []byte, i int, s string) int {
	if len(src)-i < len(s) || string(src[i:i+len(s)]) != s {
		return bad
	}
	return i + len(s)
}

// count adds one member or element.
func (c *Checker) count() bool {
	c.members++
	return c.members <= c.limits.Members
}

// object reads on behind the brace of an object.
func (c *Checker) object(i, depth int) int {
	if depth > c.limits.Depth {
		return bad
	}
	src := c.src
	first, firstBuf := len(c.names), len(c.buf)
	hashed := first // c.many has c.names[first:hashed]
	if i = space(src, i); at(src, i) == '}' {
		return i + 1
	}
	for marks := uint64(0); ; {
		if at(src, i) != '"' || !c.count() {
			return bad
		}
		name, end := c.str(i + 1)
		if end == bad {
			return bad
		}
		mark := c.mark(name)
		if marks&mark != 0 {
			if len(c.names)-first <= few {
				if c.seen(first, name) {
					return bad
				}
			} else if hashed = c.hash(first, hashed); c.seenAmongMany(first, name) {
				return bad
			}
		}
		marks |= mark
		c.names = append(c.names, name)
		if i = space(src, end); at(src, i) != ':' {
			return bad
		}
		from := space(src, i+1)
		str, end := c.value(from, depth)
		if end == bad {
			return bad
		}
		if depth == 1 {
			c.top = append(c.top, Member{Name: name, From: int32(from), To: int32(end), String: str})
		}
		switch i = space(src, end); at(src, i) {
		case ',':
			i = space(src, i+1)
		case '}':
			// This object's names are done with; those of the objects around it stay. Index refers to the outermost one's.
			if c.names = c.names[:first]; depth > 1 {
				c.buf = c.buf[:firstBuf]
			}
			return i + 1
		default:
			return bad
		}
	}
}

// mark is one bit of 64 that equal names share, so that most names need not be compared with any other. The factors are those that
// keep the claims and parameters that most tokens have apart.
func (c *Checker) mark(n Text) uint64 {
	if n.From == n.To {
		return 1
	}
	t := n.Bytes(c.src, c.buf)
	return 1 << ((uint(t[0])*4 + uint(t[len(t)-1]) + uint(len(t))*18) & 63)
}

// few is how many names are compared one by one.
const few = 16

// seen compares n with the names of the object whose first is c.names[first].
func (c *Checker) seen(first int, n Text) bool {
	t := n.Bytes(c.src, c.buf)
	for _, o := range c.names[first:] {
		if int(o.To-o.From) == len(t) && string(o.Bytes(c.src, c.buf)) == string(t) {
			return true
		}
	}
	return false
}

// hash notes the names from c.names[from] on, of the object whose first is c.names[first], and returns where they end.
func (c *Checker) hash(first, from int) int {
	if c.many == nil {
		c.many = map[nameKey]int32{}
	}
	for i, o := range c.names[from:] {
		c.many[nameKey{maphash.Bytes(nameSeed, o.Bytes(c.src, c.buf)), first}] = int32(from + i)
	}
	return len(c.names)
}

// seenAmongMany is seen where the names, were they made to be alike, would take too long to compare one by one: with 200 of them
// that was 80 µs of a token that nobody had verified (claims/names-alike of bench/scale).
func (c *Checker) seenAmongMany(first int, n Text) bool {
	t := n.Bytes(c.src, c.buf)
	i, ok := c.many[nameKey{maphash.Bytes(nameSeed, t), first}]
	if !ok || int(i) < first || int(i) >= len(c.names) {
		return false
	}
	// An earlier object's entry, or two names with one hash, of which the later one hid the other.
	return string(c.names[i].Bytes(c.src, c.buf)) == string(t) || c.seen(first, n)
}

// array reads on behind the bracket of an array.
func (c *Checker) array(i, depth int) int {
	if depth > c.limits.Depth {
		return bad
	}
	src := c.src
	if i = space(src, i); at(src, i) == ']' {
		return i + 1
	}
	for {
		if !c.count() {
			return bad
		}
		_, end := c.value(i, depth)
		if end == bad {
			return bad
		}
		switch i = space(src, end); at(src, i) {
		case ',':
			i = space(src, i+1)
		case ']':
			return i + 1
		default:
			return bad
		}
	}
}

// str reads the string whose text begins at start, behind the quote, and returns the text.
func (c *Checker) str(start int) (Text, int) {
	for i := start; ; {
		i = plain(c.src, i)
		switch b := at(c.src, i); {
		case b == '"':
			return Text{From: int32(start), To: int32(i)}, i + 1
		case b == '\\':
			return c.escaped(start, i)
		case b < 0x20: // or the end
			return Text{}, bad
		default:
			if i = sequence(c.src, i); i == bad {
				return Text{}, bad
			}
		}
	}
}

// plain returns where the octets from i on end that stand for themselves in a string, eight at a time: all of ASCII but control
// characters, the quote and the backslash.
func plain(src []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(src)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(src[i:])
		// The lowest bit that is set marks the first octet. A borrow can only set bits above it, and in an octet whose top bit is
		// clear the others come from a borrow alone; one with its top bit set is marked by itself.
		if m := (((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones) | (w - 0x20*ones) | w) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(src) && src[i] >= 0x20 && src[i] < utf8.RuneSelf && src[i] != '"' && src[i] != '\\' {
		i++
	}
	return i
}

// sequence returns where the UTF-8 sequence at i ends.
func sequence(src []byte, i int) int {
	r, size := utf8.DecodeRune(src[i:])
	if r == utf8.RuneError && size == 1 {
		return bad
	}
	return i + size
}

// escaped reads on from the first backslash, at i, of a string that began at start, writing the unescaped text to buf.
func (c *Checker) escaped(start, i int) (Text, int) {
	src, from := c.src, len(c.buf)
	c.buf = append(c.buf, src[start:i]...)
	for {
		end := plain(src, i)
		c.buf = append(c.buf, src[i:end]...)
		switch b := at(src, end); {
		case b == '"':
			return Text{From: int32(from), To: int32(len(c.buf)), Escaped: true}, end + 1
		case b == '\\':
			if i = c.escape(end + 1); i == bad {
				return Text{}, bad
			}
		case b < 0x20: // or the end
			return Text{}, bad
		default:
			if i = sequence(src, end); i == bad {
				return Text{}, bad
			}
			c.buf = append(c.buf, src[end:i]...)
		}
	}
}

// escape reads on behind the backslash of an escape sequence (RFC 8259, 7).
func (c *Checker) escape(i int) int {
	e := at(c.src, i)
	if e == 'u' {
		return c.unicode(i + 1)
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for j := range len(from) {
		if from[j] == e {
			c.buf = append(c.buf, to[j])
			return i + 1
		}
	}
	return bad
}

// unicode reads on behind \u: four digits, or a surrogate pair of two; a lone surrogate is refused, since readers differ on it.
func (c *Checker) unicode(i int) int {
	r, ok := hex4(c.src, i)
	if !ok {
		return bad
	}
	i += 4
	switch {
	case 0xd800 <= r && r < 0xdc00:
		if at(c.src, i) != '\\' || at(c.src, i+1) != 'u' {
			return bad
		}
		low, ok := hex4(c.src, i+2)
		if !ok || low < 0xdc00 || low > 0xdfff {
			return bad
		}
		i += 6
		r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
	case 0xdc00 <= r && r <= 0xdfff:
		return bad
	}
	c.buf = utf8.AppendRune(c.buf, r)
	return i
}

func hex4(src []byte, i int) (rune, bool) {
	if i+4 > len(src) {
		return 0, false
	}
	var r rune
	for _, b := range src[i : i+4] {
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
func number(src []byte, start int) int {
	i := start
	if at(src, i) == '-' {
		i++
	}
	if at(src, i) == '0' {
		i++
	} else if i = digits(src, i); i == bad {
		return bad
	}
	simple := true
	if at(src, i) == '.' {
		simple = false
		if i = digits(src, i+1); i == bad {
			return bad
		}
	}
	if b := at(src, i); b == 'e' || b == 'E' {
		simple = false
		if b := at(src, i+1); b == '+' || b == '-' {
			i++
		}
		if i = digits(src, i+1); i == bad {
			return bad
		}
	}
	// Fast path: an integer of at most 19 characters needs no look at its size.
	if simple && i-start <= 19 {
		return i
	}
	if i-start > 64 {
		return bad
	}
	if _, err := strconv.ParseFloat(string(src[start:i]), 64); err != nil {
		return bad
	}
	return i
}

// digits reads one digit or more.
func digits(src []byte, start int) int {
	i := start
	for b := at(src, i); '0' <= b && b <= '9'; b = at(src, i) {
		i++
	}
	if i == start {
		return bad
	}
	return i
}

// Unescape returns the text of a JSON string, quotes included, that a Checker has passed: a copy, for strings inside arrays and
// objects. nil for anything else.
func Unescape(quoted []byte) []byte {
	if at(quoted, 0) != '"' {
		return nil
	}
	c := Checker{src: quoted}
	t, end := c.str(1)
	if end != len(quoted) {
		return nil
	}
	return append([]byte{}, t.Bytes(c.src, c.buf)...)
}
