package capacity

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Seasonality says how a season acts on the level.
type Seasonality string

// The seasonalities.
const (
	Additive       Seasonality = "additive"       // level + season: swings of the same size
	Multiplicative Seasonality = "multiplicative" // level × season: swings that grow with the level
)

// MaxObservations bounds a series.
const MaxObservations = 100_000

// MaxForecast bounds how many observations are forecast.
const MaxForecast = 5_000

// HoltWinters is a series smoothed exponentially in level, trend and season
// (P. R. Winters, Forecasting sales by exponentially weighted moving
// averages, 1960).
type HoltWinters struct {
	Seasonality Seasonality `json:"seasonality"`
	Period      int         `json:"period"` // observations in a season
	Alpha       float64     `json:"alpha"`  // how fast the level follows, 0…1
	Beta        float64     `json:"beta"`   // how fast the trend follows
	Gamma       float64     `json:"gamma"`  // how fast the season follows
	Level       float64     `json:"level"`  // after the last observation
	Trend       float64     `json:"trend"`  // for each observation
	Season      []float64   `json:"season"` // of the next Period observations
	SSE         float64     `json:"sse"`    // of the one-step forecasts from the second season on

	variance float64 // of the one-step errors
}

// FitHoltWinters finds the α, β and γ whose one-step forecasts have the least
// squared error, starting level, trend and season from a decomposition of
// the first two seasons. The series needs one observation more than that;
// multiplicative needs values above zero.
func FitHoltWinters(series []float64, period int, s Seasonality) (*HoltWinters, error) {
	if err := checkSeries(series, period, s); err != nil {
		return nil, err
	}
	start := decompose(series[:2*period], period, s)
	residuals := func(p, out []float64) {
		w := start.with(p)
		w.run(series, out)
	}
	search := &leastSquares{
		residuals: residuals,
		points:    len(series) - period,
		lower:     []float64{0, 0, 0},
		upper:     []float64{1, 1, 1},
	}
	search.jacobian = search.differences(1e-6)
	best, sse := search.minimize([]float64{0.3, 0.1, 0.1})
	w := start.with(best)
	errs := make([]float64, search.points)
	w.run(series, errs)
	if math.IsInf(sse, 0) || math.IsNaN(w.level) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the series cannot be smoothed: its level runs away; is a value wrong by magnitudes?")
	}
	return &HoltWinters{
		Seasonality: s, Period: period, Alpha: best[0], Beta: best[1], Gamma: best[2],
		Level: w.level, Trend: w.trend, Season: w.season, SSE: sse, variance: stat.Variance(errs, nil),
	}, nil
}

func checkSeries(series []float64, period int, s Seasonality) error {
	switch {
	case s != Additive && s != Multiplicative:
		return greenlight.Errorf(greenlight.CodeInvalid, "seasonality is %q, want %q or %q", s, Additive, Multiplicative)
	case period < 2:
		return greenlight.Errorf(greenlight.CodeInvalid, "a season has %d observations; at least 2", period)
	case len(series) > MaxObservations:
		return greenlight.Errorf(greenlight.CodeInvalid, "%d observations; at most %d are forecast from", len(series), MaxObservations)
	case period > len(series)/2 || len(series) < 2*period+1:
		return greenlight.Errorf(greenlight.CodeInvalid, "%d observations; a season of %d needs more than two seasons", len(series), period)
	}
	for i, v := range series {
		switch {
		case math.IsNaN(v) || math.Abs(v) > mostValue:
			return greenlight.Errorf(greenlight.CodeInvalid, "observation %d is %v; it must be at most %g", i+1, v, mostValue)
		case s == Multiplicative && v < leastValue:
			return greenlight.Errorf(greenlight.CodeInvalid, "observation %d is %v; a multiplicative season needs values above 0: use additive", i+1, v)
		}
	}
	return nil
}

// smoothing is the state that observations move.
type smoothing struct {
	multiplicative     bool
	alpha, beta, gamma float64
	level, trend       float64
	season             []float64 // of the next observations, in their order
	next               int       // the season of the next observation
}

// with is the smoothing at its start, with parameters.
func (w smoothing) with(p []float64) smoothing {
	w.alpha, w.beta, w.gamma = p[0], p[1], p[2]
	w.season = append([]float64(nil), w.season...)
	return w
}

// run takes the series from its second season on, and writes what each
// one-step forecast was short of. It leaves season in the order of the
// observations to come.
func (w *smoothing) run(series, errs []float64) {
	period := len(w.season)
	for i, v := range series[period:] {
		errs[i] = v - w.observe(v)
	}
	w.season = append(append([]float64(nil), w.season[w.next:]...), w.season[:w.next]...)
	w.next = 0
}

