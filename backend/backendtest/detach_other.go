//go:build !unix

package backendtest

import "syscall"

func detached() *syscall.SysProcAttr { return nil }
