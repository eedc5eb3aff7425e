package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A load is clients that send requests one after another, each on a connection that it keeps. Nothing is retried, as
// net/http would: a connection that ends without having said so is a failure.
type load struct {
	sent, failed, reconnects atomic.Int64
	mu                       sync.Mutex
	first                    string // the first failure
	stop                     chan struct{}
	wg                       sync.WaitGroup
}

// newLoad sends GETs for path with token until finish.
func newLoad(address, path, token string, clients int) *load {
	l := &load{stop: make(chan struct{})}
	request := "GET " + path + " HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	for range clients {
		l.wg.Go(func() {
			for l.connection(address, request) {
				l.reconnects.Add(1)
			}
		})
	}
	return l
}

// connection uses one connection until the server says that it closes it, which is no failure. It reports whether to go on.
func (l *load) connection(address, request string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return l.fail("dial", err)
	}
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		select {
		case <-l.stop:
			return false
		default:
		}
		c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, request); err != nil {
			return l.fail("write", err)
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return l.fail("read", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			return l.fail(resp.Status, err)
		}
		l.sent.Add(1)
		if resp.Close {
			return true
		}
	}
}

func (l *load) fail(what string, err error) bool {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = fmt.Sprintf("%s: %v", what, err)
	}
	return false
}

// more waits until n more requests have been answered.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	want := l.sent.Load() + n
	eventually(t, "requests being answered", func() bool {
		if l.failed.Load() > 0 {
			t.Fatalf("a request failed: %s", l.first)
		}
		return l.sent.Load() >= want
	})
}

// finish ends the load and says whether a request failed.
func (l *load) finish(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", n, l.sent.Load()+n, l.first)
	}
}
