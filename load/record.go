package load

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// outcome is one request that is done. Times are nanoseconds after the
// start.
type outcome struct {
	route    int
	due      int64 // when it should have been sent
	free     int64 // when its connection was free
	sent     int64
	done     int64
	status   int
	kind     Kind
	in, out  int64
	connects int64
	said     string // by the error of an operation
}

// recorder adds outcomes up.
type recorder struct {
	warmup     int64 // requests due before this are left out
	thresholds []Threshold
	routes     []string

	mu                     sync.Mutex
	requests, errors       int64
	right                  int64 // answers after the warm-up, whenever they were due
	ended, whole           int64 // journeys
	late                   int64 // ended after the last request was due
	length                 int64 // of the test, nanoseconds
	response, service, lag *Histogram
	statuses               [endOfStatuses]int64
	kinds                  map[Kind]int64
	byRoute                map[routeStatus]*routeCount
	in, out, connections   int64
	last                   int64 // when the last one was done
	answered               int64 // when the last answer came
	unreachable            int64 // failures to connect since
	failure                string
	over                   []int64
	second                 secondCount
	seconds                []Second
	inFlight, samples      float64

	spare secondCount // for the next second; only tick touches it
	soFar *soFar      // nil where nobody asks for progress; only tick adds to it
}

type routeStatus struct{ route, status int }

type routeCount struct {
	requests, errors int64
	response         *Histogram
}

// secondCount is the second that runs.
type secondCount struct {
	requests, errors  int64
	right             int64
	response, lag     *Histogram
	inFlight, samples float64
	begun             time.Duration
}

// maxRouteCounts bounds how many distributions are kept apart, each 0.3 MB.
const maxRouteCounts = 300

func newRecorder(o *Options) *recorder {
	r := &recorder{
		warmup: int64(o.Warmup), length: int64(o.length()), thresholds: o.Thresholds, routes: o.Mix.routes,
		response: newHistogram(), service: newHistogram(), lag: newHistogram(),
		kinds: make(map[Kind]int64), byRoute: make(map[routeStatus]*routeCount),
		over: make([]int64, len(o.Thresholds)), seconds: []Second{},
		second: secondCount{response: newHistogram(), lag: newHistogram()},
		spare:  secondCount{response: newHistogram(), lag: newHistogram()},
	}
	if o.Progress != nil {
		r.soFar = &soFar{response: newHistogram(), lag: newHistogram()}
	}
	return r
}

func (r *recorder) record(o *outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !o.kind.answered() {
		o.status = 0 // the head of an answer that broke off is no answer
	}
	r.connections += o.connects
	r.contact(o)
	if o.kind == KindNone && o.done >= r.warmup {
		r.right++
		r.second.right++
	}
	if o.due < r.warmup {
		return
	}
	r.last = max(r.last, o.done)
	if o.done > r.length {
		r.late++
	}
	if r.failure == "" {
		r.failure = o.said
	}
	r.in += o.in
	r.out += o.out
	lag := max(0, o.sent-max(o.due, o.free))
	r.lag.record(lag, 1)
	r.second.lag.record(lag, 1)
	if o.status > 0 && o.status < len(r.statuses) {
		r.statuses[o.status]++
	}
	r.count(o, 1)
	if o.kind.answered() || o.kind == KindTimeout || o.kind == KindUnfinished {
		r.service.record(o.done-o.sent, 1)
	}
}

// journey takes how one that was due then ended: kind is that of its last step.
func (r *recorder) journey(due int64, kind Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if due < r.warmup {
		return
	}
	if kind.answered() {
		r.ended++
	}
	if kind == KindNone {
		r.whole++
	}
}

// contact follows whether the target can be reached.
func (r *recorder) contact(o *outcome) {
	switch {
	case o.kind.answered():
		r.answered, r.unreachable = o.done, 0
	case o.kind.unreachable():
		r.unreachable++
	}
}

// count takes what is known of every request that was due, sent or not, n
// times.
func (r *recorder) count(o *outcome, n int64) {
	r.requests += n
	r.second.requests += n
	route := r.route(o)
	route.requests += n
	if o.kind != KindNone {
		r.errors += n
		r.second.errors += n
		route.errors += n
		r.kinds[o.kind] += n
	}
	// A connection refused at once is no fast answer.
	if !o.kind.answered() && o.kind != KindTimeout && o.kind != KindUnfinished && o.kind != KindNotSent {
		return
	}
	response := o.done - o.due
	r.response.record(response, n)
	r.second.response.record(response, n)
	route.response.record(response, n)
	for i := range r.thresholds {
		if r.thresholds[i].counts(response) {
			r.over[i] += n
		}
	}
}

func (r *recorder) route(o *outcome) *routeCount {
	key := routeStatus{o.route, o.status}
	c := r.byRoute[key]
	if c == nil {
		if len(r.byRoute) >= maxRouteCounts {
			key = routeStatus{o.route, -1}
			if c = r.byRoute[key]; c != nil {
				return c
			}
		}
		c = &routeCount{response: newHistogram()}
		r.byRoute[key] = c
	}
	return c
}

