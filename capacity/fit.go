package capacity

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Point is one measurement.
type Point struct {
	N float64 // users, clients, replicas or processors; above 0
	X float64 // throughput, in any unit; 0 or more
}

// MaxPoints bounds what is fitted.
const MaxPoints = 10_000

// Estimates is one number for each parameter of the law.
type Estimates struct {
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
	Gamma float64 `json:"gamma"`
}

// Intervals is a low and a high end for each parameter of the law.
type Intervals struct {
	Alpha [2]float64 `json:"alpha"`
	Beta  [2]float64 `json:"beta"`
	Gamma [2]float64 `json:"gamma"`
}

// Fit is the law that is nearest to measurements by least squares, with
// 0 ≤ α ≤ 1, 0 ≤ β ≤ 1 and γ > 0.
type Fit struct {
	Law
	// SE are standard errors from the Jacobian at the optimum, also for a
	// parameter at its bound, where they say how flat the sum of squares is.
	SE Estimates `json:"se"`
	// CI95 are intervals estimate ± t·SE with t of n−3 degrees of freedom.
	// They are not cut at the bounds.
	CI95   Intervals `json:"ci95"`
	PeakN  *float64  `json:"peak_n"`  // nil: there is no peak
	PeakX  *float64  `json:"peak_x"`  // at the peak; without one the limit; nil: unlimited
	LimitX *float64  `json:"limit_x"` // Law.Limit; nil: unlimited
	Sigma  float64   `json:"sigma"`   // residual standard error, in units of X
	SSE    float64   `json:"sse"`
	DF     int       `json:"df"` // degrees of freedom: points−3
	MaxN   float64   `json:"max_n"`

	// relative tells that residuals are shares of the measured throughput, and
	// Sigma and SSE with them.
	relative   bool
	covariance *mat.SymDense
	region     func() region // found when a prediction first asks for it
}

// FitLaw fits the law. It needs four points at three different N.
func FitLaw(points []Point) (*Fit, error) {
	if err := checkPoints(points); err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	s := samplesOf(points)
	law, _ := s.nearest(1, 1)
	return describe(law, s)
}

// sample is a measurement and how much its residual counts.
type sample struct {
	Point
	weight float64
}

type samples []sample

func samplesOf(points []Point) samples {
	s := make(samples, len(points))
	for i, p := range points {
		s[i] = sample{p, 1}
	}
	return s
}

// nearest is the law of least squares with α and β up to some most, and its
// sum of squares.
func (s samples) nearest(mostAlpha, mostBeta float64) (Law, float64) {
	scale := 0.0 // X is fitted as a share of its largest, so that units do not matter
	for _, p := range s {
		scale = max(scale, p.X)
	}
	search := s.search(scale)
	search.upper[0], search.upper[1] = mostAlpha, mostBeta
	best, sum := search.minimize(s.start(scale))
	return Law{best[0], best[1], best[2] * scale}, sum * scale * scale
}

func checkPoints(points []Point) error {
	distinct := make(map[float64]bool)
	carried := false
	for _, p := range points {
		if err := p.check(); err != nil {
			return err
		}
		distinct[p.N] = true
		carried = carried || p.X > 0
	}
	switch {
	case len(points) > MaxPoints:
		return greenlight.Errorf(greenlight.CodeInvalid, "%d points; at most %d are fitted", len(points), MaxPoints)
	case len(points) < 4:
		return greenlight.Errorf(greenlight.CodeInvalid, "%d points; the law has three parameters, so four are the least that leave an error to estimate", len(points))
	case len(distinct) < 3:
		return greenlight.Errorf(greenlight.CodeInvalid, "the points have %d different n; the law needs three: measure at more", len(distinct))
	case !carried:
		return greenlight.Errorf(greenlight.CodeInvalid, "every x is 0: nothing was carried, so there is nothing to fit")
	}
	return nil
}

// The range of a measurement: what its squares and quotients do not overflow.
const (
	leastValue = 1e-12
	mostValue  = 1e12
)

func (p Point) check() error {
	if !(p.N >= leastValue && p.N <= mostValue) {
		return greenlight.Errorf(greenlight.CodeInvalid, "n is %v; it must be above 0 and at most %g", p.N, mostValue)
	}
	if !(p.X == 0 || p.X >= leastValue && p.X <= mostValue) {
		return greenlight.Errorf(greenlight.CodeInvalid, "x is %v; it must be 0 or more and at most %g", p.X, mostValue)
	}
	return nil
}

func (s samples) search(scale float64) *leastSquares {
	at := func(p []float64) Law { return Law{p[0], p[1], p[2]} }
	return &leastSquares{
		points: len(s),
		lower:  []float64{0, 0, 0},
		upper:  []float64{1, 1, math.Inf(1)},
		residuals: func(p, out []float64) {
			law := at(p)
			for i, q := range s {
				out[i] = q.weight * (law.At(q.N) - q.X/scale)
			}
		},
		jacobian: func(p []float64, out *mat.Dense) {
			law := at(p)
			for i, q := range s {
				g := law.gradient(q.N)
				out.SetRow(i, []float64{q.weight * g[0], q.weight * g[1], q.weight * g[2]})
			}
		},
	}
}

