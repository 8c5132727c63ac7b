package main

import (
	"context"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// then is greenlight on another day: $DAYS_AGO.
func then() {
	env := environment()
	env.Now = func() time.Time {
		days, err := strconv.Atoi(os.Getenv("DAYS_AGO"))
		if err != nil {
			panic(err)
		}
		return time.Now().AddDate(0, 0, -days)
	}
	run(env)
}

// asked has a store hold what a service was asked for some days until now, as a
// control plane that counted all that time would have written it.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: asked STATE-FOLDER ENVIRONMENT/SERVICE DAYS RATE")
	}
	days, err := strconv.Atoi(args[2])
	ts.Check(err)
	mean, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	environment, service, _ := strings.Cut(args[1], "/")
	now := time.Now().UTC()
	var hours []store.TrafficHour
	for at := now.Truncate(time.Hour).AddDate(0, 0, -days); at.Before(now); at = at.Add(time.Hour) {
		rate, seen := mean*demandAt(at, now), min(now.Sub(at).Seconds(), 3600)
		if ago := now.Sub(at).Hours() / 24; ago > 150 && ago < 157 || ago > 50 && ago < 50.3 {
			continue // nobody counted
		}
		hours = append(hours, store.TrafficHour{Environment: environment, Service: service, Hour: at,
			Requests: int64(math.Round(rate * seen)), Peak: peakOverRate * rate, Observed: math.Floor(seen)})
	}
	s, err := sqlite.Open(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(s.AddTraffic(context.Background(), store.TrafficMark{At: now, Counters: []byte("{}")}, hours...))
	ts.Check(s.Close())
}

const peakOverRate = 2 // of the busiest minute of an hour

// demandAt is a share of today's requests a second: 2 % more come each month,
// at night less than half of what comes at noon, fewer at weekends, and in a
// year a tenth more and less.
func demandAt(at, now time.Time) float64 {
	const daysInMonth = 365.25 / 12
	ago := now.Sub(at).Hours() / 24
	rate := 1 - 0.02*ago/daysInMonth
	rate *= 1 + 0.4*math.Sin(2*math.Pi*(float64(at.Hour())-6)/24)
	if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
		rate *= 0.7
	}
	return rate * (1 + 0.1*math.Sin(2*math.Pi*ago/365.25))
}

// foretold holds the demand of a plan, where there is one, against what asked
// would write of it: bands hold what comes, and what is expected differs by no
// more than a share.
func foretold(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: foretold PLAN RATE SHARE")
	}
	if _, err := os.Stat(ts.MkAbs(args[0])); err != nil {
		return
	}
	p, err := plan.Read(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	rate, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	share, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	for _, d := range p.Periods {
		mean, peak, n := 0.0, 0.0, 0.0
		for at := d.From; at.Before(d.To); at = at.Add(time.Hour) {
			r := rate * demandAt(at, time.Now())
			mean, peak, n = mean+r, max(peak, peakOverRate*r), n+1
		}
		mean /= n
		if mean < d.Mean.Low || mean > d.Mean.High || math.Abs(d.Mean.Expected/mean-1) > share {
			ts.Fatalf("%s has %.2f/s on average, the forecast is %+v", d.Label, mean, d.Mean)
		}
		if peak > d.Peak.High || math.Abs(d.Peak.Expected/peak-1) > 1.2*share {
			ts.Fatalf("%s has a peak of %.2f/s, the forecast is %+v", d.Label, peak, d.Peak)
		}
	}
}
