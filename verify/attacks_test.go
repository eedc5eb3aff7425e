package verify_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// An attack is one row of SECURITY notes 2.1 with the tests that hold its defence. A test in this package is named by itself,
// so that none can go unnoticed; one elsewhere by folder and name, which TestEveryAttackHasATest looks up in the source.
type attack struct {
	row       string
	tests     []func(*testing.T)
	elsewhere []string
}

var attacks = []attack{
	{row: "none, NONE, missing alg, alg null, alg array", tests: tests(TestVerifyRejectsAlgNone)},
	{row: "RS to HS, EC to HS", tests: tests(
		TestVerifyRejectsHS256WithRSAKey, TestVerifyRejectsHS256WithECKey, TestVerifyRejectsAlgOfOtherKey,
	)},
	{row: "JWK without alg", tests: tests(TestVerifyJWKWithoutAlg)},
	{row: "embedded jwk, jku, x5u, x5c", tests: tests(TestVerifyIgnoresEmbeddedKeys)},
	{row: "kid injection", tests: tests(TestVerifyRejectsKidInjection)},
	{row: "crit unknown, b64 false", tests: tests(TestVerifyRejectsCritAndB64)},
	{row: "duplicate keys, escaped duplicates", tests: tests(TestVerifyRejectsDuplicateMembers)},
	{row: "non-canonical base64url", tests: tests(TestVerifyRejectsLooseBase64)},
	{row: "exp NaN, Inf, 1e400, -1, string, 2^63, nested", tests: tests(TestVerifyTimes)},
	{row: "deep nesting, many keys, huge strings", tests: tests(TestVerifyLimits)},
	{row: "many dots", tests: tests(TestVerifyRejectsManyDots)},
	{row: "invalid UTF-8, NUL, lone surrogate", tests: tests(TestVerifyRejectsBadJSON)},
	{row: "psychic signature, r or s out of range", tests: tests(TestVerifyRejectsPsychicSignature, TestVerifyRejectsRPlusN)},
	{row: "DER instead of raw, wrong length", tests: tests(TestVerifyRejectsDERSignature, TestVerifyEveryAlgorithm)},
	{row: "high-s malleability", tests: tests(TestVerifyAcceptsHighS)},
	{row: "own curve arithmetic", tests: tests(TestVerifyECDSALikeStandardLibrary)},
	{row: "PKCS #1 v1.5, e = 3, lax ASN.1", tests: tests(
		TestVerifyRejectsLaxPKCS1, TestNewKeyRejects, TestVerifyRejectsSignatureOfOtherScheme,
	)},
	{row: "signature of n or more, 0, 1, n-1, with zeros, cut", tests: tests(TestVerifyRejectsRSAOutOfRange)},
	{row: "PSS salt length", tests: tests(TestVerifyRejectsPSSWrongSalt)},
	{row: "Edwards: S of L or more, non-canonical R and A, small order", tests: tests(
		TestVerifyRejectsEdwardsSPlusL, TestVerifyRejectsNonCanonicalR, TestNewKeyRejectsSmallOrderEd25519,
		TestNewKeyRejectsSmallOrderEd448,
	)},
	{row: "ML-DSA: context, length, hints", tests: tests(TestVerifyRejectsMLDSAForms, TestVerifyEveryAlgorithm)},
	{row: "JSON serialization with several signatures", tests: tests(TestVerifyRejectsOtherSerializations)},
	{row: "JWE zip bomb, PBES2 count", tests: tests(TestVerifyRejectsOtherSerializations)},
	{row: "ID token, logout token, SET as access token", tests: tests(TestVerifyType)},
	{row: "token in two places", elsewhere: []string{"../edge:TestTokenPlaces"}},
	{row: "error path: a claim as the reason before the signature", tests: tests(TestVerifySignatureBeforeClaims, TestTokenHidesUnverified)},
	{row: "panic on malformed input", elsewhere: []string{".:FuzzVerify", "jose:FuzzCheckJSON", "jose:FuzzDecodeSegment"}},
	{row: "key withdrawn or replaced", tests: tests(TestVerifyRejectsWithdrawnKey)}, // 1.3 and 2.2, CVE-2025-22149
}

func tests(t ...func(*testing.T)) []func(*testing.T) { return t }

// Every row has a test, every test of the table is one that go test runs, and every refusal that is tested here is of a row. In
// the table the functions are not run again.
func TestEveryAttackHasATest(t *testing.T) {
	rows, listed := map[string]bool{}, map[string]bool{}
	for _, a := range attacks {
		if len(a.tests)+len(a.elsewhere) == 0 || rows[a.row] {
			t.Errorf("%q has no test, or is there twice", a.row)
		}
		rows[a.row] = true
		for _, f := range a.tests {
			name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
			listed[name[strings.LastIndexByte(name, '.')+1:]] = true
		}
		for _, where := range a.elsewhere {
			dir, name, _ := strings.Cut(where, ":")
			if !testFuncs(t, dir)[name] {
				t.Errorf("%q: there is no %s in %s", a.row, name, dir)
			}
		}
	}
	// 27 rows of 2.1, and one more. Who adds an attack there adds it here.
	if got, want := len(attacks), 28; got != want {
		t.Errorf("%d attacks, want %d", got, want)
	}
	own := testFuncs(t, ".")
	for name := range listed {
		if !own[name] {
			t.Errorf("go test does not run %s", name)
		}
	}
	for name := range own {
		// Bound tokens are RFC 7800's, not of 2.1.
		if strings.HasPrefix(name, "TestVerifyRejects") && !listed[name] && name != "TestVerifyRejectsBoundToken" {
			t.Errorf("%s is in no row", name)
		}
	}
}

// testFuncs returns the test and fuzz functions of a folder.
func testFuncs(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	funcs := map[string]bool{}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				funcs[f.Name.Name] = true
			}
		}
	}
	return funcs
}
