package edge

import (
	"strconv"

	"sallyport/verify"
)

// Codes of RFC 6750, 3.1. The client learns no more than one of these; the detail is in the audit log.
const (
	codeInvalidRequest    = "invalid_request"
	codeInvalidToken      = "invalid_token"
	codeInsufficientScope = "insufficient_scope"
)

// An answer is what one Reason looks like from outside.
type answer struct {
	status     int    // HTTP status
	challenge  bool   // send WWW-Authenticate: Bearer
	code       string // RFC 6750 error code in the challenge; "" for none
	text       string // error_description: fixed words, no byte of the request
	retryAfter int    // seconds; 0 for none
	close      bool   // close the connection: the framing or the peer is in doubt
	verdict    string // audit word: allow, deny or error
}

const (
	verdictAllow = "allow"
	verdictDeny  = "deny"
	verdictError = "error"
)

// answers is total over verify.Reason (TestAnswersAreTotal). Source: SECURITY notes 1.1; RFC 6750, 3; RFC 9110, 15.
// What goes wrong before or in the signature has one text, so that a forger learns nothing from it.
var answers = [verify.NumReasons]answer{
	verify.ReasonInvalid: {status: 500, verdict: verdictError, text: "internal error"},
	verify.ReasonOK:      {status: 200, verdict: verdictAllow},
	verify.ReasonPublic:  {status: 200, verdict: verdictAllow},

	// RFC 6750, 3.1: no error code when the request has no authentication information.
	verify.ReasonNoToken:        {status: 401, challenge: true, verdict: verdictDeny, text: "authentication is required"},
	verify.ReasonBadCredentials: {status: 400, challenge: true, code: codeInvalidRequest, verdict: verdictDeny, text: "the credentials are malformed"},
	verify.ReasonMultipleTokens: {status: 400, challenge: true, code: codeInvalidRequest, verdict: verdictDeny, text: "more than one access token"},

	verify.ReasonMalformed:        invalidToken("the access token is invalid"),
	verify.ReasonTooLarge:         invalidToken("the access token is invalid"),
	verify.ReasonCritical:         invalidToken("the access token is invalid"),
	verify.ReasonAlgorithm:        invalidToken("the access token is invalid"),
	verify.ReasonUnverified:       invalidToken("the access token is invalid"),
	verify.ReasonUnknownKey:       invalidToken("the access token is invalid"),
	verify.ReasonKeysUnavailable:  {status: 503, retryAfter: 5, verdict: verdictError, text: "keys of the issuer are not available"},
	verify.ReasonVerificationBusy: {status: 503, retryAfter: 1, verdict: verdictError, text: "too many tokens to verify"},
	verify.ReasonSignature:        invalidToken("the access token is invalid"),
	verify.ReasonType:             invalidToken("the token is not an access token"),
	verify.ReasonIssuer:           invalidToken("the access token's issuer is not accepted here"),
	verify.ReasonAudience:         invalidToken("the access token is for another audience"),
	verify.ReasonExpired:          invalidToken("the access token has expired"),
	verify.ReasonNotYetValid:      invalidToken("the access token is not valid yet"),
	verify.ReasonLifetime:         invalidToken("the access token lives too long"),
	verify.ReasonClaim:            invalidToken("the access token lacks a required claim"),
	verify.ReasonConfirmation:     invalidToken("the access token is bound to a key that was not proven"),
	verify.ReasonRevoked:          invalidToken("the access token was revoked"),

	verify.ReasonScope:      {status: 403, challenge: true, code: codeInsufficientScope, verdict: verdictDeny, text: "a required scope is missing"},
	verify.ReasonRole:       {status: 403, challenge: true, code: codeInsufficientScope, verdict: verdictDeny, text: "a required role is missing"},
	verify.ReasonClaimValue: {status: 403, challenge: true, code: codeInsufficientScope, verdict: verdictDeny, text: "a claim does not have the required value"},

	verify.ReasonBadRequest:     {status: 400, close: true, verdict: verdictDeny, text: "bad request"},
	verify.ReasonNoRoute:        {status: 404, verdict: verdictDeny, text: "not found"},
	verify.ReasonMethod:         {status: 405, verdict: verdictDeny, text: "method not allowed"},
	verify.ReasonNotImplemented: {status: 501, close: true, verdict: verdictDeny, text: "not implemented"},
	verify.ReasonHeaderTooLarge: {status: 431, close: true, verdict: verdictDeny, text: "request header fields too large"},
	verify.ReasonURITooLong:     {status: 414, close: true, verdict: verdictDeny, text: "URI too long"},
	verify.ReasonBodyTooLarge:   {status: 413, close: true, verdict: verdictDeny, text: "content too large"},
	verify.ReasonRequestTimeout: {status: 408, close: true, verdict: verdictDeny, text: "request timeout"},
	verify.ReasonExpectation:    {status: 417, close: true, verdict: verdictDeny, text: "expectation failed"},
	verify.ReasonVersion:        {status: 505, close: true, verdict: verdictDeny, text: "HTTP version not supported"},

	verify.ReasonUpstreamUnreachable: {status: 502, verdict: verdictError, text: "the upstream cannot be reached"},
	verify.ReasonUpstreamResponse:    {status: 502, verdict: verdictError, text: "the upstream's response is not valid"},
	verify.ReasonUpstreamTimeout:     {status: 504, verdict: verdictError, text: "the upstream did not answer in time"},
	verify.ReasonUpstreamBusy:        {status: 503, retryAfter: 1, verdict: verdictError, text: "the upstream is busy"},
	verify.ReasonOverloaded:          {status: 503, retryAfter: 1, verdict: verdictError, text: "overloaded"},
	// Never sent: there is nobody to read it. The number is the one that nginx made known.
	verify.ReasonClientGone: {status: 499, close: true, verdict: verdictError, text: "client closed the request"},
	verify.ReasonInternal:   {status: 500, close: true, verdict: verdictError, text: "internal error"},
}

