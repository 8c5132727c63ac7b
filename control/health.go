package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/release"
	"github.com/greenlight-dev/greenlight/spec"
)

// Status is everything at this moment, from memory alone.
func (p *Plane) Status(context.Context) (Status, error) {
	samples := p.options.Sampler.Latest()
	gateway := p.front.process()
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Status{Control: p.options.Process, Gateway: gateway, Environments: make([]Environment, 0, len(p.environments))}
	if p.ending {
		out.Control.Note = "everything is being stopped"
	}
	for _, name := range p.environmentNames() {
		out.Environments = append(out.Environments, p.environments[name].status(samples))
	}
	return out, nil
}

// status is the environment as it is; the lock is held.
func (e *environment) status(samples map[string]observe.Sample) Environment {
	v := e.version
	env := v.System.Environment
	out := Environment{
		Name: e.name, System: v.System.Name, Backend: env.Backend, Owner: env.Owner, Drift: env.Drift,
		Revision: v.desired.Revision, AppliedAt: v.desired.AppliedAt, AppliedBy: v.desired.AppliedBy, Source: v.Source,
		Health: Good, Services: make([]Service, 0, len(v.System.Services)),
	}
	byService := e.byService()
	for i := range v.System.Services {
		s := e.serviceStatusOf(&v.System.Services[i], byService[v.System.Services[i].Name], samples)
		if s.Health != Good && s.Health != Asleep && worse(s.Health, out.Health) {
			out.Health, out.Note = s.Health, s.Name+": "+s.Note
		}
		out.Services = append(out.Services, s)
	}
	switch {
	case e.problem != "":
		out.Note = clip(e.problem, maxMessage)
		out.Health = worst(out.Health, Degraded)
	case len(e.drifted) > 0:
		out.Note = "a file differs from its release"
		if n := len(e.drifted); n > 1 {
			out.Note = fmt.Sprintf("%d files differ from their release", n)
		}
		out.Health = worst(out.Health, Degraded)
	case out.Note == "":
		out.Note = "as described"
	}
	return out
}

func (e *environment) byService() map[string][]greenlight.Replica {
	lists := make(map[string][]greenlight.Replica, len(e.version.System.Services))
	for _, r := range e.replicas {
		lists[r.Service] = append(lists[r.Service], r)
	}
	return lists
}

// serviceStatus is one service as it is; the lock is held.
func (e *environment) serviceStatus(s *spec.Service, samples map[string]observe.Sample) Service {
	return e.serviceStatusOf(s, e.byService()[s.Name], samples)
}

func (e *environment) serviceStatusOf(s *spec.Service, replicas []greenlight.Replica, samples map[string]observe.Sample) Service {
	address := e.plane.options.Keeper.Status().Address
	digest := e.version.Releases[s.Name]
	out := Service{
		Name: s.Name, Kind: s.Kind(), Release: release.Short(digest), Desired: e.wanted(s), Scaling: e.scaling(s),
		URLs: e.plane.front.URLs(e.name, s.Name, address), Replicas: make([]Replica, 0, len(replicas)), Traffic: samples[e.name+"/"+s.Name],
		Alerts: e.plane.alerts[e.name+"/"+s.Name],
	}
	slices.SortFunc(replicas, func(a, b greenlight.Replica) int {
		return cmp.Or(-order(a.Release == digest, b.Release == digest), compareIDs(a.ID, b.ID))
	})
	for _, r := range replicas {
		used := e.plane.options.Sampler.Replica(e.name, r.ID)
		if r.State == greenlight.ReplicaReady {
			out.Ready++
		}
		out.Replicas = append(out.Replicas, Replica{
			ID: r.ID, PID: r.PID, Address: r.Address, State: r.State, Reason: r.Reason, Release: release.Short(r.Release),
			Restarts: r.Restarts, Since: r.Since, InFlight: used.InFlight, CPU: used.CPU, Memory: used.Memory,
		})
	}
	out.Health, out.Note = e.judge(s, replicas, out.Ready)
	return out
}

// order is 1 where only a holds, -1 where only b does.
func order(a, b bool) int {
	switch {
	case a && !b:
		return 1
	case b && !a:
		return -1
	}
	return 0
}

// compareIDs sorts shorter names first, so that the tenth replica follows the
// ninth.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// scaling says how the number of a service's replicas is decided.
func (e *environment) scaling(s *spec.Service) Scaling {
	out := Scaling{Min: s.Replicas.Min, Max: s.Replicas.Max, Target: targetText(s.Replicas.Target)}
	if v, ok := e.scaleOf(s); ok {
		out.Manual, out.Reason, out.At = v.Manual, v.Reason, v.At
	}
	return out
}

