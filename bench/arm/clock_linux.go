package arm

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns the CPU time of this thread: what neighbours on the machine take is not in it.
func threadTime() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// ProcessTime returns the CPU time of this process, for what must not be tied to a thread.
func ProcessTime() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic("sallyport: BUG: no clock for CPU time: " + err.Error())
	}
	return time.Duration(ts.Nano())
}
