package capacity

import "math"

// region is the set of laws that the points do not rule out with 95 %
// confidence: those with a sum of squares of at most SSE·(1 + t²/df). Inside
// the bounds of α and β it is what the delta method takes for an ellipse; at a
// bound it ends there, where the delta method would go on to laws that cannot
// be. It is kept as laws that lie on its surface and throughout it.
type region []Law

// How finely a region is walked through. The largest throughput at some N is
// found to a fraction of a per cent of its distance from the estimate.
const (
	directions = 180 // of α and β from the estimate
	distances  = 12  // in each
)

// regionOf walks from the estimate in every direction of α and β, measured in
// their standard errors, to where no γ fits well enough any more. γ enters
// linearly, so that for each α and β its range is known in closed form.
func regionOf(f *Fit, s samples) region {
	t := quantileT(0.95, f.DF)
	most := f.SSE * (1 + t*t/float64(f.DF))
	a, b, c := f.directions()
	var r region
	for d := range directions {
		sin, cos := math.Sincos(2 * math.Pi * float64(d) / directions)
		step := Law{Alpha: a * cos, Beta: b*cos + c*sin}
		far := f.reach(step, s, most)
		for k := range distances {
			// Closer together towards the edge, where the extremes are.
			share := far * math.Sin(math.Pi/2*float64(k+1)/distances)
			r = r.add(f.moved(step, share), s, most)
		}
	}
	return r.add(f.Law, s, most)
}

// directions are the columns of the Cholesky factor of the covariance of α and
// β: one step in any direction is one standard error.
func (f *Fit) directions() (a, b, c float64) {
	a = math.Sqrt(f.covariance.At(0, 0))
	if a > 0 {
		b = f.covariance.At(0, 1) / a
	}
	return a, b, math.Sqrt(max(0, f.covariance.At(1, 1)-b*b))
}

// moved is the law so many steps away, with γ still to be found.
func (f *Fit) moved(step Law, steps float64) Law {
	return Law{Alpha: within(f.Alpha + steps*step.Alpha), Beta: within(f.Beta + steps*step.Beta), Gamma: 1}
}

// within cuts off what is less than arithmetic outside the bounds of α and β.
func within(v float64) float64 { return min(max(v, 0), 1) }

// reach is how many steps lie within the bounds and the region.
func (f *Fit) reach(step Law, s samples, most float64) float64 {
	edge := min(toBound(f.Alpha, step.Alpha), toBound(f.Beta, step.Beta))
	fits := func(steps float64) bool {
		_, sum := s.bestGamma(1, f.moved(step, steps))
		return sum <= most
	}
	inside, outside := 0.0, min(edge, 1.0)
	for fits(outside) {
		if inside = outside; outside == edge {
			return edge
		}
		outside = min(edge, 2*outside)
	}
	for range 30 {
		if middle := (inside + outside) / 2; fits(middle) {
			inside = middle
		} else {
			outside = middle
		}
	}
	return inside
}

// toBound is how many steps there are from v to the end of 0…1.
func toBound(v, step float64) float64 {
	switch {
	case step > 0:
		return (1 - v) / step
	case step < 0:
		return v / -step
	}
	return math.MaxFloat64
}

// add adds the two laws with the α and β of one that have the smallest and the
// largest γ which fits well enough.
func (r region) add(unit Law, s samples, most float64) region {
	unit.Gamma = 1
	gamma, sum := s.bestGamma(1, unit)
	if sum > most {
		return r
	}
	squares := 0.0
	for _, p := range s {
		x := p.weight * unit.At(p.N)
		squares += x * x
	}
	half := math.Sqrt((most - sum) / squares)
	low, high := unit, unit
	low.Gamma, high.Gamma = max(0, gamma-half), gamma+half
	return append(r, low, high)
}

// at is the least and the most throughput at n of the laws that are not ruled
// out.
func (r region) at(n float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, law := range r {
		x := law.At(n)
		low, high = min(low, x), max(high, x)
	}
	return low, high
}
