package capacity

import (
	"math"

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
func FitScaling(points []Point) (*Fit, error) {
	if err := checkPoints(points); err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	s := relative(points)
	whole, _ := s.nearest(1, 1)
	f, err := describe(whole, s)
	if err != nil {
		return nil, err
	}
	f.relative = true
	if len(s) >= leastWeighed {
		f.Law = s.likely()
		f.peak()
	}
	return f, nil
}

const leastWeighed = 8

// relative weighs residuals by the mean throughput at their N.
func relative(points []Point) samples {
	sum, count := make(map[float64]float64), make(map[float64]float64)
	most := 0.0
	for _, p := range points {
		sum[p.N] += p.X
		count[p.N]++
		most = max(most, p.X)
	}
	s := samplesOf(points)
	for i, p := range s {
		mean := sum[p.N] / count[p.N]
		if mean == 0 {
			mean = most
		}
		s[i].weight = 1 / mean
	}
	return s
}

// How little measurements can scatter, as shares. Those of one sitting may
// agree by chance, or because they share what another sitting will not: the
// same processes, the same neighbours. Weighing takes them nearly as they are.
const (
	leastScatter = 0.02
	leastWeight  = 1e-6
)

// likely is the mean of the law with and without α and β.
func (s samples) likely() Law {
	n := float64(len(s))
	var laws []Law
	var scores []float64
	best := math.Inf(1)
	for _, most := range [][2]float64{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		law, sum := s.nearest(most[0], most[1])
		k := 2 + most[0] + most[1] // γ and the scatter too
		score := n*math.Log(max(sum/n, leastWeight*leastWeight)) + 2*k + 2*k*(k+1)/(n-k-1)
		laws, scores = append(laws, law), append(scores, score)
		best = min(best, score)
	}
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
	return Law{Alpha: alpha / time, Beta: beta / time, Gamma: all / time}
}
