package demand

import (
	"fmt"
	"math"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Now is the mean rate when the demand was forecast, requests a second: what
// was stated, or else what is expected of the first period.
func (d *Demand) Now() float64 {
	if d.Stated != nil {
		return d.Stated.Rate
	}
	return d.Periods[0].Mean.Expected
}

// Growth is what was stated of it, a share a month; 0 where the demand was
// measured: what its series shows stands in the periods.
func (d *Demand) Growth() float64 {
	if d.Stated != nil {
		return d.Stated.Growth
	}
	return 0
}

// Changed is the demand with another rate now and another growth, as Now and
// Growth give them; made is when it was forecast. Where it was measured, rate
// stretches the forecast and growth comes on top of it. Requests that a
// planned event adds change with all others.
func (d *Demand) Changed(made time.Time, rate, growth float64) (*Demand, error) {
	to := Stated{Rate: rate, Growth: growth}
	if err := to.check(); err != nil {
		return nil, err
	}
	now, before := d.Now(), d.Growth()
	if !(now > 0) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "nothing is expected now, so another rate cannot be told from it; make a plan that begins with some")
	}
	out := *d
	out.Periods = slices.Clone(d.Periods)
	for i := range out.Periods {
		p := &out.Periods[i]
		f := rate / now * math.Pow((1+growth)/(1+before), monthsUntil(made, p.From, p.To))
		p.Mean, p.Peak = clamp(p.Mean.times(f)), clamp(p.Peak.times(f))
	}
	if d.Stated != nil {
		to.Uncertainty = d.Stated.Uncertainty
		out.Stated, out.Method = &to, to.method()
	} else {
		out.Method = fmt.Sprintf("%s; changed to %s/s now and %s %% growth a month on top", d.Method, trim(rate), trim(100*growth))
	}
	return &out, nil
}

// Check tells whether demand that came from a file can be planned for.
func (d *Demand) Check() error {
	if len(d.Periods) == 0 || len(d.Periods) > MaxPeriods {
		return greenlight.Errorf(greenlight.CodeInvalid, "%d periods; from 1 to %d are planned for", len(d.Periods), MaxPeriods)
	}
	if s := d.Stated; s != nil {
		if err := s.check(); err != nil {
			return err
		}
	}
	for i, p := range d.Periods {
		if !p.To.After(p.From) || i > 0 && p.From.Before(d.Periods[i-1].To) {
			return greenlight.Errorf(greenlight.CodeInvalid, "period %d (%s) has no length, or begins before the one before it ends", i+1, p.Label)
		}
		if !p.Mean.possible() || !p.Peak.possible() {
			return greenlight.Errorf(greenlight.CodeInvalid, "period %d (%s): a band does not go from low through expected to high, or not from 0 to %g", i+1, p.Label, mostRate*mostFactor)
		}
	}
	return nil
}

func (b Band) possible() bool {
	return b.Low >= 0 && b.Low <= b.Expected && b.Expected <= b.High && b.High <= mostRate*mostFactor
}
