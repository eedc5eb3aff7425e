package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

func (v *validator) issuer(is *Issuer, path string) {
	if is.Issuer == "" {
		v.fault(path+".issuer", "is required: exactly the iss of its tokens")
	}
	if strings.ContainsFunc(is.Issuer, func(c rune) bool { return !strconv.IsPrint(c) }) {
		v.fault(path+".issuer", "%q holds a character that is not printable", is.Issuer)
	}
	v.audiences(is, path)
	v.oneOf(path+".type", is.Type, "at+jwt", "jwt-or-absent", "any-access")
	v.algorithms(is, path)
	v.keySource(is, path)
	v.claimPath(path+".roles_claim", is.RolesClaim)
	v.once(path+".required_claims", is.RequiredClaims)
	for i, c := range is.RequiredClaims {
		v.claimPath(fmt.Sprintf("%s.required_claims[%d]", path, i), c)
	}
	v.seconds(path+".clock_skew", is.ClockSkew, 0, 10*time.Minute)
	if v.given[path+".max_lifetime"] {
		v.seconds(path+".max_lifetime", is.MaxLifetime, time.Second, 87600*time.Hour)
	}
	v.within(path+".refresh_interval", is.RefreshInterval, 10*time.Second, 24*time.Hour)
	v.within(path+".fetch_timeout", is.FetchTimeout, 100*time.Millisecond, time.Minute)
	if is.MaxJWKSBytes < 1<<10 || is.MaxJWKSBytes > 64<<20 {
		v.fault(path+".max_jwks_bytes", "is out of range (allowed: 1KiB to 64MiB)")
	}
	v.number(path+".max_keys", is.MaxKeys, 1, 1000)
	v.number(path+".max_rsa_bits", is.MaxRSABits, 2048, 8192)
	v.file(path+".ca_file", is.CAFile)
}

func (v *validator) audiences(is *Issuer, path string) {
	if !is.Audiences.Unchecked && len(is.Audiences.Values) == 0 {
		v.fault(path+".audiences", "is required: the values of which aud must have one (allowed: an array of strings; \"unchecked\" gives the check up)")
	}
	v.once(path+".audiences", is.Audiences.Values)
	v.oneOf(path+".audience_claim", is.AudienceClaim, "aud", "client_id")
	if is.Audiences.Unchecked && v.given[path+".audience_claim"] {
		v.fault(path+".audience_claim", "has no use with audiences = \"unchecked\"")
	}
}

func (v *validator) algorithms(is *Issuer, path string) {
	if len(is.Algorithms) == 0 {
		v.fault(path+".algorithms", "is required: the algorithms that its tokens may have, such as [\"RS256\"]")
	}
	v.once(path+".algorithms", is.Algorithms)
	network := is.Discovery != "" || is.JWKSURI != "" || is.JWKSFile != ""
	for i, name := range is.Algorithms {
		at := fmt.Sprintf("%s.algorithms[%d]", path, i)
		alg := jose.ParseAlg([]byte(name))
		switch {
		case alg == jose.AlgInvalid:
			v.fault(at, "%q is not known (allowed: %s)", name, jose.AlgNames())
		case alg.Symmetric() && network:
			v.fault(at, "%s is a shared secret: it cannot come from a key set, only from keys with secret_file", name)
		}
	}
}

