package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"sallyport/bench/arm"
	"sallyport/edge/route"
	"sallyport/edge/upstream"
)

func curves() []Curve {
	var out []Curve
	out = append(out, routeCurves()...)
	out = append(out, verifyCurves()...)
	out = append(out, tokenCurves()...)
	out = append(out, claimCurves()...)
	out = append(out, upstreamCurves()...)
	out = append(out, reloadCurves()...)
	return append(out, connectionCurves()...)
}

// tenTo returns the powers of ten up to size.
func tenTo(size int) []int {
	var out []int
	for n := 1; n <= size; n *= 10 {
		out = append(out, n)
	}
	return out
}

// walk returns a function that goes through 0 … n−1 in a fixed random order, again and again.
func walk(n int) func() int {
	order := rand.New(rand.NewPCG(1, uint64(n))).Perm(n)
	i := -1
	return func() int {
		if i++; i == n {
			i = 0
		}
		return order[i]
	}
}

// digits is how many a number in a name has: requests are made by writing it, so that none comes from memory of its own.
const digits = 5

// setDigits writes number i at b[at:].
func setDigits(b []byte, at, i int) {
	for d := at + digits - 1; d >= at; d-- {
		b[d] = byte('0' + i%10)
		i /= 10
	}
}

func routeCurves() []Curve {
	// In host and path, # stands for the digits.
	match := func(name, grows string, looks int, host, path, askHost, askPath string) Curve {
		return Curve{
			Name: "routes/" + name, Grows: grows, Unit: "ns", Expect: Constant, Sizes: tenTo(10_000), Looks: looks,
			Make: func(_ *Env, n int) (Point, error) {
				specs := make([]route.Spec, n)
				for i := range n {
					number := fmt.Sprintf("%0*d", digits, i)
					specs[i] = route.Spec{Host: strings.Replace(host, "#", number, 1), Path: strings.Replace(path, "#", number, 1)}
				}
				t, err := route.Compile(specs)
				if err != nil {
					return Point{}, err
				}
				blank := strings.Repeat("0", digits)
				h, p := []byte(strings.Replace(askHost, "#", blank, 1)), []byte(strings.Replace(askPath, "#", blank, 1))
				varied, at := h, strings.Index(askHost, "#")
				if at < 0 {
					varied, at = p, strings.Index(askPath, "#")
				}
				next, get := walk(n), []byte("GET")
				return Point{Run: arm.Func(func() {
					i := next()
					setDigits(varied, at, i)
					if got, v, _ := t.Match(h, p, get); v != route.Found || got != i {
						panic("scale: the table has another route")
					}
				})}, nil
			},
		}
	}
	// A look at the map of hosts or segments, one at the node, one at its methods.
	return []Curve{
		match("paths", "of one host", 3, "api.example.com", "/v1/service-#/*", "api.example.com", "/v1/service-#/orders/1"),
		match("hosts", "hosts", 3, "service-#.example.com", "/*", "service-#.example.com", "/v1/orders/1"),
		match("wildcard-hosts", "hosts", 3, "*.service-#.example.com", "/*", "eu.a.service-#.example.com", "/v1/orders/1"),
	}
}

type noClient struct{}

func (noClient) Close() {}

// upstreamCurves are of picking an endpoint and giving it back, with so many others busy at the time.
func upstreamCurves() []Curve {
	const now = 1_800_000_000
	pick := func(name string, busy func(p *upstream.Pool, n int)) Curve {
		return Curve{
			Name: "endpoints/" + name, Grows: "endpoints", Unit: "ns", Expect: Constant, Sizes: tenTo(1000),
			Make: func(_ *Env, n int) (Point, error) {
				cfg := upstream.Config{Name: "up", EjectAfter: 1, EjectFor: 1 << 40}
				for i := range n {
					cfg.Endpoints = append(cfg.Endpoints, fmt.Sprintf("10.0.%d.%d:8080", i>>8, i&255))
				}
				p := upstream.New(cfg, func(string) upstream.Client { return noClient{} })
				busy(p, n)
				return Point{Run: arm.Func(func() { p.Pick(now).Done(true, now) })}, nil
			},
		}
	}
	return []Curve{
		pick("idle", func(*upstream.Pool, int) {}),
		pick("all-busy", func(p *upstream.Pool, n int) {
			for range 2 * n {
				p.Pick(now)
			}
		}),
		pick("one-in-ten-ejected", func(p *upstream.Pool, n int) {
			for i := range 2 * n {
				if e := p.Pick(now); i < n/10 {
					e.Done(false, now)
				}
			}
		}),
	}
}
