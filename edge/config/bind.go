package config

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A binder puts the TOML library's generic tree into Config, and notes every fault on the way instead of ending at the first.
type binder struct {
	file   string
	lines  lineIndex
	faults Faults
	given  map[string]bool // paths of the keys that the file has, correctly spelt
	bad    map[string]bool // paths with a fault of binding
	hidden string          // where a fault was left out last, for another at the same path
	bound  bool            // binding is over: faults at or below a bad path only follow from it
}

// fault notes that key, at path, is wrong.
func (b *binder) fault(path, text string, args ...any) {
	if b.bound {
		if b.spoilt(path) {
			return
		}
	} else if b.bad[path] {
		b.hidden = path
		return
	} else {
		b.bad[path] = true
	}
	b.faults = append(b.faults, Fault{File: b.file, Line: b.lines.of(path), Key: path, Text: fmt.Sprintf(text, args...)})
}

// spoilt reports whether path, or anything around it, could not be bound.
func (b *binder) spoilt(path string) bool {
	for path != "" {
		if b.bad[path] {
			return true
		}
		path = around(path)
	}
	return false
}

// defaulter is implemented by tables whose keys have defaults.
type defaulter interface{ setDefaults() }

// table binds m to the struct dst. The keys are taken in order, so that the same file always gets the same answer.
func (b *binder) table(dst reflect.Value, m map[string]any, path string) {
	if d, ok := dst.Addr().Interface().(defaulter); ok {
		d.setDefaults()
	}
	fields := tagged(dst.Type())
	for _, key := range slices.Sorted(maps.Keys(m)) {
		at := join(path, key)
		name := key
		i, ok := fields[key]
		if !ok {
			// A misspelt key is bound to what was meant, so that no second fault says that this is missing.
			name = b.unknown(at, key, fields)
			if _, taken := m[name]; name == "" || taken || b.given[join(path, name)] {
				continue
			}
			i = fields[name]
			b.lines.alias(join(path, name), at)
		}
		b.given[join(path, name)] = true
		tag := dst.Type().Field(i).Tag
		if tag.Get("empty") != "" || b.notEmpty(m[key], at, tag.Get("required") != "") {
			b.value(dst.Field(i), m[key], at)
		}
		if b.hidden == at {
			b.bad[join(path, name)] = true // misspelt, and its value could not be bound either
		}
	}
}

// notEmpty notes a fault when v is a string, an array or a table with nothing in it. An unset variable in a template would
// otherwise turn "these issuers" into "all issuers".
func (b *binder) notEmpty(v any, path string, required bool) bool {
	items, isArray := elements(v)
	table, isTable := v.(map[string]any)
	switch empty := v == "" || (isArray && len(items) == 0) || (isTable && len(table) == 0); {
	case empty && required:
		b.fault(path, "is empty, and required: say what it should be")
	case empty:
		b.fault(path, "is empty: leave it out, or say what it should be")
	default:
		return true
	}
	return false
}

// tagged maps TOML keys to field indexes.
func tagged(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("toml"); tag != "" {
			fields[tag] = i
		}
	}
	return fields
}

// inlineSecrets are what operators try to write where only a file may stand. The answer must not be "did you mean".
var inlineSecrets = map[string]string{"secret": "secret_file", "key": "key_file", "token": "token_file", "password": ""}

// unknown notes that key is not one of fields, and returns the one that was meant, "" when that is not clear.
func (b *binder) unknown(path, key string, fields map[string]int) string {
	names := slices.Sorted(maps.Keys(fields))
	for _, name := range names {
		if strings.EqualFold(name, key) {
			b.fault(path, "unknown key: case matters, write %s", name)
			return name
		}
	}
	if file := inlineSecrets[key]; slices.Contains(names, file) {
		b.fault(path, "unknown key: secrets come from files only, write %s", file)
		return ""
	}
	// A third of the letters may be wrong, two at most: more is a guess.
	best, distance := "", min(2, max(1, len(key)/3))+1
	for _, name := range names {
		if d := editDistance(name, key); d < distance {
			best, distance = name, d
		}
	}
	if best != "" {
		b.fault(path, "unknown key (did you mean %s?)", best)
		return best
	}
	b.fault(path, "unknown key (allowed: %s)", strings.Join(names, ", "))
	return ""
}

