package backend

import (
	"cmp"
	"context"
	"slices"
	"sync"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Feed carries changes from where they happen to Run's callback, in order, so
// that nobody waits for who hears of them. Its zero value is ready.
type Feed struct {
	mu    sync.Mutex
	more  chan struct{} // holds one element while the queue is not empty; nil when nobody hears
	queue []Change
}

// Tell hands over a change; when nobody hears, it is dropped.
func (f *Feed) Tell(change Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more == nil {
		return
	}
	f.queue = append(f.queue, change)
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// Open begins to hear; false when somebody does already.
func (f *Feed) Open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more != nil {
		return false
	}
	f.more = make(chan struct{}, 1)
	return true
}

// Close drops what was not heard. It follows Open and the end of Deliver.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.more, f.queue = nil, nil
}

// Deliver calls changed for each change until ctx ends. It follows Open.
func (f *Feed) Deliver(ctx context.Context, changed func(Change)) {
	f.mu.Lock()
	more := f.more
	f.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return
		case <-more:
			for _, change := range f.take() {
				changed(change)
			}
		}
	}
}

func (f *Feed) take() []Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue := f.queue
	f.queue = nil
	return queue
}

// Sort brings replicas into the order of Observe.
func Sort(list []greenlight.Replica) {
	slices.SortFunc(list, func(a, b greenlight.Replica) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID))
	})
}
