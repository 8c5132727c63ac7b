package control

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

// ledger counts what services are asked until it is written. What is in
// counted has no mark yet; what is ready is exactly what came up to its mark,
// so that the two are written together and nothing counts twice.
type ledger struct {
	due chan struct{} // holds one element when something is ready

	writing sync.Mutex // held while the store changes, before mu

	mu      sync.Mutex
	minutes map[string]*minute // that run, by "<environment>/<service>"
	counted entries
	ready   entries
	mark    store.TrafficMark // of ready
	minute  time.Time         // of the last count
}

// entries are additions to hours.
type entries map[entryKey]*store.TrafficHour

type entryKey struct {
	service string // "<environment>/<service>"
	hour    int64
}

// minute is a minute that runs.
type minute struct {
	from     time.Time
	requests float64
	seconds  float64
}

func newLedger() *ledger {
	return &ledger{due: make(chan struct{}, 1), minutes: make(map[string]*minute), counted: make(entries), ready: make(entries)}
}

// ResumeTraffic is how far requests were counted when the store was written
// last.
func ResumeTraffic(ctx context.Context, s store.Traffic) (observe.Counters, error) {
	mark, err := s.TrafficMark(ctx)
	if greenlight.CodeOf(err) == greenlight.CodeNotFound {
		return observe.Counters{}, nil
	}
	var c observe.Counters
	if err == nil && json.Unmarshal(mark.Counters, &c) != nil {
		c = observe.Counters{At: mark.At} // of another form: what came since is not known
	}
	return c, err
}

// CountTraffic counts what services were asked since the last time, except
// while a load test that reports asks them. It is quick: what is written to the store, Run writes.
func (p *Plane) CountTraffic(g observe.Growth) {
	p.mu.Lock()
	ending := p.ending // the gateway, with its counters, is about to go
	p.mu.Unlock()
	p.traffic.count(g, p.live.during(g.From, g.To), ending)
}

// count adds what came up; of the services that a load test asked meanwhile,
// nobody knows what came beside it.
func (l *ledger) count(g observe.Growth, tested map[string]bool, now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for service, n := range g.Services {
		if !tested[service] {
			l.spread(service, g.From, g.To, n)
		}
	}
	maps.DeleteFunc(l.minutes, func(service string, _ *minute) bool {
		_, there := g.Services[service]
		return !there
	})
	if at := g.To.Truncate(time.Minute); now || !at.Equal(l.minute) {
		l.minute = at
		l.settle(g.Counters())
	}
}

// settle makes what was counted ready to be written, with the counters that
// it came from.
func (l *ledger) settle(c observe.Counters) {
	l.mark = store.TrafficMark{At: c.At, Counters: encodeCounters(c)}
	l.ready.merge(l.counted)
	l.counted = make(entries)
	select {
	case l.due <- struct{}{}:
	default:
	}
}

// spread counts requests as if they had come evenly from one time to another,
// minute by minute.
func (l *ledger) spread(service string, from, to time.Time, n observe.Count) {
	whole := to.Sub(from)
	if whole <= 0 {
		l.put(service, to, 0, n)
		return
	}
	var given observe.Count // successes and errors until now, so that all add up
	upTo := func(count int64, end time.Time) int64 {
		return int64(math.Round(float64(count) * float64(end.Sub(from)) / float64(whole)))
	}
	for at := from; at.Before(to); {
		end := at.Truncate(time.Minute).Add(time.Minute)
		if end.After(to) {
			end = to
		}
		errors := upTo(n.Errors, end)
		requests := upTo(n.Requests-n.Errors, end) + errors
		l.put(service, at, end.Sub(at), observe.Count{Requests: requests - given.Requests, Errors: errors - given.Errors})
		given = observe.Count{Requests: requests, Errors: errors}
		at = end
	}
}

