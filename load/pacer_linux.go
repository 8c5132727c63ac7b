package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// sharpen takes from this thread's sleeps the slack of 50 µs that the kernel
// allows itself, until what it gives is called. Where that is refused, sleeps
// are that much longer.
func sharpen() (restore func()) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) } // 0 is the default again
}

func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil)
}
