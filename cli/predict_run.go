package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// prediction is one run of predict: a reader cuts the input into chunks of
// rows, workers compute them, a writer puts the results out in order.
type prediction struct {
	model    *modelserver.Model
	options  predictOptions
	name     string // of the input, for errors
	progress *progress
	out      *bufio.Writer
	rejects  *bufio.Writer
}

// chunk is a run of records on its way through.
type chunk struct {
	records  []record
	consumed int64 // bytes of input read when the chunk was complete
	out      []byte
	rejected []rejected
	err      error
	done     chan struct{}
}

// run predicts all rows of in. It closes in early when it fails or ctx is
// done, to end a read that waits for rows.
func (p *prediction) run(ctx context.Context, in io.ReadCloser) error {
	interrupted := ctx.Err
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = in.Close() })()
	f, err := openFormat(p.options.format, in, p.model)
	if err == nil {
		err = p.stream(ctx, cancel, f)
	} else {
		err = fmt.Errorf("%s:%w", p.name, err)
	}
	for _, w := range []*bufio.Writer{p.out, p.rejects} {
		if e := w.Flush(); err == nil {
			err = e
		}
	}
	if err != nil && interrupted() != nil {
		err = interrupted()
	}
	p.progress.finish(err)
	return err
}

// stream runs reader, workers and writer; cancel ends them. The channel of
// chunks in order bounds what is in memory.
func (p *prediction) stream(ctx context.Context, cancel func(), f format) error {
	work := make(chan *chunk)
	ordered := make(chan *chunk, 2*p.options.workers)
	var workers, reader sync.WaitGroup
	for range p.options.workers {
		workers.Go(func() { p.work(ctx, f, work) })
	}
	var readErr error
	reader.Go(func() {
		defer close(ordered)
		defer close(work)
		readErr = p.read(ctx, f, work, ordered)
	})
	err := p.write(ctx, f, ordered)
	if err != nil {
		cancel()
	}
	reader.Wait()
	workers.Wait()
	if err == nil {
		err = readErr
	}
	return err
}

// read cuts the input into chunks and hands each to the writer, for the
// order, and to a worker.
func (p *prediction) read(ctx context.Context, f format, work, ordered chan<- *chunk) error {
	for {
		c, err := p.readChunk(f)
		if len(c.records) > 0 {
			select {
			case ordered <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case work <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%w", p.name, err)
		}
	}
}

// maxChunk bounds the bytes of a chunk of several rows.
const maxChunk = 8 << 20

// readChunk reads rows until there are enough, or an error, which may come
// with rows.
func (p *prediction) readChunk(f format) (*chunk, error) {
	c := &chunk{done: make(chan struct{}), records: make([]record, 0, min(p.options.batch, 1<<10))}
	for start := f.consumed(); len(c.records) < p.options.batch && f.consumed()-start < maxChunk; {
		r, err := f.read()
		if err != nil {
			return c, err
		}
		c.records = append(c.records, r)
		c.consumed = f.consumed()
	}
	return c, nil
}

// work computes chunks until there are no more.
func (p *prediction) work(ctx context.Context, f format, work <-chan *chunk) {
	b := modelserver.NewBatch(p.model.Schema)
	b.SkipUnknown = true
	for {
		select {
		case c, ok := <-work:
			if !ok {
				return
			}
			c.err = p.compute(ctx, f, b, c)
			close(c.done)
		case <-ctx.Done():
			return
		}
	}
}

// compute predicts a chunk. When the model refuses the rows together, each is
// tried alone, so that only the bad ones are rejected.
func (p *prediction) compute(ctx context.Context, f format, b *modelserver.Batch, c *chunk) error {
	good := p.collect(f, b, c, c.records)
	if len(good) == 0 {
		return nil
	}
	answer, err := p.model.Predict(ctx, b)
	if err == nil {
		c.out = f.append(c.out, good, &answer)
		return nil
	}
	for _, r := range good {
		if len(p.collect(f, b, c, []record{r})) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		answer, err := p.model.Predict(ctx, b)
		if err != nil {
			c.rejected = append(c.rejected, rejected{r, err})
			continue
		}
		c.out = f.append(c.out, []record{r}, &answer)
	}
	return nil
}

// collect fills the batch with the records that can be read as rows.
func (p *prediction) collect(f format, b *modelserver.Batch, c *chunk, records []record) []record {
	b.Reset()
	good := make([]record, 0, len(records))
	for _, r := range records {
		if err := f.add(b, r); err != nil {
			c.rejected = append(c.rejected, rejected{r, err})
			continue
		}
		good = append(good, r)
	}
	return good
}

// write puts chunks out in the order they were read.
func (p *prediction) write(ctx context.Context, f format, ordered <-chan *chunk) error {
	head, rejectHead := f.header()
	_, err := p.out.Write(head)
	if err == nil {
		_, err = p.rejects.Write(rejectHead)
	}
	for err == nil {
		var c *chunk
		if c, err = next(ctx, ordered); c == nil || err != nil {
			break
		}
		if err = p.writeChunk(f, c); err == nil {
			p.progress.add(len(c.records), len(c.rejected), c.consumed)
		}
	}
	return err
}

// next waits until the next chunk is computed; nil is the end.
func next(ctx context.Context, ordered <-chan *chunk) (*chunk, error) {
	select {
	case c, ok := <-ordered:
		if !ok {
			return nil, nil
		}
		select {
		case <-c.done:
			return c, c.err
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return nil, ctx.Err()
}

func (p *prediction) writeChunk(f format, c *chunk) error {
	if len(c.rejected) > 0 && p.options.rejects == "" {
		r := c.rejected[0]
		return greenlight.Errorf(greenlight.CodeInvalid, "%s:%d: %s; --rejects FILE sets such rows aside and goes on",
			p.name, r.line, reasonText(r.reason))
	}
	if len(c.rejected) > 0 {
		if _, err := p.rejects.Write(f.reject(nil, c.rejected)); err != nil {
			return err
		}
	}
	_, err := p.out.Write(c.out)
	return err
}
