package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

const tokenUsage = `usage: for demos and tests; the keys are files without protection but their mode

  sallyport token keygen -alg ALG [-kid KID] [-bits N] -out FILE      make a private key, a JWK of mode 0600
  sallyport token secret -key FILE -out FILE                          write an HS key's octets, for secret_file
  sallyport token jwks   -key FILE[,FILE...]                          print the public key set
  sallyport token mint   -key FILE -iss ISS -aud AUD [...]            print tokens, one a line; -count 100000 -out FILE for load
`

func runToken(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, tokenUsage)
		return 2
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(stdout, tokenUsage)
		return 0
	}
	commands := map[string]func([]string, io.Writer, io.Writer) error{
		"keygen": tokenKeygen, "secret": tokenSecret, "jwks": tokenJWKS, "mint": tokenMint,
	}
	command := commands[args[0]]
	if command == nil {
		fmt.Fprintf(stderr, "sallyport token: unknown command %q\n\n%s", args[0], tokenUsage)
		return 2
	}
	switch err := command(args[1:], stdout, stderr); {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintf(stderr, "sallyport token %s: %v\n", args[0], err)
		return 1
	}
}

// errUsage says that what is wrong with the command line has been told already.
var errUsage = errors.New("usage")

func parseToken(fs *flag.FlagSet, args []string, required ...string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(fs.Output(), "%s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return errUsage
	}
	for _, name := range required {
		if fs.Lookup(name).Value.String() == "" {
			fmt.Fprintf(fs.Output(), "%s: -%s is required\n", fs.Name(), name)
			return errUsage
		}
	}
	return nil
}

// Bounds of an RSA key in bits: what the proxy can be configured to take.
const minBits, maxBits = 2048, 8192

func tokenKeygen(args []string, _, stderr io.Writer) error {
	fs := newFlags("token keygen", "token keygen -alg ALG [-kid KID] [-bits N] -out FILE", stderr)
	name := fs.String("alg", "", "algorithm, such as RS256, ES256, EdDSA, HS256 or ML-DSA-44")
	kid := fs.String("kid", "key-1", "key ID")
	bits := fs.Int("bits", minBits, fmt.Sprintf("size of an RSA key, %d to %d", minBits, maxBits))
	out := fs.String("out", "", "file to write; it must not exist")
	if err := parseToken(fs, args, "alg", "out"); err != nil {
		return err
	}
	alg := jose.ParseAlg([]byte(*name))
	if alg == jose.AlgInvalid {
		return fmt.Errorf("-alg %q is not known (allowed: %s)", *name, jose.AlgNames())
	}
	if *bits < minBits || *bits > maxBits {
		return fmt.Errorf("-bits %d is out of range (allowed: %d to %d, which is what the proxy takes)", *bits, minBits, maxBits)
	}
	s, err := demo.NewSigner(alg, *kid, *bits)
	if err != nil {
		return err
	}
	jwk, err := s.JWK(true)
	if err != nil {
		return err
	}
	data, err := json.Marshal(jwk)
	if err != nil {
		return err
	}
	return writeNew(*out, append(data, '\n'))
}

