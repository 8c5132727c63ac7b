//go:build linux

// Package pidfd waits for processes by file descriptors (pidfd_open(2)), which
// cannot come to mean another process as a pid can.
package pidfd

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Ended tells whether a pidfd's process has ended; nobody need have waited
// for it.
func Ended(fd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || n > 0
		}
	}
}

// Await waits for the process of a pidfd, opened with PIDFD_NONBLOCK, and
// tells whether it has ended: false is the end of ctx, or a file that cannot
// be waited for. No thread waits: the runtime's poller has the pidfd.
func Await(ctx context.Context, fd *os.File) bool {
	conn, err := fd.SyscallConn()
	if err != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = fd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	return conn.Read(func(fd uintptr) bool { return Ended(int(fd)) }) == nil
}
