package control

import (
	"context"
	"encoding/json"
	"math"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// TrafficPeriod is what a service was asked within an hour or a day.
type TrafficPeriod struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to" doc:"the next period's from; in the future for the one that runs"`
	Requests int64     `json:"requests"`
	Errors   int64     `json:"errors" doc:"of these, answered 5xx or not at all"`
	Mean     float64   `json:"mean" doc:"requests a second, over the seconds that were observed"`
	Peak     float64   `json:"peak" doc:"requests a second in the busiest minute; 0 while none is over"`
	Observed float64   `json:"observed" doc:"seconds of the period that requests were counted, without those in which a load test ran; what lacks is not known, which is not the same as no requests"`
}

// TrafficQuery chooses periods.
type TrafficQuery struct {
	From time.Time // the period that holds it is the first; zero: 35 days back, or all with days
	To   time.Time // periods that begin earlier; zero: now
	Step string    // TrafficHours or TrafficDays; "" is TrafficHours
}

// The steps of traffic. Days are of UTC.
const (
	TrafficHours = "hour"
	TrafficDays  = "day"
)

// LongestTraffic is the longest range that may be asked for, more than what is
// kept: the month that runs and the 25 before it.
const LongestTraffic = 800 * 24 * time.Hour

const (
	monthsOfTraffic = 25
	usualTraffic    = 35 * 24 * time.Hour
)

func (q TrafficQuery) filled(now time.Time) (TrafficQuery, error) {
	step := time.Hour
	switch q.Step {
	case "", TrafficHours:
	case TrafficDays:
		step = 24 * time.Hour
	default:
		return q, greenlight.Errorf(greenlight.CodeInvalid, "step %q: want %s or %s", clip(q.Step, 60), TrafficHours, TrafficDays)
	}
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-usualTraffic)
		if q.Step == TrafficDays {
			q.From = q.To.Add(-LongestTraffic + step)
		}
	}
	q.From, q.To = q.From.UTC().Truncate(step), q.To.UTC()
	if !q.To.After(q.From) || q.To.Sub(q.From) > LongestTraffic {
		return q, greenlight.Errorf(greenlight.CodeInvalid, "from %s to %s: want a range of at most %d days", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339), int(LongestTraffic.Hours()/24))
	}
	return q, nil
}

// Traffic is what a service was asked, oldest first. Periods that nobody
// observed are left out.
func (p *Plane) Traffic(ctx context.Context, environment, service string, q TrafficQuery) ([]TrafficPeriod, error) {
	q, err := q.filled(time.Now())
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	_, _, err = p.findService(environment, service)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	hours, err := p.traffic.hours(ctx, p.options.Store, store.TrafficQuery{Environment: environment, Service: service, From: q.From, Until: q.To})
	if err != nil {
		return nil, err
	}
	step := time.Hour
	if q.Step == TrafficDays {
		step = 24 * time.Hour
	}
	return trafficPeriods(hours, step), nil
}

// trafficPeriods adds hours up to periods.
func trafficPeriods(hours []store.TrafficHour, step time.Duration) []TrafficPeriod {
	list := []TrafficPeriod{}
	for _, h := range hours {
		from := h.Hour.Truncate(step)
		if n := len(list); n == 0 || !list[n-1].From.Equal(from) {
			list = append(list, TrafficPeriod{From: from, To: from.Add(step)})
		}
		t := &list[len(list)-1]
		t.Requests += h.Requests
		t.Errors += h.Errors
		t.Peak = max(t.Peak, h.Peak)
		t.Observed = math.Round(1e3*(t.Observed+h.Observed)) / 1e3
		if t.Observed > 0 {
			t.Mean = float64(t.Requests) / t.Observed
		}
	}
	return list
}

// trafficLoop writes once a minute what was counted, until ctx ends.
func (p *Plane) trafficLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.traffic.due:
			p.writeTraffic(ctx)
		}
	}
}

func (p *Plane) writeTraffic(ctx context.Context) {
	switch err := p.traffic.write(ctx, p.options.Store); {
	case err == nil || ctx.Err() != nil:
	case greenlight.CodeOf(err) == greenlight.CodeInvalid:
		p.options.Log.Error("what services were asked is left out of the history", "error", err)
	default:
		p.options.Log.Error("keeping what services were asked; it is tried again in a minute", "error", err)
	}
}

// pruneTraffic removes hours that are too old. Whole months stay: two years
// and one month of them are the least that show a season of a year.
func (p *Plane) pruneTraffic(ctx context.Context, now time.Time) {
	year, month, _ := now.UTC().Date()
	oldest := time.Date(year, month-monthsOfTraffic, 1, 0, 0, 0, 0, time.UTC)
	switch n, err := p.options.Store.PruneTraffic(ctx, oldest); {
	case ctx.Err() != nil:
	case err != nil:
		p.options.Log.Error("removing old traffic", "error", err)
	case n > 0:
		p.options.Log.Info("removed old traffic", "hours", n)
	}
}

// encodeCounters is how counters stand in the store.
func encodeCounters(c any) json.RawMessage {
	data, err := json.Marshal(c)
	if err != nil {
		return json.RawMessage("{}") // a number that JSON has not: then nothing is resumed
	}
	return data
}
