package scale

import "time"

// maxBuckets bounds what a window keeps, whatever its length; its edge is as
// coarse as a bucket.
const maxBuckets = 60

// window keeps the extreme of the values of a stretch of time.
type window struct {
	length  time.Duration
	extreme func(a, b float64) float64
	buckets []bucket // oldest first
	since   time.Time
}

// bucket is the extreme from its time to the next one's.
type bucket struct {
	at    time.Time
	value float64
}

// add takes in the value at now, which is not before the last one's.
func (w *window) add(now time.Time, v float64) {
	if len(w.buckets) == 0 {
		w.since = now
	}
	if last := len(w.buckets) - 1; last >= 0 && now.Sub(w.buckets[last].at) < w.length/maxBuckets {
		w.buckets[last].value = w.extreme(w.buckets[last].value, v)
	} else {
		w.buckets = append(w.buckets, bucket{now, v})
	}
	w.expire(now)
}

// expire drops what was before the window. The bucket that reaches into it
// stays: its value was in force when the window began.
func (w *window) expire(now time.Time) {
	old := 0
	for old+1 < len(w.buckets) && !w.buckets[old+1].at.After(now.Add(-w.length)) {
		old++
	}
	w.buckets = append(w.buckets[:0], w.buckets[old:]...)
}

func (w *window) clear() { w.buckets = w.buckets[:0] }

// get is the extreme of the window; false while its values do not reach back
// to its beginning.
func (w *window) get(now time.Time) (float64, bool) {
	w.expire(now)
	if len(w.buckets) == 0 || now.Sub(w.since) < w.length {
		return 0, false
	}
	v := w.buckets[0].value
	for _, b := range w.buckets[1:] {
		v = w.extreme(v, b.value)
	}
	return v, true
}
