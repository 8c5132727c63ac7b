package console

import (
	"fmt"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
)

// Tones are the few colours that mean something: "go", "run", "hold",
// "stop", and "" for what is neither good nor bad.

func toneOfHealth(h control.Health) string {
	switch h {
	case control.Good:
		return "go"
	case control.Changing:
		return "run"
	case control.Degraded:
		return "hold"
	case control.Down:
		return "stop"
	}
	return ""
}

func toneOfReplica(s greenlight.ReplicaState) string {
	switch s {
	case greenlight.ReplicaReady:
		return "go"
	case greenlight.ReplicaStarting:
		return "run"
	case greenlight.ReplicaUnready:
		return "hold"
	case greenlight.ReplicaFailed, greenlight.ReplicaCrashing:
		return "stop"
	}
	return ""
}

// dots is how many replicas a row draws one by one.
const dots = 12

// replicaDots are a service's replicas as a row shows them.
type replicaDots struct {
	Replicas []control.Replica
	More     int // that are not drawn
	Missing  int // that should run and do not exist yet
	Text     string
}

// Dots are the service's replicas, the first dozen of them.
func (r serviceRow) Dots() replicaDots { return dotsOf(r.Service) }

func dotsOf(s control.Service) replicaDots {
	d := replicaDots{Replicas: s.Replicas, Text: fmt.Sprintf("%d of %d ready", s.Ready, s.Desired)}
	if len(d.Replicas) > dots {
		d.More = len(d.Replicas) - dots
		d.Replicas = d.Replicas[:dots]
	}
	if missing := s.Desired - len(s.Replicas); missing > 0 {
		d.Missing = min(missing, dots-len(d.Replicas))
	}
	return d
}

// Running is the release that runs, or "old → new" while two do.
func (r serviceRow) Running() string {
	for _, replica := range r.Replicas {
		if replica.Release != r.Release && replica.Release != "" {
			return short(replica.Release) + " → " + short(r.Release)
		}
	}
	return short(r.Release)
}

// Link is the first of the service's addresses, without what all share: the
// scheme, and the gateway's own address.
func (r serviceRow) Link(gateway string) string {
	if len(r.URLs) == 0 {
		return ""
	}
	_, rest, found := strings.Cut(r.URLs[0], "://")
	if !found {
		return r.URLs[0]
	}
	if path, ok := strings.CutPrefix(rest, gateway); ok && gateway != "" && len(path) > 1 {
		return "/" + strings.TrimPrefix(path, "/")
	}
	return rest
}
