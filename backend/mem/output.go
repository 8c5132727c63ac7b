package mem

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// output is what a replica wrote in all its starts.
type output struct {
	mu   sync.Mutex
	data []byte
	more chan struct{} // closed and renewed with every write
}

func (o *output) write(lines []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, line := range lines {
		o.data = append(o.data, line+"\n"...)
	}
	close(o.more)
	o.more = make(chan struct{})
}

// tail is where the last n lines begin; 0 is all.
func (o *output) tail(n int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n == 0 {
		return 0
	}
	lines := bytes.SplitAfter(o.data, []byte("\n"))
	lines = lines[:len(lines)-1] // what follows the last line's end: nothing
	at := 0
	for _, line := range lines[:max(len(lines)-n, 0)] {
		at += len(line)
	}
	return at
}

func (o *output) from(at int) ([]byte, chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data[at:], o.more
}

// reader reads an output, one reader for each call of Logs.
type reader struct {
	ctx    context.Context
	cancel context.CancelFunc
	output *output
	at     int
	follow bool
}

// Read gives what there is; following, it waits for more.
func (r *reader) Read(p []byte) (int, error) {
	for r.ctx.Err() == nil {
		data, more := r.output.from(r.at)
		if n := copy(p, data); n > 0 || len(p) == 0 {
			r.at += n
			return n, nil
		}
		if !r.follow {
			break
		}
		select {
		case <-more:
		case <-r.ctx.Done():
		}
	}
	return 0, io.EOF
}

// Close ends a read that waits.
func (r *reader) Close() error {
	r.cancel()
	return nil
}
