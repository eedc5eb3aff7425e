package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// lineIndex knows the line of each key and table of a TOML text, by path: "route[1].require.scopes". The TOML library gives
// no positions. A key that is not bare stands in its quotes, so that a dot in it is not taken for a level: route[1].claims."a.b".
type lineIndex map[string]int

// maxDepth bounds tables in tables, arrays in arrays and the parts of a dotted key. The config needs five; without a bound,
// the library's recursion would end the process on a file of brackets.
const maxDepth = 32

// lineWalk is the state of one walk.
type lineWalk struct {
	text   string
	pos    int
	line   int
	index  lineIndex
	prefix string
	arrays map[string]int // how many tables an array of tables has so far
	deep   int            // line where maxDepth is exceeded; 0: nowhere
}

// indexLines walks over text, and returns also the line at which it is nested too deeply, 0 when it is not. In a text that the
// TOML library refuses, it is right up to the place where that stops.
func indexLines(text string) (index lineIndex, deep int) {
	w := &lineWalk{text: text, line: 1, index: lineIndex{}, arrays: map[string]int{}}
	for w.blank(); w.pos < len(w.text); w.blank() {
		if w.text[w.pos] == '[' {
			w.header()
		} else if !w.pair(w.prefix, 0) {
			break
		}
		if w.deep > 0 {
			break
		}
	}
	return w.index, w.deep
}

// of returns the line of path or of the nearest thing around it, 1 at last.
func (x lineIndex) of(path string) int {
	for path != "" {
		if n, ok := x[path]; ok {
			return n
		}
		path = around(path)
	}
	return 1
}

// around returns the path of the table or array that path is in, "" at the top.
func around(path string) string {
	quoted := false
	for i := len(path) - 1; i >= 0; i-- {
		switch c := path[i]; {
		case c == '"' && !escaped(path, i):
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			return path[:i]
		}
	}
	return ""
}

