package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// maxLogLine bounds a line of a log in bytes; longer ones come in parts.
const maxLogLine = 64 << 10

// lastWords is how long the output of a replica that is gone is read on.
const lastWords = time.Second

// Logs gives line after line of a service's replicas to emit until there are no
// more, ctx is done, or emit fails.
func (p *Plane) Logs(ctx context.Context, environment, service string, q LogQuery, emit func(LogLine) error) error {
	p.mu.Lock()
	e, _, err := p.findService(environment, service)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if q.Tail < 0 {
		return greenlight.Errorf(greenlight.CodeInvalid, "tail %d: want 0 for all lines, or a number above", q.Tail)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &tailing{environment: e, service: service, query: q, ctx: ctx, cancel: cancel, emit: emit, reading: make(map[string]context.CancelFunc)}
	if err := t.first(); err != nil {
		return err
	}
	if q.Follow {
		t.follow()
	}
	t.wait.Wait()
	if failed := context.Cause(ctx); !errors.Is(failed, context.Canceled) && !errors.Is(failed, context.DeadlineExceeded) {
		return failed
	}
	return nil
}

// tailing is one call of Logs.
type tailing struct {
	environment *environment
	service     string
	query       LogQuery
	ctx         context.Context
	cancel      context.CancelCauseFunc

	mu   sync.Mutex // emits take turns
	emit func(LogLine) error

	wait    sync.WaitGroup
	reading map[string]context.CancelFunc // by replica
}

// first begins to read the replicas that there are, or the one that was asked
// for, which may be gone already.
func (t *tailing) first() error {
	ids := t.replicas()
	if t.query.Replica != "" {
		ids = []string{t.query.Replica}
	}
	for _, id := range ids {
		err := t.read(id)
		if err != nil && (t.query.Replica != "" || greenlight.CodeOf(err) != greenlight.CodeNotFound) {
			t.cancel(nil)
			t.wait.Wait()
			return err
		}
	}
	return nil
}

// replicas are the IDs of the service's replicas now.
func (t *tailing) replicas() []string {
	t.environment.plane.mu.Lock()
	defer t.environment.plane.mu.Unlock()
	var ids []string
	for id, r := range t.environment.replicas {
		if r.Service == t.service {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// read passes a replica's lines on until they end, or ctx does.
func (t *tailing) read(id string) error {
	ctx, stop := context.WithCancel(t.ctx)
	output, err := t.environment.backend.Logs(ctx, t.environment.name, id, backend.LogOptions{Tail: t.query.Tail, Follow: t.query.Follow})
	if err != nil {
		stop()
		return err
	}
	t.reading[id] = stop
	t.wait.Go(func() {
		defer output.Close()
		defer stop()
		if err := t.lines(id, output); err != nil {
			t.cancel(err)
		}
	})
	return nil
}

func (t *tailing) lines(id string, output io.Reader) error {
	reader := bufio.NewReaderSize(output, maxLogLine)
	for {
		line, err := reader.ReadSlice('\n')
		if len(line) > 0 {
			text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "\uFFFD")
			if err := t.pass(LogLine{Replica: id, Text: text}); err != nil {
				return err
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) || t.ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

func (t *tailing) pass(line LogLine) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return nil
	}
	return t.emit(line)
}

// follow reads replicas that come, and leaves those that have gone, until ctx
// ends.
func (t *tailing) follow() {
	for {
		changed := t.environment.plane.Changed()
		if t.query.Replica == "" {
			t.compare(t.replicas())
		}
		select {
		case <-t.ctx.Done():
			return
		case <-changed:
		}
	}
}

func (t *tailing) compare(ids []string) {
	for id, stop := range t.reading {
		if !slices.Contains(ids, id) {
			delete(t.reading, id)
			time.AfterFunc(lastWords, stop)
		}
	}
	for _, id := range ids {
		if t.reading[id] == nil {
			_ = t.read(id) // it may have gone again; if not, the next change reads it
		}
	}
}
