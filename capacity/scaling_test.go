package capacity_test

import (
	"math"
	"math/rand/v2"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
)

// laws are what services look like: nothing shared, a little, a lot.
var laws = []capacity.Law{
	{Alpha: 0, Beta: 0, Gamma: 41}, {Alpha: 0.01, Beta: 0, Gamma: 41}, {Alpha: 0.02, Beta: 0, Gamma: 41},
	{Alpha: 0, Beta: 0.002, Gamma: 41}, {Alpha: 0.15, Beta: 0, Gamma: 41}, {Alpha: 0.05, Beta: 0.002, Gamma: 41},
}

// repeated is three rounds at 1 to 4, each off by some 2 %.
func repeated(law capacity.Law, rng *rand.Rand) []capacity.Point {
	var points []capacity.Point
	for range 3 {
		for n := 1.0; n <= 4; n++ {
			points = append(points, capacity.Point{N: n, X: law.At(n) * (1 + 0.02*rng.NormFloat64())})
		}
	}
	return points
}

// TestScalingPredictsTwiceAsFar: what was measured up to 4 says what 8 carry,
// nearer to the truth than the whole law fitted to absolute residuals, and in
// an interval that holds another measurement in 95 % or a little more.
func TestScalingPredictsTwiceAsFar(t *testing.T) {
	for _, law := range laws {
		rng := rand.New(rand.NewPCG(1, 2))
		const rounds = 300
		held, own, plain := 0, 0.0, 0.0
		for range rounds {
			points := repeated(law, rng)
			f, err := capacity.FitScaling(points)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := capacity.FitLaw(points)
			if err != nil {
				t.Fatal(err)
			}
			truth := law.At(8)
			own += math.Pow(f.At(8)/truth-1, 2) / rounds
			plain += math.Pow(whole.At(8)/truth-1, 2) / rounds
			if y, p := truth*(1+0.02*rng.NormFloat64()), f.Predict(8); p.Low <= y && y <= p.High {
				held++
			}
		}
		if own, plain := math.Sqrt(own), math.Sqrt(plain); own > 0.09 || own >= plain {
			t.Errorf("%+v: off by %.1f %%, the whole law by %.1f %%", law, 100*own, 100*plain)
		}
		if share := float64(held) / rounds; share < 0.92 || share > 0.995 {
			t.Errorf("%+v: the intervals hold another measurement in %.1f %%", law, 100*share)
		}
	}
}

// TestScalingWithLargerReplicas: what four replicas with twice the cores carry
// brings the error at eight down, and though it is off by some 4 % itself the
// intervals hold.
func TestScalingWithLargerReplicas(t *testing.T) {
	for _, law := range laws {
		rng := rand.New(rand.NewPCG(1, 2))
		const rounds = 300
		held, with, without := 0, 0.0, 0.0
		for range rounds {
			points, truth := repeated(law, rng), law.At(8)
			larger := capacity.StandIn{Point: capacity.Point{N: 8, X: truth * (1 + 0.04*rng.NormFloat64())}, Deviation: 0.04}
			alone, err := capacity.FitScaling(points)
			if err != nil {
				t.Fatal(err)
			}
			f, err := capacity.FitScaling(points, larger)
			if err != nil {
				t.Fatal(err)
			}
			if f.MaxN != 4 || f.DF != 10 {
				t.Fatalf("the largest N is %v with %d degrees of freedom, want 4 that ran, and 10", f.MaxN, f.DF)
			}
			with += math.Pow(f.At(8)/truth-1, 2) / rounds
			without += math.Pow(alone.At(8)/truth-1, 2) / rounds
			if y, p := truth*(1+0.02*rng.NormFloat64()), f.Predict(8); p.Low <= y && y <= p.High {
				held++
			}
		}
		with, without = math.Sqrt(with), math.Sqrt(without)
		share := float64(held) / rounds
		if with > 0.045 || with > 0.9*without {
			t.Errorf("%+v: off by %.1f %%, without the larger replicas by %.1f %%", law, 100*with, 100*without)
		}
		if share < 0.92 || share > 0.995 {
			t.Errorf("%+v: the intervals hold another measurement in %.1f %%", law, 100*share)
		}
	}
}

func TestStandInsThatCannotBe(t *testing.T) {
	points := repeated(laws[0], rand.New(rand.NewPCG(1, 2)))
	for _, p := range []capacity.StandIn{
		{capacity.Point{N: 8, X: 0}, 0.04}, {capacity.Point{N: 0, X: 300}, 0.04}, {capacity.Point{N: 8, X: 300}, 0}, {capacity.Point{N: 8, X: 300}, math.NaN()}, {capacity.Point{N: 8, X: 300}, 2},
	} {
		if _, err := capacity.FitScaling(points, p); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// What has no scatter is found as it is.
func TestScalingWithoutScatter(t *testing.T) {
	for _, law := range laws {
		var points []capacity.Point
		for n := 1.0; n <= 8; n++ {
			points = append(points, capacity.Point{N: n, X: law.At(n)})
		}
		f, err := capacity.FitScaling(points)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.At(16); math.Abs(got/law.At(16)-1) > 1e-4 {
			t.Errorf("%+v: %v at 16, want %v (%+v)", law, got, law.At(16), f.Law)
		}
	}
}

// A unit of throughput changes nothing but the unit.
func TestScalingUnit(t *testing.T) {
	points := repeated(laws[1], rand.New(rand.NewPCG(3, 4)))
	scaled := make([]capacity.Point, len(points))
	for i, p := range points {
		scaled[i] = capacity.Point{N: p.N, X: 1000 * p.X}
	}
	a, err := capacity.FitScaling(points)
	if err != nil {
		t.Fatal(err)
	}
	b, err := capacity.FitScaling(scaled)
	if err != nil {
		t.Fatal(err)
	}
	p, q := a.Predict(8), b.Predict(8)
	for _, pair := range [][2]float64{{p.X, q.X}, {p.Low, q.Low}, {p.High, q.High}} {
		if math.Abs(1000*pair[0]/pair[1]-1) > 1e-6 {
			t.Errorf("%+v against %+v", p, q)
		}
	}
}
