//go:build !linux

package main

import (
	"runtime"
	"time"
)

var started = time.Now()

// cpuTime is the time that has gone: there is no clock of the process alone.
func cpuTime() time.Duration { return time.Since(started) }

func reexec() {}

func cpuName() string { return runtime.GOARCH }

func connectionCurves() []Curve { return nil }