func targetText(t spec.Target) string {
	switch {
	case t.Concurrency > 0:
		return "concurrency " + strconv.Itoa(t.Concurrency)
	case t.Requests > 0:
		return "requests " + t.Requests.String()
	case t.CPU > 0:
		return "cpu " + t.CPU.String()
	case t.Queue > 0:
		return "queue " + t.Queue.String()
	}
	return ""
}

// tally counts a service's replicas by what they mean for its health.
type tally struct {
	current  int // ready ones of the release and generation that are wanted
	routed   int // of these, those that the gateway sends requests to
	old      int // of another one, in whatever state
	oldOf    string
	starting int
	bad      []greenlight.Replica // that ended, crash or do not answer
}

func (e *environment) tally(s *spec.Service, replicas []greenlight.Replica) tally {
	var t tally
	digest := e.version.Releases[s.Name]
	wanted := plan.Service{Name: s.Name, Release: digest, Generation: e.generationOf(s.Name).Number}
	for _, r := range replicas {
		switch owned := wanted.Owns(r); {
		case !owned:
			t.old++
			if r.Release != digest {
				t.oldOf = release.Short(r.Release)
			}
		case r.State == greenlight.ReplicaReady:
			t.current++
			if e.plane.front.routes(e.name, s.Name, r.ID) {
				t.routed++
			}
		case r.State == greenlight.ReplicaStarting:
			t.starting++
		case r.State != greenlight.ReplicaStopping:
			t.bad = append(t.bad, r)
		}
	}
	return t
}

// judge says how a service is and, unless it is as it should be, why.
func (e *environment) judge(s *spec.Service, replicas []greenlight.Replica, ready int) (Health, string) {
	want := e.wanted(s)
	t := e.tally(s, replicas)
	trouble := e.trouble(s, t)
	switch {
	case want == 0 && ready == 0:
		return Asleep, e.asleepNote(s)
	case want == 0:
		return Changing, "its replicas stop"
	case trouble != "" && ready == 0:
		return Down, trouble
	case trouble != "" && t.oldOf != "":
		return Degraded, fmt.Sprintf("%s; release %s serves on", trouble, t.oldOf)
	case trouble != "":
		return Degraded, trouble
	case t.current == want && t.routed == want && t.old == 0:
		return Good, ""
	}
	return Changing, e.progress(s, t, want)
}

// trouble is what keeps a service from being as it should be, "" for nothing
// but time.
func (e *environment) trouble(s *spec.Service, t tally) string {
	retry := e.retries[s.Name]
	switch {
	case len(t.bad) > 0 && retry.stuck:
		return clip(lineOf(t.bad[0])+"; it is not healed: "+retry.reason, maxMessage)
	case len(t.bad) > 0:
		return clip(lineOf(t.bad[0]), maxMessage)
	case retry.reason != "":
		return clip(retry.reason, maxMessage)
	}
	return ""
}

func (e *environment) asleepNote(s *spec.Service) string {
	switch v, ok := e.scaleOf(s); {
	case ok && v.Manual:
		return "no replicas: " + v.Reason
	case s.Replicas.Max == 0:
		return "no replicas, as described"
	}
	return "asleep: the next request wakes it"
}

// progress says how far a change has come.
func (e *environment) progress(s *spec.Service, t tally, want int) string {
	ready := fmt.Sprintf("%d of %d replicas ready", t.current, want)
	switch {
	case t.oldOf != "":
		return fmt.Sprintf("release %s replaces %s: %s", release.Short(e.version.Releases[s.Name]), t.oldOf, ready)
	case t.current == 0 && e.waitsForOthers(s):
		return "waits for " + joined(s.DependsOn)
	case t.old > 0:
		return "restarting: " + ready
	case t.current == want && t.old == 0:
		return "ready; the gateway is about to send them requests"
	case t.current > want:
		return fmt.Sprintf("%d replicas stop: %d are wanted", t.current-want, want)
	}
	return "starting: " + ready
}

// rank orders healths, the best first.
var rank = []Health{Good, Asleep, Changing, Degraded, Down}

func worse(a, b Health) bool { return slices.Index(rank, a) > slices.Index(rank, b) }

func worst(a, b Health) Health {
	if worse(a, b) {
		return a
	}
	return b
}

// Replicas are those of all environments, as they were told of last.
func (p *Plane) Replicas() []greenlight.Replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []greenlight.Replica
	for _, e := range p.environments {
		for _, r := range e.replicas {
			list = append(list, r)
		}
	}
	return list
}
