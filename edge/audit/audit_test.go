package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func testRecord() *Record {
	return &Record{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("x", 3600)), RequestID: []byte("id"), Peer: []byte("192.0.2.1"), Method: []byte("GET"),
		Host: []byte("a"), Path: []byte("/p"), Route: "r", Verdict: "allow", Reason: "ok", Status: 200, BytesIn: 1, BytesOut: 2, Duration: 3456 * time.Microsecond,
		Client: []byte("198.51.100.7"), Query: []byte("q=1"), Detail: "d", Issuer: "i", Subject: []byte("s"), JTI: []byte("j"), Kid: []byte("k"), Alg: "ES256", Upstream: "u",
	}
}

func TestAppendRecord(t *testing.T) {
	const want = `{"time":"2026-01-02T02:04:05.678Z","request_id":"id","peer":"192.0.2.1","client":"198.51.100.7","method":"GET","host":"a","path":"/p","query":"q=1",` +
		`"route":"r","verdict":"allow","reason":"ok","detail":"d","iss":"i","sub":"s","jti":"j","kid":"k","alg":"ES256","upstream":"u",` +
		`"status":200,"bytes_in":1,"bytes_out":2,"duration_us":3456}` + "\n"
	if got := appendRecord(nil, testRecord(), true); string(got) != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got := appendRecord(nil, testRecord(), false); string(got) != strings.Replace(want, `"query":"q=1",`, "", 1) {
		t.Errorf("without the query: %s", got)
	}
	const empty = `{"time":"0001-01-01T00:00:00.000Z","request_id":"","peer":"","method":"","host":"","path":"","route":"","verdict":"","reason":"",` +
		`"status":0,"bytes_in":0,"bytes_out":0,"duration_us":0}` + "\n"
	if got := appendRecord([]byte("x"), new(Record), true); string(got) != "x"+empty {
		t.Errorf("got  %swant x%s", got, empty)
	}
}

// FuzzRecord: a record is one line of valid JSON for any octets, and encoding/json reads from it what was put in.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("/a"), "route", []byte(`"\`), "\r\n")
	f.Add([]byte("\xff\xc3("), "\u2028\u2029\u0085", []byte("\x00\x1f\x7f"), "\xed\xa0\x80")
	f.Add([]byte("\xf0\x9f\x98\x80\xf0\x9f\x98"), "\ufeff\ufffd", []byte(`","sub":"root`), "</script>")
	f.Fuzz(func(t *testing.T, path []byte, route string, sub []byte, detail string) {
		line := appendRecord(nil, &Record{Path: path, Route: route, Subject: sub, Detail: detail}, false)
		text, ok := bytes.CutSuffix(line, []byte("\n"))
		if !ok || bytes.ContainsAny(text, "\n\r\x00\x7f\u2028\u2029\u0085") {
			t.Fatalf("%q is not one line", line)
		}
		got := map[string]any{}
		dec := json.NewDecoder(bytes.NewReader(text))
		if err := dec.Decode(&got); err != nil || dec.InputOffset() != int64(len(text)) {
			t.Fatalf("%q: %v", line, err)
		}
		for name, want := range map[string]string{"path": string(path), "route": route, "sub": string(sub), "detail": detail} {
			if g, _ := got[name].(string); g != valid(want) {
				t.Fatalf("%q: %s is %q, want %q", line, name, g, valid(want))
			}
		}
	})
}

// valid is s with U+FFFD for each octet that is no UTF-8, as encoding/json has it.
func valid(s string) string { return string([]rune(s)) }

// run starts the log's writer; stop ends it and waits.
func run(t *testing.T, l *Log) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return stop
}

func open(t *testing.T, opt Options) *Log {
	t.Helper()
	l, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lines reads a log file; each line must be one JSON object.
func lines(t *testing.T, name string) []map[string]any {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		m := map[string]any{}
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
			t.Fatalf("line %q: %v", sc.Bytes(), err)
		}
		out = append(out, m)
	}
	return out
}

