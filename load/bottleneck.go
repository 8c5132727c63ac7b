package load

import (
	"cmp"
	"fmt"
	"slices"
)

// Limit is what a target's highest rate comes from.
type Limit string

// The limits that the evidence can show.
const (
	LimitReplicas    Limit = "replicas_cpu" // the processor time that replicas may have
	LimitThread      Limit = "one_thread"   // replicas compute on one core of several
	LimitMachine     Limit = "machine"      // other programs use up its cores
	LimitGateway     Limit = "gateway"
	LimitGenerator   Limit = "generator"
	LimitConnections Limit = "connections" // the generator's, all of them in use
	LimitQueue       Limit = "model_queue"
	LimitRefused     Limit = "refused" // the answers are errors, and fast
	LimitSlow        Limit = "slow"    // the SLO is missed without load, too
	LimitWaiting     Limit = "waiting" // for something that is none of these
	LimitUnknown     Limit = "unknown" // nothing was seen of the target
)

// Bottleneck is what a knee comes from, as far as the evidence tells: of the
// highest rate that met the SLO, and of one above that the target still
// answers at.
type Bottleneck struct {
	Limit    Limit    `json:"limit"`
	Says     string   `json:"says"`
	Evidence []string `json:"evidence"`
	// Serial is how long each request holds what all wait for, one at a time:
	// 1 / the highest rate of right answers. 0 when more was sent than was
	// answered at no rate.
	Serial float64 `json:"serial_seconds,omitempty"`
}

// What counts as used up, and as grown.
const (
	cpuFull       = 0.9 // of the cores that there are
	throttledMuch = 0.3 // of the periods of a quota
	queueMuch     = 0.3 // of the service time
	grownMuch     = 1.5
	keptUp        = 0.95 // of the rate that was due
	refusedMuch   = 0.01 // of the requests
	asBusy        = 0.75 // of what other programs use at a higher rate
	littleCPU     = 0.25 // of the machine's cores
	plateau       = 0.9  // of the highest rate of right answers
)

// NameBottleneck judges a search; nil when no rate missed the SLO.
func NameBottleneck(k *Knee) *Bottleneck {
	at, over, first := k.evidence()
	switch {
	case over == nil && k.Void != "":
		return &Bottleneck{Limit: LimitGenerator, Says: k.Void, Evidence: []string{}}
	case over == nil:
		return nil
	}
	j := &judgement{at: cmp.Or(at, first), over: over, first: first, most: k.most(), fallen: k.fellApart(over), others: k.othersWhenMet(), idle: k.missedIdle()}
	b := &Bottleneck{Evidence: j.evidence()}
	if b.Limit, b.Says = j.limit(at != nil); b.Limit == LimitWaiting && j.serial() {
		b.Serial = 1 / j.most
	}
	return b
}

// evidence chooses the rungs to judge by: the highest rate that met the SLO,
// one above it, and the lowest rate of all.
func (k *Knee) evidence() (at, over, first *Rung) {
	var fallen *Rung // where the target fell apart its figures say little
	for i := range k.Rungs {
		r := &k.Rungs[i]
		if r.Result.Void {
			continue
		}
		if first == nil || r.Rate < first.Rate {
			first = r
		}
		switch {
		case r.Met:
			if at == nil || r.Rate > at.Rate {
				at = r
			}
		case k.fellApart(r):
			if fallen == nil || r.Rate < fallen.Rate {
				fallen = r
			}
		case over == nil || r.Rate >= over.Rate:
			over = r
		}
	}
	return at, cmp.Or(over, fallen), first
}

// most is the highest rate of right answers, a second.
func (k *Knee) most() (most float64) {
	for i := range k.Rungs {
		if r := k.Rungs[i].Result; !r.Void {
			most = max(most, r.Goodput)
		}
	}
	return most
}

// judgement holds two rungs against each other.
type judgement struct {
	at, over, first *Rung
	most            float64 // right answers a second, at any rate
	fallen          bool    // over is of a target that fell apart
	others          float64 // most cores that other programs used at a rate that met the SLO
	idle            bool    // a rate was missed though the machine had cores to spare
}

