package control

import (
	"context"
	"fmt"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/store"
)

// Alert is something about a service that somebody should look at and that its
// health does not show.
type Alert struct {
	Kind    string    `json:"kind" enum:"capacity.expired"`
	Subject string    `json:"subject" doc:"the capacity plan's id"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text" doc:"one line of prose"`
}

// capacityExpired is the kind of the alert, and of the event that tells of it,
// that a service's newest capacity plan holds no more.
const capacityExpired = "capacity.expired"

// Pauses between two looks at how plans stand.
const (
	expiryInterval = time.Hour
	firstExpiry    = 10 * time.Second // not while everything starts
)

// expiryLoop holds the newest capacity plan of each service against what
// production did, once an hour and when there is something new, until ctx ends.
func (p *Plane) expiryLoop(ctx context.Context) {
	timer := time.NewTimer(firstExpiry)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.evidence:
		case <-timer.C:
		}
		if !p.options.Idle {
			p.checkPlans(ctx, time.Now())
		}
		timer.Reset(expiryInterval)
	}
}

// newEvidence has the plans looked at soon.
func (p *Plane) newEvidence() {
	select {
	case p.evidence <- struct{}{}:
	default:
	}
}

// checkPlans finds out which services have a plan that has expired.
func (p *Plane) checkPlans(ctx context.Context, now time.Time) {
	alerts := make(map[string][]Alert)
	for _, n := range p.serviceNames() {
		alert, err := p.checkPlan(ctx, n[0], n[1], now)
		switch code := greenlight.CodeOf(err); {
		case ctx.Err() != nil:
			return
		case code == greenlight.CodeNotFound: // it has no plan, or is gone
		case err != nil:
			p.options.Log.Error("holding the capacity plan against production", "environment", n[0], "service", n[1], "error", err)
		case alert != nil:
			alerts[n[0]+"/"+n[1]] = []Alert{*alert}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alerts = alerts
	p.change()
}

// alertOf is the alert that a plan has expired; nil where there is none.
func (p *Plane) alertOf(c *CapacityPlan) *Alert {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.alerts[c.Environment+"/"+c.Service] {
		if a.Kind == capacityExpired && a.Subject == c.ID {
			return &a
		}
	}
	return nil
}

// serviceNames are those of all environments.
func (p *Plane) serviceNames() (list [][2]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.environmentNames() {
		for _, s := range p.environments[name].version.System.Services {
			list = append(list, [2]string{name, s.Name})
		}
	}
	return list
}

// checkPlan is the alert that the service's newest plan has expired; nil while
// it holds. The first time, an event tells of it.
func (p *Plane) checkPlan(ctx context.Context, environment, service string, now time.Time) (*Alert, error) {
	d, err := p.CapacityPlan(ctx, environment, service, NewestPlan)
	if err != nil {
		return nil, err
	}
	s, err := p.stand(ctx, &d, now)
	if err != nil || !s.Expired {
		return nil, err
	}
	e, err := p.tellExpired(ctx, &d.CapacityPlan, s)
	return &Alert{Kind: capacityExpired, Subject: d.ID, Since: e.Time, Text: clip("the capacity plan has expired: "+s.Why(), maxMessage)}, err
}

// Standing is how a capacity plan that is kept stands against what production
// did since it was made; NewestPlan is the newest.
func (p *Plane) Standing(ctx context.Context, environment, service, id string) (*capacityplan.Standing, error) {
	d, err := p.CapacityPlan(ctx, environment, service, id)
	if err != nil {
		return nil, err
	}
	return p.stand(ctx, &d, time.Now())
}

func (p *Plane) stand(ctx context.Context, d *CapacityDetail, now time.Time) (*capacityplan.Standing, error) {
	read, err := d.Read()
	if err != nil {
		return nil, err
	}
	seen, err := p.production(ctx, d, now)
	if err != nil {
		return nil, err
	}
	return read.Stand(now, seen), nil
}

// production is what a service did since its plan was made.
func (p *Plane) production(ctx context.Context, d *CapacityDetail, now time.Time) (capacityplan.Production, error) {
	var hours []TrafficPeriod
	var err error
	if from := later(d.MadeAt, now.Add(-LongestTraffic+24*time.Hour)); from.Before(now) {
		if hours, err = p.Traffic(ctx, d.Environment, d.Service, TrafficQuery{From: from, To: now}); err != nil {
			return capacityplan.Production{}, err
		}
	}
	runs, err := p.Loads(ctx, d.Environment, d.Service, 0)
	seen := ProductionOf(hours, runs)
	if d.Grade != nil {
		seen.Grade = &d.Grade.Grade
	}
	return seen, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ProductionOf is what hours of traffic and load tests tell of a service.
func ProductionOf(hours []TrafficPeriod, runs []LoadRun) capacityplan.Production {
	var seen capacityplan.Production
	for _, h := range hours {
		seen.Hours = append(seen.Hours, capacityplan.ProductionHour{From: h.From, Requests: float64(h.Requests), Peak: h.Peak, Observed: h.Observed})
	}
	for _, r := range runs {
		length := spanOf(r.Elapsed)
		seen.Tests = append(seen.Tests, capacityplan.ProductionTest{
			ID: r.ID, At: r.StartedAt, Length: length, Around: spanOf(2 * r.Elapsed * float64(r.Rungs)), Replicas: r.Replicas, Planned: r.Planned, Rate: r.Rate, P50: r.P50, P99: r.P99,
			Errors: r.Errors, Quota: r.Quota, Search: r.Rungs > 0,
			Apart: r.Apart, Counts: r.Model == "open" && r.Steady && !r.Void && r.Stopped == "",
		})
	}
	return seen
}

// spanOf is a time in seconds as a client told it, at most a day.
func spanOf(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, load.MaxDuration.Seconds()) * float64(time.Second))
}

// tellExpired records that a plan has expired, unless that was done before.
func (p *Plane) tellExpired(ctx context.Context, c *CapacityPlan, s *capacityplan.Standing) (greenlight.Event, error) {
	told, err := p.options.Store.ListEvents(ctx, store.EventQuery{Kind: capacityExpired, Environment: c.Environment, Service: c.Service, Subject: c.ID, Limit: 1})
	if err != nil {
		return greenlight.Event{}, err
	}
	if len(told) > 0 {
		return told[0], nil
	}
	recorded, err := p.options.Store.Record(ctx, greenlight.Event{
		Actor: "capacity", Kind: capacityExpired, Environment: c.Environment, Service: c.Service, Subject: c.ID,
		Message:  clip(fmt.Sprintf("the capacity plan of %s has expired: %s; make it anew with greenlight capacity plan", c.MadeAt.Format(time.DateOnly), s.Why()), maxMessage),
		Evidence: expiredEvidence(c, s),
	})
	if err != nil {
		return greenlight.Event{}, err
	}
	return recorded[0], nil
}

// expiredEvidence has the figures that did not hold, some of each.
func expiredEvidence(c *CapacityPlan, s *capacityplan.Standing) map[string]any {
	const most = 10
	var periods []capacityplan.PeriodSoFar
	for _, d := range s.Periods {
		if (d.Judged && !d.Held || !d.PeakHeld) && len(periods) < most {
			periods = append(periods, d)
		}
	}
	var tests []capacityplan.GradedTest
	for _, t := range s.Tests {
		if t.Broken && len(tests) < most {
			tests = append(tests, t)
		}
	}
	evidence := map[string]any{"reasons": s.Reasons[:min(len(s.Reasons), most)], "made_at": c.MadeAt, "expires_at": c.ExpiresAt, "limit": s.Limit}
	if len(periods) > 0 {
		evidence["periods"] = periods
	}
	if len(tests) > 0 {
		evidence["tests"] = tests
	}
	if len(s.Capacity) > 0 {
		evidence["capacity"] = s.Capacity[:min(len(s.Capacity), most)]
	}
	return evidence
}

// replicasOf is how many replicas took requests all through a load test; 0
// where that changed or is not known.
func replicasOf(r *load.Result) int {
	if r.Server == nil || r.Server.Ready.Min != r.Server.Ready.Max || !(r.Server.Ready.Max >= 1 && r.Server.Ready.Max <= load.MaxReplicas) {
		return 0
	}
	return int(r.Server.Ready.Max)
}
