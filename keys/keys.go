// Package keys turns JWK, JWKS, PEM and X.509 into verification keys.
//
// A set is read key by key: one that is unknown or broken is left out with a reason, and the good ones live.
package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	"github.com/valyala/fastjson"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// Options is what an issuer's config says about its keys.
type Options struct {
	// Algs are the issuer's algorithms. A JWK without alg serves those of them that fit its type.
	Algs       jose.AlgSet
	MaxKeys    int // in one set; 0: 100
	MaxRSABits int // 0: 4096
	Intern     *Interner
}

const defaultMaxKeys = 100

// jsonLimits bounds a set of up to maxKeys keys; its size in octets is bounded where it is read. A key has some fifteen
// members, its certificates included. The check for duplicates is quadratic in the members of one object, so this must not
// be generous: 24 000 in one object, for the most keys that a config can ask for, take 0.7 s, 4096 take 40 ms.
func jsonLimits(maxKeys int) jose.Limits {
	return jose.Limits{Depth: 16, Members: max(4096, 24*maxKeys)}
}

// Skipped is a key that was left out. Kid is from the set: at most 256 octets, and otherwise anything.
type Skipped struct {
	Index int
	Kid   string
	Why   string
	// Private says that it is a secret or holds one, so that who has read the set could sign.
	Private bool
}

// Parsed is what a set, a JWK or a PEM text held.
type Parsed struct {
	Entries []verify.KeyEntry
	Skipped []Skipped
}

// Interner makes equal key material one *verify.Key, so that an unchanged key keeps its pointer, and with it its tables and
// cache entries, through every refresh and reload. Each issuer has its own: keys are bound to their issuer.
type Interner struct {
	mu   sync.Mutex
	keys map[[32]byte]*verify.Key
}

// NewInterner returns an empty Interner.
func NewInterner() *Interner { return &Interner{keys: map[[32]byte]*verify.Key{}} }

// Intern returns the Key known for k's material, k itself when it is new. A nil Interner knows none.
func (in *Interner) Intern(k *verify.Key) *verify.Key {
	if in == nil {
		return k
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if old := in.keys[k.Fingerprint()]; old != nil {
		return old
	}
	in.keys[k.Fingerprint()] = k
	return k
}

// Sweep drops what is not in current.
func (in *Interner) Sweep(current *verify.KeySet) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for f, k := range in.keys {
		if !current.Contains(k) {
			delete(in.keys, f)
		}
	}
}

// ParseJWKS reads a JWK Set (RFC 7517, 5) that came over the network or from a file. Keys of unknown type, curve or algorithm
// are skipped, as are malformed ones, shared secrets and keys with private members. An error means that there is no set.
func ParseJWKS(data []byte, opt Options) (Parsed, error) {
	limit := opt.MaxKeys
	if limit == 0 {
		limit = defaultMaxKeys
	}
	root, err := parseObject(data, limit)
	if err != nil {
		return Parsed{}, fmt.Errorf("keys: cannot read JWK set: %w", err)
	}
	list := root.Get("keys")
	if list == nil && root.Exists("kty") {
		return Parsed{}, errors.New(`keys: cannot read JWK set: it is one key; a set is {"keys": [...]}`)
	}
	if list == nil || list.Type() != fastjson.TypeArray {
		return Parsed{}, errors.New(`keys: cannot read JWK set: it has no array "keys"`)
	}
	items := list.GetArray()
	if len(items) > limit {
		return Parsed{}, fmt.Errorf("keys: cannot read JWK set: %d keys are more than %d (max_keys)", len(items), limit)
	}
	var p Parsed
	for i, item := range items {
		entries, err := parseJWK(item, opt)
		if err != nil {
			kid := item.GetStringBytes("kid")
			p.Skipped = append(p.Skipped, Skipped{
				Index: i, Kid: string(kid[:min(len(kid), maxKid)]), Why: err.Error(), Private: errors.As(err, new(privateError)),
			})
			continue
		}
		p.Entries = append(p.Entries, entries...)
	}
	return p, nil
}

// ParseJWK reads one public JWK. Unlike in a set, what is wrong with it is an error.
func ParseJWK(data []byte, opt Options) (Parsed, error) {
	root, err := parseObject(data, 1)
	if err != nil {
		return Parsed{}, fmt.Errorf("keys: cannot read JWK: %w", err)
	}
	entries, err := parseJWK(root, opt)
	if err != nil {
		return Parsed{}, fmt.Errorf("keys: cannot use JWK: %w", err)
	}
	return Parsed{Entries: entries}, nil
}

