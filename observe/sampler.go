package observe

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Gateway is what is asked of the gateway; *gateway.Client is one.
type Gateway interface {
	// Metrics are its series in Prometheus's text format.
	Metrics(ctx context.Context) ([]byte, error)
}

// Options shape a Sampler.
type Options struct {
	// Gateway names services "<environment>/<service>" and its targets by the
	// replicas' ids.
	Gateway Gateway
	// Replicas lists the replicas of all environments. It is called once a
	// tick and should be cheap: what was observed last will do.
	Replicas func(ctx context.Context) ([]greenlight.Replica, error)
	// Queue tells for which services the time that requests wait in the model
	// servers is read from these; nil is for none.
	Queue func(environment, service string) bool
	// Grown is told at every tick what came since the one before, and must not
	// take long; nil is for nobody. The first one begins where Resume ended, or
	// else with the gateway's process.
	Grown  func(Growth)
	Resume Counters
	// Interval is the time from one sample to the next; 0 is 1 s.
	Interval time.Duration
	Log      *slog.Logger // nil discards
}

// maxServices bounds the services whose past is kept: 0.22 MB for each.
const maxServices = 1000

// Sampler samples once a tick and keeps 3600 ticks, an hour of seconds. Its
// methods may be called by many goroutines at once, Run by one.
type Sampler struct {
	options Options

	// of Run alone
	scrape  *scrape
	usage   *usage
	queues  *queues
	scraped time.Time // the last time that the gateway answered
	silent  bool      // whether it did not the last time

	mu        sync.Mutex
	latest    map[string]Sample // never changed, only replaced, as replicas
	replicas  map[string]ReplicaSample
	updated   chan struct{}
	histories map[string]*history
	bounds    []float64
	tick      int64 // the last one
}

// ReplicaSample is what one replica used and did at the last tick.
type ReplicaSample struct {
	CPU      float64 // cores; 0 where /proc does not tell
	Memory   int64   // bytes resident; 0 where /proc does not tell
	InFlight int64   // requests under way, as the gateway counts them
}

// NewSampler makes a sampler; Run samples.
func NewSampler(o Options) *Sampler {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Queue == nil {
		o.Queue = func(string, string) bool { return false }
	}
	return &Sampler{
		options: o, scrape: newScrape(o.Resume), usage: newUsage(), queues: newQueues(),
		latest: map[string]Sample{}, replicas: map[string]ReplicaSample{},
		updated: make(chan struct{}), histories: make(map[string]*history),
	}
}

// Run samples until ctx is done, and returns nil then. Ticks lie on whole
// intervals of the clock; one that takes too long lets the next ones fall out.
func (s *Sampler) Run(ctx context.Context) error {
	defer s.queues.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		began := time.Now()
		s.sample(ctx)
		timer.Reset(time.Until(s.next(began)))
	}
}

// next is when the tick after the one that began then is due; the first one
// may have been so late that a rate until the next would say nothing.
func (s *Sampler) next(began time.Time) time.Time {
	interval := s.options.Interval
	next := time.Now().Truncate(interval).Add(interval)
	if next.Sub(began) < interval/2 {
		next = next.Add(interval)
	}
	return next
}

// sample is one tick. When the gateway or the backend does not answer there is
// no sample: half of one would look like a change.
func (s *Sampler) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(s.options.Interval, time.Second))
	defer cancel()
	replicas, err := s.options.Replicas(ctx)
	if err != nil {
		s.report(ctx, "replicas are not observed", err)
		return
	}
	text, err := s.options.Gateway.Metrics(ctx)
	if err != nil {
		if !s.scraped.IsZero() { // before that it is starting
			s.report(ctx, "the gateway is not sampled", err)
		}
		return
	}
	s.silent = false
	now := time.Now()
	s.readReplicas(ctx, now, replicas)
	rebucketed := s.scrape.take(text)
	s.grown(now)
	elapsed := s.options.Interval
	if !s.scraped.IsZero() {
		elapsed = max(now.Sub(s.scraped), time.Millisecond)
	}
	s.scraped = now
	s.publish(now, elapsed, rebucketed, replicas)
}

// report logs a silence when it begins, but not that of an end.
func (s *Sampler) report(ctx context.Context, what string, err error) {
	if !s.silent && !errors.Is(ctx.Err(), context.Canceled) {
		s.options.Log.Warn(what, "error", err)
	}
	s.silent = true
}

// readReplicas reads what the replicas' processes use and, where it is
// wanted, how long requests wait in them.
func (s *Sampler) readReplicas(ctx context.Context, now time.Time, replicas []greenlight.Replica) {
	var leaders []int
	var servers []greenlight.Replica
	for _, r := range replicas {
		if r.PID > 0 {
			leaders = append(leaders, r.PID)
		}
		if r.State == greenlight.ReplicaReady && r.Address != "" && s.options.Queue(r.Environment, r.Service) {
			servers = append(servers, r)
		}
	}
	slices.Sort(leaders)
	s.usage.read(now, slices.Compact(leaders))
	s.queues.read(ctx, servers)
}

