package client

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
)

// Logs gives the lines of a service's replicas to line, one call at a time.
// With q.Follow it goes on, through restarts of the control plane, until ctx
// is done (then the error is nil) or line fails (then it is that error).
func (c *Client) Logs(ctx context.Context, environment, service string, q control.LogQuery, line func(control.LogLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seam := &seam{line: line, last: make(map[string][]string), cancel: cancel}
	s := stream{client: c, request: ofService(http.MethodGet, environment, service, "logs")}
	s.handle = func(e event) error {
		if e.name != api.EventLine {
			return nil
		}
		return tell(seam.take, e)
	}
	s.request.query = values("replica", q.Replica)
	s.request.query.Set("tail", strconv.Itoa(q.Tail))
	if q.Follow {
		s.request.query.Set("follow", "true")
		s.lost = c.retry()
		s.again = func() {
			s.request.query.Set("tail", strconv.Itoa(seamTail))
			seam.open()
		}
	}
	err := s.run(ctx)
	if own := seam.close(); own != nil {
		return own
	}
	return err
}

const (
	seamTail  = 1000                   // lines of each replica asked for after a break
	seamMatch = 50                     // lines by which the place is found where it broke
	seamTime  = 500 * time.Millisecond // for the lines of the past to come
	seamLines = 100_000                // held back at most
	seamKnown = 1000                   // replicas whose last lines are kept
)

// seam joins the lines before and after a broken connection. Lines have no
// number, so after a break the last ones are asked for once more, held back
// until they are all there, and those that had come before are left out.
type seam struct {
	line   func(control.LogLine) error
	cancel func() // ends the stream after an error that came late

	mu    sync.Mutex
	last  map[string][]string // by replica: the last lines that were given on
	held  []control.LogLine   // since the break
	timer *time.Timer         // until they are given on; nil while none are held back
	err   error
}

// take gives a line on, now or later.
func (s *seam) take(l control.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		s.give(l)
		return s.err
	}
	if s.held = append(s.held, l); len(s.held) >= seamLines {
		s.join()
	}
	return s.err
}

// open begins to hold lines back.
func (s *seam) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.join()
	s.timer = time.AfterFunc(seamTime, s.late)
}

func (s *seam) late() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.join(); s.err != nil {
		s.cancel()
	}
}

// close gives on what is held and tells what line failed with.
func (s *seam) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.join()
	return s.err
}

// join gives on the lines that are held, without those that came before the
// break.
func (s *seam) join() {
	if s.timer == nil {
		return
	}
	s.timer.Stop()
	texts := make(map[string][]string)
	for _, l := range s.held {
		texts[l.Replica] = append(texts[l.Replica], l.Text)
	}
	skip := make(map[string]int)
	for replica, list := range texts {
		skip[replica] = after(list, s.last[replica])
	}
	held := s.held
	s.held, s.timer = nil, nil
	for _, l := range held {
		if skip[l.Replica] > 0 {
			skip[l.Replica]--
			continue
		}
		s.give(l)
	}
}

func (s *seam) give(l control.LogLine) {
	if s.err != nil {
		return
	}
	if len(s.last) > seamKnown {
		clear(s.last) // replicas that are long gone
	}
	last := append(s.last[l.Replica], l.Text)
	s.last[l.Replica] = last[max(0, len(last)-seamMatch):]
	s.err = s.line(l)
}

// after is where list goes on after known: behind the last place where known
// stands in it, 0 where it does not.
func after(list, known []string) int {
	if len(known) == 0 {
		return 0
	}
	for end := len(list); end >= len(known); end-- {
		if slices.Equal(list[end-len(known):end], known) {
			return end
		}
	}
	return 0
}
