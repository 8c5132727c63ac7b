package sqlite

import (
	"context"
	"sync"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// bell tells all who wait that something was committed. The zero bell is
// ready.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// next closes at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// watchPage is how many events one watch holds at most: those read at once,
// and as many again in its channel.
const watchPage = 128

// Watch implements store.Events.
func (s *Store) Watch(ctx context.Context, after int64) <-chan greenlight.Event {
	out := make(chan greenlight.Event, watchPage)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(out)
		return out
	}
	s.watchers.Go(func() {
		defer close(out)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.alive, cancel)()
		s.follow(ctx, after, out)
	})
	return out
}

// follow reads on from the last id it sent, page by page, until it has
// caught up, and then waits for the next commit.
func (s *Store) follow(ctx context.Context, after int64, out chan<- greenlight.Event) {
	for {
		committed := s.bell.next() // before the read, so that no ring falls between
		page, err := s.ListEvents(ctx, store.EventQuery{After: after, Limit: watchPage})
		if err != nil {
			return
		}
		for _, e := range page {
			select {
			case out <- e:
				after = e.ID
			case <-ctx.Done():
				return
			}
		}
		if len(page) == watchPage {
			continue
		}
		select {
		case <-committed:
		case <-ctx.Done():
			return
		}
	}
}
