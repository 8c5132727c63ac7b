package capacity_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/capacity"
)

type seasonSet struct {
	Series       string
	Seasonal     capacity.Seasonality
	Period       int
	Alpha, Beta  float64
	Gamma, SSE   float64
	Next, Values []float64
}

// TestHoltWintersOracles compares with R's HoltWinters to three digits.
func TestHoltWintersOracles(t *testing.T) {
	var sets []seasonSet
	readJSON(t, "testdata/holtwinters.json", &sets)
	if len(sets) != 2 {
		t.Fatalf("%d sets, want 2", len(sets))
	}
	for _, s := range sets {
		h, err := capacity.FitHoltWinters(s.Values, s.Period, s.Seasonal)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: α %.10g β %.10g γ %.10g sse %.10g", s.Series, h.Alpha, h.Beta, h.Gamma, h.SSE)
		// R's search ends a little before the minimum, most of all in β.
		near(t, "alpha", h.Alpha, s.Alpha, 5e-4)
		near(t, "beta", h.Beta, s.Beta, 5e-3)
		near(t, "gamma", h.Gamma, s.Gamma, 5e-4)
		near(t, "sse", h.SSE, s.SSE, 1e-6)
		if h.SSE > s.SSE*(1+1e-9) {
			t.Errorf("sse %.10g is above R's %.10g", h.SSE, s.SSE)
		}
		for i, f := range h.Forecast(len(s.Next), 0.95) {
			near(t, "forecast", f.Mean, s.Next[i], 1e-4)
			if !(f.Low < f.Mean && f.Mean < f.High) {
				t.Errorf("interval %v does not hold its mean", f)
			}
		}
	}
}

// TestForecastIntervalsCover: series made by the model whose one-step errors
// are normal; the intervals hold what comes next in about 95 %.
func TestForecastIntervalsCover(t *testing.T) {
	for _, s := range []capacity.Seasonality{capacity.Additive, capacity.Multiplicative} {
		rng := rand.New(rand.NewPCG(3, 4))
		const rounds, ahead = 60, 8
		var held, all int
		for range rounds {
			series := simulate(rng, s, 200+ahead)
			h, err := capacity.FitHoltWinters(series[:200], 4, s)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range h.Forecast(ahead, 0.95) {
				if v := series[200+i]; f.Low <= v && v <= f.High {
					held++
				}
				all++
			}
		}
		if share := float64(held) / float64(all); share < 0.91 || share > 0.985 {
			t.Errorf("%s intervals hold %.1f %%, want about 95", s, 100*share)
		}
	}
}

// simulate draws from the state-space form of Holt-Winters.
func simulate(rng *rand.Rand, s capacity.Seasonality, n int) []float64 {
	const alpha, beta, gamma, sigma = 0.3, 0.02, 0.2, 3
	level, trend := 500.0, 0.5
	season := []float64{-20, 5, 25, -10}
	if s == capacity.Multiplicative {
		season = []float64{0.96, 1.01, 1.05, 0.98}
	}
	out := make([]float64, n)
	for i := range out {
		c := &season[i%4]
		e := sigma * rng.NormFloat64()
		before := level
		if s == capacity.Multiplicative {
			out[i] = (level+trend)**c + e
			level = alpha*out[i] / *c + (1-alpha)*(before+trend)
			trend = beta*(level-before) + (1-beta)*trend
			*c = gamma*out[i]/level + (1-gamma)**c
			continue
		}
		out[i] = level + trend + *c + e
		level = alpha*(out[i]-*c) + (1-alpha)*(before+trend)
		trend = beta*(level-before) + (1-beta)*trend
		*c = gamma*(out[i]-level) + (1-gamma)**c
	}
	return out
}

// TestHoltWintersOddPeriod: a series without noise is forecast exactly.
func TestHoltWintersOddPeriod(t *testing.T) {
	season := []float64{5, -3, 0, 2, -4}
	var series []float64
	for i := range 42 {
		series = append(series, 100+2*float64(i)+season[i%5])
	}
	h, err := capacity.FitHoltWinters(series[:37], 5, capacity.Additive)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range h.Forecast(5, 0.95) {
		if math.Abs(f.Mean-series[37+i]) > 0.5 {
			t.Errorf("forecast %d is %v, want %v", i, f.Mean, series[37+i])
		}
	}
}

func TestHoltWintersRefuses(t *testing.T) {
	long := make([]float64, 30)
	for want, try := range map[string]func() error{
		"needs more than two seasons": func() error { _, err := capacity.FitHoltWinters(long[:24], 12, capacity.Additive); return err },
		"at least 2":                  func() error { _, err := capacity.FitHoltWinters(long, 1, capacity.Additive); return err },
		"use additive":                func() error { _, err := capacity.FitHoltWinters(long, 12, capacity.Multiplicative); return err },
		`seasonality is "none"`:       func() error { _, err := capacity.FitHoltWinters(long, 12, "none"); return err },
		"observation 2 is NaN": func() error {
			_, err := capacity.FitHoltWinters([]float64{1, math.NaN(), 1, 1, 1, 1}, 2, capacity.Additive)
			return err
		},
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
