package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"sallyport/verify/jose"
)

// Key is one verification key with exactly one algorithm (RFC 7517, 4.4; RFC 9864). It is immutable and safe for
// concurrent use. Its pointer is its identity: keys interns equal material to one Key.
type Key struct {
	alg         jose.Alg
	scheme      scheme
	fingerprint [32]byte
}

// A scheme checks signatures with the state that was precomputed for one key. Kernels of our own are further schemes.
type scheme interface {
	// verify reports whether sig, already decoded, is a valid signature over input. All inputs are public but an HMAC key.
	verify(input, sig []byte) bool
}

// KeyOptions relaxes the rules for keys.
type KeyOptions struct {
	MaxRSABits int // default 4096, at most 8192: the cost of a verification grows with the square
}

// Bounds for RSA moduli in bits (RFC 7518, 3.3: 2048 at least; CVE-2023-29409: 8192 at most).
const (
	minRSABits        = 2048
	defaultMaxRSABits = 4096
	maxRSABits        = 8192
)

// NewKey is NewKeyOpts with the defaults.
func NewKey(alg jose.Alg, public any) (*Key, error) { return NewKeyOpts(alg, public, KeyOptions{}) }

// NewKeyOpts makes a key of a public key: *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, ed448.PublicKey,
// *mldsa44.PublicKey (65, 87), or []byte, the secret of an HS algorithm. The material is copied where it is mutable. It
// refuses what SECURITY notes 1.3 refuse: a type that does not fit alg, short or long RSA moduli, bad exponents, points off
// their curve, Edwards points that are not canonical or of small order, secrets shorter than the hash.
func NewKeyOpts(alg jose.Alg, public any, opt KeyOptions) (*Key, error) {
	k := &Key{alg: alg}
	var material []byte
	var err error
	switch pub := public.(type) {
	case *rsa.PublicKey:
		k.scheme, material, err = newRSA(alg, pub, opt)
	case *ecdsa.PublicKey:
		k.scheme, material, err = newECDSA(alg, pub)
	case ed25519.PublicKey:
		k.scheme, material, err = newEd25519(alg, pub)
	case ed448.PublicKey:
		k.scheme, material, err = newEd448(alg, pub)
	case *mldsa44.PublicKey:
		k.scheme, material, err = mldsa44Scheme{pub}, pub.Bytes(), fits(alg, jose.MLDSA44)
	case *mldsa65.PublicKey:
		k.scheme, material, err = mldsa65Scheme{pub}, pub.Bytes(), fits(alg, jose.MLDSA65)
	case *mldsa87.PublicKey:
		k.scheme, material, err = mldsa87Scheme{pub}, pub.Bytes(), fits(alg, jose.MLDSA87)
	case []byte:
		k.scheme, material, err = newHMAC(alg, pub)
	default:
		err = fmt.Errorf("unsupported key type %T", public)
	}
	if err != nil {
		return nil, fmt.Errorf("verify: cannot make %s key: %w", alg, err)
	}
	k.fingerprint = fingerprint(alg, material)
	return k, nil
}

// Alg returns the one algorithm.
func (k *Key) Alg() jose.Alg { return k.alg }

// A precomputer has more to compute for its key than NewKey should wait for.
type precomputer interface{ precompute() }

// Precompute builds what makes the key's signatures cheaper to check, at most once. It takes some milliseconds and is to be called in
// the background; until it is done, and where there is no room for it (SetTableBytes), the standard library serves.
func (k *Key) Precompute() {
	if p, ok := k.scheme.(precomputer); ok {
		p.precompute()
	}
}

// VerifySignature reports whether sig, decoded, is this key's signature over signingInput. A wrong length is a wrong
// signature.
func (k *Key) VerifySignature(signingInput, sig []byte) bool {
	return k.scheme.verify(signingInput, sig)
}

// Fingerprint returns SHA-256 over algorithm and material; equal fingerprints are equal keys. For a secret it is as secret
// as a hash of it.
func (k *Key) Fingerprint() [32]byte { return k.fingerprint }

func fingerprint(alg jose.Alg, material []byte) [32]byte {
	h := sha256.New()
	var prefix [9]byte
	prefix[0] = byte(alg)
	binary.BigEndian.PutUint64(prefix[1:], uint64(len(material)))
	h.Write(prefix[:])
	h.Write(material)
	return [32]byte(h.Sum(nil))
}

