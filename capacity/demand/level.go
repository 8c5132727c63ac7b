package demand

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	greenlight "github.com/greenlight-dev/greenlight"
)

// finer are the units from the longest to the shortest.
var finer = []Unit{Month, Week, Day, Hour}

// UnitFor is the longest unit of which a series fills enough periods for a
// forecast to say something: six months or weeks, days where it reaches over
// two of them, else hours.
func UnitFor(samples []Sample) Unit {
	if checkSamples(samples) != nil {
		return Hour
	}
	const least = 6
	for _, u := range []Unit{Month, Week} {
		o := Options{Unit: u, Season: u.season()}
		if s, err := o.aggregate(samples); err == nil && s.known() >= least && s.missing <= s.known() {
			return u
		}
	}
	if samples[len(samples)-1].At.Sub(samples[0].At) >= 47*time.Hour { // it lasts an hour
		return Day
	}
	return Hour
}

// level is the mean of a series too short for more.
type level struct {
	mean, deviation float64 // of its parts
	parts           int
	of              string // what they are, a word
	end             time.Time
	length          time.Duration
}

// leastDeviation is what rates are taken to vary by at least, as a share: that
// a few hours were all alike does not mean that the next ones are.
const leastDeviation = 0.1

// fromLevel forecasts the mean of a short series. Nothing is known of its
// trend, so its band is that of a mean that wanders: in every stretch as long
// as the series it may move by as much as it varied in it.
func (o Options) fromLevel(samples []Sample, whole *aggregated) (*Demand, error) {
	samples = samples[slices.IndexFunc(samples, func(s Sample) bool { return !s.At.Before(whole.left) }):]
	l := o.levelOf(samples)
	if l.mean == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the last of the series has no requests: there is nothing to forecast from; state rate and growth")
	}
	d := o.demand()
	d.Measured, d.History = true, whole.past
	if whole.missing > 0 {
		d.History = whole.fillIn(o.Season)
	}
	var err error
	if d.PeakToMean, d.PeakSource, err = o.peakOverLevel(samples, l); err != nil {
		return nil, err
	}
	next := o.Unit.start(l.end)
	skipped, err := o.skipped(next)
	if err != nil {
		return nil, err
	}
	from := o.Unit.add(next, skipped)
	bands := make([]Band, o.Periods)
	for i := range bands {
		bands[i] = l.at(o.Unit.add(from, i), o.Unit.add(from, i+1), o.Probability)
	}
	why := fmt.Sprintf("too few whole %ss to show a trend", o.Unit)
	if whole.known() >= o.leastTrend() {
		why = fmt.Sprintf("only %d of %d %ss were measured", whole.known(), len(whole.past), o.Unit)
	}
	d.Method = fmt.Sprintf("level of %d %s, with a band that widens as if it wandered; %s", l.parts, l.of, why) + whole.leftText(o.Unit)
	d.Periods = o.periods(from, bands, d.PeakToMean)
	return d, nil
}

// levelOf takes the longest unit, no longer than the options', of which the
// series fills three; where there is none, the samples themselves.
func (o Options) levelOf(samples []Sample) level {
	end := samples[len(samples)-1].At.Add(spacing(samples))
	for i, u := range finer {
		part := Options{Unit: u, Season: u.season()}
		if s, err := part.aggregate(samples); err == nil && s.known() >= leastPeriods && !longer(u, o.Unit) {
			var means []float64
			for _, p := range s.past {
				if !p.Filled {
					means = append(means, p.Mean)
				}
			}
			l := levelFrom(means, string(finer[i])+"s")
			l.end, l.length = end, end.Sub(s.past[0].From)
			return l
		}
	}
	rates := make([]float64, len(samples))
	for i, s := range samples {
		rates[i] = s.Rate
	}
	l := levelFrom(rates, "samples")
	l.end, l.length = end, end.Sub(samples[0].At)
	return l
}

func longer(a, b Unit) bool {
	place := func(u Unit) int {
		for i, v := range finer {
			if u == v {
				return i
			}
		}
		return len(finer)
	}
	return place(a) < place(b)
}

func levelFrom(values []float64, of string) level {
	l := level{mean: stat.Mean(values, nil), parts: len(values), of: of}
	l.deviation = leastDeviation * l.mean
	if len(values) > 1 {
		l.deviation = max(l.deviation, stat.StdDev(values, nil))
	}
	return l
}

// at is the band of a period.
func (l level) at(from, to time.Time, probability float64) Band {
	ahead := max(0, from.Add(to.Sub(from)/2).Sub(l.end))
	stretches := float64(ahead) / float64(max(l.length, time.Hour))
	half := l.mean // one value does not tell how much it varies: from nothing to twice as much
	if l.parts > 1 {
		n := float64(l.parts)
		half = l.deviation * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile((1+probability)/2)
	}
	half *= math.Sqrt(1 + 1/float64(l.parts) + stretches)
	return clamp(Band{l.mean, l.mean - half, l.mean + half})
}

// peakOverLevel is the highest peak of all over the level.
func (o Options) peakOverLevel(samples []Sample, l level) (float64, string, error) {
	if o.PeakToMean > 0 {
		return o.PeakToMean, "stated", nil
	}
	if !hasPeaks(samples) && len(samples) < minSamples {
		return 0, "", greenlight.Errorf(greenlight.CodeInvalid, "the series has too few samples to show its peak; give a denser one, or state by what factor the peak exceeds the mean")
	}
	most := 0.0
	for _, s := range samples {
		most = max(most, s.Rate, s.Peak)
	}
	return min(most/l.mean, mostFactor), "measured: the highest of all", nil
}
