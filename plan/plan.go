// Package plan compares what an environment should be with what was observed
// and gives the ordered steps from one to the other. It is pure and knows no
// clock: the same states give the same plan, equal states give none, and any
// prefix of a plan may be carried out before planning anew.
package plan

import (
	"fmt"
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
	// requests to, by ID.
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
		return fmt.Sprintf("route %s to %d replicas: %s", s.Service, len(s.Targets), s.Reason)
	default:
		return fmt.Sprintf("%s %s: %s", s.Kind, s.Replica, s.Reason)
	}
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
	return fmt.Sprintf("%s-%.7s-%d", service, release, n)
}