// escaped reports whether s[i] has an odd number of backslashes before it.
func escaped(s string, i int) bool {
	n := 0
	for i--; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// unindexed returns the names of path without the places in arrays, as a table's header has them.
func unindexed(path string) string {
	var b strings.Builder
	quoted, index := false, false
	for i := range len(path) {
		switch c := path[i]; {
		case c == '"' && !escaped(path, i):
			quoted = !quoted
		case !quoted && c == '[':
			index = true
		}
		if !index {
			b.WriteByte(path[i])
		}
		index = index && path[i] != ']'
	}
	return b.String()
}

func (x lineIndex) add(path string, line int) {
	if _, ok := x[path]; !ok {
		x[path] = line
	}
}

// alias makes path, which the file does not have, stand where the misspelt one is, and the same for the elements of arrays. Keys
// below it fall back to that line.
func (x lineIndex) alias(path, misspelt string) {
	x.add(path, x.of(misspelt))
	for i := 0; ; i++ {
		line, ok := x[fmt.Sprintf("%s[%d]", misspelt, i)]
		if !ok {
			return
		}
		x.add(fmt.Sprintf("%s[%d]", path, i), line)
	}
}

// blank skips white space, line ends and comments.
func (w *lineWalk) blank() {
	for w.pos < len(w.text) {
		switch w.text[w.pos] {
		case '\n':
			w.line++
			w.pos++
		case ' ', '\t', '\r':
			w.pos++
		case '#':
			for w.pos < len(w.text) && w.text[w.pos] != '\n' {
				w.pos++
			}
		default:
			return
		}
	}
}

// header reads [table] or [[array.of.tables]].
func (w *lineWalk) header() {
	line, array := w.line, strings.HasPrefix(w.text[w.pos:], "[[")
	for w.pos < len(w.text) && w.text[w.pos] == '[' {
		w.pos++
	}
	parts := w.key()
	for w.pos < len(w.text) && w.text[w.pos] == ']' {
		w.pos++
	}
	path := ""
	for i, p := range parts {
		path = join(path, p)
		w.index.add(path, line)
		last := i == len(parts)-1
		if last && array {
			n := w.arrays[path]
			w.arrays[path]++
			path = fmt.Sprintf("%s[%d]", path, n)
		} else if n := w.arrays[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	w.index.add(path, line)
	w.prefix = path
}

// join appends key to the path prefix, in quotes unless it is a bare key.
func join(prefix, key string) string {
	for i := range len(key) {
		if !isBare(key[i]) {
			key = strconv.Quote(key)
			break
		}
	}
	if key == "" {
		key = `""`
	}
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// pair reads key = value under prefix.
func (w *lineWalk) pair(prefix string, depth int) bool {
	line := w.line
	path := prefix
	for _, p := range w.key() {
		path = join(path, p)
		w.index.add(path, line)
	}
	w.blank()
	if w.pos >= len(w.text) || w.text[w.pos] != '=' {
		return false
	}
	w.pos++
	w.blank()
	return w.value(path, depth+1)
}

// key reads a dotted key.
func (w *lineWalk) key() []string {
	var parts []string
	for {
		if len(parts) == maxDepth {
			w.deep = w.line
			return parts
		}
		w.inline()
		start := w.pos
		if w.pos < len(w.text) && (w.text[w.pos] == '"' || w.text[w.pos] == '\'') {
			w.str()
			parts = append(parts, unquote(w.text[start:w.pos]))
		} else {
			for w.pos < len(w.text) && isBare(w.text[w.pos]) {
				w.pos++
			}
			parts = append(parts, w.text[start:w.pos])
		}
		w.inline()
		if w.pos >= len(w.text) || w.text[w.pos] != '.' {
			return parts
		}
		w.pos++
	}
}

// unquote returns what the quoted key raw stands for. Escapes are left to the library.
func unquote(raw string) string {
	if raw[0] == '"' && strings.Contains(raw, `\`) {
		var v struct{ Key string }
		if _, err := toml.Decode("Key = "+raw, &v); err == nil {
			return v.Key
		}
	}
	return raw[1:max(1, len(raw)-1)]
}

// inline skips white space within a line.
func (w *lineWalk) inline() {
	for w.pos < len(w.text) && (w.text[w.pos] == ' ' || w.text[w.pos] == '\t') {
		w.pos++
	}
}

func isBare(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// value skips a value, noting the keys of tables in it. It reports false when there is no going on.
func (w *lineWalk) value(path string, depth int) bool {
	if depth > maxDepth {
		w.deep = w.line
	}
	if w.pos >= len(w.text) || w.deep > 0 {
		return false
	}
	switch w.text[w.pos] {
	case '"', '\'':
		w.str()
	case '[':
		w.pos++
		for i := 0; w.next(']'); i++ {
			element := fmt.Sprintf("%s[%d]", path, i)
			w.index.add(element, w.line)
			if !w.value(element, depth+1) {
				return false
			}
		}
	case '{':
		w.pos++
		for w.next('}') {
			if !w.pair(path, depth) {
				return false
			}
		}
	default:
		start := w.pos
		for w.pos < len(w.text) && !strings.ContainsRune(",]}#\r\n", rune(w.text[w.pos])) {
			w.pos++
		}
		return w.pos > start // no value at all is a syntax error, and no way on
	}
	return true
}

// next moves to the next element and reports false behind the closing bracket.
func (w *lineWalk) next(closing byte) bool {
	w.blank()
	for w.pos < len(w.text) && w.text[w.pos] == ',' {
		w.pos++
		w.blank()
	}
	if w.pos >= len(w.text) {
		return false
	}
	if w.text[w.pos] == closing {
		w.pos++
		return false
	}
	return true
}

// str skips a string of any of the four kinds.
func (w *lineWalk) str() {
	quote := w.text[w.pos : w.pos+1]
	if strings.HasPrefix(w.text[w.pos:], quote+quote+quote) {
		quote += quote + quote
	}
	w.pos += len(quote)
	for w.pos < len(w.text) {
		switch {
		case quote[0] == '"' && w.text[w.pos] == '\\' && w.pos+1 < len(w.text):
			w.pos++
			if w.text[w.pos] == '\n' {
				w.line++
			}
			w.pos++
		case strings.HasPrefix(w.text[w.pos:], quote):
			w.pos += len(quote)
			for len(quote) == 3 && w.pos < len(w.text) && w.text[w.pos] == quote[0] {
				w.pos++ // up to two quotes may stand before the closing ones
			}
			return
		default:
			if w.text[w.pos] == '\n' {
				w.line++
			}
			w.pos++
		}
	}
}
