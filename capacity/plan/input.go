package plan

import (
	"regexp"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/price"
)

// Bounds of an input.
const (
	MaxReplicas = 1_000 // as many as greenlight.yaml takes
	maxStages   = 20
	maxNotes    = 50
	maxCores    = 1_000
)

// Input is what a plan is made from.
type Input struct {
	System, Service string
	At              time.Time // when the plan is made

	Measurements []Measurement // at least four, at three different N
	Larger       *Larger       // nil: no larger replicas were measured, or they waited for something
	Stages       []Stage
	Latency      Latency
	SLO          SLO
	Demand       *demand.Demand
	Policy       Policy
	Replica      Replica
	Prices       *price.List // nil: price.Default
	Notes        []string    // on the evidence: machine, release, versions
}

// Measurement is the throughput of N saturated replicas.
type Measurement struct {
	N      float64 `json:"n"`
	X      float64 `json:"x"`             // requests a second
	P99    float64 `json:"p99,omitempty"` // 0: not measured
	Errors float64 `json:"errors"`        // share of the requests
}

// Larger is the throughput of saturated replicas with more cores than the
// planned ones have. They drove all that they share as more replicas would, and
// nothing of it gave way: so it stands for that of As planned ones, as one
// measurement more.
type Larger struct {
	Replicas int     `json:"replicas"`
	Cores    float64 `json:"cores"` // of each
	As       float64 `json:"as"`    // how many planned replicas have as many cores
	X        float64 `json:"x"`     // requests a second; the mean of the runs
	Runs     int     `json:"runs"`
	// Deviation is the standard deviation of X as that of As planned ones, as
	// a share: scatter of the runs, and what larger ones may do otherwise.
	Deviation float64 `json:"deviation"`
}

// Stage is something that all replicas share: the gateway, a database, a
// cache. Its ceiling was measured with it alone under load.
type Stage struct {
	Name       string  `json:"name"`
	Ceiling    float64 `json:"ceiling"` // operations a second
	Low        float64 `json:"low"`     // its 95 % interval
	High       float64 `json:"high"`
	PerRequest float64 `json:"per_request"` // operations for each request that gets to it; 0 is 1
	// BehindCache tells that it sees only what the response cache does not
	// answer, as the replicas do.
	BehindCache bool `json:"behind_cache"`
	// Driven is the share of the ceiling up to which it was really driven.
	Driven float64 `json:"driven,omitempty"`
}

// Interval is half the width of the ceiling's interval, as a share of it.
func (s Stage) Interval() float64 { return (s.High - s.Low) / 2 / s.Ceiling }

// MostStageInterval is the interval of a stage above which its ceiling says
// little.
const MostStageInterval = 0.3

// Latency is how a single request is served.
type Latency struct {
	Surface *latency.Surface
	Outside float64 // seconds of a request outside its replica: gateway, network
}

// SLO is what is promised.
type SLO struct {
	P99    float64 `json:"p99"`    // seconds at most
	Errors float64 `json:"errors"` // share at most
}

// Check tells what of the SLO nobody can promise: CodeInvalid.
func (s SLO) Check() error {
	switch {
	case !(s.P99 > 0 && s.P99 <= 3600):
		return invalid("the SLO's p99 is %v s; it must be above 0 and at most 3600", s.P99)
	case !(s.Errors >= 0 && s.Errors < 1):
		return invalid("the SLO's errors are %v; they are a share from 0 to below 1", s.Errors)
	}
	return nil
}

// Policy is how careful to be.
type Policy struct {
	Headroom       float64 `json:"headroom"` // load beyond the forecast that must be borne, as a share: 0.3
	Zones          int     `json:"zones"`    // over which replicas are spread evenly; 0 is 1
	SurviveReplica bool    `json:"survive_replica"`
	SurviveZone    bool    `json:"survive_zone"`
	CacheHitRate   float64 `json:"cache_hit_rate"` // share that the response cache answers, 0…0.99
	// StageUse is the share of a stage's ceiling up to which it is planned,
	// because its own queue is not simulated; 0 is 0.8.
	StageUse    float64 `json:"stage_use"`
	MinReplicas int     `json:"min_replicas"` // 0 is 1
	MaxReplicas int     `json:"max_replicas"` // 0 is MaxReplicas
	// MaxError is by what share a measurement may differ from the plan before
	// Grade says that it has expired; 0 is 0.2.
	MaxError float64 `json:"max_error"`
}

// Replica is what one replica takes.
type Replica struct {
	CPU    float64 // cores; 0: not known
	Memory int64   // bytes; 0: not known
	Start  time.Duration
}

func (in Input) checked() (Input, error) {
	in.Policy = in.Policy.filled()
	if in.Prices == nil {
		in.Prices = price.Default()
	}
	stages := make([]Stage, len(in.Stages))
	for i, s := range in.Stages {
		if s.PerRequest == 0 {
			s.PerRequest = 1
		}
		stages[i] = s
	}
	in.Stages = stages
	for _, check := range []func() error{in.checkWhat, in.Policy.check, in.checkStages, in.checkEvidence} {
		if err := check(); err != nil {
			return in, err
		}
	}
	return in, nil
}

