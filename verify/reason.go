// Package verify decides whether a token is good: bytes, keys and a time in, a verdict out.
//
// It is a pure library: no I/O, no clock, no log, no goroutine. Times are Unix seconds that the caller passes.
package verify

import "errors"

// Reason says why a request was answered as it was. The zero value is invalid and always a refusal.
type Reason uint8

// The reasons. The table in edge maps each to a status, an RFC 6750 code, a metric label and an audit word.
const (
	ReasonInvalid Reason = iota // never set on purpose; answered as an internal error

	ReasonOK     // verified and allowed
	ReasonPublic // allowed without a token: public route or CORS preflight

	// The credentials, before any token is read.
	ReasonNoToken        // no credentials, or another scheme
	ReasonBadCredentials // malformed Authorization field
	ReasonMultipleTokens // more than one token or Authorization field

	// The token. Up to and including ReasonSignature nothing in it is to be believed.
	ReasonMalformed        // not a compact JWS of strict base64url and strict JSON objects
	ReasonTooLarge         // longer than limits.token
	ReasonCritical         // crit, b64 or another header parameter that must be understood
	ReasonAlgorithm        // alg unknown, "none", or not allowed for the issuer
	ReasonUnverified       // refused before its signature was checked: issuer not ours, or exp has passed
	ReasonUnknownKey       // no current key of this issuer has this kid and alg
	ReasonKeysUnavailable  // the issuer has no keys yet: 503
	ReasonVerificationBusy // the pool has no room for another signature check: 503
	ReasonSignature        // signature does not verify
	ReasonType             // typ is not one that this issuer's access tokens have
	ReasonIssuer           // the issuer is not allowed on this route
	ReasonAudience         // aud names none of ours
	ReasonExpired          // exp has passed
	ReasonNotYetValid      // nbf or iat lies in the future
	ReasonLifetime         // exp − iat is above max_lifetime
	ReasonClaim            // a required claim is missing, or a registered one has the wrong type
	ReasonConfirmation     // cnf: the token is bound to a key that was not proven
	ReasonRevoked          // a rule of the Denylist names it

	// What the route asks for: 403.
	ReasonScope
	ReasonRole
	ReasonClaimValue

	// The request.
	ReasonBadRequest
	ReasonNoRoute
	ReasonMethod
	ReasonNotImplemented // unknown method or transfer coding: 501
	ReasonHeaderTooLarge // 431
	ReasonURITooLong     // 414
	ReasonBodyTooLarge   // 413
	ReasonRequestTimeout // 408
	ReasonExpectation    // 417
	ReasonVersion        // 505

	// This node and its upstreams.
	ReasonUpstreamUnreachable // 502
	ReasonUpstreamResponse    // 502: not a valid response
	ReasonUpstreamTimeout     // 504
	ReasonUpstreamBusy        // 503: every connection is in use
	ReasonOverloaded          // 503: audit log full and when_full = "refuse"
	ReasonClientGone          // 499 in logs only: client went away
	ReasonInternal            // 500

	NumReasons // how many there are; for tables
)

// words are the metric labels and audit words, one for each Reason.
var words = [NumReasons]string{
	ReasonInvalid: "invalid", ReasonOK: "ok", ReasonPublic: "public",
	ReasonNoToken: "no_token", ReasonBadCredentials: "bad_credentials", ReasonMultipleTokens: "multiple_tokens",
	ReasonMalformed: "malformed", ReasonTooLarge: "too_large", ReasonCritical: "critical_header",
	ReasonAlgorithm: "algorithm", ReasonUnverified: "unverified", ReasonUnknownKey: "unknown_key",
	ReasonKeysUnavailable: "keys_unavailable", ReasonVerificationBusy: "verification_busy", ReasonSignature: "signature", ReasonType: "type",
	ReasonIssuer: "issuer", ReasonAudience: "audience", ReasonExpired: "expired", ReasonNotYetValid: "not_yet_valid",
	ReasonLifetime: "lifetime", ReasonClaim: "claim", ReasonConfirmation: "confirmation", ReasonRevoked: "revoked",
	ReasonScope: "scope", ReasonRole: "role", ReasonClaimValue: "claim_value",
	ReasonBadRequest: "bad_request", ReasonNoRoute: "no_route", ReasonMethod: "method",
	ReasonNotImplemented: "not_implemented", ReasonHeaderTooLarge: "header_too_large", ReasonURITooLong: "uri_too_long",
	ReasonBodyTooLarge: "body_too_large", ReasonRequestTimeout: "request_timeout", ReasonExpectation: "expectation",
	ReasonVersion:             "http_version",
	ReasonUpstreamUnreachable: "upstream_unreachable", ReasonUpstreamResponse: "upstream_response",
	ReasonUpstreamTimeout: "upstream_timeout", ReasonUpstreamBusy: "upstream_busy",
	ReasonOverloaded: "overloaded", ReasonClientGone: "client_gone", ReasonInternal: "internal",
}

// String returns the word for metrics and the audit log.
func (r Reason) String() string {
	if r >= NumReasons {
		return words[ReasonInvalid]
	}
	return words[r]
}

// Error is a refusal. There is one value for each Reason, so that the hot path allocates none.
type Error struct{ reason Reason }

// Error implements error.
func (e *Error) Error() string { return "verify: refused: " + e.reason.String() }

var refusals = func() (t [NumReasons]Error) {
	for r := range t {
		t[r].reason = Reason(r)
	}
	return t
}()

// Err returns the error of r.
func Err(r Reason) *Error {
	if r >= NumReasons {
		r = ReasonInvalid
	}
	return &refusals[r]
}

// ReasonOf returns the Reason of err: ReasonOK for nil, ReasonInternal for an error that is not of this package.
func ReasonOf(err error) Reason {
	if err == nil {
		return ReasonOK
	}
	if e, ok := err.(*Error); ok {
		return e.reason
	}
	var e *Error
	if errors.As(err, &e) {
		return e.reason
	}
	return ReasonInternal
}
