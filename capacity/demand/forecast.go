package demand

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
)

// leastPeriods is how many past periods a forecast needs: two make a line,
// the third says how far off it is.
const leastPeriods = 3

// leastTrend is how many show a trend: of hours and days a season, because
// from noon to evening and from Friday to Sunday there is none.
func (o Options) leastTrend() int {
	if o.Unit == Hour || o.Unit == Day {
		return max(o.Season, leastPeriods)
	}
	return leastPeriods
}

// FromSeries is the demand that a measured series leads to: by Holt-Winters
// where it has more than two seasons, otherwise by a straight line; where it
// fills fewer than three periods, or less than a season of hours or days, or
// where most are not known, by its level alone, with a band that widens as time
// goes on. Periods at either end that
// the samples do not fill are left out. Those in between of which too little
// was measured are filled in, unless nothing was for more than a season: then
// only what is after that counts.
func FromSeries(samples []Sample, o Options) (*Demand, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	if err := checkSamples(samples); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(samples, func(s Sample) bool { return s.Rate > 0 }) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the series has no requests at all: there is nothing to forecast from; state rate and growth")
	}
	s, err := o.aggregate(samples)
	if err != nil {
		return nil, err
	}
	if s.known() < o.leastTrend() || s.missing > s.known() {
		return o.fromLevel(samples, s)
	}
	past := s.fillIn(o.Season)
	d := o.demand()
	d.Measured, d.History = true, past
	if d.PeakToMean, d.PeakSource, err = o.peakToMean(past); err != nil {
		return nil, err
	}
	next := o.Unit.add(past[len(past)-1].From, 1)
	skipped, err := o.skipped(next)
	if err != nil {
		return nil, err
	}
	means := make([]float64, len(past))
	for i, p := range past {
		means[i] = p.Mean
	}
	bands, method, err := o.forecast(means, skipped+o.Periods)
	if err != nil {
		return nil, err
	}
	d.Method = method + s.gapsText(o.Unit)
	d.Periods = o.periods(o.Unit.add(next, skipped), bands[skipped:], d.PeakToMean)
	return d, nil
}

func checkSamples(samples []Sample) error {
	switch {
	case len(samples) == 0:
		return greenlight.Errorf(greenlight.CodeInvalid, "the series has no samples; give a longer one, or state rate and growth")
	case len(samples) > MaxSamples:
		return greenlight.Errorf(greenlight.CodeInvalid, "%d samples; at most %d are forecast from", len(samples), MaxSamples)
	}
	for i, s := range samples {
		if i > 0 && !s.At.After(samples[i-1].At) || !(s.Rate >= 0 && s.Rate <= mostRate) || !(s.Peak >= 0 && s.Peak <= mostRate) {
			return greenlight.Errorf(greenlight.CodeInvalid, "sample %d (%s, %v/s) is not after the one before, or its rate or peak not from 0 to %g", i+1, s.At.Format(time.RFC3339), s.Rate, mostRate)
		}
	}
	return nil
}

// minSamples in a period are the fewest that show its peak.
const minSamples = 4

func (p Past) length(u Unit) time.Duration { return u.add(p.From, 1).Sub(p.From) }

