package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sallyport/edge/config"
	"sallyport/edge/gate"
	"sallyport/edge/header"
	"sallyport/edge/metrics"
	"sallyport/edge/tlsconf"
	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

// hints says, for the operator, what each Reason usually comes from and what to do. It is total over verify.Reason
// (TestHintsAreTotal) and stands in the README's troubleshooting table (TestReadmeHasEveryReason).
var hints = [verify.NumReasons]string{
	verify.ReasonInvalid:        "an error in sallyport itself; please report it",
	verify.ReasonOK:             "the request passes",
	verify.ReasonPublic:         "the route is public, or the request is a CORS preflight that the route lets through",
	verify.ReasonNoToken:        "no token in the route's one place: Authorization: Bearer, unless token_header or token_cookie names another",
	verify.ReasonBadCredentials: "the Authorization field is not `Bearer` and one token; look for quotes, commas or line breaks",
	verify.ReasonMultipleTokens: "more than one Authorization field, token header or cookie: the client or a proxy before sallyport adds a second one",

	verify.ReasonMalformed:        "not a signed JWT in compact form: an opaque or encrypted token, a cut-off copy, padding, JSON that breaks a rule, or a registered claim of the wrong type",
	verify.ReasonTooLarge:         "the token is longer than limits.token",
	verify.ReasonCritical:         "the header has crit, b64 or zip, which access tokens do not need",
	verify.ReasonAlgorithm:        "the token's alg is not in the issuer's algorithms",
	verify.ReasonUnverified:       "refused before the signature: no [[issuer]] has exactly the token's iss (compare every character, the last slash too), or exp has passed, as of most expired tokens",
	verify.ReasonUnknownKey:       "the issuer has no current key with the token's kid and alg: withdrawn, not yet published, or another realm's token",
	verify.ReasonVerificationBusy: "more never-seen tokens than this node can check, from this source or in all: see sallyport_pool_*",
	verify.ReasonKeysUnavailable:  "no keys of the issuer could be fetched yet: see the log for why, sallyport_keyset_fetch_failures_total and sallyport_keyset_keys",
	verify.ReasonSignature:        "the signature does not verify under the key that the token names: changed, or signed by somebody else",
	verify.ReasonType:             "typ is not at+jwt, or this is an ID token: ask for an access token, or set the issuer's type",
	verify.ReasonIssuer:           "the issuer is known, but not in this route's issuers",
	verify.ReasonAudience:         "aud names none of the issuer's audiences: ask the provider for a token for this API",
	verify.ReasonExpired:          "exp has passed since the token was first seen: the client must refresh; if it just did, compare the clocks",
	verify.ReasonNotYetValid:      "nbf or iat lies in the future: compare the clocks, or raise clock_skew a little",
	verify.ReasonLifetime:         "exp is further from iat than max_lifetime allows, or iat is missing",
	verify.ReasonClaim:            "exp or a claim of required_claims is missing",
	verify.ReasonConfirmation:     "the token is bound to a key (cnf): as a bearer token it must be refused",
	verify.ReasonRevoked:          "a revocation rule names the token: `sallyport revoke list` shows the rules",
	verify.ReasonScope:            "the token lacks a scope of the route's require.scopes",
	verify.ReasonRole:             "the token has none of the route's require.roles; see the issuer's roles_claim",
	verify.ReasonClaimValue:       "a claim does not have one of the values of the route's require.claims",

	verify.ReasonBadRequest:     "the request breaks HTTP/1.1 or could be read in two ways",
	verify.ReasonNoRoute:        "no [[route]] has this host and path",
	verify.ReasonMethod:         "the path has a [[route]], but not for this method",
	verify.ReasonNotImplemented: "the method or transfer coding is not one that sallyport forwards",
	verify.ReasonHeaderTooLarge: "the request head is larger than limits.header or has more fields than limits.header_fields",
	verify.ReasonURITooLong:     "the request target takes more than half of limits.header",
	verify.ReasonBodyTooLarge:   "the body is larger than the route's max_body",
	verify.ReasonRequestTimeout: "the client did not send its request within the listener's read_timeout",
	verify.ReasonExpectation:    "Expect has a value other than 100-continue",
	verify.ReasonVersion:        "the client speaks neither HTTP/1.1 nor HTTP/1.0",

	verify.ReasonUpstreamUnreachable: "no endpoint of the upstream took a connection: is the service up, and is its address right",
	verify.ReasonUpstreamResponse:    "the upstream closed early or sent what is not one valid HTTP/1.1 response",
	verify.ReasonUpstreamTimeout:     "the upstream sent no response head within response_timeout",
	verify.ReasonUpstreamBusy:        "all max_connections to the endpoint are in use",
	verify.ReasonOverloaded:          "the audit log cannot keep up and when_full is refuse",
	verify.ReasonClientGone:          "the client closed the connection before it had the whole response",
	verify.ReasonInternal:            "an error in sallyport itself, see the log; please report it",
}

