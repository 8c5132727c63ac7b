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
	wanted := make(map[string]bool, s.Replicas)
	byID := make(map[string]greenlight.Replica, len(observed))
	for _, r := range observed {
		byID[r.ID] = r
	}
	var steps []Step
	var targets []string
	waiting := false
	for n := 1; n <= s.Replicas; n++ {
		id := ReplicaID(s.Name, s.Release, n)
		wanted[id] = true
		r, exists := byID[id]
		if heal && now.Before(r.NotBefore) {
			waiting = true
			continue
		}
		if kind, reason := s.begin(r, exists, heal, len(observed) > 0); kind != "" {
			steps = append(steps, s.start(kind, id, reason))
			targets = append(targets, id)
		} else if takesRequests(r) {
			targets = append(targets, id)
		}
	}
	if waiting && s.servedByAnother(observed) {
		return steps
	}
	if !slices.Equal(sorted(routed), sorted(targets)) {
		steps = append(steps, Step{Kind: Route, Service: s.Name, Release: s.Release, Targets: targets, Reason: routeReason(routed, targets)})
	}
	for _, r := range byOrder(observed) {
		if !wanted[r.ID] && r.State != greenlight.ReplicaStopping {
			steps = append(steps, stop(r, s.surplusReason(r)))
		}
	}
	return steps
}

// servedByAnother says whether replicas of another release take requests.
func (s *Service) servedByAnother(observed []greenlight.Replica) bool {
	return slices.ContainsFunc(observed, func(r greenlight.Replica) bool {
		return r.Release != s.Release && takesRequests(r)
	})
}

func (s *Service) start(kind Kind, id, reason string) Step {
	spec := s.Template
	spec.ID, spec.Service, spec.Release = id, s.Name, s.Release
	return Step{Kind: kind, Service: s.Name, Replica: id, Release: s.Release, Spec: spec, Reason: reason}
}

func stop(r greenlight.Replica, reason string) Step {
	return Step{Kind: StopReplica, Service: r.Service, Replica: r.ID, Release: r.Release, Reason: reason}
}

// begin says how a wanted replica is brought up, and why; no kind when it
// needs nothing.
func (s *Service) begin(r greenlight.Replica, exists, heal, others bool) (Kind, string) {
	switch {
	case !exists && others:
		return StartReplica, fmt.Sprintf("release %.7s wants one more replica", s.Release)
	case !exists:
		return StartReplica, "the service has no replica"
	case !heal:
		return "", ""
	case r.State == greenlight.ReplicaFailed, r.State == greenlight.ReplicaCrashing:
		return StartReplica, "it ended: " + orUnknown(r.Reason)
	case r.State == greenlight.ReplicaStopping:
		return RestartReplica, "it was asked to stop, but is wanted"
	case r.State == greenlight.ReplicaUnready:
		return RestartReplica, "it does not answer its check: " + orUnknown(r.Reason)
	}
	return "", ""
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
	}
	return fmt.Sprintf("%d replicas leave, %d come", missing(before, after), missing(after, before))
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
	if r.Release != s.Release {
		return fmt.Sprintf("release %.7s replaces %.7s", s.Release, r.Release)
	}
	return fmt.Sprintf("%d replicas are wanted", s.Replicas)
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
		if !kept[r.Service] && r.State != greenlight.ReplicaStopping {
			steps = append(steps, stop(r, "the description no longer has the service"))
		}
	}
	return steps
}