// createNew makes a file that only its owner can read, and overwrites none: a lost key cannot be had again.
func createNew(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func writeNew(path string, data []byte) error {
	f, err := createNew(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func loadSigner(path string) (*demo.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := demo.ParseSigner(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func tokenSecret(args []string, _, stderr io.Writer) error {
	fs := newFlags("token secret", "token secret -key FILE -out FILE", stderr)
	key := fs.String("key", "", "private JWK of an HS algorithm")
	out := fs.String("out", "", "file to write; it must not exist")
	if err := parseToken(fs, args, "key", "out"); err != nil {
		return err
	}
	s, err := loadSigner(*key)
	if err != nil {
		return err
	}
	if s.Secret() == nil {
		return fmt.Errorf("%s is a key pair, not a shared secret", s.Alg)
	}
	return writeNew(*out, s.Secret())
}

func tokenJWKS(args []string, stdout, stderr io.Writer) error {
	fs := newFlags("token jwks", "token jwks -key FILE[,FILE...]", stderr)
	files := fs.String("key", "", "private JWKs, separated by commas")
	if err := parseToken(fs, args, "key"); err != nil {
		return err
	}
	list := []map[string]any{}
	for _, path := range strings.Split(*files, ",") {
		s, err := loadSigner(path)
		if err != nil {
			return err
		}
		jwk, err := s.JWK(false)
		if err != nil {
			return err
		}
		list = append(list, jwk)
	}
	return json.NewEncoder(stdout).Encode(map[string]any{"keys": list})
}

func tokenMint(args []string, stdout, stderr io.Writer) error {
	fs := newFlags("token mint", "token mint -key FILE -iss ISS -aud AUD [-sub SUB] [-scope SCOPES] [-typ TYP] [-exp DURATION]\n"+
		"         [-count N] [-claim NAME=VALUE]...", stderr)
	key := fs.String("key", "", "private JWK")
	iss := fs.String("iss", "", "issuer")
	aud := fs.String("aud", "", "audience")
	sub := fs.String("sub", "alice", "subject; with -count a number is added")
	scope := fs.String("scope", "read", "scopes, separated by spaces")
	typ := fs.String("typ", "at+jwt", "typ in the header; empty: none")
	exp := lifetime(15 * time.Minute)
	fs.Var(&exp, "exp", "lifetime `DURATION`, such as 90s or 1h30m; negative: already expired")
	count := fs.Int("count", 1, "how many different tokens")
	out := fs.String("out", "", "file to write instead; it must not exist")
	extra := claimFlags{}
	fs.Var(extra, "claim", "name=value, any number of times; a value that is JSON is taken as such")
	if err := parseToken(fs, args, "key", "iss", "aud"); err != nil {
		return err
	}
	s, err := loadSigner(*key)
	if err != nil {
		return err
	}
	if *count < 1 {
		return fmt.Errorf("-count %d is less than 1", *count)
	}
	now := time.Now().Unix()
	mint := func(i int) (string, error) {
		subject := *sub
		if *count > 1 {
			subject += "-" + strconv.Itoa(i+1)
		}
		claims := map[string]any{
			"iss": *iss, "aud": *aud, "sub": subject, "client_id": "sallyport-token", "scope": *scope,
			"iat": now, "exp": now + int64(time.Duration(exp)/time.Second), "jti": fmt.Sprintf("%x-%d", now, i),
		}
		maps.Copy(claims, extra)
		return s.Sign(*typ, claims)
	}
	if *out == "" {
		return mintAll(stdout, *count, mint)
	}
	f, err := createNew(*out)
	if err != nil {
		return err
	}
	return errors.Join(mintAll(f, *count, mint), f.Close())
}

// mintAll writes the tokens 0 to count-1, one a line, in order. All processors sign: an RSA signature takes a millisecond.
func mintAll(w io.Writer, count int, mint func(i int) (string, error)) error {
	const batch = 4096
	out := bufio.NewWriterSize(w, 64<<10)
	for first := 0; first < count; first += batch {
		tokens := make([]string, min(batch, count-first))
		faults := make([]error, len(tokens))
		var wg sync.WaitGroup
		workers := runtime.GOMAXPROCS(0)
		for worker := range workers {
			wg.Go(func() {
				for i := worker; i < len(tokens); i += workers {
					tokens[i], faults[i] = mint(first + i)
				}
			})
		}
		wg.Wait()
		for i, token := range tokens {
			if faults[i] != nil {
				return faults[i]
			}
			out.WriteString(token) // an error stays until Flush
			out.WriteByte('\n')
		}
	}
	return out.Flush()
}

// A lifetime is a flag.Value for a duration; the library's says no more of a wrong one than "parse error".
type lifetime time.Duration

// String implements flag.Value.
func (l *lifetime) String() string { return time.Duration(*l).String() }

// Set implements flag.Value.
func (l *lifetime) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("want a number with its unit, such as 90s, 15m or 1h30m")
	}
	*l = lifetime(d)
	return nil
}

// claimFlags collects -claim. A value that is JSON is kept as its text: a number may have more digits than a float64.
type claimFlags map[string]any

// String implements flag.Value.
func (c claimFlags) String() string { return "" }

// Set implements flag.Value.
func (c claimFlags) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("want name=value")
	}
	c[name] = value
	if json.Valid([]byte(value)) {
		c[name] = json.RawMessage(value)
	}
	return nil
}