// Hint returns what an operator should do about r.
func Hint(r verify.Reason) string {
	if r >= verify.NumReasons {
		r = verify.ReasonInvalid
	}
	return hints[r]
}

// Question is a request that explain is asked about. Now is in Unix seconds. JWKS, if not nil, stands in for the keys of
// issuers that would fetch theirs.
type Question struct {
	Method, Host, Target string
	Token                []byte
	JWKS                 []byte
	Now                  int64
}

// Explanation is what would be decided.
type Explanation struct {
	Allowed   bool
	Undecided bool // for want of the issuer's keys; Reason and Status are what all else comes to
	Reason    verify.Reason
	Status    int
	Detail    string // why, in this case
	Hint      string // what Reason usually comes from
	Route     string
	Issuer    string
	Key       string // "RS256, kid …"
	Signature string // verified, not verified, not checked
	Claims    []string
	Note      string // on what the question holds and the answer does not
}

// Check builds everything that cfg asks for, and starts and opens nothing. What is wrong with the files that cfg names comes all at
// once, as config.Faults.
func Check(cfg *config.Config) error {
	faults := checkFiles(cfg)
	_, err := buildIdle(cfg)
	if more := config.Faults(nil); errors.As(err, &more) {
		faults, err = append(faults, more...), nil
	}
	if err == nil && len(faults) > 0 {
		return faults.Sorted()
	}
	return err
}

// buildIdle builds a State as Start does, without starting anything in it.
func buildIdle(cfg *config.Config) (*State, error) {
	quiet := slog.New(slog.DiscardHandler)
	s := &Server{log: quiet, metrics: metrics.New(metrics.Gauges{})}
	s.handles.init(nil)
	next, err := s.handles.prepare(cfg, quiet)
	if err != nil {
		return nil, err
	}
	defer next.abandon()
	for name, set := range next.static {
		next.issuers[name].store.Store(set)
	}
	return buildState(cfg, next, s)
}

// checkFiles reads what listeners and the admin listener will need: certificates, keys and the admin token.
func checkFiles(cfg *config.Config) config.Faults {
	var faults config.Faults
	for i := range cfg.Listeners {
		t := cfg.Listeners[i].TLS
		if t == nil {
			continue
		}
		for j := range t.Certificates {
			// One at a time, so that each has its line.
			one := *t
			one.Certificates = t.Certificates[j : j+1]
			if _, err := tlsconf.Server(&one); err != nil {
				faults = append(faults, cfg.Fault(fmt.Sprintf("listener[%d].tls.certificate[%d]", i, j), "%v", err))
			}
		}
	}
	if cfg.Admin.Address != "" {
		if _, err := adminToken(cfg.Admin); err != nil {
			faults = append(faults, cfg.Fault("admin.token_file", "%v", err))
		}
	}
	return faults
}