// publish makes the samples of a tick known.
func (s *Sampler) publish(now time.Time, elapsed time.Duration, rebucketed bool, replicas []greenlight.Replica) {
	byService, byReplica := s.sum(now, replicas)
	latest := make(map[string]Sample, len(byService))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick = now.UnixNano() / int64(s.options.Interval)
	s.bounds = s.scrape.bounds
	if rebucketed {
		for _, h := range s.histories {
			h.forgetBuckets()
		}
	}
	var counts []float64
	for name, sums := range byService {
		t := s.scrape.services[name]
		if t == nil {
			t = new(traffic)
		}
		counts = t.buckets(counts)
		sample := t.sample(now, elapsed, s.bounds, counts)
		sample.CPU, sample.Memory = sums.cpu, sums.memory
		if sums.requests > 0 {
			sample.Queue = sums.seconds / sums.requests
		}
		latest[name] = sample
		if h := s.history(name); h != nil {
			h.put(s.tick, sample.row(), counts)
		}
	}
	s.latest, s.replicas = latest, byReplica
	s.forget()
	close(s.updated)
	s.updated = make(chan struct{})
}

// sums are what the replicas of a service use together.
type sums struct {
	cpu               float64
	memory            int64
	seconds, requests float64 // waited in all, and by how many
}

// sum adds the replicas up. Every service of the gateway and every one with a
// replica is in byService.
func (s *Sampler) sum(now time.Time, replicas []greenlight.Replica) (byService map[string]sums, byReplica map[string]ReplicaSample) {
	byService, byReplica = make(map[string]sums), make(map[string]ReplicaSample, len(replicas))
	for name, t := range s.scrape.services {
		if t.configured {
			byService[name] = sums{}
		}
	}
	for _, r := range replicas {
		key := replicaKey(r.Environment, r.ID)
		cpu, memory := s.usage.of(r.PID)
		seconds, requests := s.queues.grown(key, now)
		byReplica[key] = ReplicaSample{CPU: cpu, Memory: memory, InFlight: int64(s.scrape.inFlight[key])}
		service := r.Environment + "/" + r.Service
		sum := byService[service]
		byService[service] = sums{sum.cpu + cpu, sum.memory + memory, sum.seconds + seconds, sum.requests + requests}
	}
	return byService, byReplica
}

func (t *traffic) sample(now time.Time, elapsed time.Duration, bounds, counts []float64) Sample {
	sample := Sample{At: now, Rate: t.requests / elapsed.Seconds(), InFlight: t.inFlight, Held: int64(t.held)}
	if t.requests > 0 {
		sample.Errors, sample.Mean = t.failed/t.requests, t.seconds/t.requests
	}
	if len(counts) > 0 {
		sample.P50, sample.P99 = quantile(.5, bounds, counts), quantile(.99, bounds, counts)
	}
	return sample
}

func (s *Sample) row() row {
	return row{rate: float32(s.Rate), errors: float32(s.Errors), mean: float32(s.Mean), inFlight: float32(s.InFlight), held: float32(s.Held),
		cpu: float32(s.CPU), memory: float32(s.Memory), queue: float32(s.Queue)}
}

func (s *Sampler) history(service string) *history {
	h := s.histories[service]
	if h == nil && len(s.histories) < maxServices {
		h = new(history)
		s.histories[service] = h
	}
	return h
}

// forget drops the past of services that are gone for an hour.
func (s *Sampler) forget() {
	if s.tick%blockTicks != 0 {
		return
	}
	maps.DeleteFunc(s.histories, func(name string, h *history) bool { return h.last() < s.tick-hourTicks })
}

// Latest is the last sample of every service that there is, by
// "<environment>/<service>". The map must not be changed. While the gateway
// does not answer, samples grow old: see their At.
func (s *Sampler) Latest() map[string]Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Replica is the last sample of a replica, zero for one that is not known.
func (s *Sampler) Replica(environment, id string) ReplicaSample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas[replicaKey(environment, id)]
}

// Series is the past of a service, at most an hour of it and, for points above
// 0, at most so many samples. See history.step for how ticks are merged. What
// was not sampled is left out.
func (s *Sampler) Series(environment, service string, since time.Duration, points int) Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	series := Series{Environment: environment, Service: service, Step: s.options.Interval, Samples: []Sample{}}
	if h := s.histories[environment+"/"+service]; h != nil {
		var step int64
		series.Samples, step = h.series(s.tick, int64(since/s.options.Interval), points, s.bounds, s.options.Interval)
		series.Step *= time.Duration(step)
	}
	return series
}

// Updated is closed when the next sample is there; then ask again.
func (s *Sampler) Updated() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updated
}

func replicaKey(environment, id string) string { return environment + "/" + id }
