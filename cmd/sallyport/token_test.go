package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sallyport/verify/jose"
)

// A key, its public set and a token of every algorithm, made by the token commands, pass through serve.
func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.issuer = ""
	s.limits = "token = \"16KiB\""
	tokens := map[string]string{}
	for alg := jose.AlgInvalid + 1; alg < jose.NumAlgs; alg++ {
		name := alg.String()
		key := filepath.Join(s.dir, name+".jwk")
		tokenCommand(t, "keygen", "-alg", name, "-kid", "kid-"+name, "-out", key)
		source := fmt.Sprintf("jwks_file = \"%s.jwks\"\n", name)
		if alg.Symmetric() {
			secret := filepath.Join(s.dir, name+".secret")
			tokenCommand(t, "secret", "-key", key, "-out", secret)
			source = fmt.Sprintf("[[issuer.keys]]\nkid = \"kid-%s\"\nalgorithm = %q\nsecret_file = \"%s.secret\"\n", name, name, name)
			if code, _, stderr := runHere("token", "jwks", "-key", key); code != 1 || !strings.Contains(stderr, "secret_file") {
				t.Errorf("%s: the public set of a secret: exit status %d, %q; want 1 and what to do", name, code, stderr)
			}
		} else {
			public := tokenCommand(t, "jwks", "-key", key)
			if strings.Contains(public, `"d":`) || strings.Contains(public, `"priv":`) {
				t.Errorf("%s: the public set holds the private key", name)
			}
			s.file(t, name+".jwks", public, 0o644)
		}
		s.issuer += fmt.Sprintf("[[issuer]]\nissuer = %q\naudiences = [\"api\"]\nalgorithms = [%q]\n", name, name) + source
		tokens[name] = strings.TrimSpace(tokenCommand(t, "mint", "-key", key, "-iss", name, "-aud", "api", "-sub", "sub-"+name))
	}
	s.write(t)
	n := serve(t, s.path)
	for name, token := range tokens {
		a := get(t, n.url("/api/x"), token)
		if a.StatusCode != 200 || !strings.Contains(a.body, `"X-User":["sub-`+name+`"]`) {
			t.Errorf("%s: %d %s, want 200 and the subject", name, a.StatusCode, a.body)
		}
		parts := strings.Split(token, ".")
		signature := []byte(parts[2])
		if signature[10] == 'A' {
			signature[10] = 'B'
		} else {
			signature[10] = 'A'
		}
		if a := get(t, n.url("/api/x"), parts[0]+"."+parts[1]+"."+string(signature)); a.StatusCode != 401 {
			t.Errorf("%s with another signature: %d, want 401", name, a.StatusCode)
		}
	}
}

// tokenCommand runs a token command that must succeed and returns its output.
func tokenCommand(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := runHere(append([]string{"token"}, args...)...)
	if code != 0 {
		t.Fatalf("token %q: exit status %d, %s", args, code, stderr)
	}
	return stdout
}

// runHere runs a command in this process: the same code, without the start of one.
func runHere(args ...string) (code int, stdout, stderr string) {
	var out, errOut strings.Builder
	code = run(args, strings.NewReader(""), &out, &errOut)
	return code, out.String(), errOut.String()
}

