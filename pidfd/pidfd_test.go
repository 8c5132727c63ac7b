//go:build linux

package pidfd_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/greenlight-dev/greenlight/pidfd"
)

// start runs a program that reads until its input ends.
func start(t *testing.T) (fd *os.File, end func()) {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	n, err := unix.PidfdOpen(cmd.Process.Pid, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		t.Skip("the kernel is older than 5.10")
	}
	if err != nil {
		t.Fatal(err)
	}
	fd = os.NewFile(uintptr(n), "pidfd")
	t.Cleanup(func() { _ = fd.Close() })
	return fd, func() { _ = in.Close() }
}

func TestAwait(t *testing.T) {
	fd, end := start(t)
	time.AfterFunc(20*time.Millisecond, end)
	if !pidfd.Await(t.Context(), fd) {
		t.Error("the end was not seen")
	}
}

func TestAwaitGivesUp(t *testing.T) {
	fd, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if pidfd.Await(ctx, fd) {
		t.Error("it says that a process has ended that runs")
	}
}
