package measure

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// FirstQuota is the cores that each replica is held to at first where nobody
// says how many.
const FirstQuota = 0.15

// leastQuota is the least cores that a description takes.
const leastQuota = 0.01

// What may be used at twice the replicas that are measured, because so many are
// checked later: cores by gateway and generator each, and the share of the
// machine by all. Beyond, they slow each other down, through the caches too:
// at 0.7 of the machine a request cost an example's replicas a fourth more than
// at 0.4.
const (
	roomFor   = 0.6
	fullShare = 0.55
)

// gateway measures the gateway before a service that does nothing: its ceiling,
// and the time of a request that is spent outside a replica.
func (s *session) gateway(ctx context.Context) error {
	if s.Gateway == "" {
		return nil
	}
	r, err := s.subject.Load(ctx, Traffic{Stage: s.Gateway, Clients: 1, Warmup: s.Warmup / 2, Duration: s.Duration / 2})
	if err != nil {
		return err
	}
	s.found.Outside = r.Mean
	stage, err := s.ceiling(ctx, s.Gateway)
	if err != nil {
		return err
	}
	stage.Name = "gateway"
	s.found.Stages = append(s.found.Stages, stage)
	s.note("The gateway shared the machine with the generator while its ceiling was measured, so it is a careful figure.")
	return nil
}

// stages measures each shared stage alone.
func (s *session) stages(ctx context.Context) error {
	for _, name := range s.Stages {
		stage, err := s.ceiling(ctx, name)
		if err != nil {
			return err
		}
		s.found.Stages = append(s.found.Stages, stage)
	}
	return nil
}

// ceiling raises the clients of a stage until they bring no more, and then
// repeats that: a few times more where what comes of it says little.
func (s *session) ceiling(ctx context.Context, name string) (plan.Stage, error) {
	clients, err := s.enough(ctx, name)
	if err != nil {
		return plan.Stage{}, err
	}
	var rates []float64
	why := ""
	wanted := s.Rounds + 3
	for try := 0; len(rates) < wanted && try < wanted+s.Attempts; try++ {
		r, err := s.stage(ctx, name, clients)
		if err != nil {
			return plan.Stage{}, err
		}
		if reason := s.spoiled(&r); reason != "" {
			why = reason
			continue
		}
		rates = append(rates, r.Rate)
		if len(rates) == wanted && wanted < s.Rounds+3+moreRounds && stageOf(name, higherHalf(rates), leastDeviation).Interval() > plan.MostStageInterval {
			wanted++
		}
	}
	if len(rates) < 3 {
		return plan.Stage{}, greenlight.Errorf(greenlight.CodeUnavailable, "the measurement is void: %s with %d clients: %s", s.called(name), clients, why)
	}
	stage := stageOf(name, higherHalf(rates), leastDeviation)
	s.say("%s alone: at most %s (%s – %s) with %d clients", s.called(name), plan.Rate(stage.Ceiling), plan.Rate(stage.Low), plan.Rate(stage.High), clients)
	return stage, nil
}

// called is a stage in words: the gateway is measured under the name of a
// service that users know nothing of.
func (s *session) called(name string) string {
	if name == s.Gateway {
		return "the gateway"
	}
	return "stage " + name
}

// higherHalf is the runs with the least other work of the machine, which only
// lowers a ceiling.
func higherHalf(rates []float64) []float64 {
	return slices.Sorted(slices.Values(rates))[len(rates)/2:]
}

// enough is how many clients bring a stage to its ceiling. Where more of them
// would be too many for the generator, or for the stage, it is those that are
// not.
func (s *session) enough(ctx context.Context, name string) (int, error) {
	room, err := s.subject.Room(ctx, name)
	if err != nil {
		return 0, err
	}
	most := mostStageClients
	if room.Clients > 0 {
		most = min(most, room.Clients)
	}
	before, best := 0, 0.0
	for clients := min(leastStageClients, most); ; clients = min(4*clients, most) {
		r, err := s.stage(ctx, name, clients)
		if err != nil {
			return 0, err
		}
		why := s.spoiled(&r)
		rises := r.Rate >= best*(1+flat)
		switch {
		case why != "" && before == 0:
			return clients, nil // its repetitions tell
		case why != "", r.Rate < best*(1-wideSpread): // so many get into each other's way
			return before, nil
		case rises && clients == room.Clients:
			s.note("The stage %s had at most %s, because %s: with more it may carry more.", name, plan.Count(clients, "client"), room.Why)
			return clients, nil
		case !rises || clients == most:
			return clients, nil
		}
		before, best = clients, r.Rate
	}
}

const leastStageClients = 4

// mostStageClients bounds the clients of a stage.
const mostStageClients = 256

func (s *session) stage(ctx context.Context, name string, clients int) (Reading, error) {
	return s.subject.Load(ctx, Traffic{Stage: name, Clients: clients, Warmup: s.Warmup / 2, Duration: s.Duration / 2})
}

