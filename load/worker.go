package load

import (
	"context"
	"sync/atomic"
	"time"
)

// worker is one connection, or one place of HTTP/2.
type worker struct {
	e      *engine
	number int
	client client
	wake   chan int64
	values *values
	since  atomic.Int64 // when the request under way was sent; 0: none, -1: broken off
	quit   atomic.Bool
	free   int64 // when the last one was done
}

// serve sends requests of the open model, beginning with i.
func (w *worker) serve(i int64) {
	defer w.client.close()
	w.free = int64(w.e.o.Arrivals.At(i))
	for {
		w.send(i, int64(w.e.o.Arrivals.At(i)))
		if w.quit.Load() {
			return
		}
		next, state := w.e.takeOrWait(w)
		if state == workWait {
			var ok bool
			if next, ok = <-w.wake; !ok {
				return
			}
		}
		if state == workOver {
			return
		}
		i = next
	}
}

// loop sends requests of the closed model.
func (w *worker) loop(ctx context.Context) {
	defer w.client.close()
	think := time.NewTimer(0)
	defer think.Stop()
	<-think.C
	for !w.quit.Load() {
		due := w.e.now()
		if w.free > 0 {
			due = w.free + int64(w.e.o.Think)
		}
		if left := due - w.e.now(); w.e.o.Think > 0 && left > 0 {
			think.Reset(time.Duration(left))
			select {
			case <-think.C:
			case <-ctx.Done():
				return
			}
		}
		if w.send(w.e.next.Add(1)-1, due) {
			continue
		}
		// A target that refuses connections is not to be asked in a circle.
		think.Reset(10 * time.Millisecond)
		select {
		case <-think.C:
		case <-ctx.Done():
			return
		}
		w.free = w.e.now()
	}
}

// send sends request i, and the steps that follow it as long as they are
// answered rightly. It is false when there was no connection.
func (w *worker) send(i, due int64) bool {
	c := w.e.o.Mix.pick(i)
	if c.fixed == nil || c.then != nil || w.e.o.HTTP2 {
		w.e.o.Mix.values(w.values, i)
	}
	begun := due
	for {
		kind := w.step(c, due)
		c = c.then
		if w.e.o.Mix.journeys && (c == nil || kind != KindNone) {
			w.e.rec.journey(begun, kind)
		}
		if c == nil || kind != KindNone || w.quit.Load() {
			return !kind.unreachable()
		}
		due = w.free // a step is due when the one before is answered
	}
}

// step sends one request and records what became of it.
func (w *worker) step(c *compiled, due int64) Kind {
	sent := w.e.now()
	w.since.Store(max(sent, 1))
	a := w.client.do(c, w.values)
	done := w.e.now()
	if w.since.Swap(0) == brokenOff {
		w.client.close()
		if !a.kind.answered() {
			a.kind = KindTimeout
			if w.quit.Load() && done-sent < int64(w.e.o.Timeout) {
				a.kind = KindUnfinished
			}
		}
	}
	if a.kind == KindReset && done-sent >= int64(w.e.o.Timeout) {
		a.kind = KindTimeout // a server that knows the deadline breaks off first
	}
	if a.kind == KindNone && !c.keep(a.body, w.values) {
		a.kind = KindCheck
	}
	o := outcome{route: c.route, due: due, free: w.free, sent: sent, done: done, status: a.status, kind: a.kind, in: a.in, out: a.out, said: a.said}
	if a.connected {
		o.connects = 1
	}
	if a.kind != KindUnfinished || !w.e.cut.Load() {
		w.e.rec.record(&o)
	}
	w.free = done
	return a.kind
}

const brokenOff = -1

// breakOff makes the request under way fail.
func (w *worker) breakOff() {
	if since := w.since.Load(); since > 0 && w.since.CompareAndSwap(since, brokenOff) {
		w.client.expire()
	}
}