// Explain decides as serve would, on the same code, contacting nobody.
func Explain(cfg *config.Config, q Question) (*Explanation, error) {
	st, err := buildIdle(cfg)
	if err != nil {
		return nil, err
	}
	if q.JWKS != nil {
		if err := lendKeys(cfg, st, q.JWKS); err != nil {
			return nil, err
		}
	}
	token := bytes.TrimSpace(q.Token)
	if err := checkInput(token); err != nil {
		return nil, err
	}
	var fields header.Fields
	if err := st.rules.Scan(&fields, []byte("Host: "+q.Host+"\r\n")); err != nil {
		return nil, fmt.Errorf("edge: cannot explain: -host %q is not a host", q.Host)
	}
	var d gate.Decision
	d.RouteIndex = -1
	st.gate.Refresh = nil
	st.gate.Decide(&d, &gate.Request{
		Method: []byte(q.Method), Authority: []byte(q.Host), Target: []byte(q.Target), Fields: &fields, Now: q.Now,
	})
	if d.Route != nil && !d.Route.Public && len(token) > 0 {
		// The token's place on the wire is not what is asked about, its content is.
		d.Detail = ""
		st.gate.Judge(&d, token, q.Now, netip.Addr{})
	}
	ex := explanation(&d, q.Now)
	if len(token) == 0 {
		ex.Signature, ex.Claims = "", nil
	}
	if ih := st.issuers[ex.Issuer]; q.JWKS != nil && ih != nil && ih.source == nil {
		ex.Note = "-jwks was not used: this issuer's keys are those that the config holds or names"
	}
	return ex, nil
}

// checkInput refuses what is no token alone, and would otherwise be a malformed one.
func checkInput(token []byte) error {
	what := ""
	switch first, _, more := bytes.Cut(token, []byte(" ")); {
	case bytes.HasPrefix(token, []byte("{")), bytes.HasPrefix(token, []byte("[")), bytes.HasPrefix(token, []byte(`"`)):
		what = "the input is JSON"
	case more && (bytes.EqualFold(first, []byte("Bearer")) || bytes.EqualFold(first, []byte("Authorization:"))):
		what = fmt.Sprintf("the input begins with %q", first)
	case bytes.ContainsAny(token, " \t\r\n"):
		what = "the input holds more than one word or line"
	default:
		return nil
	}
	return fmt.Errorf("edge: cannot explain: %s; give one token and nothing else", what)
}

// lendKeys gives every issuer that fetches its keys those of a saved set. What is no set of public keys is refused, even when nobody
// needs it.
func lendKeys(cfg *config.Config, st *State, jwks []byte) error {
	if err := lend(nil, jwks, keys.Options{MaxKeys: 1000, MaxRSABits: 8192}); err != nil {
		return err
	}
	for i := range cfg.Issuers {
		ic := &cfg.Issuers[i]
		ih := st.issuers[ic.Issuer]
		if ih.source == nil {
			continue
		}
		opt := keys.Options{Algs: algSet(ic.Algorithms), MaxKeys: ic.MaxKeys, MaxRSABits: ic.MaxRSABits}
		if err := lend(ih.store, jwks, opt); err != nil {
			return err
		}
	}
	return nil
}

// lend puts the keys of a saved set into store, where it is not nil.
func lend(store *verify.KeyStore, jwks []byte, opt keys.Options) error {
	parsed, err := keys.ParseJWKS(jwks, opt)
	if err != nil {
		return fmt.Errorf("edge: cannot use -jwks: %w", err)
	}
	for _, sk := range parsed.Skipped {
		if sk.Private {
			return fmt.Errorf("edge: cannot use -jwks: key %d: %s", sk.Index, sk.Why)
		}
	}
	if store != nil {
		store.Store(verify.NewKeySet(parsed.Entries))
	}
	return nil
}

