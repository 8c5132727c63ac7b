package control

import (
	"context"
	"sync"
)

// batch does one piece of work for many callers at once: those that come while
// it is being done share the next time. Each call has its effect, as if it had
// been alone, because the work begins after it came.
type batch[T any] struct {
	turn chan struct{} // holds a token while the work is done
	once sync.Once

	mu   sync.Mutex
	next *outcome[T] // nil when nobody waits
}

type outcome[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// do gives the outcome of work that began after the call. When ctx ends, the
// work goes on for the others.
func (b *batch[T]) do(ctx context.Context, work func(context.Context) (T, error)) (value T, err error) {
	b.once.Do(func() { b.turn = make(chan struct{}, 1) })
	mine := b.join()
	select {
	case <-mine.done:
	case <-ctx.Done():
		return value, context.Cause(ctx)
	case b.turn <- struct{}{}:
		b.take(ctx, mine, work)
		<-b.turn
	}
	return mine.value, mine.err
}

func (b *batch[T]) join() *outcome[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = &outcome[T]{done: make(chan struct{})}
	}
	return b.next
}

// take does the work for all that have joined, unless one of them has had the
// turn already.
func (b *batch[T]) take(ctx context.Context, mine *outcome[T], work func(context.Context) (T, error)) {
	b.mu.Lock()
	ours := b.next == mine
	if ours {
		b.next = nil
	}
	b.mu.Unlock()
	if !ours {
		return // who had the turn has finished
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatewayTimeout)
	defer cancel()
	defer close(mine.done)
	mine.value, mine.err = work(ctx)
}
