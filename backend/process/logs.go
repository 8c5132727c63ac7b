package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

const (
	logFolder  = "logs"
	lastCount  = 20       // log lines that a failure keeps
	lastBytes  = 16 << 10 // from the end of the output, where they are looked for
	maxLine    = 500      // bytes of one of them
	followStep = 100 * time.Millisecond
)

func (b *Backend) logPath(environment, service, id string) string {
	return filepath.Join(b.options.State, logFolder, environment, service, id+".log")
}

// outputFor is the output of the replica that a spec describes.
func (b *Backend) outputFor(spec greenlight.ReplicaSpec) *output {
	return b.outputOf(b.logPath(spec.Environment, spec.Service, spec.ID))
}

// lastLines are the last lines of a launch's output; what cannot be read is
// left out.
func (b *Backend) lastLines(rec record) []string {
	data, err := b.outputFor(rec.Spec).last(rec.LogFrom, lastBytes)
	if err != nil {
		return nil
	}
	return readableLines(string(data))
}

// afterLine is what follows the first line's end.
func afterLine(data []byte) []byte {
	_, data, _ = bytes.Cut(data, []byte("\n"))
	return data
}

func readableLines(data string) []string {
	var list []string
	for line := range strings.Lines(data) {
		if line = oneLine(line[:min(len(line), maxLine)]); line != "" {
			list = append(list, line)
		}
	}
	return list[max(len(list)-lastCount, 0):]
}

// Logs reads a replica's output; see backend.Backend.
func (b *Backend) Logs(ctx context.Context, environment, id string, o backend.LogOptions) (io.ReadCloser, error) {
	if err := errors.Join(backend.CheckName("environment", environment), backend.CheckName("replica id", id)); err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	paths, err := filepath.Glob(b.escapedLogPath(environment, id))
	if err != nil || len(paths) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "environment %s never had a replica %s", environment, id)
	}
	return b.outputOf(newest(paths)).reader(ctx, o)
}

func (b *Backend) escapedLogPath(environment, id string) string {
	return filepath.Join(escapeGlob(b.options.State), logFolder, environment, "*", id+".log")
}

// newest is the file written last: an id may have moved to another service.
func newest(paths []string) string {
	best, when := paths[0], time.Time{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(when) {
			best, when = path, info.ModTime()
		}
	}
	return best
}

// reader reads an output on from a position. It holds no file open, so it goes
// on when the file is cut, or is another one by now.
type reader struct {
	ctx    context.Context
	cancel context.CancelFunc
	output *output
	at     int64
	follow bool
	until  int64 // where it ends unless it follows
	inLine bool  // what was read last did not end a line
}

func (o *output) reader(ctx context.Context, options backend.LogOptions) (*reader, error) {
	at, err := o.tail(options.Tail)
	if err != nil {
		return nil, err
	}
	until, err := o.end()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	return &reader{ctx: ctx, cancel: cancel, output: o, at: at, follow: options.Follow, until: until}, nil
}

// Read gives what there is; following, it waits for more, until ctx ends or
// the reader is closed.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if r.ctx.Err() != nil {
			return 0, io.EOF
		}
		n, err := r.readNow(p)
		if n > 0 || err != nil {
			return n, err
		}
		if !r.follow {
			return 0, io.EOF
		}
		select {
		case <-r.ctx.Done():
		case <-time.After(followStep):
		}
	}
}

// readNow reads what there is. Where output was cut off before it was read, a
// line that was begun ends.
func (r *reader) readNow(p []byte) (int, error) {
	if !r.follow {
		p = p[:max(0, min(int64(len(p)), r.until-r.at))]
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, next, err := r.output.read(p, r.at)
	if jumped := next-int64(n) != r.at; jumped && r.inLine {
		r.at, r.inLine = next-int64(n), false
		p[0] = '\n'
		return 1, nil
	}
	r.at = next
	if n > 0 {
		r.inLine = p[n-1] != '\n'
	}
	return n, err
}

// Close ends a read that waits.
func (r *reader) Close() error {
	r.cancel()
	return nil
}