// start is the best of a grid of α and β, each with the γ that is optimal
// for it: γ enters linearly.
func (s samples) start(scale float64) []float64 {
	var best []float64
	least := math.Inf(1)
	for _, alpha := range []float64{0, 0.001, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9} {
		for _, beta := range []float64{0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5} {
			gamma, sum := s.bestGamma(scale, Law{alpha, beta, 1})
			if sum < least {
				least, best = sum, []float64{alpha, beta, gamma}
			}
		}
	}
	return best
}

// bestGamma is the γ of least squares for the α and β of a unit law.
func (s samples) bestGamma(scale float64, unit Law) (gamma, sum float64) {
	var xf, ff float64
	for _, p := range s {
		f := p.weight * unit.At(p.N)
		xf += p.weight * p.X / scale * f
		ff += f * f
	}
	gamma = max(xf/ff, 0)
	for _, p := range s {
		d := p.weight * (gamma*unit.At(p.N) - p.X/scale)
		sum += d * d
	}
	return gamma, sum
}

// describe adds to a law how well the samples support it.
func describe(law Law, s samples) (*Fit, error) {
	f := &Fit{Law: law, DF: len(s) - 3}
	j := mat.NewDense(len(s), 3, nil)
	for i, p := range s {
		g := law.gradient(p.N)
		j.SetRow(i, []float64{p.weight * g[0], p.weight * g[1], p.weight * g[2]})
		d := p.weight * (law.At(p.N) - p.X)
		f.SSE += d * d
		f.MaxN = max(f.MaxN, p.N)
	}
	f.Sigma = math.Sqrt(f.SSE / float64(f.DF))
	cov, ok := covariance(j, f.Sigma)
	if !ok {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the points do not tell the law's parameters apart (α %.3g, β %.3g, γ %.3g): measure at more different n", law.Alpha, law.Beta, law.Gamma)
	}
	f.covariance = cov
	se := func(i int) float64 { return math.Sqrt(cov.At(i, i)) }
	f.SE = Estimates{se(0), se(1), se(2)}
	t := quantileT(0.95, f.DF)
	around := func(v, se float64) [2]float64 { return [2]float64{v - t*se, v + t*se} }
	f.CI95 = Intervals{around(law.Alpha, f.SE.Alpha), around(law.Beta, f.SE.Beta), around(law.Gamma, f.SE.Gamma)}
	whole := *f
	f.region = sync.OnceValue(func() region { return regionOf(&whole, s) })
	f.peak()
	return f, nil
}

// peak fills in what follows from the law.
func (f *Fit) peak() {
	n, x := f.Peak()
	f.PeakN, f.PeakX, f.LimitX = finite(n), finite(x), finite(f.Limit())
}

// covariance is σ²(JᵀJ)⁻¹, by QR of J with columns of length one.
func covariance(j *mat.Dense, sigma float64) (*mat.SymDense, bool) {
	_, n := j.Dims()
	norms := make([]float64, n)
	scaled := mat.DenseCopyOf(j)
	for k := range n {
		norms[k] = mat.Norm(j.ColView(k), 2)
		if norms[k] == 0 {
			return nil, false
		}
		scaled.Apply(func(_, c int, v float64) float64 {
			if c == k {
				return v / norms[k]
			}
			return v
		}, scaled)
	}
	var qr mat.QR
	qr.Factorize(scaled)
	var r, inverse mat.Dense
	qr.RTo(&r)
	if err := inverse.Inverse(r.Slice(0, n, 0, n)); err != nil {
		return nil, false
	}
	var product mat.Dense
	product.Mul(&inverse, inverse.T())
	out := mat.NewSymDense(n, nil)
	for a := range n {
		for b := a; b < n; b++ {
			out.SetSym(a, b, sigma*sigma*product.At(a, b)/(norms[a]*norms[b]))
		}
	}
	return out, true
}

// quantileT is the half-width of a central interval of Student's t, in
// standard errors.
func quantileT(level float64, df int) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(df)}.Quantile((1 + level) / 2)
}

func finite(v float64) *float64 {
	if math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// Prediction is what the fit says of one N.
type Prediction struct {
	N float64 `json:"n"`
	X float64 `json:"x"`
	// Low and High hold one new measurement in 95 % of cases: the laws within
	// the bounds that the measurements do not rule out (by their sum of squares,
	// a profile interval), and the scatter of a measurement around its law.
	// Beyond twice the largest N that was measured, the interval is widened
	// by N/(2·MaxN), because there the law itself is a guess.
	Low          float64 `json:"low"`
	High         float64 `json:"high"`
	Extrapolated bool    `json:"extrapolated"` // beyond twice what was measured
}

// Predict is the throughput at n with its interval.
func (f *Fit) Predict(n float64) Prediction {
	p := Prediction{N: n, X: f.At(n), Extrapolated: n > 2*f.MaxN}
	low, high := f.region().at(n)
	scatter := quantileT(0.95, f.DF) * f.Sigma
	if f.relative {
		scatter = quantileT(0.95, f.DF) * max(f.Sigma, leastScatter) * p.X
	}
	below, above := math.Hypot(scatter, max(0, p.X-low)), math.Hypot(scatter, max(0, high-p.X))
	if p.Extrapolated {
		below, above = below*n/(2*f.MaxN), above*n/(2*f.MaxN)
	}
	p.Low, p.High = max(0, p.X-below), p.X+above
	return p
}
