package capacity_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/capacity"
)

// lawSet is one published data set of testdata/usl.json, which names the
// source of each.
type lawSet struct {
	Name             string
	X, Y             []float64
	Published, Refit struct {
		Alpha, Beta, Gamma float64
		SE                 any
		CI                 [][2]float64 `json:"ci95_t_df_n_minus_3"`
		SSE, Sigma         float64
		DF                 int
		PeakN              float64            `json:"peak_n"`
		PeakX              float64            `json:"peak_x"`
		LimitX             float64            `json:"limit_x"`
		Predict            map[string]float64 `json:"predict"`
	}
}

func lawSets(t *testing.T) map[string]lawSet {
	t.Helper()
	var file struct{ Sets []lawSet }
	readJSON(t, "testdata/usl.json", &file)
	byName := make(map[string]lawSet)
	for _, s := range file.Sets {
		byName[s.Name] = s
	}
	if len(byName) != 6 {
		t.Fatalf("%d sets, want 6", len(byName))
	}
	return byName
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func (s lawSet) points() []capacity.Point {
	points := make([]capacity.Point, len(s.X))
	for i := range points {
		points[i] = capacity.Point{N: s.X[i], X: s.Y[i]}
	}
	return points
}

// near compares to a relative error; digits of a printed number give it.
func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.Abs(got-want) > relative*math.Abs(want)+1e-15 || math.IsNaN(got) {
		t.Errorf("%s is %.9g, want %.9g", what, got, want)
	}
}

// TestOracles fits every published set and compares with the digits given.
func TestOracles(t *testing.T) {
	for name, s := range lawSets(t) {
		t.Run(name, func(t *testing.T) {
			f, err := capacity.FitLaw(s.points())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "alpha", f.Alpha, s.Refit.Alpha, 2e-7)
			near(t, "beta", f.Beta, s.Refit.Beta, 2e-7)
			near(t, "gamma", f.Gamma, s.Refit.Gamma, 5e-8)
			if s.Refit.SSE > 0 {
				near(t, "sse", f.SSE, s.Refit.SSE, 1e-7)
			}
			if se, ok := s.Refit.SE.([]any); ok {
				for i, got := range []float64{f.SE.Alpha, f.SE.Beta, f.SE.Gamma} {
					near(t, "standard error", got, se[i].(float64), 5e-5)
				}
			}
			if s.Published.DF > 0 && f.DF != s.Published.DF {
				t.Errorf("df is %d, want %d", f.DF, s.Published.DF)
			}
			for i, want := range s.Refit.CI {
				got := [][2]float64{f.CI95.Alpha, f.CI95.Beta, f.CI95.Gamma}[i]
				near(t, "low end", got[0], want[0], 5e-5)
				near(t, "high end", got[1], want[1], 5e-5)
			}
		})
	}
}

