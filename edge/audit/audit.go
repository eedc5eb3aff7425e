// Package audit writes one JSON line for each request. A request never waits for the writer: when it cannot keep up, the
// record is dropped and counted, or the request is refused before it is forwarded, as the config says.
package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
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
	Detail                 string // fixed words of ours, and names from the config
	Issuer                 string // this and what follows only when verified
	Subject, JTI, Kid      []byte
	Alg, Upstream          string

	// Must says that the request was let through on the promise of a record (when_full = "refuse"): there is room for it even
	// when the log has filled up since. So the buffer is exceeded by no more than the requests in flight.
	Must bool

	line []byte // Log's, so that encoding needs no lock; reused
}

// Reset forgets the request and wipes what was written about it, keeping the memory.
func (r *Record) Reset() {
	clear(r.line)
	*r = Record{line: r.line[:0]}
}

// Options is where the log goes.
type Options struct {
	Output    string // "stdout", "stderr" or a file's path
	Buffer    int    // records that may wait, of meanRecord octets in the mean
	WithQuery bool
	// Keep keeps what cannot be written and tries again, so that the log fills up; else it is dropped, and there is room again.
	Keep    bool
	Dropped *atomic.Uint64 // counts the records that were lost, also those of the logs before this one; nil: an own one
	// OnError hears of write errors, at most one a second. It must not block.
	OnError func(error)
}

// Log is an audit log. Log, Full, Dropped, Reopen and Abort are safe for concurrent use.
type Log struct {
	opt     Options
	dropped *atomic.Uint64

	mu      sync.Mutex // guards what follows; held for a copy, never for I/O
	pending []byte     // encoded lines
	ends    int        // how many, those being written included
	writing int        // octets of the batch that is being written
	closed  bool
	wake    chan struct{}

	failing bool // the last write was an error; Run's alone

	outMu   sync.Mutex // guards out and changes of file; held while writing, which may take for ever
	out     io.Writer
	lastErr time.Time
	file    atomic.Pointer[os.File] // nil for the standard streams
	moved   atomic.Bool             // the file is to be opened again before the next write
}

// New opens the log. Run must be started for anything to be written.
func New(opt Options) (*Log, error) {
	l := &Log{opt: opt, dropped: opt.Dropped, wake: make(chan struct{}, 1)}
	if l.dropped == nil {
		l.dropped = new(atomic.Uint64)
	}
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
		l.out = f
		l.file.Store(f)
	}
	return l, nil
}

// openFile does not wait: opening a named pipe would otherwise last until somebody reads it. Without blocking, a write to a
// pipe that is full can be ended by Close.
func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ENXIO) {
		return nil, fmt.Errorf("audit: cannot open log: %s is a pipe that nobody reads; start its reader first", path)
	}
	if err != nil {
		return nil, fmt.Errorf("audit: cannot open log: %w", err)
	}
	return f, nil
}

// Log takes a record, which it copies, and reports whether it did: there was room, and the log has not ended. It does no
// I/O. Only what finds no room is counted, since another log may take what comes after the end.
func (l *Log) Log(r *Record) bool {
	r.line = appendRecord(r.line[:0], r, l.opt.WithQuery)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	if l.full() && !r.Must {
		l.mu.Unlock()
		l.dropped.Add(1)
		return false
	}
	l.pending = append(l.pending, r.line...)
	l.ends++
	first := l.ends == 1
	l.mu.Unlock()
	if first {
		l.rouse()
	}
	return true
}

func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Full reports whether the next record would be dropped.
func (l *Log) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full()
}

// meanRecord is how many octets of the buffer there are for each record. A record takes about 400; without a bound in octets,
// requests for long paths, each octet of which may be six in JSON, would hold gigabytes while the writer is stuck.
const meanRecord = 2 << 10

// full reports whether there is no room for another record. l.mu is held.
func (l *Log) full() bool {
	return l.ends >= l.opt.Buffer || len(l.pending)+l.writing >= l.opt.Buffer*meanRecord
}

// Dropped returns how many records were not taken or, once taken, could not be written.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// flushInterval is how long lines may wait for company: one write for many records.
const flushInterval = 20 * time.Millisecond

// retryInterval is how long what could not be written waits to be tried again.
const retryInterval = 250 * time.Millisecond

// Run writes until ctx ends, then writes what is left.
func (l *Log) Run(ctx context.Context) error {
	var spare []byte
	pause := time.NewTimer(0)
	<-pause.C
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
		pause.Reset(flushInterval)
		if l.failing {
			pause.Reset(retryInterval)
		}
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// flush writes the pending lines in one write and returns their memory for the next batch. The room they take in the
// buffer is free again only when they are written, so that the buffer bounds what can be lost. A kept rest goes on at the octet
// where the write broke off.
func (l *Log) flush(spare []byte) []byte {
	l.mu.Lock()
	batch, n := l.pending, l.ends
	l.pending, l.writing = spare[:0], len(batch)
	l.mu.Unlock()
	if n == 0 {
		return batch
	}
	written, err := l.write(batch)
	if l.failing = err != nil; err != nil {
		l.report(fmt.Errorf("audit: cannot write %d records: %w", n, err))
	}
	l.mu.Lock()
	switch {
	case err == nil:
	case l.opt.Keep && !l.closed:
		n = bytes.Count(batch[:written], lineEnd)
		l.pending = append(batch[written:len(batch):len(batch)], l.pending...)
		batch = nil
	default:
		l.dropped.Add(uint64(n))
	}
	l.ends -= n
	l.writing = 0
	again := l.ends > 0
	l.mu.Unlock()
	if again {
		l.rouse()
	}
	if cap(batch) > maxSpare {
		return nil
	}
	clear(batch)
	return batch
}

var lineEnd = []byte("\n")

// write returns how many octets were written.
func (l *Log) write(batch []byte) (int, error) {
	l.outMu.Lock()
	defer l.outMu.Unlock()
	if l.moved.Swap(false) {
		if err := l.openAgain(); err != nil {
			l.report(err)
		}
	}
	return l.out.Write(batch)
}

// maxSpare bounds the memory that is kept for the next batch, in octets: after a burst it is given back.
const maxSpare = 1 << 20

func (l *Log) report(err error) {
	if now := time.Now(); l.opt.OnError != nil && now.Sub(l.lastErr) >= time.Second {
		l.lastErr = now
		l.opt.OnError(err)
	}
}

// Reopen opens the file again after it was moved away: what is logged from now on goes to the new one. On an error the old
// file stays in use. It never waits for a write: while one is in progress, the file is opened again behind it, and an error
// goes to OnError.
func (l *Log) Reopen() error {
	if !l.outMu.TryLock() {
		l.moved.Store(true)
		return nil
	}
	defer l.outMu.Unlock()
	return l.openAgain()
}

// openAgain is Reopen's work. l.outMu is held.
func (l *Log) openAgain() error {
	old := l.file.Load()
	if old == nil {
		return nil
	}
	f, err := openFile(l.opt.Output)
	if err != nil {
		return err
	}
	l.out = f
	l.file.Store(f)
	return old.Close()
}

// Abort closes the file under a write that does not end, so that Run can. It cannot end a write to a standard stream. It
// returns how many records were waiting.
func (l *Log) Abort() int {
	if f := l.file.Load(); f != nil {
		f.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends
}

func (l *Log) closeFile() error {
	l.outMu.Lock()
	defer l.outMu.Unlock()
	f := l.file.Load()
	if f == nil {
		return nil
	}
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // a pipe cannot be synced
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
