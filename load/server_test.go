package load_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

func TestObserver(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := load.NewObserver("dev", "iris", "4b7d9aa01c55", begun)
	if o.Server(time.Second) != nil {
		t.Error("without a second there is evidence")
	}
	o.Begin("iris-1", &load.Throttling{Periods: 100, Throttled: 50, Seconds: 2})
	for _, s := range []struct {
		ms    int
		taken bool
	}{{-200, false}, {200, true}, {1000, true}, {1000, false}, {2000, true}, {3000, true}, {4000, true}} {
		n := float64(s.ms) / 1000
		got := o.Add(begun.Add(time.Duration(s.ms)*time.Millisecond), load.ServerSecond{
			Rate: 100 * n, Errors: 0.1 * n, P99: n, CPU: n, Memory: int64(s.ms), InFlight: n, Ready: 2, Held: int64(n)})
		if got != s.taken {
			t.Errorf("the second that ends at %d ms: taken %v", s.ms, got)
		}
	}
	o.AddReplica("iris-1", 0.5, 10, &load.Throttling{Periods: 110, Throttled: 52, Seconds: 2.5})
	o.AddReplica("iris-1", 1.5, 8, &load.Throttling{Periods: 140, Throttled: 60, Seconds: 3})
	o.AddReplica("iris-2", 1, 7, nil)
	s := o.Server(3400 * time.Millisecond)
	if len(s.Seconds) != 3 || s.Seconds[0].At != 1 || s.CPU != (load.Range{Min: 1, Mean: 2, Max: 3}) || s.Ready.Max != 2 || s.Memory != 3000 || s.Held != 3 {
		t.Errorf("summed up: %+v", s)
	}
	if want := (10.0 + 40 + 90) / 600; math.Abs(s.Errors-want) > 1e-9 {
		t.Errorf("errors are a share of %v, want %v", s.Errors, want)
	}
	if len(s.Replicas) != 2 || s.Replicas[0].CPU.Mean != 1 || s.Replicas[0].Memory != 10 || s.Replicas[1].Throttling != nil {
		t.Errorf("replicas %+v", s.Replicas)
	}
	if got := s.Throttling; got == nil || *got != (load.Throttling{Periods: 40, Throttled: 10, Seconds: 1}) || got.Share() != 0.25 {
		t.Errorf("throttling %+v", got)
	}

	short := load.NewObserver("dev", "iris", "", begun)
	short.Add(begun.Add(200*time.Millisecond), load.ServerSecond{CPU: 1})
	short.Add(begun.Add(1200*time.Millisecond), load.ServerSecond{CPU: 2})
	if s := short.Server(400 * time.Millisecond); s == nil || len(s.Seconds) != 2 {
		t.Errorf("of a test shorter than a second: %+v", s)
	}

	r := reported(t)
	r.Server = s
	var text, page bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"what dev/iris saw, release 4b7d9aa01c55:", "in 25 % of the periods of the CPU quota, for 1.00 s in all", "1.00 s to 3.00 s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"What dev/iris saw", "Processor cores that the replicas used", "iris-2"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// What the gateway cannot tell is not told: times below its first bucket, and
// short requests that looks once a second miss.
func TestServerRows(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		second    load.ServerSecond
		row, want string
	}{
		"below the first bucket": {load.ServerSecond{Rate: 1, P50: 25e-6, P99: 49e-6}, "gateway p99, each second", "under 50 µs"},
		"in the second":          {load.ServerSecond{Rate: 1, P50: 25e-6, P99: 60e-6}, "gateway p99, each second", "60 µs"},
		"without requests":       {load.ServerSecond{}, "gateway p50, each second", "0"},
		"short requests":         {load.ServerSecond{Rate: 8000, Mean: 250e-6}, "in flight, rate × time", "2 in the mean: 8,000/s × 250 µs"},
		"short, by a look":       {load.ServerSecond{Rate: 8000, Mean: 250e-6, InFlight: 5}, "in flight, sampled", ""},
		"long requests":          {load.ServerSecond{Rate: 1, Mean: 3, InFlight: 4}, "in flight, sampled", "4.0 in the mean, 4 at most"},
		"none ended":             {load.ServerSecond{InFlight: 64}, "in flight, sampled", "64.0 in the mean, 64 at most"},
		"nothing is known":       {load.ServerSecond{Rate: 8000}, "in flight, sampled", ""},
	} {
		o := load.NewObserver("dev", "iris", "", begun)
		o.Add(begun.Add(time.Second), c.second)
		got := ""
		for _, row := range o.Server(time.Second).Rows() {
			if row.Name == c.row {
				got = row.Value
			}
		}
		if got != c.want {
			t.Errorf("%s: %s is %q, want %q", name, c.row, got, c.want)
		}
	}
}
