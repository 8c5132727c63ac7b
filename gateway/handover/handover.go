// Package handover passes listening sockets from a process to its successor,
// so that no connection is refused in between. It knows nothing of what is
// spoken on them.
//
// The predecessor starts the successor with the sockets as open files and
// waits until it says that it accepts; both share the kernel's queue of
// connections, so from then on it does not matter which of them accepts one.
// The successor learns that the predecessor has ended from a pipe whose other
// end only that process held.
package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// variable carries the list of what is handed over.
const variable = "GREENLIGHT_HANDOVER"

// parcel is what the variable holds. Files are numbered from firstFile on:
// the ready pipe, the life pipe, then the listeners.
type parcel struct {
	Predecessor int      `json:"predecessor"`
	Listeners   []string `json:"listeners"`
}

const firstFile = 3 // after standard input, output and error

// Inheritance is what a predecessor handed over. The nil Inheritance, of a
// process without one, is empty.
type Inheritance struct {
	predecessor int
	ready, life *os.File

	mu        sync.Mutex
	listeners map[string]net.Listener
}

// Receive takes what a predecessor handed over, nil when there is none. It
// must be called once, before the process starts others.
func Receive() (*Inheritance, error) {
	value, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil
	}
	if err := os.Unsetenv(variable); err != nil {
		return nil, err
	}
	var p parcel
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	i := &Inheritance{predecessor: p.Predecessor, listeners: make(map[string]net.Listener)}
	i.ready = os.NewFile(firstFile, "ready")
	i.life = os.NewFile(firstFile+1, "life")
	for n, key := range p.Listeners {
		f := os.NewFile(uintptr(firstFile+2+n), key)
		ln, err := net.FileListener(f) // a duplicate that other processes do not inherit
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("socket %q that was handed over: %w", key, err)
		}
		i.listeners[key] = ln
	}
	closeOnExec(i.ready, i.life)
	return i, nil
}

// Predecessor is its process id, 0 for none.
func (i *Inheritance) Predecessor() int {
	if i == nil {
		return 0
	}
	return i.predecessor
}

// Listener takes the listener that was handed over under key, nil for none.
func (i *Inheritance) Listener(key string) net.Listener {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	ln := i.listeners[key]
	delete(i.listeners, key)
	return ln
}

// Ready tells the predecessor that this process accepts connections, and
// closes the listeners that nobody took.
func (i *Inheritance) Ready() error {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, ln := range i.listeners {
		_ = ln.Close() // it was never used
	}
	i.listeners = nil
	_, err := io.WriteString(i.ready, readyWord)
	return errors.Join(err, i.ready.Close())
}

const readyWord = "ready\n"

// WaitGone returns when the predecessor has ended or Close was called.
func (i *Inheritance) WaitGone() {
	if i != nil {
		_, _ = i.life.Read(make([]byte, 1)) // nothing is ever written: it ends when the other end closes
	}
}

// Close stops waiting for the predecessor.
func (i *Inheritance) Close() {
	if i != nil {
		_ = i.life.Close()
	}
}

// Start runs the command line argv as successor, handing it the listeners by
// their keys, and waits until it is ready, at most for the given time. When
// it fails, the successor has ended and this process is what it was. In the
// other case the successor learns of this process's end by itself.
func Start(argv []string, listeners map[string]net.Listener, timeout time.Duration) (pid int, err error) {
	s := &successor{parcel: parcel{Predecessor: os.Getpid()}}
	defer s.closeOurs()
	if err := s.prepare(listeners); err != nil {
		return 0, err
	}
	value, err := json.Marshal(s.parcel)
	if err != nil {
		return 0, err
	}
	process, err := startProcess(argv, append(os.Environ(), variable+"="+string(value)), s.files)
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	s.closeTheirs()
	if err := s.awaitReady(timeout); err != nil {
		_ = process.Kill() // it may have ended by itself
		state, waitErr := process.Wait()
		if waitErr == nil {
			err = fmt.Errorf("%w (%s)", err, state)
		}
		return 0, err
	}
	s.keepLife = true
	// Whoever started this process adopts the successor when this one ends.
	pid = process.Pid
	return pid, process.Release()
}

// successor is one on its way.
type successor struct {
	parcel    parcel
	files     []*os.File // theirs, in order
	ready     *os.File   // our end
	life      *os.File   // our end, open until this process ends
	keepLife  bool
	theirsOut bool
}

func (s *successor) prepare(listeners map[string]net.Listener) error {
	readyOurs, readyTheirs, err := os.Pipe()
	if err != nil {
		return err
	}
	s.ready, s.files = readyOurs, append(s.files, readyTheirs)
	lifeTheirs, lifeOurs, err := os.Pipe()
	if err != nil {
		return err
	}
	s.life, s.files = lifeOurs, append(s.files, lifeTheirs)
	for key, ln := range listeners {
		f, err := File(ln)
		if err != nil {
			return fmt.Errorf("socket %q: %w", key, err)
		}
		s.files = append(s.files, f)
		s.parcel.Listeners = append(s.parcel.Listeners, key)
	}
	return nil
}

func (s *successor) awaitReady(timeout time.Duration) error {
	if err := s.ready.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	word, err := io.ReadAll(io.LimitReader(s.ready, int64(len(readyWord))))
	switch {
	case string(word) == readyWord:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("the successor was not ready within " + timeout.String())
	case err != nil:
		return err
	}
	return errors.New("the successor ended before it was ready, having said " + strconv.Quote(string(word)))
}

func (s *successor) closeTheirs() {
	if s.theirsOut {
		return
	}
	s.theirsOut = true
	for _, f := range s.files {
		_ = f.Close()
	}
}

func (s *successor) closeOurs() {
	s.closeTheirs()
	for _, f := range []*os.File{s.ready, s.life} {
		if f != nil && (f != s.life || !s.keepLife) {
			_ = f.Close()
		}
	}
}
