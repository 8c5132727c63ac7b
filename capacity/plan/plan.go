// Package plan decides how many replicas a service needs in the periods to
// come, and says on what evidence, how far to trust it and until when. It
// joins what its siblings compute: the scalability law, ceilings of shared
// stages, latency at a load, demand, prices. A plan is a prediction: Grade
// compares it with what was measured afterwards.
package plan

import (
	"time"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/price"
)

// Version is of the form of a Plan as JSON.
const Version = 1

// Plan is what was decided, with everything that it rests on. It marshals to
// stable JSON: the same input gives the same bytes. Rates are requests a
// second, times seconds, shares 0…1, prices US dollars.
type Plan struct {
	Version    int       `json:"version"`
	System     string    `json:"system"`
	Service    string    `json:"service"`
	MadeAt     time.Time `json:"made_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	ExpiresWhy string    `json:"expires_why"`
	Summary    string    `json:"summary"`

	SLO     SLO            `json:"slo"`
	Policy  Policy         `json:"policy"`
	Traffic *demand.Demand `json:"traffic"`

	Evidence Evidence         `json:"evidence"`
	Curve    []Carried        `json:"curve"` // for 1, 2, 3… replicas
	Latency  *latency.Surface `json:"latency"`

	Bottleneck Bottleneck `json:"bottleneck"`
	Stages     []Outlook  `json:"stages,omitempty"`
	Periods    []Period   `json:"periods"`
	Scaling    Scaling    `json:"scaling"`
	Prices     *Prices    `json:"prices,omitempty"` // nil: replicas without known resources have no price

	Method   []string  `json:"method"`
	Limits   []string  `json:"limits"`
	Risks    []Risk    `json:"risks"`
	Triggers []Trigger `json:"triggers"`

	Inputs *Inputs `json:"inputs,omitempty"` // nil in plans of before it was kept
}

// Inputs is what the plan rests on and its other parts do not show. Rethink
// needs it.
type Inputs struct {
	CPU    float64     `json:"cpu"`              // cores of a replica; 0: not known
	Memory int64       `json:"memory"`           // bytes of a replica; 0: not known
	Start  float64     `json:"start"`            // until a replica is ready, seconds
	Prices *price.List `json:"prices,omitempty"` // nil where nothing has a price
}

// Evidence is what was measured, and the law that was fitted to it.
type Evidence struct {
	Measurements []Measurement      `json:"measurements"`
	Larger       *Larger            `json:"larger,omitempty"` // nil: there are none, or they say nothing of the law
	Law          capacity.Law       `json:"law"`              // of capacity.FitScaling
	SE           capacity.Estimates `json:"se"`
	CI95         capacity.Intervals `json:"ci95"`
	PeakN        *float64           `json:"peak_n"` // nil: the law has no peak
	LimitX       *float64           `json:"limit_x"`
	Sigma        float64            `json:"sigma"` // scatter of the measurements around the law, as a share
	DF           int                `json:"df"`
	MaxN         float64            `json:"max_n"` // the most replicas that were measured
	Stages       []Stage            `json:"stages,omitempty"`
	Concurrency  int                `json:"concurrency"` // requests that a replica works on at once
	ServiceTime  float64            `json:"service_time"`
	ServiceCV    float64            `json:"service_cv"`
	Outside      float64            `json:"outside"` // time of a request outside its replica
	Notes        []string           `json:"notes,omitempty"`
}

// Carried is what so many replicas carry, as requests that reach them.
type Carried struct {
	Replicas int     `json:"replicas"`
	X        float64 `json:"x"` // when saturated: the least of the law and of each stage's ceiling
	// Low and High hold one new measurement in 95 % of cases.
	Low          float64 `json:"low"`
	High         float64 `json:"high"`
	By           string  `json:"by"`           // what limits SLORate: "replicas", or a stage
	Extrapolated bool    `json:"extrapolated"` // beyond twice what was measured; the interval is widened
	// SLORate is the rate from clients that they bear within the SLO, by the
	// low end of the interval and with the cache as planned.
	SLORate float64 `json:"slo_rate"`
}

// Bottleneck is what gives way first, however many replicas there are.
type Bottleneck struct {
	Name string `json:"name"` // "replicas", or a stage
	// Limit is the requests a second from clients that are borne within the SLO
	// by the low ends of what was measured: no SLORate and no stage's limit that
	// the plan counts on is higher. Expected is the same by the law and the
	// ceilings themselves; 0 in plans of before it was kept.
	Limit    float64 `json:"limit"`
	Expected float64 `json:"expected,omitempty"`
	// ExpectedName is what gives way first then.
	ExpectedName string `json:"expected_name,omitempty"`
	Why          string `json:"why"`
	// Extrapolated tells that the replicas bear it only with more than twice
	// as many as were measured.
	Extrapolated bool `json:"extrapolated,omitempty"`
}

// Outlook is how long a shared stage will do.
type Outlook struct {
	Name        string  `json:"name"`
	Limit       float64 `json:"limit"`              // requests a second from clients, by the low end of its ceiling
	Expected    float64 `json:"expected,omitempty"` // the same by the ceiling itself; 0 in plans of before it was kept
	FirstUse    float64 `json:"first_use"`          // share of the limit at the high end of the first period's peak
	MostUse     float64 `json:"most_use"`           // and of the period with the highest
	BehindCache bool    `json:"behind_cache"`
	// RunsOut is the first period whose peak, at the high end of its band and
	// with headroom, it does not bear; "" when it lasts. RunsOutExpected is
	// the same for the expected peak.
	RunsOut         string `json:"runs_out,omitempty"`
	RunsOutExpected string `json:"runs_out_expected,omitempty"`
	// HitRates are what the response cache would have to answer for the stage
	// to last from now through a period.
	HitRates []HitRate `json:"hit_rates,omitempty"`
}

// HitRate is the share of requests that the cache must answer.
type HitRate struct {
	Through string  `json:"through"` // the period's label
	HitRate float64 `json:"hit_rate"`
}

// Period is what a period needs.
type Period struct {
	Label string      `json:"label"`
	From  time.Time   `json:"from"`
	To    time.Time   `json:"to"`
	Mean  demand.Band `json:"mean"`
	Peak  demand.Band `json:"peak"`

	Replicas int    `json:"replicas"`
	Decides  string `json:"decides"` // what asks for so many
	// Met tells that they bear the peak within the SLO. Uncertain ones bear it
	// by the law, but not by the low end of its interval.
	Met          bool   `json:"met"`
	Uncertain    bool   `json:"uncertain"`
	Extrapolated bool   `json:"extrapolated"` // more replicas than twice what was measured
	Why          string `json:"why,omitempty"`

	Utilization float64           `json:"utilization"`            // of the replicas at the expected peak
	P99         *latency.Estimate `json:"p99"`                    // then; nil: the load is too high to tell
	P99High     *latency.Estimate `json:"p99_high"`               // at the high end of the band
	ReplicaLost *latency.Estimate `json:"replica_lost,omitempty"` // p99 at the high end, one replica lost
	ZoneLost    *latency.Estimate `json:"zone_lost,omitempty"`
	Costs       []Cost            `json:"costs,omitempty"`
}

// Scaling is how the number of replicas should follow the load until the plan
// expires.
type Scaling struct {
	Min int `json:"min"`
	Max int `json:"max"`
	// Requests is what one replica should bear, a second; Concurrency is the
	// same as requests under way at once, by Little's law.
	Requests    float64 `json:"requests"`
	Concurrency float64 `json:"concurrency"`
	Signal      string  `json:"signal"` // which of the two to follow: "concurrency" or "requests"
	CPUPercent  int     `json:"cpu_percent"`
	UpSeconds   int     `json:"up_seconds"`
	DownSeconds int     `json:"down_seconds"`
	Why         string  `json:"why"`
}

// Prices is where costs come from.
type Prices struct {
	AsOf    time.Time `json:"as_of"`
	Sources []string  `json:"sources"`
}

// Cost is what the replicas of a period cost with one provider, if they all
// run all the time.
type Cost struct {
	Provider   string   `json:"provider"`
	Region     string   `json:"region"`
	Type       string   `json:"type"`
	PerMachine int      `json:"per_machine"`
	Machines   int      `json:"machines"`
	Monthly    float64  `json:"monthly"`
	PerMillion *float64 `json:"per_million"` // predictions at the period's mean rate; nil: none are expected
}

// Risk is what may make the plan wrong.
type Risk struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Trigger is what must be watched: when it happens, the plan is to be made
// anew.
type Trigger struct {
	Code  string  `json:"code"`
	When  string  `json:"when"`
	Above float64 `json:"above"` // the figure in When
	Then  string  `json:"then"`
}
