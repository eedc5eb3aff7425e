package wire

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const anyHead = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// timed runs test in a bubble with the two ends of a connection: 10 s for a head, a minute between two.
func timed(t *testing.T, test func(t *testing.T, c *Conn, client net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		lim := &Limits{Head: 4096, URI: 1024, Fields: 10, LineBreaksBefore: 1, HeadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		c := Of(NewConn(server, lim))
		defer c.Close()
		test(t, c, client)
	})
}

// wait reads until the deadline and reports how long that took.
func wait(t *testing.T, c *Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if n, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read = %d, %v; want a timeout", n, err)
	}
	return time.Since(start)
}

// serve has the client send one head and reads it.
func serve(t *testing.T, c *Conn, client net.Conn) {
	t.Helper()
	go client.Write([]byte(anyHead)) //nolint:errcheck // seen by the reader
	if n, err := c.Read(make([]byte, 100)); n == 0 || err != nil {
		t.Fatalf("Read = %d, %v; want a head", n, err)
	}
}

func TestNewConnectionThatIsSilent(t *testing.T) {
	timed(t, func(t *testing.T, c *Conn, _ net.Conn) {
		if took := wait(t, c); took != 10*time.Second {
			t.Errorf("it was kept for %v, want 10s", took)
		}
	})
}

func TestIdleConnection(t *testing.T) {
	timed(t, func(t *testing.T, c *Conn, client net.Conn) {
		for range 100 { // the deadline moves in steps of an eighth
			serve(t, c, client)
			time.Sleep(time.Second)
		}
		if took := wait(t, c); took > time.Minute || took < time.Minute*7/8-time.Second {
			t.Errorf("it was kept for %v, want a minute, an eighth less at most", took)
		}
	})
}

func TestHeadInPiecesThatNeverEnds(t *testing.T) {
	timed(t, func(t *testing.T, c *Conn, client net.Conn) {
		serve(t, c, client)
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := range anyHead {
				time.Sleep(2 * time.Second)
				if _, err := client.Write([]byte(anyHead[i : i+1])); err != nil {
					return
				}
			}
		})
		if took := wait(t, c); took != 12*time.Second {
			t.Errorf("it was kept for %v, want 10s from its first octet", took)
		}
		client.Close() // ends the writer
		writer.Wait()
	})
}

// What a body's reader left behind must not hold for the next head, in either direction.
func TestDeadlineOfABodyEndsWithIt(t *testing.T) {
	for _, left := range []time.Duration{-time.Hour, time.Second, time.Hour} {
		timed(t, func(t *testing.T, c *Conn, client net.Conn) {
			serve(t, c, client)
			if err := c.SetReadDeadline(time.Now().Add(left)); err != nil {
				t.Fatal(err)
			}
			if took := wait(t, c); took != time.Minute {
				t.Errorf("after a deadline in %v it was kept for %v, want a minute", left, took)
			}
		})
	}
}