// fits reports an error unless alg is one of allowed.
func fits(alg jose.Alg, allowed ...jose.Alg) error {
	for _, a := range allowed {
		if a == alg {
			return nil
		}
	}
	return errors.New("the key's type does not fit the algorithm")
}

// digest hashes input with one of the SHA-2 functions into buf.
func digest(h crypto.Hash, buf *[64]byte, input []byte) []byte {
	switch h {
	case crypto.SHA256:
		*(*[32]byte)(buf[:32]) = sha256.Sum256(input)
		return buf[:32]
	case crypto.SHA384:
		*(*[48]byte)(buf[:48]) = sha512.Sum384(input)
		return buf[:48]
	}
	*buf = sha512.Sum512(input)
	return buf[:64]
}

// hashOf returns the SHA-2 function that alg's name ends in.
func hashOf(alg jose.Alg) crypto.Hash {
	switch alg {
	case jose.RS256, jose.PS256, jose.ES256, jose.HS256:
		return crypto.SHA256
	case jose.RS384, jose.PS384, jose.ES384, jose.HS384:
		return crypto.SHA384
	}
	return crypto.SHA512
}

type ed448Scheme struct{ pub ed448.PublicKey }

func newEd448(alg jose.Alg, pub ed448.PublicKey) (scheme, []byte, error) {
	if err := fits(alg, jose.EdDSA, jose.Ed448); err != nil {
		return nil, nil, err
	}
	if len(pub) != ed448.PublicKeySize {
		return nil, nil, errors.New("Ed448 key is not of 57 octets")
	}
	if err := checkEd448(pub); err != nil {
		return nil, nil, err
	}
	own := bytes.Clone(pub)
	return ed448Scheme{own}, append([]byte("Ed448"), own...), nil
}

func (s ed448Scheme) verify(input, sig []byte) bool {
	return len(sig) == ed448.SignatureSize && ed448.Verify(s.pub, input, sig, "")
}

// The ML-DSA schemes take the empty context (RFC 9964). The public key was unpacked when it was made.
type (
	mldsa44Scheme struct{ pub *mldsa44.PublicKey }
	mldsa65Scheme struct{ pub *mldsa65.PublicKey }
	mldsa87Scheme struct{ pub *mldsa87.PublicKey }
)

func (s mldsa44Scheme) verify(input, sig []byte) bool {
	return len(sig) == mldsa44.SignatureSize && mldsa44.Verify(s.pub, input, nil, sig)
}

func (s mldsa65Scheme) verify(input, sig []byte) bool {
	return len(sig) == mldsa65.SignatureSize && mldsa65.Verify(s.pub, input, nil, sig)
}

func (s mldsa87Scheme) verify(input, sig []byte) bool {
	return len(sig) == mldsa87.SignatureSize && mldsa87.Verify(s.pub, input, nil, sig)
}

// hmacScheme is HMAC with SHA-2. The pooled states keep the padded key hashed: Reset brings back that state.
type hmacScheme struct {
	size int
	pool sync.Pool // of *hmacState
}

type hmacState struct {
	mac hash.Hash
	sum []byte
}

func newHMAC(alg jose.Alg, secret []byte) (scheme, []byte, error) {
	var h func() hash.Hash
	switch alg {
	case jose.HS256:
		h = sha256.New
	case jose.HS384:
		h = sha512.New384
	case jose.HS512:
		h = sha512.New
	default:
		return nil, nil, fits(alg)
	}
	size := h().Size()
	// RFC 7518, 3.2: a key of the same size as the hash output or larger.
	if len(secret) < size {
		return nil, nil, fmt.Errorf("secret of %d octets is too short (at least %d)", len(secret), size)
	}
	own := bytes.Clone(secret)
	s := &hmacScheme{size: size}
	s.pool.New = func() any { return &hmacState{mac: hmac.New(h, own), sum: make([]byte, 0, size)} }
	return s, own, nil
}

func (s *hmacScheme) verify(input, sig []byte) bool {
	if len(sig) != s.size {
		return false
	}
	st := s.pool.Get().(*hmacState)
	st.mac.Reset()
	st.mac.Write(input)
	st.sum = st.mac.Sum(st.sum[:0])
	ok := hmac.Equal(st.sum, sig)
	clear(st.sum)
	s.pool.Put(st)
	return ok
}
