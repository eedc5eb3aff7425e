package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"sallyport/bench/load"
	"sallyport/bench/proc"
)

const (
	openConns = 64
	// openPatience is after how long a client would have given up.
	openPatience = time.Second
	// enough is how many samples a p99.9 is taken of.
	enough = 100_000
)

// startOpenLoop makes the generator, which is the upstream as well.
func (r *rig) startOpenLoop() (address string, err error) {
	l, err := load.Listen()
	if err != nil {
		return "", err
	}
	r.open, r.closers = l, append(r.closers, l.Close)
	return l.Upstream(), nil
}

// runLatency offers requests on a fixed schedule, whatever the proxy does, at one rate after the other.
func runLatency(ctx context.Context, r *rig, rep *report) error {
	l, ok := r.open.(*load.Load)
	if !ok {
		return errors.New("no open loop")
	}
	rates, err := parseRates(cmp.Or(os.Getenv("RATES"), "2000,5000,10000,15000"))
	if err != nil {
		return err
	}
	requests, err := r.requests()
	if err != nil {
		return err
	}
	if _, rest, err := proc.Split(); err == nil {
		unpin, err := proc.Pin(rest)
		if err != nil {
			return err
		}
		defer unpin()
	}
	start, next := time.Now(), 0
	s := &load.Stream{Source: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Conns: openConns, Rate: 2000, Patience: openPatience, Next: func() []byte {
		next++
		return requests[next%len(requests)]
	}}
	if err := l.DialStream(r.params.listen, s); err != nil {
		return err
	}
	// Each token is seen once before it counts.
	if _, err := l.Offer(time.Duration(float64(len(requests))/s.Rate*float64(time.Second)), s); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("| offered | requests | 200 within 1 s | p50 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|\n")
	for i, rate := range rates {
		d := max(10*time.Second, time.Duration(enough/rate*1.02*float64(time.Second)))
		if text := os.Getenv("DURATION"); text != "" {
			if d, err = time.ParseDuration(text); err != nil || d <= 0 {
				return fmt.Errorf("DURATION=%q is not a duration such as 10s", text)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.Rate = rate
		tallies, err := l.Offer(d, s)
		if err != nil {
			return err
		}
		rep.checks = append(rep.checks, judgeRate(&tallies[0], rate, i == 0)...)
		b.WriteString(rateRow(&tallies[0], rate))
	}
	rep.seconds = time.Since(start).Seconds()
	rep.notes = append(rep.notes, b.String(), fmt.Sprintf("An open loop over %d connections, tokens that are known; latency counts from when a request was due, also "+
		"when it could not be sent then. p99.9 only of %d samples or more. %s", openConns, enough, pinned()))
	return nil
}

// judgeRate holds that every answer is 200, and that the first rate, at least, is followed.
func judgeRate(t *load.Tally, rate float64, first bool) []check {
	answers := 0
	for _, n := range t.Status {
		answers += n
	}
	out := []check{{fmt.Sprintf("%.0f/s: every answer is 200", rate), answers > 0 && answers == t.Status[200], fmt.Sprintf("%d of %d", t.Status[200], answers)}}
	if first {
		out = append(out, check{fmt.Sprintf("%.0f/s: the proxy follows", rate), followed(t), fmt.Sprintf("%d of %d within %s", t.InTime, t.Offered, openPatience)})
	}
	return out
}

// followed reports whether nearly all requests were answered in time.
func followed(t *load.Tally) bool { return t.Offered > 0 && t.InTime*100 >= t.Offered*99 }

func rateRow(t *load.Tally, rate float64) string {
	share := fmt.Sprintf("%.2f %%", 100*float64(t.InTime)/float64(max(t.Offered, 1)))
	if !followed(t) {
		share += ", cannot follow"
	}
	at := func(q float64) string { return ms(float64(t.Quantile(q)) / 1e6) }
	p999 := "n/a"
	if len(t.Latency) >= enough {
		p999 = at(0.999)
	}
	return fmt.Sprintf("| %.0f/s | %d | %s | %s | %s | %s | %s |\n", rate, t.Offered, share, at(0.5), at(0.99), p999, at(1))
}

func parseRates(text string) (rates []float64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		rate, err := strconv.ParseFloat(part, 64)
		if err != nil || !(rate >= 1 && rate <= 1e6) {
			return nil, fmt.Errorf("RATES=%q: %q is not a rate from 1 to 1000000", text, part)
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

// requests returns one for each token.
func (r *rig) requests() (out [][]byte, err error) {
	tokens, err := os.ReadFile(r.path("tokens"))
	if err != nil {
		return nil, err
	}
	for token := range bytes.Lines(tokens) {
		out = append(out, fmt.Appendf(nil, "GET /api/load HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer %s\r\n\r\n", bytes.TrimSpace(token)))
	}
	return out, nil
}
