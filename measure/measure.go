package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// Bounds of what is measured.
const (
	MaxReplicas = 64
	MaxRounds   = 50
	mostClients = 1024 // for each replica
)

// Options say what is measured.
type Options struct {
	Replicas []int         // how many, each of them; rising
	Quota    float64       // cores of a replica; 0: chosen so that all fits
	Cores    int           // of this machine
	Rounds   int           // how often each is measured
	Warmup   time.Duration // of each run, not counted
	Duration time.Duration // of each run
	Attempts int           // at a run that does not count; 0 is 3
	Stages   []string      // shared ones to be measured alone
	Gateway  string        // the stage that is the gateway before something trivial; "" is none
	// Clients for each replica; 0: found out.
	Clients int
	Seed    uint64
	// Progress hears what goes on, a line at a time; may be nil.
	Progress func(line string)
}

// Run is one measurement that counts.
type Run struct {
	N       int     `json:"n"`
	Round   int     `json:"round"`
	Quota   float64 `json:"quota"`
	Clients int     `json:"clients"`
	Reading
}

// Evidence is what was measured.
type Evidence struct {
	Quota   float64 `json:"quota"`   // cores that each replica was held to
	Clients int     `json:"clients"` // for each replica
	Runs    []Run   `json:"runs"`
	Rising  []Run   `json:"rising"` // one replica, more and more clients
	Lifted  []Run   `json:"lifted"` // the most replicas with a larger quota
	// Larger is what Lifted comes to; nil where they waited for something.
	Larger   *plan.Larger `json:"larger,omitempty"`
	Repeated int          `json:"repeated"`
	// Light is one replica with little to do.
	Light  Run          `json:"light"`
	Stages []plan.Stage `json:"stages"`
	// Outside is how long a request takes to a service that does nothing.
	Outside float64  `json:"outside"`
	Notes   []string `json:"notes"`
}

// session is one measurement under way.
type session struct {
	Options
	subject Subject
	random  *rand.Rand
	found   *Evidence
	warned  map[string]bool
}

// Check says what of the options is wrong, and fills in Attempts.
func (o *Options) Check() error {
	invalid := func(format string, args ...any) error {
		return greenlight.Errorf(greenlight.CodeInvalid, format, args...)
	}
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	switch {
	case len(o.Replicas) == 0 || o.Replicas[0] < 1 || !slices.IsSorted(o.Replicas) || o.most() > MaxReplicas:
		return invalid("replicas %v: want rising numbers from 1 to %d", o.Replicas, MaxReplicas)
	case o.Rounds < 1 || o.Rounds > MaxRounds:
		return invalid("%d rounds; from 1 to %d are measured", o.Rounds, MaxRounds)
	case o.Warmup <= 0 || o.Duration <= 0 || o.Duration > time.Hour:
		return invalid("a warm-up of %s and runs of %s; both must be above 0, and a run at most an hour", o.Warmup, o.Duration)
	case o.Attempts < 1 || o.Attempts > MaxRounds:
		return invalid("%d attempts; from 1 to %d are made", o.Attempts, MaxRounds)
	case o.Quota < 0:
		return invalid("replicas of %v cores; a share of the processor is above 0", o.Quota)
	case o.Clients < 0 || o.Clients > mostClients:
		return invalid("%d clients for each replica; at most %d", o.Clients, mostClients)
	}
	return o.checkQuota()
}

// checkQuota holds the replicas against the machine: what does not fit cannot
// be saturated.
func (o *Options) checkQuota() error {
	room := float64(o.Cores) - reserved
	if o.Quota*float64(o.most()) <= room {
		return nil
	}
	return greenlight.Errorf(greenlight.CodeInvalid, "%d replicas of %.3g cores do not fit on this machine's %d cores beside gateway and generator; "+
		"measure fewer with --replicas, or smaller ones with --cpu %.2g", o.most(), o.Quota, o.Cores, max(0.01, room/float64(o.most())*0.9))
}

// reserved is what gateway and generator need at least, in cores.
const reserved = 0.4

func (o *Options) most() int { return o.Replicas[len(o.Replicas)-1] }

