package config

import (
	"fmt"
	"strings"
)

// lineIndex knows the line of each key and table of a TOML text, by path: "route[1].require.scopes". The TOML library gives
// no positions. The text has been parsed by that library before, so the walk may trust its syntax.
type lineIndex map[string]int

// lineWalk is the state of one walk.
type lineWalk struct {
	text   string
	pos    int
	line   int
	index  lineIndex
	prefix string
	arrays map[string]int // how many tables an array of tables has so far
}

func indexLines(text string) lineIndex {
	w := &lineWalk{text: text, line: 1, index: lineIndex{}, arrays: map[string]int{}}
	for w.blank(); w.pos < len(w.text); w.blank() {
		if w.text[w.pos] == '[' {
			w.header()
		} else if !w.pair(w.prefix) {
			break
		}
	}
	return w.index
}

// of returns the line of path or of the nearest thing around it, 1 at last.
func (x lineIndex) of(path string) int {
	for path != "" {
		if n, ok := x[path]; ok {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return 1
}

func (x lineIndex) add(path string, line int) {
	if _, ok := x[path]; !ok {
		x[path] = line
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

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// pair reads key = value under prefix.
func (w *lineWalk) pair(prefix string) bool {
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
	return w.value(path)
}

// key reads a dotted key.
func (w *lineWalk) key() []string {
	var parts []string
	for {
		w.inline()
		start := w.pos
		if w.pos < len(w.text) && (w.text[w.pos] == '"' || w.text[w.pos] == '\'') {
			w.str()
			parts = append(parts, strings.Trim(w.text[start:w.pos], `"'`))
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

func (w *lineWalk) inline() {
	for w.pos < len(w.text) && (w.text[w.pos] == ' ' || w.text[w.pos] == '\t') {
		w.pos++
	}
}

func isBare(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// value skips a value, noting the keys of tables in it.
func (w *lineWalk) value(path string) bool {
	if w.pos >= len(w.text) {
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
			if !w.value(element) {
				return false
			}
		}
	case '{':
		w.pos++
		for w.next('}') {
			if !w.pair(path) {
				return false
			}
		}
	default:
		for w.pos < len(w.text) && !strings.ContainsRune(",]}#\r\n", rune(w.text[w.pos])) {
			w.pos++
		}
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
