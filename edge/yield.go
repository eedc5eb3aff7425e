package edge

import (
	"os"
	"runtime"
)

// newYield returns a function that lets all other goroutines run before it returns, those included whose connections have become
// ready. runtime.Gosched does not do that: the scheduler asks the network for what is ready only when no goroutine is left to run,
// or every 10 ms, and a goroutine that keeps coming back is always left. Here the caller waits for the network as well, for an octet
// that it has sent to itself: it goes on in the same round as everybody whose turn has come, at once when there is nobody.
//
// The function allocates nothing and must not be called concurrently. Its descriptors close when it is no longer reachable.
func newYield() func() {
	r, w, err := os.Pipe()
	if err != nil {
		return runtime.Gosched
	}
	raw, err := r.SyscallConn()
	if err != nil {
		return runtime.Gosched
	}
	var octet [1]byte
	sent := false
	send := func(uintptr) (ready bool) {
		if sent {
			return true
		}
		_, err := w.Write(octet[:])
		sent = true
		return err != nil // nothing will come
	}
	return func() {
		if sent = false; raw.Read(send) != nil {
			runtime.Gosched()
			return
		}
		_, _ = r.Read(octet[:])
	}
}
