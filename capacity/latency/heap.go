package latency

// heap is a binary heap of moments, the earliest first. It is not
// container/heap because that boxes every number.
type heap []float64

func (h *heap) push(v float64) {
	*h = append(*h, v)
	q := *h
	i := len(q) - 1
	for i > 0 && q[(i-1)/2] > v {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i] = v
}

func (h *heap) pop() {
	q := *h
	last := q[len(q)-1]
	*h = q[:len(q)-1]
	if len(*h) > 0 {
		h.replaceFirst(last)
	}
}

// replaceFirst takes the earliest out and puts v in.
func (h heap) replaceFirst(v float64) {
	i := 0
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if child >= len(h) || h[child] >= v {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = v
}
