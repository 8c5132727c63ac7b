package control

import (
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
)

// Status is everything at one moment, as `greenlight status --json` prints it.
type Status struct {
	Control      Process       `json:"control"`
	Gateway      Process       `json:"gateway"`
	Environments []Environment `json:"environments"`
}

// Process is one of Greenlight's own processes on this machine.
type Process struct {
	PID       int       `json:"pid" doc:"0 while it does not run"`
	Address   string    `json:"address" doc:"host:port that it listens on"`
	Version   string    `json:"version,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	Note      string    `json:"note,omitempty" doc:"what is wrong with it, in one line"`
}

// Health says in one word how an environment or a service is.
type Health string

// The healths, the best first.
const (
	Good     Health = "good"     // is as it should be
	Changing Health = "changing" // on its way, nothing has failed
	Asleep   Health = "asleep"   // scaled to zero on purpose
	Degraded Health = "degraded" // serves, but not with all that it should have
	Down     Health = "down"     // nobody answers
)

// Environment is one environment as it is.
type Environment struct {
	Name      string    `json:"name"`
	System    string    `json:"system"`
	Backend   string    `json:"backend"`
	Owner     string    `json:"owner,omitempty"`
	Drift     string    `json:"drift" enum:"off,detect,heal"`
	Revision  int64     `json:"revision" doc:"of the description in force"`
	AppliedAt time.Time `json:"applied_at"`
	AppliedBy string    `json:"applied_by"`
	Source    string    `json:"source" doc:"path of the description"`
	Health    Health    `json:"health"`
	Note      string    `json:"note" doc:"one line of prose: what goes on"`
	Services  []Service `json:"services"`
}

// Service is one service as it is.
type Service struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind" enum:"model,run,image"`
	Release  string    `json:"release" doc:"digest of the release that is wanted, 12 hex digits"`
	Ready    int       `json:"ready" doc:"replicas of any release that take requests"`
	Desired  int       `json:"desired" doc:"replicas that should run"`
	Health   Health    `json:"health"`
	Note     string    `json:"note" doc:"one line of prose; empty when there is nothing to say"`
	Scaling  Scaling   `json:"scaling"`
	URLs     []string  `json:"urls" doc:"where its routes are, through the gateway"`
	Replicas []Replica `json:"replicas"`
	// Traffic is the last full second at the gateway.
	Traffic observe.Sample `json:"traffic"`
	// Alerts are what somebody should look at and health does not show.
	Alerts []Alert `json:"alerts,omitempty"`
}

// Scaling says how the number of replicas is decided.
type Scaling struct {
	Min    int    `json:"min"`
	Max    int    `json:"max"`
	Target string `json:"target,omitempty" doc:"as in the description: concurrency 16"`
	// Manual is set while `greenlight scale` overrides the description.
	Manual bool      `json:"manual,omitempty"`
	Reason string    `json:"reason,omitempty" doc:"why it is the number it is"`
	At     time.Time `json:"at,omitzero" doc:"when it was decided last"`
}

// Replica is one replica as it is.
type Replica struct {
	ID       string                  `json:"id"`
	PID      int                     `json:"pid"`
	Address  string                  `json:"address"`
	State    greenlight.ReplicaState `json:"state"`
	Reason   string                  `json:"reason,omitempty"`
	Release  string                  `json:"release"`
	Restarts int                     `json:"restarts"`
	Since    time.Time               `json:"since"`
	InFlight int64                   `json:"in_flight" doc:"requests under way, as the gateway counts them"`
	// CPU is in cores, Memory in bytes resident; 0 where the backend cannot tell.
	CPU    float64 `json:"cpu"`
	Memory int64   `json:"memory"`
}
