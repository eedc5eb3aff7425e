package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"sallyport/edge/demo"
	"sallyport/verify"
	"sallyport/verify/claims"
	"sallyport/verify/jose"
)

const now = 1_800_000_000

var source = netip.MustParseAddr("127.0.0.1")

var b64 = base64.RawURLEncoding

// world is one issuer with one key of each algorithm, its kid the algorithm's name.
type world struct {
	signers map[jose.Alg]*demo.Signer
	issuer  *verify.Issuer
	v       *verify.Verifier
}

var allAlgs = func() (a []jose.Alg) {
	for alg := jose.RS256; alg < jose.NumAlgs; alg++ {
		a = append(a, alg)
	}
	return a
}()

var signerCache = map[jose.Alg]*demo.Signer{}

func signerOf(t testing.TB, alg jose.Alg) *demo.Signer {
	t.Helper()
	if s := signerCache[alg]; s != nil {
		return s
	}
	s, err := demo.NewSigner(alg, alg.String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	signerCache[alg] = s
	return s
}

func newWorld(t testing.TB, algs ...jose.Alg) *world {
	t.Helper()
	w := &world{signers: map[jose.Alg]*demo.Signer{}}
	var entries []verify.KeyEntry
	for _, alg := range algs {
		s := signerOf(t, alg)
		k, err := verify.NewKey(alg, s.Public())
		if err != nil {
			t.Fatalf("NewKey(%s): %v", alg, err)
		}
		w.signers[alg] = s
		entries = append(entries, verify.KeyEntry{Kid: s.Kid, HasKid: true, Key: k})
	}
	w.issuer = &verify.Issuer{
		Name: "https://issuer.test", Audiences: []string{"api"}, Algs: jose.NewAlgSet(algs...), ClockSkew: 10,
		Type: verify.TypeAccessToken, Keys: new(verify.KeyStore), RolesClaim: claims.Path{"roles"},
	}
	w.issuer.Keys.Store(verify.NewKeySet(entries))
	w.issuer.Keys.Load().Precompute()
	w.remake(t)
	return w
}

func (w *world) remake(t testing.TB) {
	t.Helper()
	var err error
	if w.v, err = verify.NewVerifier([]*verify.Issuer{w.issuer}, verify.Options{MaxTokenBytes: 16 << 10}); err != nil {
		t.Fatal(err)
	}
}

func good() map[string]any {
	return map[string]any{"iss": "https://issuer.test", "aud": "api", "sub": "alice", "iat": now - 10, "exp": now + 300, "scope": "read write", "jti": "1"}
}

func with(changes map[string]any) map[string]any {
	c := good()
	for k, v := range changes {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

func (w *world) sign(t testing.TB, alg jose.Alg, c map[string]any) string {
	t.Helper()
	s, err := w.signers[alg].Sign("at+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// raw signs header and payload texts as they are.
func (w *world) raw(t testing.TB, alg jose.Alg, header, payload string) string {
	t.Helper()
	s, err := w.signers[alg].SignRaw([]byte(header), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) verify(tok *verify.Token, token string) error {
	return w.v.Verify(tok, []byte(token), now, source)
}

func (w *world) check(t testing.TB, what, token string, want verify.Reason) {
	t.Helper()
	var tok verify.Token
	if got := verify.ReasonOf(w.verify(&tok, token)); got != want {
		t.Errorf("%s: Verify = %v, want %v (token %.120s)", what, got, want, token)
	}
}

func goodJSON() string {
	b, _ := json.Marshal(good())
	return string(b)
}

func hmacToken(t *testing.T, secret []byte, header, payload string) string {
	t.Helper()
	jwk := fmt.Sprintf(`{"kty":"oct","alg":"HS256","k":%q}`, b64.EncodeToString(secret))
	s, err := demo.ParseSigner([]byte(jwk))
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.SignRaw([]byte(header), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestMain has everything checked as the program checks it: by the best kernels, but for what a test forces.
func TestMain(m *testing.M) {
	k, err := verify.ChooseKernels("auto")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	verify.UseKernels(k)
	verify.SetTableBytes(1 << 30)
	os.Exit(m.Run())
}

// withKernels runs test once for each choice of kernels that this machine has.
func withKernels(t *testing.T, test func(t *testing.T, name string)) {
	t.Helper()
	before := verify.ActiveKernels()
	defer verify.UseKernels(before)
	for _, name := range verify.KernelNames {
		k, err := verify.ChooseKernels(name)
		if err != nil {
			t.Logf("kernels %s: %v", name, err)
			continue
		}
		t.Run(name, func(t *testing.T) {
			verify.UseKernels(k)
			test(t, name)
		})
	}
}