// TestPublishedFigures holds what the sources themselves print.
func TestPublishedFigures(t *testing.T) {
	sets := lawSets(t)
	fit := func(name string) *capacity.Fit {
		f, err := capacity.FitLaw(sets[name].points())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	spec := fit("specsdm91")
	// R's nls ends a little before the minimum: its sum of squares is higher.
	near(t, "alpha", spec.Alpha, 0.02772847717, 1e-7)
	near(t, "beta", spec.Beta, 0.0001043654986, 2e-7)
	near(t, "gamma", spec.Gamma, 89.99523853, 1e-7)
	if r := sse(capacity.Law{Alpha: 0.02772847717, Beta: 0.0001043654986, Gamma: 89.99523853}, sets["specsdm91"].points()); spec.SSE > r {
		t.Errorf("sum of squares %.12g, R's nls has %.12g", spec.SSE, r)
	}
	near(t, "se alpha", spec.SE.Alpha, 0.009121733134, 1e-6)
	near(t, "se beta", spec.SE.Beta, 1.987527273e-05, 1e-6)
	near(t, "se gamma", spec.SE.Gamma, 14.21349175, 1e-6)
	near(t, "peak_n", *spec.PeakN, 96.51956, 1e-6)
	near(t, "peak_x", *spec.PeakX, 1883.899, 1e-6)
	near(t, "limit_x", *spec.LimitX, 3245.589, 1e-6)
	near(t, "sigma", spec.Sigma, 82.846, 1e-5)
	tuned := spec.Law
	tuned.Beta = 0.00005
	n, _ := tuned.Peak()
	near(t, "peak_n with β = 0.00005", n, 139.4, 1e-3)

	ray := fit("raytracer")
	if ray.Beta != 0 || ray.PeakN != nil {
		t.Errorf("raytracer has β %v and a peak %v, want the bound and none", ray.Beta, ray.PeakN)
	}
	near(t, "limit as peak_x", *ray.PeakX, 378, 1e-3)
	near(t, "se alpha", ray.SE.Alpha, 0.013293, 1e-4)
	near(t, "se beta at the bound", ray.SE.Beta, 0.000118, 5e-3)
	near(t, "se gamma", ray.SE.Gamma, 2.196165, 1e-6)
	near(t, "X(96)", ray.At(96), 323.3, 2e-4)
	near(t, "X(128)", ray.At(128), 335.5, 2e-4)

	schwartz := fit("schwartz_32")
	if *schwartz.PeakN < 35 || *schwartz.PeakN >= 36 {
		t.Errorf("peak_n is %v, want 35 and a fraction", *schwartz.PeakN)
	}
	near(t, "X at the whole peak", schwartz.At(35), 12341.745, 1e-5)
	near(t, "peak_n of oracledb", *fit("oracledb").PeakN, 3.512, 2e-4)
}

func sse(law capacity.Law, points []capacity.Point) (sum float64) {
	for _, p := range points {
		d := law.At(p.N) - p.X
		sum += d * d
	}
	return sum
}

// TestFitRecoversLaws: data made from a law gives that law back, at every
// corner of the box and in any unit.
func TestFitRecoversLaws(t *testing.T) {
	for _, law := range []capacity.Law{
		{Alpha: 0, Beta: 0, Gamma: 1e-6}, {Alpha: 0.3, Beta: 0, Gamma: 7e8}, {Alpha: 0, Beta: 0.02, Gamma: 3},
		{Alpha: 1, Beta: 0, Gamma: 50}, {Alpha: 1, Beta: 1, Gamma: 50}, {Alpha: 0.05, Beta: 1e-7, Gamma: 1000},
	} {
		var points []capacity.Point
		for n := 1.0; n <= 64; n *= 2 {
			points = append(points, capacity.Point{N: n, X: law.At(n)})
		}
		f, err := capacity.FitLaw(points)
		if err != nil {
			t.Fatalf("%+v: %v", law, err)
		}
		if math.Abs(f.Alpha-law.Alpha) > 1e-6 || math.Abs(f.Beta-law.Beta) > 1e-7 || math.Abs(f.Gamma/law.Gamma-1) > 1e-6 {
			t.Errorf("%+v came back as %+v", law, f.Law)
		}
	}
}

// TestIntervalsCover: of 400 noisy measurements of a known law, the 95 %
// intervals hold the truth in about 95 %, both of the parameters and of
// another measurement.
func TestIntervalsCover(t *testing.T) {
	law := capacity.Law{Alpha: 0.08, Beta: 0.002, Gamma: 100}
	rng := rand.New(rand.NewPCG(1, 2))
	const rounds, sigma = 400, 5
	var alpha, next int
	for range rounds {
		var points []capacity.Point
		for n := 1.0; n <= 16; n++ {
			points = append(points, capacity.Point{N: n, X: law.At(n) + sigma*rng.NormFloat64()})
		}
		f, err := capacity.FitLaw(points)
		if err != nil {
			t.Fatal(err)
		}
		if f.CI95.Alpha[0] <= law.Alpha && law.Alpha <= f.CI95.Alpha[1] {
			alpha++
		}
		p := f.Predict(24)
		if y := law.At(24) + sigma*rng.NormFloat64(); p.Low <= y && y <= p.High && !p.Extrapolated {
			next++
		}
	}
	for what, n := range map[string]int{"α": alpha, "another measurement": next} {
		if share := float64(n) / rounds; share < 0.92 || share > 0.98 {
			t.Errorf("the intervals hold %s in %.1f %%, want about 95", what, 100*share)
		}
	}
}

func TestPredictSaysWhenItExtrapolates(t *testing.T) {
	f, err := capacity.FitLaw(lawSets(t)["specsdm91"].points())
	if err != nil {
		t.Fatal(err)
	}
	at, beyond := f.Predict(432), f.Predict(433)
	if at.Extrapolated || !beyond.Extrapolated {
		t.Errorf("extrapolated at twice what was measured: %v, beyond: %v", at.Extrapolated, beyond.Extrapolated)
	}
	if far := f.Predict(864); far.High-far.X < 1.9*(f.Predict(432).High-f.Predict(432).X)*far.X/at.X {
		t.Errorf("the interval at 864 is %v, which is not wider", far)
	}
}

func TestFitRefuses(t *testing.T) {
	p := func(nx ...float64) (points []capacity.Point) {
		for i := 0; i < len(nx); i += 2 {
			points = append(points, capacity.Point{N: nx[i], X: nx[i+1]})
		}
		return points
	}
	for want, points := range map[string][]capacity.Point{
		"four are the least":                       p(1, 10, 2, 19, 3, 27),
		"2 different n":                            p(1, 10, 1, 11, 2, 19, 2, 20),
		"every x is 0":                             p(1, 0, 2, 0, 3, 0, 4, 0),
		"n is 0; it must be above 0":               p(0, 1, 1, 2, 2, 3, 3, 4),
		"n is NaN":                                 p(math.NaN(), 1, 1, 2, 2, 3, 3, 4),
		"x is -1; it must be 0 or more":            p(1, -1, 1, 2, 2, 3, 3, 4),
		"x is +Inf; it must be 0 or more and at":   p(1, math.Inf(1), 1, 2, 2, 3, 3, 4),
		"10001 points; at most 10000 are fitted":   make10001(),
		"n is 1e+13; it must be above 0 and at mo": p(1e13, 1, 1, 2, 2, 3, 3, 4),
	} {
		if _, err := capacity.FitLaw(points); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func make10001() []capacity.Point {
	points := make([]capacity.Point, 10001)
	for i := range points {
		points[i] = capacity.Point{N: float64(i + 1), X: 1}
	}
	return points
}
