package edge

import (
	"bytes"
	"fmt"

	"sallyport/edge/config"
	"sallyport/keys"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// Lint returns what is doubtful about the keys that cfg, which passed Check, has or names files of.
func Lint(cfg *config.Config) config.Faults {
	var out config.Faults
	for i := range cfg.Issuers {
		ic := &cfg.Issuers[i]
		warn := func(key, text string, args ...any) {
			out = append(out, cfg.Fault(fmt.Sprintf("issuer[%d].%s", i, key), text, args...))
		}
		if ic.Discovery == "" && ic.JWKSURI == "" {
			lintKeys(ic, warn)
		}
		for j := range ic.Keys {
			lintSecret(ic.Keys[j].SecretFile, fmt.Sprintf("keys[%d].secret_file", j), warn)
		}
	}
	return out
}

// lintKeys finds keys that no token can name, and algorithms without a key.
func lintKeys(ic *config.Issuer, warn func(key, text string, args ...any)) {
	static, skipped, err := readKeys(ic, keys.NewInterner())
	if err != nil {
		return // Check says so
	}
	for _, sk := range skipped {
		warn("jwks_file", "key %d is left out: %s", sk.Index, sk.Why)
	}
	entries := make([]verify.KeyEntry, len(static))
	var served jose.AlgSet
	for i, k := range static {
		entries[i] = k.KeyEntry
		served = served.With(k.Key.Alg())
	}
	set := verify.NewKeySet(entries)
	type name struct {
		kid string
		alg jose.Alg
	}
	said := map[name]bool{}
	for _, k := range static {
		n := name{k.Kid, k.Key.Alg()}
		if set.Lookup([]byte(k.Kid), k.HasKid, n.alg) != nil || said[n] {
			continue
		}
		said[n] = true
		if k.HasKid {
			warn(k.at, "two keys for %s have the kid %q: a token cannot say which it means, and neither is used", n.alg, k.Kid)
		} else {
			warn(k.at, "a key without kid is used only where it is the only one for %s, and there are more", n.alg)
		}
	}
	for i, name := range ic.Algorithms {
		if !served.Has(jose.ParseAlg([]byte(name))) {
			warn(fmt.Sprintf("algorithms[%d]", i), "%s: no key is for it, so that each of its tokens is refused", name)
		}
	}
}

// lintSecret finds secrets whose octets are not what was meant.
func lintSecret(file, key string, warn func(key, text string, args ...any)) {
	if file == "" {
		return
	}
	data, err := config.ReadSecret(file)
	if err != nil {
		return // Check says so
	}
	if bytes.HasSuffix(data, []byte("\n")) {
		warn(key, "the line break at its end is part of the secret: write the file without one, by printf %%s say")
	}
	if text := bytes.TrimSpace(data); bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		warn(key, "it looks like JSON or PEM, whose text would be the secret: the file must hold the secret's octets alone")
	}
}
