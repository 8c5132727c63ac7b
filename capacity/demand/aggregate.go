package demand

import (
	"fmt"
	"maps"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
)

// aggregated is a series by periods without a gap among them.
type aggregated struct {
	past    []Past // Filled where too little was measured, and nothing in it yet
	missing int
	left    time.Time // where it begins because of a gap before that is too long; zero: it is whole
}

func (s *aggregated) known() int { return len(s.past) - s.missing }

// aggregate makes the periods that samples fill.
func (o Options) aggregate(samples []Sample) (*aggregated, error) {
	s := &aggregated{}
	if first := o.afterLongGap(samples); first > 0 {
		samples, s.left = samples[first:], o.Unit.start(samples[first].At)
	}
	var sum float64
	count := 0
	for _, sample := range samples {
		from := o.Unit.start(sample.At)
		if n := len(s.past); n == 0 || !from.Equal(s.past[n-1].From) {
			if !s.add(from, o.Unit) {
				return nil, greenlight.Errorf(greenlight.CodeInvalid, "the series has more than %d %ss; choose longer periods", capacity.MaxObservations, o.Unit)
			}
			sum, count = 0, 0
		}
		p := &s.past[len(s.past)-1]
		sum, count = sum+sample.Rate, count+1
		p.Mean = sum / float64(count)
		p.Peak = max(p.Peak, sample.Rate, sample.Peak)
	}
	o.forgetThin(s.past, samples)
	s.past = o.filled(s.past, samples)
	for _, p := range s.past {
		if p.Filled {
			s.missing++
		}
	}
	return s, nil
}

// afterLongGap is the first sample after the last gap of more than a season.
func (o Options) afterLongGap(samples []Sample) int {
	for i := len(samples) - 1; i > 0; i-- {
		before := o.Unit.start(samples[i-1].At)
		if samples[i].At.Sub(before) > 24*time.Hour && o.Unit.start(samples[i].At).After(o.Unit.add(before, o.Season+1)) {
			return i
		}
	}
	return 0
}

// add appends the period that begins then, with those that lack before it;
// false where they are too many.
func (s *aggregated) add(from time.Time, u Unit) bool {
	for n := len(s.past); n > 0 && len(s.past) < capacity.MaxObservations; n = len(s.past) {
		next := u.add(s.past[n-1].From, 1)
		if next.Equal(from) {
			break
		}
		s.past = append(s.past, Past{From: next, Filled: true})
	}
	if len(s.past) >= capacity.MaxObservations {
		return false
	}
	s.past = append(s.past, Past{From: from})
	return true
}

// enough of a longer period is a week: all that days and hours differ by is in
// it.
const enough = 7 * 24 * time.Hour

// forgetThin takes periods of which too little was seen as not measured: less
// than three quarters of what was seen of most, or of a week. Their mean would
// be that of some hours of the day, or of some days of the week.
func (o Options) forgetThin(past []Past, samples []Sample) {
	usual, seen := spacing(samples), make(map[time.Time]time.Duration, len(past))
	for rest := samples; len(rest) > 0; {
		from := o.Unit.start(rest[0].At)
		end := o.Unit.add(from, 1)
		n := slices.IndexFunc(rest, func(s Sample) bool { return !s.At.Before(end) })
		if n < 0 {
			n = len(rest)
		}
		step := usual
		if n > 1 {
			step = spacing(rest[:n])
		}
		seen[from], rest = time.Duration(n)*step, rest[n:]
	}
	lengths := slices.Sorted(maps.Values(seen))
	least := min(lengths[len(lengths)/2], enough) * 3 / 4
	for i, p := range past {
		if length, ok := seen[p.From]; ok && length < least {
			past[i] = Past{From: p.From, Filled: true}
		}
	}
}

// filled drops the first and the last period where samples do not reach over
// the whole of it, and peaks that one sample cannot show.
func (o Options) filled(past []Past, samples []Sample) []Past {
	step := spacing(samples)
	end := o.Unit.add(past[len(past)-1].From, 1)
	if samples[len(samples)-1].At.Add(step + step/2).Before(end) {
		past = past[:len(past)-1]
	}
	if len(past) > 0 && samples[0].At.After(past[0].From.Add(step+step/2)) {
		past = past[1:]
	}
	past = trimmed(past)
	if len(past) > 0 && step > past[0].length(o.Unit)/minSamples && !hasPeaks(samples) {
		for i := range past {
			past[i].Peak = 0
		}
	}
	return past
}

// trimmed is without periods at either end that nobody measured.
func trimmed(past []Past) []Past {
	for len(past) > 0 && past[0].Filled {
		past = past[1:]
	}
	for len(past) > 0 && past[len(past)-1].Filled {
		past = past[:len(past)-1]
	}
	return past
}

func hasPeaks(samples []Sample) bool {
	return slices.ContainsFunc(samples, func(s Sample) bool { return s.Peak > 0 })
}

// fillIn gives the periods that nobody measured a mean: that of the same place
// one season before and after, where these were measured, else what lies
// between their neighbours.
func (s *aggregated) fillIn(season int) []Past {
	past := slices.Clone(s.past)
	measured := func(i int) bool { return i >= 0 && i < len(past) && !past[i].Filled }
	for i := range past {
		switch before, after := i-season, i+season; {
		case measured(i):
		case measured(before) && measured(after):
			past[i].Mean = (past[before].Mean + past[after].Mean) / 2
		case measured(before):
			past[i].Mean = past[before].Mean
		case measured(after):
			past[i].Mean = past[after].Mean
		default:
			past[i].Mean = between(past, i)
		}
	}
	return past
}

// between is the straight line at i between the nearest that were measured; the
// first and the last were.
func between(past []Past, i int) float64 {
	a, b := i, i
	for past[a].Filled {
		a--
	}
	for past[b].Filled {
		b++
	}
	share := float64(i-a) / float64(b-a)
	return past[a].Mean + share*(past[b].Mean-past[a].Mean)
}

// gapsText says what of the series is not known.
func (s *aggregated) gapsText(u Unit) string {
	text := ""
	if s.missing > 0 {
		text = fmt.Sprintf("; %d of the %ss were not measured, or too little of them, and are filled in", s.missing, u)
	}
	return text + s.leftText(u)
}

// leftText says what is left out of the series.
func (s *aggregated) leftText(u Unit) string {
	if s.left.IsZero() {
		return ""
	}
	return fmt.Sprintf("; what was measured before the gap that ends in the %s of %s is left out", u, u.label(s.left))
}
