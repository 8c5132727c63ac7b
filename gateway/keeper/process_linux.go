package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/greenlight-dev/greenlight/pidfd"
)

// process is a gateway process, held so that its pid cannot come to mean
// another one: by a pidfd, or by its start time where the kernel has none.
type process struct {
	pid   int
	fd    *os.File // pidfd; nil where there is none
	start string   // clock ticks after boot: proc(5), stat, field 22
}

// openProcess takes hold of a process, which may be another by the time: what
// is asked of it after tells. The error is os.ErrProcessDone when it is gone.
func openProcess(pid int) (*process, error) {
	if pid <= 1 {
		return nil, os.ErrProcessDone
	}
	p := &process{pid: pid}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	switch {
	case err == nil:
		p.fd = os.NewFile(uintptr(fd), "pidfd")
	case errors.Is(err, unix.ESRCH):
		return nil, os.ErrProcessDone
	default: // a kernel before 5.10, or a sandbox that forbids it
		if p.start, _ = p.stat(); p.start == "" {
			return nil, os.ErrProcessDone
		}
	}
	return p, nil
}

// stat gives the start time and the state; "" when there is no such process.
// The second field is the program's name in parentheses and may hold anything.
func (p *process) stat() (start, state string) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return "", ""
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return "", ""
	}
	return string(fields[19]), string(fields[0])
}

// args is the command line; nil when the process has ended.
func (p *process) args() []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	if err != nil || len(data) == 0 || p.ended() {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// ended tells whether it runs no more; nobody need have waited for it.
func (p *process) ended() bool {
	if p.fd == nil {
		start, state := p.stat()
		return start != p.start || state == "Z" || state == "X"
	}
	ended := true
	_ = p.control(func(fd int) { ended = pidfd.Ended(fd) })
	return ended
}

func (p *process) control(f func(fd int)) error {
	conn, err := p.fd.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(func(fd uintptr) { f(int(fd)) })
}

// awaitEnd waits until the process has ended and gives nil, or the cause of
// ctx's end. It costs nothing meanwhile: the pidfd is in the runtime's poller.
func (p *process) awaitEnd(ctx context.Context) error {
	if p.fd == nil {
		return p.pollEnd(ctx)
	}
	var own *os.File // deadlines are the file's, and others may wait too
	err := p.control(func(fd int) {
		if copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			own = os.NewFile(uintptr(copied), "pidfd")
		}
	})
	if err != nil || own == nil {
		return p.pollEnd(ctx)
	}
	defer own.Close()
	if pidfd.Await(ctx, own) {
		return nil
	}
	return p.pollEnd(ctx)
}

func (p *process) pollEnd(ctx context.Context) error {
	for !p.ended() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// signal signals the process, and never another.
func (p *process) signal(s syscall.Signal) {
	switch {
	case p.fd != nil:
		_ = p.control(func(fd int) { _ = unix.PidfdSendSignal(fd, s, nil, 0) })
	case !p.ended():
		_ = unix.Kill(p.pid, s)
	}
}

// reap takes an ended child from the kernel and says how it ended. Of one that
// is another's child that cannot be known.
func (p *process) reap() string {
	const unknown = "ended, its exit code unknown"
	if p.fd == nil {
		if start, _ := p.stat(); start != p.start {
			return unknown
		}
	} else if !p.ourZombie() {
		return unknown
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil); err != nil || pid != p.pid {
		return unknown
	}
	if status.Signaled() {
		return "killed by " + unix.SignalName(status.Signal())
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// ourZombie tells whether it is a child of ours that waits to be reaped, and so
// still has its pid.
func (p *process) ourZombie() bool {
	ours := false
	_ = p.control(func(fd int) {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, fd, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		ours = err == nil && info.Signo == int32(unix.SIGCHLD)
	})
	return ours
}

// processes lists the pids of this machine.
func processes() []int {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	list := make([]int, 0, len(paths))
	for _, path := range paths {
		if pid, err := strconv.Atoi(filepath.Base(path)); err == nil && pid != os.Getpid() {
			list = append(list, pid)
		}
	}
	return list
}

// ownSession makes a process lead a session and group of its own: it hears
// nothing of the terminal that the control plane was started from.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func owned(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

const supported = true
