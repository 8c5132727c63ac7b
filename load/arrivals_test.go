package load_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/greenlight-dev/greenlight/load"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestArrivals(t *testing.T) {
	arrivals := must[*load.Arrivals](t)
	for name, c := range map[string]struct {
		plan  *load.Arrivals
		total int64
		at    map[int64]time.Duration
	}{
		"constant": {arrivals(load.Constant(200, 30*time.Second)), 6000,
			map[int64]time.Duration{0: 0, 1: 5 * time.Millisecond, 5999: 29995 * time.Millisecond}},
		"ramp": {arrivals(load.Ramp(0, 100, 2*time.Second)), 100,
			map[int64]time.Duration{0: 0, 25: time.Second}},
		"ramp down": {arrivals(load.Ramp(100, 0, 2*time.Second)), 100,
			map[int64]time.Duration{0: 0, 75: time.Second}},
		"steps": {arrivals(load.Steps(10, 30, 3, 3*time.Second)), 60,
			map[int64]time.Duration{9: 900 * time.Millisecond, 10: time.Second, 30: 2 * time.Second}},
		"spike": {arrivals(load.Spike(10, 100, 5*time.Second)), 140,
			map[int64]time.Duration{20: 2 * time.Second, 120: 3 * time.Second}},
		"recorded": {arrivals(load.Replay([]time.Duration{7 * time.Second, 5 * time.Second, 6 * time.Second}, 2)), 3,
			map[int64]time.Duration{0: 0, 1: 500 * time.Millisecond, 2: time.Second}},
	} {
		if c.plan.Total() != c.total {
			t.Errorf("%s has %d requests, want %d", name, c.plan.Total(), c.total)
		}
		for i, want := range c.at {
			if got := c.plan.At(i); (got - want).Abs() > time.Microsecond {
				t.Errorf("%s: request %d is due at %v, want %v", name, i, got, want)
			}
		}
	}
}

// TestArrivalsKeepTheirRate: whatever the stages, times do not go back, stay
// within the plan, and any stretch holds as many as its rates say.
func TestArrivalsKeepTheirRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0, 500)
		stages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) load.Stage {
			return load.Stage{For: time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond, From: rate.Draw(t, "from"), To: rate.Draw(t, "to")}
		}), 1, 5).Draw(t, "stages")
		a, err := load.NewArrivals(stages...)
		if err != nil {
			return // nothing due
		}
		end := time.Duration(0)
		due := 0.0
		var last time.Duration
		i := int64(0)
		for _, s := range stages {
			end += s.For
			due += (s.From + s.To) / 2 * s.For.Seconds()
			for ; i < a.Total(); i++ {
				at := a.At(i)
				if at < last || at > a.Length() {
					t.Fatalf("request %d is due at %v after %v, in a plan of %v", i, at, last, a.Length())
				}
				if at >= end {
					break
				}
				last = at
			}
			if math.Abs(float64(i)-due) > 1.01 {
				t.Fatalf("%d requests are due by %v, want %.2f", i, end, due)
			}
		}
	})
}

func TestPeak(t *testing.T) {
	if p := must[*load.Arrivals](t)(load.Spike(5, 70, time.Second)).Peak(); p != 70 {
		t.Errorf("the peak of a spike is %v", p)
	}
	times := []time.Duration{0, 900 * time.Millisecond, time.Second, 1800 * time.Millisecond, 1850 * time.Millisecond, 5 * time.Second}
	if p := must[*load.Arrivals](t)(load.Replay(times, 1)).Peak(); p != 4 {
		t.Errorf("the peak of recorded times is %v, want 4", p)
	}
}

func TestArrivalsRefuse(t *testing.T) {
	for want, try := range map[string]func() error{
		"no request is due":                   func() error { _, err := load.Constant(0, time.Second); return err },
		"rate is NaN/s; it":                   func() error { _, err := load.Constant(math.NaN(), time.Second); return err },
		"duration is -5s; it must be above 0": func() error { _, err := load.Constant(10, -5*time.Second); return err },
		"duration is -10s; it must be above":  func() error { _, err := load.Steps(1, 2, 5, -10*time.Second); return err },
		"duration is -1m0s; it must":          func() error { _, err := load.Spike(1, 2, -time.Minute); return err },
		"more than 24h0m0s":                   func() error { _, err := load.Constant(1, 25*time.Hour); return err },
		"1 steps":                             func() error { _, err := load.Steps(1, 2, 1, time.Second); return err },
		"0 recorded times":                    func() error { _, err := load.Replay(nil, 1); return err },
		"speed is 0":                          func() error { _, err := load.Replay([]time.Duration{1}, 0); return err },
		"0 stages; 1 to 100":                  func() error { _, err := load.NewArrivals(); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
