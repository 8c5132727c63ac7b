package capacity

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// leastSquares minimises the sum of squared residuals within bounds.
type leastSquares struct {
	residuals    func(p, out []float64)
	jacobian     func(p []float64, out *mat.Dense) // out[i][j] = ∂residual i / ∂p j
	points       int                               // residuals
	lower, upper []float64
}

// Limits of the iteration. A fit of a hundred points takes about ten steps;
// the bound is for data that fits nothing.
const (
	maxSteps       = 2000
	stepTolerance  = 1e-12 // of each parameter, relative
	dampingInitial = 1e-3
	dampingLeast   = 1e-15
	dampingMost    = 1e15
)

// minimize goes from start to a minimum by projected Levenberg–Marquardt: a
// parameter at a bound that wants to leave the box stays where it is, the
// others take the damped Gauss–Newton step, clipped to the box. Damping is
// scaled by the Jacobian's columns (Marquardt 1963), so the parameters may
// differ by magnitudes. It gives the parameters and their sum of squares.
func (l *leastSquares) minimize(start []float64) ([]float64, float64) {
	p := l.clip(start)
	r := make([]float64, l.points)
	sum := l.evaluate(p, r)
	j := mat.NewDense(l.points, len(p), nil)
	damping := dampingInitial
	for range maxSteps {
		l.jacobian(p, j)
		next, nextSum, ok := l.step(p, r, j, sum, &damping)
		if !ok {
			break
		}
		moved := moved(p, next)
		p, sum = next, nextSum
		l.residuals(p, r)
		if moved < stepTolerance {
			break
		}
	}
	return p, sum
}

// step looks for a step that does not make things worse, with more and more
// damping; there is none at a minimum.
func (l *leastSquares) step(p, r []float64, j *mat.Dense, sum float64, damping *float64) ([]float64, float64, bool) {
	free := l.free(p, r, j)
	if len(free) == 0 {
		return nil, 0, false
	}
	trial := make([]float64, l.points)
	for ; *damping < dampingMost; *damping *= 4 {
		delta, ok := dampedStep(r, j, free, *damping)
		if !ok {
			continue
		}
		next := append([]float64(nil), p...)
		for i, k := range free {
			next[k] += delta[i]
		}
		next = l.clip(next)
		if s := l.evaluate(next, trial); s < sum || s == sum && moved(p, next) > 0 {
			*damping = max(*damping/9, dampingLeast)
			return next, s, true
		}
	}
	return nil, 0, false
}

// free lists the parameters that are not held by a bound.
func (l *leastSquares) free(p, r []float64, j *mat.Dense) []int {
	var free []int
	for k := range p {
		slope := mat.Dot(j.ColView(k), mat.NewVecDense(len(r), r))
		if p[k] <= l.lower[k] && slope >= 0 || p[k] >= l.upper[k] && slope <= 0 {
			continue
		}
		free = append(free, k)
	}
	return free
}

// dampedStep solves (JᵀJ + damping·diag(JᵀJ))·δ = −Jᵀr for the free columns,
// as a least-squares problem by QR, which does not square J's condition.
func dampedStep(r []float64, j *mat.Dense, free []int, damping float64) ([]float64, bool) {
	rows, n := len(r), len(free)
	a := mat.NewDense(rows+n, n, nil)
	b := mat.NewVecDense(rows+n, nil)
	for i := range rows {
		b.SetVec(i, -r[i])
	}
	for c, k := range free {
		column := j.ColView(k)
		norm := mat.Norm(column, 2)
		if norm == 0 {
			norm = 1
		}
		for i := range rows {
			a.Set(i, c, column.AtVec(i))
		}
		a.Set(rows+c, c, math.Sqrt(damping)*norm)
	}
	var qr mat.QR
	qr.Factorize(a)
	var delta mat.VecDense
	if err := qr.SolveVecTo(&delta, false, b); err != nil {
		return nil, false
	}
	return delta.RawVector().Data, true
}

func (l *leastSquares) evaluate(p, out []float64) float64 {
	l.residuals(p, out)
	var sum float64
	for _, v := range out {
		sum += v * v
	}
	if math.IsNaN(sum) {
		return math.Inf(1)
	}
	return sum
}

func (l *leastSquares) clip(p []float64) []float64 {
	out := make([]float64, len(p))
	for i, v := range p {
		out[i] = min(max(v, l.lower[i]), l.upper[i])
	}
	return out
}

// moved is the largest relative change of a parameter.
func moved(from, to []float64) float64 {
	var most float64
	for i := range from {
		if d := math.Abs(to[i] - from[i]); d > 0 {
			most = max(most, d/max(math.Abs(to[i]), math.Abs(from[i])))
		}
	}
	return most
}

// differences is a Jacobian by central differences, for residuals whose
// derivatives have no short form. It steps inwards at a bound.
func (l *leastSquares) differences(width float64) func([]float64, *mat.Dense) {
	low, high := make([]float64, l.points), make([]float64, l.points)
	return func(p []float64, out *mat.Dense) {
		q := append([]float64(nil), p...)
		for k := range p {
			a, b := max(p[k]-width, l.lower[k]), min(p[k]+width, l.upper[k])
			q[k] = a
			l.residuals(q, low)
			q[k] = b
			l.residuals(q, high)
			q[k] = p[k]
			for i := range low {
				out.Set(i, k, (high[i]-low[i])/(b-a))
			}
		}
	}
}
