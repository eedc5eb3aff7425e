package arm

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns the CPU time of this thread: what neighbours on the machine take is not in it.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic("sallyport: BUG: no clock for the thread: " + err.Error())
	}
	return time.Duration(ts.Nano())
}
