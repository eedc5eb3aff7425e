package revoke

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"sallyport/verify"
)

const now = 1_800_000_000

var issuers = map[string]Issuer{
	"https://a.test": {MaxLifetime: 3600, ClockSkew: 30},
	"b":              {},
}

func TestParse(t *testing.T) {
	rule := func(kind verify.RuleKind, value string, before, until int64, claim ...string) verify.Rule {
		return verify.Rule{Kind: kind, Issuer: "https://a.test", Claim: claim, Value: value, IssuedBefore: before, Until: until}
	}
	for body, want := range map[string]verify.Rule{
		`{"issuer":"https://a.test","sub":"alice","issued_before":1800000000}`:                            rule(verify.RuleSubject, "alice", now, now+3630),
		`{"issuer":"https://a.test","sub":"alice","issued_before":"2027-01-15T08:00:00Z"}`:                rule(verify.RuleSubject, "alice", now, now+3630),
		`{"issuer":"https://a.test","sub":"alice","issued_before":1800000000,"until":1800000001}`:         rule(verify.RuleSubject, "alice", now, now+1),
		`{"issuer":"https://a.test","jti":"\u0061","until":"never"}`:                                      rule(verify.RuleJTI, "a", verify.Always, verify.Never),
		`{"issuer":"https://a.test","sid":"s","until":"2027-01-15T09:00:00+00:00","reason":"lost"}`:       rule(verify.RuleSession, "s", verify.Always, now+3600),
		` {"until":"never","client":"c","issuer":"https://a.test"} `:                                      rule(verify.RuleClient, "c", verify.Always, verify.Never),
		`{"issuer":"https://a.test","kid":"k","until":"never"}`:                                           rule(verify.RuleKid, "k", verify.Always, verify.Never),
		`{"issuer":"https://a.test","all":true,"issued_before":1800000000}`:                               rule(verify.RuleAll, "", now, now+3630),
		`{"issuer":"https://a.test","claim":"a.b","value":"x","until":"never"}`:                           rule(verify.RuleClaim, "x", verify.Always, verify.Never, "a", "b"),
		`{"value":7,"claim":"/https:~1~1x.test~1t","issuer":"https://a.test","until":"never"}`:            rule(verify.RuleClaim, "7", verify.Always, verify.Never, "https://x.test/t"),
		`{"issuer":"https://a.test","claim":"flag","value":false,"until":"never"}`:                        rule(verify.RuleClaim, "false", verify.Always, verify.Never, "flag"),
		`{"issuer":"https://a.test","claim":"c","value":"` + strings.Repeat("x", 1024) + `","until":2e9}`: {},
	} {
		r, err := Parse([]byte(body), issuers, now)
		if want.Kind == 0 {
			if err == nil {
				t.Errorf("Parse(%.100s) takes it", body)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(r.Rule, want) {
			t.Errorf("Parse(%s) = %+v, %v; want %+v", body, r, err, want)
			continue
		}
		roundTrip(t, r)
	}
}

// roundTrip wants a rule to be read again as it was written.
func roundTrip(t *testing.T, r *Rule) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Rule
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(&again, r) {
		t.Errorf("%s is read as %+v, %v; want %+v", text, again, err, r)
	}
}

func TestParseRefuses(t *testing.T) {
	for body, want := range map[string]string{
		``:                                   "strict JSON object",
		`[]`:                                 "strict JSON object",
		`{"issuer":"b","issuer":"b"}`:        "strict JSON object",
		`{"issuer":"b"} x`:                   "strict JSON object",
		`{}`:                                 "issuer is required",
		`{"issuer":"b"}`:                     "would refuse every token",
		`{"issuer":"b","until":"never"}`:     "would refuse every token",
		`{"issuer":"b","issued_before":1}`:   "would refuse every token",
		`{"issuer":"B","sub":"x"}`:           `issuer "B" is none`,
		`{"sub":"x","until":"never"}`:        "issuer is required",
		`{"issuer":7}`:                       "issuer must be a string",
		`{"issuer":"b","sub":""}`:            "sub is empty",
		`{"issuer":"b","sub":7}`:             "sub must be a string",
		`{"issuer":"b","sub":null}`:          "sub must be a string",
		`{"issuer":"b","sub":["x"]}`:         "sub must be a string",
		`{"issuer":"b","Sub":"x"}`:           `unknown member "Sub"`,
		`{"issuer":"b","email":"x"}`:         `unknown member "email"`,
		`{"issuer":"b","sub":"x","jti":"y"}`: "sub and jti stand together",
		`{"issuer":"b","sub":"x","all":true,"until":"never"}`:           "stand together",
		`{"issuer":"b","all":false,"until":"never"}`:                    "all must be true",
		`{"issuer":"b","all":"true","until":"never"}`:                   "all must be true",
		`{"issuer":"b","claim":"x","until":"never"}`:                    "claim and value go together",
		`{"issuer":"b","value":"x","until":"never"}`:                    "claim and value go together",
		`{"issuer":"b","sub":"x","value":"x","until":"never"}`:          "claim and value go together",
		`{"issuer":"b","claim":"a..b","value":"x","until":"never"}`:     "not a claim's path",
		`{"issuer":"b","claim":"x","value":null,"until":"never"}`:       "value must be",
		`{"issuer":"b","claim":"x","value":{},"until":"never"}`:         "value must be",
		`{"issuer":"b","claim":"x","value":[1],"until":"never"}`:        "value must be",
		`{"issuer":"b","sub":"x"}`:                                      "until is required",
		`{"issuer":"b","sub":"x","issued_before":1800000000}`:           "no max_lifetime",
		`{"issuer":"https://a.test","sub":"x"}`:                         "until is required",
		`{"issuer":"https://a.test","sub":"x","issued_before":1}`:       "has expired",
		`{"issuer":"b","sub":"x","until":1800000000}`:                   "until has passed",
		`{"issuer":"b","sub":"x","until":"Never"}`:                      "until must be",
		`{"issuer":"b","sub":"x","until":1.8e9}`:                        "until must be",
		`{"issuer":"b","sub":"x","until":1900000000000}`:                "until must be",
		`{"issuer":"b","sub":"x","until":-1}`:                           "until must be",
		`{"issuer":"b","sub":"x","until":"tomorrow"}`:                   "until must be",
		`{"issuer":"b","sub":"x","until":null}`:                         "until must be",
		`{"issuer":"b","sub":"x","issued_before":0,"until":"never"}`:    "issued_before must be",
		`{"issuer":"b","sub":"x","issued_before":"no","until":"never"}`: "issued_before must be",
		`{"issuer":"b","sub":"x","until":"never","reason":""}`:          "reason is empty",
		`{"issuer":"b","sub":"` + strings.Repeat("x", 1025) + `"}`:      "longer than 1024",
		`{"issuer":"b","sub":"` + strings.Repeat("x", MaxBody) + `"}`:   "longer than 16384",
	} {
		r, err := Parse([]byte(body), issuers, now)
		var br *BadRule
		if !errors.As(err, &br) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.100s) = %v, %v; want %q", body, r, err, want)
		}
	}
}

// FuzzParse wants every rule that is taken to name something, to have an end, and to be read again as it was written.
func FuzzParse(f *testing.F) {
	f.Add(`{"issuer":"https://a.test","sub":"alice","issued_before":1800000000}`)
	f.Add(`{"issuer":"b","claim":"a.b","value":"\ud83d\ude00","until":"never","reason":"<&>"}`)
	f.Add(`{"issuer":"b","all":true,"until":"2030-01-01T00:00:00.5+01:00"}`)
	f.Add(`{"issuer":"b","claim":"/~01","value":1e400,"until":2000000000}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := Parse([]byte(body), issuers, now)
		if err != nil {
			if br := (*BadRule)(nil); !errors.As(err, &br) || r != nil {
				t.Fatalf("Parse = %v, %v", r, err)
			}
			return
		}
		if r.Until <= now || (r.Value == "" && r.Kind != verify.RuleAll) || verify.NewDenylist().Add(&r.Rule) != nil {
			t.Fatalf("Parse takes %+v", r)
		}
		if r.Kind == verify.RuleAll && !strings.Contains(body, "true") {
			t.Fatalf("a rule for everybody that does not say so: %+v", r)
		}
		roundTrip(t, r)
	})
}
