package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

const (
	maxStreams    = 256                   // open at the same time
	heartbeat     = 15 * time.Second      // a comment line, so that nobody in between hangs up
	flushInterval = 20 * time.Millisecond // of what comes in bursts
	statusEvery   = time.Second           // at most
	samplesEvery  = time.Second
	loadsEvery    = 250 * time.Millisecond // at most; each test reports once a second
)

// noID is the id of what a client cannot go on after.
const noID int64 = -1

// eventStream writes server-sent events. Nothing is queued: who writes waits
// for a slow client, and what is newer replaces what was never written.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex
	begun  bool         // the head of the answer is sent
	closed bool         // another answer is given instead
	buf    bytes.Buffer // of one event
	dirty  chan struct{}
}

// openStream begins a stream, unless there are too many. The context ends with
// the request and with the server; close must be called.
func (s *server) openStream(w http.ResponseWriter, r *http.Request) (*eventStream, context.Context, func(), *failure) {
	select {
	case s.streams <- struct{}{}:
	default:
		return nil, nil, nil, newFailure(http.StatusServiceUnavailable, greenlight.CodeUnavailable,
			"there are "+strconv.Itoa(maxStreams)+" streams open already; close some or ask again later")
	}
	ctx, cancel := context.WithCancel(r.Context())
	e := &eventStream{w: w, control: http.NewResponseController(w), dirty: make(chan struct{}, 1)}
	var running sync.WaitGroup
	running.Go(func() { e.run(ctx, cancel, s.Done) })
	return e, ctx, func() {
		cancel()
		running.Wait()
		_ = e.flush() // who asked may be gone
		<-s.streams
	}, nil
}

var errStreamClosed = errors.New("the stream is closed")

// begin sends the head of the answer, once.
func (e *eventStream) begin() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun {
		return nil
	}
	if e.closed {
		return errStreamClosed
	}
	e.begun = true
	e.w.Header().Set("Content-Type", "text/event-stream")
	e.w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	e.w.WriteHeader(http.StatusOK)
	return e.control.Flush()
}

// close tells whether another answer can still be given, and if so keeps the
// stream from beginning.
func (e *eventStream) close() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = !e.begun
	return e.closed
}

// run flushes soon after something was written, and writes a comment when
// nothing was for long.
func (e *eventStream) run(ctx context.Context, cancel func(), done <-chan struct{}) {
	defer cancel()
	quiet := time.NewTicker(heartbeat)
	defer quiet.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		case <-quiet.C:
			err = e.comment()
		case <-e.dirty:
			err = e.flushSoon(ctx)
			quiet.Reset(heartbeat)
		}
		if err != nil {
			return
		}
	}
}

func (e *eventStream) flushSoon(ctx context.Context) error {
	select {
	case <-ctx.Done(): // the last events follow at close
		return nil
	case <-time.After(flushInterval):
	}
	return e.flush()
}

func (e *eventStream) flush() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begun {
		return nil
	}
	return e.control.Flush()
}

func (e *eventStream) comment() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begun {
		return nil
	}
	if _, err := e.w.Write([]byte(":\n\n")); err != nil {
		return err
	}
	return e.control.Flush()
}

// send writes one event, and the head before the first; noID is none. JSON is one line.
func (e *eventStream) send(event string, id int64, data any) error {
	if err := e.begin(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.buf.Reset()
	if id != noID {
		e.buf.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	}
	e.buf.WriteString("event: " + event + "\ndata: ")
	text := json.NewEncoder(&e.buf)
	text.SetEscapeHTML(false)
	if err := text.Encode(data); err != nil {
		return err
	}
	e.buf.WriteString("\n")
	if _, err := e.w.Write(e.buf.Bytes()); err != nil {
		return err
	}
	select {
	case e.dirty <- struct{}{}:
	default:
	}
	return nil
}
