package load

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/greenlight-dev/greenlight/observe"
)

// Server is what the system that runs the target saw of the test, from its
// first second to its last, the warm-up with it: only of a target that is a
// service of Greenlight.
type Server struct {
	Environment string `json:"environment"`
	Service     string `json:"service"`
	Release     string `json:"release"`
	// Ready is how many replicas took requests.
	Ready    Range           `json:"ready"`
	Replicas []ServerReplica `json:"replicas"`

	Rate     Range   `json:"rate"`      // requests a second at the gateway
	Errors   float64 `json:"errors"`    // share of them answered 5xx or not at all
	Mean     float64 `json:"mean"`      // seconds that a request took at the gateway
	P50      Range   `json:"p50"`       // of each second at the gateway, in seconds
	P99      Range   `json:"p99"`       // likewise
	InFlight Range   `json:"in_flight"` // requests under way, looked at once a second
	Held     int64   `json:"held"`      // most requests that waited for a sleeping service
	Queue    Range   `json:"queue"`     // seconds that a request waited to be computed; models only
	CPU      Range   `json:"cpu"`       // cores, all replicas together
	Memory   int64   `json:"memory"`    // most bytes resident, all replicas together
	// Quota is the cores that each replica may use, 0 without one.
	Quota float64 `json:"quota,omitempty"`
	// Throttling is nil where no control groups tell.
	Throttling *Throttling `json:"throttling,omitempty"`
	// Machine is nil where the service runs on another one.
	Machine *Machine `json:"machine,omitempty"`

	Seconds []ServerSecond `json:"seconds"`
}

// Range is how far a figure went.
type Range struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
}

// ServerReplica is what one replica used.
type ServerReplica struct {
	ID     string `json:"id"`
	CPU    Range  `json:"cpu"`    // cores
	Memory int64  `json:"memory"` // most bytes resident
	// Throttling is nil where no control group tells.
	Throttling *Throttling `json:"throttling,omitempty"`
}

// ServerSecond is one second as the gateway saw it.
type ServerSecond struct {
	At       float64 `json:"at"` // its end, in seconds after the start
	Rate     float64 `json:"rate"`
	Errors   float64 `json:"errors"` // share
	Mean     float64 `json:"mean"`   // of the requests that ended, in seconds
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	InFlight float64 `json:"in_flight"` // at its end
	Held     int64   `json:"held"`
	Queue    float64 `json:"queue"`
	CPU      float64 `json:"cpu"`
	Memory   int64   `json:"memory"`
	Ready    int     `json:"ready"`
}

// Observer collects what is seen of a service while a test runs.
type Observer struct {
	server   Server
	begun    time.Time
	last     time.Time
	replicas map[string]*replicaUse
	before   map[string]Throttling // by replica
}

type replicaUse struct {
	at  int // in server.Replicas
	cpu []float64
}

// NewObserver begins with a service and its release.
func NewObserver(environment, service, release string, begun time.Time) *Observer {
	return &Observer{
		server: Server{Environment: environment, Service: service, Release: release, Replicas: []ServerReplica{}, Seconds: []ServerSecond{}},
		begun:  begun, replicas: make(map[string]*replicaUse), before: make(map[string]Throttling),
	}
}

// Add takes one second, which ended at a time; it tells whether that is news:
// a second seen before, or from before the test, is left out.
func (o *Observer) Add(ended time.Time, s ServerSecond) bool {
	if !ended.After(o.last) || !ended.After(o.begun) {
		return false
	}
	o.last = ended
	s.At = ended.Sub(o.begun).Seconds()
	o.server.Seconds = append(o.server.Seconds, s)
	return true
}

// Begin takes the counters of a replica's control group from before the test.
func (o *Observer) Begin(id string, before *Throttling) {
	if before != nil && len(o.before) < MaxReplicas {
		o.before[id] = *before
	}
}

// MaxReplicas bounds how many replicas a result tells of.
const MaxReplicas = 1000

// AddReplica takes what one replica uses, and the counters of its control
// group where there is one.
func (o *Observer) AddReplica(id string, cpu float64, memory int64, throttled *Throttling) {
	use := o.replicas[id]
	if use == nil {
		if len(o.replicas) == MaxReplicas {
			return
		}
		use = &replicaUse{at: len(o.server.Replicas)}
		o.replicas[id] = use
		o.server.Replicas = append(o.server.Replicas, ServerReplica{ID: id})
	}
	r := &o.server.Replicas[use.at]
	use.cpu = append(use.cpu, cpu)
	r.Memory = max(r.Memory, memory)
	if throttled != nil {
		since := throttled.since(o.before[id]) // one that was started meanwhile had none before
		r.Throttling = &since
	}
}

