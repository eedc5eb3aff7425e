package edge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sallyport/edge/admin"
	"sallyport/edge/config"
	"sallyport/keys/revoke"
	"sallyport/verify"
)

// A revokedHandle is the store of revocation rules. It outlives every config that names the same file. nil: revocation is off.
type revokedHandle struct {
	file   string
	store  *revoke.Store
	kept   bool // it is in force: not to be closed with a config that fails
	cancel context.CancelFunc
}

// prepareRevoked opens the store that cfg asks for, unless it is open.
func (h *handles) prepareRevoked(next *preparedHandles, cfg *config.Config, log *slog.Logger) error {
	file := cfg.Revocation.File
	old := h.revoked
	switch {
	case old != nil && old.file == file:
		next.revoked = old
		return nil
	case old != nil && old.store.Len() > 0:
		log.Warn("revocation: the rules of the present file are left behind if this config is put in force", "file", old.file, "rules", old.store.Len())
	}
	if file == "" {
		return nil
	}
	store, err := revoke.Open(file)
	if err != nil {
		return config.Faults{cfg.Fault("revocation.file", "%v", err)}
	}
	next.revoked = &revokedHandle{file: file, store: store}
	return nil
}

// sweepEvery is how often rules that have ended are taken out. They have no effect before.
const sweepEvery = 10 * time.Second

// commitRevoked puts next in force, and returns what closes the store before it. From here on that store acknowledges nothing more,
// which would be in force nowhere.
func (h *handles) commitRevoked(next *revokedHandle) (retire func()) {
	old := h.revoked
	h.revoked = next
	if old == next {
		return func() {}
	}
	if next != nil {
		next.kept = true
		ctx, cancel := context.WithCancel(context.Background())
		next.cancel = cancel
		h.wg.Go(func() { next.sweep(ctx) })
	}
	if old == nil {
		return func() {}
	}
	old.store.Seal()
	old.cancel()
	return func() { old.store.Close() }
}

// sweep takes out what has ended, until ctx is done.
func (r *revokedHandle) sweep(ctx context.Context) {
	for {
		// An error says that the store was sealed, or that the disk is full: then the next round has more to do.
		_, _ = r.store.Sweep(time.Now().Unix())
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
	}
}

func (r *revokedHandle) denylist() *verify.Denylist {
	if r == nil {
		return nil
	}
	return r.store.Denylist()
}

// api is what the admin listener needs for cfg.
func (r *revokedHandle) api(cfg *config.Config, log *slog.Logger) *admin.Revocation {
	if r == nil {
		return nil
	}
	issuers := map[string]revoke.Issuer{}
	for i := range cfg.Issuers {
		ic := &cfg.Issuers[i]
		issuers[ic.Issuer] = revoke.Issuer{MaxLifetime: int64(ic.MaxLifetime / time.Second), ClockSkew: int64(ic.ClockSkew / time.Second)}
	}
	return &admin.Revocation{
		Store: r.store, Issuers: issuers,
		Changed: func(what string, id verify.RuleID) { log.Info("revocation: "+what, "id", id.String()) },
		Failed:  func(err error) { log.Error("revocation: a write has failed", "error", err) },
	}
}

// write writes the series of the store.
func (r *revokedHandle) write(w io.Writer) {
	if r == nil {
		return
	}
	fmt.Fprintf(w, "sallyport_revocation_rules %d\n", r.store.Len())
	fmt.Fprintf(w, "sallyport_revocations_total %d\n", r.store.Added())
}