// What was taken is written before Run returns, from any number of goroutines, each record once and whole.
func TestFlushAtEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Options{Output: name, Buffer: 1 << 20})
	stop := run(t, l)
	const workers, each = 8, 500
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := testRecord()
			for i := range each {
				r.Status = w*each + i
				if !l.Log(r) {
					t.Errorf("record %d was not taken", r.Status)
				}
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	seen := map[float64]int{}
	for _, m := range lines(t, name) {
		seen[m["status"].(float64)]++
	}
	for i := range workers * each {
		if seen[float64(i)] != 1 {
			t.Fatalf("record %d was written %d times, want once", i, seen[float64(i)])
		}
	}
	// Its loss is the caller's to count: the next log may take it.
	if l.Log(testRecord()) || l.Dropped() != 0 {
		t.Errorf("a record behind the end was taken, or counted (%d)", l.Dropped())
	}
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; want 0600", st.Mode(), err)
	}
}

// A writer that is stuck stops no request: records are taken while there is room, then dropped and counted, and written once
// the reader reads again.
func TestBlockedWriter(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const buffer = 4000 // records: far more octets than a pipe holds
	l := open(t, Options{Output: "stderr", Buffer: buffer})
	l.out = w
	stop := run(t, l)
	taken := 0
	for l.Log(testRecord()) {
		if taken++; taken > 100*buffer {
			t.Fatal("the buffer has no end")
		}
	}
	if taken < buffer || !l.Full() || l.Dropped() != 1 {
		t.Errorf("%d records taken, full %v, dropped %d; want %d or more, true, 1", taken, l.Full(), l.Dropped(), buffer)
	}
	got := make(chan int)
	go func() {
		n := 0
		for sc := bufio.NewScanner(r); sc.Scan(); n++ {
		}
		got <- n
	}()
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	w.Close()
	if n := <-got; n != taken || l.Full() {
		t.Errorf("%d records were written, full %v; want %d, false", n, l.Full(), taken)
	}
}

// A slow writer is one whose writes begin when asked and end when allowed.
type slowWriter struct{ begun, end chan string }

func (w slowWriter) Write(p []byte) (int, error) {
	w.begun <- string(p)
	<-w.end
	return len(p), nil
}

