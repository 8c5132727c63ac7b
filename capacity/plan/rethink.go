package plan

import (
	"math"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/demand"
)

// Change is what is different in a plan that is thought over: what is nil
// stays as it was.
type Change struct {
	Rate           *float64 `json:"rate,omitempty" minimum:"0" maximum:"1e9" doc:"requests a second that come now, on average; the forecast is stretched to it"`
	Growth         *float64 `json:"growth,omitempty" doc:"a month, as a share: 0.05 is 5 % more each month; where the demand was measured, on top of what its series shows"`
	P99            *float64 `json:"p99,omitempty" doc:"what the SLO allows, seconds"`
	Errors         *float64 `json:"errors,omitempty" doc:"what the SLO allows, a share"`
	Headroom       *float64 `json:"headroom,omitempty" doc:"load beyond the forecast that must be borne, a share"`
	CacheHitRate   *float64 `json:"cache_hit_rate,omitempty" doc:"share of the requests that the response cache answers, 0 to 0.99"`
	Zones          *int     `json:"zones,omitempty" minimum:"1" maximum:"100" doc:"over which replicas are spread; with one, the loss of one is survived no more unless survive_zone says so"`
	SurviveReplica *bool    `json:"survive_replica,omitempty" doc:"bear the peak with one replica lost"`
	SurviveZone    *bool    `json:"survive_zone,omitempty" doc:"bear the peak with one zone lost"`
}

// Empty tells whether nothing is different.
func (c Change) Empty() bool { return c == Change{} }

// Rethink makes a plan anew from what it rests on, with changes: nothing is
// measured or forecast again. Without a change it gives the same plan. A plan
// of before Inputs was kept has no prices then. The plan may have come from a
// file; what it lacks or cannot be is CodeInvalid.
func Rethink(p *Plan, c Change) (*Plan, error) {
	if err := p.whole(); err != nil {
		return nil, invalid("not a whole capacity plan: %w", err)
	}
	if err := p.Traffic.Check(); err != nil {
		return nil, err
	}
	in, err := p.input()
	if err != nil {
		return nil, err
	}
	if c.Zones != nil && *c.Zones < 1 {
		return nil, invalid("%d zones; want 1 or more", *c.Zones)
	}
	if in.Demand, err = c.demand(p); err != nil {
		return nil, err
	}
	c.apply(&in.SLO, &in.Policy)
	return Make(in)
}

// inputs keeps what Input has and a plan does not show elsewhere.
func inputs(in *Input, priced bool) *Inputs {
	i := &Inputs{CPU: in.Replica.CPU, Memory: in.Replica.Memory, Start: in.Replica.Start.Seconds()}
	if priced {
		i.Prices = in.Prices
	}
	return i
}

// input is what the plan was made from.
func (p *Plan) input() (Input, error) {
	in := Input{
		System: p.System, Service: p.Service, At: p.MadeAt,
		Measurements: p.Evidence.Measurements, Larger: p.Evidence.Larger, Stages: p.Evidence.Stages, Notes: p.Evidence.Notes,
		Latency: Latency{Surface: p.Latency, Outside: p.Evidence.Outside}, SLO: p.SLO, Policy: p.Policy,
	}
	i := p.Inputs
	if i == nil {
		return in, nil
	}
	const day = 24 * 3600
	if !(i.Start >= 0 && i.Start <= day) {
		return in, invalid("a replica that starts in %v s; it must be from 0 to %d", i.Start, day)
	}
	in.Replica = Replica{CPU: i.CPU, Memory: i.Memory, Start: time.Duration(math.Round(i.Start * 1e9))}
	if i.Prices != nil {
		in.Prices = i.Prices
		return in, i.Prices.Check()
	}
	return in, nil
}

func (c Change) demand(p *Plan) (*demand.Demand, error) {
	if c.Rate == nil && c.Growth == nil {
		return p.Traffic, nil
	}
	rate, growth := p.Traffic.Now(), p.Traffic.Growth()
	set(&rate, c.Rate)
	set(&growth, c.Growth)
	return p.Traffic.Changed(p.MadeAt, rate, growth)
}

func (c Change) apply(slo *SLO, policy *Policy) {
	set(&slo.P99, c.P99)
	set(&slo.Errors, c.Errors)
	set(&policy.Headroom, c.Headroom)
	set(&policy.CacheHitRate, c.CacheHitRate)
	set(&policy.SurviveReplica, c.SurviveReplica)
	if set(&policy.Zones, c.Zones); policy.Zones == 1 {
		policy.SurviveZone = false
	}
	set(&policy.SurviveZone, c.SurviveZone)
}

// set changes to where there is something to change it to.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
