package demand_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/demand"
)

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

func near(t *testing.T, what string, got, want, off float64) {
	t.Helper()
	if math.Abs(got-want) > off {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// The oracle beside the parent package holds R's forecast of AirPassengers;
// here it comes in as a file of months.
func TestAirPassengersAsR(t *testing.T) {
	var oracle []struct {
		Series       string
		Values, Next []float64
	}
	text, err := os.ReadFile("../testdata/holtwinters.json")
	if err == nil {
		err = json.Unmarshal(text, &oracle)
	}
	if err != nil || len(oracle) == 0 || !strings.HasPrefix(oracle[0].Series, "AirPassengers") {
		t.Fatal("the oracle cannot be read", err)
	}
	d, err := demand.FromSeries(months(144, func(i int) float64 { return oracle[0].Values[i] }), demand.Options{Periods: 12, PeakToMean: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range oracle[0].Next {
		near(t, d.Periods[i].Label, d.Periods[i].Mean.Expected, want, 0.001*want)
	}
}

func months(n int, rate func(i int) float64) []demand.Sample {
	list := make([]demand.Sample, n)
	for i := range list {
		list[i] = demand.Sample{At: day("2020-01-01").AddDate(0, i, 0), Rate: rate(i)}
	}
	return list
}

func TestASeasonComesBack(t *testing.T) {
	season := func(i int) float64 { return (100 + 2*float64(i)) * (1 + 0.3*math.Sin(2*math.Pi*float64(i)/12)) }
	d, err := demand.FromSeries(months(48, season), demand.Options{Periods: 12, PeakToMean: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.Method, "Holt-Winters, multiplicative season of 12 months") || !d.Measured {
		t.Errorf("the method is %q, measured %v", d.Method, d.Measured)
	}
	for i, p := range d.Periods {
		want := season(48 + i)
		near(t, "mean of "+p.Label, p.Mean.Expected, want, 0.02*want)
		near(t, "peak of "+p.Label, p.Peak.Expected, 2*p.Mean.Expected, 1e-9)
		if !(p.Mean.Low <= p.Mean.Expected && p.Mean.Expected <= p.Mean.High) {
			t.Errorf("the band of %s is %+v", p.Label, p.Mean)
		}
	}
	if got := d.Periods[0]; got.Label != "Jan 2024" || !got.To.Equal(day("2024-02-01")) {
		t.Errorf("the first period is %+v", got)
	}
}

func TestAShortSeriesIsALine(t *testing.T) {
	noise := []float64{1, -1, -1, 1, 1, -1, -1, 1}
	d, err := demand.FromSeries(months(8, func(i int) float64 { return 10 + 5*float64(i) + noise[i] }), demand.Options{Periods: 3, PeakToMean: 1, From: day("2020-10-15")})
	if err != nil {
		t.Fatal(err)
	}
	first := d.Periods[0] // September is skipped
	near(t, "mean", first.Mean.Expected, 10+5*9, 1.5)
	if first.Label != "Oct 2020" || !strings.HasPrefix(d.Method, "straight line through 8 months") {
		t.Errorf("%q, %q", first.Label, d.Method)
	}
	// t(6) · s · √(1 + xᵀ(XᵀX)⁻¹x), by the normal equations, is 3.838; two periods
	// past the series it has also wandered, by 2t²/8 of the variance of the series.
	near(t, "half the band", first.Mean.High-first.Mean.Expected, math.Sqrt(3.838*3.838+2.4469*2.4469*2/8*151.143), 0.001)
	if last := d.Periods[2].Mean; last.High-last.Low <= first.Mean.High-first.Mean.Low {
		t.Error("the band does not widen with time")
	}
}

func TestPeaksAreMeasuredInsidePeriods(t *testing.T) {
	var samples []demand.Sample
	for h := range 24 * 10 {
		rate := 60.0
		if h%24 == 14 {
			rate = 180 // the day's mean is 65
		}
		samples = append(samples, demand.Sample{At: day("2026-03-01").Add(time.Duration(h)*time.Hour + 30*time.Minute), Rate: rate})
	}
	samples = samples[5 : len(samples)-5] // the first and last day are not whole
	d, err := demand.FromSeries(samples, demand.Options{Unit: demand.Day, Periods: 2})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "peak over mean", d.PeakToMean, 180.0/65, 1e-9)
	if len(d.History) != 8 || !d.History[0].From.Equal(day("2026-03-02")) {
		t.Errorf("%d days from %v; the two that are not whole must go", len(d.History), d.History[0].From)
	}
	if d.Periods[0].Label != "10 Mar 2026" || d.PeakSource != "measured: the 95th percentile of 8 days" {
		t.Errorf("%q, %q", d.Periods[0].Label, d.PeakSource)
	}
}

func TestEventsAddUp(t *testing.T) {
	d, err := demand.FromRate(demand.Stated{Rate: 100}, demand.Options{
		Unit: demand.Day, Periods: 3, PeakToMean: 3, From: day("2026-11-26"),
		Events: []demand.Event{
			{Name: "sale", From: day("2026-11-27"), To: day("2026-11-27").Add(12 * time.Hour), Factor: 4},
			{Name: "newsletter", From: day("2026-11-27"), To: day("2026-11-28"), Added: 50},
			{Name: "closed", From: day("2026-11-28"), To: day("2026-11-28").Add(6 * time.Hour), Factor: 0.5},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]float64{{100, 300}, {100*2.5 + 50, 300*4 + 50}, {87.5, 300}} {
		near(t, d.Periods[i].Label+" mean", d.Periods[i].Mean.Expected, want[0], 1e-9)
		near(t, d.Periods[i].Label+" peak", d.Periods[i].Peak.Expected, want[1], 1e-9)
	}
	if got := fmt.Sprint(d.Periods[1].Events); got != "[sale newsletter]" {
		t.Errorf("events are %s", got)
	}
}

func TestStatedGrowthCompounds(t *testing.T) {
	d, err := demand.FromRate(demand.Stated{Rate: 100, Growth: 0.1, Uncertainty: 0.2}, demand.Options{Periods: 13, PeakToMean: 2, From: day("2026-01-16")})
	if err != nil {
		t.Fatal(err)
	}
	p := d.Periods[12]
	near(t, "mean after a year", p.Mean.Expected, 100*math.Pow(1.1, 12), 5)
	near(t, "its high end", p.Mean.High, 1.2*p.Mean.Expected, 1e-9)
	if d.Measured || d.Periods[0].Label != "Jan 2026" || p.Label != "Jan 2027" {
		t.Errorf("measured %v, from %s to %s", d.Measured, d.Periods[0].Label, p.Label)
	}
}

func TestOptionsAreRefused(t *testing.T) {
	good := demand.Options{Periods: 3, PeakToMean: 2, From: day("2026-01-01")}
	event := demand.Event{Name: "sale", From: day("2026-01-01"), To: day("2026-01-02"), Factor: 2}
	for want, change := range map[string]func(*demand.Options, *demand.Stated){
		"a period is":                func(o *demand.Options, _ *demand.Stated) { o.Unit = "year" },
		"0 periods":                  func(o *demand.Options, _ *demand.Stated) { o.Periods = 0 },
		"1000000 periods":            func(o *demand.Options, _ *demand.Stated) { o.Periods = 1_000_000 },
		"probability is":             func(o *demand.Options, _ *demand.Stated) { o.Probability = 1 },
		"a season of 1":              func(o *demand.Options, _ *demand.Stated) { o.Season = 1 },
		"the peak is 0.5 times":      func(o *demand.Options, _ *demand.Stated) { o.PeakToMean = 0.5 },
		"does not tell the peak":     func(o *demand.Options, _ *demand.Stated) { o.PeakToMean = 0 },
		"the moment from which":      func(o *demand.Options, _ *demand.Stated) { o.From = time.Time{} },
		"the rate is NaN":            func(_ *demand.Options, s *demand.Stated) { s.Rate = math.NaN() },
		"growth is -1":               func(_ *demand.Options, s *demand.Stated) { s.Growth = -1 },
		"uncertainty is 1":           func(_ *demand.Options, s *demand.Stated) { s.Uncertainty = 1 },
		"event 1 (sale): it ends":    func(o *demand.Options, _ *demand.Stated) { e := event; e.To = e.From; o.Events = []demand.Event{e} },
		"event 1 (sale): factor":     func(o *demand.Options, _ *demand.Stated) { e := event; e.Factor = -1; o.Events = []demand.Event{e} },
		"event 1 (sale): added":      func(o *demand.Options, _ *demand.Stated) { e := event; e.Added = -1; o.Events = []demand.Event{e} },
		"event 1 (sale): it neither": func(o *demand.Options, _ *demand.Stated) { e := event; e.Factor = 0; o.Events = []demand.Event{e} },
		"event 1 (): its name":       func(o *demand.Options, _ *demand.Stated) { e := event; e.Name = ""; o.Events = []demand.Event{e} },
		"201 events":                 func(o *demand.Options, _ *demand.Stated) { o.Events = make([]demand.Event, 201) },
	} {
		o, s := good, demand.Stated{Rate: 10}
		change(&o, &s)
		_, err := demand.FromRate(s, o)
		if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestSeriesAreRefused(t *testing.T) {
	for want, c := range map[string]struct {
		samples []demand.Sample
		o       demand.Options
	}{
		"no requests at all":          {months(2, func(int) float64 { return 0 }), demand.Options{Periods: 1, PeakToMean: 1}},
		"too few samples to show":     {months(2, func(int) float64 { return 1 }), demand.Options{Periods: 1}},
		"too few samples in a month":  {months(5, func(int) float64 { return 1 }), demand.Options{Periods: 1}},
		"more than 400 months before": {months(5, func(int) float64 { return 1 }), demand.Options{Periods: 1, PeakToMean: 1, From: day("2120-01-01")}},
		"sample 2":                    {[]demand.Sample{{At: day("2026-01-02")}, {At: day("2026-01-01")}}, demand.Options{Periods: 1}},
		"no samples":                  {nil, demand.Options{Periods: 1}},
		"peak not from 0":             {[]demand.Sample{{At: day("2026-01-02"), Peak: -1}}, demand.Options{Periods: 1}},
	} {
		if _, err := demand.FromSeries(c.samples, c.o); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestReadSeries(t *testing.T) {
	if _, err := demand.ReadSeries(strings.NewReader("# ours\nhost,Rate,TIME\na,10,2026-01-01\na,12.5,2026-01-01T01:00:00+01:00\n")); err == nil {
		t.Error("two samples of one moment pass")
	}
	samples, err := demand.ReadSeries(strings.NewReader("rate,time\n10,2026-01-01\n12.5, 2026-01-01T02:00:00+01:00\n3,1767232800\n4,2026-02\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []time.Time{day("2026-01-01"), day("2026-01-01").Add(time.Hour), day("2026-01-01").Add(2 * time.Hour), day("2026-02-01")}
	for i, s := range samples {
		if !s.At.Equal(want[i]) {
			t.Errorf("sample %d is at %s, want %s", i+1, s.At, want[i])
		}
	}
	for in, want := range map[string]string{
		"":                                        "no header",
		"n,x\n1,2\n":                              "lacks a column",
		"time,time,rate\n":                        `column "time" twice`,
		"time,rate\n2026-01-01\n":                 "line 2 has 1 fields, the header 2",
		"time,rate\nyesterday,4\n":                `line 2, column 1: "yesterday" is not a time`,
		"time,rate\n2026-01-01,fast\n":            `line 2, column 12: "fast" is not a rate`,
		"time,rate\n2026-01-01,-1\n":              "is not a rate",
		"time,rate\n2026-01-01,NaN\n":             "is not a rate",
		"time,rate,peak\n2026-01-01,1,-1\n":       "is not the rate of a peak",
		"time,rate\n2026-02-01,1\n2026-01-01,1\n": "line 3: 2026-01-01T00:00:00Z is not after the line before",
		"time,rate\n\"2026,1\n":                   "line 2, column 9",
	} {
		if _, err := demand.ReadSeries(strings.NewReader(in)); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// Bands are in order and never negative, whatever the series.
func TestBandsAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 3, 40).Draw(t, "rates")
		d, err := demand.FromSeries(months(len(rates), func(i int) float64 { return rates[i] }), demand.Options{
			Periods: 5, Season: rapid.IntRange(2, 13).Draw(t, "season"), PeakToMean: rapid.Float64Range(1, 5).Draw(t, "peak"),
		})
		if err != nil {
			if greenlight.CodeOf(err) != greenlight.CodeInvalid {
				t.Fatal(err)
			}
			return
		}
		for _, p := range d.Periods {
			for _, b := range []demand.Band{p.Mean, p.Peak} {
				if !(b.Low >= 0 && b.Low <= b.Expected && b.Expected <= b.High) {
					t.Fatalf("%s: %+v", p.Label, b)
				}
			}
		}
	})
}

func FuzzReadSeries(f *testing.F) {
	f.Add("time,rate\n2026-01-01,1\n2026-01-02,2\n2026-01-03,2\n")
	f.Add("rate,time\n1e9,0\n0,199999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		samples, err := demand.ReadSeries(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, unit := range []demand.Unit{demand.Hour, demand.Month} {
			_, _ = demand.FromSeries(samples, demand.Options{Unit: unit, Periods: 2, PeakToMean: 1})
		}
	})
}
