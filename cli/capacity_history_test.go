package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// askedAt is requests a second: 30 now and 2 % of that more each month, at
// night less than half of what comes at noon, fewer at weekends, and in a year
// a tenth up and down, some per cent of it by chance.
func askedAt(at, now time.Time) float64 {
	ago := now.Sub(at).Hours() / 24
	rate := 30 * (1 - 0.02*ago*12/365.25)
	rate *= 1 + 0.4*math.Sin(2*math.Pi*(float64(at.Hour())-6)/24)
	if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
		rate *= 0.7
	}
	chance := math.Mod(math.Abs(math.Sin(float64(at.Unix()/3600)))*1e4, 1) - 0.5
	return rate * (1 + 0.1*math.Sin(2*math.Pi*ago/365.25)) * (1 + 0.1*chance)
}

// peakOverRate is how much the busiest minute of an hour exceeds the hour.
const peakOverRate = 1.5

// asked is the hours of some days until now, without those that skip names.
func (p *produced) asked(now time.Time, days int, rate func(at, now time.Time) float64, skip func(daysAgo float64) bool) {
	p.hours = nil
	for at := now.UTC().Truncate(time.Hour).AddDate(0, 0, -days); at.Before(now); at = at.Add(time.Hour) {
		if skip != nil && skip(now.Sub(at).Hours()/24) {
			continue
		}
		seen := math.Floor(min(now.Sub(at).Seconds(), 3600))
		requests := math.Round(rate(at, now) * seen)
		h := control.TrafficPeriod{From: at, To: at.Add(time.Hour), Requests: int64(requests), Observed: seen, Peak: peakOverRate * rate(at, now)}
		if seen > 0 {
			h.Mean = requests / seen
		}
		p.hours = append(p.hours, h)
	}
}

// input is what capacity plan --history own would plan for on some day.
func (p *produced) input(t *testing.T, socket string, now time.Time, flags func(*capacityPlanOptions)) (*plan.Input, string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "greenlight.yaml"), []byte("name: shop\nservices: {iris: {run: [iris]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	o := capacityPlanOptions{demandFlags: demandFlags{history: "own", growth: "0", uncertainty: "0", periods: 6, headroom: "0", hits: "0", limit: "20%", maxNumber: 100, minReplicas: 1, zones: 1},
		replicas: []int{1, 2, 3}, measureFlags: measureFlags{rounds: 2}}
	o.connect.control = socket
	if flags != nil {
		flags(&o)
	}
	in, err := o.input(now, func() (history, error) { return o.ownHistory(t.Context(), &said, "iris", dir, now) })
	return in, said.String(), err
}

// off is the largest error of the expected means, as a share, and how many
// bands do not hold what comes.
func off(periods []demand.Period, now time.Time) (worst float64, outside int) {
	for _, d := range periods {
		mean, peak, n := 0.0, 0.0, 0.0
		for at := d.From; at.Before(d.To); at = at.Add(time.Hour) {
			r := askedAt(at, now)
			mean, peak, n = mean+r, max(peak, peakOverRate*r), n+1
		}
		mean /= n
		worst = max(worst, math.Abs(d.Mean.Expected/mean-1))
		if mean < d.Mean.Low || mean > d.Mean.High || peak > d.Peak.High {
			outside++
		}
	}
	return worst, outside
}

func TestForecastsOfOwnHistory(t *testing.T) {
	p := &produced{}
	socket := p.serve(t)
	now := time.Date(2026, 11, 23, 2, 23, 0, 0, time.UTC)
	whole := int(now.Sub(time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC)).Hours()/24) + 1 // what is kept at least
	down := func(daysAgo float64) bool { return daysAgo > 150 && daysAgo < 159 || daysAgo > 50 && daysAgo < 50.3 }
	for name, c := range map[string]struct {
		days   int
		unit   string
		worst  float64
		said   string
		method string
	}{
		"25 whole months":       {whole, "", 0.08, "planned by the month", "Holt-Winters, "},
		"14 months":             {425, "", 0.25, "planned by the month", "straight line through 1"},
		"14 months by the day":  {425, "day", 0.12, "planned by the day", "Holt-Winters, "},
		"14 months by the week": {425, "week", 0.25, "planned by the week", "straight line through"},
		"two months":            {62, "", 0.15, "planned by the week", "straight line through"},
		"a week":                {7, "", 0.4, "planned by the day", "level of 6 days"},
		"three days":            {3, "", 0.5, "planned by the day", "level of 73 hours"},
		"an hour":               {0, "", 3, "planned by the hour", "level of 1 samples"},
	} {
		p.asked(now, c.days, askedAt, down)
		in, said, err := p.input(t, socket, now, func(o *capacityPlanOptions) { o.unit = c.unit })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		worst, outside := off(in.Demand.Periods, now)
		first := in.Demand.Periods[0]
		if worst > c.worst || outside > 0 || !strings.Contains(said, c.said) || !strings.HasPrefix(in.Demand.Method, c.method) || first.From.After(now) || !first.To.After(now) {
			t.Errorf("%s: off by %.0f %%, %d outside; %s; %s; %+v", name, 100*worst, outside, in.Demand.Method, said, in.Demand.Periods)
		}
	}
	p.asked(now, 60, func(time.Time, time.Time) float64 { return 0 }, nil)
	if _, _, err := p.input(t, socket, now, nil); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "no requests at all") {
		t.Errorf("of nothing: %v", err)
	}
}

