// Package audit writes one JSON line for each request. A request never waits for the writer: when it cannot keep up, the
// record is dropped and counted, or the request is refused before it is forwarded, as the config says.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Record is one request. Byte slices and strings are views that the caller owns while Log runs; empty fields are left out
// of the line, but for the first group.
type Record struct {
	Time                   time.Time
	RequestID, Peer        []byte
	Method, Host, Path     []byte
	Route, Verdict, Reason string
	Status                 int
	BytesIn, BytesOut      int64
	Duration               time.Duration
	Client, Query          []byte
	Detail                 string // fixed words of ours
	Issuer                 string // this and what follows only when verified
	Subject, JTI, Kid      []byte
	Alg, Upstream          string
}

// Options is where the log goes.
type Options struct {
	Output    string // "stdout", "stderr" or a file's path
	Buffer    int    // records that may wait
	WithQuery bool
	// OnError hears of write errors, at most one a second. It must not block.
	OnError func(error)
}

// Log is an audit log. Log, Full and Dropped are safe for concurrent use.
type Log struct {
	opt     Options
	dropped atomic.Uint64
	lost    atomic.Uint64 // accepted, then not written for an error

	mu      sync.Mutex // guards what follows; held for a copy, never for I/O
	pending []byte     // encoded lines
	ends    int        // how many
	closed  bool
	wake    chan struct{}

	outMu   sync.Mutex // guards out
	out     io.Writer
	file    *os.File // nil for the standard streams
	lastErr time.Time
}

// New opens the log. Run must be started for anything to be written.
func New(opt Options) (*Log, error) {
	l := &Log{opt: opt, wake: make(chan struct{}, 1)}
	switch opt.Output {
	case "stdout":
		l.out = os.Stdout
	case "stderr":
		l.out = os.Stderr
	default:
		f, err := openFile(opt.Output)
		if err != nil {
			return nil, err
		}
		l.out, l.file = f, f
	}
	return l, nil
}

func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: cannot open log: %w", err)
	}
	return f, nil
}

// Log takes a record, which it copies, and reports whether there was room. It does no I/O.
func (l *Log) Log(r *Record) bool {
	l.mu.Lock()
	if l.closed || l.ends >= l.opt.Buffer {
		l.mu.Unlock()
		l.dropped.Add(1)
		return false
	}
	l.pending = appendRecord(l.pending, r, l.opt.WithQuery)
	l.ends++
	first := l.ends == 1
	l.mu.Unlock()
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// Full reports whether the next record would be dropped.
func (l *Log) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends >= l.opt.Buffer
}

// Dropped returns how many records were not taken or, once taken, could not be written.
func (l *Log) Dropped() uint64 { return l.dropped.Load() + l.lost.Load() }

// flushInterval is how long lines may wait for company: one write for many records.
const flushInterval = 20 * time.Millisecond

// Run writes until ctx ends, then writes what is left.
func (l *Log) Run(ctx context.Context) error {
	var spare []byte
	for {
		select {
		case <-ctx.Done():
			l.mu.Lock()
			l.closed = true
			l.mu.Unlock()
			l.flush(spare)
			return l.closeFile()
		case <-l.wake:
		}
		spare = l.flush(spare)
		select {
		case <-ctx.Done():
		case <-time.After(flushInterval):
		}
	}
}

// flush writes the pending lines in one write and returns their memory for the next batch. The room they take in the
// buffer is free again only when they are written, so that the buffer bounds what can be lost.
func (l *Log) flush(spare []byte) []byte {
	l.mu.Lock()
	batch, n := l.pending, l.ends
	l.pending = spare[:0]
	l.mu.Unlock()
	if n == 0 {
		return batch
	}
	l.outMu.Lock()
	_, err := l.out.Write(batch)
	l.outMu.Unlock()
	l.mu.Lock()
	l.ends -= n
	again := l.ends > 0
	l.mu.Unlock()
	if again {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	if err != nil {
		l.lost.Add(uint64(n))
		l.report(fmt.Errorf("audit: cannot write %d records: %w", n, err))
	}
	clear(batch)
	return batch
}

func (l *Log) report(err error) {
	if now := time.Now(); l.opt.OnError != nil && now.Sub(l.lastErr) >= time.Second {
		l.lastErr = now
		l.opt.OnError(err)
	}
}

// Reopen opens the file again after it was moved away. On an error the old file stays in use.
func (l *Log) Reopen() error {
	l.outMu.Lock()
	defer l.outMu.Unlock()
	if l.file == nil {
		return nil
	}
	f, err := openFile(l.opt.Output)
	if err != nil {
		return err
	}
	old := l.file
	l.out, l.file = f, f
	return old.Close()
}

func (l *Log) closeFile() error {
	l.outMu.Lock()
	defer l.outMu.Unlock()
	if l.file == nil {
		return nil
	}
	return errors.Join(l.file.Sync(), l.file.Close())
}
