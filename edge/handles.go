package edge

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/edge/config"
	"sallyport/edge/tlsconf"
	"sallyport/edge/upstream"
	"sallyport/edge/upstream/h1"
	"sallyport/keys"
	"sallyport/keys/fetch"
	"sallyport/verify"
	"sallyport/verify/jose"
)

// handles are what outlives a config: key stores with their refresh loops, and upstream pools with their connections and
// health. A handle whose config is equal is kept; otherwise a new one is made and the old one is closed after the swap.
type handles struct {
	issuers   map[string]*issuerHandle // by issuer identifier
	upstreams map[string]*upstreamHandle
	engine    *engineHandle
	revoked   *revokedHandle
	dial      func(address string) (net.Conn, error) // Options.Dial
	wg        sync.WaitGroup
}

// An issuerHandle holds one issuer's keys. source is nil for keys from the config or a file.
type issuerHandle struct {
	source   *fetch.Source
	interner *keys.Interner
	store    *verify.KeyStore
	seed     *verify.KeyStore // whose keys to begin with, until commit; nil: none
	cancel   context.CancelFunc
}

type upstreamHandle struct {
	cfg  upstream.Config
	pool *upstream.Pool
}

// preparedHandles is a set that is not in force yet.
type preparedHandles struct {
	issuers   map[string]*issuerHandle
	upstreams map[string]*upstreamHandle
	static    map[string]*verify.KeySet // new sets for static issuers, stored at commit
	fresh     []*issuerHandle
	freshUp   []*upstreamHandle
	engine    *engineHandle
	revoked   *revokedHandle // nil: revocation is off
}

func (h *handles) init(dial func(address string) (net.Conn, error)) {
	h.dial = dial
	h.issuers, h.upstreams = map[string]*issuerHandle{}, map[string]*upstreamHandle{}
}

// prepare makes the handles for cfg, reading every key file. It starts nothing. What is wrong with the files comes all at once, as
// config.Faults.
func (h *handles) prepare(cfg *config.Config, log *slog.Logger) (*preparedHandles, error) {
	next := &preparedHandles{
		issuers: map[string]*issuerHandle{}, upstreams: map[string]*upstreamHandle{}, static: map[string]*verify.KeySet{},
	}
	var faults config.Faults
	for i := range cfg.Issuers {
		if err := h.prepareIssuer(next, &cfg.Issuers[i], log); err != nil {
			faults = append(faults, keyFault(cfg, fmt.Sprintf("issuer[%d]", i), err))
		}
	}
	for i := range cfg.Upstreams {
		if err := h.prepareUpstream(next, &cfg.Upstreams[i]); err != nil {
			faults = append(faults, keyFault(cfg, fmt.Sprintf("upstream[%d]", i), err))
		}
	}
	if len(faults) > 0 {
		next.abandon()
		return nil, faults
	}
	next.engine = h.engine.prepare(cfg)
	return next, nil
}

// A keyError is an error at one key of the table that is being built.
type keyError struct {
	key string // below the table: keys[0].pem
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }

func (e *keyError) Unwrap() error { return e.err }

// keyFault gives err, which came of the table at path, its place in the config.
func keyFault(cfg *config.Config, path string, err error) config.Fault {
	if ke := (*keyError)(nil); errors.As(err, &ke) {
		return cfg.Fault(path+"."+ke.key, "%v", ke.err)
	}
	return cfg.Fault(path, "%v", err)
}

func (h *handles) prepareIssuer(next *preparedHandles, ic *config.Issuer, log *slog.Logger) error {
	old := h.issuers[ic.Issuer]
	if ic.Discovery == "" && ic.JWKSURI == "" {
		ih := &issuerHandle{interner: keys.NewInterner(), store: new(verify.KeyStore)}
		if old != nil && old.source == nil {
			ih = old
		}
		set, err := staticKeys(ic, ih.interner, log)
		if err != nil {
			return err
		}
		next.issuers[ic.Issuer], next.static[ic.Issuer] = ih, set
		return nil
	}
	fc, err := fetchConfig(ic)
	if err != nil {
		return err
	}
	if old != nil && old.source != nil && old.source.Config().Equal(fc) {
		next.issuers[ic.Issuer] = old
		return nil
	}
	src, err := fetch.New(fc, log)
	if err != nil {
		return err
	}
	ih := &issuerHandle{source: src, store: src.Keys()}
	if old != nil && old.source != nil && sameOrigin(old.source.Config(), fc) {
		ih.seed = old.store
	}
	next.issuers[ic.Issuer] = ih
	next.fresh = append(next.fresh, ih)
	return nil
}

// sameOrigin reports whether the keys that a source made of old has fetched are those that one made of now would accept, so
// that nobody need be answered with 503 until it has fetched them. Algorithms are checked with each token.
func sameOrigin(old, now fetch.Config) bool {
	return old.Discovery == now.Discovery && old.JWKSURI == now.JWKSURI && old.CAData == now.CAData &&
		(!old.AllowHTTP || now.AllowHTTP) && (!old.AllowPrivate || now.AllowPrivate) &&
		old.MaxKeys <= now.MaxKeys && old.MaxRSABits <= now.MaxRSABits && old.MaxBytes <= now.MaxBytes
}

