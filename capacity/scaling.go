package capacity

import (
	"cmp"
	"math"
	"slices"

	greenlight "github.com/greenlight-dev/greenlight"
)

// FitScaling fits the law to throughput of repeated runs that is to be
// predicted beyond them. It differs from FitLaw in two ways, both because a
// bend that is not there costs most where the law goes on.
//
// Residuals are shares of the throughput, because what disturbs a machine
// takes a share of it: Sigma is a share too.
//
// The law is the mean of four, in which α, β, both or none are 0, each weighted
// by how likely the measurements make it (Akaike weights with the correction
// for few measurements; Burnham and Anderson, Model Selection and Multimodel
// Inference, 2002). The mean is of the time that a request costs, N/X, in which
// the law is linear, so it is such a law again. The intervals are those of the
// whole law. With fewer than leastWeighed points they are too few to weigh, and
// it is the whole law alone.
//
// standIns are fitted as the points are, each as much as it is as sure as
// they. They are not what MaxN counts: so many replicas never ran.
func FitScaling(points []Point, standIns ...StandIn) (*Fit, error) {
	if err := checkPoints(points); err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	s := relative(points)
	scatter := max(s.scatter(), leastScatter)
	for _, p := range standIns {
		if err := p.check(); err != nil {
			return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
		}
		s = append(s, sample{p.Point, scatter / p.Deviation / p.X})
	}
	whole, sum := s.nearest(1, 1)
	f, err := describe(whole, s)
	if err != nil {
		return nil, err
	}
	f.relative = true
	f.MaxN = slices.MaxFunc(points, func(a, b Point) int { return cmp.Compare(a.N, b.N) }).N
	if len(s) >= leastWeighed {
		f.Law = s.likely(whole, sum)
		f.peak()
	}
	return f, nil
}

const leastWeighed = 8

// StandIn is the throughput of fewer but larger replicas, at the N whose cores
// they had.
type StandIn struct {
	Point
	// Deviation is the standard deviation of X as that of N replicas, as a
	// share of it.
	Deviation float64
}

func (p StandIn) check() error {
	if !(p.X > 0 && p.Deviation > 0 && p.Deviation <= 1) {
		return greenlight.Errorf(greenlight.CodeInvalid, "what stands for n = %v carries %v with a deviation of %v; want more than 0, and a share", p.N, p.X, p.Deviation)
	}
	return p.Point.check()
}

// relative weighs residuals by the mean throughput at their N.
func relative(points []Point) samples {
	s, most := samplesOf(points), 0.0
	for _, p := range points {
		most = max(most, p.X)
	}
	means := s.means()
	for i, p := range s {
		mean := means[p.N]
		if mean == 0 {
			mean = most
		}
		s[i].weight = 1 / mean
	}
	return s
}

// orNone is 0 for what is no more than what is left of a law with no weight.
func orNone(share float64) float64 {
	if share < 1e-9 {
		return 0
	}
	return share
}

// scatter is the standard deviation of points around the mean of their N, as a
// share of it; 0 where each N was measured once.
func (s samples) scatter() float64 {
	var squares float64
	means := s.means()
	for _, p := range s {
		d := p.weight * (p.X - means[p.N])
		squares += d * d
	}
	if len(s) == len(means) {
		return 0
	}
	return math.Sqrt(squares / float64(len(s)-len(means)))
}

// means is the mean throughput at each N.
func (s samples) means() map[float64]float64 {
	means, counts := make(map[float64]float64), make(map[float64]float64)
	for _, p := range s {
		means[p.N] += p.X
		counts[p.N]++
	}
	for n := range means {
		means[n] /= counts[n]
	}
	return means
}

// How little measurements can scatter, as shares. Those of one session may
// agree by chance, or because they share what another will not: the
// same processes, the same neighbours. Weighing takes them nearly as they are.
const (
	leastScatter = 0.02
	leastWeight  = 1e-6
)

// likely is the mean of the whole law, which has that sum of squares, and of
// the law without α, β or both.
func (s samples) likely(whole Law, sum float64) Law {
	n := float64(len(s))
	score := func(sum, k float64) float64 {
		k += 2 // γ and the scatter too
		return n*math.Log(max(sum/n, leastWeight*leastWeight)) + 2*k + 2*k*(k+1)/(n-k-1)
	}
	laws, scores := []Law{whole}, []float64{score(sum, 2)}
	for _, most := range [][2]float64{{0, 0}, {1, 0}, {0, 1}} {
		law, sum := s.nearest(most[0], most[1])
		laws, scores = append(laws, law), append(scores, score(sum, most[0]+most[1]))
	}
	best := slices.Min(scores)
	var all, time, alpha, beta float64 // sums of weights, 1/γ, α/γ and β/γ
	for i, law := range laws {
		if law.Gamma == 0 {
			continue
		}
		w := math.Exp((best - scores[i]) / 2)
		all += w
		time += w / law.Gamma
		alpha += w * law.Alpha / law.Gamma
		beta += w * law.Beta / law.Gamma
	}
	return Law{Alpha: orNone(alpha / time), Beta: orNone(beta / time), Gamma: all / time}
}
