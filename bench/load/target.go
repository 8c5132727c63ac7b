package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// answer is what the quick target says to everything.
var answer = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n")

// quickTarget answers every request with the same bytes from one thread that
// waits for all connections at once. It looks for the end of the header and
// at nothing else.
type quickTarget struct {
	address string
	epoll   int
	listen  int
	wake    [2]int
	done    chan struct{}
}

func startQuickTarget() (*quickTarget, error) {
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(ln, loopback), unix.Listen(ln, 1024)); err != nil {
		return nil, err
	}
	name, err := unix.Getsockname(ln)
	if err != nil {
		return nil, err
	}
	t := &quickTarget{listen: ln, done: make(chan struct{}), address: fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)}
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if err := unix.Pipe2(t.wake[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	if err := errors.Join(t.watch(ln), t.watch(t.wake[0])); err != nil {
		return nil, err
	}
	go t.serve()
	return t, nil
}

func (t *quickTarget) watch(fd int) error {
	return unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (t *quickTarget) stop() {
	_, _ = unix.Write(t.wake[1], []byte{0})
	<-t.done
}

func (t *quickTarget) serve() {
	defer close(t.done)
	runtime.LockOSThread()
	open := map[int]bool{t.listen: true, t.epoll: true, t.wake[0]: true, t.wake[1]: true}
	defer func() {
		for fd := range open {
			_ = unix.Close(fd)
		}
	}()
	events := make([]unix.EpollEvent, 256)
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.EpollWait(t.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for _, e := range events[:max(n, 0)] {
			switch fd := int(e.Fd); {
			case fd == t.wake[0]:
				return
			case fd == t.listen:
				t.accept(open)
			case !respond(fd, buf):
				_ = unix.Close(fd)
				delete(open, fd)
			}
		}
	}
}

func (t *quickTarget) accept(open map[int]bool) {
	for {
		fd, _, err := unix.Accept4(t.listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		open[fd] = true
		_ = t.watch(fd)
	}
}

// respond answers what has arrived; requests of this benchmark fit a segment.
func respond(fd int, buf []byte) bool {
	n, err := unix.Read(fd, buf)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	for range bytes.Count(buf[:n], []byte("\r\n\r\n")) {
		if _, err := unix.Write(fd, answer); err != nil {
			return false
		}
	}
	return true
}

// stallTarget stands still for a second in the middle of every ten seconds
// after its first request.
type stallTarget struct {
	server *http.Server
	base   string
	mu     sync.Mutex
	begun  time.Time
}

const (
	stallEvery = 10 * time.Second
	stallFrom  = 4500 * time.Millisecond
	stallFor   = time.Second
)

func startStallTarget() (*stallTarget, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &stallTarget{base: "http://" + ln.Addr().String() + "/"}
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
	go func() { _ = t.server.Serve(ln) }()
	return t, nil
}

// reset makes the next request the first.
func (t *stallTarget) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = time.Time{}
}

func (t *stallTarget) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	if t.begun.IsZero() {
		t.begun = time.Now()
	}
	into := time.Since(t.begun) % stallEvery
	t.mu.Unlock()
	if into >= stallFrom && into < stallFrom+stallFor {
		time.Sleep(stallFrom + stallFor - into)
	}
	_, _ = w.Write([]byte("ok\n"))
}
