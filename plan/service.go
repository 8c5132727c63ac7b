package plan

import (
	"fmt"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// planService plans one service: start what is missing, move the requests,
// stop what is left over. While a new release is not complete, because one of
// its replicas failed and has to wait, the release before keeps the requests.
func planService(s Service, heal bool, now time.Time, observed []greenlight.Replica, routed []string) []Step {
	if s.Hold {
		return nil
	}
	p := &servicePlan{Service: s, heal: heal, now: now, observed: observed, routed: routed}
	p.start()
	if p.waiting && p.servedByOthers() {
		return p.steps
	}
	p.restart()
	p.route(p.targets, routeReason(routed, p.targets))
	for _, r := range byOrder(observed) {
		if !p.wanted[r.ID] {
			p.steps = append(p.steps, stop(r, s.surplusReason(r)))
		}
	}
	return p.steps
}

// servicePlan is the plan of one service as it grows.
type servicePlan struct {
	Service
	heal     bool
	now      time.Time
	observed []greenlight.Replica
	routed   []string

	wanted  map[string]bool
	targets []string // replicas that are to have the requests in the end
	waiting bool     // something that is wanted may not start yet
	steps   []Step
}

// start brings up what is wanted and does not run.
func (p *servicePlan) start() {
	byID := make(map[string]greenlight.Replica, len(p.observed))
	for _, r := range p.observed {
		byID[r.ID] = r
	}
	p.wanted = make(map[string]bool, p.Replicas)
	for n := 1; n <= p.Replicas; n++ {
		id := p.ReplicaID(n)
		p.wanted[id] = true
		r, exists := byID[id]
		kind, reason := p.begin(r, exists)
		switch {
		case p.heal && p.now.Before(r.NotBefore), kind != "" && p.Wait:
			p.waiting = true
		case kind != "":
			p.bring(kind, id, reason)
			p.targets = append(p.targets, id)
		case takesRequests(r):
			p.targets = append(p.targets, id)
		}
	}
}

// bring adds the start of a replica, which moves it to another address: where
// it was routed to, requests find nobody.
func (p *servicePlan) bring(kind Kind, id, reason string) {
	spec := p.Template
	spec.ID, spec.Service, spec.Release = id, p.Name, p.Release
	p.steps = append(p.steps, Step{Kind: kind, Service: p.Name, Replica: id, Release: p.Release, Spec: spec, Reason: reason})
	p.routed = slices.DeleteFunc(slices.Clone(p.routed), func(routed string) bool { return routed == id })
}

// restart renews the replicas that were asked for, one after the other, each
// while others have its requests.
func (p *servicePlan) restart() {
	for _, id := range p.Restart {
		others := slices.DeleteFunc(slices.Clone(p.targets), func(target string) bool { return target == id })
		if len(others) == 0 || len(others) == len(p.targets) || p.starts(id) {
			continue
		}
		p.route(others, id+" restarts")
		p.bring(RestartReplica, id, "a restart was asked for")
	}
}

// starts tells whether the plan starts the replica anyway.
func (p *servicePlan) starts(id string) bool {
	return slices.ContainsFunc(p.steps, func(s Step) bool { return s.Replica == id })
}

// route moves the requests to targets, unless they are there.
func (p *servicePlan) route(targets []string, reason string) {
	if slices.Equal(sorted(p.routed), sorted(targets)) {
		return
	}
	p.steps = append(p.steps, Step{Kind: Route, Service: p.Name, Release: p.Release, Targets: targets, Reason: reason})
	p.routed = targets
}

// servedByOthers says whether replicas of another release or generation take
// requests.
func (p *servicePlan) servedByOthers() bool {
	return slices.ContainsFunc(p.observed, func(r greenlight.Replica) bool { return !p.Owns(r) && takesRequests(r) })
}

func stop(r greenlight.Replica, reason string) Step {
	return Step{Kind: StopReplica, Service: r.Service, Replica: r.ID, Release: r.Release, Reason: reason}
}

// begin says how a wanted replica is brought up, and why; no kind when it
// needs nothing.
func (p *servicePlan) begin(r greenlight.Replica, exists bool) (Kind, string) {
	switch {
	case !exists:
		return StartReplica, p.firstReason()
	case !p.heal:
		return "", ""
	case r.State == greenlight.ReplicaFailed, r.State == greenlight.ReplicaCrashing:
		return StartReplica, "it had failed: " + orUnknown(r.Reason)
	case r.State == greenlight.ReplicaStopping:
		return RestartReplica, "it was asked to stop, but is wanted"
	case r.State == greenlight.ReplicaUnready && !p.now.Before(p.unreadyUntil(r)):
		return RestartReplica, fmt.Sprintf("it was unready for %s: %s", p.Template.StartGrace, orUnknown(r.Reason))
	}
	return "", ""
}

// firstReason is why a replica that nobody has seen is started.
func (p *servicePlan) firstReason() string {
	owned := slices.ContainsFunc(p.observed, p.Owns)
	switch {
	case len(p.observed) == 0:
		return "the service has no replica"
	case owned:
		return wantedReason(p.Replicas)
	case slices.ContainsFunc(p.observed, func(r greenlight.Replica) bool { return r.Release == p.Release }):
		return "the service restarts"
	}
	return fmt.Sprintf("release %.7s replaces %.7s", p.Release, p.observed[0].Release)
}

func wantedReason(n int) string { return counted(n, "is wanted", "are wanted") }

// unreadyUntil is when a replica that was ready and is not any more is replaced.
// Until then it may come back, as it had that long to come up: what it waits for
// may be what the others wait for too, and the gateway passes it by. One that
// hangs is found by its live check, and sooner.
func (s *Service) unreadyUntil(r greenlight.Replica) time.Time {
	return r.Since.Add(s.Template.StartGrace)
}

func orUnknown(reason string) string {
	if reason == "" {
		return "no reason is known"
	}
	return reason
}

// takesRequests says whether the gateway may send requests to the replica. A
// replica that is unready and not healed keeps its place: it may be the last.
func takesRequests(r greenlight.Replica) bool {
	return r.State == greenlight.ReplicaReady || r.State == greenlight.ReplicaUnready
}

func routeReason(before, after []string) string {
	switch {
	case len(before) == 0:
		return "its first replicas are ready"
	case len(after) == 0:
		return "no replica is wanted"
	case missing(before, after)+missing(after, before) == 0:
		return "its replicas have new addresses"
	}
	return movedReason(missing(before, after), missing(after, before))
}

// movedReason is how many replicas lose a service's requests and get them.
func movedReason(leave, join int) string {
	switch {
	case leave == 0:
		return counted(join, "joins", "join")
	case join == 0:
		return counted(leave, "leaves", "leave")
	}
	return fmt.Sprintf("%s, %d %s", counted(join, "joins", "join"), leave, verb(leave, "leaves", "leave"))
}

// counted is a sentence about so many replicas.
func counted(n int, one, more string) string {
	return fmt.Sprintf("%d %s %s", n, verb(n, "replica", "replicas"), verb(n, one, more))
}

func verb(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// missing counts the names of a that b lacks.
func missing(a, b []string) int {
	n := 0
	for _, name := range a {
		if !slices.Contains(b, name) {
			n++
		}
	}
	return n
}

func (s *Service) surplusReason(r greenlight.Replica) string {
	switch {
	case r.State == greenlight.ReplicaStopping:
		return "it was asked to stop and has not ended"
	case s.Replicas == 0:
		return "no replica is wanted"
	case r.Release != s.Release:
		return fmt.Sprintf("release %.7s replaces %.7s", s.Release, r.Release)
	case !s.Owns(r):
		return "the service restarts"
	}
	return wantedReason(s.Replicas)
}

// planRemoved stops the services that the description no longer has, those
// observed last first.
func planRemoved(services []Service, o Observed) []Step {
	kept := make(map[string]bool)
	for _, s := range services {
		kept[s.Name] = true
	}
	var steps []Step
	for _, service := range sortedKeys(o.Routed) {
		if !kept[service] && len(o.Routed[service]) > 0 {
			steps = append(steps, Step{Kind: Route, Service: service, Reason: "the description no longer has the service"})
		}
	}
	for _, r := range byOrder(o.Replicas) {
		if !kept[r.Service] {
			steps = append(steps, stop(r, "the description no longer has the service"))
		}
	}
	return steps
}
