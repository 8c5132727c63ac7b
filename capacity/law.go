package capacity

import "math"

// Law is the Universal Scalability Law (N. J. Gunther, Guerrilla Capacity
// Planning, 2007):
//
//	X(N) = γN / (1 + α(N−1) + βN(N−1))
//
// X is throughput at N users, clients, replicas or processors.
type Law struct {
	Alpha float64 `json:"alpha"` // contention: the share of work that is serial, 0…1
	Beta  float64 `json:"beta"`  // coherency: the cost of agreeing, for each pair, 0…1
	Gamma float64 `json:"gamma"` // throughput of one
}

// At is the throughput at n.
func (l Law) At(n float64) float64 { return l.Gamma * n / l.divisor(n) }

func (l Law) divisor(n float64) float64 { return 1 + l.Alpha*(n-1) + l.Beta*n*(n-1) }

// Peak is where throughput is highest, and that throughput. Without
// coherency cost there is no peak: n is +Inf and x the limit.
func (l Law) Peak() (n, x float64) {
	if l.Beta == 0 {
		return math.Inf(1), l.Limit()
	}
	n = max(1, math.Sqrt((1-l.Alpha)/l.Beta)) // below one the law says nothing
	return n, l.At(n)
}

// Limit is what throughput would come to without coherency cost: γ/α, +Inf
// where nothing is serial.
func (l Law) Limit() float64 {
	if l.Alpha == 0 {
		return math.Inf(1)
	}
	return l.Gamma / l.Alpha
}

// gradient is (∂X/∂α, ∂X/∂β, ∂X/∂γ) at n.
func (l Law) gradient(n float64) [3]float64 {
	d := l.divisor(n)
	x := l.Gamma * n / d
	return [3]float64{-x * (n - 1) / d, -x * n * (n - 1) / d, n / d}
}
