package load

import (
	"math"
	"slices"
	"sort"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Stage is a stretch of time over which the rate goes evenly from one value
// to another.
type Stage struct {
	For      time.Duration
	From, To float64 // requests a second
}

// Arrivals says when each request of an open model is due.
type Arrivals struct {
	stages   []Stage
	begins   []time.Duration
	before   []float64       // requests due before each stage
	recorded []time.Duration // instead of stages: replayed times
	length   time.Duration
	total    int64
}

// Bounds of a plan of arrivals.
const (
	MaxRate     = 1_000_000 // requests a second
	MaxDuration = 24 * time.Hour
	MaxStages   = 1000
	MaxRecorded = 10_000_000
)

// NewArrivals makes a plan of stages, one after the other.
func NewArrivals(stages ...Stage) (*Arrivals, error) {
	if len(stages) == 0 || len(stages) > MaxStages {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d stages; 1 to %d are possible", len(stages), MaxStages)
	}
	a := &Arrivals{stages: stages}
	var due float64
	for _, s := range stages {
		if err := s.check(); err != nil {
			return nil, err
		}
		a.begins = append(a.begins, a.length)
		a.before = append(a.before, due)
		a.length += s.For
		due += (s.From + s.To) / 2 * s.For.Seconds()
		if a.length > MaxDuration {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "the stages take more than %v", MaxDuration)
		}
	}
	a.total = int64(math.Ceil(due - 1e-6)) // 0.1 s at 10/s is 1 request, whatever binary fractions say
	if a.total == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "no request is due in %v", a.length)
	}
	return a, nil
}

func (s *Stage) check() error {
	for _, rate := range []float64{s.From, s.To} {
		if !validRate(rate) {
			return greenlight.Errorf(greenlight.CodeInvalid, "the rate is %v/s; it must be from 0 to %d", rate, MaxRate)
		}
	}
	return checkDuration(s.For)
}

func checkDuration(d time.Duration) error {
	if d <= 0 {
		return greenlight.Errorf(greenlight.CodeInvalid, "the duration is %v; it must be above 0", d)
	}
	return nil
}

func validRate(v float64) bool { return v >= 0 && v <= MaxRate }

// Constant is one rate for a time.
func Constant(rate float64, d time.Duration) (*Arrivals, error) {
	return NewArrivals(Stage{d, rate, rate})
}

// Ramp goes evenly from one rate to another.
func Ramp(from, to float64, d time.Duration) (*Arrivals, error) {
	return NewArrivals(Stage{d, from, to})
}

// Steps goes from one rate to another in n equal steps.
func Steps(from, to float64, n int, d time.Duration) (*Arrivals, error) {
	if n < 2 || n > MaxStages {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d steps; 2 to %d are possible", n, MaxStages)
	}
	if err := checkDuration(d); err != nil {
		return nil, err // of all of them, not of one
	}
	stages := make([]Stage, n)
	for i := range stages {
		rate := from + (to-from)*float64(i)/float64(n-1)
		stages[i] = Stage{d / time.Duration(n), rate, rate}
	}
	return NewArrivals(stages...)
}

// Spike is a base rate with a peak in the middle fifth.
func Spike(base, peak float64, d time.Duration) (*Arrivals, error) {
	if err := checkDuration(d); err != nil {
		return nil, err
	}
	fifth := d / 5
	return NewArrivals(Stage{2 * fifth, base, base}, Stage{fifth, peak, peak}, Stage{d - 3*fifth, base, base})
}

// Replay has a request at each of the recorded times after the start, at
// speed times the pace.
func Replay(times []time.Duration, speed float64) (*Arrivals, error) {
	if len(times) == 0 || len(times) > MaxRecorded {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d recorded times; 1 to %d are possible", len(times), MaxRecorded)
	}
	if !(speed > 0 && speed <= 1e6) {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "speed is %v; it must be above 0", speed)
	}
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	first := sorted[0]
	for i, t := range sorted {
		sorted[i] = time.Duration(float64(t-first) / speed)
	}
	a := &Arrivals{recorded: sorted, total: int64(len(sorted)), length: sorted[len(sorted)-1] + time.Nanosecond}
	if a.length > MaxDuration {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the recorded times span more than %v at this speed", MaxDuration)
	}
	return a, nil
}

// Total is how many requests are due.
func (a *Arrivals) Total() int64 { return a.total }

// Length is the time from the start to the end of the plan.
func (a *Arrivals) Length() time.Duration { return a.length }

// Peak is the highest rate; of recorded times, the most in a second.
func (a *Arrivals) Peak() (rate float64) {
	from := 0
	for to, t := range a.recorded {
		for t-a.recorded[from] >= time.Second {
			from++
		}
		rate = max(rate, float64(to-from+1))
	}
	for _, s := range a.stages {
		rate = max(rate, s.From, s.To)
	}
	return rate
}

// At is when request i, counted from 0, is due after the start. It never
// goes back as i grows.
func (a *Arrivals) At(i int64) time.Duration {
	if a.recorded != nil {
		return a.recorded[i]
	}
	n := float64(i)
	k := sort.Search(len(a.stages), func(k int) bool { return a.before[k] > n }) - 1
	s := a.stages[k]
	seconds := timeOf(n-a.before[k], s.From, (s.To-s.From)/s.For.Seconds())
	return a.begins[k] + min(time.Duration(seconds*1e9), s.For)
}

// timeOf solves rate·t + slope·t²/2 = n for the first t ≥ 0, in the form
// that does not cancel when slope is near 0.
func timeOf(n, rate, slope float64) float64 {
	if n <= 0 {
		return 0
	}
	root := math.Sqrt(max(0, rate*rate+2*slope*n))
	return 2 * n / (rate + root)
}