func (p Policy) filled() Policy {
	for _, d := range []struct {
		field *float64
		value float64
	}{{&p.StageUse, 0.8}, {&p.MaxError, 0.2}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if p.MaxReplicas == 0 {
		p.MaxReplicas = MaxReplicas
	}
	p.Zones, p.MinReplicas = max(p.Zones, 1), max(p.MinReplicas, 1)
	return p
}

// Check tells what of the policy no plan can be made by: CodeInvalid.
func (p Policy) Check() error { return p.filled().check() }

func (p Policy) check() error {
	switch {
	case !(p.Headroom >= 0 && p.Headroom <= 10):
		return invalid("headroom is %v; it is a share of the load, from 0 to 10", p.Headroom)
	case p.Zones > 100:
		return invalid("%d zones; at most 100", p.Zones)
	case p.SurviveZone && p.Zones < 2:
		return invalid("a service in one zone cannot survive the loss of it; spread it over two or more")
	case !(p.CacheHitRate >= 0 && p.CacheHitRate <= 0.99):
		return invalid("the cache's hit rate is %v; it is a share from 0 to 0.99", p.CacheHitRate)
	case !(p.StageUse > 0 && p.StageUse <= 1):
		return invalid("stage use is %v; it is a share above 0 and at most 1", p.StageUse)
	case p.MaxReplicas > MaxReplicas || p.MinReplicas > p.MaxReplicas:
		return invalid("from %d to %d replicas; the most is %d", p.MinReplicas, p.MaxReplicas, MaxReplicas)
	case !(p.MaxError > 0 && p.MaxError <= 1):
		return invalid("the largest error is %v; it is a share above 0 and at most 1", p.MaxError)
	}
	return nil
}

// label is what greenlight.yaml and Kubernetes take as a name.
var label = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (in Input) checkWhat() error {
	switch {
	case in.System == "" || in.Service == "":
		return invalid("a plan needs the name of the system and of the service")
	case !label.MatchString(in.Service):
		return invalid("service %q: a name has lower-case letters, digits and -, at most 63 of them", in.Service)
	case in.At.IsZero():
		return invalid("a plan needs the date on which it is made")
	case in.Demand == nil || len(in.Demand.Periods) == 0:
		return invalid("a plan needs demand: a measured series, or a stated rate and growth")
	case !(in.Replica.CPU >= 0 && in.Replica.CPU <= 10_000) || in.Replica.Memory < 0 || in.Replica.Start < 0 || in.Replica.Start > 24*time.Hour:
		return invalid("a replica of %v cores and %d bytes that starts in %s: a figure is outside what is possible", in.Replica.CPU, in.Replica.Memory, in.Replica.Start)
	case len(in.Notes) > maxNotes:
		return invalid("%d notes; at most %d", len(in.Notes), maxNotes)
	}
	return in.SLO.Check()
}

func (in Input) checkStages() error {
	if len(in.Stages) > maxStages {
		return invalid("%d stages; at most %d", len(in.Stages), maxStages)
	}
	seen := map[string]bool{byReplicas: true}
	for _, s := range in.Stages {
		switch {
		case s.Name == "" || seen[s.Name]:
			return invalid("stage %q: each needs a name of its own, other than %q", s.Name, byReplicas)
		case !(s.Low > 0 && s.Low <= s.Ceiling && s.Ceiling <= s.High && s.High <= 1e12):
			return invalid("stage %s: the ceiling is %v with the interval %v to %v; want 0 < low ≤ ceiling ≤ high", s.Name, s.Ceiling, s.Low, s.High)
		case !(s.PerRequest > 0 && s.PerRequest <= 1e6):
			return invalid("stage %s: %v operations for each request; want above 0 and at most 1000000", s.Name, s.PerRequest)
		case !(s.Driven >= 0 && s.Driven <= 1):
			return invalid("stage %s: driven to %v; it is a share from 0 to 1", s.Name, s.Driven)
		}
		seen[s.Name] = true
	}
	return nil
}

func (in Input) checkEvidence() error {
	if l := in.Larger; l != nil && (l.Replicas < 1 || l.Replicas > MaxReplicas || l.Runs < 1 || !(l.Cores > 0 && l.Cores <= maxCores)) {
		return invalid("larger replicas: %d of %v cores in %d runs; want 1 to %d, above 0 to %d cores, and a run", l.Replicas, l.Cores, l.Runs, MaxReplicas, maxCores)
	}
	for i, m := range in.Measurements {
		if !(m.Errors >= 0 && m.Errors <= 1) || !(m.P99 >= 0 && m.P99 <= 1e6) {
			return invalid("measurement %d: errors are %v and p99 %v s; want a share from 0 to 1 and a time", i+1, m.Errors, m.P99)
		}
	}
	if in.Latency.Surface == nil {
		return invalid("a plan needs the latency surface of a replica")
	}
	if err := in.Latency.Surface.Check(); err != nil {
		return err
	}
	if !(in.Latency.Outside >= 0 && in.Latency.Outside < in.SLO.P99) {
		return invalid("a request spends %v s outside its replica; the SLO's p99 of %v s must leave some time", in.Latency.Outside, in.SLO.P99)
	}
	return nil
}

// fit is the law of what was measured.
func (in Input) fit() (*capacity.Fit, error) {
	points := make([]capacity.Point, len(in.Measurements))
	for i, m := range in.Measurements {
		points[i] = capacity.Point{N: m.N, X: m.X}
	}
	if in.Larger == nil {
		return capacity.FitScaling(points)
	}
	return capacity.FitScaling(points, capacity.StandIn{Point: capacity.Point{N: in.Larger.As, X: in.Larger.X}, Deviation: in.Larger.Deviation})
}

func invalid(format string, args ...any) error {
	return greenlight.Errorf(greenlight.CodeInvalid, format, args...)
}
