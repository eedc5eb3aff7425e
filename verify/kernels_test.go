package verify_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"sallyport/verify"
	"sallyport/verify/jose"
)

func TestChooseKernels(t *testing.T) {
	if k, err := verify.ChooseKernels("std"); err != nil || k != (verify.Kernels{}) {
		t.Errorf("std: %v, %v; want the standard library", k, err)
	}
	if k, err := verify.ChooseKernels("portable"); err != nil || k.String() != "rsa=portable ecdsa=portable ed25519=portable base64=portable" {
		t.Errorf("portable: %v, %v", k, err)
	}
	if k, err := verify.ChooseKernels("auto"); err != nil || k.RSA == 0 || k.ECDSA == 0 || k.EdDSA == 0 {
		t.Errorf("auto: %v, %v; want a kernel for each", k, err)
	}
	for _, bad := range []string{"", "IFMA", "std ", "none"} {
		if k, err := verify.ChooseKernels(bad); err == nil || k != (verify.Kernels{}) || !strings.Contains(err.Error(), "allowed: auto, std") {
			t.Errorf("%q: %v, %v; want an error that says what is allowed", bad, k, err)
		}
	}
}

// A kernel that fails its self-test is left out when nobody forces it, alone; who forces it is told.
func TestChooseKernelsDropsWhatFails(t *testing.T) {
	all, err := verify.ChooseKernels("auto")
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]verify.Kernels{
		"rsa":    {ECDSA: all.ECDSA, EdDSA: all.EdDSA, Base64: all.Base64},
		"ecdsa":  {RSA: all.RSA, EdDSA: all.EdDSA, Base64: all.Base64},
		"eddsa":  {RSA: all.RSA, ECDSA: all.ECDSA, Base64: all.Base64},
		"base64": {RSA: all.RSA, ECDSA: all.ECDSA, EdDSA: all.EdDSA},
	} {
		mend := verify.BreakSelfTest(what)
		k, err := verify.ChooseKernels("auto")
		if k != want || err == nil {
			t.Errorf("%s broken: %v, %v; want %v and an error", what, k, err, want)
		}
		if k, err := verify.ChooseKernels("portable"); what != "base64" && (err == nil || k != (verify.Kernels{})) {
			t.Errorf("%s broken and forced: %v, %v; want an error", what, k, err)
		}
		mend()
	}
}

// Tables are built within their bound, serve the same verdicts as the standard library does without them, and are given back
// with their key.
func TestKeyTablesAreBounded(t *testing.T) {
	for _, alg := range []jose.Alg{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA} {
		t.Run(alg.String(), func(t *testing.T) { testKeyTable(t, alg) })
	}
}

func testKeyTable(t *testing.T, alg jose.Alg) {
	t.Helper()
	defer verify.SetTableBytes(1 << 30)
	runtime.GC()
	key := func() *verify.Key {
		t.Helper()
		k, err := verify.NewKey(alg, signerOf(t, alg).Public())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	input := []byte("input")
	sig, err := signerOf(t, alg).Signature(input)
	if err != nil {
		t.Fatal(err)
	}
	check := func(k *verify.Key, table bool) {
		t.Helper()
		if verify.HasTable(k) != table {
			t.Errorf("the key has a table: %v, want %v", !table, table)
		}
		if !k.VerifySignature(input, sig) || k.VerifySignature([]byte("other"), sig) {
			t.Errorf("with table %v: wrong verdict", table)
		}
	}
	k := key()
	check(k, false)
	verify.SetTableBytes(0)
	k.Precompute()
	check(k, false) // and it stays so, though there is room later
	verify.SetTableBytes(1 << 30)
	k.Precompute()
	check(k, false)

	before := verify.TableBytes()
	k = key()
	k.Precompute()
	check(k, true)
	grown := verify.TableBytes() - before
	if grown < 10<<10 || grown > 512<<10 {
		t.Errorf("the table is on the books with %d bytes", grown)
	}
	k.Precompute()
	if verify.TableBytes()-before != grown {
		t.Error("a second Precompute built a second table")
	}
	k = nil
	for deadline := time.Now().Add(10 * time.Second); verify.TableBytes() > before; time.Sleep(10 * time.Millisecond) {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatalf("%d bytes of tables are on the books after the key has gone, want %d", verify.TableBytes(), before)
		}
	}
}
