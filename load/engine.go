package load

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// engine is a test that runs.
type engine struct {
	o         *Options
	start     time.Time
	cpu       time.Duration // of this process, used before the start
	cores     int
	rec       *recorder
	transport *http.Transport // of HTTP/2, where requests share connections
	opened    atomic.Int64    // connections of HTTP/2
	wire      wire            // likewise
	workers   sync.WaitGroup
	next      atomic.Int64 // closed: number of the next request
	cut       atomic.Bool  // it ended in the middle: what was under way does not count

	mu      sync.Mutex
	all     []*worker
	idle    []*worker // the last one in is the first one out: few connections stay warm
	due     int64     // open: requests that are due
	taken   int64     // of them, given to a worker
	closing bool
	reason  string             // why it ended early
	stop    context.CancelFunc // ends it
}

func newEngine(o *Options) *engine {
	e := &engine{o: o, rec: newRecorder(o)}
	if o.HTTP2 && !o.CloseEach {
		e.transport = e.newTransport(false)
	}
	return e
}

func (e *engine) now() int64 { return int64(time.Since(e.start)) }

func (e *engine) run(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	e.stop = cancel
	watched := make(chan struct{})
	done := make(chan struct{})
	go func() { defer close(watched); e.watch(done) }()
	if e.o.Arrivals != nil {
		e.runOpen(ctx)
	} else {
		e.runClosed(ctx)
	}
	if parent.Err() != nil {
		e.end(interruption(parent))
	}
	close(done)
	<-watched
	if e.transport != nil {
		e.transport.CloseIdleConnections()
	}
}

// end stops the test early.
func (e *engine) end(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reason == "" {
		e.reason = reason
	}
	e.stop()
}

func (e *engine) ended() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reason
}

// runOpen sends every request when it is due and a connection is free. After
// the last is due, what waits has one timeout to be sent and answered.
func (e *engine) runOpen(ctx context.Context) {
	p := pacer{start: e.start}
	paced := make(chan struct{})
	go func() { defer close(paced); p.run(ctx, e.o.Arrivals, e.dispatch) }()
	<-paced
	e.close()
	e.finish(ctx)
	if ctx.Err() == nil {
		e.rec.notSent(e.o.Arrivals, e.o.Mix, e.taken, e.due, e.now())
	}
}

// dispatch gives request i, which is due, to an idle worker or a new one;
// otherwise the next worker that is done takes it.
func (e *engine) dispatch(i int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.due = i + 1
	switch n := len(e.idle); {
	case n > 0:
		w := e.idle[n-1]
		e.idle = e.idle[:n-1]
		w.wake <- e.taken
		e.taken++
	case len(e.all) < e.o.Connections:
		w := e.newWorker()
		first := e.taken
		e.taken++
		e.workers.Add(1)
		go func() { defer e.workers.Done(); w.serve(first) }()
	}
}

// takeOrWait gives w the oldest request that waits; without one w is idle,
// or done when there will be no more.
func (e *engine) takeOrWait(w *worker) (i int64, state int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.taken < e.due:
		e.taken++
		return e.taken - 1, workTaken
	case e.closing:
		return 0, workOver
	}
	e.idle = append(e.idle, w)
	return 0, workWait
}

const (
	workTaken = iota
	workWait
	workOver
)

// close sends the idle workers home.
func (e *engine) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closing = true
	for _, w := range e.idle {
		close(w.wake)
	}
	e.idle = nil
}

// finish waits for the workers: for one timeout, or briefly once the test
// was ended. What is under way then is broken off.
func (e *engine) finish(ctx context.Context) {
	over := make(chan struct{})
	go func() { e.workers.Wait(); close(over) }()
	grace := time.NewTimer(e.o.Timeout)
	defer grace.Stop()
	select {
	case <-over:
		return
	case <-grace.C:
	case <-ctx.Done():
		e.cut.Store(true)
	}
	e.mu.Lock()
	e.closing = true
	for _, w := range e.all {
		w.quit.Store(true)
		w.breakOff()
	}
	e.mu.Unlock()
	<-over
}

func (e *engine) newWorker() *worker {
	w := &worker{e: e, wake: make(chan int64, 1), values: newValues(), number: len(e.all)}
	switch {
	case e.o.Operation != nil:
		w.client = &repeater{operation: e.o.Operation, timeout: e.o.Timeout}
	case e.o.HTTP2 && e.o.CloseEach:
		w.client = &http2{target: e.o.Target, transport: e.newTransport(true), own: true, wire: &e.wire}
	case e.o.HTTP2:
		w.client = &http2{target: e.o.Target, transport: e.transport, wire: &e.wire}
	default:
		w.client = newHTTP1(e.o.Target, e.o.Timeout, !e.o.CloseEach)
	}
	e.all = append(e.all, w)
	return w
}

// runClosed lets every client send one request after the other.
func (e *engine) runClosed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Duration)
	defer cancel()
	for range e.o.Clients {
		e.mu.Lock()
		w := e.newWorker()
		e.mu.Unlock()
		e.workers.Add(1)
		go func() { defer e.workers.Done(); w.loop(ctx) }()
	}
	<-ctx.Done()
	for _, w := range e.all {
		w.quit.Store(true)
	}
	e.finish(context.Background())
}

// watch breaks off requests that take too long, samples, and ends tests that
// are hopeless or whose target is down.
func (e *engine) watch(done <-chan struct{}) {
	every := min(max(e.o.Timeout/50, 2*time.Millisecond), 20*time.Millisecond)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	second := time.Second
	for {
		select {
		case <-done:
			if left := time.Since(e.start); left > second-time.Second+every {
				e.observe(left)
			}
			return
		case <-ticker.C:
		}
		now := time.Since(e.start)
		e.sample(now)
		if now >= second {
			e.observe(now)
			e.judge(now)
			second = now.Truncate(time.Second) + time.Second
		}
	}
}

func (e *engine) observe(now time.Duration) {
	s := e.rec.tick(now)
	if e.o.Observe != nil {
		e.o.Observe(s)
	}
	if e.o.Progress != nil {
		e.o.Progress(e.progress(s))
	}
}

// sample counts what is under way and breaks off what is too old.
func (e *engine) sample(now time.Duration) {
	e.mu.Lock()
	waiting, workers := e.due-e.taken, e.all
	e.mu.Unlock()
	for _, w := range workers {
		if since := w.since.Load(); since > 0 {
			waiting++
			if int64(now)-since > int64(e.o.Timeout) {
				w.breakOff()
			}
		}
	}
	if now < e.o.length() {
		e.rec.sample(waiting, now)
	}
}

func (e *engine) judge(now time.Duration) {
	if why := e.rec.down(now, e.o.Timeout); why != "" {
		e.end(why)
	}
	if e.o.Arrivals == nil || e.o.Mix.journeys || e.o.KeepGoing { // how many requests come is not known
		return
	}
	if why := e.rec.hopeless(e.counted()); why != "" {
		e.end(why)
	}
}

// counted is how many requests of the plan are due after the warm-up.
func (e *engine) counted() int64 {
	return e.o.Arrivals.Total() - e.o.Arrivals.dueBefore(e.o.Warmup)
}
