// Package plan compares what an environment should be with what was observed
// and gives the ordered steps from one to the other. It is pure and knows no
// clock: the same states give the same plan, equal states give none, and any
// prefix of a plan may be carried out before planning anew.
package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Service is the desired state of one service.
type Service struct {
	Name      string
	Release   string                 // digest
	Replicas  int                    // how many should run
	Template  greenlight.ReplicaSpec // complete but for the ID
	DependsOn []string
	// Generation counts restarts: replicas of another one are replaced as
	// those of another release are.
	Generation int
	// Restart are replicas that are to be ended and started again one after
	// the other, each without requests meanwhile. The only one that serves
	// stays as it is: a new generation replaces it.
	Restart []string
	// Wait starts nothing: the last start was refused and is tried later.
	Wait bool
	// Hold plans nothing: whatever was tried failed, and is tried later.
	Hold bool
}

// Desired is what an environment should be.
type Desired struct {
	Environment string
	Services    []Service
	// Heal says whether replicas that ended or differ are put right. Off,
	// only changes of the description are carried out.
	Heal bool
}

// Observed is what an environment is.
type Observed struct {
	Replicas []greenlight.Replica
	// Routed is, for each service, the replicas that the gateway sends
	// requests to, by ID. One that has another address by now is not among
	// them.
	Routed map[string][]string
	// Now decides whether a replica that failed may start again yet.
	Now time.Time
}

// Kind is what a step does.
type Kind string

// The kinds of step. Each is idempotent.
const (
	StartReplica   Kind = "start"   // run Spec and wait until it is ready
	RestartReplica Kind = "restart" // end what still runs of it, then as StartReplica
	Route          Kind = "route"   // send the service's requests to Targets and to nobody else
	StopReplica    Kind = "stop"    // let it finish its requests, then end it
)

// Step is one thing to do, with the reason for it.
type Step struct {
	Kind    Kind                   `json:"kind"`
	Service string                 `json:"service"`
	Replica string                 `json:"replica,omitempty"`
	Release string                 `json:"release,omitempty"`
	Targets []string               `json:"targets,omitempty"`
	Spec    greenlight.ReplicaSpec `json:"-"`
	Reason  string                 `json:"reason"`
}

// String writes the step as one line.
func (s Step) String() string {
	switch s.Kind {
	case Route:
		return fmt.Sprintf("route %s to %s: %s", s.Service, countedTargets(len(s.Targets)), s.Reason)
	default:
		return fmt.Sprintf("%s %s: %s", s.Kind, s.Replica, s.Reason)
	}
}

func countedTargets(n int) string {
	if n == 0 {
		return "no replica"
	}
	return fmt.Sprintf("%d %s", n, verb(n, "replica", "replicas"))
}

// Next is when, though nothing else happens, another plan would come of the same
// states: a replica that waits may start then, or one that is unready is given
// up. It is zero for never.
func Next(d Desired, o Observed) time.Time {
	services := make(map[string]*Service, len(d.Services))
	for i := range d.Services {
		services[d.Services[i].Name] = &d.Services[i]
	}
	var next time.Time
	for _, r := range o.Replicas {
		at := r.NotBefore
		if s := services[r.Service]; s != nil && r.State == greenlight.ReplicaUnready {
			at = s.unreadyUntil(r)
		}
		if at.After(o.Now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// Steps plans the way from observed to desired.
//
// A service's new replicas start before requests move to them, and requests
// move before old replicas stop, so that a ready replica is there throughout.
// Services start after those they depend on and stop before them.
func Steps(d Desired, o Observed) ([]Step, error) {
	services, err := inOrder(d.Services)
	if err != nil {
		return nil, err
	}
	byService := make(map[string][]greenlight.Replica)
	for _, r := range o.Replicas {
		byService[r.Service] = append(byService[r.Service], r)
	}
	var steps []Step
	for _, s := range services {
		steps = append(steps, planService(s, d.Heal, o.Now, byService[s.Name], o.Routed[s.Name])...)
	}
	return append(steps, planRemoved(services, o)...), nil
}

// ReplicaID names the n-th replica of a release, from 1:
// "iris-4b7d9aa-1".
func ReplicaID(service, release string, n int) string {
	return (&Service{Name: service, Release: release}).ReplicaID(n)
}

// ReplicaID names the service's n-th replica, from 1: "iris-4b7d9aa-1", after
// restarts "iris-4b7d9aa-g2-1".
func (s *Service) ReplicaID(n int) string { return s.prefix() + strconv.Itoa(n) }

// prefix begins the IDs of all replicas of the service's release and
// generation. IDs have 63 characters at most; the release, whose digest covers
// the service's name, keeps those apart whose names are cut.
func (s *Service) prefix() string {
	id := fmt.Sprintf("%.44s-%.7s-", s.Name, s.Release)
	if s.Generation > 0 {
		id += fmt.Sprintf("g%d-", s.Generation)
	}
	return id
}

// Owns tells whether a replica is of the service's release and generation.
func (s *Service) Owns(r greenlight.Replica) bool {
	number, ok := strings.CutPrefix(r.ID, s.prefix())
	return ok && r.Release == s.Release && !strings.Contains(number, "-")
}
