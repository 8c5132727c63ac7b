package gateway

import (
	"io"
	"sync"
)

// keptOpen is a body that an attempt may close without ending it.
type keptOpen struct{ io.Reader }

func (keptOpen) Close() error { return nil }

// countedBody counts an answer's bytes and may copy the first of them.
type countedBody struct {
	io.ReadCloser
	n    int64
	copy *boundedCopy // nil for none
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.add(p[:n])
	return n, err
}

func (b *countedBody) add(p []byte) {
	if b == nil {
		return
	}
	b.n += int64(len(p))
	if b.copy != nil {
		b.copy.add(p)
	}
}

// boundedCopy keeps bytes up to a bound, and whether there were more.
type boundedCopy struct {
	data []byte
	most int64
	over bool
}

func (c *boundedCopy) add(p []byte) {
	if c.over || int64(len(c.data)+len(p)) > c.most {
		c.over, c.data = true, nil
		return
	}
	c.data = append(c.data, p...)
}

// copyBuffers are lent to ReverseProxy.
type copyBuffers struct{ pool sync.Pool }

const copyBufferBytes = 32 << 10

// Get lends a buffer.
func (b *copyBuffers) Get() []byte {
	if p, ok := b.pool.Get().(*[copyBufferBytes]byte); ok {
		return p[:]
	}
	return new([copyBufferBytes]byte)[:]
}

// Put takes it back.
func (b *copyBuffers) Put(p []byte) {
	if len(p) == copyBufferBytes {
		b.pool.Put((*[copyBufferBytes]byte)(p))
	}
}