// spacing is the median time between samples; 0 of fewer than two.
func spacing(samples []Sample) time.Duration {
	gaps := make([]time.Duration, 0, len(samples))
	for i := 1; i < len(samples); i++ {
		gaps = append(gaps, samples[i].At.Sub(samples[i-1].At))
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// peakToMean is the factor that 95 % of the past periods did not exceed.
func (o Options) peakToMean(past []Past) (factor float64, source string, err error) {
	if o.PeakToMean > 0 {
		return o.PeakToMean, "stated", nil
	}
	var factors []float64
	for _, p := range past {
		if p.Peak > 0 && p.Mean > 0 && !p.Filled {
			factors = append(factors, p.Peak/p.Mean)
		}
	}
	if !slices.ContainsFunc(past, func(p Past) bool { return p.Mean > 0 }) {
		return 0, "", greenlight.Errorf(greenlight.CodeInvalid, "no requests came in the %d whole %ss of the series: there is nothing to forecast from; choose shorter periods, or state rate and growth", len(past), o.Unit)
	}
	if len(factors) == 0 {
		return 0, "", greenlight.Errorf(greenlight.CodeInvalid, "the series has too few samples in a %s to show its peak; give a denser one, or state by what factor the peak exceeds the mean", o.Unit)
	}
	slices.Sort(factors)
	at := int(math.Ceil(0.95*float64(len(factors)))) - 1
	return factors[at], fmt.Sprintf("measured: the 95th percentile of %d %ss", len(factors), o.Unit), nil
}

// skipped is how many periods lie between the series and the forecast.
func (o Options) skipped(next time.Time) (int, error) {
	if o.From.IsZero() {
		return 0, nil
	}
	from := o.Unit.start(o.From)
	for n := range MaxPeriods + 1 {
		if !o.Unit.add(next, n).Before(from) {
			return n, nil
		}
	}
	return 0, greenlight.Errorf(greenlight.CodeInvalid, "the series ends on %s, more than %d %ss before the forecast begins", next.Format(time.DateOnly), MaxPeriods, o.Unit)
}

// forecast gives the means of the next periods, and says by what method.
func (o Options) forecast(means []float64, steps int) ([]Band, string, error) {
	if len(means) < 2*o.Season+1 {
		bands := o.line(means, steps)
		return bands, fmt.Sprintf("straight line through %d %ss; too few to tell a season of %d from the trend", len(means), o.Unit, o.Season), nil
	}
	h, err := bestHoltWinters(means, o.Season)
	if err != nil {
		return nil, "", err
	}
	bands := make([]Band, steps)
	for i, f := range h.Forecast(steps, o.Probability) {
		bands[i] = clamp(Band{f.Mean, f.Low, f.High})
	}
	return bands, fmt.Sprintf("Holt-Winters, %s season of %d %ss, fitted to %d (α %.3f, β %.3f, γ %.3f)", h.Seasonality, o.Season, o.Unit, len(means), h.Alpha, h.Beta, h.Gamma), nil
}

// bestHoltWinters is the seasonality whose one-step forecasts were nearer.
func bestHoltWinters(means []float64, season int) (*capacity.HoltWinters, error) {
	best, err := capacity.FitHoltWinters(means, season, capacity.Additive)
	if slices.Min(means) <= 0 {
		return best, err
	}
	other, otherErr := capacity.FitHoltWinters(means, season, capacity.Multiplicative)
	if err != nil || otherErr == nil && other.SSE < best.SSE {
		return other, otherErr
	}
	return best, nil
}

// line is ordinary least squares. Its prediction interval takes the trend to
// last, but a series of less than two seasons cannot tell it from the rise or
// fall of one. So the band is also that of a rate that wanders about the line:
// in every stretch as long as the series it may move by as much as it varied
// in it.
func (o Options) line(means []float64, steps int) []Band {
	n := float64(len(means))
	index := make([]float64, len(means))
	for i := range index {
		index[i] = float64(i)
	}
	at, slope := stat.LinearRegression(index, means, nil, false)
	var sse, spread float64
	middle := (n - 1) / 2
	for i, v := range means {
		d := v - at - slope*index[i]
		sse += d * d
		spread += (index[i] - middle) * (index[i] - middle)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 2}.Quantile((1 + o.Probability) / 2)
	varied := stat.Variance(means, nil)
	bands := make([]Band, steps)
	for i := range bands {
		x := n + float64(i)
		mean := at + slope*x
		half := t * math.Sqrt(sse/(n-2)*(1+1/n+(x-middle)*(x-middle)/spread)+varied*float64(i+1)/n)
		bands[i] = clamp(Band{mean, mean - half, mean + half})
	}
	return bands
}

// clamp keeps a band to what a rate can be.
func clamp(b Band) Band {
	in := func(v float64) float64 { return min(max(v, 0), mostRate) }
	return Band{in(b.Expected), in(b.Low), in(b.High)}
}