// Server sums up a test that ended after some time; nil when none of its
// seconds was seen. Seconds that are mostly of before or after it are left
// out; of a short test, those that hold a third of it stay.
func (o *Observer) Server(length time.Duration) *Server {
	s := &o.server
	whole := length.Seconds()
	s.Seconds = slices.DeleteFunc(s.Seconds, func(second ServerSecond) bool {
		within := min(second.At, whole) - max(second.At-1, 0)
		return within < min(0.5, whole/3)
	})
	if len(s.Seconds) == 0 {
		return nil
	}
	column := func(value func(ServerSecond) float64) Range {
		values := make([]float64, len(s.Seconds))
		for i := range s.Seconds {
			values[i] = value(s.Seconds[i])
		}
		return rangeOf(values)
	}
	s.Rate = column(func(s ServerSecond) float64 { return s.Rate })
	s.P50 = column(func(s ServerSecond) float64 { return s.P50 })
	s.P99 = column(func(s ServerSecond) float64 { return s.P99 })
	s.InFlight = column(func(s ServerSecond) float64 { return s.InFlight })
	s.Queue = column(func(s ServerSecond) float64 { return s.Queue })
	s.CPU = column(func(s ServerSecond) float64 { return s.CPU })
	s.Ready = column(func(s ServerSecond) float64 { return float64(s.Ready) })
	var failed, spent, all float64
	for _, second := range s.Seconds {
		failed += second.Errors * second.Rate
		spent += second.Mean * second.Rate
		all += second.Rate
		s.Held, s.Memory = max(s.Held, second.Held), max(s.Memory, second.Memory)
	}
	if all > 0 {
		s.Errors, s.Mean = failed/all, spent/all
	}
	for _, use := range o.replicas {
		r := &s.Replicas[use.at]
		r.CPU = rangeOf(use.cpu)
		if r.Throttling != nil {
			if s.Throttling == nil {
				s.Throttling = &Throttling{}
			}
			s.Throttling.add(*r.Throttling)
		}
	}
	return s
}

func rangeOf(values []float64) Range {
	if len(values) == 0 {
		return Range{}
	}
	r := Range{Min: values[0], Max: values[0]}
	for _, v := range values {
		r.Min, r.Max = min(r.Min, v), max(r.Max, v)
		r.Mean += v / float64(len(values))
	}
	return r
}

// Throttling is how often a control group used up its quota of processor time
// and had to wait (the kernel's cpu.stat).
type Throttling struct {
	Periods   int64   `json:"periods"`   // that the group ran in, 0.1 s each where nobody says otherwise
	Throttled int64   `json:"throttled"` // of them
	Seconds   float64 `json:"seconds"`   // that its threads waited, all added up
}

func (t Throttling) since(before Throttling) Throttling {
	return Throttling{t.Periods - before.Periods, t.Throttled - before.Throttled, max(0, t.Seconds-before.Seconds)}
}

func (t *Throttling) add(o Throttling) {
	t.Periods += o.Periods
	t.Throttled += o.Throttled
	t.Seconds += o.Seconds
}

// Share is how many of the periods were throttled.
func (t Throttling) Share() float64 {
	if t.Periods <= 0 {
		return 0
	}
	return float64(t.Throttled) / float64(t.Periods)
}

// ServerRow is one line of evidence.
type ServerRow struct{ Name, Value string }

// Rows are the evidence as a person reads it.
func (s *Server) Rows() []ServerRow {
	rows := []ServerRow{
		{"replicas ready", rangeText(s.Ready, plainNumber)},
		{"CPU", fmt.Sprintf("%.2f cores in the mean, %.2f at most", s.CPU.Mean, s.CPU.Max)},
		{"memory", megabytes(s.Memory) + " at most"},
		{"gateway p50, each second", rangeText(s.P50, gatewayTime)},
		{"gateway p99, each second", rangeText(s.P99, gatewayTime)},
	}
	if row, known := s.inFlightRow(); known {
		rows = append(rows, row)
	}
	if s.Errors > 0 {
		rows = append(rows, ServerRow{"answered 5xx or not at all", percent(s.Errors)})
	}
	if s.Queue.Max > 0 {
		rows = append(rows, ServerRow{"wait to be computed", rangeText(s.Queue, Seconds)})
	}
	if s.Held > 0 {
		rows = append(rows, ServerRow{"held while it slept", fmt.Sprintf("%d at most", s.Held)})
	}
	if t := s.Throttling; t != nil {
		said := fmt.Sprintf("not in one of %d periods of the CPU quota", t.Periods)
		if t.Throttled > 0 {
			said = fmt.Sprintf("in %s of the periods of the CPU quota, for %s in all", percent(t.Share()), Seconds(t.Seconds))
		}
		rows = append(rows, ServerRow{"throttled", said})
	}
	return rows
}

// lookEvery is how far the looks at the requests under way lie apart, in
// seconds.
const lookEvery = 1

// inService is how many requests were under way in the mean. Looks once a
// second miss those that take less, of which rate × mean time tells (Little's
// law); of longer ones, which may not have ended, the looks do.
func (s *Server) inService() (n float64, looked bool) {
	if s.Mean > 0 && s.Mean < lookEvery {
		return s.Rate.Mean * s.Mean, false
	}
	return s.InFlight.Mean, true
}

func (s *Server) inFlightRow() (ServerRow, bool) {
	if n, looked := s.inService(); !looked {
		return ServerRow{"in flight, rate × time", fmt.Sprintf("%.3g in the mean: %s × %s", n, PerSecond(s.Rate.Mean), Seconds(s.Mean))}, true
	}
	return ServerRow{"in flight, sampled", fmt.Sprintf("%.1f in the mean, %.0f at most", s.InFlight.Mean, s.InFlight.Max)}, s.InFlight.Max > 0
}

// gatewayTime is a percentile as the gateway knows it.
func gatewayTime(v float64) string {
	if v > 0 && v < observe.Finest {
		return "under " + Seconds(observe.Finest)
	}
	return Seconds(v)
}

// rangeText is one value, or from where to where.
func rangeText(r Range, write func(float64) string) string {
	from, to := write(r.Min), write(r.Max)
	if from == to {
		return to
	}
	return from + " to " + to
}

func (s *Server) writeText(out io.Writer) {
	fmt.Fprintf(out, "\nwhat %s/%s saw, release %s:\n", s.Environment, s.Service, s.Release)
	for _, row := range s.Rows() {
		fmt.Fprintf(out, "  %-25s %s\n", row.Name, row.Value)
	}
}
