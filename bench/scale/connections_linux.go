package main

import (
	"time"

	"golang.org/x/sys/unix"

	"sallyport/bench/bed"
	"sallyport/bench/proc"
	"sallyport/verify/jose"
)

func reexec() { proc.Main() }

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic("scale: cannot read the CPU clock: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

func cpuName() string { return proc.CPUName() }

// active is how many connections have a request outstanding; the others are idle, and have had one.
const active = 32

// connectionCurves are of a proxy as a process, its clients and its upstream on another CPU.
func connectionCurves() []Curve {
	points := func(cost func(p *bed.Proxy, n int) (float64, error)) func(*Env, int) (Point, error) {
		var b *bed.Bed // of all points; it ties the goroutine to a CPU
		users := 0
		leave := func() {
			if users--; users == 0 {
				b.Close()
			}
		}
		return func(env *Env, n int) (Point, error) {
			if users == 0 {
				var err error
				if b, err = bed.New(env.Dir, jose.HS256, 1000); err != nil {
					return Point{}, err
				}
			}
			users++
			p, err := b.Sallyport(env.Sallyport, bed.Options{Conns: n})
			if err != nil {
				leave()
				return Point{}, err
			}
			stop := func() { p.Close(); leave() }
			for from := 0; from < n; from += active {
				p.Load.Use(from, min(from+active, n))
				if _, err := p.Load.Run(min(active, n-from)); err != nil {
					stop()
					return Point{}, err
				}
			}
			p.Load.Use(0, min(active, n))
			return Point{Run: func() (float64, error) { return cost(p, n) }, Close: stop}, nil
		}
	}
	return []Curve{
		{
			Name: "connections/cpu", Grows: "open, 32 active", Unit: "µs", Expect: Constant, Sizes: tenTo(10_000),
			Make: points(func(p *bed.Proxy, _ int) (float64, error) {
				cost, err := p.Run(2000)
				return cost / 1000, err
			}),
		},
		{
			Name: "connections/memory", Grows: "open", Unit: "KiB each", Expect: Constant, Sizes: []int{1000, 3000, 10_000},
			Make: points(func(p *bed.Proxy, n int) (float64, error) {
				rss, err := p.RSS()
				return float64(rss) / 1024 / float64(n), err
			}),
		},
	}
}
