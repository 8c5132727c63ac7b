package demand

import (
	"strconv"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Event is something planned that brings requests.
type Event struct {
	Name     string
	From, To time.Time
	Factor   float64 // what is expected anyway, times this; 0 is 1
	Added    float64 // and so many requests a second more, on average while it lasts
}

func checkEvents(events []Event) error {
	if len(events) > MaxEvents {
		return greenlight.Errorf(greenlight.CodeInvalid, "%d events; at most %d are planned for", len(events), MaxEvents)
	}
	for i, e := range events {
		wrong := ""
		switch {
		case e.Name == "" || len(e.Name) > 100:
			wrong = "its name must have from 1 to 100 bytes"
		case !e.To.After(e.From):
			wrong = "it ends at " + e.To.Format(time.RFC3339) + ", not after its begin"
		case e.Factor != 0 && !(e.Factor > 0 && e.Factor <= mostFactor):
			wrong = "factor is " + trim(e.Factor) + "; it must be above 0 and at most " + strconv.Itoa(mostFactor)
		case !(e.Added >= 0 && e.Added <= mostRate):
			wrong = "added is " + trim(e.Added) + "/s; it must be 0 or more, and at most " + trim(mostRate)
		case (e.Factor == 0 || e.Factor == 1) && e.Added == 0:
			wrong = "it neither has a factor nor adds requests"
		}
		if wrong != "" {
			return greenlight.Errorf(greenlight.CodeInvalid, "event %d (%s): %s", i+1, e.Name, wrong)
		}
	}
	return nil
}

// apply puts the event on a period: on its mean for the share of it that the
// event lasts, on its peak in full, because the two may meet. An event that
// takes load away leaves the peak of a period that it does not fill.
func (e Event) apply(p *Period) {
	from, to := later(e.From, p.From), earlier(e.To, p.To)
	if !to.After(from) {
		return
	}
	factor := e.Factor
	if factor == 0 {
		factor = 1
	}
	share := float64(to.Sub(from)) / float64(p.To.Sub(p.From))
	p.Mean = p.Mean.times(1 + share*(factor-1)).plus(share * e.Added)
	if factor < 1 && share < 1 {
		factor = 1
	}
	p.Peak = p.Peak.times(factor).plus(e.Added)
	p.Events = append(p.Events, e.Name)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// trim has as many digits as count.
func trim(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
