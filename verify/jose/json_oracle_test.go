package jose

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// oracle is a Checker that goes octet by octet and keeps its place in memory: slower, and what the Checker is held against.
type oracle struct {
	src     []byte
	pos     int
	limits  Limits
	members int
	names   []Text
	buf     []byte
	top     []Member
}

// agree holds a Checker against the oracle: verdict, members and unescaped text.
func agree(t *testing.T, c *Checker, b []byte, lim Limits) {
	t.Helper()
	var o oracle
	got, gotText, err := c.Index(b, lim)
	want, wantText, wantErr := o.Index(b, lim)
	if err != wantErr || !slices.Equal(got, want) || string(gotText) != string(wantText) {
		t.Fatalf("Index(%q, %+v) = %v, %q, %v, want %v, %q, %v", b, lim, got, gotText, err, want, wantText, wantErr)
	}
}

// FuzzScanner holds the Checker against the oracle, whatever it was used for before.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`{"iss":"https://a.example","aud":["b","c"],"exp":1800000000.5e-1}`, ` { "a" : "\u00e9\ud83d\ude00x" , "\u0061" : [ { } , [ ] ] } `,
		`{"aaaaaaa":"bbbbbbbb","ccccccc\"":"dddÃ©","e":[true,false,null,-0]}`, `{"a":{"a":{"a":1},"b":"\n"},"b":"\t"}`,
	} {
		f.Add([]byte(s), 3, 8)
	}
	f.Fuzz(func(t *testing.T, b []byte, depth, members int) {
		var c Checker
		agree(t, &c, b, DefaultLimits)
		agree(t, &c, b, Limits{Depth: depth, Members: members})
		agree(t, &c, b, DefaultLimits)
	})
}

// Every octet at every place around the borders of words and blocks: in a string that fills them, at the end of the text and
// before it, with the quote right behind it or not there at all.
func TestScannerAtBorders(t *testing.T) {
	var c Checker
	for _, n := range []int{0, 1, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 62, 63, 64, 65, 127, 128, 129} {
		plain := strings.Repeat("x", n)
		for _, form := range []string{`{"%s":1}`, `{"%s":"%[1]s"}`, `{"a":"%s"}`, `{"a":"%s`, `{"a":"%s"`, `{"a":["%s","%[1]s"]}`, `  {"a":"%s","b":"\n%[1]s"}  `} {
			agree(t, &c, fmt.Appendf(nil, form, plain), DefaultLimits)
			for _, at := range []int{0, 1, n/2 - 1, n / 2, n - 9, n - 8, n - 7, n - 2, n - 1} {
				if at < 0 || at >= n {
					continue
				}
				for o := range 256 {
					text := plain[:at] + string([]byte{byte(o)}) + plain[at+1:]
					agree(t, &c, fmt.Appendf(nil, form, text), DefaultLimits)
				}
				for _, s := range []string{`\"`, `\\`, `\u0041`, `\ud83d\ude00`, `\ud83d`, "é", "€", "😀", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\xe2\x82"} {
					agree(t, &c, fmt.Appendf(nil, form, plain[:at]+s+plain[at:]), DefaultLimits)
				}
			}
		}
	}
}