// What two measurements of the same differ by at least, as a share: a few of
// one session that happen to agree prove no more than that. What was found by
// replicas with more cores, and not alone, stands for what more replicas find.
const (
	leastDeviation = 0.02
	leastInferred  = 0.04
)

// stageOf makes a stage of repeated rates at its ceiling. Its interval holds
// one new measurement in 95 % of cases, by Student's t.
func stageOf(name string, rates []float64, least float64) plan.Stage {
	mean, deviation := stat.MeanStdDev(rates, nil)
	n := float64(len(rates))
	deviation = max(deviation, least*mean)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * deviation * math.Sqrt(1+1/n)
	return plan.Stage{Name: name, Ceiling: mean, Low: max(mean-half, mean/100), High: mean + half, PerRequest: 1, Driven: 1}
}

// quota chooses what a replica is held to where nobody says: little enough for
// twice the replicas, gateway and generator to fit on this machine.
func (s *session) quota(ctx context.Context) error {
	if err := s.subject.Scale(ctx, 1); err != nil {
		return err
	}
	if s.found.Quota > 0 {
		return s.subject.Limit(ctx, s.found.Quota)
	}
	twice := float64(2 * s.most())
	q := min(FirstQuota, 0.6*float64(s.Cores)/twice)
	for range 3 {
		q = max(leastQuota, math.Floor(1000*q)/1000)
		if err := s.subject.Limit(ctx, q); err != nil {
			return err
		}
		r, err := s.subject.Load(ctx, Traffic{Clients: 8, Warmup: s.Warmup, Duration: s.Duration / 2})
		if err != nil {
			return err
		}
		if busy := r.busy(q); busy > mostBusy && len(r.Replica) > 0 {
			return greenlight.Errorf(greenlight.CodeUnsupported, "one replica used %.2f cores, more than the %.3g that it is held to: "+
				"this machine gives Greenlight no control groups (cgroup v1 or v2) that it may write, and without them more replicas on one machine do not show what they carry", r.Replica[0], q)
		}
		use := twice * (q*r.busy(q) + r.Gateway + r.Own)
		over := max(use/(fullShare*float64(s.Cores)), twice*max(r.Gateway, r.Own)/roomFor)
		if over <= 1.1 || q == leastQuota {
			break
		}
		s.say("%d replicas of %.3g cores would use %.2g cores with gateway and generator; smaller ones are tried", 2*s.most(), q, use)
		q /= over
	}
	s.found.Quota = q
	s.note("Nothing says how many cores a replica has, so each was held to %.3g, small enough for %d of them, the gateway and the generator to fit on %d cores. Give --cpu, or resources in the description, for others.", q, 2*s.most(), s.Cores)
	return nil
}

// light measures one replica with little to do: how long it takes for a
// request without waiting, and how much that varies. It has a core of its own
// meanwhile: what a request waits for its quota is no work, and a few that wait
// for the kernel's next period would make all of them look as if they varied by
// as much.
func (s *session) light(ctx context.Context) error {
	r, err := s.valid(ctx, "one replica", s.found.Quota, func() (Run, error) { return s.saturate(ctx, 1, 8) })
	if err != nil {
		return err
	}
	rate := lightLoad * r.Rate
	if rate <= 0 {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the measurement is void: one replica answered nothing in %s", s.Duration)
	}
	quota := max(s.found.Quota, min(1, float64(s.Cores)-reserved))
	if err := s.subject.Limit(ctx, quota); err != nil {
		return err
	}
	traffic := Traffic{Rate: rate, Warmup: s.Warmup, Duration: min(10*s.Duration, max(s.Duration, seconds(lightRequests/rate)))}
	if s.found.Light, err = s.valid(ctx, "one replica with little to do", quota, func() (Run, error) { return s.loadAt(ctx, quota, 1, traffic) }); err != nil {
		return err
	}
	s.say("one replica of %.3g cores at %s, %.0f %% of what it carries: mean %s, p99 %s",
		quota, plan.Rate(rate), 100*lightLoad, plan.Seconds(s.found.Light.Mean), plan.Seconds(s.found.Light.P99))
	return s.subject.Limit(ctx, s.found.Quota)
}

const (
	lightLoad     = 0.2   // share of its throughput at which a request hardly waits
	lightRequests = 300.0 // at least so many make a 99th percentile
)

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// rising puts more and more clients on one replica until they bring no more.
func (s *session) rising(ctx context.Context) error {
	best, clients := 0.0, 1
	for c := 1; c <= mostClients; c *= 2 {
		r, err := s.subject.Load(ctx, Traffic{Clients: c, Warmup: s.Warmup / 2, Duration: s.Duration / 2})
		if err != nil {
			return err
		}
		s.found.Rising = append(s.found.Rising, Run{N: 1, Quota: s.found.Quota, Clients: c, Reading: r})
		s.say("one replica, %s: %s, p99 %s", plan.Count(c, "client"), plan.Rate(r.Rate), plan.Seconds(r.P99))
		if c > 8 && r.Rate < best*(1+flat) {
			break
		}
		if r.Rate > best*(1+flat) {
			best, clients = r.Rate, c
		}
	}
	if s.found.Clients == 0 {
		s.found.Clients = max(leastClients, 2*clients, min(int(best*quotaPeriod), burstClients))
	}
	return nil
}