func (h *handles) prepareUpstream(next *preparedHandles, uc *config.Upstream) error {
	cfg := upstream.Config{
		Name: uc.Name, Endpoints: uc.Endpoints, MaxConnections: uc.MaxConnections,
		EjectAfter: uc.Health.EjectAfter, EjectFor: uc.Health.EjectFor,
		ConnectTimeout: uc.ConnectTimeout, ResponseTimeout: uc.ResponseTimeout, IdleTimeout: uc.IdleTimeout,
	}
	if uc.TLS != nil {
		tc, key, err := tlsconf.Upstream(uc.TLS)
		if err != nil {
			return &keyError{"tls.ca_file", err}
		}
		cfg.TLS, cfg.TLSKey = tc, key
	}
	if old := h.upstreams[uc.Name]; old != nil && old.cfg.Equal(cfg) {
		next.upstreams[uc.Name] = old
		return nil
	}
	uh := &upstreamHandle{cfg: cfg}
	uh.pool = upstream.New(cfg, func(endpoint string) upstream.Client {
		return h1.NewClient(h1.Options{
			Address: endpoint, TLS: tlsconf.ForEndpoint(cfg.TLS, endpoint), MaxConns: cfg.MaxConnections, MaxHead: maxResponseHead,
			ConnectTimeout: cfg.ConnectTimeout, ResponseTimeout: cfg.ResponseTimeout, IdleTimeout: cfg.IdleTimeout,
			Dial: h.dial,
		})
	})
	next.upstreams[uc.Name] = uh
	next.freshUp = append(next.freshUp, uh)
	return nil
}

// maxResponseHead bounds an upstream's response head in bytes.
const maxResponseHead = 64 << 10

// abandon closes what prepare made.
func (p *preparedHandles) abandon() {
	for _, uh := range p.freshUp {
		uh.pool.Close()
	}
	if p.revoked != nil && !p.revoked.kept {
		p.revoked.store.Close()
	}
}

// commit puts p in force, starts the new refresh loops, and returns what closes the handles no longer used; it is to be
// called once requests that hold the old State have had time to end.
func (h *handles) commit(p *preparedHandles) (retire func()) {
	oldIssuers, oldUpstreams := h.issuers, h.upstreams
	verify.SetTableBytes(int64(p.engine.poolCfg.KeyTables))
	h.issuers, h.upstreams, h.engine = p.issuers, p.upstreams, p.engine
	retireRevoked := h.commitRevoked(p.revoked)
	for name, set := range p.static {
		ih := h.issuers[name]
		ih.store.Store(set)
		ih.interner.Sweep(set)
		h.wg.Go(set.Precompute) // ends by itself, after some milliseconds for each key
	}
	for _, ih := range p.fresh {
		if ih.seed != nil {
			ih.store.Store(ih.seed.Load())
			ih.seed = nil
		}
		ctx, cancel := context.WithCancel(context.Background())
		ih.cancel = cancel
		h.wg.Go(func() { _ = ih.source.Run(ctx) }) // ends only when cancelled
	}
	return func() {
		for name, ih := range oldIssuers {
			if h.issuerGone(ih, p.issuers[name]) {
				ih.cancel()
			}
		}
		for name, uh := range oldUpstreams {
			if p.upstreams[name] != uh {
				uh.pool.Close() // closes idle connections; those in use end with their exchange
			}
		}
		retireRevoked()
	}
}

func (h *handles) issuerGone(old, now *issuerHandle) bool { return old != now && old.cancel != nil }

func (h *handles) closeAll() {
	for _, ih := range h.issuers {
		if ih.cancel != nil {
			ih.cancel()
		}
	}
	for _, uh := range h.upstreams {
		uh.pool.Close()
	}
	h.commitRevoked(nil)()
	h.wg.Wait()
}

// missingKeys names the issuers that have no key set yet and are not optional.
func missingKeys(st *State) []string {
	var out []string
	for i := range st.cfg.Issuers {
		ic := &st.cfg.Issuers[i]
		if ih := st.issuers[ic.Issuer]; !ic.Optional && (ih == nil || ih.store.Load() == nil) {
			out = append(out, "issuer "+ic.Issuer+" has no keys yet")
		}
	}
	slices.Sort(out)
	return out
}

