package config

import (
	"fmt"
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
}

// fault notes that key, at path, is wrong.
func (b *binder) fault(path, text string, args ...any) {
	b.faults = append(b.faults, Fault{File: b.file, Line: b.lines.of(path), Key: path, Text: fmt.Sprintf(text, args...)})
}

// defaulter is implemented by tables whose keys have defaults.
type defaulter interface{ setDefaults() }

// table binds m to the struct dst.
func (b *binder) table(dst reflect.Value, m map[string]any, path string) {
	if d, ok := dst.Addr().Interface().(defaulter); ok {
		d.setDefaults()
	}
	fields := tagged(dst.Type())
	for key, value := range m {
		at := join(path, key)
		i, ok := fields[key]
		if !ok {
			b.unknown(at, key, fields)
			continue
		}
		b.value(dst.Field(i), value, at)
	}
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

func (b *binder) unknown(path, key string, fields map[string]int) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.EqualFold(name, key) {
			b.fault(path, "unknown key: case matters, write %s", name)
			return
		}
	}
	best, distance := "", 3
	for _, name := range names {
		if d := editDistance(name, key); d < distance {
			best, distance = name, d
		}
	}
	if best != "" {
		b.fault(path, "unknown key (did you mean %s?)", best)
		return
	}
	b.fault(path, "unknown key (allowed: %s)", strings.Join(names, ", "))
}

// editDistance is Levenshtein's.
func editDistance(s, t string) int {
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(s) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(t) {
			cost := diagonal
			if s[i] != t[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
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
			b.fault(path, "must be true or false, not %s", kindOf(v))
		}
	case reflect.Int:
		if n, ok := v.(int64); ok && n >= 0 && n <= math.MaxInt32 {
			dst.SetInt(n)
		} else {
			b.fault(path, "must be a whole number from 0 to %d, not %s", math.MaxInt32, kindOf(v))
		}
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		b.value(p.Elem(), v, path)
		dst.Set(p)
	case reflect.Struct:
		if m, ok := v.(map[string]any); ok {
			b.table(dst, m, path)
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
	if !ok {
		b.fault(path, "must be an array, not %s", kindOf(v))
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		b.value(out.Index(i), item, fmt.Sprintf("%s[%d]", path, i))
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
	for key, item := range m {
		e := reflect.New(dst.Type().Elem()).Elem()
		b.value(e, item, join(path, key))
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
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		b.fault(path, "%q is not a duration (allowed: a number with ms, s, m or h, such as \"30s\")", s)
		return
	}
	dst.SetInt(int64(d))
}

// sizeUnits are powers of 1024; "KB" would be read in two ways.
var sizeUnits = []struct {
	suffix string
	factor int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

func (b *binder) size(dst reflect.Value, v any, path string) {
	s, ok := v.(string)
	if !ok {
		b.fault(path, "must be a size with its unit in quotes, such as \"16KiB\", not %s", kindOf(v))
		return
	}
	for _, u := range sizeUnits {
		if digits, found := strings.CutSuffix(s, u.suffix); found {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err == nil && n >= 0 && n <= math.MaxInt64/u.factor {
				dst.SetInt(n * u.factor)
				return
			}
			break
		}
	}
	b.fault(path, "%q is not a size (allowed: a whole number with B, KiB, MiB or GiB, such as \"16KiB\")", s)
}

func (b *binder) prefix(dst reflect.Value, v any, path string) {
	s, _ := v.(string)
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
	}
	if err != nil {
		b.fault(path, "%s is not an address range (allowed: CIDR such as \"10.0.0.0/8\", or an address)", kindOf(v))
		return
	}
	if p != p.Masked() {
		b.fault(path, "%q has bits set behind its length (write %q)", s, p.Masked())
		return
	}
	dst.Set(reflect.ValueOf(p))
}

func (b *binder) audiences(dst reflect.Value, v any, path string) {
	if s, ok := v.(string); ok {
		if s == "unchecked" {
			dst.Set(reflect.ValueOf(Audiences{Unchecked: true}))
			return
		}
		b.fault(path, "must be an array of strings, such as [%q], or \"unchecked\"", s)
		return
	}
	var list []string
	b.slice(reflect.ValueOf(&list).Elem(), v, path)
	dst.Set(reflect.ValueOf(Audiences{Values: list}))
}

// kindOf names a TOML value for a message, with its text where that is short and no secret can be in it.
func kindOf(v any) string {
	switch x := v.(type) {
	case string:
		if len(x) > 60 {
			return "a string"
		}
		return strconv.Quote(x)
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
