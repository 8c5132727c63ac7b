package load

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Pair is a figure of two runs, one right after the other.
type Pair struct{ A, B float64 }

// Comparison says how B differs from A.
type Comparison struct {
	Metric string  `json:"metric"`
	Pairs  int     `json:"pairs"`
	A      float64 `json:"a"` // geometric mean of the runs
	B      float64 `json:"b"`
	// Change is B against A: 0.05 is 5 % more.
	Change float64    `json:"change"`
	CI95   [2]float64 `json:"ci95"` // of Change
	// P is the probability of a difference as large by chance alone.
	P float64 `json:"p"`
	// Least is the smallest change that is called different, a share: what is
	// smaller may be real, but nobody would act on it.
	Least float64 `json:"least"`
	// FalseAlarms is how often the method calls a difference when labels are
	// given to these very runs by chance.
	FalseAlarms float64 `json:"false_alarms"`
	// Detectable is the change that this many pairs with this much noise
	// find in 80 % of cases.
	Detectable float64 `json:"detectable"`
	Different  bool    `json:"different"` // P is below 0.05, and Change Least or more
}

// Sure tells that chance alone hardly shows as much, however little it is.
func (c *Comparison) Sure() bool { return c.P < level }

// Bounds of a comparison.
const (
	MinPairs = 6 // with five, not even all pairs agreeing is below 0.05
	MaxPairs = 1000
)

const (
	level        = 0.05
	permutations = 20_000
	exactPairs   = 14 // 2¹⁴ sign flips are enumerated
)

// Compare tests whether a figure differs between runs in pairs. Runs of a
// pair follow each other, so what drifts in between is small; the test flips
// the labels within pairs at random (Fisher's permutation test), which needs
// no assumption of a distribution. Ratios are compared, so the figures have
// to be above 0. least is the smallest change that matters, a share: many pairs
// of a steady target show what differs by a thousandth.
func Compare(metric string, pairs []Pair, least float64, seed uint64) (*Comparison, error) {
	if !(least >= 0 && least < 1) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the least change that matters is %v; want a share from 0 to below 1", least)
	}
	if len(pairs) < MinPairs || len(pairs) > MaxPairs {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d pairs; %d to %d are needed", len(pairs), MinPairs, MaxPairs)
	}
	ratios := make([]float64, len(pairs))
	var a, b float64
	for i, p := range pairs {
		if !(p.A > 0 && p.B > 0) || math.IsInf(p.A+p.B, 0) {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "pair %d is %v and %v; both must be above 0 to be compared", i+1, p.A, p.B)
		}
		ratios[i] = math.Log(p.B / p.A)
		a += math.Log(p.A)
		b += math.Log(p.B)
	}
	n := float64(len(pairs))
	rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not for secrets
	mean, sd := stat.MeanStdDev(ratios, nil)
	null := nullMeans(ratios, rng)
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(1-level/2) * sd / math.Sqrt(n)
	c := &Comparison{
		Metric: metric, Pairs: len(pairs), A: math.Exp(a / n), B: math.Exp(b / n),
		Change: math.Expm1(mean), CI95: [2]float64{math.Expm1(mean - half), math.Expm1(mean + half)},
		P: pValue(null, mean), Least: least, FalseAlarms: falseAlarms(null, least), Detectable: math.Expm1(detectable(sd, n)),
	}
	c.Different = c.Sure() && math.Abs(c.Change) >= least
	return c, nil
}

// nullMeans are the absolute means of the ratios with their signs flipped,
// in all ways or in many at random, ascending.
func nullMeans(ratios []float64, rng *rand.Rand) []float64 {
	count, exact := permutations, len(ratios) <= exactPairs
	if exact {
		count = 1 << len(ratios)
	}
	null := make([]float64, count)
	for k := range null {
		var sum float64
		for i, r := range ratios {
			flip := k>>i&1 == 1
			if !exact {
				flip = rng.Uint64()&1 == 1
			}
			if flip {
				r = -r
			}
			sum += r
		}
		null[k] = math.Abs(sum) / float64(len(ratios))
	}
	slices.Sort(null)
	return null
}

// pValue is the share of the null that is at least as far from zero. The
// observed labels count as one of the labellings, so it is never 0.
func pValue(null []float64, mean float64) float64 {
	at, _ := slices.BinarySearch(null, math.Abs(mean)*(1-1e-12))
	return max(float64(len(null)-at), 1) / float64(len(null))
}

