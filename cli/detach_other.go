//go:build !unix

package cli

import (
	"os"
	"os/exec"
)

// detach has nothing to do here.
func detach(*exec.Cmd) {}

// alive tells whether there is a process with this id.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err == nil {
		_ = p.Release()
	}
	return err == nil
}
