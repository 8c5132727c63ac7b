package load

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Histogram holds times with three significant digits, from a nanosecond to
// a day; its extremes and mean are exact.
type Histogram struct {
	counts   *hdrhistogram.Histogram
	sum      float64
	min, max int64
}

const longest = int64(MaxDuration)

func newHistogram() *Histogram {
	h := &Histogram{counts: hdrhistogram.New(1, longest, 3)}
	h.reset()
	return h
}

func (h *Histogram) reset() {
	h.counts.Reset()
	h.sum, h.min, h.max = 0, math.MaxInt64, 0
}

// record takes n times of ns nanoseconds.
func (h *Histogram) record(ns, n int64) {
	ns = min(max(ns, 0), longest)
	_ = h.counts.RecordValues(ns, n) // within its range
	h.sum += float64(ns) * float64(n)
	h.min, h.max = min(h.min, ns), max(h.max, ns)
}

// Count is how many times it holds; none when it is nil.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	return h.counts.TotalCount()
}

// At is the time in seconds that a share q, 0 to 1, of all do not exceed; 0
// when it holds none.
func (h *Histogram) At(q float64) float64 {
	if h.Count() == 0 {
		return 0
	}
	v := h.counts.ValueAtQuantile(100 * q)
	return float64(min(max(v, h.min), h.max)) / 1e9
}

// Mean is in seconds.
func (h *Histogram) Mean() float64 {
	if h.Count() == 0 {
		return 0
	}
	return h.sum / float64(h.Count()) / 1e9
}

// spread is the standard deviation in seconds.
func (h *Histogram) spread() float64 {
	if h.Count() == 0 {
		return 0
	}
	return h.counts.StdDev() / 1e9
}

// Summary is a distribution of times in seconds.
type Summary struct {
	Min   float64 `json:"min"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	P9999 float64 `json:"p9999"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
}

// Empty tells whether there were no times: refused and broken connections have
// none.
func (s *Summary) Empty() bool { return s.Max == 0 }

// Known tells whether so many times have a percentile, by the share of them
// below it: one of them must lie beyond.
func Known(share float64, times int64) bool { return float64(times) >= math.Round(1/(1-share)) }

// Summary gives the percentiles that results hold.
func (h *Histogram) Summary() Summary {
	if h.Count() == 0 {
		return Summary{}
	}
	return Summary{
		Min: float64(h.min) / 1e9, P50: h.At(0.5), P90: h.At(0.9), P95: h.At(0.95), P99: h.At(0.99),
		P999: h.At(0.999), P9999: h.At(0.9999), Max: float64(h.max) / 1e9, Mean: h.Mean(),
	}
}

// Point is one place of a distribution: the share of times up to this one.
type Point struct{ Share, Seconds float64 }

// Curve is the distribution as points, one for each different count.
func (h *Histogram) Curve() []Point {
	var points []Point
	total := float64(h.Count())
	seen := int64(0)
	for _, b := range h.counts.Distribution() {
		if b.Count > 0 {
			seen += b.Count
			points = append(points, Point{float64(seen) / total, float64(b.To) / 1e9})
		}
	}
	return points
}

// encode writes the counts in the compressed form that HDR histograms of
// other languages read, too.
func (h *Histogram) encode() (string, error) {
	b, err := h.counts.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return string(b), err
}

// decodeHistogram reads what encode wrote. Its mean is that of the classes.
func decodeHistogram(text string) (*Histogram, error) {
	const most = 4 << 20
	if len(text) > most {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the histogram has more than %d bytes", most)
	}
	counts, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	return &Histogram{counts: counts, sum: counts.Mean() * float64(counts.TotalCount()), min: counts.Min(), max: counts.Max()}, nil
}
