package process

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// start starts a process that is in the group from its first instruction on:
// what it starts itself cannot escape.
func (g cgroup) start(attributes *syscall.SysProcAttr, start func() (int, error)) (int, error) {
	switch {
	case len(g.folders) == 0:
		return start()
	case g.v2:
		return g.startV2(attributes, start)
	}
	return g.startV1(start)
}

func (g cgroup) startV2(attributes *syscall.SysProcAttr, start func() (int, error)) (int, error) {
	folder, err := os.Open(g.folders[0])
	if err != nil {
		return 0, err
	}
	defer folder.Close()
	attributes.UseCgroupFD, attributes.CgroupFD = true, int(folder.Fd())
	return start()
}

// startV1 moves a thread into the groups, starts the process from there, which
// inherits them, and moves the thread back. A thread that cannot go back ends
// with its goroutine.
func (g cgroup) startV1(start func() (int, error)) (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		thread := strconv.Itoa(syscall.Gettid())
		var entered []string
		for _, folder := range g.folders {
			if err = writeGroup(folder, "tasks", thread); err != nil {
				break
			}
			entered = append(entered, folder)
		}
		if err == nil {
			pid, err = start()
		}
		if leave(entered, thread) == nil {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return pid, err
}

// leave moves a thread back to the groups that hold the folder for replicas.
func leave(folders []string, thread string) error {
	var failed []error
	for _, folder := range folders {
		failed = append(failed, writeGroup(filepath.Dir(filepath.Dir(folder)), "tasks", thread))
	}
	return errors.Join(failed...)
}
