package gate

import (
	"errors"

	"sallyport/edge/header"
	"sallyport/verify"
)

const malformedCredentials = "Authorization field is malformed"

// bearer reports whether the token is taken from Authorization.
func (rt *Route) bearer() bool { return rt.TokenCookie == "" && rt.TokenHeader == "" }

// credential takes the token from the one place that the route names. More than one candidate is refused, since two readers
// could choose differently (RFC 6750, 2: clients must not use more than one method).
func credential(d *Decision, rt *Route, f *header.Fields) ([]byte, verify.Reason, string) {
	switch {
	case rt.TokenCookie != "":
		return fromCookie(d, rt.TokenCookie, f)
	case rt.TokenHeader != "":
		value, n := f.Get(rt.TokenHeader)
		return single(d, value, n)
	}
	d.Tokens = f.Count(header.KindAuthorization)
	switch d.Tokens {
	case 0:
		return nil, verify.ReasonNoToken, "no Authorization field"
	case 1:
	default:
		return nil, verify.ReasonMultipleTokens, "more than one Authorization field"
	}
	token, err := header.BearerToken(f.First(header.KindAuthorization).Value)
	switch {
	case errors.Is(err, header.ErrOtherScheme):
		return nil, verify.ReasonNoToken, "Authorization is not of the Bearer scheme"
	case err != nil:
		return nil, verify.ReasonBadCredentials, malformedCredentials
	}
	return token, verify.ReasonOK, ""
}

func fromCookie(d *Decision, name string, f *header.Fields) ([]byte, verify.Reason, string) {
	var token []byte
	count := 0
	for i := range f.All() {
		field := &f.All()[i]
		if field.Kind != header.KindCookie {
			continue
		}
		t, n := header.CookieToken(field.Value, name)
		if n > 0 {
			token = t
		}
		count += n
	}
	return single(d, token, count)
}

func single(d *Decision, token []byte, n int) ([]byte, verify.Reason, string) {
	d.Tokens = n
	switch {
	case n == 0:
		return nil, verify.ReasonNoToken, "the route's token field or cookie is absent"
	case n > 1:
		return nil, verify.ReasonMultipleTokens, "more than one token"
	case len(token) == 0:
		return nil, verify.ReasonBadCredentials, "the route's token field or cookie is empty"
	}
	return token, verify.ReasonOK, ""
}
