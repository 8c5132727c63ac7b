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
}

// record is one input row as it came.
type record struct {
	line   int      // where it starts in the input, from 1
	text   []byte   // a JSON line, or the CSV record as written for rejects
	fields []string // a CSV record
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

type rejected struct {
	record
	reason error
}

// format reads records and writes predictions of one file format.
type format interface {
	// read gives the next record, io.EOF at the end.
	read() (record, error)
	// consumed is the number of input bytes read.
	consumed() int64
	// header is what stands before the first prediction and reject.
	header(m *modelserver.Model) (out, rejects []byte, err error)
	// add puts a record into the batch.
	add(b *modelserver.Batch, r record) error
	// append writes a record with its prediction.
	append(dst []byte, r record, a *modelserver.Answer, row int) []byte
	// reject writes a record that could not be predicted.
	reject(dst []byte, r rejected) []byte
}

func (p *prediction) run(ctx context.Context, in io.Reader, files outputs) error {
	f, err := openFormat(p.options.format, in, p.model)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	out := bufio.NewWriterSize(files.out, 1<<16)
	rejects := bufio.NewWriter(io.Discard)
	if files.rejects != nil {
		rejects.Reset(files.rejects)
	}
	err = p.stream(ctx, f, out, rejects, files.rejects != nil)
	if e := out.Flush(); err == nil {
		err = e
	}
	if e := rejects.Flush(); err == nil {
		err = e
	}
	p.progress.finish(err)
	return err
}

// stream runs reader, workers and writer. The channel of chunks in order
// bounds what is in memory.
func (p *prediction) stream(ctx context.Context, f format, out, rejects *bufio.Writer, keepGoing bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *chunk)
	ordered := make(chan *chunk, 2*p.options.workers)
	var workers sync.WaitGroup
	for range p.options.workers {
		workers.Go(func() { p.work(ctx, f, work) })
	}
	var reader sync.WaitGroup
	var readErr error
	reader.Go(func() {
		defer close(ordered)
		defer close(work)
		readErr = p.read(ctx, f, work, ordered)
	})
	err := p.write(f, ordered, out, rejects, keepGoing)
	if err != nil {
		cancel()
		for range ordered { // let the reader end
		}
	}
	reader.Wait()
	workers.Wait()
	if err == nil {
		err = readErr
	}
	return err
}

func (p *prediction) read(ctx context.Context, f format, work, ordered chan<- *chunk) error {
	for {
		c := &chunk{done: make(chan struct{})}
		var err error
		for err == nil && len(c.records) < p.options.batch {
			var r record
			if r, err = f.read(); err == nil {
				c.records = append(c.records, r)
			}
		}
		c.consumed = f.consumed()
		if len(c.records) > 0 {
			select {
			case ordered <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case work <- c:
			case <-ctx.Done():
				c.err = ctx.Err()
				close(c.done)
				return ctx.Err()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
}

// work computes chunks until there are no more.
func (p *prediction) work(ctx context.Context, f format, work <-chan *chunk) {
	b := modelserver.NewBatch(p.model.Schema)
	for c := range work {
		c.err = p.compute(ctx, f, b, c)
		close(c.done)
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
		for i, r := range good {
			c.out = f.append(c.out, r, &answer, i)
		}
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
		c.out = f.append(c.out, r, &answer, 0)
	}
	return nil
}

// collect fills the batch with the records that can be read as rows.
func (p *prediction) collect(f format, b *modelserver.Batch, c *chunk, records []record) []record {
	b.Reset()
	var good []record
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
func (p *prediction) write(f format, ordered <-chan *chunk, out, rejects *bufio.Writer, keepGoing bool) error {
	head, rejectHead, err := f.header(p.model)
	if err != nil {
		return err
	}
	if _, err := out.Write(head); err != nil {
		return err
	}
	if _, err := rejects.Write(rejectHead); err != nil {
		return err
	}
	for c := range ordered {
		<-c.done
		if c.err != nil {
			return c.err
		}
		if err := p.writeChunk(f, c, out, rejects, keepGoing); err != nil {
			return err
		}
		p.progress.add(len(c.records), len(c.rejected), c.consumed)
	}
	return nil
}

func (p *prediction) writeChunk(f format, c *chunk, out, rejects *bufio.Writer, keepGoing bool) error {
	if len(c.rejected) > 0 && !keepGoing {
		r := c.rejected[0]
		return greenlight.Errorf(greenlight.CodeInvalid, "%s:%d: %s; --rejects FILE sets such rows aside and goes on",
			p.name, r.line, reasonText(r.reason))
	}
	var buf []byte
	for _, r := range c.rejected {
		buf = f.reject(buf, r)
	}
	if _, err := rejects.Write(buf); err != nil {
		return err
	}
	_, err := out.Write(c.out)
	return err
}
