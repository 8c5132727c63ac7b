package control

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/spec"
)

// RouterOptions say which gateway a router steers.
type RouterOptions struct {
	Client *gateway.Client
	State  string // folder of certificates from authorities and of the access log
	// Note says why the gateway does not run, "" when it does; nil is "".
	Note func() string
}

// Router keeps the gateway as the environments want it; it is their
// rollout.Router. What it was told last it knows from the gateway, so it may be
// made anew at any time. Its methods may be called by many goroutines at once:
// changes that come while one is being applied are applied together.
type Router struct {
	options RouterOptions
	push    batch[error]
	read    batch[*gateway.Config]
	watch   batch[*gateway.Status]

	mu        sync.Mutex
	routing   Routing
	described bool            // SetSystems was called
	learned   bool            // what an earlier control plane routed is known
	inForce   *gateway.Config // nil while in doubt
	addresses func(environment, id string) string
}

// Bounds on what a gateway that hangs can hold up.
const (
	gatewayTimeout = 10 * time.Second
	leftPause      = 5 * time.Millisecond
	leftMaxPause   = 100 * time.Millisecond
)

// NewRouter makes a router of a gateway; nothing is asked of it yet.
func NewRouter(o RouterOptions) *Router {
	return &Router{options: o, routing: Routing{State: o.State, Targets: make(map[string][]greenlight.Replica), Paused: make(map[string]bool)}}
}

// CheckAddresses makes Routed leave out replicas that have another address now,
// as f tells ("" when it does not know them), so that they are routed anew.
func (r *Router) CheckAddresses(f func(environment, id string) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addresses = f
}

// SetSystems says which environments there are; Sync makes it so. Nothing
// changes when the gateway could not accept it: then the error says why.
func (r *Router) SetSystems(systems []RoutedSystem, primary string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.routing
	next.Systems, next.Primary = slices.Clone(systems), primary
	if err := next.Config().Validate(); err != nil {
		return fmt.Errorf("the gateway cannot do what is described: %w", err)
	}
	r.routing, r.described = next, true
	return nil
}

// Sync makes the gateway what it should be, unless it is already: after
// SetSystems, and after the gateway was started anew.
func (r *Router) Sync(ctx context.Context) error {
	r.mu.Lock()
	r.inForce = nil
	r.mu.Unlock()
	trouble, err := r.apply(ctx)
	return cmp.Or(err, trouble)
}

// URLs are where people find a service's routes, with the gateway at address.
func (r *Router) URLs(environment, service, address string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.routing.URLs(environment, service, address)
}

// Routed gives, for each service of an environment, the IDs of the replicas
// that get its requests.
func (r *Router) Routed(ctx context.Context, environment string) (map[string][]string, error) {
	config, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	addresses := r.addresses
	r.mu.Unlock()
	routed := make(map[string][]string)
	for i := range config.Services {
		env, service, _ := strings.Cut(config.Services[i].Name, "/")
		if env != environment {
			continue
		}
		for _, t := range targetsOf(&config.Services[i]) {
			if addresses != nil {
				if now := addresses(environment, t.ID); now != "" && now != t.Address {
					continue
				}
			}
			routed[service] = append(routed[service], t.ID)
		}
	}
	return routed, nil
}

// targetsOf are the replicas that a service's requests go to.
func targetsOf(s *gateway.Service) []greenlight.Replica {
	var list []greenlight.Replica
	environment, service, _ := strings.Cut(s.Name, "/")
	for _, release := range s.Releases {
		for _, t := range release.Targets {
			list = append(list, greenlight.Replica{ID: t.ID, Environment: environment, Service: service, Release: release.Name, Address: t.Address})
		}
	}
	return list
}

