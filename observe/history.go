package observe

import (
	"math"
	"time"
)

// A history keeps an hour of ticks in blocks of a minute, each made when its
// minute begins: 32 bytes a tick, and two for each bucket of durations in
// minutes with requests. With the gateway's 21 buckets a service that
// sleeps takes 0.12 MB, a busy one 0.27 MB.
const (
	blockTicks = 60
	blocks     = 61 // an hour is whole while the last block fills
	hourTicks  = 3600
)

type history struct{ blocks [blocks]*block }

type block struct {
	first  int64 // tick of rows[0]
	known  uint64
	rows   [blockTicks]row
	counts []uint16 // of each tick its buckets; nil while there were no requests
}

// row is a tick without its durations, which are in the buckets.
type row struct{ rate, errors, mean, inFlight, held, cpu, memory, queue float32 }

// put keeps a tick; counts are its requests by bucket.
func (h *history) put(tick int64, r row, counts []float64) {
	b := h.blocks[tick/blockTicks%blocks]
	if first := tick - tick%blockTicks; b == nil || b.first != first {
		b = &block{first: first}
		h.blocks[tick/blockTicks%blocks] = b
	}
	i := tick - b.first
	b.rows[i] = r
	b.known |= 1 << i
	largest := 0.0
	for _, n := range counts {
		largest = max(largest, n)
	}
	switch {
	case largest == 0 && b.counts == nil:
		return
	case b.counts == nil:
		b.counts = make([]uint16, blockTicks*len(counts))
	}
	// More than 65535 in one bucket and second keep their proportions.
	shrink := min(math.MaxUint16/max(largest, 1), 1)
	for j, n := range counts {
		b.counts[int(i)*len(counts)+j] = uint16(math.Ceil(n * shrink))
	}
}

// get gives a tick and its buckets, nil for none; false when it is not known.
func (h *history) get(tick int64, buckets int) (row, []uint16, bool) {
	b := h.blocks[tick/blockTicks%blocks]
	i := tick % blockTicks
	if b == nil || b.first != tick-i || b.known&(1<<i) == 0 {
		return row{}, nil, false
	}
	if b.counts == nil {
		return b.rows[i], nil, true
	}
	return b.rows[i], b.counts[int(i)*buckets : int(i+1)*buckets], true
}

// forgetBuckets drops the durations of the past.
func (h *history) forgetBuckets() {
	for _, b := range h.blocks {
		if b != nil {
			b.counts = nil
		}
	}
}

// step merges the ticks from first to last into one sample: rates and levels
// are their means, shares, times and waits those of all requests together,
// percentiles those of the merged buckets, held and memory the largest.
func (h *history) step(first, last int64, bounds []float64, interval time.Duration) (Sample, bool) {
	var s Sample
	var n, requests float64
	counts := make([]float64, len(bounds))
	for tick := first; tick <= last; tick++ {
		r, buckets, ok := h.get(tick, len(bounds))
		if !ok {
			continue
		}
		n++
		s.At = time.Unix(0, tick*int64(interval))
		rate := float64(r.rate)
		requests += rate
		s.Errors += rate * float64(r.errors)
		s.Mean += rate * float64(r.mean)
		s.Queue += rate * float64(r.queue)
		s.InFlight += float64(r.inFlight)
		s.CPU += float64(r.cpu)
		s.Held = max(s.Held, int64(r.held))
		s.Memory = max(s.Memory, int64(r.memory))
		for i, c := range buckets {
			counts[i] += float64(c)
		}
	}
	if n == 0 {
		return s, false
	}
	s.Rate, s.InFlight, s.CPU = requests/n, s.InFlight/n, s.CPU/n
	if requests > 0 {
		s.Errors, s.Mean, s.Queue = s.Errors/requests, s.Mean/requests, s.Queue/requests
	}
	s.P50, s.P99 = quantile(.5, bounds, counts), quantile(.99, bounds, counts)
	return s, true
}

// series are the steps of the ticks up to last, whole ones but for the last, so that
// asking again later gives the same steps again.
func (h *history) series(last, ticks int64, points int, bounds []float64, interval time.Duration) ([]Sample, int64) {
	ticks = min(max(ticks, 1), hourTicks)
	step := int64(1)
	if points > 0 {
		step = (ticks + int64(points) - 1) / int64(points)
	}
	list := []Sample{}
	first := last - ticks + 1
	for k := (first + step - 1) / step; k <= last/step; k++ {
		if s, ok := h.step(k*step, min((k+1)*step-1, last), bounds, interval); ok {
			list = append(list, s)
		}
	}
	return list, step
}

// last is a tick that no known one is after.
func (h *history) last() int64 {
	var last int64
	for _, b := range h.blocks {
		if b != nil {
			last = max(last, b.first+blockTicks-1)
		}
	}
	return last
}
