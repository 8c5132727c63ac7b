package main

import (
	"slices"
	"time"
)

// Rounds alternate between the two sides, so that what else the machine does
// meets both; 21 are enough for quartiles that stay put.
const rounds = 21

// side gives the figure of one round, a time or a rate.
type side func() (float64, error)

// alternate measures the sides in turn, each round beginning with another one,
// and gives each side's figures in the order of the rounds.
func alternate(n int, sides ...side) ([][]float64, error) {
	figures := make([][]float64, len(sides))
	for i := range n {
		for k := range sides {
			k = (i + k) % len(sides)
			v, err := sides[k]()
			if err != nil {
				return nil, err
			}
			figures[k] = append(figures[k], v)
		}
	}
	return figures, nil
}

// quotients are a/b of each round, sorted.
func quotients(a, b []float64) []float64 {
	q := make([]float64, len(a))
	for i := range a {
		q[i] = a[i] / b[i]
	}
	slices.Sort(q)
	return q
}

func median(v []float64) float64 { return quantile(slices.Sorted(slices.Values(v)), 0.5) }

// quantile interpolates between the elements of a sorted list.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-1)
	j := min(i+1, len(sorted)-1)
	return sorted[i] + (at-float64(i))*(sorted[j]-sorted[i])
}

const roundTime = 50 * time.Millisecond

// perCall makes a round of f: as many calls as roundTime takes, and their
// mean in nanoseconds.
func perCall(f func(i int) error) (side, error) {
	calls := 1
	round := func() (float64, error) {
		started := time.Now()
		for i := range calls {
			if err := f(i); err != nil {
				return 0, err
			}
		}
		return float64(time.Since(started).Nanoseconds()) / float64(calls), nil
	}
	for {
		each, err := round()
		if err != nil || each*float64(calls) >= float64(roundTime.Nanoseconds()) {
			return round, err
		}
		calls = max(2*calls, int(1.2*float64(roundTime.Nanoseconds())/each))
	}
}
