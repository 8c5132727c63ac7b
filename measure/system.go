package measure

import (
	"context"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

// Plane is the control plane of the system that is measured.
type Plane interface {
	Status(ctx context.Context) (control.Status, error)
	Scale(ctx context.Context, environment, service string, to control.ScaleTo) (control.Service, error)
	Apply(ctx context.Context, environment string, d control.Description) (control.Applied, error)
}

// Place is where requests of the service or of a stage go, or the operation by
// which a stage is measured.
type Place struct {
	Target    *load.Target
	Mix       *load.Mix
	Operation *load.Operation // instead of Target and Mix
	Timeout   time.Duration   // for one answer
	// Room is how many clients it takes now, and why no more; nil is as many
	// as come.
	Room func(ctx context.Context) (clients int, why string, err error)
}

// System is a Subject behind a control plane: one that was brought up to be
// measured and nothing else.
type System struct {
	Plane                Plane
	Environment, Service string
	// Describe is the description with every replica held to so many cores.
	Describe func(cores float64) (control.Description, error)
	// Places are where requests go, by stage; "" is the service.
	Places   map[string]Place
	Patience time.Duration // until a change is made
	Wait     time.Duration // for idle cores; 0: none is asked for

	// Memory is the most that a replica had resident, in bytes, and Start how
	// long one took until it was ready, both as far as it was seen.
	Memory int64
	Start  time.Duration

	limit    float64
	replicas int
}

// Scale changes the number of replicas.
func (s *System) Scale(ctx context.Context, n int) error {
	if _, err := s.Plane.Scale(ctx, s.Environment, s.Service, control.ScaleTo{Replicas: &n}); err != nil {
		return err
	}
	begin, before := time.Now(), s.replicas
	s.replicas = n
	err := s.settle(ctx, func(v *control.Service) bool { return v.Desired == n && len(v.Replicas) == n })
	if before > 0 && n > before {
		s.Start = max(s.Start, time.Since(begin))
	}
	return err
}

// Limit applies the description anew; replicas are replaced.
func (s *System) Limit(ctx context.Context, cores float64) error {
	if s.limit == cores {
		return nil
	}
	d, err := s.Describe(cores)
	if err != nil {
		return err
	}
	before, err := s.status(ctx)
	if err != nil {
		return err
	}
	applied, err := s.Plane.Apply(ctx, s.Environment, d)
	if err != nil {
		return err
	}
	s.limit = cores
	return s.settle(ctx, func(v *control.Service) bool {
		return len(v.Replicas) == v.Desired && (!applied.Changed || before.service == nil || v.Release != before.service.Release)
	})
}

// state is what matters of a status.
type state struct {
	service *control.Service
	gateway int
}

func (s *System) status(ctx context.Context) (state, error) {
	status, err := s.Plane.Status(ctx)
	if err != nil {
		return state{}, err
	}
	found := state{gateway: status.Gateway.PID}
	for i := range status.Environments {
		for j := range status.Environments[i].Services {
			if v := &status.Environments[i].Services[j]; status.Environments[i].Name == s.Environment && v.Name == s.Service {
				found.service = v
			}
		}
	}
	return found, nil
}

// settle waits until the service is as wanted and all of its replicas take
// requests.
func (s *System) settle(ctx context.Context, as func(*control.Service) bool) error {
	deadline := time.Now().Add(s.Patience)
	for {
		found, err := s.status(ctx)
		if err != nil {
			return err
		}
		v := found.service
		if v != nil && found.gateway != 0 && as(v) && allReady(v) {
			return nil
		}
		if time.Now().After(deadline) || v != nil && crashing(v) {
			return s.late(v)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func allReady(v *control.Service) bool {
	for _, r := range v.Replicas {
		if r.State != greenlight.ReplicaReady || r.Release != v.Release {
			return false
		}
	}
	return v.Ready == v.Desired
}

func crashing(v *control.Service) bool {
	return slices.ContainsFunc(v.Replicas, func(r control.Replica) bool { return r.State == greenlight.ReplicaCrashing })
}

func (s *System) late(v *control.Service) error {
	if v == nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s is not there after %s", s.Service, s.Patience)
	}
	why := v.Note
	for _, r := range v.Replicas {
		if r.Reason != "" {
			why = r.Reason
		}
	}
	return greenlight.Errorf(greenlight.CodeUnavailable, "%s has %d of %d replicas ready: %s", s.Service, v.Ready, v.Desired, why)
}

// Load runs one load test and reads what the processes used meanwhile.
func (s *System) Load(ctx context.Context, t Traffic) (Reading, error) {
	place, ok := s.Places[t.Stage]
	if !ok {
		return Reading{}, greenlight.Errorf(greenlight.CodeInvalid, "no requests are known for the stage %q", t.Stage)
	}
	found, err := s.status(ctx)
	if err != nil {
		return Reading{}, err
	}
	var pids []int
	if found.service != nil {
		for _, r := range found.service.Replicas {
			pids = append(pids, r.PID)
			s.Memory = max(s.Memory, r.Memory)
		}
	}
	o := load.Options{
		Target: place.Target, Mix: place.Mix, Operation: place.Operation, Timeout: place.Timeout,
		Clients: t.Clients, Warmup: t.Warmup, Duration: t.Warmup + t.Duration, KeepGoing: true,
	}
	if t.Rate > 0 {
		o.Clients, o.Connections = 0, openConnections
		if o.Arrivals, err = load.Constant(t.Rate, t.Warmup+t.Duration); err != nil {
			return Reading{}, err
		}
	}
	return s.watch(ctx, o, pids, found.gateway)
}

// Room asks a stage that knows its bounds.
func (s *System) Room(ctx context.Context, stage string) (Room, error) {
	ask := s.Places[stage].Room
	if ask == nil {
		return Room{}, nil
	}
	clients, why, err := ask(ctx)
	if err == nil && clients < 1 {
		err = greenlight.Errorf(greenlight.CodeUnavailable, "the stage %s has no connection left: %s", stage, why)
	}
	return Room{clients, why}, err
}

// calmFor is how long cores must be idle to count.
const calmFor = 500 * time.Millisecond

// Calm watches what other processes leave, while nothing here is under load.
func (s *System) Calm(ctx context.Context, cores float64) (bool, error) {
	if s.Wait == 0 {
		return true, nil
	}
	for deadline := time.Now().Add(s.Wait); ; {
		before, err := idleTime()
		if err != nil {
			return false, err
		}
		begin := time.Now()
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(calmFor):
		}
		after, err := idleTime()
		if err != nil {
			return false, err
		}
		if (after-before).Seconds()/time.Since(begin).Seconds() >= cores {
			return true, nil
		}
		if time.Now().After(deadline) {
			return false, nil
		}
	}
}

// openConnections bounds requests at once where a rate is asked for.
const openConnections = 64

func (s *System) watch(ctx context.Context, o load.Options, pids []int, gateway int) (Reading, error) {
	first := make(chan snapshot, 1)
	timer := time.AfterFunc(o.Warmup, func() { first <- take(pids, gateway) })
	defer timer.Stop()
	result, err := load.Run(ctx, o)
	if err != nil {
		return Reading{}, err
	}
	if ctx.Err() != nil {
		return Reading{}, ctx.Err()
	}
	last := take(pids, gateway)
	before := <-first
	if before.err != nil {
		return Reading{}, before.err
	}
	if last.err != nil {
		return Reading{}, last.err
	}
	r := last.since(before, pids, gateway)
	good := float64(result.Requests - result.Errors)
	r.Rate, r.Errors = good/result.Elapsed, result.ErrorShare()
	r.Mean, r.P99 = result.Service.Mean, result.Service.P99
	r.Times, r.Failure = result.ServiceTimes, result.Failure
	if result.Void {
		r.Void = result.VoidReason
	}
	if result.Stopped != "" {
		r.Void = result.Stopped
	}
	return r, nil
}
