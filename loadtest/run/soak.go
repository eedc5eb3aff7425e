package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A watch reads the live heap of the proxy after a collection, again and again.
type watch struct {
	rig        *rig
	cancel     context.CancelFunc
	done       chan struct{}
	goroutines float64 // before the load
	samples    []heapSample
	err        error
}

type heapSample struct{ at, bytes float64 } // seconds, octets

func startWatch(ctx context.Context, r *rig) *watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{rig: r, cancel: cancel, done: make(chan struct{})}
	// A first request: what stays for good begins with it.
	_, _, err := get(ctx, r.target)
	if err == nil {
		var before metrics
		before, err = r.metrics(ctx)
		w.goroutines = before["go_goroutines"]
	}
	w.err = err
	go w.run(ctx)
	return w
}

func (w *watch) run(ctx context.Context) {
	defer close(w.done)
	start := time.Now()
	ticker := time.NewTicker(heapEvery())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			live, err := w.liveHeap(ctx)
			if err != nil {
				if ctx.Err() == nil {
					w.err = err
				}
				return
			}
			w.samples = append(w.samples, heapSample{time.Since(start).Seconds(), live})
		}
	}
}

// heapEvery has sixty samples in a run, but collects the proxy's garbage no more often than every second.
func heapEvery() time.Duration {
	d, err := time.ParseDuration(os.Getenv("DURATION"))
	if err != nil {
		d = 30 * time.Minute
	}
	return max(d/60, time.Second)
}

// heapAlloc is the line of runtime.MemStats in a heap profile as text; with gc=1 it is written right after a collection.
var heapAlloc = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

func (w *watch) liveHeap(ctx context.Context) (float64, error) {
	status, body, err := get(ctx, w.rig.admin+"/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	m := heapAlloc.FindStringSubmatch(body)
	if status != http.StatusOK || m == nil {
		return 0, fmt.Errorf("heap profile: status %d, no HeapAlloc", status)
	}
	return strconv.ParseFloat(m[1], 64)
}

// end stops watching and judges.
func (w *watch) end(ctx context.Context) []check {
	w.cancel()
	<-w.done
	if w.err != nil {
		return []check{{"the proxy's heap could be read throughout", false, w.err.Error()}}
	}
	growth, err := heapGrowth(w.samples)
	if err != nil {
		return []check{{"live heap grows by 1 % at most", false, err.Error()}}
	}
	found := fmt.Sprintf("%+.2f %% in the last two thirds, to %.1f MiB", 100*growth, w.samples[len(w.samples)-1].bytes/(1<<20))
	left, err := w.leftGoroutines(ctx)
	stay := fmt.Sprintf("%.0f before, %.0f after", w.goroutines, left)
	if err != nil {
		stay = err.Error()
	} else if left > w.goroutines {
		stay += w.dump(ctx)
	}
	return []check{
		{"live heap grows by 1 % at most", growth <= 0.01, found},
		{"no goroutine stays", err == nil && left <= w.goroutines, stay},
	}
}

// dump writes down which goroutines there are.
func (w *watch) dump(ctx context.Context) string {
	_, body, err := get(ctx, w.rig.admin+"/debug/pprof/goroutine?debug=1")
	path := strings.TrimSuffix(w.rig.logPath, ".log") + ".goroutines"
	if err == nil {
		err = os.WriteFile(path, []byte(body), 0o644)
	}
	if err != nil {
		return ": " + err.Error()
	}
	return "; see " + path
}

// leftGoroutines waits for the connections and their goroutines to go.
func (w *watch) leftGoroutines(ctx context.Context) (left float64, err error) {
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(time.Second) {
		now, err := w.rig.metrics(ctx)
		if err != nil {
			return 0, err
		}
		if left = now["go_goroutines"]; left <= w.goroutines || time.Now().After(end) {
			return left, nil
		}
	}
}

// heapGrowth returns what the regression line through the last two thirds of the samples gains, by its mean.
func heapGrowth(samples []heapSample) (float64, error) {
	s := samples[len(samples)/3:]
	if len(s) < 10 {
		return 0, errors.New("fewer than 15 samples: DURATION is too short")
	}
	var x, y float64
	for _, p := range s {
		x += p.at / float64(len(s))
		y += p.bytes / float64(len(s))
	}
	var xy, xx float64
	for _, p := range s {
		xy += (p.at - x) * (p.bytes - y)
		xx += (p.at - x) * (p.at - x)
	}
	return xy / xx * (s[len(s)-1].at - s[0].at) / y, nil
}