func fetchConfig(ic *config.Issuer) (fetch.Config, error) {
	fc := fetch.Config{
		Issuer: ic.Issuer, Discovery: ic.Discovery, JWKSURI: ic.JWKSURI,
		AllowHTTP: ic.AllowHTTP, AllowPrivate: ic.AllowPrivate, CAFile: ic.CAFile,
		Algs: algSet(ic.Algorithms), RefreshInterval: ic.RefreshInterval, Timeout: ic.FetchTimeout,
		MinHintInterval: time.Second, MaxBytes: int64(ic.MaxJWKSBytes), MaxKeys: ic.MaxKeys, MaxRSABits: ic.MaxRSABits,
	}
	if ic.CAFile != "" {
		pem, err := os.ReadFile(ic.CAFile)
		if err != nil {
			return fc, &keyError{"ca_file", err}
		}
		fc.CAData = string(pem)
		fc.RootCAs = x509.NewCertPool()
		if !fc.RootCAs.AppendCertsFromPEM(pem) {
			return fc, &keyError{"ca_file", fmt.Errorf("%s holds no PEM certificate", ic.CAFile)}
		}
	}
	return fc, nil
}

func algSet(names []string) jose.AlgSet {
	var set jose.AlgSet
	for _, n := range names {
		set = set.With(jose.ParseAlg([]byte(n)))
	}
	return set
}

// A staticKey is a key that stands in the config or in a file that it names.
type staticKey struct {
	verify.KeyEntry
	at string // where in the config, below the issuer: keys[0].pem
}

// readKeys reads the static keys of an issuer, and those that were left out of its jwks_file.
func readKeys(ic *config.Issuer, in *keys.Interner) (static []staticKey, skipped []keys.Skipped, err error) {
	opt := keys.Options{Algs: algSet(ic.Algorithms), MaxKeys: ic.MaxKeys, MaxRSABits: ic.MaxRSABits, Intern: in}
	add := func(p keys.Parsed, at string) {
		for _, e := range p.Entries {
			static = append(static, staticKey{e, at})
		}
	}
	if ic.JWKSFile != "" {
		data, err := os.ReadFile(ic.JWKSFile)
		if err != nil {
			return nil, nil, &keyError{"jwks_file", err}
		}
		parsed, err := keys.ParseJWKS(data, opt)
		if err == nil && len(parsed.Entries) == 0 {
			err = noUsableKey(ic.JWKSFile, parsed.Skipped)
		}
		if err != nil {
			return nil, nil, &keyError{"jwks_file", err}
		}
		add(parsed, "jwks_file")
		skipped = parsed.Skipped
	}
	for i := range ic.Keys {
		parsed, key, err := inlineKey(&ic.Keys[i], opt)
		at := fmt.Sprintf("keys[%d].%s", i, key)
		if err != nil {
			return nil, nil, &keyError{at, err}
		}
		add(parsed, at)
	}
	return static, skipped, nil
}

// staticKeys makes the set of an issuer whose keys stand in the config or in files.
func staticKeys(ic *config.Issuer, in *keys.Interner, log *slog.Logger) (*verify.KeySet, error) {
	static, skipped, err := readKeys(ic, in)
	if err != nil {
		return nil, err
	}
	for _, sk := range skipped {
		log.Warn("keys: key skipped", "issuer", ic.Issuer, "source", "jwks_file", "index", sk.Index, "why", sk.Why)
	}
	entries := make([]verify.KeyEntry, len(static))
	for i := range static {
		entries[i] = static[i].KeyEntry
	}
	return verify.NewKeySet(entries), nil
}

// noUsableKey says of each key in a set why it cannot be used: check has no log.
func noUsableKey(file string, skipped []keys.Skipped) error {
	if len(skipped) == 0 {
		return fmt.Errorf("%s holds no key", file)
	}
	why := make([]string, len(skipped))
	for i, sk := range skipped {
		why[i] = fmt.Sprintf("key %d: %s", sk.Index, sk.Why)
	}
	return fmt.Errorf("%s holds no usable key (%s)", file, strings.Join(why, "; "))
}

// inlineKey reads one key, and says which key of the config it stands at.
func inlineKey(k *config.InlineKey, opt keys.Options) (keys.Parsed, string, error) {
	alg := jose.ParseAlg([]byte(k.Algorithm))
	switch {
	case k.JWK != "":
		p, err := keys.ParseJWK([]byte(k.JWK), opt)
		return p, "jwk", err
	case k.PEM != "":
		p, err := keys.ParsePEM([]byte(k.PEM), k.Kid, alg, opt)
		return p, "pem", err
	case k.PEMFile != "":
		data, err := os.ReadFile(k.PEMFile)
		if err != nil {
			return keys.Parsed{}, "pem_file", err
		}
		p, err := keys.ParsePEM(data, k.Kid, alg, opt)
		return p, "pem_file", err
	}
	data, err := config.ReadSecret(k.SecretFile)
	if err != nil {
		return keys.Parsed{}, "secret_file", err
	}
	e, err := keys.NewSecret(data, k.Kid, alg)
	if err == nil && opt.Intern != nil {
		e.Key = opt.Intern.Intern(e.Key)
	}
	return keys.Parsed{Entries: []verify.KeyEntry{e}}, "secret_file", err
}

func issuerNames(cfg *config.Config) []string {
	out := make([]string, len(cfg.Issuers))
	for i := range cfg.Issuers {
		out[i] = cfg.Issuers[i].Issuer
	}
	return out
}