// notSent counts requests from..to of a plan that no connection was free
// for. Their response time is at least what they waited; of very many, one
// stands for its neighbours.
func (r *recorder) notSent(a *Arrivals, mix *Mix, from, to, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stride := max(1, (to-from)/100_000)
	for i := from; i < to; i += stride {
		o := outcome{route: mix.pick(i).route, due: int64(a.At(i)), done: now, kind: KindNotSent}
		if o.due >= r.warmup {
			r.count(&o, min(stride, to-i))
			r.last = max(r.last, now)
		}
	}
}

// sample takes how many requests are due and not answered.
func (r *recorder) sample(n int64, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int64(at) < r.warmup {
		return
	}
	r.inFlight += float64(n)
	r.samples++
	r.second.inFlight += float64(n)
	r.second.samples++
}

// secondsSlack is how late a second may begin and count as on time.
const secondsSlack = 100 * time.Millisecond

// tick ends a second and gives it. The second that runs is another one when
// it looks at the one that ended: nobody waits to record.
func (r *recorder) tick(at time.Duration) Second {
	r.mu.Lock()
	c := r.second
	r.second = r.spare
	r.second.begun = at
	r.mu.Unlock()
	s := Second{
		At: at.Seconds(), Length: (at - c.begun).Seconds(), Requests: c.requests, Errors: c.errors, Right: c.right, P50: c.response.At(0.5), P99: c.response.At(0.99),
		Mean: c.response.Mean(), Lag: c.lag.At(0.99),
	}
	if c.response.Count() > 0 {
		s.Max = float64(c.response.max) / 1e9
	}
	if c.samples > 0 {
		s.InFlight = c.inFlight / c.samples
	}
	if r.soFar != nil {
		r.soFar.add(&c)
	}
	c.response.reset()
	c.lag.reset()
	r.spare = secondCount{response: c.response, lag: c.lag}
	if int64(c.begun)+int64(secondsSlack) >= r.warmup { // not those that are partly warm-up
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seconds = append(r.seconds, s)
	}
	return s
}

// targetDown is what the reason begins with when a test ends for that.
const targetDown = "the target is down"

// down tells why the target counts as down, "" when it does not.
func (r *recorder) down(now time.Duration, timeout time.Duration) string {
	const failures, patience = 20, 2 * time.Second
	r.mu.Lock()
	defer r.mu.Unlock()
	silent := now - time.Duration(r.answered)
	switch {
	case r.unreachable >= failures && silent >= patience:
		return targetDown + ": " + strconv.FormatInt(r.unreachable, 10) + " connections failed in a row"
	case silent >= max(2*timeout, 10*time.Second) && r.kinds[KindTimeout]+r.kinds[KindClosed]+r.kinds[KindReset] > 0:
		return targetDown + ": no answer for " + silent.Round(time.Second).String()
	}
	return ""
}

// hopeless gives a threshold that cannot be met any more, "" when there is
// none.
func (r *recorder) hopeless(due int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.thresholds {
		if t := &r.thresholds[i]; t.hopeless(r.over[i], r.errors, due) {
			return t.Text + " cannot be met any more"
		}
	}
	return ""
}

// result gives what was recorded.
func (r *recorder) result(o *Options) (*Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &Result{
		Format: ResultFormat, Target: o.targetName(), Model: "open", Protocol: o.protocol(), Failure: r.failure,
		Requests: r.requests, Errors: r.errors, BytesIn: r.in, BytesOut: r.out, Connections: r.connections,
		late: r.late, Response: r.response.Summary(), Service: r.service.Summary(), Lag: r.lag.Summary(),
		ResponseTimes: r.response, ServiceTimes: r.service, LagTimes: r.lag,
		Statuses: make(map[string]int64), ErrorKinds: r.kinds, Routes: []RouteResult{}, Seconds: r.seconds, Times: make(map[string]string),
	}
	if o.Arrivals == nil {
		res.Model, res.Clients = "closed", o.Clients
	}
	if o.Mix.journeys {
		res.Journeys = &Journeys{Ended: r.ended, Whole: r.whole}
	}
	if r.samples > 0 {
		res.InFlight = r.inFlight / r.samples
	}
	for status, n := range r.statuses {
		if n > 0 {
			res.Statuses[statusName(status)] = n
		}
	}
	for key, c := range r.byRoute {
		res.Routes = append(res.Routes, routeResult(r.routes[key.route], key.status, c))
	}
	slices.SortFunc(res.Routes, func(a, b RouteResult) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Code, b.Code))
	})
	for name, h := range map[string]*Histogram{"response": r.response, "service": r.service} {
		text, err := h.encode()
		if err != nil {
			return nil, err
		}
		res.Times[name] = text
	}
	return res, nil
}

func routeResult(name string, status int, c *routeCount) RouteResult {
	r := RouteResult{Name: name, Status: status, Requests: c.requests, Errors: c.errors, Response: c.response.Summary()}
	switch {
	case status >= operationDone:
		r.Status, r.Code = 0, statusName(status)
	case status >= grpcStatus:
		r.Status, r.Code = http.StatusOK, statusName(status)
	}
	return r
}
