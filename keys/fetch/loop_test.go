package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/verify/jose"
)

// The loop is tested in synctest's time: to the nanosecond, whatever else the machine does. The network is a RoundTripper.

// A network answers requests and notes when they came.
type network struct {
	mu     sync.Mutex
	start  time.Time
	at     []time.Duration // since start
	answer func(*http.Request) (*http.Response, error)
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.at = append(n.at, time.Since(n.start))
	answer := n.answer
	n.mu.Unlock()
	return answer(r)
}

func (n *network) set(answer func(*http.Request) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = answer
}

// times returns when requests came, and forgets them.
func (n *network) times() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.at
	n.at = nil
	return at
}

func ok(body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func down(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

// after delays an answer, unless the request ends before.
func after(d time.Duration, answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return answer(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// loop runs test in a bubble with a Source whose Run has been started there, and ends Run afterwards.
func loop(t *testing.T, first func(*http.Request) (*http.Response, error), change func(*Config), test func(s *Source, n *network, log *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{
			Issuer: "https://idp.example", JWKSURI: "https://idp.example/jwks", Algs: jose.NewAlgSet(jose.ES256),
			RefreshInterval: 10 * time.Minute, Timeout: 5 * time.Second, MinHintInterval: time.Second, MaxBytes: 64 << 10,
		}
		if change != nil {
			change(&cfg)
		}
		s, log := newSource(t, cfg)
		n := &network{start: time.Now(), answer: first}
		s.client.Transport, s.learned.Transport = n, n
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		test(s, n, log)
		cancel()
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v, want the context's error", err)
			}
		default:
			t.Error("Run goes on though its context has ended and no time has passed")
		}
	})
}

// gaps fails unless the times since the one before are each within an eighth below want, the last of which repeats.
func gaps(t *testing.T, what string, at []time.Duration, want ...time.Duration) {
	t.Helper()
	for i := 1; i < len(at); i++ {
		w := want[min(i, len(want))-1]
		if got := at[i] - at[i-1]; got > w || got < w-w/8 {
			t.Errorf("%s: fetch %d came %v after the one before, want %v less an eighth at most (all: %v)", what, i, got, w, at)
		}
	}
}

func TestRunRefreshes(t *testing.T) {
	set := jwks(newKey(t, "k"))
	loop(t, ok(set), nil, func(s *Source, n *network, _ *journal) {
		if at := n.times(); len(at) != 1 || at[0] != 0 || s.Keys().Load() == nil {
			t.Fatalf("Run fetched at %v, want at once", at)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		at := n.times()
		if len(at) < 144 || len(at) > 165 {
			t.Errorf("%d fetches in a day, want one in ten minutes less an eighth", len(at))
		}
		gaps(t, "refresh", at, 10*time.Minute)
		if distinct := slices.Compact(slices.Sorted(slices.Values(differences(at)))); len(distinct) < 10 {
			t.Errorf("the intervals are not jittered: %v", distinct)
		}
		if st := s.Status(); !st.Ready || st.Keys != 1 || st.Failures != 0 || st.Fetches != uint64(len(at)+1) || st.Age > 10*time.Minute {
			t.Errorf("Status() = %+v after %d fetches", st, len(at)+1)
		}
	})
}

func differences(at []time.Duration) []time.Duration {
	var d []time.Duration
	for i := 1; i < len(at); i++ {
		d = append(d, at[i]-at[i-1])
	}
	return d
}

func TestRunBacksOff(t *testing.T) {
	set := jwks(newKey(t, "k"))
	second := []time.Duration{1, 2, 4, 8, 16, 32, 60}
	for i := range second {
		second[i] *= time.Second
	}
	loop(t, down, nil, func(s *Source, n *network, log *journal) {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		at := n.times()
		gaps(t, "back-off", at, second...)
		if st := s.Status(); st.Ready || st.Age != 0 || st.Failures != uint64(len(at)) || !strings.Contains(st.LastError, "connection refused") {
			t.Errorf("Status() of a provider that was never up = %+v", st)
		}
		if errs := strings.Count(log.String(), `"level":"ERROR"`); errs != 1 || !strings.Contains(log.String(), "503") {
			t.Errorf("%d failures of one kind made %d errors in the log, want 1 that says what it means", len(at), errs)
		}

		n.set(ok(set))
		time.Sleep(time.Minute)
		synctest.Wait()
		at = n.times()
		if len(at) != 1 || s.Keys().Load() == nil {
			t.Fatalf("a provider that is up again was asked at %v, want once within a minute", at)
		}
		if !strings.Contains(log.String(), "keys: fetched") {
			t.Error("that there are keys is not in the log")
		}

		n.set(down) // the next back-off begins at a second again
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		gaps(t, "back-off after recovery", append(at, n.times()...), append([]time.Duration{10 * time.Minute}, second...)...)
		if st := s.Status(); !st.Ready || st.Keys != 1 || st.Age < 10*time.Minute {
			t.Errorf("Status() = %+v, want the last good keys and their age", st)
		}
	})
}

func TestRunHearsHints(t *testing.T) {
	set := jwks(newKey(t, "k"))
	loop(t, ok(set), nil, func(s *Source, n *network, _ *journal) {
		time.Sleep(time.Minute)
		n.times()
		for range 100 {
			s.Hint()
		}
		synctest.Wait()
		if at := n.times(); len(at) != 1 || at[0] != time.Minute {
			t.Errorf("100 hints a minute after the last fetch made fetches at %v, want one at once", at)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if at := n.times(); len(at) != 0 {
			t.Errorf("hints that were answered made fetches at %v again", at)
		}
	})
	// A flood costs one fetch in an interval, and does not wear the budget out.
	for _, every := range []time.Duration{time.Second, 5 * time.Second} {
		loop(t, ok(set), func(c *Config) { c.MinHintInterval = every }, func(s *Source, n *network, _ *journal) {
			for range 100 * every / (10 * time.Millisecond) {
				s.Hint()
				time.Sleep(10 * time.Millisecond)
			}
			at := n.times()
			for i, gap := range differences(at) {
				if gap < every || gap > every+20*time.Millisecond {
					t.Errorf("under a flood of hints fetch %d came after %v, want %v", i+1, gap, every)
				}
			}
			if len(at) < 98 || len(at) > 101 {
				t.Errorf("a flood of 100 intervals made %d fetches", len(at))
			}
		})
	}
}

// A hint is answered by the first fetch that begins after it, not by one that is on its way: the provider may have made its
// answer before it had the key.
func TestRunHintDuringFetch(t *testing.T) {
	set := jwks(newKey(t, "k"))
	loop(t, after(3*time.Second, ok(set)), nil, func(s *Source, n *network, _ *journal) {
		time.Sleep(time.Second)
		s.Hint() // 1 s into the first fetch, which ends at 3 s
		s.Hint()
		time.Sleep(time.Minute)
		if at := n.times(); !slices.Equal(at, []time.Duration{0, 3 * time.Second}) {
			t.Errorf("a hint during a fetch that ended at 3 s made fetches at %v, want at 0 and at its end", at)
		}
	})
}

// A hint that is there before Run, or while fetches fail, is answered by the next fetch; it must not cost one more.
func TestRunOldHints(t *testing.T) {
	set := jwks(newKey(t, "k"))
	loop(t, down, nil, func(s *Source, n *network, _ *journal) {
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			s.Hint()
		}
		gaps(t, "hints while the provider is down", n.times(), time.Second, 2*time.Second, 4*time.Second, 8*time.Second)
		n.set(ok(set))
		time.Sleep(time.Minute)
		if at := n.times(); len(at) != 1 {
			t.Errorf("hints from before the recovery made fetches at %v, want one", at)
		}
		s.Hint()
		synctest.Wait()
		if at := n.times(); len(at) != 1 {
			t.Errorf("a hint after the recovery made fetches at %v, want one", at)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSource(t, Config{
			Issuer: "https://idp.example", JWKSURI: "https://idp.example/jwks", RefreshInterval: time.Hour, Timeout: time.Second,
			MinHintInterval: time.Second, MaxBytes: 1 << 20,
		})
		n := &network{start: time.Now(), answer: ok(set)}
		s.client.Transport = n
		s.Hint() // nobody hears it yet, and it must not block
		s.Hint()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v, want the context's error", err)
		}
		if at := n.times(); !slices.Equal(at, []time.Duration{0}) {
			t.Errorf("hints from before Run made fetches at %v, want the first alone", at)
		}
	})
}

// An interval between refreshes that is shorter than the one for hints holds.
func TestRunShortRefresh(t *testing.T) {
	set := jwks(newKey(t, "k"))
	change := func(c *Config) { c.RefreshInterval, c.MinHintInterval = 10*time.Second, time.Minute }
	loop(t, ok(set), change, func(s *Source, n *network, _ *journal) {
		for range 600 {
			s.Hint()
			time.Sleep(time.Second)
		}
		at := n.times()
		gaps(t, "short refresh", at, 10*time.Second)
		if len(at) < 60 || len(at) > 70 {
			t.Errorf("%d fetches in ten minutes, want one in ten seconds less an eighth", len(at))
		}
	})
}

// The timeout is for discovery and key set together.
func TestRunTimeoutCoversDiscovery(t *testing.T) {
	set := jwks(newKey(t, "k"))
	metadata := `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/jwks"}`
	answer := func(d time.Duration) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == oidcPath {
				return after(d, ok(metadata))(r)
			}
			return after(d, ok(set))(r)
		}
	}
	change := func(c *Config) { c.JWKSURI, c.Discovery = "", "oidc" }
	loop(t, answer(3*time.Second), change, func(s *Source, n *network, _ *journal) {
		time.Sleep(5*time.Second - 1)
		synctest.Wait()
		if st := s.Status(); st.Failures != 0 {
			t.Errorf("just before the timeout: Status() = %+v", st)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if st := s.Status(); st.Failures != 1 || st.Ready || !strings.Contains(st.LastError, "/jwks") || !strings.Contains(st.LastError, "deadline") {
			t.Errorf("3 s for the metadata and 3 s for the keys with a timeout of 5 s: Status() = %+v, want a failure at the keys", st)
		}
		n.set(answer(2 * time.Second))
		time.Sleep(time.Minute)
		if st := s.Status(); !st.Ready {
			t.Errorf("2 s for the metadata and 2 s for the keys with a timeout of 5 s: Status() = %+v, want keys", st)
		}
	})
}

func TestRunEndsInEveryState(t *testing.T) {
	set := jwks(newKey(t, "k"))
	for name, first := range map[string]func(*http.Request) (*http.Response, error){
		"waiting to refresh": ok(set), "backing off": down, "fetching": after(time.Hour, ok(set)),
	} {
		loop(t, first, func(c *Config) { c.Timeout = time.Hour }, func(_ *Source, n *network, log *journal) {
			time.Sleep(90 * time.Second)
			if len(n.times()) == 0 {
				t.Errorf("%s: nothing was fetched", name)
			}
		})
	}
}

func TestRunKeepsCacheControl(t *testing.T) {
	set := jwks(newKey(t, "k"))
	check := func(want time.Duration, header ...string) {
		t.Helper()
		loop(t, ok(set, header...), nil, func(_ *Source, n *network, _ *journal) {
			time.Sleep(5 * want)
			synctest.Wait()
			at := n.times()
			gaps(t, fmt.Sprint(header), at, want)
			if len(at) < 5 {
				t.Errorf("%v: fetches at %v, want one in %v", header, at, want)
			}
		})
	}
	check(10 * time.Minute)
	check(time.Minute, "Cache-Control", "public, max-age=60")
	check(10*time.Minute, "Cache-Control", "max-age=86400") // the config's interval is the most
	check(10*time.Second, "Cache-Control", "max-age=1")     // and ten seconds the least
	check(10*time.Second, "Cache-Control", "max-age=0")
	check(10*time.Second, "Cache-Control", "no-store")
	check(100*time.Second, "Cache-Control", "max-age=3600", "Age", "3500")
	check(10*time.Second, "Cache-Control", "max-age=3600", "Age", "999999999999999999999")
	check(10*time.Minute, "Cache-Control", "max-age=1h")
	check(10*time.Minute, "Expires", "0")
}

func TestMaxAge(t *testing.T) {
	const s = time.Second
	check := func(want time.Duration, age string, lines ...string) {
		t.Helper()
		h := http.Header{}
		for _, l := range lines {
			h.Add("Cache-Control", l)
		}
		if age != "" {
			h.Set("Age", age)
		}
		if got := maxAge(h); got != want {
			t.Errorf("maxAge(Cache-Control %q, Age %q) = %v, want %v", lines, age, got, want)
		}
	}
	check(0, "")
	check(0, "", "")
	check(0, "", "public, must-revalidate, immutable")
	check(60*s, "", "max-age=60")
	check(60*s, "", "MAX-AGE=60")
	check(60*s, "", " public ,\tmax-age=60 , must-revalidate")
	check(60*s, "", `max-age="60"`)
	check(60*s, "", "public", "max-age=60")
	check(60*s, "", "s-maxage=5, max-age=60")
	check(0, "", "s-maxage=5")
	check(0, "", "stale-if-error=5, stale-while-revalidate=5")
	check(s, "", "no-store")
	check(s, "", "no-cache")
	check(s, "", `no-cache="Set-Cookie"`)
	check(s, "", "max-age=0")
	check(s, "", "no-store, max-age=60") // the most restrictive counts, in any order
	check(s, "", "max-age=60, no-store")
	check(s, "", "max-age=60", "no-cache")
	check(5*s, "", "max-age=60, max-age=5")
	check(5*s, "", "max-age=5, max-age=60")
	check(0, "", "max-age")
	check(0, "", "max-age=")
	check(0, "", "max-age=x, garbage==, ,,=")
	check(0, "", "max-age=-1")
	check(0, "", "max-age=+5")
	check(0, "", "max-age=1.5")
	check(0, "", "max-age=0x10")
	check(60*s, "", "max-age=x, max-age=60")
	check((1<<31)*s, "", "max-age=99999999999999999999999")
	check(40*s, "20", "max-age=60")
	check(s, "60", "max-age=60")
	check(s, "70", "max-age=60")
	check(60*s, "-5", "max-age=60")
	check(60*s, "soon", "max-age=60")
	check(s, "99999999999999999999999", "max-age=99999999999999999999999")
	check(0, "70")
}

func TestJitter(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 7, 8, time.Second, 24 * time.Hour} {
		low, high := d, time.Duration(0)
		for range 1000 {
			got := jitter(d)
			if got > d || got < d-d/8 {
				t.Fatalf("jitter(%v) = %v, want at most an eighth less", d, got)
			}
			low, high = min(low, got), max(high, got)
		}
		if d >= time.Second && high-low < d/16 {
			t.Errorf("jitter(%v) stayed between %v and %v in 1000 calls", d, low, high)
		}
	}
}
