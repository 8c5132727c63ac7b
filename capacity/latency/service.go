package latency

import (
	"math"
	"math/rand/v2"
	"slices"

	greenlight "github.com/greenlight-dev/greenlight"
)

// MaxSamples bounds a measured distribution.
const MaxSamples = 1_000_000

// mostSeconds bounds a service time: beyond it something else is wrong.
const mostSeconds = 1e6

// Service is how long a replica works on one request, in seconds, without
// waiting.
type Service struct {
	samples  []float64 // as measured; nil: a gamma distribution
	mean, cv float64
}

// Measured is the distribution of service times that were measured, in
// seconds, in any order. Each is drawn as often as any other.
func Measured(seconds []float64) (Service, error) {
	if len(seconds) < 2 || len(seconds) > MaxSamples {
		return Service{}, greenlight.Errorf(greenlight.CodeInvalid, "%d service times; from 2 to %d make a distribution", len(seconds), MaxSamples)
	}
	var sum float64
	for i, v := range seconds {
		if !(v >= 0 && v <= mostSeconds) {
			return Service{}, greenlight.Errorf(greenlight.CodeInvalid, "service time %d is %v s; it must be from 0 to %g", i+1, v, mostSeconds)
		}
		sum += v
	}
	if sum == 0 {
		return Service{}, greenlight.Errorf(greenlight.CodeInvalid, "every service time is 0: nothing was measured")
	}
	s := Service{samples: slices.Clone(seconds), mean: sum / float64(len(seconds))}
	var squares float64
	for _, v := range seconds {
		squares += (v - s.mean) * (v - s.mean)
	}
	s.cv = math.Sqrt(squares/float64(len(seconds)-1)) / s.mean
	return s, nil
}

// MeanCV is a gamma distribution with a mean in seconds and a coefficient of
// variation (standard deviation over mean): 0 is constant, 1 exponential.
func MeanCV(mean, cv float64) (Service, error) {
	const mostCV = 20
	if !(mean > 0 && mean <= mostSeconds) {
		return Service{}, greenlight.Errorf(greenlight.CodeInvalid, "the mean service time is %v s; it must be above 0 and at most %g", mean, mostSeconds)
	}
	if !(cv >= 0 && cv <= mostCV) {
		return Service{}, greenlight.Errorf(greenlight.CodeInvalid, "the coefficient of variation is %v; it must be from 0 to %d", cv, mostCV)
	}
	return Service{mean: mean, cv: cv}, nil
}

// Mean is in seconds; 0 of the zero Service, which is none.
func (s Service) Mean() float64 { return s.mean }

// CV is the standard deviation over the mean.
func (s Service) CV() float64 { return s.cv }

// draw is one service time in units of the mean.
func (s Service) draw(r *rand.Rand) float64 {
	switch {
	case s.samples != nil:
		return s.samples[r.IntN(len(s.samples))] / s.mean
	case s.cv == 0:
		return 1
	case s.cv == 1:
		return r.ExpFloat64()
	}
	shape := 1 / (s.cv * s.cv)
	return gamma(r, shape) / shape
}

// gamma draws from a gamma distribution of scale 1 (G. Marsaglia and
// W. W. Tsang, A simple method for generating gamma variables, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
}
