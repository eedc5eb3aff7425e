//go:build !linux

package main

import "errors"

func reexec() {}

// proxyFigures and floodFigures need CPU affinity, CPU clocks of other processes and epoll.
func proxyFigures() []Figure { return nil }

func floodFigures() []Figure { return nil }

func twoCPUs() string { return "threads are tied to CPUs on Linux alone" }

func pinTo(int) (func(), error) {
	return nil, errors.New("figures: threads are tied to CPUs on Linux alone")
}