func invalidToken(text string) answer {
	return answer{status: 401, challenge: true, code: codeInvalidToken, verdict: verdictDeny, text: text}
}

// answerFor never returns an allowing answer for a reason outside the table.
func answerFor(r verify.Reason) *answer {
	if r >= verify.NumReasons {
		r = verify.ReasonInvalid
	}
	return &answers[r]
}

// reasonForStatus maps a status that the framing layer chose back to its reason.
func reasonForStatus(status int) verify.Reason {
	switch status {
	case 408:
		return verify.ReasonRequestTimeout
	case 413:
		return verify.ReasonBodyTooLarge
	case 414:
		return verify.ReasonURITooLong
	case 417:
		return verify.ReasonExpectation
	case 431:
		return verify.ReasonHeaderTooLarge
	case 501:
		return verify.ReasonNotImplemented
	case 505:
		return verify.ReasonVersion
	}
	return verify.ReasonBadRequest
}

// appendChallenge appends the value of WWW-Authenticate (RFC 6750, 3; RFC 9110, 11.6.1). realm and scope come from the config; scope
// is "" unless it is what is lacking.
func appendChallenge(dst []byte, a *answer, realm, scope string) []byte {
	dst = append(dst, `Bearer realm=`...)
	dst = appendQuoted(dst, realm)
	if a.code == "" {
		return dst
	}
	dst = append(dst, `, error=`...)
	dst = appendQuoted(dst, a.code)
	dst = append(dst, `, error_description=`...)
	dst = appendQuoted(dst, a.text)
	if scope != "" {
		dst = append(dst, `, scope=`...)
		dst = appendQuoted(dst, scope)
	}
	return dst
}

// appendQuoted appends s as a quoted-string (RFC 9110, 5.6.4).
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		if c < 0x20 || c > 0x7e {
			c = '?'
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// appendErrorBody appends the JSON body of a refusal. requestID is our own or has passed validRequestID.
func appendErrorBody(dst []byte, a *answer, requestID []byte) []byte {
	dst = append(dst, `{"status":`...)
	dst = strconv.AppendInt(dst, int64(a.status), 10)
	dst = append(dst, `,"error":"`...)
	if a.code != "" {
		dst = append(dst, a.code...)
		dst = append(dst, `","error_description":"`...)
	}
	dst = append(dst, a.text...)
	dst = append(dst, `","request_id":"`...)
	dst = append(dst, requestID...)
	return append(dst, "\"}\n"...)
}
