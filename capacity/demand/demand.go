package demand

import (
	"math"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Unit is the length of a period.
type Unit string

// The units. Days, weeks and months are of UTC; weeks begin on Monday.
const (
	Hour  Unit = "hour"
	Day   Unit = "day"
	Week  Unit = "week"
	Month Unit = "month"
)

// Bounds of what is forecast.
const (
	MaxPeriods = 400
	MaxEvents  = 200

	mostRate   = 1e9  // requests a second
	mostFactor = 1000 // of an event, and of a peak over its mean
)

// start is the beginning of the period that holds t.
func (u Unit) start(t time.Time) time.Time {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch u {
	case Hour:
		return t.Truncate(time.Hour)
	case Week:
		return day.AddDate(0, 0, -(int(t.Weekday())+6)%7)
	case Month:
		return day.AddDate(0, 0, 1-t.Day())
	}
	return day
}

// add is the beginning of the period n after the one that begins at t.
func (u Unit) add(t time.Time, n int) time.Time {
	switch u {
	case Hour:
		return t.Add(time.Duration(n) * time.Hour)
	case Week:
		return t.AddDate(0, 0, 7*n)
	case Month:
		return t.AddDate(0, n, 0)
	}
	return t.AddDate(0, 0, n)
}

// label names the period that begins at t.
func (u Unit) label(t time.Time) string {
	switch u {
	case Hour:
		return t.Format("2 Jan 2006 15:04")
	case Month:
		return t.Format("Jan 2006")
	}
	return t.Format("2 Jan 2006")
}

// season is how many periods it takes until things repeat, where nobody says.
func (u Unit) season() int {
	return map[Unit]int{Hour: 24, Day: 7, Week: 52, Month: 12}[u]
}

// Band is an expected value and the interval that holds it with the
// probability that was asked for.
type Band struct {
	Expected float64 `json:"expected"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

func (b Band) times(f float64) Band { return Band{b.Expected * f, b.Low * f, b.High * f} }

func (b Band) plus(v float64) Band { return Band{b.Expected + v, b.Low + v, b.High + v} }

// Period is what one period asks for.
type Period struct {
	Label  string    `json:"label"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`   // the next period's From
	Mean   Band      `json:"mean"` // requests a second over the whole period
	Peak   Band      `json:"peak"` // requests a second when most come
	Events []string  `json:"events,omitempty"`
}

// Demand is what the periods to come ask for.
type Demand struct {
	Unit        Unit    `json:"unit"`
	Method      string  `json:"method"`      // how it was forecast, a phrase
	Measured    bool    `json:"measured"`    // from a series, not from what somebody stated
	Probability float64 `json:"probability"` // of the bands
	PeakToMean  float64 `json:"peak_to_mean"`
	PeakSource  string  `json:"peak_source"` // where that factor comes from, a phrase
	// Stated is what somebody said of the demand; nil where it was measured.
	Stated *Stated `json:"stated,omitempty"`
	// History is the means of the past periods that the forecast rests on.
	History []Past   `json:"history,omitempty"`
	Periods []Period `json:"periods"`
}

// Past is what a past period had.
type Past struct {
	From time.Time `json:"from"`
	Mean float64   `json:"mean"`
	Peak float64   `json:"peak,omitempty"` // the highest sample, or of their peaks; 0 where one sample is all there is
	// Filled tells that nobody measured it: it is what its neighbours suggest.
	Filled bool `json:"filled,omitempty"`
}

// Options shape a forecast.
type Options struct {
	Unit        Unit      // "" is Month
	Periods     int       // how many; 1…MaxPeriods
	From        time.Time // the forecast begins with the period that holds it, but not before the series ends
	Probability float64   // of the bands, 0…1; 0 is 0.95
	// Season is how many periods make one; 0 is 24 hours, 7 days, 52 weeks or
	// 12 months. It shows only in series of more than two seasons.
	Season int
	// PeakToMean is the peak over the mean of a period; 0: as measured, which
	// needs several samples in a period.
	PeakToMean float64
	Events     []Event
}

// Check tells what of the options no forecast can be made by: CodeInvalid.
func (o Options) Check() error {
	_, err := o.checked()
	return err
}

func (o Options) checked() (Options, error) {
	if o.Unit == "" {
		o.Unit = Month
	}
	if o.Probability == 0 {
		o.Probability = 0.95
	}
	if o.Season == 0 {
		o.Season = o.Unit.season()
	}
	invalid := func(format string, args ...any) (Options, error) {
		return o, greenlight.Errorf(greenlight.CodeInvalid, format, args...)
	}
	switch {
	case o.Unit.season() == 0:
		return invalid("a period is %q, want %q, %q, %q or %q", o.Unit, Hour, Day, Week, Month)
	case o.Periods < 1 || o.Periods > MaxPeriods:
		return invalid("%d periods; from 1 to %d are forecast", o.Periods, MaxPeriods)
	case !(o.Probability > 0 && o.Probability < 1):
		return invalid("probability is %v; it must lie between 0 and 1", o.Probability)
	case o.Season < 2 || o.Season > 10_000:
		return invalid("a season of %d periods; it must have from 2 to 10000", o.Season)
	case o.PeakToMean != 0 && !(o.PeakToMean >= 1 && o.PeakToMean <= mostFactor):
		return invalid("the peak is %v times the mean; it must be from 1 to %d times", o.PeakToMean, mostFactor)
	case o.From.Year() > 9000:
		return invalid("the forecast begins in the year %d", o.From.Year())
	}
	return o, checkEvents(o.Events)
}

// Stated is demand that nobody measured.
type Stated struct {
	Rate   float64 `json:"rate"`   // requests a second on average, now
	Growth float64 `json:"growth"` // a month, as a share: 0.05 is 5 % more each month, −0.02 2 % less
	// Uncertainty is how far off the stated mean may be, as a share either
	// way: the band.
	Uncertainty float64 `json:"uncertainty"`
}

// FromRate is the demand that somebody states. PeakToMean must be stated too.
func FromRate(s Stated, o Options) (*Demand, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	invalid := func(format string, args ...any) (*Demand, error) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, format, args...)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	switch {
	case o.PeakToMean == 0:
		return invalid("a stated mean does not tell the peak; state by what factor it exceeds the mean")
	case o.From.IsZero():
		return invalid("a stated rate needs the moment from which it holds")
	}
	d := o.demand()
	d.Method, d.Stated = s.method(), &s
	d.PeakToMean, d.PeakSource = o.PeakToMean, "stated"
	from := o.Unit.start(o.From)
	means := make([]Band, o.Periods)
	for i := range means {
		months := monthsUntil(o.From, o.Unit.add(from, i), o.Unit.add(from, i+1))
		mean := min(s.Rate*math.Pow(1+s.Growth, months), mostRate)
		means[i] = Band{mean, mean * (1 - s.Uncertainty), mean * (1 + s.Uncertainty)}
	}
	d.Periods = o.periods(from, means, d.PeakToMean)
	return d, nil
}

func (s Stated) check() error {
	switch {
	case !(s.Rate >= 0 && s.Rate <= mostRate):
		return greenlight.Errorf(greenlight.CodeInvalid, "the rate is %v a second; it must be from 0 to %g", s.Rate, mostRate)
	case !(s.Growth > -1 && s.Growth <= 10):
		return greenlight.Errorf(greenlight.CodeInvalid, "growth is %v a month; it must be above −1 (all of it lost) and at most 10", s.Growth)
	case !(s.Uncertainty >= 0 && s.Uncertainty < 1):
		return greenlight.Errorf(greenlight.CodeInvalid, "uncertainty is %v; it is a share from 0 to below 1", s.Uncertainty)
	}
	return nil
}

func (s Stated) method() string {
	return "stated: " + trim(s.Rate) + "/s on average, " + trim(100*s.Growth) + " % growth a month"
}

const hoursInMonth = 365.25 * 24 / 12

// monthsUntil is the time from now to the middle of a period, in months; 0
// where that has passed.
func monthsUntil(now, from, to time.Time) float64 {
	middle := from.Add(to.Sub(from) / 2)
	return max(0, middle.Sub(now).Hours()/hoursInMonth)
}

func (o Options) demand() *Demand {
	return &Demand{Unit: o.Unit, Probability: o.Probability}
}

// periods puts peaks and events on the means of consecutive periods.
func (o Options) periods(from time.Time, means []Band, peakToMean float64) []Period {
	list := make([]Period, len(means))
	for i, mean := range means {
		p := Period{From: o.Unit.add(from, i), To: o.Unit.add(from, i+1), Mean: mean, Peak: mean.times(peakToMean)}
		p.Label = o.Unit.label(p.From)
		for _, e := range o.Events {
			e.apply(&p)
		}
		list[i] = p
	}
	return list
}
