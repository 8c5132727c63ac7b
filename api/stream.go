package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

// The names of the events of streams, and what their data is.
const (
	EventOpen    = "open"    // nothing: the stream begins
	EventStatus  = "status"  // control.Status
	EventSamples = "samples" // map of observe.Sample
	EventEvent   = "event"   // greenlight.Event
	EventLoad    = "load"    // list of control.LiveLoad: every load test that runs
	EventLine    = "line"    // control.LogLine
	EventEnd     = "end"     // there is no more; a stream that ends without it was cut
	EventFailure = "failure" // ErrorBody; then the stream ends
)

// headAfter is how long a failure may take to be answered as such and not
// within a stream.
const headAfter = 250 * time.Millisecond

// live tells one client what is new.
type live struct {
	*server
	out     *eventStream
	changed <-chan struct{}  // closes when the status that was sent is out of date; nil while a new one waits for its time
	due     <-chan time.Time // when it is sent; nil while none waits
	sent    time.Time

	// The same of load tests; all nil where nobody wants them.
	loads     <-chan struct{}
	loadsDue  <-chan time.Time
	loadsSent time.Time
}

func (s *server) stream(w http.ResponseWriter, r *http.Request, in *ofStream) *failure {
	out, ctx, closeStream, f := s.openStream(w, r)
	if f != nil {
		return f
	}
	defer closeStream()
	after, err := s.resume(ctx, in.LastEventID)
	if err != nil {
		return failureOf(err)
	}
	l := &live{server: s, out: out}
	switch err := l.run(ctx, after, in.wants); {
	case err == nil || ctx.Err() != nil:
	case out.close():
		return failureOf(err)
	default:
		_ = out.send(EventFailure, noID, failureOf(err).ErrorBody)
	}
	return nil
}

// resume is the event after which a stream begins: the one that the client
// had last, or the newest.
func (s *server) resume(ctx context.Context, last string) (int64, error) {
	if last != "" {
		return strconv.ParseInt(last, 10, 64) // the pattern allows only what fits
	}
	newest, err := s.Events.ListEvents(ctx, store.EventQuery{Newest: true, Limit: 1})
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].ID, nil
}

var errEventsEnded = greenlight.Errorf(greenlight.CodeUnavailable, "the events cannot be read now; ask again")

// run tells what is new of what is wanted until the client is gone, the
// server stops or something fails. The first thing sent carries the id after
// which the events begin, so that a client that comes again misses none.
func (l *live) run(ctx context.Context, after int64, wants func(string) bool) error {
	var samples <-chan time.Time
	if wants(EventSamples) {
		second := time.NewTicker(samplesEvery)
		defer second.Stop()
		samples = second.C
	}
	var events <-chan greenlight.Event
	if wants(EventEvent) {
		events = l.Events.Watch(ctx, after)
	}
	if err := l.first(ctx, after, wants); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-l.changed:
			l.changed, l.due = nil, time.After(time.Until(l.sent.Add(statusEvery)))
		case <-l.due:
			err = l.sendStatus(ctx, noID)
		case <-samples:
			err = l.out.send(EventSamples, noID, l.Plane.Samples())
		case e, ok := <-events:
			if !ok {
				return errEventsEnded
			}
			err = l.out.send(EventEvent, e.ID, e)
		case <-l.loads:
			l.loads, l.loadsDue = nil, time.After(time.Until(l.loadsSent.Add(loadsEvery)))
		case <-l.loadsDue:
			err = l.sendLoads()
		}
		if err != nil {
			return err
		}
	}
}

// first begins the stream: with the status where it is wanted, and the load
// tests.
func (l *live) first(ctx context.Context, after int64, wants func(string) bool) error {
	var err error
	if wants(EventStatus) {
		err = l.sendStatus(ctx, after)
	} else {
		err = l.out.send(EventOpen, after, struct{}{})
	}
	if err == nil && wants(EventLoad) {
		err = l.sendLoads()
	}
	return err
}

// sendLoads sends the load tests as they are now.
func (l *live) sendLoads() error {
	l.loads, l.loadsDue, l.loadsSent = l.Plane.LoadsChanged(), nil, time.Now()
	return l.out.send(EventLoad, noID, l.Plane.RunningLoads())
}

// sendStatus sends the status as it is now. It asks for the next change first,
// so that none is missed.
func (l *live) sendStatus(ctx context.Context, id int64) error {
	l.changed, l.due, l.sent = l.Plane.Changed(), nil, time.Now()
	status, err := l.Plane.Status(ctx)
	if err != nil {
		return err
	}
	return l.out.send(EventStatus, id, status)
}

// logs writes a service's lines as events. What is wrong with the query is
// answered as an error; later failures are the stream's last event.
func (s *server) logs(w http.ResponseWriter, r *http.Request, environment, service string, q control.LogQuery) *failure {
	out, ctx, closeStream, f := s.openStream(w, r)
	if f != nil {
		return f
	}
	defer closeStream()
	if q.Follow {
		// There may be no line for long, and the client waits for the head.
		head := time.AfterFunc(headAfter, func() { _ = out.begin() })
		defer head.Stop()
	}
	err := s.Plane.Logs(ctx, environment, service, q, func(line control.LogLine) error { return out.send(EventLine, noID, line) })
	switch {
	case err != nil && out.close():
		return failureOf(err)
	case ctx.Err() != nil: // who asked is gone, or the server stops
	case err != nil:
		_ = out.send(EventFailure, noID, failureOf(err).ErrorBody)
	default:
		_ = out.send(EventEnd, noID, struct{}{})
	}
	return nil
}