// planOn makes the plan that would have been made on some day, from
// measurements that are given.
func (p *produced) planOn(t *testing.T, socket string, day time.Time, flags func(*capacityPlanOptions)) *plan.Plan {
	t.Helper()
	in, _, err := p.input(t, socket, day, flags)
	if err != nil {
		t.Fatal(err)
	}
	known := irisPlan(t)
	in.System, in.Service, in.Latency = "shop", "iris", plan.Latency{Surface: known.Latency}
	in.Measurements, in.Replica = known.Evidence.Measurements, plan.Replica{CPU: 0.5}
	made, err := plan.Make(*in)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A plan of months ago is held against what came since.
func TestCheckOfAnOldPlan(t *testing.T) {
	p := &produced{}
	socket := p.serve(t)
	now := time.Now()
	p.asked(now, 700, askedAt, func(daysAgo float64) bool { return daysAgo > 30 && daysAgo < 35 })
	before := now.AddDate(0, 0, -100)
	p.plan = p.planOn(t, socket, before, func(o *capacityPlanOptions) { o.slo = []string{"p99<500ms"} })
	for _, past := range p.plan.Traffic.History {
		if past.From.After(before) {
			t.Errorf("the plan of %s knows %s", before, past.From)
		}
	}
	check := func(want string, code int) *plan.Standing {
		t.Helper()
		var out bytes.Buffer
		env := Env{Stdout: &out, Stderr: &out}
		o := capacityCheckOptions{json: true}
		o.connect.control = socket
		err := o.stand(t.Context(), env, "dev/iris")
		if exitCode(err) != code && (err != nil || code != 0) {
			t.Fatalf("%v, want the exit code %d", err, code)
		}
		var s plan.Standing
		if err := json.Unmarshal(out.Bytes(), &s); err != nil || !strings.Contains(s.Text, want) {
			t.Fatalf("%v, %s; want %q", err, &out, want)
		}
		return &s
	}
	judged := 0
	for _, d := range check("the plan holds: ", 0).Periods {
		if d.Judged {
			judged++
		}
		if d.Observed == 0 || d.Mean < 20 || d.Mean > 35 || d.Judged && !d.Held || !d.PeakHeld {
			t.Errorf("%+v", d)
		}
	}
	if judged < 2 {
		t.Errorf("%d periods were judged of 100 days", judged)
	}
	p.asked(now, 700, func(at, now time.Time) float64 {
		if at.After(before) {
			return 2 * askedAt(at, now)
		}
		return askedAt(at, now)
	}, nil)
	if s := check("the plan has expired: ", 3); !s.Expired || s.Reasons[0].Code != plan.ExpiredDemand {
		t.Errorf("twice as much came: %+v", s.Reasons)
	}
}

// A forecast begins with the period that runs when it is made, or the next where
// most of it was seen, whenever that is; and its bands hold what comes.
func TestForecastsOnAnyDay(t *testing.T) {
	p := &produced{}
	socket := p.serve(t)
	for _, day := range []string{"2026-03-01T00:00:00Z", "2026-03-01T00:20:00Z", "2026-05-31T23:50:00Z", "2026-08-09T12:00:00Z", "2026-12-31T23:59:59Z"} {
		now, err := time.Parse(time.RFC3339, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range []string{"month", "week", "day", "hour"} {
			p.asked(now, 500, askedAt, nil)
			in, _, err := p.input(t, socket, now, func(o *capacityPlanOptions) { o.unit = unit })
			if err != nil {
				t.Errorf("%s by the %s: %v", day, unit, err)
				continue
			}
			first := in.Demand.Periods[0]
			if first.From.After(now.Add(45*time.Minute)) || !first.To.After(now) {
				t.Errorf("%s by the %s: the first is of %s", day, unit, first.From)
			}
			if _, outside := off(in.Demand.Periods, now); outside > 0 && (unit == "month" || unit == "week") {
				t.Errorf("%s by the %s: %d of %+v are outside, by a %s", day, unit, outside, in.Demand.Periods, in.Demand.Method)
			}
		}
	}
}
