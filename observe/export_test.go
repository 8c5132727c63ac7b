package observe

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Tick samples once.
func (s *Sampler) Tick(ctx context.Context) { s.sample(ctx) }

// Scan reads a text for what is counted of it, as one series after another.
func Scan(text []byte, visit func(name string, labels map[string]string, value float64)) {
	eachSeries(text, func(name, series, value []byte) {
		v, ok := number(value)
		if !ok {
			return
		}
		labels := make(map[string]string)
		eachLabel(series, func(name, value string) { labels[name] = value })
		visit(string(name), labels, v)
	})
}

// Take reads texts one after the other and gives the services of the last.
func Take(texts ...[]byte) map[string]float64 {
	s := newScrape(Counters{})
	requests := make(map[string]float64)
	for _, text := range texts {
		s.take(text)
		clear(requests)
		for name, t := range s.services {
			requests[name] = t.requests
			for _, n := range t.buckets(nil) {
				if n < 0 || n > maxNumber {
					panic(n)
				}
			}
		}
	}
	return requests
}

// Quantile is that of a histogram.
var Quantile = quantile

// NewTake gives what reads one text after the other.
func NewTake() func(text []byte) {
	s := newScrape(Counters{})
	return func(text []byte) { s.take(text) }
}

// NewHour has an hour of busy services behind it.
func NewHour(services int) *Sampler {
	s := NewSampler(Options{})
	s.bounds = []float64{.00005, .0001, .00015, .0002, .0003, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, math.Inf(1)}
	counts := make([]float64, len(s.bounds))
	first := time.Now().Unix() / blockTicks * blockTicks
	for i := range services {
		h := s.history(fmt.Sprintf("production/service-%d", i))
		for tick := first; tick < first+hourTicks+blockTicks; tick++ {
			counts[tick%10] = float64(tick % 100)
			h.put(tick, row{rate: 100, inFlight: 3}, counts)
			s.tick = tick
		}
	}
	return s
}

// KeptP99 is the percentile of a second with these counts, once it was kept.
func KeptP99(bounds, counts []float64) float64 {
	var h history
	h.put(7, row{rate: 1}, counts)
	s, _ := h.step(7, 7, bounds, time.Second)
	return s.P99
}
