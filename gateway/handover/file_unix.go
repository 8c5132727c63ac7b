//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// File duplicates a listener's socket. It does not use the listener's own
// File: that of package net becomes blocking as soon as somebody asks it for
// its descriptor, as net.FileListener does, and the listener with it, whose
// accepts would then not end when it is closed.
func File(ln net.Listener) (*os.File, error) {
	socket, ok := ln.(syscall.Conn)
	if !ok {
		return nil, errors.New("a " + fmt.Sprintf("%T", ln) + " cannot be handed over")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var twin int
	var twinErr error
	if err := raw.Control(func(fd uintptr) { twin, twinErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if twinErr != nil {
		return nil, os.NewSyscallError("fcntl", twinErr)
	}
	return os.NewFile(uintptr(twin), ln.Addr().String()), nil
}