// Texts that are near JSON, made of its parts.
func TestScannerOnRandomTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	parts := []string{
		"{", "}", "[", "]", ":", ",", `"`, `"a"`, `"b":`, `"a":`, `,"c":`, `"\u0061":`, `"aaaaaaaaaaaaaaaa"`, " ", "\n", "0", "-1", "1.5", "1e400", "01", "1.", "-",
		"true", "false", "null", "tru", `"\`, "é", "\x80", `\u`, "\x00", `{"a":1}`, `[1,"x",{}]`, strings.Repeat("1", 20), strings.Repeat("1", 65),
	}
	var c Checker
	for range 200_000 {
		b := []byte(`{"k":`)
		for range r.IntN(8) {
			b = append(b, parts[r.IntN(len(parts))]...)
		}
		if r.IntN(2) == 0 {
			b = append(b, '}')
		}
		agree(t, &c, b, Limits{Depth: 1 + r.IntN(4), Members: 1 + r.IntN(6)})
	}
}

// Objects with many names that are alike, in objects and beside others, some of them twice.
func TestScannerOnManyNames(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var c Checker
	var object func(depth, names int) string
	object = func(depth, names int) string {
		var b strings.Builder
		for i, n := range r.Perm(names) {
			switch {
			case i > 0 && r.IntN(40*names) == 0:
				n = r.IntN(names) // perhaps again
			case r.IntN(8) == 0:
				fmt.Fprintf(&b, `,"\u0061%04dz":1`, n) // the same name, escaped
				continue
			}
			fmt.Fprintf(&b, `,"a%04dz":`, n)
			if depth < 3 && r.IntN(10) == 0 {
				b.WriteString(object(depth+1, r.IntN(40)))
			} else {
				b.WriteByte('1')
			}
		}
		return "{" + strings.TrimPrefix(b.String(), ",") + "}"
	}
	good := 0
	for range 3000 {
		b := []byte(object(1, 10+r.IntN(60)))
		agree(t, &c, b, Limits{Depth: 16, Members: 10_000})
		if CheckJSON(b, Limits{Depth: 16, Members: 10_000}) == nil {
			good++
		}
	}
	if good < 300 || good > 2900 {
		t.Errorf("%d of 3000 texts are valid: one of both kinds is hardly tried", good)
	}
}

func (c *oracle) Index(b []byte, lim Limits) (members []Member, unescaped []byte, err error) {
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
func (c *oracle) peek() byte {
	if c.pos < len(c.src) {
		return c.src[c.pos]
	}
	return 0
}

func (c *oracle) space() {
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
func (c *oracle) value(depth int) (Text, bool) {
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

func (c *oracle) literal(s string) bool {
	if len(c.src)-c.pos < len(s) || string(c.src[c.pos:c.pos+len(s)]) != s {
		return false
	}
	c.pos += len(s)
	return true
}

// count adds one member or element.
func (c *oracle) count() bool {
	c.members++
	return c.members <= c.limits.Members
}

func (c *oracle) object(depth int) bool {
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
	for {
		if c.peek() != '"' || !c.count() {
			return false
		}
		n, ok := c.str()
		if !ok {
			return false
		}
		if c.seen(first, n) {
			return false
		}
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

func (c *oracle) seen(first int, n Text) bool {
	t := n.Bytes(c.src, c.buf)
	for _, o := range c.names[first:] {
		if string(o.Bytes(c.src, c.buf)) == string(t) {
			return true
		}
	}
	return false
}

func (c *oracle) array(depth int) bool {
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
func (c *oracle) str() (Text, bool) {
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

func (c *oracle) plain() {
	for c.pos < len(c.src) && c.src[c.pos] >= 0x20 && c.src[c.pos] < utf8.RuneSelf && c.src[c.pos] != '"' && c.src[c.pos] != '\\' {
		c.pos++
	}
}

// rune steps over one UTF-8 sequence.
func (c *oracle) rune() bool {
	r, size := utf8.DecodeRune(c.src[c.pos:])
	if r == utf8.RuneError && size == 1 {
		return false
	}
	c.pos += size
	return true
}

// escaped reads on from the first backslash of a string that began at start, writing the unescaped text to buf.
func (c *oracle) escaped(start int) (Text, bool) {
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
func (c *oracle) escape() bool {
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
func (c *oracle) unicode() bool {
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

func (c *oracle) hex4(at int) (rune, bool) {
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
func (c *oracle) number() bool {
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
func (c *oracle) digits() bool {
	start := c.pos
	for b := c.peek(); '0' <= b && b <= '9'; b = c.peek() {
		c.pos++
	}
	return c.pos > start
}
