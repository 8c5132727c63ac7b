package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/greenlight-dev/greenlight/pidfd"
)

// leader is a process for ever: pids are used again, a pid together with its
// start time and the machine's boot is not.
type leader struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot: proc(5), stat, field 22
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
}

// stat is what we need of /proc/<pid>/stat.
type stat struct {
	state          byte
	group, session int
	start          uint64
}

var bootID = sync.OnceValues(func() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
})

// ownSession makes a process lead a session and group of its own: it hears
// nothing of the terminal that the control plane was started from.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(data)
}

// parseStat reads proc(5)'s stat. The second field is the program's name in
// parentheses and may hold spaces and parentheses itself.
func parseStat(data []byte) (stat, error) {
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("unknown form of stat: %q", data)
	}
	group, err1 := strconv.Atoi(string(fields[2]))
	session, err2 := strconv.Atoi(string(fields[3]))
	start, err3 := strconv.ParseUint(string(fields[19]), 10, 64)
	return stat{state: fields[0][0], group: group, session: session, start: start}, errors.Join(err1, err2, err3)
}

// identify gives a living process its name for ever.
func identify(pid int) (leader, error) {
	boot, err := bootID()
	if err != nil {
		return leader{}, err
	}
	s, err := readStat(pid)
	return leader{PID: pid, Start: s.start, Boot: boot}, err
}

// present tells whether the pid is still this process's, dead or alive.
func (l leader) present() (stat, bool) {
	boot, err := bootID()
	if err != nil || l.PID <= 1 || l.Boot != boot {
		return stat{}, false
	}
	s, err := readStat(l.PID)
	return s, err == nil && s.start == l.Start
}

// reused tells whether another process has the pid now.
func (l leader) reused() bool {
	if _, mine := l.present(); mine {
		return false
	}
	_, err := readStat(l.PID)
	return err == nil
}

// alive tells whether the process runs. One whose first thread ended while
// others go on looks like a zombie, so that is asked of the kernel again.
func (l leader) alive() bool {
	s, ok := l.present()
	if !ok {
		return false
	}
	if s.state != 'Z' && s.state != 'X' {
		return true
	}
	fd, err := unix.PidfdOpen(l.PID, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return !pidfd.Ended(fd)
}

// awaitExit waits for the end of the process, child or not, and gives nil, or
// the cause of ctx's end. No thread waits: the pidfd is in the runtime's poller.
func (l leader) awaitExit(ctx context.Context) error {
	fd, err := unix.PidfdOpen(l.PID, unix.PIDFD_NONBLOCK)
	if err != nil { // gone, or a kernel before 5.10
		return l.pollExit(ctx)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer file.Close()
	if !l.alive() { // asked after opening: if it is alive now, the pidfd is its own
		return nil
	}
	if pidfd.Await(ctx, file) {
		return nil
	}
	return l.pollExit(ctx)
}

func (l leader) pollExit(ctx context.Context) error {
	for l.alive() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// signalGroup signals the process and its group. It does nothing once the pid
// is free: a zombie still holds it.
func (l leader) signalGroup(signal syscall.Signal) {
	if _, ok := l.present(); ok {
		_ = unix.Kill(-l.PID, signal)
	}
}

// signal signals the process alone, and never another that has its pid by now.
func (l leader) signal(signal syscall.Signal) {
	fd, err := unix.PidfdOpen(l.PID, 0)
	if err != nil {
		if !errors.Is(err, unix.ESRCH) && l.alive() { // a kernel before 5.3
			_ = unix.Kill(l.PID, signal)
		}
		return
	}
	defer unix.Close(fd)
	if l.alive() {
		_ = unix.PidfdSendSignal(fd, signal, nil, 0)
	}
}

// reap takes an ended child from the kernel and says how it ended. Of one that
// is another's child that cannot be known.
func (l leader) reap() string {
	if _, ok := l.present(); ok {
		var status unix.WaitStatus
		if pid, err := unix.Wait4(l.PID, &status, unix.WNOHANG, nil); err == nil && pid == l.PID {
			return describe(status)
		}
	}
	return "ended, its exit code unknown to the greenlight that adopted it,"
}

func describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return "killed by " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// killChild ends a child that was just started and has no record.
func killChild(pid int) {
	_ = unix.Kill(-pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// maxEnviron is how much of an environment is searched for the launch: it is
// first for what we start, and anywhere for what a shell starts.
const maxEnviron = 256 << 10 // bytes

// processes lists the living processes whose environment we may read.
func processes() []found {
	boot, err := bootID()
	if err != nil {
		return nil
	}
	paths, _ := filepath.Glob("/proc/[0-9]*")
	var list []found
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid == os.Getpid() { // whatever our environment says, we are no replica
			continue
		}
		if p, ok := inspect(pid, boot); ok {
			list = append(list, p)
		}
	}
	return list
}

func inspect(pid int, boot string) (found, bool) {
	environ, err := readSome(fmt.Sprintf("/proc/%d/environ", pid), maxEnviron)
	if err != nil {
		return found{}, false
	}
	s, err := readStat(pid)
	if err != nil || s.state == 'Z' || s.state == 'X' {
		return found{}, false
	}
	launch, overwritten := launchOf(environ)
	return found{
		leader: leader{PID: pid, Start: s.start, Boot: boot},
		group:  s.group, session: s.session,
		launch: launch, overwritten: overwritten,
	}, true
}

// launchOf finds the launch in an environment. One without PATH is taken for
// overwritten: every replica gets one.
func launchOf(environ []byte) (launch string, overwritten bool) {
	overwritten = true
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(variable, []byte(launchVariable+"=")); ok {
			return string(value), false
		}
		if bytes.HasPrefix(variable, []byte("PATH=")) {
			overwritten = false
		}
	}
	return "", overwritten
}

func readSome(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// lockFile holds a file as long as this process lives.
func lockFile(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errors.New("another greenlight has it")
		}
		return nil, err
	}
	return file.Close, nil
}