func explanation(d *gate.Decision, now int64) *Explanation {
	ex := &Explanation{Allowed: d.Allowed(), Reason: d.Reason, Detail: d.Detail}
	if d.Route != nil {
		ex.Route = d.Route.Name
	}
	h, set := d.Token.Unverified()
	if is := d.Token.UnverifiedIssuer(); is != nil {
		ex.Issuer = is.Name
	}
	if h.Alg != jose.AlgInvalid {
		ex.Key = h.Alg.String() + ", no kid"
		if h.HasKid {
			ex.Key = fmt.Sprintf("%s, kid %q", h.Alg, h.Kid)
		}
	}
	switch {
	case d.Token.Verified():
		ex.Signature = "verified"
	case d.Reason == verify.ReasonSignature:
		ex.Signature = "wrong"
	case d.Reason == verify.ReasonKeysUnavailable:
		ex.undecided(d, now)
	default:
		ex.Signature = "not checked"
	}
	if d.Reason == verify.ReasonMethod {
		ex.Detail += "; those it has are for " + d.Allow
	}
	ex.Status = answerFor(ex.Reason).status
	ex.Hint = Hint(ex.Reason)
	if set.TextLen() > 0 {
		ex.Claims = describe(set, now)
	}
	return ex
}

// undecided says what would come of a token whose signature only serve could check, were it good.
func (ex *Explanation) undecided(d *gate.Decision, now int64) {
	ex.Undecided, ex.Reason, ex.Detail = true, verify.ReasonOK, ""
	ex.Signature = "not checked: this issuer's keys are fetched, and explain contacts nobody"
	h, set := d.Token.Unverified()
	is, policy := d.Token.UnverifiedIssuer(), &d.Route.Policy
	err := is.CheckClaims(h, set, now)
	if err == nil {
		err = policy.CheckClaims(is, set)
	}
	if err != nil {
		ex.Reason = verify.ReasonOf(err)
		ex.Detail = gate.Lacking(ex.Reason, is, set, policy)
	}
}

// describe lists the claims that decisions look at.
func describe(set *claims.Set, now int64) []string {
	var out []string
	for _, name := range []string{"iss", "sub", "aud", "client_id", "azp", "scope", "scp", "roles", "jti"} {
		if v, ok := set.Lookup(claims.Path{name}); ok {
			out = append(out, name+" = "+string(v.AppendJSON(nil)))
		}
	}
	date := func(name string, at int64, ok bool) {
		if !ok {
			out = append(out, name+" is absent")
			return
		}
		ago := time.Duration(now-at) * time.Second
		when := ago.String() + " ago"
		if ago < 0 {
			when = "in " + (-ago).String()
		}
		out = append(out, fmt.Sprintf("%s = %d (%s, %s)", name, at, time.Unix(at, 0).UTC().Format(time.RFC3339), when))
	}
	at, ok := set.Expiry()
	date("exp", at, ok)
	at, ok = set.NotBefore()
	date("nbf", at, ok)
	at, ok = set.IssuedAt()
	date("iat", at, ok)
	return out
}

// printable returns s with escapes for what does not print: what a token says must not speak to the terminal.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		if strconv.IsPrint(c) {
			b.WriteRune(c)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(c), "'"))
	}
	return b.String()
}

// Write prints the explanation for a person.
func (ex *Explanation) Write(w io.Writer) {
	verdict := "refused"
	if ex.Allowed {
		verdict = "allowed"
	}
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, printable(value))
		}
	}
	line("route", ex.Route)
	line("issuer", ex.Issuer)
	line("key", ex.Key)
	line("signature", ex.Signature)
	for _, c := range ex.Claims {
		line("claim", c)
	}
	line("note", ex.Note)
	if ex.Undecided {
		line("verdict", "undecided: give -jwks FILE, the issuer's key set as the provider serves it")
		verdict = "were the signature good, it would be refused"
		if ex.Reason == verify.ReasonOK {
			verdict = "were the signature good, it would be allowed"
		}
		line("otherwise", fmt.Sprintf("%s: %s (status %d)", verdict, ex.Reason, ex.Status))
	} else {
		line("verdict", fmt.Sprintf("%s: %s (status %d)", verdict, ex.Reason, ex.Status))
	}
	if ex.Detail == "" {
		line("because", ex.Hint)
		return
	}
	line("because", ex.Detail)
	line("hint", ex.Hint)
}
