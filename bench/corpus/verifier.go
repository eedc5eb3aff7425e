package corpus

import (
	"fmt"

	"sallyport/verify"
	"sallyport/verify/jose"
)

// tableBytes is room for the tables of all keys that a measurement has.
const tableBytes = 64 << 20

// UseKernels makes new keys use the kernels that a start of sallyport chooses, until restore is called. The room that it gives to
// tables stays.
func UseKernels() (restore func(), err error) {
	k, err := verify.ChooseKernels("auto")
	if err != nil {
		return nil, fmt.Errorf("corpus: cannot use kernels: %w", err)
	}
	before := verify.ActiveKernels()
	verify.UseKernels(k)
	verify.SetTableBytes(tableBytes)
	return func() { verify.UseKernels(before) }, nil
}

// Verifier returns a verifier for the corpus's tokens, its key precomputed by the kernels that are in use. cache may be nil.
func (c *Corpus) Verifier(cache *verify.Cache) (*verify.Verifier, error) {
	key, err := verify.NewKey(c.Signer.Alg, c.Signer.Public())
	if err != nil {
		return nil, err
	}
	key.Precompute()
	is := &verify.Issuer{
		Name: Issuer, Audiences: []string{Audience}, Algs: jose.NewAlgSet(c.Signer.Alg), ClockSkew: ClockSkew,
		Type: verify.TypeAccessToken, Keys: new(verify.KeyStore),
	}
	is.Keys.Store(verify.NewKeySet([]verify.KeyEntry{{Kid: Kid, HasKid: true, Key: key}}))
	return verify.NewVerifier([]*verify.Issuer{is}, verify.Options{MaxTokenBytes: 16 << 10, Cache: cache})
}
