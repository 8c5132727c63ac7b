package load

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Options say what a test does. Either Arrivals is given (open model), or
// Clients and Duration (closed). What is sent is a Mix of requests to a Target,
// or an Operation.
type Options struct {
	Target      *Target
	Mix         *Mix
	Operation   *Operation // instead of Target and Mix
	Arrivals    *Arrivals
	Connections int // most at once, of the open model
	Clients     int // that send one request after the other
	Think       time.Duration
	Duration    time.Duration
	Warmup      time.Duration // at the start, sent but not counted
	Timeout     time.Duration // for one answer
	CloseEach   bool          // a new connection for every request, also of HTTP/2
	HTTP2       bool
	Thresholds  []Threshold
	MaxLag      time.Duration // the least lag that makes a result void; 0 is DefaultMaxLag
	KeepGoing   bool          // when a threshold cannot be met any more
	Observe     func(Second)  // called after every second; may be nil
	// Progress is called after every second, too; may be nil. What it takes
	// does not disturb the test, but delays the end of requests that time out.
	Progress func(Progress)
}

// MaxConnections bounds connections and clients.
const MaxConnections = 20_000

func (o *Options) check() error {
	open := o.Arrivals != nil
	switch {
	case (o.Operation == nil) != (o.Target != nil && o.Mix != nil):
		return greenlight.Errorf(greenlight.CodeInvalid, "a test has either a target with requests or an operation")
	case open == (o.Clients > 0):
		return greenlight.Errorf(greenlight.CodeInvalid, "a test has either a rate or clients")
	case open && (o.Connections < 1 || o.Connections > MaxConnections), !open && o.Clients > MaxConnections:
		return greenlight.Errorf(greenlight.CodeInvalid, "1 to %d connections or clients are possible", MaxConnections)
	case !open && (o.Duration <= 0 || o.Duration > MaxDuration):
		return greenlight.Errorf(greenlight.CodeInvalid, "the duration is %v; it must be above 0 and at most %v", o.Duration, MaxDuration)
	case o.Timeout <= 0 || o.Timeout > time.Hour || o.Think < 0 || o.Think > MaxDuration:
		return greenlight.Errorf(greenlight.CodeInvalid, "the timeout is %v and the think time %v; want above 0 and at most an hour, and not below 0", o.Timeout, o.Think)
	case o.MaxLag < 0:
		return greenlight.Errorf(greenlight.CodeInvalid, "a lag of %v cannot be; want above 0", o.MaxLag)
	case o.Warmup < 0 || o.Warmup >= o.length():
		return greenlight.Errorf(greenlight.CodeInvalid, "the warm-up of %v leaves nothing of %v", o.Warmup, o.length())
	}
	return nil
}

func (o *Options) length() time.Duration {
	if o.Arrivals != nil {
		return o.Arrivals.Length()
	}
	return o.Duration
}

// Run does one test. When ctx is done, it ends early and gives what there is.
// The error is for a test that could not begin, a target that does not
// answer among them.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Operation != nil {
		o.Mix = o.Operation.mix()
	} else {
		o.HTTP2 = o.HTTP2 || o.Target.GRPC
	}
	if err := o.probe(); err != nil {
		return nil, err
	}
	e := newEngine(&o)
	e.cpu, e.cores = cpuTime(), runtime.GOMAXPROCS(0)
	e.start = time.Now()
	e.run(ctx)
	return e.result(cpuTime()-e.cpu, time.Since(e.start))
}

// targetName is the target as results have it.
func (o *Options) targetName() string {
	if o.Operation != nil {
		return o.Operation.Target
	}
	return o.Target.URL.Redacted()
}

func (o *Options) protocol() string {
	switch {
	case o.Operation != nil:
		return o.Operation.Protocol
	case o.Target.GRPC:
		return "gRPC"
	case o.HTTP2:
		return "HTTP/2"
	}
	return "HTTP/1.1"
}

// result sums the test up.
func (e *engine) result(cpu, elapsed time.Duration) (*Result, error) {
	r, err := e.rec.result(e.o)
	if err != nil {
		return nil, err
	}
	r.StartedAt = e.start.UTC()
	r.Stopped = e.ended()
	r.Connections += e.opened.Load()
	in, out := e.wire.take() // what came after the last answer
	r.BytesIn, r.BytesOut = r.BytesIn+in, r.BytesOut+out
	r.Cores = e.cores
	r.CPU = cpu.Seconds() / elapsed.Seconds()
	measured := max(e.o.length(), time.Duration(e.rec.last)) - e.o.Warmup
	if r.Stopped != "" {
		measured = max(elapsed-e.o.Warmup, time.Millisecond)
	}
	r.Elapsed = measured.Seconds()
	var answered int64
	for _, n := range r.Statuses {
		answered += n
	}
	r.Rate = float64(answered) / r.Elapsed
	r.Goodput = float64(e.rec.right) / r.Elapsed
	if r.Journeys != nil {
		r.Journeys.Rate = float64(r.Journeys.Ended) / r.Elapsed
	}
	if e.o.Arrivals != nil {
		r.Planned = float64(e.counted()) / (e.o.length() - e.o.Warmup).Seconds()
		r.Steady = e.o.Arrivals.Steady()
	}
	for i := range e.o.Thresholds {
		r.Verdicts = append(r.Verdicts, e.o.Thresholds[i].check(r))
	}
	r.judge(cmp.Or(e.o.MaxLag, DefaultMaxLag))
	return r, nil
}

// The generator spoils a test when its lag is a tenth of what is measured and
// not too small to matter, or when it has no processor time left.
const (
	lagShare = 0.1
	cpuMost  = 0.9 // of its cores
)

// DefaultMaxLag is a lag that is too small to matter: the result says so and
// stands.
const DefaultMaxLag = 5 * time.Millisecond

func (r *Result) judge(least time.Duration) {
	limit := max(least.Seconds(), lagShare*r.Response.P99)
	switch {
	case r.LagTimes.Count() == 0:
		r.VoidReason = "nothing was sent"
	case r.Lag.P99 > limit:
		r.VoidReason = fmt.Sprintf("the generator was late: p99 %.1f ms of lag, over %.1f ms; use a machine with less to do, or a lower rate", 1e3*r.Lag.P99, 1e3*limit)
	case r.CPU > cpuMost*float64(r.Cores):
		r.VoidReason = fmt.Sprintf("the generator had no processor time left: it used %.2f of %d cores; this is its limit, not the target's", r.CPU, r.Cores)
	}
	r.Void = r.VoidReason != ""
}
