//go:build !linux

package arm

import "time"

var started = time.Now()

// threadTime is wall time where no clock of the thread is known.
func threadTime() time.Duration { return time.Since(started) }

// ProcessTime is wall time where no clock of the process is known.
func ProcessTime() time.Duration { return time.Since(started) }
