package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

const (
	silence     = 45 * time.Second // three heartbeats: then the connection is dead
	firstRetry  = 250 * time.Millisecond
	longestWait = 5 * time.Second
)

// Watcher is told what is new; a nil function is not told, and what nobody is
// told of is not sent. An error of one ends the stream.
type Watcher struct {
	Status  func(control.Status) error
	Samples func(map[string]observe.Sample) error // by "<environment>/<service>", once a second
	Event   func(greenlight.Event) error
	// Lost is told why the connection broke, before the next attempt. Nil
	// means: do not connect again, the stream ends with that error.
	Lost func(error)
}

// Stream tells w what is new until ctx is done (then the error is nil) or a
// function of w fails. Events begin with those after the id after; 0 is those
// from now on.
func (c *Client) Stream(ctx context.Context, after int64, w Watcher) error {
	s := stream{client: c, request: get("stream"), lost: w.Lost, handle: w.handle}
	s.request.query = map[string][]string{"only": {strings.Join(w.wanted(), ",")}}
	if after > 0 {
		s.last = strconv.FormatInt(after, 10)
	}
	if c.once {
		s.lost = nil
	}
	return s.run(ctx)
}

func (w *Watcher) wanted() []string {
	var list []string
	if w.Status != nil {
		list = append(list, api.EventStatus)
	}
	if w.Samples != nil {
		list = append(list, api.EventSamples)
	}
	if w.Event != nil {
		list = append(list, api.EventEvent)
	}
	return list
}

func (w *Watcher) handle(e event) error {
	switch e.name {
	case api.EventStatus:
		return tell(w.Status, e)
	case api.EventSamples:
		return tell(w.Samples, e)
	case api.EventEvent:
		return tell(w.Event, e)
	}
	return nil
}

// tell hands an event over; one that cannot be read ends the stream.
func tell[T any](do func(T) error, e event) error {
	if do == nil {
		return nil
	}
	var v T
	if err := json.Unmarshal(e.data, &v); err != nil {
		return greenlight.Errorf(greenlight.CodeInternal, "an event %q of the control plane cannot be read: %w", e.name, err)
	}
	return do(v)
}

// FollowEvents gives the events that q chooses: the last q.Limit of the past
// first, then each new one, until ctx is done (then the error is nil) or do
// fails. It connects again by itself and misses none.
func (c *Client) FollowEvents(ctx context.Context, q store.EventQuery, do func(greenlight.Event) error) error {
	newest, err := c.Events(ctx, store.EventQuery{Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	s := stream{client: c, request: get("stream"), last: "0", lost: c.retry()}
	s.request.query = map[string][]string{"only": {api.EventEvent}}
	if len(newest) > 0 {
		s.last = strconv.FormatInt(newest[0].ID, 10)
		past := q
		past.Newest, past.Before = true, newest[0].ID+1
		events, err := c.Events(ctx, past)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(events) {
			if err := do(e); err != nil {
				return err
			}
		}
	}
	chosen := func(e greenlight.Event) error {
		if !chooses(&q, &e) {
			return nil
		}
		return do(e)
	}
	s.handle = (&Watcher{Event: chosen}).handle
	return s.run(ctx)
}

func chooses(q *store.EventQuery, e *greenlight.Event) bool {
	same := func(want, is string) bool { return want == "" || want == is }
	return same(q.Environment, e.Environment) && same(q.Service, e.Service) &&
		same(q.Kind, e.Kind) && same(q.Subject, e.Subject)
}

// retry is what streams are told that always connect again.
func (c *Client) retry() func(error) {
	if c.once {
		return nil
	}
	return func(error) {}
}

// stream is one stream of events, over as many connections as it takes.
type stream struct {
	client  *Client
	request request
	last    string            // id of the last event, for the next connection
	lost    func(error)       // told why a connection broke; nil is no other one
	handle  func(event) error // told every event but those about the stream itself
	again   func()            // before a connection after the first; may be nil
	got     bool              // something came over this connection
	ended   bool              // by the control plane, as there is no more
	own     error             // of handle
}

// run connects again and again until ctx is done, the control plane says that
// there is no more, or something fails that another attempt cannot mend.
func (s *stream) run(ctx context.Context) error {
	wait := firstRetry
	for {
		s.got = false
		err := s.connect(ctx)
		switch {
		case ctx.Err() != nil || s.ended:
			return nil
		case s.own != nil:
			return s.own
		case s.lost == nil || !passing(err):
			return err
		}
		s.lost(err)
		if s.got {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait/2 + rand.N(wait)): // not all clients at once
		}
		wait = min(2*wait, longestWait)
		if s.again != nil {
			s.again()
		}
	}
}

// passing tells whether an error may be gone at the next attempt.
func passing(err error) bool {
	code := greenlight.CodeOf(err)
	return code == greenlight.CodeUnavailable || code == greenlight.CodeInternal
}

// connect reads the stream until it breaks or ends.
func (s *stream) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer dead.Stop()
	r := s.request
	if s.last != "" {
		r.header = http.Header{"Last-Event-Id": {s.last}}
	}
	resp, err := s.client.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	d := newDecoder(resp.Body, func() { dead.Reset(silence) })
	for {
		e, err := d.next()
		switch {
		case errors.Is(err, io.EOF):
			return s.client.brokenOff(io.ErrUnexpectedEOF)
		case errors.Is(err, errEventTooLarge):
			return err
		case errors.Is(context.Cause(ctx), errSilent):
			return s.client.brokenOff(errSilent)
		case err != nil:
			return s.client.brokenOff(err)
		}
		s.got, s.last = true, e.id
		if err := s.take(e); err != nil || s.ended {
			return err
		}
	}
}

var errSilent = errors.New("it has been silent for too long")

// take handles one event.
func (s *stream) take(e event) error {
	switch e.name {
	case api.EventEnd:
		s.ended = true
		return nil
	case api.EventFailure:
		var body api.ErrorBody
		if err := json.Unmarshal(e.data, &body); err != nil {
			return greenlight.Errorf(greenlight.CodeInternal, "a failure that the control plane tells of cannot be read: %w", err)
		}
		return errorOf(body)
	}
	s.own = s.handle(e)
	return s.own
}
