// Package revoke keeps revocation rules: their JSON form, and the file that they outlive a restart in.
package revoke

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// MaxBody is the longest JSON text of a rule, in octets.
const MaxBody = 16 << 10

// maxText bounds a value that a rule looks for, and a reason.
const maxText = 1024

// Rule is a rule with what is kept about it.
type Rule struct {
	verify.Rule
	Created int64 // Unix seconds
	Reason  string
}

// An Issuer is what a rule's end can follow from.
type Issuer struct {
	MaxLifetime int64 // seconds; 0: no bound
	ClockSkew   int64
}

// A BadRule says what is wrong with a rule that somebody gave.
type BadRule struct{ text string }

func (e *BadRule) Error() string { return e.text }

func bad(format string, args ...any) error { return &BadRule{fmt.Sprintf(format, args...)} }

const allowed = "issuer, one of jti, sub, sid, client, kid, claim with value, and all; issued_before, until, reason"

// Parse reads a rule of one of issuers, as somebody gives it: one strict JSON object. Every error is a *BadRule. The rule has no ID yet.
func Parse(body []byte, issuers map[string]Issuer, now int64) (*Rule, error) {
	if len(body) > MaxBody {
		return nil, bad("the rule is longer than %d octets", MaxBody)
	}
	var c jose.Checker
	members, unescaped, err := c.Index(body, jose.DefaultLimits)
	if err != nil {
		return nil, bad("the body is not one strict JSON object (no member twice, nothing after it)")
	}
	p := parser{rule: Rule{Created: now, Rule: verify.Rule{IssuedBefore: verify.Always}}, now: now}
	for i := range members {
		m := &members[i]
		v := value{name: string(m.Name.Bytes(body, unescaped)), raw: string(body[m.From:m.To])}
		if v.raw[0] == '"' {
			v.text, v.isText = string(m.String.Bytes(body, unescaped)), true
		}
		if err := p.member(v); err != nil {
			return nil, err
		}
	}
	if err := p.finish(issuers); err != nil {
		return nil, err
	}
	return &p.rule, nil
}

// A value is a member of the JSON object.
type value struct {
	name, raw, text string
	isText          bool
}

type parser struct {
	rule     Rule
	now      int64
	what     []string // which members say what is looked at
	hasValue bool
}

var kinds = map[string]verify.RuleKind{
	"jti": verify.RuleJTI, "sub": verify.RuleSubject, "sid": verify.RuleSession, "client": verify.RuleClient, "kid": verify.RuleKid,
}

func (p *parser) member(v value) (err error) {
	r := &p.rule
	switch v.name {
	case "issuer":
		r.Issuer, err = v.string()
	case "jti", "sub", "sid", "client", "kid":
		p.what = append(p.what, v.name)
		r.Kind = kinds[v.name]
		r.Value, err = v.string()
	case "claim":
		p.what = append(p.what, v.name)
		r.Kind = verify.RuleClaim
		var path string
		if path, err = v.string(); err == nil {
			if r.Claim, err = claims.ParsePath(path); err != nil {
				err = bad("claim: %q is not a claim's path", path)
			}
		}
	case "value":
		p.hasValue = true
		if c := v.raw[0]; c == '{' || c == '[' || c == 'n' {
			return bad("value must be a string, a number or a boolean")
		}
		if r.Value = v.raw; v.isText {
			r.Value, err = v.string()
		}
	case "all":
		if v.raw != "true" {
			return bad("all must be true, or left out")
		}
		p.what = append(p.what, v.name)
		r.Kind = verify.RuleAll
	case "issued_before":
		r.IssuedBefore, err = v.time()
	case "until":
		if v.text == "never" {
			r.Until = verify.Never
		} else if r.Until, err = v.time(); err == nil && r.Until <= p.now {
			err = bad("until has passed")
		}
	case "reason":
		r.Reason, err = v.string()
	default:
		err = bad("unknown member %q (allowed: %s)", v.name, allowed)
	}
	return err
}

func (v value) string() (string, error) {
	switch {
	case !v.isText:
		return "", bad("%s must be a string", v.name)
	case v.text == "":
		return "", bad("%s is empty", v.name)
	case len(v.text) > maxText:
		return "", bad("%s is longer than %d octets", v.name, maxText)
	}
	return v.text, nil
}

// lastTime is the end of the year 9999. What is later was meant as milliseconds.
const lastTime = 253402300799

// time reads Unix seconds or RFC 3339, whose fraction is cut off.
func (v value) time() (int64, error) {
	at, err := strconv.ParseInt(v.raw, 10, 64)
	if v.isText {
		var t time.Time
		t, err = time.Parse(time.RFC3339, v.text)
		at = t.Unix()
	}
	if err != nil || at <= 0 || at > lastTime {
		return 0, bad("%s must be a whole number of Unix seconds, or a date such as \"2026-11-25T12:00:00Z\"", v.name)
	}
	return at, nil
}

