//go:build unix

package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// detach gives a command that is to be started a session of its own.
func detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// alive tells whether there is a process with this id. One that has ended and
// that nobody has waited for is none; where /proc is not there to tell, it
// counts as one.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && err != syscall.EPERM {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	name := bytes.LastIndexByte(stat, ')') // a program's name may hold anything
	return !bytes.HasPrefix(stat[name+1:], []byte(" Z"))
}