// observe takes one observation and gives the forecast that stood before it.
func (w *smoothing) observe(v float64) float64 {
	s := &w.season[w.next]
	w.next = (w.next + 1) % len(w.season)
	before := w.level
	forecast := join(w.multiplicative, before+w.trend, *s)
	w.level = w.alpha*part(w.multiplicative, v, *s) + (1-w.alpha)*(before+w.trend)
	w.trend = w.beta*(w.level-before) + (1-w.beta)*w.trend
	*s = w.gamma*part(w.multiplicative, v, w.level) + (1-w.gamma)**s
	return forecast
}

// join puts two components together, part takes one away.
func join(multiplicative bool, a, b float64) float64 {
	if multiplicative {
		return a * b
	}
	return a + b
}

func part(multiplicative bool, v, b float64) float64 {
	if multiplicative {
		return v / b
	}
	return v - b
}

// decompose takes level, trend and season from the first two seasons: a
// centred moving average, a line through it, and what is left over for each
// place in the season, normalised.
func decompose(first []float64, period int, s Seasonality) smoothing {
	w := smoothing{multiplicative: s == Multiplicative, season: make([]float64, period)}
	half := period / 2
	var index, average []float64
	sums, counts := make([]float64, period), make([]float64, period)
	for i := half; i < len(first)-half; i++ {
		m := centred(first, i, period)
		average = append(average, m)
		index = append(index, float64(len(average)))
		sums[i%period] += part(w.multiplicative, first[i], m)
		counts[i%period]++
	}
	for i := range sums {
		w.season[i] = sums[i] / counts[i]
	}
	mean := stat.Mean(w.season, nil)
	for i := range w.season {
		w.season[i] = part(w.multiplicative, w.season[i], mean)
	}
	w.level, w.trend = stat.LinearRegression(index, average, nil, false)
	return w
}

// centred is the moving average around i over one period; an even period
// counts its two ends half.
func centred(x []float64, i, period int) float64 {
	half := period / 2
	var sum float64
	for j := i - half; j <= i+half; j++ {
		sum += x[j]
	}
	if period%2 == 0 {
		sum -= (x[i-half] + x[i+half]) / 2
	}
	return sum / float64(period)
}

// Forecast is one future observation.
type Forecast struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Forecast gives the next observations with intervals that hold each of them
// with the given probability, as if errors were normal (M. Yar and
// C. Chatfield, Prediction intervals for the Holt-Winters forecasting
// procedure, 1990). steps is at most MaxForecast.
func (h *HoltWinters) Forecast(steps int, probability float64) []Forecast {
	steps = min(steps, MaxForecast)
	z := distuv.UnitNormal.Quantile((1 + probability) / 2)
	out := make([]Forecast, 0, max(steps, 0))
	spread := h.spread(steps)
	for step := 1; step <= steps; step++ {
		mean := join(h.Seasonality == Multiplicative, h.Level+float64(step)*h.Trend, h.seasonOf(step))
		half := z * math.Sqrt(h.variance*spread[step-1])
		out = append(out, Forecast{mean, mean - half, mean + half})
	}
	return out
}

// seasonOf is the season of the observation that is step ahead.
func (h *HoltWinters) seasonOf(step int) float64 {
	return h.Season[(step-1)%h.Period]
}

// spread is by how much the variance of a forecast exceeds that of one step:
// 1 + Σψ², where ψ(j) is what an error j steps before leaves in a forecast.
// With a multiplicative season an error counts by the ratio of the seasons.
func (h *HoltWinters) spread(steps int) []float64 {
	out := make([]float64, max(steps, 0))
	if h.Seasonality == Additive {
		sum := 1.0
		for i := range out {
			out[i] = sum
			sum += square(h.psi(i + 1))
		}
		return out
	}
	for i := range out {
		out[i] = h.ratioSpread(i + 1)
	}
	return out
}

// ratioSpread is the spread of a forecast step ahead with a multiplicative
// season.
func (h *HoltWinters) ratioSpread(step int) float64 {
	sum := 1.0
	for j := 1; j < step; j++ {
		sum += square(h.psi(j) * h.seasonOf(step) / h.seasonOf(step-j))
	}
	return sum
}

func (h *HoltWinters) psi(j int) float64 {
	v := h.Alpha * (1 + float64(j)*h.Beta)
	if j%h.Period == 0 {
		v += h.Gamma * (1 - h.Alpha)
	}
	return v
}

func square(v float64) float64 { return v * v }
