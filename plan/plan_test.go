package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/plan"
)

func service(name, release string, replicas int, dependsOn ...string) plan.Service {
	return plan.Service{Name: name, Release: release, Replicas: replicas, DependsOn: dependsOn}
}

func replica(service, release string, n int, state greenlight.ReplicaState) greenlight.Replica {
	return greenlight.Replica{ID: plan.ReplicaID(service, release, n), Service: service, Release: release, State: state}
}

// lines plans and writes one line a step.
func lines(t *testing.T, d plan.Desired, o plan.Observed) string {
	t.Helper()
	steps, err := plan.Steps(d, o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

func TestSteps(t *testing.T) {
	ready, failed := greenlight.ReplicaReady, greenlight.ReplicaFailed
	dead := replica("iris", "aaaaaaaa", 2, failed)
	dead.Reason = "exit status 1"
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	crashing := replica("iris", "bbbbbbbb", 2, greenlight.ReplicaCrashing)
	crashing.NotBefore = now.Add(time.Second)
	const patience = time.Minute
	patient := service("iris", "aaaaaaaa", 1)
	patient.Template.StartGrace = patience
	unready := replica("iris", "aaaaaaaa", 1, greenlight.ReplicaUnready)
	unready.Since, unready.Reason = now, "GET /: 503"
	for name, c := range map[string]struct {
		desired  plan.Desired
		observed plan.Observed
		want     string
	}{
		"first start": {
			desired: plan.Desired{Services: []plan.Service{service("web", "cccccccc", 1, "iris"), service("iris", "aaaaaaaa", 2)}},
			want: `start iris-aaaaaaa-1: the service has no replica
start iris-aaaaaaa-2: the service has no replica
route iris to 2 replicas: its first replicas are ready
start web-ccccccc-1: the service has no replica
route web to 1 replica: its first replicas are ready
`},
		"new release: the old one stops last": {
			desired: plan.Desired{Services: []plan.Service{service("iris", "bbbbbbbb", 1)}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1"}},
			},
			want: `start iris-bbbbbbb-1: release bbbbbbb replaces aaaaaaa
route iris to 1 replica: 1 replica joins, 1 leaves
stop iris-aaaaaaa-1: release bbbbbbb replaces aaaaaaa
`},
		"heal": {
			desired: plan.Desired{Heal: true, Services: []plan.Service{service("iris", "aaaaaaaa", 2)}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready), dead},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1", "iris-aaaaaaa-2"}},
			},
			want: `start iris-aaaaaaa-2: it had failed: exit status 1
route iris to 2 replicas: its replicas have new addresses
`},
		"no healing: the dead one only loses its requests": {
			desired: plan.Desired{Services: []plan.Service{service("iris", "aaaaaaaa", 2)}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready), dead},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1", "iris-aaaaaaa-2"}},
			},
			want: "route iris to 1 replica: 1 replica leaves\n"},
		"a new release that crashes does not take the requests": {
			desired: plan.Desired{Heal: true, Services: []plan.Service{service("iris", "bbbbbbbb", 2)}},
			observed: plan.Observed{
				Now:      now,
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready), replica("iris", "bbbbbbbb", 1, ready), crashing},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1"}},
			},
			want: ""},
		"a first release that crashes in part serves with the rest": {
			desired: plan.Desired{Heal: true, Services: []plan.Service{service("iris", "bbbbbbbb", 2)}},
			observed: plan.Observed{
				Now:      now,
				Replicas: []greenlight.Replica{replica("iris", "bbbbbbbb", 1, ready), crashing},
			},
			want: "route iris to 1 replica: its first replicas are ready\n"},
		"unready for as long as a start may take": {
			desired:  plan.Desired{Heal: true, Services: []plan.Service{patient}},
			observed: plan.Observed{Now: now.Add(patience), Replicas: []greenlight.Replica{unready}, Routed: map[string][]string{"iris": {unready.ID}}},
			want: `restart iris-aaaaaaa-1: it was unready for 1m0s: GET /: 503
route iris to 1 replica: its replicas have new addresses
`},
		"unready for less: it may come back": {
			desired:  plan.Desired{Heal: true, Services: []plan.Service{patient}},
			observed: plan.Observed{Now: now.Add(patience - 1), Replicas: []greenlight.Replica{unready}, Routed: map[string][]string{"iris": {unready.ID}}},
			want:     ""},
		"one more replica": {
			desired: plan.Desired{Services: []plan.Service{service("iris", "aaaaaaaa", 2)}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1"}},
			},
			want: `start iris-aaaaaaa-2: 2 replicas are wanted
route iris to 2 replicas: 1 replica joins
`},
		"a restart of all: a new generation replaces the one before": {
			desired: plan.Desired{Services: []plan.Service{{Name: "iris", Release: "aaaaaaaa", Replicas: 2, Generation: 1}}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready), replica("iris", "aaaaaaaa", 2, ready)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1", "iris-aaaaaaa-2"}},
			},
			want: `start iris-aaaaaaa-g1-1: the service restarts
start iris-aaaaaaa-g1-2: the service restarts
route iris to 2 replicas: 2 replicas join, 2 leave
stop iris-aaaaaaa-1: the service restarts
stop iris-aaaaaaa-2: the service restarts
`},
		"a restart of one: its requests go to the others meanwhile": {
			desired: plan.Desired{Services: []plan.Service{{Name: "iris", Release: "aaaaaaaa", Replicas: 2, Restart: []string{"iris-aaaaaaa-2"}}}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready), replica("iris", "aaaaaaaa", 2, ready)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1", "iris-aaaaaaa-2"}},
			},
			want: `route iris to 1 replica: iris-aaaaaaa-2 restarts
restart iris-aaaaaaa-2: a restart was asked for
route iris to 2 replicas: its replicas have new addresses
`},
		"what failed altogether is held": {
			desired: plan.Desired{Heal: true, Services: []plan.Service{{Name: "iris", Release: "bbbbbbbb", Replicas: 2, Wait: true, Hold: true}}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, failed)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1"}},
			},
			want: ""},
		"a start that was refused waits": {
			desired: plan.Desired{Heal: true, Services: []plan.Service{{Name: "iris", Release: "bbbbbbbb", Replicas: 2, Wait: true}}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1"}},
			},
			want: ""},
		"a stop that was interrupted is taken up": {
			desired: plan.Desired{Services: []plan.Service{service("iris", "aaaaaaaa", 1)}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("iris", "aaaaaaaa", 1, ready), replica("iris", "aaaaaaaa", 2, greenlight.ReplicaStopping)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-1"}},
			},
			want: "stop iris-aaaaaaa-2: it was asked to stop and has not ended\n"},
		"fewer replicas and a service gone": {
			desired: plan.Desired{Services: []plan.Service{service("iris", "aaaaaaaa", 1)}},
			observed: plan.Observed{
				Replicas: []greenlight.Replica{replica("old", "dddddddd", 1, ready), replica("iris", "aaaaaaaa", 2, ready), replica("iris", "aaaaaaaa", 1, ready)},
				Routed:   map[string][]string{"iris": {"iris-aaaaaaa-2", "iris-aaaaaaa-1"}, "old": {"old-ddddddd-1"}},
			},
			want: `route iris to 1 replica: 1 replica leaves
stop iris-aaaaaaa-2: 1 replica is wanted
route old to no replica: the description no longer has the service
stop old-ddddddd-1: the description no longer has the service
`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lines(t, c.desired, c.observed); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestNext(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	patient := service("iris", "aaaaaaaa", 2)
	patient.Template.StartGrace = time.Minute
	d := plan.Desired{Services: []plan.Service{patient}}
	unready, crashing := replica("iris", "aaaaaaaa", 1, greenlight.ReplicaUnready), replica("iris", "aaaaaaaa", 2, greenlight.ReplicaCrashing)
	unready.Since, crashing.NotBefore = now, now.Add(2*time.Minute)
	for name, c := range map[string]struct {
		replicas []greenlight.Replica
		at       time.Time
		want     time.Time
	}{
		"all is well":                 {[]greenlight.Replica{replica("iris", "aaaaaaaa", 1, greenlight.ReplicaReady)}, now, time.Time{}},
		"the earlier of two":          {[]greenlight.Replica{crashing, unready}, now, now.Add(time.Minute)},
		"what is past counts no more": {[]greenlight.Replica{crashing, unready}, now.Add(time.Minute), now.Add(2 * time.Minute)},
	} {
		if got := plan.Next(d, plan.Observed{Now: c.at, Replicas: c.replicas}); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestBrokenDependencies(t *testing.T) {
	_, err := plan.Steps(plan.Desired{Services: []plan.Service{service("a", "x", 1, "b"), service("b", "x", 1, "a")}}, plan.Observed{})
	if err == nil || !strings.Contains(err.Error(), "a → b → a") {
		t.Errorf("got %v", err)
	}
	_, err = plan.Steps(plan.Desired{Services: []plan.Service{service("a", "x", 1, "nobody")}}, plan.Observed{})
	if err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("got %v", err)
	}
}

// world carries steps out as a perfect backend and gateway would.
type world struct{ plan.Observed }

func (w *world) apply(s plan.Step) {
	switch s.Kind {
	case plan.StartReplica, plan.RestartReplica:
		w.remove(s.Replica)
		w.Replicas = append(w.Replicas, greenlight.Replica{ID: s.Replica, Service: s.Service, Release: s.Release, State: greenlight.ReplicaReady})
	case plan.StopReplica:
		w.remove(s.Replica)
	case plan.Route:
		w.Routed[s.Service] = s.Targets
		if len(s.Targets) == 0 {
			delete(w.Routed, s.Service)
		}
	}
}

func (w *world) remove(id string) {
	w.Replicas = slices.DeleteFunc(w.Replicas, func(r greenlight.Replica) bool { return r.ID == id })
}

// ready counts the ready replicas among those that the gateway sends to.
func (w *world) readyRouted(service string) int {
	n := 0
	for _, r := range w.Replicas {
		if r.State == greenlight.ReplicaReady && slices.Contains(w.Routed[service], r.ID) {
			n++
		}
	}
	return n
}

var (
	names    = []string{"api", "iris", "web", "worker"}
	releases = []string{"aaaaaaaa", "bbbbbbbb"}
	states   = []greenlight.ReplicaState{greenlight.ReplicaStarting, greenlight.ReplicaReady, greenlight.ReplicaUnready,
		greenlight.ReplicaStopping, greenlight.ReplicaFailed, greenlight.ReplicaCrashing}
)

func drawDesired(t *rapid.T) plan.Desired {
	d := plan.Desired{Heal: true}
	for i, name := range names {
		if rapid.Bool().Draw(t, "has "+name) {
			s := service(name, rapid.SampledFrom(releases).Draw(t, "release"), rapid.IntRange(0, 3).Draw(t, "replicas"))
			s.Generation = rapid.IntRange(0, 2).Draw(t, "generation")
			for n := range rapid.IntRange(0, s.Replicas).Draw(t, "restarts") {
				s.Restart = append(s.Restart, s.ReplicaID(n+1))
			}
			if i > 0 && slices.ContainsFunc(d.Services, func(o plan.Service) bool { return o.Name == names[i-1] }) {
				s.DependsOn = names[i-1 : i]
			}
			d.Services = append(d.Services, s)
		}
	}
	return d
}

func drawWorld(t *rapid.T) *world {
	w := &world{plan.Observed{Routed: make(map[string][]string)}}
	for _, name := range names {
		for _, release := range releases {
			s := service(name, release, 0)
			s.Generation = rapid.IntRange(0, 2).Draw(t, "generation")
			for n := 1; n <= rapid.IntRange(0, 3).Draw(t, "observed"); n++ {
				r := replica(name, release, n, rapid.SampledFrom(states).Draw(t, "state"))
				r.ID = s.ReplicaID(n)
				w.Replicas = append(w.Replicas, r)
				if rapid.Bool().Draw(t, "routed") {
					w.Routed[name] = append(w.Routed[name], r.ID)
				}
			}
		}
	}
	return w
}

// settle lets what is under way end: starting becomes ready, stopping ends.
func (w *world) settle() {
	w.Replicas = slices.DeleteFunc(w.Replicas, func(r greenlight.Replica) bool { return r.State == greenlight.ReplicaStopping })
	for i := range w.Replicas {
		if w.Replicas[i].State == greenlight.ReplicaStarting {
			w.Replicas[i].State = greenlight.ReplicaReady
		}
	}
}

func mustSteps(t *rapid.T, d plan.Desired, w *world) []plan.Step {
	steps, err := plan.Steps(d, w.Observed)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// forgetRestarts is what becomes of them once the plan was carried out.
func forgetRestarts(d plan.Desired) {
	for i := range d.Services {
		d.Services[i].Restart = nil
	}
}

func checkReached(t *rapid.T, d plan.Desired, w *world) {
	if again := mustSteps(t, d, w); len(again) != 0 {
		t.Fatalf("the state is reached, yet there is more to do: %v", again)
	}
	total := 0
	for _, s := range d.Services {
		total += s.Replicas
		for n := 1; n <= s.Replicas; n++ {
			if id := s.ReplicaID(n); !slices.Contains(w.Routed[s.Name], id) {
				t.Fatalf("%s gets no requests", id)
			}
		}
	}
	if len(w.Replicas) != total {
		t.Fatalf("%d replicas run, want %d", len(w.Replicas), total)
	}
}

func TestApplyingAPlanGivesTheDesiredState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, w := drawDesired(t), drawWorld(t)
		for range 3 { // what was starting or stopping shows only in the next round
			for _, s := range mustSteps(t, d, w) {
				w.apply(s)
			}
			forgetRestarts(d)
			w.settle()
		}
		checkReached(t, d, w)
	})
}

func TestACrashAfterAnyStepConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, w := drawDesired(t), drawWorld(t)
		for range 60 { // one step, then the control plane dies and plans anew
			steps := mustSteps(t, d, w)
			if len(steps) == 0 {
				w.settle()
				if len(mustSteps(t, d, w)) == 0 {
					break
				}
				continue
			}
			w.apply(steps[0])
			forgetRestarts(d) // they are kept in memory alone
		}
		checkReached(t, d, w)
	})
}

func TestAServiceThatHasReadyReplicasNeverLosesThemAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, w := drawDesired(t), drawWorld(t)
		w.settle()
		for _, s := range mustSteps(t, d, w) {
			before := make(map[string]int)
			for _, wanted := range d.Services {
				before[wanted.Name] = w.readyRouted(wanted.Name)
			}
			w.apply(s)
			for _, wanted := range d.Services {
				if wanted.Replicas > 0 && before[wanted.Name] > 0 && w.readyRouted(wanted.Name) == 0 {
					t.Fatalf("%v left %s without a ready replica", s, wanted.Name)
				}
			}
		}
	})
}
