package ml

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
)

// coupling combines the probabilities of pairs of classes into one for each
// class: Wu, Lin and Weng, "Probability Estimates for Multi-class
// Classification by Pairwise Coupling" (2004), second approach, algorithm 2,
// with libsvm's tolerances.
type coupling struct {
	pair    []float32 // [classes, classes]: of i against j
	q       []float32 // [classes, classes]
	product []float32 // q·p
}

// probabilities fills p, one for each class, from the decision values of the
// pairs (0,1), (0,2), … (1,2), … and the sigmoid of each.
func (c *coupling) probabilities(p, decisions, a, b []float32) {
	n := len(p)
	if len(c.pair) != n*n {
		c.pair, c.q, c.product = make([]float32, n*n), make([]float32, n*n), make([]float32, n)
	}
	const least = 1e-7
	at := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			v := 1 - score.Sigmoid(decisions[at]*a[at]+b[at])
			v = min(max(v, least), 1-least)
			c.pair[i*n+j], c.pair[j*n+i] = v, 1-v
			at++
		}
	}
	c.prepare(p)
	for range 100 {
		if c.iterate(p) {
			return
		}
	}
}

func (c *coupling) prepare(p []float32) {
	n := len(p)
	for i := range n {
		p[i] = 1 / float32(n)
		sum := float32(0)
		for j := range n {
			if j == i {
				continue
			}
			r := c.pair[j*n+i]
			sum += r * r
			c.q[i*n+j] = -r * c.pair[i*n+j]
		}
		c.q[i*n+i] = sum
	}
}

// iterate improves p once; true when it was good enough already.
func (c *coupling) iterate(p []float32) bool {
	n, total := len(p), float32(0)
	for i := range n {
		sum := float32(0)
		for j, v := range p {
			sum += c.q[i*n+j] * v
		}
		c.product[i] = sum
		total += p[i] * sum
	}
	worst := float32(0)
	for _, v := range c.product {
		worst = max(worst, float32(math.Abs(float64(v-total))))
	}
	if worst < 0.005/float32(n) {
		return true
	}
	for i := range n {
		d := c.q[i*n+i]
		diff := (total - c.product[i]) / d
		p[i] += diff
		total = (total + diff*(diff*d+2*c.product[i])) / (1 + diff) / (1 + diff)
		for j := range n {
			c.product[j] = (c.product[j] + diff*c.q[i*n+j]) / (1 + diff)
			p[j] /= 1 + diff
		}
	}
	return false
}