func (v *validator) keySource(is *Issuer, path string) {
	n, spoilt := 0, false
	for key, set := range map[string]bool{
		"discovery": is.Discovery != "", "jwks_uri": is.JWKSURI != "", "jwks_file": is.JWKSFile != "", "keys": len(is.Keys) > 0,
	} {
		if set {
			n++
		}
		spoilt = spoilt || v.bad[path+"."+key]
	}
	if n != 1 && !spoilt {
		v.fault(path, "needs exactly one source of keys (allowed: discovery, jwks_uri, jwks_file or [[issuer.keys]])")
	}
	switch is.Discovery {
	case "":
	case "oidc", "oauth":
		v.url(path+".issuer", is.Issuer, is.AllowHTTP)
	default:
		v.url(path+".discovery", is.Discovery, is.AllowHTTP, "oidc", "oauth")
	}
	if is.JWKSURI != "" {
		v.url(path+".jwks_uri", is.JWKSURI, is.AllowHTTP)
	}
	v.file(path+".jwks_file", is.JWKSFile)
	type name struct{ kid, algorithm string }
	first := map[name]bool{}
	for i := range is.Keys {
		k, at := &is.Keys[i], fmt.Sprintf("%s.keys[%d]", path, i)
		v.inlineKey(is, k, at)
		if n := (name{k.Kid, k.Algorithm}); k.JWK == "" {
			if first[n] {
				v.fault(at, "another key has the same kid and algorithm: neither could ever be used")
			}
			first[n] = true
		}
	}
}

// url checks where keys are fetched from; words are allowed besides. The text of one with credentials is not repeated.
func (v *validator) url(path, raw string, allowHTTP bool, words ...string) {
	u, err := url.Parse(raw)
	allowed := strings.Join(append(words, "https://host/path"), ", ")
	switch {
	case err != nil:
		v.fault(path, "is not a URL that keys can be fetched from (allowed: %s)", allowed)
	case u.User != nil:
		v.fault(path, "holds credentials; keys are public (allowed: %s)", allowed)
	case u.Hostname() == "" || u.Fragment != "" || !validPort(u.Port()):
		v.fault(path, "%q is not a URL that keys can be fetched from (allowed: %s)", raw, allowed)
	case u.Scheme == "http" && !allowHTTP:
		v.fault(path, "%q is not https (allow_http = true permits it, for loopback)", raw)
	case u.Scheme != "https" && u.Scheme != "http":
		v.fault(path, "%q is not https (allowed: %s)", raw, allowed)
	}
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || (err == nil && n >= 1 && n <= 65535)
}

// maxKid is what a token's kid may have at most, in bytes.
const maxKid = 256

func (v *validator) inlineKey(is *Issuer, k *InlineKey, path string) {
	n := 0
	for _, s := range []string{k.PEM, k.PEMFile, k.JWK, k.SecretFile} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		v.fault(path, "needs exactly one of pem, pem_file, jwk and secret_file")
	}
	if strings.Contains(k.PEM, "PRIVATE KEY") {
		v.fault(path+".pem", "is a private key: the proxy needs the public one, and nobody but the issuer should have this")
	}
	v.file(path+".pem_file", k.PEMFile)
	v.secret(path+".secret_file", k.SecretFile)
	if len(k.Kid) > maxKid {
		v.fault(path+".kid", "has %d bytes; tokens with more than %d are refused, so the key could never be used", len(k.Kid), maxKid)
	}
	if k.JWK != "" {
		if k.Kid != "" || k.Algorithm != "" {
			v.fault(path, "kid and algorithm stand in the JWK itself")
		}
		return
	}
	alg := jose.ParseAlg([]byte(k.Algorithm))
	switch {
	case alg == jose.AlgInvalid:
		v.fault(path+".algorithm", "%q is not known; a key without JWK needs its algorithm (allowed: %s)", k.Algorithm, jose.AlgNames())
	case n == 1 && alg.Symmetric() != (k.SecretFile != ""):
		v.fault(path+".algorithm", "%s does not go with this kind of key: HS256, HS384 and HS512 need secret_file, the others a public key", k.Algorithm)
	case len(is.Algorithms) > 0 && !slices.Contains(is.Algorithms, k.Algorithm):
		v.fault(path+".algorithm", "%s is not in the issuer's algorithms, so the key could never be used", k.Algorithm)
	}
}

func (v *validator) claimPath(path, claim string) {
	if _, err := claims.ParsePath(claim); err != nil {
		v.fault(path, "%q is not a claim (allowed: name, nested.name, or a JSON Pointer such as \"/https:~1~1example.com~1roles\")", claim)
	}
}
