package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"
)

// issuerAndControl is the issuer's discovery and key set, and what the scripts can ask for: publish, withdraw, reload.
func (r *rig) issuerAndControl() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": "http://" + req.Host, "jwks_uri": "http://" + req.Host + "/jwks", "response_types_supported": []string{"code"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{r.opt.alg},
			"authorization_endpoint": "http://" + req.Host + "/authorize",
		})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, *r.jwks.Load())
	})
	mux.HandleFunc("POST /publish", answer(r.publish))
	mux.HandleFunc("POST /withdraw", answer(func(context.Context) error { r.jwks.Store(&r.keys[1]); return nil }))
	mux.HandleFunc("POST /reload", answer(r.reload))
	return mux
}

func answer(do func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if err := do(req.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// publish puts the second key beside the first.
func (r *rig) publish(context.Context) error {
	var both struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for _, set := range r.keys {
		var one struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal([]byte(set), &one); err != nil {
			return err
		}
		both.Keys = append(both.Keys, one.Keys...)
	}
	text, err := json.Marshal(both)
	if err != nil {
		return err
	}
	jwks := string(text)
	r.jwks.Store(&jwks)
	return nil
}

// reload writes another config, signals the proxy and waits until it says that it has reloaded. k6 calls it from one client:
// nothing else touches the config.
func (r *rig) reload(ctx context.Context) error {
	const done = `sallyport_reloads_total{result="ok"}`
	before, err := r.metrics(ctx)
	if err != nil {
		return err
	}
	r.params.changed = !r.params.changed
	// In one step: the proxy must never read half a file.
	if err := os.WriteFile(r.config+".new", []byte(r.params.text()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(r.config+".new", r.config); err != nil {
		return err
	}
	if err := r.proxy.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now, err := r.metrics(ctx)
		if err != nil {
			return err
		}
		if now[done] > before[done] {
			return nil
		}
	}
	return fmt.Errorf("no reload within 10 s; see %s", r.logPath)
}
