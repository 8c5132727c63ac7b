package demand_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/demand"
)

// hourly is a series of hours from 2 March 2026, a Monday; a rate below 0 is
// one that nobody measured.
func hourly(n int, rate func(hour int) float64) []demand.Sample {
	var list []demand.Sample
	for i := range n {
		if r := rate(i); r >= 0 {
			list = append(list, demand.Sample{At: day("2026-03-02").Add(time.Duration(i) * time.Hour), Rate: r, Peak: 3 * r})
		}
	}
	return list
}

func daily(hour int) float64 { return 100 + 50*math.Sin(2*math.Pi*float64(hour%24)/24) }

func TestAGapIsFilledIn(t *testing.T) {
	whole, err := demand.FromSeries(hourly(24*7, daily), demand.Options{Unit: demand.Hour, Periods: 24})
	if err != nil {
		t.Fatal(err)
	}
	d, err := demand.FromSeries(hourly(24*7, func(hour int) float64 {
		if hour >= 80 && hour < 90 {
			return -1
		}
		return daily(hour)
	}), demand.Options{Unit: demand.Hour, Periods: 24})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Method, "; 10 of the hours were not measured, or too little of them, and are filled in") || !strings.HasPrefix(d.Method, "Holt-Winters") {
		t.Errorf("the method is %q", d.Method)
	}
	if h := d.History[85]; !h.Filled || math.Abs(h.Mean-daily(85)) > 1e-9 || h.Peak != 0 || d.History[79].Filled {
		t.Errorf("hour 85 is %+v", h)
	}
	for i, p := range d.Periods {
		near(t, p.Label, p.Mean.Expected, whole.Periods[i].Mean.Expected, 0.5)
	}
	near(t, "the peak", d.PeakToMean, 3, 1e-9)
}

