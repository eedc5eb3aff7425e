// Package jose reads the outside of a token: compact JWS, strict base64url, strict JSON, the JOSE header.
//
// It knows no keys and no policy. Everything it accepts has exactly one reading; what could be read in two ways is refused.
package jose

import (
	"errors"
	"strings"
)

// Errors of this package, to be told apart with errors.Is. They hold no byte of the input.
var (
	ErrMalformed = errors.New("jose: token is malformed")
	ErrCritical  = errors.New("jose: header has a parameter that must be understood and is not")
	ErrAlgorithm = errors.New("jose: header has no known alg")
)

// Alg is a signature algorithm of the JOSE registry. The zero value is invalid.
type Alg uint8

// The algorithms. EdDSA is the deprecated polymorphic name (RFC 9864); a key bears either it or the full name.
const (
	AlgInvalid Alg = iota
	RS256
	RS384
	RS512
	PS256
	PS384
	PS512
	ES256
	ES384
	ES512
	EdDSA
	Ed25519
	Ed448
	HS256
	HS384
	HS512
	MLDSA44
	MLDSA65
	MLDSA87
	NumAlgs
)

// algNames holds the registered names (RFC 7518, 3.1; RFC 8037; RFC 9864; RFC 9964).
var algNames = [NumAlgs]string{
	AlgInvalid: "invalid",
	RS256:      "RS256", RS384: "RS384", RS512: "RS512",
	PS256: "PS256", PS384: "PS384", PS512: "PS512",
	ES256: "ES256", ES384: "ES384", ES512: "ES512",
	EdDSA: "EdDSA", Ed25519: "Ed25519", Ed448: "Ed448",
	HS256: "HS256", HS384: "HS384", HS512: "HS512",
	MLDSA44: "ML-DSA-44", MLDSA65: "ML-DSA-65", MLDSA87: "ML-DSA-87",
}

// ParseAlg returns the algorithm with exactly this name, or AlgInvalid. "none" in any spelling is not one.
func ParseAlg(name []byte) Alg {
	for a := AlgInvalid + 1; a < NumAlgs; a++ {
		if string(name) == algNames[a] {
			return a
		}
	}
	return AlgInvalid
}

// AlgNames returns all names, separated by commas: what ParseAlg knows.
func AlgNames() string { return strings.Join(algNames[AlgInvalid+1:], ", ") }

// String returns the registered name.
func (a Alg) String() string {
	if a >= NumAlgs {
		return algNames[AlgInvalid]
	}
	return algNames[a]
}

// Symmetric reports whether the key is a shared secret (HS*).
func (a Alg) Symmetric() bool { return a == HS256 || a == HS384 || a == HS512 }

// AlgSet is a set of algorithms. The zero value is empty.
type AlgSet uint32

// NewAlgSet returns the set of algs.
func NewAlgSet(algs ...Alg) AlgSet {
	var s AlgSet
	for _, a := range algs {
		s = s.With(a)
	}
	return s
}

// Has reports whether a is in the set. AlgInvalid never is.
func (s AlgSet) Has(a Alg) bool { return a != AlgInvalid && a < NumAlgs && s&(1<<a) != 0 }

// With returns the set with a added; AlgInvalid adds nothing.
func (s AlgSet) With(a Alg) AlgSet {
	if a == AlgInvalid || a >= NumAlgs {
		return s
	}
	return s | 1<<a
}

// Compact is a compact JWS (RFC 7515, 7.1), split but not decoded. All parts are views into the token.
type Compact struct {
	Header, Payload, Signature []byte // base64url
	SigningInput               []byte // Header "." Payload
}

// Split finds the three parts of raw. An empty header or signature and any other number of dots are refused; the search ends
// at the fourth part, however many follow (CVE-2025-30204). An empty payload is a JWS (RFC 7515, 7.1), though never a JWT.
// The alphabet is checked when a part is decoded.
func Split(raw []byte) (Compact, error) {
	first := indexDot(raw, 0)
	if first <= 0 {
		return Compact{}, ErrMalformed
	}
	second := indexDot(raw, first+1)
	if second < 0 || second == len(raw)-1 {
		return Compact{}, ErrMalformed
	}
	if indexDot(raw, second+1) >= 0 {
		return Compact{}, ErrMalformed
	}
	return Compact{
		Header: raw[:first:first], Payload: raw[first+1 : second : second], Signature: raw[second+1:],
		SigningInput: raw[:second:second],
	}, nil
}
