package observe

import "math"

// quantile is the duration in seconds below which the share q of the counted
// requests lies, interpolated inside a bucket as if its requests were spread
// evenly. Beyond the last finite bound it is that bound; 0 without requests.
func quantile(q float64, bounds, counts []float64) float64 {
	var total float64
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, below, lower := q*total, 0.0, 0.0
	for i, n := range counts {
		if math.IsInf(bounds[i], 1) {
			break
		}
		if n > 0 && below+n >= rank {
			return lower + (bounds[i]-lower)*(rank-below)/n
		}
		below, lower = below+n, bounds[i]
	}
	return lower
}
