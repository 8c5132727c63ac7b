package store

import (
	"context"
	"encoding/json"
	"time"
)

// Traffic keeps what services were asked, hour by hour, for years: what
// forecasts rest on and plans are held against.
type Traffic interface {
	// AddTraffic adds to what is kept of hours: requests, errors and seconds
	// add up, of the peaks the higher stays. The mark replaces the one that is
	// kept. All of it is one transaction, so that nothing counts twice: what
	// the mark has counted is in the hours, and only that. It is no change of
	// state and writes no event.
	AddTraffic(ctx context.Context, mark TrafficMark, hours ...TrafficHour) error

	// TrafficMark is the mark that was kept last.
	TrafficMark(ctx context.Context) (TrafficMark, error)

	// TrafficHours lists the hours of a service that are kept, oldest first.
	TrafficHours(ctx context.Context, q TrafficQuery) ([]TrafficHour, error)

	// PruneTraffic removes the hours that began before a time, in small parts
	// as Pruner.Prune does, and counts them.
	PruneTraffic(ctx context.Context, before time.Time) (int, error)
}

// MaxTraffic bounds the hours of one AddTraffic.
const MaxTraffic = 20_000

// TrafficHour is what a service was asked within one hour.
type TrafficHour struct {
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	Hour        time.Time `json:"hour"` // its begin, a whole hour of UTC
	Requests    int64     `json:"requests"`
	Errors      int64     `json:"errors"`   // of these, answered 5xx or not at all
	Peak        float64   `json:"peak"`     // requests a second in its busiest minute; 0 while none is over
	Observed    float64   `json:"observed"` // seconds of the hour that somebody counted, 0…3600
}

// TrafficMark is how far requests were counted.
type TrafficMark struct {
	At time.Time
	// Counters are the counters that requests are counted by, as they stood
	// then, in the form of who counts.
	Counters json.RawMessage
}

// TrafficQuery chooses hours of one service.
type TrafficQuery struct {
	Environment string
	Service     string
	From        time.Time // hours that begin then or later; all when zero
	Until       time.Time // and earlier than this; all when zero
	Limit       int       // 0 is DefaultRows; MaxRows at most
}

// CheckTraffic says what is wrong with what is to be added.
func CheckTraffic(mark *TrafficMark, hours []TrafficHour) error {
	c := check{what: "traffic"}
	if mark.At.IsZero() {
		c.failf("the mark has no time")
	}
	c.time("mark", mark.At)
	c.document("counters", mark.Counters, false)
	if len(hours) > MaxTraffic {
		c.failf("%d hours, %d are the most", len(hours), MaxTraffic)
	}
	for i := range hours {
		checkTrafficHour(&c, &hours[i])
	}
	return c.err
}

func checkTrafficHour(c *check, h *TrafficHour) {
	c.required("environment", h.Environment)
	c.required("service", h.Service)
	c.time("hour", h.Hour)
	switch {
	case h.Hour.IsZero() || !h.Hour.Equal(h.Hour.Truncate(time.Hour)):
		c.failf("%s is no whole hour", h.Hour.Format(time.RFC3339Nano))
	case h.Requests < 0 || h.Requests > mostTraffic || h.Errors < 0 || h.Errors > h.Requests:
		c.failf("%d requests with %d errors", h.Requests, h.Errors)
	case !(h.Peak >= 0 && h.Peak <= mostTraffic):
		c.failf("a peak of %v requests a second", h.Peak)
	case !(h.Observed >= 0 && h.Observed <= 3600):
		c.failf("%v seconds of an hour", h.Observed)
	}
}

// mostTraffic bounds requests and rates: sums of years stay far from overflowing.
const mostTraffic = 1e12

// CheckTrafficQuery says what is wrong with a query.
func CheckTrafficQuery(q *TrafficQuery) error {
	c := check{what: "traffic"}
	c.required("environment", q.Environment)
	c.required("service", q.Service)
	c.time("from", q.From)
	c.time("until", q.Until)
	return c.err
}
