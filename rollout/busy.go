package rollout

import (
	"maps"
	"slices"
	"sync"

	"github.com/greenlight-dev/greenlight/plan"
)

// Busy keeps rounds of one environment that run at the same time from taking
// steps for the same service. The nil Busy keeps nothing apart.
type Busy struct {
	planning sync.Mutex // one plan at a time, so that claims are seen

	mu       sync.Mutex
	services map[string]bool
}

// begin gives the services that are busy before anything is observed: one whose
// round ends meanwhile may have been seen as it was before.
func (b *Busy) begin() map[string]bool {
	if b == nil {
		return nil
	}
	b.planning.Lock()
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.services)
}

func (b *Busy) end() {
	if b != nil {
		b.planning.Unlock()
	}
}

// claim marks the services of the steps as busy until they are released.
func (b *Busy) claim(steps []plan.Step) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.services == nil {
		b.services = make(map[string]bool)
	}
	for _, s := range steps {
		b.services[s.Service] = true
	}
}

func (b *Busy) release(service string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.services, service)
}

// without leaves out the steps of services that are busy, and of those that
// depend on them. left are those services.
func without(steps []plan.Step, d plan.Desired, busy map[string]bool) (rest []plan.Step, left map[string]bool) {
	if len(busy) == 0 {
		return steps, nil
	}
	left = maps.Clone(busy)
	for grown := true; grown; {
		grown = false
		for _, s := range d.Services {
			if !left[s.Name] && slices.ContainsFunc(s.DependsOn, func(dep string) bool { return left[dep] }) {
				left[s.Name], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(steps, func(s plan.Step) bool { return left[s.Service] }), left
}