// leastClients is how many keep a replica busy while the answers of others are
// on their way.
const leastClients = 8

// A replica held to a quota answers in bursts, one each period of the kernel.
// Where fewer requests wait than it answers in one, it sleeps and wakes within
// them, and what that costs differs from run to run by half of all it does.
const (
	quotaPeriod  = 0.1 // seconds
	burstClients = 64  // enough of them
)

// lift gives the most replicas more cores each, which drives all that they
// share as more replicas would: what does not show yet at the most that was
// measured, a lock that all of them wait for, shows then.
func (s *session) lift(ctx context.Context) error {
	room := float64(s.Cores) - reserved
	factor := min(mostLift, room/(s.found.Quota*float64(s.most())))
	if factor < leastLift {
		s.note("There is no room on %d cores to give replicas more than %.3g, so it was not looked for what they share beyond the stages measured alone.", s.Cores, s.found.Quota)
		return nil
	}
	quota := math.Floor(1000*s.found.Quota*factor) / 1000
	if err := s.subject.Scale(ctx, s.most()); err != nil {
		return err
	}
	if err := s.subject.Limit(ctx, quota); err != nil {
		return err
	}
	for try := 0; len(s.found.Lifted) < max(3, s.Rounds) && try < max(3, s.Rounds)+s.Attempts; try++ {
		r, err := s.saturateAt(ctx, quota, s.most(), 2*s.most()*s.found.Clients)
		if err != nil {
			return err
		}
		if why := s.spoiledService(&r.Reading, quota); why != "" {
			s.say("with more cores each: does not count: %s", why)
			continue
		}
		r.Round = len(s.found.Lifted) + 1
		s.found.Lifted = append(s.found.Lifted, r)
		s.say("%d replicas of %.3g cores: %s, at %.0f %% of that", r.N, quota, plan.Rate(r.Rate), 100*r.busy(quota))
	}
	return s.hidden(ctx, quota)
}

const (
	mostLift  = 2.0
	leastLift = 1.3
)

// Hidden is the name of a stage that nobody named.
const Hidden = "shared wait"

// hidden makes a stage of what the replicas wait for with more cores each.
func (s *session) hidden(ctx context.Context, quota float64) error {
	var rates []float64
	busy := 0.0
	for _, r := range s.found.Lifted {
		rates = append(rates, r.Rate)
		busy += r.busy(quota) / float64(len(s.found.Lifted))
	}
	most := fmt.Sprintf("%d replicas with %.3g cores each instead of %.3g", s.most(), quota, s.found.Quota)
	switch {
	case len(rates) < 2:
		s.note("%s: too few runs counted, so what they share beyond the stages measured alone is not known.", most)
		return nil
	case busy >= leastBusy:
		mean, deviation := stat.MeanStdDev(rates, nil)
		s.note("%s still used %.0f %% of them: nothing that they share gave way up to %s.", most, 100*busy, plan.Rate(mean))
		s.found.Larger = &plan.Larger{
			Replicas: s.most(), Cores: quota, As: float64(s.most()) * quota / s.found.Quota, X: mean, Runs: len(rates),
			Deviation: min(1, math.Hypot(deviation/mean/math.Sqrt(float64(len(rates))), leastInferred)),
		}
		return nil
	}
	more, err := s.saturateAt(ctx, quota, s.most(), 4*s.most()*s.found.Clients)
	if err != nil {
		return err
	}
	if more.Rate > (1+flat)*stat.Mean(rates, nil) {
		s.note("%s used %.0f %% of them, for want of clients; what they share beyond the stages measured alone is not known.", most, 100*busy)
		return nil
	}
	stage := stageOf(Hidden, rates, leastInferred)
	for i := range s.found.Stages {
		known := &s.found.Stages[i]
		if stage.Low < known.High && stage.High > known.Low {
			s.note("%s used only %.0f %% of them and came to %s, which is the ceiling of the stage %s (alone %s); as the replicas drive it is how it is planned with.", most, 100*busy, plan.Rate(stage.Ceiling), known.Name, plan.Rate(known.Ceiling))
			known.Low, known.High = min(known.Low, stage.Low), max(known.High, stage.High)
			known.Ceiling = stage.Ceiling
			return nil
		}
	}
	s.found.Stages = append(s.found.Stages, stage)
	s.note("%s used only %.0f %% of them and came to %s: they wait for something that all of them share and that no stage names: a lock, a table, another service.", most, 100*busy, plan.Rate(stage.Ceiling))
	return nil
}