func (j *judgement) limit(met bool) (Limit, string) {
	r := j.over.Result
	if said := j.refused(); said != "" {
		return LimitRefused, said
	}
	if limit, said := j.cpu(); limit != "" {
		return limit, said
	}
	if s := r.Server; s != nil && s.Queue.Mean > queueMuch*r.Service.Mean {
		return LimitQueue, fmt.Sprintf("the model's queue: a request waited %s in it, of %s in all", Seconds(s.Queue.Mean), Seconds(r.Service.Mean))
	}
	if said := j.connections(); said != "" {
		return LimitConnections, said
	}
	switch {
	case !met && j.over == j.first && j.keepsUp():
		return LimitSlow, fmt.Sprintf("none that load shows: %s is answered in full, and misses the SLO all the same", PerSecond(j.over.Rate))
	case r.Server == nil:
		return LimitUnknown, "not known: nothing was seen of the target's own side; load it by the name of its service for that"
	}
	return LimitWaiting, j.waiting()
}

func (j *judgement) keepsUp() bool { return j.over.Result.Goodput >= keptUp*j.over.Result.Planned }

// serial tells whether the most is what the bottleneck lets through, and not
// just what was asked for before the target fell apart.
func (j *judgement) serial() bool {
	return !j.keepsUp() && !j.fallen && j.most > 0 && j.over.Result.Goodput >= plateau*j.most
}

// refused is about errors that come as fast as right answers do.
func (j *judgement) refused() string {
	r := j.over.Result
	wrong := r.ErrorKinds[KindStatus]
	if float64(wrong) < refusedMuch*float64(r.Requests) || r.Service.Mean > grownMuch*j.first.Result.Service.Mean {
		return ""
	}
	return fmt.Sprintf("requests are refused, not answered late: %d of %d (status %s)", wrong, r.Requests, r.statusText())
}

// cpu is about processor time: of a quota, of the machine, of one thread.
func (j *judgement) cpu() (Limit, string) {
	r := j.over.Result
	s := r.Server
	if s == nil {
		return "", ""
	}
	share, quota := s.cpuShare()
	t := s.Throttling
	switch {
	case quota && share >= cpuFull:
		return LimitReplicas, fmt.Sprintf("the replicas' CPU: they used %s of their quota", percent(share))
	case quota && t != nil && t.Share() >= throttledMuch && share >= cpuFull/2:
		return LimitReplicas, fmt.Sprintf("the replicas' CPU: they were throttled in %s of the periods of their quota", percent(t.Share()))
	}
	if m := s.Machine; m != nil && m.busy() >= cpuFull {
		if limit, said := m.busiest(s.CPU.Mean, r.CPU); limit != LimitMachine || !j.idle && !j.othersAsBusy() {
			return limit, said
		}
	}
	if n := s.busyThreads(); n > 0 && (s.Quota == 0 || s.Quota > 1.5) && (s.Machine == nil || s.Machine.Cores > n) {
		return LimitThread, fmt.Sprintf("the replicas' CPU: %d of %d computed on one core without a pause; more replicas, or more threads in each, use the others", n, len(s.Replicas))
	}
	if quota {
		if hot := s.hottest(); hot >= cpuFull*s.Quota {
			return LimitReplicas, fmt.Sprintf("the CPU of one replica of %d: it used %s of its quota, all together %s", len(s.Replicas), percent(hot/s.Quota), percent(share))
		}
	}
	return "", ""
}

// othersAsBusy tells whether other programs used as much at a rate that was
// met, and the service wants little: then they are not what the higher rate is
// too much for, since whoever wants little gets it.
func (j *judgement) othersAsBusy() bool {
	r := j.over.Result
	m, used := r.Server.Machine, r.Server.CPU.Mean
	return j.others > 0 && j.others >= asBusy*m.others(used, r.CPU) && used+m.Gateway < littleCPU*float64(m.Cores)
}

// missedIdle tells whether a rate was missed on a machine that had cores to
// spare: then it is not what another try was missed by.
func (k *Knee) missedIdle() bool {
	return slices.ContainsFunc(k.Rungs, func(r Rung) bool {
		s := r.Result.Server
		return !r.Met && !r.Result.Void && s != nil && s.Machine != nil && s.Machine.busy() < cpuFull
	})
}

// othersWhenMet is the most cores that other programs used at a rate that met
// the SLO, 0 when that is not known.
func (k *Knee) othersWhenMet() (most float64) {
	for i := range k.Rungs {
		if r := &k.Rungs[i]; r.Met && r.Result.Server != nil && r.Result.Server.Machine != nil {
			most = max(most, r.Result.Server.Machine.others(r.Result.Server.CPU.Mean, r.Result.CPU))
		}
	}
	return most
}

// connections is about requests that waited in the generator while those that
// were sent took no longer than without load.
func (j *judgement) connections() string {
	r := j.over.Result
	sent := float64(r.Requests) / r.Elapsed * r.Service.Mean // under way, by Little's law
	if j.over == j.first || j.keepsUp() || r.InFlight < 2*sent || r.Service.Mean > grownMuch*j.first.Result.Service.Mean {
		return ""
	}
	return fmt.Sprintf("the generator's connections: all were in use, and an answer took %s as without load; raise --connections", Seconds(r.Service.Mean))
}

