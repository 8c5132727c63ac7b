//go:build unix

package handover

import (
	"os"
	"os/exec"
	"syscall"
)

// startProcess starts argv in a process group of its own with files as its
// descriptors from firstFile on. It goes below os.StartProcess because that
// makes the sockets blocking, for this process too, whose accepts would then
// not end when the listener is closed.
func startProcess(argv, env []string, files []*os.File) (*os.Process, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	descriptors := []uintptr{0, 1, 2}
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := raw.Control(func(fd uintptr) { descriptors = append(descriptors, fd) }); err != nil {
			return nil, err
		}
	}
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: env, Files: descriptors, Sys: &syscall.SysProcAttr{Setpgid: true}})
	if err != nil {
		return nil, err
	}
	return os.FindProcess(pid)
}

func closeOnExec(files ...*os.File) {
	for _, f := range files {
		if raw, err := f.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { syscall.CloseOnExec(int(fd)) })
		}
	}
}
