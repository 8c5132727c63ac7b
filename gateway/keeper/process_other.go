//go:build !linux

package keeper

import (
	"context"
	"os"
	"syscall"
)

// supported: nothing but Linux is yet. New says so, and nothing else here is
// reached.
const supported = false

type process struct{ pid int }

func openProcess(int) (*process, error)               { return nil, os.ErrProcessDone }
func (p *process) args() []string                     { return nil }
func (p *process) ended() bool                        { return true }
func (p *process) awaitEnd(ctx context.Context) error { return nil }
func (p *process) signal(syscall.Signal)              {}
func (p *process) reap() string                       { return "" }
func processes() []int                                { return nil }
func ownSession() *syscall.SysProcAttr                { return nil }

// owned: other systems' temporary folders are each user's own.
func owned(os.FileInfo) bool { return true }