func (o *Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// Measure measures everything that a plan needs. A measurement that does not
// show the replicas is CodeUnavailable, with the reason.
func Measure(ctx context.Context, subject Subject, o Options) (*Evidence, error) {
	s, err := newSession(subject, o)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.gateway, s.stages, s.quota, s.light, s.rising, s.rounds, s.lift} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// Again measures only the throughput, as an Evidence of before was made.
func Again(ctx context.Context, subject Subject, o Options) (*Evidence, error) {
	s, err := newSession(subject, o)
	if err != nil {
		return nil, err
	}
	if err := subject.Scale(ctx, o.Replicas[0]); err != nil {
		return nil, err
	}
	return s.found, s.rounds(ctx)
}

func newSession(subject Subject, o Options) (*session, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return &session{
		Options: o, subject: subject, random: rand.New(rand.NewPCG(o.Seed, 0)), //nolint:gosec // an order, no secret
		found:  &Evidence{Quota: o.Quota, Clients: o.Clients, Notes: []string{}, Stages: []plan.Stage{}},
		warned: make(map[string]bool),
	}, nil
}

func (s *session) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !s.warned[text] {
		s.warned[text] = true
		s.found.Notes = append(s.found.Notes, text)
	}
}

// saturate is one closed run against n replicas.
func (s *session) saturate(ctx context.Context, n, clients int) (Run, error) {
	return s.saturateAt(ctx, s.found.Quota, n, clients)
}

func (s *session) saturateAt(ctx context.Context, quota float64, n, clients int) (Run, error) {
	return s.loadAt(ctx, quota, n, Traffic{Clients: clients, Warmup: s.Warmup, Duration: s.Duration})
}

func (s *session) loadAt(ctx context.Context, quota float64, n int, t Traffic) (Run, error) {
	if err := s.calm(ctx, quota*float64(n)); err != nil {
		return Run{}, err
	}
	r, err := s.subject.Load(ctx, t)
	return Run{N: n, Quota: quota, Clients: t.Clients, Reading: r}, err
}

// calm waits until the machine has room for replicas that use so many cores.
func (s *session) calm(ctx context.Context, cores float64) error {
	begin := time.Now()
	ok, err := s.subject.Calm(ctx, min(cores+beside, 0.95*float64(s.Cores)))
	if err == nil && !ok {
		s.say("waited %.0f s, and the machine has no %.2g cores to spare; tried nevertheless", time.Since(begin).Seconds(), cores+beside)
	}
	return err
}

// beside is what gateway and generator use beside the replicas, in cores.
const beside = 0.1

// valid repeats a run until it counts, at most Attempts times.
func (s *session) valid(ctx context.Context, what string, quota float64, run func() (Run, error)) (Run, error) {
	why := ""
	for range s.Attempts {
		r, err := run()
		if err != nil {
			return r, err
		}
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if why = s.spoiledService(&r.Reading, quota); why == "" {
			return r, nil
		}
		s.found.Repeated++
		s.say("%s does not count: %s", what, why)
	}
	return Run{}, greenlight.Errorf(greenlight.CodeUnavailable, "the measurement is void: %s: %s", what, why)
}

// rounds measures every N in an order of its own each time, so that what
// drifts on the machine does not look like an effect of N. Where they lie
// apart, those N are measured a few times more.
func (s *session) rounds(ctx context.Context) error {
	for round := 1; round <= s.Rounds; round++ {
		if err := s.round(ctx, round, s.Replicas); err != nil {
			return err
		}
	}
	for round := s.Rounds + 1; round <= s.Rounds+moreRounds; round++ {
		loud := slices.DeleteFunc(slices.Clone(s.Replicas), func(n int) bool { return spread(closest(s.rates(n))) <= wideSpread })
		if len(loud) == 0 {
			break
		}
		s.say("the rounds scatter with %d replicas; once more", loud)
		if err := s.round(ctx, round, loud); err != nil {
			return err
		}
	}
	if err := s.checkSpread(); err != nil {
		return err
	}
	s.tellWaiting()
	return nil
}

// moreRounds is how often what lies apart is measured once more.
const moreRounds = 3