// NewSecret makes the key of an HS algorithm. Secrets come from the config's files only, never from a key set.
func NewSecret(secret []byte, kid string, alg jose.Alg) (verify.KeyEntry, error) {
	if !alg.Symmetric() {
		return verify.KeyEntry{}, fmt.Errorf("keys: cannot use secret: %s takes none (HS256, HS384, HS512 do)", alg)
	}
	k, err := verify.NewKey(alg, secret)
	if err != nil {
		return verify.KeyEntry{}, err
	}
	return verify.KeyEntry{Kid: kid, HasKid: kid != "", Key: k}, nil
}

func parseObject(data []byte, maxKeys int) (*fastjson.Value, error) {
	if err := jose.CheckJSON(data, jsonLimits(maxKeys)); err != nil {
		return nil, err
	}
	return fastjson.ParseBytes(data)
}

// privateMembers are found in private keys only (RFC 7518, 6; RFC 8037, 2; RFC 9964, 3). A provider that publishes one has
// given its key away.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"}

// A privateError is why a key cannot be public.
type privateError string

func (e privateError) Error() string { return string(e) }

// parseJWK reads one key: an entry for each algorithm that it may be used with.
func parseJWK(v *fastjson.Value, opt Options) ([]verify.KeyEntry, error) {
	if v.Type() != fastjson.TypeObject {
		return nil, errors.New("not a JSON object")
	}
	kty, err := member(v, "kty")
	if err != nil {
		return nil, err
	}
	if kty == "oct" {
		return nil, privateError("a shared secret in a key set: anybody who can read the set could sign")
	}
	for _, name := range privateMembers {
		if v.Exists(name) {
			return nil, privateError(fmt.Sprintf("it holds the private member %q: this key is public now, replace it at the provider", name))
		}
	}
	if err := checkUse(v); err != nil {
		return nil, err
	}
	public, fitting, err := publicKey(v, kty)
	if err != nil {
		return nil, err
	}
	algs, err := jwkAlgs(v, fitting, opt.Algs)
	if err != nil {
		return nil, err
	}
	kid, hasKid, err := jwkKid(v)
	if err != nil {
		return nil, err
	}
	var entries []verify.KeyEntry
	for _, alg := range algs {
		k, err := verify.NewKeyOpts(alg, public, verify.KeyOptions{MaxRSABits: opt.MaxRSABits})
		if err != nil {
			return nil, err
		}
		entries = append(entries, verify.KeyEntry{Kid: kid, HasKid: hasKid, Key: opt.Intern.Intern(k)})
	}
	return entries, nil
}

// member returns a string member that must be there.
func member(v *fastjson.Value, name string) (string, error) {
	m := v.Get(name)
	if m == nil {
		return "", fmt.Errorf("it has no %q", name)
	}
	if m.Type() != fastjson.TypeString {
		return "", fmt.Errorf("its %q is not a string", name)
	}
	return string(m.GetStringBytes()), nil
}

// checkUse lets a key pass whose use is absent or sig and whose key_ops are absent or contain verify (RFC 7517, 4.2, 4.3).
func checkUse(v *fastjson.Value) error {
	if v.Exists("use") {
		use, err := member(v, "use")
		if err != nil {
			return err
		}
		if use != "sig" {
			return fmt.Errorf("its use is %.20q, not sig", use)
		}
	}
	ops := v.Get("key_ops")
	if ops == nil {
		return nil
	}
	if ops.Type() != fastjson.TypeArray {
		return errors.New(`its "key_ops" is not an array`)
	}
	seen := map[string]bool{}
	for _, op := range ops.GetArray() {
		name := string(op.GetStringBytes())
		if op.Type() != fastjson.TypeString || seen[name] {
			// RFC 7517, 4.3: an array of strings, in which duplicates MUST NOT be present.
			return errors.New("its key_ops are not strings that differ")
		}
		seen[name] = true
	}
	if !seen["verify"] {
		return errors.New("its key_ops do not contain verify")
	}
	return nil
}

const maxKid = 256

func jwkKid(v *fastjson.Value) (string, bool, error) {
	if !v.Exists("kid") {
		return "", false, nil
	}
	kid, err := member(v, "kid")
	if err != nil {
		return "", false, err
	}
	if len(kid) > maxKid {
		return "", false, errors.New("its kid is too long")
	}
	return kid, true, nil
}

// jwkAlgs returns the algorithms that a key may be used with. Its own alg decides; without one those of the config that fit
// its type, or, with none in the config, RS256, the curve's ES or Ed25519 alone (SECURITY notes 1.3). Never the token.
func jwkAlgs(v *fastjson.Value, fitting []jose.Alg, configured jose.AlgSet) ([]jose.Alg, error) {
	if v.Exists("alg") {
		name, err := member(v, "alg")
		if err != nil {
			return nil, err
		}
		alg := jose.ParseAlg([]byte(name))
		if alg == jose.AlgInvalid || !slices.Contains(fitting, alg) {
			return nil, fmt.Errorf("its alg %.20q is unknown or does not fit its type", name)
		}
		return []jose.Alg{alg}, nil
	}
	if configured == 0 {
		return fitting[:1], nil
	}
	var algs []jose.Alg
	for _, f := range fitting {
		if configured.Has(f) {
			algs = append(algs, f)
		}
	}
	if len(algs) == 0 {
		return nil, errors.New("none of the issuer's algorithms fits its type")
	}
	return algs, nil
}

