package claims

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// dateTexts are numbers with the seconds that they are; ok is false for what is no date.
var dateTexts = []struct {
	text     string
	n        int64
	fraction bool
	ok       bool
}{
	{"0", 0, false, true},
	{"1800000000", 1_800_000_000, false, true},
	{"1800000000.0", 1_800_000_000, false, true},
	{"1800000000.000000000000000000001", 1_800_000_000, true, true},
	{"1800000000.99999999999999999999", 1_800_000_000, true, true}, // a float64 would round it up
	{"1.8e9", 1_800_000_000, false, true},
	{"1.8E+9", 1_800_000_000, false, true},
	{"1.80000000049e9", 1_800_000_000, true, true},
	{"18000000000000e-4", 1_800_000_000, false, true},
	{"18000000000001e-4", 1_800_000_000, true, true},
	{"0.0000000018e18", 1_800_000_000, false, true},
	{"1e-999", 0, true, true},
	{"0e999", 0, false, true},
	{"0.0e-999", 0, false, true},
	{"9007199254740992", 1 << 53, false, true},
	{"9007199254740992.5", 1 << 53, true, true},
	{"9007199254740993", 0, false, false},
	{"90071992547409920e-1", 1 << 53, false, true},
	{"9.007199254740993e15", 0, false, false},
	{"9223372036854775807", 0, false, false},
	{"18446744073709551616", 0, false, false}, // 2^64, 0 when it wraps
	{"1844674407370955161600000000000000000000000000000000000000000000", 0, false, false},
	{"1e16", 0, false, false},
	{"1e308", 0, false, false},
	{"1e0009", 0, false, false}, // an exponent of more than three digits
	{"-1", 0, false, false},
	{"-0", 0, false, false},
	{"-1e-400", 0, false, false},
}

func TestParseDate(t *testing.T) {
	for _, c := range dateTexts {
		got, fraction, ok := parseDate([]byte(c.text))
		if got != c.n || fraction != c.fraction || ok != c.ok {
			t.Errorf("parseDate(%q) = %d, %v, %v, want %d, %v, %v", c.text, got, fraction, ok, c.n, c.fraction, c.ok)
		}
	}
}

// What the grammar of JSON numbers already refuses is refused here too, should the check before it ever be left out.
func TestParseDateRejectsOtherNumbers(t *testing.T) {
	for _, text := range []string{
		"", "e9", "1e", "1e+", "1ee9", "1e9e9", "1.2.3", "+1", "--1", "1-2", "1 ", " 1", "1_000", "0x10", "NaN", "nan", "inf", "Infinity",
		"1,5", "1e1.5", "١",
	} {
		if n, _, ok := parseDate([]byte(text)); ok {
			t.Errorf("parseDate(%q) = %d, want a refusal", text, n)
		}
	}
}

// Fractions go to the stricter side: exp down, nbf and iat up.
func TestDatesRoundToTheStricterSide(t *testing.T) {
	check := func(text string, down, up int64) {
		t.Helper()
		s := parse(t, fmt.Sprintf(`{"exp":%s,"nbf":%s,"iat":%s}`, text, text, text))
		exp, hasExp := s.Expiry()
		nbf, hasNbf := s.NotBefore()
		iat, hasIat := s.IssuedAt()
		if exp != down || nbf != up || iat != up || !hasExp || !hasNbf || !hasIat {
			t.Errorf("%s: exp, nbf, iat = %d, %d, %d, want %d, %d, %d", text, exp, nbf, iat, down, up, up)
		}
	}
	check("7", 7, 7)
	check("7.0", 7, 7)
	check("7.000000000000000000001", 7, 8)
	check("7.999999999999999999999", 7, 8)
	check("0.1", 0, 1)
	check("75e-1", 7, 8)
	check("1e-300", 0, 1)
}

func TestParseRejectsTypes(t *testing.T) {
	others := map[string][]string{
		"string": {`"x"`, `""`}, "number": {`1`}, "null": {`null`}, "bool": {`true`, `false`}, "object": {`{}`}, "strings": {`["x"]`},
		"mixed": {`["x",1]`, `["x",null]`, `["x",["x"]]`}, "empty": {`[]`},
	}
	allowed := map[string][]string{
		"iss": {"string"}, "sub": {"string"}, "jti": {"string"}, "azp": {"string"}, "client_id": {"string"},
		"exp": {"number"}, "nbf": {"number"}, "iat": {"number"},
		"aud": {"string", "strings"}, "scope": {"string", "strings", "empty"}, "scp": {"string", "strings", "empty"},
		"other": {"string", "number", "null", "bool", "object", "strings", "mixed", "empty"},
	}
	for claim, kinds := range allowed {
		ok := map[string]bool{}
		for _, k := range kinds {
			ok[k] = true
		}
		for kind, texts := range others {
			for _, text := range texts {
				payload := fmt.Sprintf(`{%q:%s}`, claim, text)
				s, err := read(payload)
				if (err == nil) != ok[kind] {
					t.Errorf("Parse(%s) = %v, want ok = %v", payload, err, ok[kind])
				}
				if err == nil {
					continue
				}
				if !errors.Is(err, ErrClaim) || !strings.HasPrefix(err.Error(), "claim "+claim+" ") {
					t.Errorf("Parse(%s) = %v, want ErrClaim that names it", payload, err)
				}
				if _, found := s.Lookup(Path{claim}); found {
					t.Errorf("Parse(%s) failed, and its claims can be looked up", payload)
				}
			}
		}
	}
}