// closest is the rates, ascending. Where they scatter, it is three quarters of
// them, those that lie closest together: what a neighbour spoiled is left out,
// and not what differs.
func closest(rates []float64) []float64 {
	sorted := slices.Sorted(slices.Values(rates))
	if spread(sorted) <= wideSpread {
		return sorted
	}
	wanted := len(sorted) - len(sorted)/4
	best := sorted[:wanted]
	for i := 1; i+wanted <= len(sorted); i++ {
		if part := sorted[i : i+wanted]; spread(part) < spread(best) {
			best = part
		}
	}
	return best
}

func (s *session) round(ctx context.Context, round int, replicas []int) error {
	for _, i := range s.random.Perm(len(replicas)) {
		n := replicas[i]
		if err := s.subject.Scale(ctx, n); err != nil {
			return err
		}
		what := fmt.Sprintf("round %d, %s", round, plan.Count(n, "replica"))
		r, err := s.valid(ctx, what, s.found.Quota, func() (Run, error) { return s.saturate(ctx, n, n*s.found.Clients) })
		if err != nil {
			return err
		}
		if r.busy(s.found.Quota) < leastBusy {
			if r, err = s.waiting(ctx, what, r); err != nil {
				return err
			}
		}
		r.Round = round
		s.found.Runs = append(s.found.Runs, r)
		s.say("%s: %s, replicas at %.0f %% of %.3g cores, gateway %.2f, generator %.2f", what, plan.Rate(r.Rate), 100*r.busy(s.found.Quota), s.found.Quota, r.Gateway, r.Own)
	}
	return nil
}

// waiting decides what it means that replicas have time left: with too few
// clients they have nothing to do; otherwise they wait for something else.
func (s *session) waiting(ctx context.Context, what string, r Run) (Run, error) {
	more, err := s.valid(ctx, what, s.found.Quota, func() (Run, error) { return s.saturate(ctx, r.N, 2*r.Clients) })
	if err != nil {
		return r, err
	}
	if more.Rate > r.Rate*(1+flat) {
		if s.found.Clients < mostClients/2 {
			s.found.Clients *= 2
		}
		r = more
	}
	return r, nil
}

// tellWaiting says at which N the replicas had time left, whatever the clients
// asked; one run may be a hiccup.
func (s *session) tellWaiting() {
	for _, n := range s.Replicas {
		busy := s.at(n, func(r *Run) float64 { return r.busy(s.found.Quota) })
		if share := stat.Mean(busy, nil); share < leastBusy {
			s.note("At %s they used only %.0f %% of their quota, and more clients brought no more: they wait for something that they share.", plan.Count(n, "replica"), 100*share)
		}
	}
}

// at is a figure of every run of n replicas.
func (s *session) at(n int, figure func(*Run) float64) []float64 {
	var list []float64
	for i := range s.found.Runs {
		if r := &s.found.Runs[i]; r.N == n {
			list = append(list, figure(r))
		}
	}
	return list
}

func (s *session) rates(n int) []float64 {
	return s.at(n, func(r *Run) float64 { return r.Rate })
}

// checkSpread leaves out runs that lie far from the others of their N, and
// refuses rounds that still disagree.
func (s *session) checkSpread() error {
	for _, n := range s.Replicas {
		rates := s.rates(n)
		kept := closest(rates)
		if spread(kept) > mostSpread {
			return greenlight.Errorf(greenlight.CodeUnavailable, "the measurement is void: at %s the rounds scatter by %.0f %% (%.4g), more than %.0f %%: "+
				"other work of this machine disturbs it; try again when it has less to do, or with a longer --duration", plan.Count(n, "replica"), 100*spread(kept), rates, 100*mostSpread)
		}
		if len(kept) == len(rates) {
			continue
		}
		s.found.Runs = slices.DeleteFunc(s.found.Runs, func(r Run) bool { return r.N == n && !slices.Contains(kept, r.Rate) })
		s.note("At %s %d of %d runs lay far from the others and were left out (%.4g a second, kept %.4g): their standard deviation was %.0f %%, more than %.0f %%, so the %d that lie closest together count; a quarter at most is left out.",
			plan.Count(n, "replica"), len(rates)-len(kept), len(rates), rates, kept, 100*spread(slices.Sorted(slices.Values(rates))), 100*wideSpread, len(kept))
	}
	return nil
}