// finish checks what concerns the rule as a whole.
func (p *parser) finish(issuers map[string]Issuer) error {
	r := &p.rule
	is, known := issuers[r.Issuer]
	dated := r.IssuedBefore != verify.Always
	switch {
	case r.Issuer == "":
		return bad("issuer is required")
	case !known:
		return bad("issuer %q is none of the config's", r.Issuer)
	case len(p.what) == 0 && !p.hasValue:
		return bad("the rule would refuse every token of the issuer: give jti, sub, sid, client, kid, or claim with value; or say \"all\": true")
	case len(p.what) > 1:
		return bad("%s stand together: a rule looks at one of them", strings.Join(p.what, " and "))
	case p.hasValue != (r.Kind == verify.RuleClaim):
		return bad("claim and value go together")
	case r.Until != 0:
	case !dated:
		return bad("until is required: Unix seconds, a date, or \"never\"")
	case is.MaxLifetime == 0:
		return bad("until is required: the issuer has no max_lifetime that the end could follow from")
	default:
		// exp is at most iat + max_lifetime, and iat at most issued_before: from here on none of these tokens is good.
		if r.Until = r.IssuedBefore + is.MaxLifetime + is.ClockSkew; r.Until <= p.now {
			return bad("every token that was issued before then has expired")
		}
	}
	return nil
}

// ParseID reads what RuleID.String writes.
func ParseID(s string) (id verify.RuleID, ok bool) {
	if len(s) != 2*len(id) || strings.ToLower(s) != s {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

// document is the JSON form in which rules are shown and kept.
type document struct {
	ID           string `json:"id"`
	Issuer       string `json:"issuer"`
	JTI          string `json:"jti,omitempty"`
	Sub          string `json:"sub,omitempty"`
	SID          string `json:"sid,omitempty"`
	Client       string `json:"client,omitempty"`
	Kid          string `json:"kid,omitempty"`
	Claim        string `json:"claim,omitempty"`
	Value        string `json:"value,omitempty"`
	All          bool   `json:"all,omitempty"`
	IssuedBefore int64  `json:"issued_before,omitempty"`
	Until        end    `json:"until"`
	Created      int64  `json:"created"`
	Reason       string `json:"reason,omitempty"`
}

// end is Unix seconds, or "never".
type end int64

const never = `"never"`

// MarshalJSON implements json.Marshaler.
func (e end) MarshalJSON() ([]byte, error) {
	if e == verify.Never {
		return []byte(never), nil
	}
	return strconv.AppendInt(nil, int64(e), 10), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *end) UnmarshalJSON(b []byte) error {
	if string(b) == never {
		*e = verify.Never
		return nil
	}
	return json.Unmarshal(b, (*int64)(e))
}

// place is the member that holds the value of a rule of kind k.
func (d *document) place(k verify.RuleKind) *string {
	switch k {
	case verify.RuleJTI:
		return &d.JTI
	case verify.RuleSubject:
		return &d.Sub
	case verify.RuleSession:
		return &d.SID
	case verify.RuleClient:
		return &d.Client
	case verify.RuleKid:
		return &d.Kid
	case verify.RuleClaim:
		return &d.Value
	}
	return new(string)
}

// MarshalJSON implements json.Marshaler.
func (r *Rule) MarshalJSON() ([]byte, error) {
	d := document{
		ID: r.ID.String(), Issuer: r.Issuer, Claim: r.Claim.String(), All: r.Kind == verify.RuleAll, Until: end(r.Until),
		Created: r.Created, Reason: r.Reason,
	}
	*d.place(r.Kind) = r.Value
	if r.IssuedBefore != verify.Always {
		d.IssuedBefore = r.IssuedBefore
	}
	return json.Marshal(&d)
}

// UnmarshalJSON implements json.Unmarshaler, for what MarshalJSON wrote.
func (r *Rule) UnmarshalJSON(b []byte) (err error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*r = Rule{Created: d.Created, Reason: d.Reason, Rule: verify.Rule{Issuer: d.Issuer, IssuedBefore: d.IssuedBefore, Until: int64(d.Until)}}
	if r.IssuedBefore == 0 {
		r.IssuedBefore = verify.Always
	}
	for k := verify.RuleJTI; k <= verify.RuleAll; k++ {
		if v := *d.place(k); v != "" {
			r.Kind, r.Value = k, v
		}
	}
	if d.All {
		r.Kind = verify.RuleAll
	}
	if d.Claim != "" {
		if r.Claim, err = claims.ParsePath(d.Claim); err != nil {
			return err
		}
	}
	var ok bool
	if r.ID, ok = ParseID(d.ID); !ok {
		return fmt.Errorf("revoke: %q is not a rule's ID", d.ID)
	}
	return nil
}
