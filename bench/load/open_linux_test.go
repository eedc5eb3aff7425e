package load

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

var here = netip.AddrFrom4([4]byte{127, 0, 0, 2})

// serve runs f on each connection to the returned address, and waits at the end for all of them.
func serve(t *testing.T, f func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				f(c, bufio.NewReader(c))
			})
		}
	})
	return ln.Addr().String()
}

// request reads one request; false at the end of the connection.
func request(r *bufio.Reader) bool {
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return err == nil
		}
	}
}

// each answers every request with the next of answers, after a while, and in two pieces.
func each(t *testing.T, while time.Duration, answers ...string) string {
	return serve(t, func(c net.Conn, r *bufio.Reader) {
		for i := 0; request(r); i++ {
			time.Sleep(while)
			a := answers[i%len(answers)]
			for _, piece := range []string{a[:len(a)/2], a[len(a)/2:]} {
				if _, err := c.Write([]byte(piece)); err != nil {
					return
				}
			}
		}
	})
}

func (l *Load) stream(t *testing.T, address string, s Stream) *Stream {
	t.Helper()
	s.Source = here
	s.Next = func() []byte { return []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
	if err := l.DialStream(address, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// newStream makes a Load with one stream. It ends before the server at address does.
func newStream(t *testing.T, address string, s Stream) (*Load, *Stream) {
	t.Helper()
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, l.stream(t, address, s)
}

// Two streams at once through a proxy to our own upstream: as many as are due, no sooner than they are due.
func TestOfferKeepsTheRate(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	proxy := pipe(t, l.Upstream(), func(b []byte) []byte { return b })
	fast := l.stream(t, proxy, Stream{Conns: 4, Rate: 1000, Patience: 5 * time.Second})
	slow := l.stream(t, proxy, Stream{Conns: 1, Rate: 100, Patience: 5 * time.Second})
	for range 2 {
		start := time.Now()
		tallies, err := l.Offer(200*time.Millisecond, fast, slow)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 199*time.Millisecond {
			t.Errorf("the run took %v: its requests came too soon", took)
		}
		for i, want := range []int{200, 20} {
			if n := tallies[i]; n.Offered != want || n.Sent != want || n.Status[200] != want || n.InTime != want || len(n.Latency) != want || n.Shed != 0 {
				t.Errorf("of %d: offered %d, sent %d, answered %d, in time %d, shed %d", want, n.Offered, n.Sent, n.Status[200], n.InTime, n.Shed)
			}
		}
	}
}

// 100 requests a second to a server that takes 50 at most: each waits for those before it, though the server has it for 20 ms.
func TestLatencyCountsFromDue(t *testing.T) {
	const ms = time.Millisecond
	l, s := newStream(t, each(t, 20*ms, string(answer)), Stream{Conns: 1, Rate: 100, Patience: 110 * ms})
	tallies, err := l.Offer(200*ms, s)
	if err != nil {
		t.Fatal(err)
	}
	got := tallies[0]
	if got.Offered != 20 || got.Status[200] < 2 || got.Status[200] > 15 {
		t.Errorf("%d of %d came within the run, want what 310 ms give, 20 ms each", got.Status[200], got.Offered)
	}
	inTime := 0
	for i, latency := range got.Latency {
		if k := time.Duration(i); latency < (k+1)*20*ms-k*10*ms {
			t.Errorf("number %d took %v: that was not counted from when it was due", i, latency)
		}
		if latency <= s.Patience {
			inTime++
		}
	}
	if got.InTime != inTime || inTime > 10 {
		t.Errorf("%d are in time, want %d, 10 at most", got.InTime, inTime)
	}
}

func TestShedForgetsWhatFindsNoConnection(t *testing.T) {
	l, s := newStream(t, each(t, 20*time.Millisecond, string(answer)), Stream{Conns: 2, Rate: 1000, Patience: time.Second, Shed: true})
	tallies, err := l.Offer(200*time.Millisecond, s)
	if err != nil {
		t.Fatal(err)
	}
	got := tallies[0]
	if got.Offered != 200 || got.Sent+got.Shed != 200 || got.Sent < 4 || got.Sent > 22 || got.Status[200] != got.Sent {
		t.Errorf("of %d sent %d, shed %d, answered %d; want all, and 20 ms for each on two connections", got.Offered, got.Sent, got.Shed, got.Status[200])
	}
	if last := got.Quantile(1); last > 900*time.Millisecond {
		t.Errorf("a request waited %v: it was not shed", last)
	}
}

func TestDepth(t *testing.T) {
	const depth = 4
	address := serve(t, func(c net.Conn, r *bufio.Reader) {
		for {
			for range depth {
				if !request(r) {
					return
				}
			}
			// One more would be there by now.
			if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Error(err)
			}
			if _, err := r.Peek(1); err == nil {
				t.Errorf("more than %d requests are outstanding", depth)
			}
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				t.Error(err)
			}
			if _, err := c.Write([]byte(strings.Repeat(string(answer), depth))); err != nil {
				return
			}
		}
	})
	l, s := newStream(t, address, Stream{Conns: 1, Depth: depth, Rate: 1000, Patience: 3 * time.Second})
	tallies, err := l.Offer(24*time.Millisecond, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := tallies[0].Status[200]; got != 24 {
		t.Errorf("%d of 24 were answered", got)
	}
}

func TestCountsByStatus(t *testing.T) {
	const (
		full    = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nretry-after:1\r\n\r\nfull"
		bare    = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 15\r\n\r\nRetry-After: 1\n"
		refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
	)
	l, s := newStream(t, each(t, 0, full, refused, bare, refused), Stream{Conns: 1, Rate: 1000, Patience: 5 * time.Second})
	tallies, err := l.Offer(40*time.Millisecond, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := tallies[0]; got.Status[503] != 20 || got.Bare503 != 10 || got.Status[401] != 20 || len(got.Latency) != 0 || got.InTime != 0 {
		t.Errorf("503: %d, bare %d; 401: %d; good %d", got.Status[503], got.Bare503, got.Status[401], got.InTime)
	}
}

// What is outstanding at the end of a run is none of the next one's, and does not shift its responses.
func TestLateResponsesCountForNone(t *testing.T) {
	l, s := newStream(t, each(t, 60*time.Millisecond, string(answer)), Stream{Conns: 1, Depth: 3, Rate: 1000, Patience: 20 * time.Millisecond})
	tallies, err := l.Offer(3*time.Millisecond, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := tallies[0]; got.Sent != 3 || got.Status[200] != 0 {
		t.Errorf("%d of %d were answered, want none of 3", got.Status[200], got.Sent)
	}
	s.Depth, s.Patience = 4, 5*time.Second
	if tallies, err = l.Offer(2*time.Millisecond, s); err != nil {
		t.Fatal(err)
	}
	if got := tallies[0]; got.Status[200] != 2 || got.Quantile(0) < 60*time.Millisecond {
		t.Errorf("%d were answered, the first after %v; want 2, behind those of the first run", got.Status[200], got.Quantile(0))
	}
}

func TestOfferRefusesOtherResponses(t *testing.T) {
	for name, a := range map[string]string{
		"another body":   strings.Replace(string(answer), "hello world", "HELLO WORLD", 1),
		"a longer one":   strings.Replace(string(answer), "11\r\n\r\n", "12\r\n\r\n!", 1),
		"two for one":    strings.Repeat(string(answer), 2),
		"no length":      "HTTP/1.1 401 Unauthorized\r\n\r\n",
		"no status":      "HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
		"no status line": "hello\r\n\r\n",
		"an interim one": "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
	} {
		l, s := newStream(t, each(t, 0, a), Stream{Conns: 1, Rate: 100, Patience: time.Second})
		if tallies, err := l.Offer(50*time.Millisecond, s); err == nil {
			t.Errorf("%s: taken for a good run, %d with 200", name, tallies[0].Status[200])
		}
	}
	l, s := newStream(t, serve(t, func(net.Conn, *bufio.Reader) {}), Stream{Conns: 1, Rate: 100, Patience: time.Second})
	if _, err := l.Offer(50*time.Millisecond, s); err == nil {
		t.Error("a closed connection was taken for a good run")
	}
	s.Rate = 0
	if _, err := l.Offer(time.Millisecond, s); err == nil {
		t.Error("a stream without a rate was taken")
	}
}
