package edge

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"sallyport/edge/config"
	"sallyport/keys/fetch"
	"sallyport/verify"
	"sallyport/verify/pool"
)

// engineHandle is the claim cache, the verification pool and the room of those who wait for keys. Each outlives the configs that ask for the same.
type engineHandle struct {
	cacheCfg config.Cache
	poolCfg  config.Verification
	cache    *verify.Cache
	pool     *verify.Pool
	room     *fetch.Room
}

// prepare returns a handle for cfg, with what of h can go on.
func (h *engineHandle) prepare(cfg *config.Config) *engineHandle {
	next := &engineHandle{cacheCfg: cfg.Cache, poolCfg: cfg.Verification}
	if h != nil && h.cacheCfg == cfg.Cache {
		next.cache = h.cache
	} else {
		next.cache = verify.NewCache(int64(cfg.Cache.Size))
	}
	if h != nil && h.poolCfg == cfg.Verification {
		next.pool, next.room = h.pool, h.room
		return next
	}
	v := &cfg.Verification
	next.room = fetch.NewRoom(v.KeyWaiting, v.KeyWaitingPerSource, v.KeyWait)
	start := time.Now()
	next.pool = verify.NewPool(pool.Options{
		Shards: runtime.GOMAXPROCS(0), Queue: v.Queue, PerSource: v.QueuePerSource,
		MaxWait: int64(v.MaxWait), Clock: func() int64 { return int64(time.Since(start)) },
		Yield: newYield,
	})
	return next
}

// write writes the series of cache and pool.
func (h *engineHandle) write(w io.Writer) {
	c := h.cache.Stats()
	fmt.Fprintf(w, "sallyport_cache_bytes %d\n", c.Bytes)
	fmt.Fprintf(w, "sallyport_cache_max_bytes %d\n", c.MaxBytes)
	fmt.Fprintf(w, "sallyport_cache_entries %d\n", c.Entries)
	fmt.Fprintf(w, "sallyport_cache_evictions_total %d\n", c.Evicted)
	p := h.pool.Stats()
	fmt.Fprintf(w, "sallyport_pool_waiting %d\n", p.Waiting)
	fmt.Fprintf(w, "sallyport_pool_verifications_total{how=\"inline\"} %d\n", p.Inline)
	fmt.Fprintf(w, "sallyport_pool_verifications_total{how=\"queued\"} %d\n", p.Queued)
	fmt.Fprintf(w, "sallyport_pool_verifications_total{how=\"shared\"} %d\n", p.Coalesced)
	fmt.Fprintf(w, "sallyport_pool_rejected_total %d\n", p.Rejected)
	fmt.Fprintf(w, "sallyport_keyset_waiting %d\n", h.room.Waiting())
	fmt.Fprintf(w, "sallyport_key_table_bytes %d\n", verify.TableBytes())
	for _, part := range strings.Fields(verify.ActiveKernels().String()) {
		what, kernel, _ := strings.Cut(part, "=")
		fmt.Fprintf(w, "sallyport_kernel_info{for=%q,kernel=%q} 1\n", what, kernel)
	}
}
