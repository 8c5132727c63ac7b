//go:build !linux

package process

import (
	"context"
	"errors"
	"syscall"
)

// leader names a process; nothing but Linux is supported yet.
type leader struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

var errSystem = errors.New("replicas as processes need Linux; use another backend on this system")

func lockFile(string) (func() error, error) { return nil, errSystem }

func identify(int) (leader, error)                   { return leader{}, errSystem }
func (l leader) alive() bool                         { return false }
func (l leader) reused() bool                        { return false }
func (l leader) awaitExit(ctx context.Context) error { return nil }
func (l leader) signalGroup(syscall.Signal)          {}
func (l leader) signal(syscall.Signal)               {}
func (l leader) reap() string                        { return "" }
func killChild(int)                                  {}
func processes() []found                             { return nil }
func ownSession() *syscall.SysProcAttr               { return nil }

func (g cgroup) start(_ *syscall.SysProcAttr, start func() (int, error)) (int, error) {
	return start()
}
