//go:build unix

package handover_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/greenlight-dev/greenlight/gateway/handover"
)

// A duplicate must not make the listener blocking, whatever is done with it:
// Close would wait for the next connection.
func TestDuplicateLeavesListenerAsItIs(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = t.TempDir() + "/s"
		}
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		f, err := handover.File(ln)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Fd()
		if blocking(t, ln) {
			t.Errorf("%s: the listener blocks", network)
		}
		twin, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		ended := make(chan error, 1)
		go func() {
			_, err := ln.Accept()
			ended <- err
		}()
		time.Sleep(10 * time.Millisecond)
		_ = ln.Close()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: accepted a connection that nobody made", network)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: Accept did not end", network)
		}
		_ = twin.Close()
	}
}

func blocking(t *testing.T, ln net.Listener) bool {
	t.Helper()
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	var flagsErr error
	if err := raw.Control(func(fd uintptr) { flags, flagsErr = unix.FcntlInt(fd, unix.F_GETFL, 0) }); err != nil || flagsErr != nil {
		t.Fatal(err, flagsErr)
	}
	return flags&unix.O_NONBLOCK == 0
}
