package observe_test

import (
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/observe"
)

func TestAnHourIsKept(t *testing.T) {
	hour := observe.NewHour(1)
	all := hour.Series("production", "service-0", 2*time.Hour, 0)
	if len(all.Samples) != 3600 || all.Step != time.Second {
		t.Errorf("%d samples of %v", len(all.Samples), all.Step)
	}
	for points := 1; points < 400; points += 13 {
		series := hour.Series("production", "service-0", 15*time.Minute, points)
		if n := len(series.Samples); n > points || n < points*9/10-1 && series.Step > time.Second && n < int(15*time.Minute/series.Step)-1 {
			t.Errorf("%d samples of %v for %d points", n, series.Step, points)
		}
		for _, s := range series.Samples {
			if s.Rate < 99 || s.Rate > 101 || s.InFlight != 3 || s.P50 <= 0 || s.P99 < s.P50 || s.P99 > .5 {
				t.Fatalf("%+v", s)
			}
		}
	}
}

// A bucket of a second holds 65535 requests; more keep their proportions.
func TestMoreRequestsThanABucketHolds(t *testing.T) {
	got := observe.KeptP99([]float64{.1, 1}, []float64{9_900_000, 100_000})
	if got < .099 || got > .11 {
		t.Errorf("p99 %v, want 0.1", got)
	}
}