// put counts requests of a part of one minute.
func (l *ledger) put(service string, at time.Time, length time.Duration, n observe.Count) {
	if length <= 0 && n.Requests == 0 {
		return
	}
	h := l.counted.hour(service, at)
	h.Requests += n.Requests
	h.Errors += n.Errors
	h.Observed = min(h.Observed+length.Seconds(), 3600)
	m := l.minutes[service]
	if from := at.Truncate(time.Minute); m == nil || !m.from.Equal(from) {
		if m != nil {
			l.close(service, m)
		}
		m = &minute{from: from}
		l.minutes[service] = m
	}
	m.requests += float64(n.Requests)
	m.seconds += length.Seconds()
}

// leastOfMinute is how much of a minute must have been observed for its rate to
// be one.
const leastOfMinute = 30

// close has the hour know of a minute that is over.
func (l *ledger) close(service string, m *minute) {
	if m.seconds >= leastOfMinute {
		h := l.counted.hour(service, m.from)
		h.Peak = max(h.Peak, m.requests/m.seconds)
	}
}

// hour is the entry of the hour that holds a time.
func (e entries) hour(service string, at time.Time) *store.TrafficHour {
	at = at.UTC().Truncate(time.Hour)
	key := entryKey{service, at.Unix()}
	if e[key] == nil {
		environment, name, _ := strings.Cut(service, "/")
		e[key] = &store.TrafficHour{Environment: environment, Service: name, Hour: at}
	}
	return e[key]
}

// merge adds others to e.
func (e entries) merge(others entries) {
	for key, h := range others {
		if e[key] == nil {
			e[key] = h
			continue
		}
		addHour(e[key], h)
	}
}

// addHour adds b to a, as the store does.
func addHour(a, b *store.TrafficHour) {
	a.Requests += b.Requests
	a.Errors += b.Errors
	a.Peak = max(a.Peak, b.Peak)
	a.Observed = min(a.Observed+b.Observed, 3600)
}

// write writes what is ready. What the store does not take stays for the next
// time, unless it never will.
func (l *ledger) write(ctx context.Context, s store.Traffic) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	ready, mark := l.ready, l.mark
	l.ready = make(entries)
	l.mu.Unlock()
	if len(ready) == 0 {
		return nil
	}
	hours := make([]store.TrafficHour, 0, len(ready))
	for _, h := range ready {
		hours = append(hours, *h)
	}
	err := s.AddTraffic(ctx, mark, hours...)
	if err != nil && greenlight.CodeOf(err) != greenlight.CodeInvalid {
		l.mu.Lock()
		defer l.mu.Unlock()
		ready.merge(l.ready)
		l.ready = ready
	}
	return err
}

// hours are those of a service, with what is not written yet.
func (l *ledger) hours(ctx context.Context, s store.Traffic, q store.TrafficQuery) ([]store.TrafficHour, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	list, err := storedHours(ctx, s, q)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, unwritten := range []entries{l.ready, l.counted} {
		for _, h := range unwritten {
			if h.Environment == q.Environment && h.Service == q.Service && !h.Hour.Before(q.From) && h.Hour.Before(q.Until) {
				list = addTo(list, h)
			}
		}
	}
	return list, nil
}

// storedHours reads page by page.
func storedHours(ctx context.Context, s store.Traffic, q store.TrafficQuery) (list []store.TrafficHour, err error) {
	q.Limit = store.MaxRows
	for {
		page, err := s.TrafficHours(ctx, q)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < q.Limit {
			return list, nil
		}
		q.From = page[len(page)-1].Hour.Add(1)
	}
}

// addTo adds an hour to a list in order.
func addTo(list []store.TrafficHour, h *store.TrafficHour) []store.TrafficHour {
	at, found := slices.BinarySearchFunc(list, h.Hour, func(a store.TrafficHour, hour time.Time) int { return a.Hour.Compare(hour) })
	if !found {
		return slices.Insert(list, at, *h)
	}
	addHour(&list[at], h)
	return list
}