// known asks the gateway for its configuration.
func (r *Router) known(ctx context.Context) (*gateway.Config, error) {
	return r.read.do(ctx, func(ctx context.Context) (*gateway.Config, error) {
		config, err := r.options.Client.Config(ctx)
		if err != nil {
			return nil, r.explain(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.learn(config)
		return config, nil
	})
}

// learn takes over, once, what an earlier control plane routed. It is called
// with mu held.
func (r *Router) learn(config *gateway.Config) {
	if r.learned {
		return
	}
	r.learned = true
	for i := range config.Services {
		s := &config.Services[i]
		r.routing.Targets[s.Name] = targetsOf(s)
	}
}

// ensureLearned is called before the first change: what is applied must not
// undo what an earlier control plane routed.
func (r *Router) ensureLearned(ctx context.Context) error {
	r.mu.Lock()
	learned := r.learned
	r.mu.Unlock()
	if learned {
		return nil
	}
	_, err := r.known(ctx)
	return err
}

// Route sends a service's requests to these replicas and to nobody else, and
// returns once no request is under way to any other, or when those that are
// have had the time that the service gives a replica to stop.
func (r *Router) Route(ctx context.Context, environment, service string, targets []greenlight.Replica) error {
	if err := r.ensureLearned(ctx); err != nil {
		return err
	}
	key, grace := ServiceKey(environment, service), defaultStopGrace
	r.mu.Lock()
	left := gone(r.routing.Targets[key], targets)
	r.routing.Targets[key] = slices.Clone(targets)
	if s := r.service(environment, service); s != nil {
		grace = s.Stop.Grace.Std()
	}
	r.mu.Unlock()
	if _, err := r.apply(ctx); err != nil || len(left) == 0 {
		return err
	}
	return r.waitLeft(ctx, key, left, grace)
}

// defaultStopGrace is for services that nobody describes any more.
const defaultStopGrace = 30 * time.Second

// gone are the IDs of before that after lacks or has elsewhere.
func gone(before, after []greenlight.Replica) []string {
	var ids []string
	for _, b := range before {
		if !slices.ContainsFunc(after, func(a greenlight.Replica) bool {
			return a.ID == b.ID && a.Address == b.Address && a.Release == b.Release
		}) {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// service finds a service's description, nil for none. It is called with mu
// held.
func (r *Router) service(environment, name string) *spec.Service {
	for _, s := range r.routing.Systems {
		if s.Environment.Name != environment {
			continue
		}
		for i := range s.Services {
			if s.Services[i].Name == name {
				return &s.Services[i]
			}
		}
	}
	return nil
}

// Pause holds a service's requests until Resume, whatever it is routed to. A
// service that may sleep (min 0) holds them by itself while it is routed to
// nobody.
func (r *Router) Pause(ctx context.Context, environment, service string) error {
	return r.setPaused(ctx, environment, service, true)
}

// Resume ends Pause.
func (r *Router) Resume(ctx context.Context, environment, service string) error {
	return r.setPaused(ctx, environment, service, false)
}

func (r *Router) setPaused(ctx context.Context, environment, service string, paused bool) error {
	if err := r.ensureLearned(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	known := r.service(environment, service) != nil
	if known {
		r.routing.Paused[ServiceKey(environment, service)] = paused
	}
	r.mu.Unlock()
	if !known {
		return greenlight.Errorf(greenlight.CodeNotFound, "environment %s has no service %q", environment, service)
	}
	_, err := r.apply(ctx)
	return err
}

// apply puts what is wanted now in force. The trouble is with what the gateway
// does beside routing, which goes on.
func (r *Router) apply(ctx context.Context) (trouble, err error) {
	return r.push.do(ctx, r.applyWanted)
}

func (r *Router) applyWanted(ctx context.Context) (trouble, err error) {
	before, err := r.before(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	wanted := r.routing.Config()
	maps.DeleteFunc(r.routing.Targets, func(_ string, targets []greenlight.Replica) bool { return len(targets) == 0 })
	r.mu.Unlock()
	if before.Revision == wanted.Revision {
		return nil, nil
	}
	err = r.put(ctx, wanted)
	if greenlight.CodeOf(err) == greenlight.CodeInvalid && !sameDoors(wanted, before) {
		// An address that another program has must not keep requests from
		// moving away from a replica that died.
		trouble = err
		wanted.Listeners, wanted.AccessLog = before.Listeners, before.AccessLog
		wanted.Revision = ""
		wanted.Revision = revision(wanted)
		err = r.put(ctx, wanted)
	}
	return trouble, err
}

// before is the configuration in force, asked for when that is in doubt.
func (r *Router) before(ctx context.Context) (*gateway.Config, error) {
	r.mu.Lock()
	before, described := r.inForce, r.described
	r.mu.Unlock()
	if !described {
		return nil, greenlight.Errorf(greenlight.CodeInternal, "the router was not told which environments there are")
	}
	if before != nil {
		return before, nil
	}
	before, err := r.options.Client.Config(ctx)
	if err != nil {
		return nil, r.explain(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learn(before)
	r.inForce = before
	return before, nil
}

// put applies a configuration. What is in force is in doubt when that fails.
func (r *Router) put(ctx context.Context, config *gateway.Config) error {
	err := r.options.Client.Apply(ctx, config)
	inForce := config
	if err != nil {
		inForce = nil
	}
	r.mu.Lock()
	r.inForce = inForce
	r.mu.Unlock()
	return r.explain(err)
}

func sameDoors(a, b *gateway.Config) bool {
	return reflect.DeepEqual(a.Listeners, b.Listeners) && reflect.DeepEqual(a.AccessLog, b.AccessLog)
}

// explain adds why there is no gateway to an error that says that it does not
// answer.
func (r *Router) explain(err error) error {
	if err == nil || r.options.Note == nil || greenlight.CodeOf(err) != greenlight.CodeUnavailable {
		return err
	}
	if note := r.options.Note(); note != "" {
		return &greenlight.Error{Code: greenlight.CodeUnavailable, Message: "the gateway does not answer: " + note, Err: err}
	}
	return err
}

// waitLeft waits until the replicas of a service with these ids, which were
// taken from it, answer no request any more, or grace is over.
func (r *Router) waitLeft(ctx context.Context, key string, ids []string, grace time.Duration) error {
	late, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for pause := leftPause; ; pause = min(2*pause, leftMaxPause) {
		s, err := r.watch.do(late, r.options.Client.Status)
		if err == nil && s.Left(key, ids...) {
			return nil
		}
		select {
		case <-late.Done():
			return context.Cause(ctx) // nil when it was the grace that ended
		case <-time.After(pause):
		}
	}
}
