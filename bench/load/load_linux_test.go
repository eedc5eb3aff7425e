package load

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pipe is the least of proxies: each connection to it is one to address, and change may edit what comes back.
func pipe(t *testing.T, address string, change func(b []byte) []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer out.Close()
				go io.Copy(out, in) //nolint:errcheck // ends with its connections
				buf := make([]byte, maxMessage)
				for {
					n, err := out.Read(buf)
					if err != nil {
						return
					}
					if _, err := in.Write(change(buf[:n])); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func newLoad(t *testing.T, change func(b []byte) []byte) *Load {
	t.Helper()
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	requests := [][]byte{[]byte("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")}
	if err := l.Dial(pipe(t, l.Upstream(), change), 4, requests); err != nil {
		t.Fatal(err)
	}
	return l
}

// Clients that are not used send nothing, and stay open.
func TestUse(t *testing.T) {
	l := newLoad(t, func(b []byte) []byte { return b })
	l.Use(1, 3)
	idle := []int{l.clients[0].fd, l.clients[3].fd}
	for _, c := range []*conn{l.clients[0], l.clients[3]} {
		c.fd = -1 // a write would fail
	}
	if _, err := l.Run(100); err != nil {
		t.Fatal(err)
	}
	for i, c := range []*conn{l.clients[0], l.clients[3]} {
		c.fd = idle[i]
	}
	l.Use(0, 4)
	if _, err := l.Run(100); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	l := newLoad(t, func(b []byte) []byte { return b })
	for _, n := range []int{1, 3, 4, 500} {
		if took, err := l.Run(n); err != nil || took <= 0 {
			t.Errorf("Run(%d) = %v, %v", n, took, err)
		}
	}
	if l.next != 508%2 {
		t.Errorf("next request is %d: not all were sent in turn", l.next)
	}
}

func TestRunRefusesOtherResponses(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"not 200":   func(b []byte) []byte { return []byte(strings.Replace(string(b), "200 OK", "401 Unauthorized", 1)) },
		"body":      func(b []byte) []byte { return []byte(strings.Replace(string(b), "hello world", "HELLO WORLD", 1)) },
		"something": func(b []byte) []byte { return append(b[:len(b):len(b)], '!') },
	} {
		if _, err := newLoad(t, change).Run(10); err == nil {
			t.Errorf("%s: the run was taken for a good one", name)
		}
	}
}

// A run may take longer than silence, and then be quiet for a moment.
func TestRunMayTakeLong(t *testing.T) {
	var seen atomic.Int32
	l := newLoad(t, func(b []byte) []byte {
		delay := 2 * time.Millisecond
		if seen.Add(1) > 4000 {
			delay = 20 * time.Millisecond
		}
		time.Sleep(delay)
		return b
	})
	l.silence = 1500 * time.Millisecond // a busy machine stands still for less
	if took, err := l.Run(4020); err != nil || took < l.silence {
		t.Errorf("Run = %v, %v, want more than %v", took, err, l.silence)
	}
}

func TestRunEndsWhenNothingHappens(t *testing.T) {
	l := newLoad(t, func(b []byte) []byte { time.Sleep(time.Second); return b })
	l.silence = 50 * time.Millisecond
	if _, err := l.Run(4); err == nil {
		t.Error("a proxy that is silent for longer was waited for")
	}
}
