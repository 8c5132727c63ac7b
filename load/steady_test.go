package load_test

import (
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

func TestSteady(t *testing.T) {
	for name, c := range map[string]struct {
		make func() (*load.Arrivals, error)
		want bool
	}{
		"constant": {func() (*load.Arrivals, error) { return load.Constant(50, time.Second) }, true},
		"in stages": {func() (*load.Arrivals, error) {
			return load.NewArrivals(load.Stage{For: 1, From: 5e5, To: 5e5}, load.Stage{For: time.Second, From: 5e5, To: 5e5})
		}, true},
		"ramp":     {func() (*load.Arrivals, error) { return load.Ramp(10, 20, time.Second) }, false},
		"steps":    {func() (*load.Arrivals, error) { return load.Steps(10, 20, 2, time.Second) }, false},
		"spike":    {func() (*load.Arrivals, error) { return load.Spike(10, 20, time.Second) }, false},
		"recorded": {func() (*load.Arrivals, error) { return load.Replay([]time.Duration{0, 1, 2}, 1) }, false},
	} {
		a, err := c.make()
		if err != nil {
			t.Fatal(err)
		}
		if a.Steady() != c.want {
			t.Errorf("%s: %v", name, a.Steady())
		}
	}
}