// waiting is what is left when replicas have processor time and yet are slow.
func (j *judgement) waiting() string {
	r := j.over.Result
	s := r.Server
	used := fmt.Sprintf("used only %.2f cores", s.settledCPU())
	if share, _ := s.cpuShare(); share > 0 {
		used = fmt.Sprintf("used only %s of their CPU", percent(share))
	}
	waited, _ := s.inService()
	return fmt.Sprintf("something that all requests wait for: replicas %s while %.0f requests waited in them: a lock, a connection pool, a table, another service",
		used, waited)
}

// evidence are the figures behind the verdict, a sentence each.
func (j *judgement) evidence() []string {
	over, at := j.over, j.at
	r := over.Result
	said := []string{fmt.Sprintf("right answers: %s of %s, at most %s at any rate", PerSecond(r.Goodput), PerSecond(over.Rate), PerSecond(j.most))}
	if at != over {
		said = append(said, fmt.Sprintf("mean response: %s at %s, %s at %s", Seconds(r.Response.Mean), PerSecond(over.Rate), Seconds(at.Result.Response.Mean), PerSecond(at.Rate)))
	}
	if j.serial() {
		said = append(said, fmt.Sprintf("one after the other, each request would hold the bottleneck for %s (1 / %s)", Seconds(1/j.most), PerSecond(j.most)))
	}
	s := r.Server
	if s == nil {
		return said
	}
	most, _ := s.inService()
	inFlight := fmt.Sprintf("requests in the service: %.1f at %s", most, PerSecond(over.Rate))
	if before := at.Result.Server; at != over && before != nil {
		held, _ := before.inService()
		inFlight += fmt.Sprintf(", %.1f at %s", held, PerSecond(at.Rate))
	}
	said = append(said, inFlight, s.cpuText())
	if s.Machine != nil {
		said = append(said, s.Machine.text(s.CPU.Mean, r.CPU))
	}
	if s.Queue.Max > 0 {
		said = append(said, fmt.Sprintf("wait to be computed: %s of %s", Seconds(s.Queue.Mean), Seconds(r.Service.Mean)))
	}
	return said
}

// cpuShare is how much of their processor time the replicas used: of the
// quota where one holds them, else of the machine's cores; 0 when neither is
// known.
func (s *Server) cpuShare() (share float64, quota bool) {
	const enforced = 1.15 // beyond, nothing holds them to it
	used := s.settledCPU()
	if s.Quota > 0 && s.Ready.Mean > 0 {
		if share = used / (s.Quota * s.Ready.Mean); share <= enforced {
			return share, true
		}
	}
	if s.Machine != nil && s.Machine.Cores > 0 {
		return used / float64(s.Machine.Cores), false
	}
	return 0, false
}

// settledCPU is what the replicas used after the first third of a test: a rate
// that is too much may be given up after a few seconds, of which the first is
// half idle.
func (s *Server) settledCPU() float64 {
	later := s.Seconds[len(s.Seconds)/3:]
	if len(later) == 0 {
		return s.CPU.Mean
	}
	var sum float64
	for i := range later {
		sum += later[i].CPU
	}
	return sum / float64(len(later))
}

func (s *Server) hottest() (most float64) {
	for _, r := range s.Replicas {
		most = max(most, r.CPU.Mean)
	}
	return most
}

// busyThreads is how many replicas, of them all, used one core and no more;
// 0 unless most did.
func (s *Server) busyThreads() (n int) {
	for _, r := range s.Replicas {
		if r.CPU.Mean >= cpuFull && r.CPU.Mean <= 1.1 {
			n++
		}
	}
	if 2*n <= len(s.Replicas) {
		return 0
	}
	return n
}

func (s *Server) cpuText() string {
	said := fmt.Sprintf("replicas' CPU: %.2f cores", s.settledCPU())
	share, quota := s.cpuShare()
	switch {
	case quota:
		said += fmt.Sprintf(", %s of their quota (%.0f × %.3g)", percent(share), s.Ready.Mean, s.Quota)
	case share > 0:
		said += fmt.Sprintf(", %s of the machine's %d", percent(share), s.Machine.Cores)
	}
	if t := s.Throttling; t != nil && t.Throttled > 0 {
		said += fmt.Sprintf(", throttled in %s of the periods", percent(t.Share()))
	} else if t != nil {
		said += ", never throttled"
	}
	return said
}