// A record that comes during a write is written after it, though nothing comes behind to say so.
func TestRecordDuringWrite(t *testing.T) {
	l := open(t, Options{Output: "stderr", Buffer: 10})
	w := slowWriter{make(chan string), make(chan string)}
	l.out = w
	stop := run(t, l)
	l.Log(testRecord())
	<-w.begun
	l.Log(testRecord())
	w.end <- ""
	select {
	case b := <-w.begun:
		if n := strings.Count(b, "\n"); n != 1 {
			t.Errorf("%d records in the second write, want 1", n)
		}
		w.end <- ""
	case <-time.After(10 * time.Second):
		t.Error("the record was not written")
		close(w.end)
		go func() { <-w.begun }() // so that the end's write is not stuck
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// Long lines fill the buffer sooner: it is bounded in octets too.
func TestBufferIsBoundedInOctets(t *testing.T) {
	l := open(t, Options{Output: "stderr", Buffer: 1000})
	l.out = io.Discard
	r := testRecord()
	r.Path = bytes.Repeat([]byte("\x01"), 16<<10) // the worst: six octets for each
	n := 0
	for !l.Full() && l.Log(r) {
		n++
	}
	if l.Log(r) {
		t.Errorf("a record was taken though Full() was true")
	}
	if size := len(l.pending); n == 0 || size > 1000*meanRecord+7*len(r.Path) {
		t.Errorf("%d records of %d octets each are held in %d octets", n, 6*len(r.Path), size)
	}
	l.flush(nil)
	if l.Full() || !l.Log(r) {
		t.Errorf("there is no room though everything was written")
	}
}

// The memory of a burst is not kept, and what was written is wiped.
func TestMemoryAfterBurst(t *testing.T) {
	l := open(t, Options{Output: "stderr", Buffer: 1 << 20})
	l.out = io.Discard
	r := testRecord()
	for range 100 {
		l.Log(r)
	}
	spare := l.flush(nil)
	if spare = spare[:cap(spare)]; len(spare) == 0 || !bytes.Equal(spare, make([]byte, len(spare))) {
		t.Errorf("what was written is still in the %d octets of memory", len(spare))
	}
	r.Path = bytes.Repeat([]byte("a"), maxSpare)
	l.Log(r)
	if spare = l.flush(spare); cap(spare) > maxSpare {
		t.Errorf("%d octets are kept after a burst, want %d at most", cap(spare), maxSpare)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	name, moved := filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.log.1")
	l := open(t, Options{Output: name, Buffer: 100})
	log := func(status int) {
		r := testRecord()
		r.Status = status
		l.Log(r)
		l.flush(nil)
	}
	log(1)
	if err := os.Rename(name, moved); err != nil {
		t.Fatal(err)
	}
	log(2) // still into the file that was opened
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	log(3)
	if a, b := lines(t, moved), lines(t, name); len(a) != 2 || len(b) != 1 || b[0]["status"] != 3.0 {
		t.Errorf("the moved file has %d lines, the new one %d; want 2, 1", len(a), len(b))
	}
	// Where it cannot be opened, the old one stays in use.
	if err := os.Rename(name, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Errorf("Reopen of a folder: no error")
	}
	log(4)
	if a := lines(t, moved); len(a) != 2 || a[1]["status"] != 4.0 {
		t.Errorf("after a failed Reopen the old file has %d lines, want 2", len(a))
	}
	if err := l.closeFile(); err != nil {
		t.Error(err)
	}
	std := open(t, Options{Output: "stdout"})
	if err := std.Reopen(); err != nil {
		t.Errorf("Reopen of standard output: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A write error is reported, at most once a second, and what it cost is counted; the log goes on.
func TestWriteError(t *testing.T) {
	full := errors.New("no space left")
	var heard []error
	l := open(t, Options{Output: "stderr", Buffer: 10, OnError: func(err error) { heard = append(heard, err) }})
	l.out = failing{full}
	for range 3 {
		l.Log(testRecord())
		l.Log(testRecord())
		l.flush(nil)
	}
	if l.Dropped() != 6 || l.Full() {
		t.Errorf("dropped %d, full %v; want 6, false", l.Dropped(), l.Full())
	}
	if len(heard) == 0 || len(heard) > 2 || !errors.Is(heard[0], full) {
		t.Errorf("heard of %v, want one error", heard)
	}
	var out bytes.Buffer
	l.out = &out
	l.Log(testRecord())
	l.flush(nil)
	if l.Dropped() != 6 || out.Len() == 0 {
		t.Errorf("after the fault: dropped %d, %q written", l.Dropped(), out.String())
	}
}

// A tornWriter writes a part and fails until it is mended.
type tornWriter struct {
	out    io.Writer
	part   int
	mended atomic.Bool
}

func (w *tornWriter) Write(p []byte) (int, error) {
	if w.mended.Load() {
		return w.out.Write(p)
	}
	n, _ := w.out.Write(p[:min(len(p), w.part)])
	w.part = 0
	return n, errors.New("no space left")
}

// With Keep a fault of the disk is no way around the log: the buffer fills up, nothing is lost, and writing goes on where it broke off.
func TestKeepsWhatCannotBeWritten(t *testing.T) {
	var out bytes.Buffer
	w := &tornWriter{out: &out, part: 500} // one record and a bit
	l := open(t, Options{Output: "stderr", Buffer: 16, Keep: true})
	l.out = w
	taken := 0
	log := func() bool {
		r := testRecord()
		r.Status = taken
		if !l.Log(r) {
			return false
		}
		taken++
		return true
	}
	for range 5 {
		log()
	}
	stop := run(t, l)
	for deadline := time.Now().Add(10 * time.Second); !l.Full() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		log()
	}
	time.Sleep(3 * flushInterval)
	if !l.Full() || log() {
		t.Errorf("there is room while nothing can be written: %d records taken, %d dropped", taken, l.Dropped())
	}
	w.mended.Store(true)
	for deadline := time.Now().Add(10 * time.Second); l.Full() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if !log() {
		t.Error("there is no room once everything can be written again")
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	n := 0
	for line := range strings.Lines(out.String()) {
		var m struct{ Status int }
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Status != n {
			t.Fatalf("line %d is %q: %v", n, line, err)
		}
		n++
	}
	if n != taken || l.Dropped() != 1 {
		t.Errorf("%d records are written and %d dropped, want %d and 1", n, l.Dropped(), taken)
	}
}

func TestNewFails(t *testing.T) {
	if _, err := New(Options{Output: filepath.Join(t.TempDir(), "none", "audit.log")}); err == nil {
		t.Errorf("a log in a folder that does not exist: no error")
	}
}