// editDistance is the least number of octets to insert, delete, replace or exchange with their neighbour that makes t of s.
func editDistance(s, t string) int {
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(s) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(t) {
			cost := last[j]
			if s[i] != t[j] {
				cost++
			}
			row[j+1] = min(cost, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(t)]
}

var (
	typeDuration  = reflect.TypeFor[time.Duration]()
	typeSize      = reflect.TypeFor[Size]()
	typePrefix    = reflect.TypeFor[netip.Prefix]()
	typeAudiences = reflect.TypeFor[Audiences]()
)

// value binds v to dst by dst's type.
func (b *binder) value(dst reflect.Value, v any, path string) {
	switch dst.Type() {
	case typeDuration:
		b.duration(dst, v, path)
		return
	case typeSize:
		b.size(dst, v, path)
		return
	case typePrefix:
		b.prefix(dst, v, path)
		return
	case typeAudiences:
		b.audiences(dst, v, path)
		return
	}
	switch dst.Kind() {
	case reflect.String:
		if s, ok := v.(string); ok {
			dst.SetString(s)
		} else {
			b.fault(path, "must be a string, not %s", kindOf(v))
		}
	case reflect.Bool:
		if x, ok := v.(bool); ok {
			dst.SetBool(x)
		} else {
			b.fault(path, "must be true or false without quotes, not %s", kindOf(v))
		}
	case reflect.Int:
		if n, ok := v.(int64); ok && n >= 0 && n <= math.MaxInt32 {
			dst.SetInt(n)
		} else {
			b.fault(path, "must be a whole number without sign or quotes, %d at most, not %s", math.MaxInt32, kindOf(v))
		}
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		b.value(p.Elem(), v, path)
		dst.Set(p)
	case reflect.Struct:
		if m, ok := v.(map[string]any); ok {
			b.table(dst, m, path)
		} else if _, ok := elements(v); ok {
			b.fault(path, "is there once: it must be one table, not an array ([%s], not [[%[1]s]])", unindexed(path))
		} else {
			b.fault(path, "must be a table, not %s", kindOf(v))
		}
	case reflect.Slice:
		b.slice(dst, v, path)
	case reflect.Map:
		b.mapping(dst, v, path)
	default:
		panic("sallyport: BUG: config type without a binding: " + dst.Type().String())
	}
}

func (b *binder) slice(dst reflect.Value, v any, path string) {
	items, ok := elements(v)
	if _, table := v.(map[string]any); table && dst.Type().Elem().Kind() == reflect.Struct {
		b.fault(path, "can be there more than once: write [[%s]], not [%[1]s]", unindexed(path))
		return
	}
	if !ok {
		b.fault(path, "must be an array, not %s", kindOf(v))
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		if at := fmt.Sprintf("%s[%d]", path, i); b.notEmpty(item, at, false) {
			b.value(out.Index(i), item, at)
		}
	}
	dst.Set(out)
}

// elements unites the two forms in which the library gives arrays.
func elements(v any) ([]any, bool) {
	switch a := v.(type) {
	case []any:
		return a, true
	case []map[string]any:
		out := make([]any, len(a))
		for i := range a {
			out[i] = a[i]
		}
		return out, true
	}
	return nil, false
}

func (b *binder) mapping(dst reflect.Value, v any, path string) {
	m, ok := v.(map[string]any)
	if !ok {
		b.fault(path, "must be a table, not %s", kindOf(v))
		return
	}
	out := reflect.MakeMap(dst.Type())
	for _, key := range slices.Sorted(maps.Keys(m)) {
		e := reflect.New(dst.Type().Elem()).Elem()
		if at := join(path, key); b.notEmpty(m[key], at, false) {
			b.value(e, m[key], at)
		}
		out.SetMapIndex(reflect.ValueOf(key), e)
	}
	dst.Set(out)
}

func (b *binder) duration(dst reflect.Value, v any, path string) {
	s, ok := v.(string)
	if !ok {
		b.fault(path, "must be a duration with its unit in quotes, such as \"30s\" or \"5m\", not %s", kindOf(v))
		return
	}
	// ParseDuration takes signs, "0" without a unit, and micro- and nanoseconds; these are slips here.
	d, err := time.ParseDuration(s)
	if err != nil || !isDigit(s[0]) || isDigit(s[len(s)-1]) || strings.Trim(s, "0123456789.hms") != "" {
		b.fault(path, "%q is not a duration (allowed: a number with ms, s, m or h, such as \"30s\")", s)
		return
	}
	dst.SetInt(int64(d))
}

// sizeUnits are powers of 1024; "KB" would be read in two ways.
var sizeUnits = []struct {
	suffix string
	factor uint64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

func (b *binder) size(dst reflect.Value, v any, path string) {
	s, ok := v.(string)
	if !ok {
		b.fault(path, "must be a size with its unit in quotes, such as \"16KiB\", not %s", kindOf(v))
		return
	}
	if s == "0" {
		dst.SetInt(0) // nothing needs no unit
		return
	}
	for _, u := range sizeUnits {
		digits, found := strings.CutSuffix(s, u.suffix)
		if !found {
			continue
		}
		// ParseUint takes no sign.
		if n, err := strconv.ParseUint(digits, 10, 63); err == nil && n <= math.MaxInt64/u.factor {
			dst.SetInt(int64(n * u.factor))
			return
		}
		break
	}
	b.fault(path, "%q is not a size (allowed: a whole number with B, KiB, MiB or GiB, such as \"16KiB\")", s)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (b *binder) prefix(dst reflect.Value, v any, path string) {
	s, ok := v.(string)
	if !ok {
		b.fault(path, "must be an address range in quotes, such as \"10.0.0.0/8\", not %s", kindOf(v))
		return
	}
	p, err := netip.ParsePrefix(s)
	if a, aerr := netip.ParseAddr(s); aerr == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		b.fault(path, "%q is not an address range (allowed: CIDR such as \"10.0.0.0/8\", or an address)", s)
	case p.Addr().Is4In6():
		b.fault(path, "%q can never match: IPv4 peers are known by their IPv4 address (write it as such)", s)
	case p != p.Masked():
		b.fault(path, "%q has bits set behind its length (write %q)", s, p.Masked())
	default:
		dst.Set(reflect.ValueOf(p))
	}
}

func (b *binder) audiences(dst reflect.Value, v any, path string) {
	if s, ok := v.(string); ok {
		if s == "unchecked" {
			dst.Set(reflect.ValueOf(Audiences{Unchecked: true}))
			return
		}
		b.fault(path, "must be an array of strings, such as [\"https://api.example.com\"], or \"unchecked\"")
		return
	}
	var list []string
	b.slice(reflect.ValueOf(&list).Elem(), v, path)
	dst.Set(reflect.ValueOf(Audiences{Values: list}))
}

// kindOf names a TOML value for a message. The text of a string is left out: it may be a secret that is in the wrong place.
func kindOf(v any) string {
	switch x := v.(type) {
	case string:
		return "a string"
	case int64:
		return fmt.Sprintf("the number %d", x)
	case float64:
		return fmt.Sprintf("the number %g", x)
	case bool:
		return fmt.Sprintf("%t", x)
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "an array"
	}
	return "a date or time"
}