// A key file is for its owner only, and is never overwritten.
func TestTokenKeyFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key.jwk")
	if code, _, stderr := runHere("token", "keygen", "-alg", "EdDSA", "-out", file); code != 0 {
		t.Fatalf("exit status %d, %s", code, stderr)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %04o, want 0600", got)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runHere("token", "keygen", "-alg", "EdDSA", "-out", file); code != 1 || !strings.Contains(stderr, "file exists") {
		t.Errorf("again: exit status %d, %q; want 1, file exists", code, stderr)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the key was overwritten (%v)", err)
	}
	for _, count := range []string{"0", "-1"} {
		if code, stdout, stderr := runHere("token", "mint", "-key", file, "-iss", "i", "-aud", "a", "-count", count); code != 1 || stdout != "" || !strings.Contains(stderr, "is less than 1") {
			t.Errorf("mint -count %s: exit status %d, %q, %q; want 1 and why", count, code, stdout, stderr)
		}
	}
	if code, _, stderr := runHere("token", "secret", "-key", file, "-out", file+".secret"); code != 1 || !strings.Contains(stderr, "not a shared secret") {
		t.Errorf("the secret of a key pair: exit status %d, %q", code, stderr)
	}
	code, stdout, _ := runHere("token", "mint", "-key", file, "-iss", "i", "-aud", "a", "-count", "3", "-claim", `roles=["x"]`, "-claim", "n=plain")
	if lines := strings.Fields(stdout); code != 0 || len(lines) != 3 || lines[0] == lines[1] || lines[1] == lines[2] {
		t.Errorf("mint -count 3: exit status %d, %q; want three different tokens", code, lines)
	}
}

// A claim is minted as it was written: no number loses digits on the way, and what is no JSON is a string.
func TestTokenMintKeepsClaims(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key.jwk")
	tokenCommand(t, "keygen", "-alg", "EdDSA", "-out", file)
	token := tokenCommand(t, "mint", "-key", file, "-iss", "i", "-aud", "a", "-exp", "-90s", "-claim", "who=9007199254740993",
		"-claim", "ratio=1.10", "-claim", `roles=["x", {"n": 12345678901234567890}]`, "-claim", "sub=plain", "-claim", "aud=null")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"who":9007199254740993,`, `"ratio":1.10,`, `"roles":["x",{"n":12345678901234567890}]`, `"sub":"plain"`, `"aud":null`} {
		if !strings.Contains(string(payload)[:len(payload)-1]+",", want) {
			t.Errorf("%s in %s is lacking", want, payload)
		}
	}
	var dates struct{ Iat, Exp int64 }
	if err := json.Unmarshal(payload, &dates); err != nil || dates.Exp-dates.Iat != -90 {
		t.Errorf("exp - iat = %d, want -90 (%v)", dates.Exp-dates.Iat, err)
	}
}

// Many tokens go to a file in their order, each with its own subject, over more than one batch, and a fault is not passed over.
func TestTokenMintMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, out := filepath.Join(dir, "key.jwk"), filepath.Join(dir, "tokens")
	tokenCommand(t, "keygen", "-alg", "EdDSA", "-out", key)
	const count = 5000
	args := []string{"mint", "-key", key, "-iss", "i", "-aud", "a", "-sub", "user", "-count", strconv.Itoa(count), "-out", out}
	if stdout := tokenCommand(t, args...); stdout != "" {
		t.Errorf("with -out standard output has %.80q", stdout)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != count {
		t.Fatalf("%d lines, want %d", len(lines), count)
	}
	for i, line := range lines {
		var claims struct{ Sub string }
		parts := strings.Split(line, ".")
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil {
			err = json.Unmarshal(payload, &claims)
		}
		if want := "user-" + strconv.Itoa(i+1); err != nil || claims.Sub != want {
			t.Fatalf("line %d: sub %q (%v), want %q", i+1, claims.Sub, err, want)
		}
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600: tokens are credentials", info.Mode(), err)
	}
	if code, _, stderr := runHere(append([]string{"token"}, args...)...); code != 1 || !strings.Contains(stderr, "file exists") {
		t.Errorf("again: exit status %d, %q; want 1, file exists", code, stderr)
	}
	if code, _, stderr := runHere("token", "mint", "-key", key, "-iss", "i", "-aud", "a", "-count", "0"); code != 1 || !strings.Contains(stderr, "-count 0") {
		t.Errorf("-count 0: exit status %d, %q; want 1", code, stderr)
	}
	fault := errors.New("no randomness")
	err = mintAll(io.Discard, count, func(i int) (string, error) {
		if i == 4500 {
			return "", fault
		}
		return "token", nil
	})
	if !errors.Is(err, fault) {
		t.Errorf("mintAll with a fault = %v, want it", err)
	}
}