// Of a day of which only the quiet hours were seen nobody knows the mean.
func TestADayThatWasHardlySeenIsFilledIn(t *testing.T) {
	quiet := func(hour int) float64 {
		if day := hour / 24; (day == 9 || day == 10) && hour%24 < 12 {
			return -1 // the busy half of two days
		}
		return daily(hour)
	}
	d, err := demand.FromSeries(hourly(24*21, quiet), demand.Options{Unit: demand.Day, Periods: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.History) != 21 || !d.History[9].Filled || !d.History[10].Filled || d.History[8].Filled || d.History[11].Filled {
		t.Errorf("%+v", d.History)
	}
	near(t, "the mean", d.Periods[0].Mean.Expected, 100, 1e-6)

	// Nights that never have any are no gaps.
	d, err = demand.FromSeries(hourly(24*21, func(hour int) float64 {
		if hour%24 >= 12 {
			return -1
		}
		return 80
	}), demand.Options{Unit: demand.Day, Periods: 2})
	if err != nil || strings.Contains(d.Method, "filled in") || len(d.History) != 20 {
		t.Errorf("%+v, %v", d, err)
	}
}

// A forecast begins when it is made, though the series may end sooner or later.
func TestTheForecastBeginsNow(t *testing.T) {
	for from, want := range map[string]string{"2020-02-10": "Jun 2020", "2020-06-30": "Jun 2020", "2020-09-01": "Sep 2020"} {
		d, err := demand.FromSeries(months(5, func(int) float64 { return 1 }), demand.Options{Periods: 2, PeakToMean: 1, From: day(from)})
		if err != nil || d.Periods[0].Label != want {
			t.Errorf("made on %s: %+v, %v; want %s", from, d, err, want)
		}
	}
}

// What a line does not know, its band allows for: growth that compounds, and a
// season that it takes for a trend.
func TestWhatIsNoLine(t *testing.T) {
	for name, c := range map[string]struct {
		months int
		rate   func(month int) float64
	}{
		"growth of 5 % a month":  {14, func(month int) float64 { return 100 * math.Pow(1.05, float64(month)) }},
		"a season of ten months": {10, func(month int) float64 { return 100 + 10*math.Sin(2*math.Pi*float64(month+11)/12) }},
	} {
		d, err := demand.FromSeries(months(c.months, c.rate), demand.Options{Periods: 6, PeakToMean: 2})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(d.Method, "too few to tell a season of 12 from the trend") {
			t.Errorf("%s: %q", name, d.Method)
		}
		for i, p := range d.Periods {
			if came := c.rate(c.months + i); came < p.Mean.Low || came > p.Mean.High {
				t.Errorf("%s: %s had %.1f, the forecast is %+v", name, p.Label, came, p.Mean)
			}
		}
	}
}

func TestASeriesOfNoRequests(t *testing.T) {
	late := hourly(24*200, func(hour int) float64 { return float64(hour / (24 * 190)) })
	if _, err := demand.FromSeries(late, demand.Options{Periods: 2}); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "in the 5 whole months of the series") {
		t.Errorf("none until ten days ago: %v", err)
	}
	for name, hours := range map[string]int{"hours": 40, "months": 24 * 200} {
		_, err := demand.FromSeries(hourly(hours, func(int) float64 { return 0 }), demand.Options{Periods: 2})
		if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "the series has no requests at all") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was before a gap of more than a season does not count.
func TestALongGapBeginsAnew(t *testing.T) {
	d, err := demand.FromSeries(hourly(24*20, func(hour int) float64 {
		switch at := hour / 24; {
		case at < 8:
			return 1e6
		case at < 16:
			return -1
		}
		return daily(hour)
	}), demand.Options{Unit: demand.Day, Periods: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.History) != 4 || !strings.HasSuffix(d.Method, "; what was measured before the gap that ends in the day of 18 Mar 2026 is left out") {
		t.Errorf("%d days, %q", len(d.History), d.Method)
	}
	near(t, "the mean", d.Periods[0].Mean.Expected, 100, 1)
	near(t, "the peak", d.PeakToMean, 4.5, 1e-9)
}

func TestAShortSeriesIsItsLevel(t *testing.T) {
	noise := []float64{-10, 10, 0, -10, 10, 0, -10, 10, 0, 0}
	days := hourly(240, func(hour int) float64 { return 100 + noise[hour/24] })
	d, err := demand.FromSeries(days, demand.Options{Periods: 12})
	if err != nil {
		t.Fatal(err)
	}
	if d.Method != "level of 10 days, with a band that widens as if it wandered; too few whole months to show a trend" || !d.Measured {
		t.Errorf("%q", d.Method)
	}
	first, last := d.Periods[0], d.Periods[11]
	if first.Label != "Mar 2026" || first.Mean.Expected != 100 || last.Mean.Expected != 100 {
		t.Errorf("from %+v to %+v", first, last)
	}
	// s = 10 by its floor, t(9) = 2.262; the middle of March is 108 hours past
	// the end of 240.
	near(t, "half the first band", first.Mean.High-100, 10*2.2622*math.Sqrt(1.1+108/240.0), 0.01)
	if last.Mean.High < 100+5*10 || last.Mean.Low != 0 {
		t.Errorf("ten days know a month next year to %+v", last.Mean)
	}
	near(t, "the peak", d.PeakToMean, 3*1.1, 1e-9)

	for name, c := range map[string]struct {
		hours int
		unit  demand.Unit
		want  string
	}{
		"one hour":    {1, demand.Day, "level of 1 samples"},
		"two hours":   {2, demand.Hour, "level of 2 samples"},
		"three hours": {3, demand.Hour, "level of 3 hours"},
		"23 hours":    {23, demand.Hour, "level of 23 hours"},
		"24 hours":    {24, demand.Hour, "straight line through 24 hours"},
		"a day":       {30, demand.Day, "level of 30 hours"},
		"three days":  {72, demand.Day, "level of 3 days"},
		"a week":      {168, demand.Day, "straight line through 7 days"},
	} {
		d, err := demand.FromSeries(days[:c.hours], demand.Options{Unit: c.unit, Periods: 3})
		if err != nil || !strings.HasPrefix(d.Method, c.want) {
			t.Errorf("%s: %+v, %v; want %q", name, d, err, c.want)
			continue
		}
		if m := d.Periods[0].Mean; c.hours < 3 && !(m.Low <= 0.1*m.Expected && m.High >= 1.9*m.Expected) {
			t.Errorf("%s: nobody knows it to %+v", name, m)
		}
	}
}

// Where most days are not known, a season of them would be made up.
func TestASeriesOfHolesIsItsLevel(t *testing.T) {
	d, err := demand.FromSeries(hourly(24*30, func(hour int) float64 {
		if hour/24%4 != 0 {
			return -1
		}
		return 50
	}), demand.Options{Unit: demand.Day, Periods: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(d.Method, "only 8 of 29 days were measured") || d.Periods[0].Mean.Expected != 50 {
		t.Errorf("%q, %+v", d.Method, d.Periods[0])
	}
}

func TestUnitFor(t *testing.T) {
	for hours, want := range map[int]demand.Unit{0: demand.Hour, 10: demand.Hour, 47: demand.Hour, 48: demand.Day, 24 * 40: demand.Day, 24 * 50: demand.Week, 24 * 250: demand.Month} {
		if got := demand.UnitFor(hourly(hours, daily)); got != want {
			t.Errorf("%d hours are looked at by the %s, want %s", hours, got, want)
		}
	}
}

func TestPeaksOfSamples(t *testing.T) {
	samples, err := demand.ReadSeries(strings.NewReader("time,rate,requests,errors,peak,observed\n2026-01-01T00:00:00Z,10,36000,0,42,3600\n2026-01-01T01:00:00Z,20,72000,0,,3600\n"))
	if err != nil || samples[0].Peak != 42 || samples[1].Peak != 0 {
		t.Errorf("%+v, %v", samples, err)
	}
}

// Whatever is missing, bands are in order and nothing fails but for a reason.
func TestHolesKeepBandsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		holes := rapid.SliceOfN(rapid.IntRange(1, 40), 1, 60).Draw(t, "steps")
		at := day("2026-03-02")
		var samples []demand.Sample
		for _, step := range holes {
			at = at.Add(time.Duration(step) * time.Hour)
			samples = append(samples, demand.Sample{At: at, Rate: rapid.Float64Range(0.1, 1e4).Draw(t, "rate")})
		}
		unit := rapid.SampledFrom([]demand.Unit{demand.Hour, demand.Day, demand.Week, demand.Month}).Draw(t, "unit")
		d, err := demand.FromSeries(samples, demand.Options{Unit: unit, Periods: 4, PeakToMean: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Periods {
			if !(p.Mean.Low >= 0 && p.Mean.Low <= p.Mean.Expected && p.Mean.Expected <= p.Mean.High) || math.IsInf(p.Mean.High, 0) {
				t.Fatalf("%s: %+v", p.Label, p.Mean)
			}
		}
		for i, h := range d.History {
			if math.IsNaN(h.Mean) || i > 0 && !h.From.After(d.History[i-1].From) {
				t.Fatalf("the history is %+v", d.History)
			}
		}
	})
}