// falseAlarms is the share of labellings whose own p-value is below the
// level, what ties and few pairs leave of it, and whose change matters.
func falseAlarms(null []float64, least float64) float64 {
	n := len(null)
	alarms := 0
	for end := n; end > 0; {
		first := end - 1
		for first > 0 && null[first-1] >= null[end-1]*(1-1e-12) {
			first--
		}
		if float64(n-first)/float64(n) >= level {
			break
		}
		alarms, end = n-first, first
	}
	small, _ := slices.BinarySearch(null, math.Log1p(least))
	return float64(min(alarms, n-small)) / float64(n)
}

// detectable is the mean log ratio that a paired t-test of n pairs finds
// with a power of 0.8.
func detectable(sd, n float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: n - 1}
	return (t.Quantile(1-level/2) + t.Quantile(0.8)) * sd / math.Sqrt(n)
}

// Interleave runs A and B in pairs. Each is the first of half of them, by
// chance which, so that what being the second costs does not count for either.
// trial runs one.
func Interleave(ctx context.Context, pairs int, seed uint64, trial func(ctx context.Context, b bool) (*Result, error)) (a, b []*Result, err error) {
	for _, bFirst := range order(pairs, seed) {
		for _, second := range []bool{false, true} {
			isB := bFirst != second
			r, err := trial(ctx, isB)
			if err != nil {
				return a, b, err
			}
			if r.Stopped != "" {
				return a, b, greenlight.Errorf(greenlight.CodeUnavailable, "a run ended early: %s", r.Stopped)
			}
			if isB {
				b = append(b, r)
			} else {
				a = append(a, r)
			}
		}
	}
	return a, b, ctx.Err()
}

// order says of which pairs B is the first.
func order(pairs int, seed uint64) []bool {
	rng := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // not for secrets
	bFirst := make([]bool, pairs)
	for i := range (pairs + rng.IntN(2)) / 2 {
		bFirst[i] = true
	}
	rng.Shuffle(pairs, func(i, j int) { bFirst[i], bFirst[j] = bFirst[j], bFirst[i] })
	return bFirst
}

// Metric takes a figure of a result: p50 to p99.99, mean, max, min, rate (of
// right answers), or any of the times as service.p99.
func Metric(name string) (func(*Result) float64, error) {
	limit := "<1s"
	if name == "rate" {
		limit = ">0"
	}
	t, err := ParseThreshold(name + limit)
	if err != nil || name == "errors" {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%q is nothing to compare; want p50 to p99.99, mean, max, min, rate, or one of the times as service.p99", clip(name))
	}
	return func(r *Result) float64 { return t.check(r).Value }, nil
}

// Stored compares two single results: the differences of their percentiles,
// with intervals for the chance of which requests fell into each run. What
// differs between two runs of the same thing is not in them.
type Stored struct {
	Metric string     `json:"metric"`
	A      float64    `json:"a"`
	B      float64    `json:"b"`
	Change float64    `json:"change"`
	CI95   [2]float64 `json:"ci95"` // of Change, of sampling alone
}

// StoredLimits is what a comparison of two stored results cannot tell.
const StoredLimits = "Two stored results cannot tell a change of the target from a change of the machine, its neighbours or the time of day: " +
	"the intervals hold only what chance did within each run. Run greenlight load compare URL URL for that."

// CompareStored compares two results by their histograms.
func CompareStored(a, b *Result) ([]Stored, error) {
	if a.ResponseTimes == nil || b.ResponseTimes == nil || a.ResponseTimes.Count() == 0 || b.ResponseTimes.Count() == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "a result holds no response times to compare")
	}
	var rows []Stored
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}} {
		av, al, ah := a.ResponseTimes.interval(q.share)
		bv, bl, bh := b.ResponseTimes.interval(q.share)
		if av <= 0 || al <= 0 || bl <= 0 {
			continue
		}
		// Each interval is of 97.5 %, so that of the quotient is 95 % or more.
		rows = append(rows, Stored{q.name, av, bv, bv/av - 1, [2]float64{bl/ah - 1, bh/al - 1}})
	}
	return rows, nil
}

// interval is a quantile with an interval of 97.5 %, by the binomial
// distribution of how many values lie below it.
func (h *Histogram) interval(q float64) (v, low, high float64) {
	n := float64(h.Count())
	half := distuv.UnitNormal.Quantile(0.9875) * math.Sqrt(q*(1-q)/n)
	return h.At(q), h.At(max(q-half, 0)), h.At(min(q+half, 1))
}