// publicKey decodes the key and says which algorithms fit it, the default one first.
func publicKey(v *fastjson.Value, kty string) (any, []jose.Alg, error) {
	switch kty {
	case "RSA":
		key, err := rsaKey(v)
		return key, []jose.Alg{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}, err
	case "EC":
		return ecKey(v)
	case "OKP":
		return okpKey(v)
	case "AKP":
		return akpKey(v)
	}
	return nil, nil, fmt.Errorf("its kty %.20q is unknown", kty)
}

// octets decodes a base64url member.
func octets(v *fastjson.Value, name string) ([]byte, error) {
	s, err := member(v, name)
	if err != nil {
		return nil, err
	}
	b, err := jose.DecodeSegment(nil, []byte(s))
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("its %q is not base64url", name)
	}
	return b, nil
}

// rsaKey reads n and e (RFC 7518, 6.3.1): Base64urlUInt, without leading zero octets.
func rsaKey(v *fastjson.Value) (*rsa.PublicKey, error) {
	n, err := octets(v, "n")
	if err != nil {
		return nil, err
	}
	e, err := octets(v, "e")
	if err != nil {
		return nil, err
	}
	if n[0] == 0 || e[0] == 0 {
		return nil, errors.New("its n or e has a leading zero octet")
	}
	if len(e) > 4 || len(n) > 8192/8 {
		return nil, errors.New("its n or e is too large")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// ecKey reads crv, x and y (RFC 7518, 6.2.1): coordinates of exactly the field's size, on the curve.
func ecKey(v *fastjson.Value) (any, []jose.Alg, error) {
	crv, err := member(v, "crv")
	if err != nil {
		return nil, nil, err
	}
	var curve elliptic.Curve
	var alg jose.Alg
	switch crv {
	case "P-256":
		curve, alg = elliptic.P256(), jose.ES256
	case "P-384":
		curve, alg = elliptic.P384(), jose.ES384
	case "P-521":
		curve, alg = elliptic.P521(), jose.ES512
	default:
		return nil, nil, fmt.Errorf("its crv %.20q is unknown", crv)
	}
	x, err := octets(v, "x")
	if err != nil {
		return nil, nil, err
	}
	y, err := octets(v, "y")
	if err != nil {
		return nil, nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, nil, errors.New("its x or y has not the length of the field")
	}
	point := append(append([]byte{4}, x...), y...)
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, nil, errors.New("its point is not on the curve")
	}
	return key, []jose.Alg{alg}, nil
}

// okpKey reads an Edwards key (RFC 8037, 2).
func okpKey(v *fastjson.Value) (any, []jose.Alg, error) {
	crv, err := member(v, "crv")
	if err != nil {
		return nil, nil, err
	}
	if crv != "Ed25519" && crv != "Ed448" {
		return nil, nil, fmt.Errorf("its crv %.20q is unknown or not for signatures", crv)
	}
	x, err := octets(v, "x")
	if err != nil {
		return nil, nil, err
	}
	if crv == "Ed25519" {
		return ed25519.PublicKey(x), []jose.Alg{jose.Ed25519, jose.EdDSA}, nil
	}
	return ed448.PublicKey(x), []jose.Alg{jose.Ed448, jose.EdDSA}, nil
}

// akpKey reads an ML-DSA key (RFC 9964): alg, which must be there, decides what pub is.
func akpKey(v *fastjson.Value) (any, []jose.Alg, error) {
	name, err := member(v, "alg")
	if err != nil {
		return nil, nil, err
	}
	pub, err := octets(v, "pub")
	if err != nil {
		return nil, nil, err
	}
	var key interface{ UnmarshalBinary([]byte) error }
	alg := jose.ParseAlg([]byte(name))
	switch alg {
	case jose.MLDSA44:
		key = new(mldsa44.PublicKey)
	case jose.MLDSA65:
		key = new(mldsa65.PublicKey)
	case jose.MLDSA87:
		key = new(mldsa87.PublicKey)
	default:
		return nil, nil, fmt.Errorf("its alg %.20q is unknown", name)
	}
	if err := key.UnmarshalBinary(pub); err != nil {
		return nil, nil, errors.New("its pub has not the length of the algorithm")
	}
	return key, []jose.Alg{alg}, nil
}
