package observe

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

const (
	queueReaders  = 8               // model servers asked at once
	queueTimeout  = time.Second / 2 // for all of a tick to answer; what is late counts the next time
	queuesATick   = 64              // asked in one tick; of more, each more rarely
	maxQueueText  = 8 << 20         // bytes of a model server's metrics
	queueForgiven = 5 * time.Second // for how long the last answer still counts
)

// queues asks model servers how long requests wait to be computed.
type queues struct {
	client *http.Client
	turn   int
	mu     sync.Mutex
	known  map[string]*wait // by "<environment>/<replica>"
}

// wait is what a model server's requests waited: the counters of its answer
// before the last and of the last.
type wait struct {
	address              string
	at                   time.Time
	seconds, requests    float64
	lastSeconds, lastReq float64 // grown by between the last two answers
}

func newQueues() *queues {
	return &queues{known: make(map[string]*wait), client: &http.Client{
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		// a model server has nowhere else to send anybody
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (q *queues) close() { q.client.CloseIdleConnections() }

// read asks those of the replicas whose turn it is and waits for their
// answers.
func (q *queues) read(ctx context.Context, replicas []greenlight.Replica) {
	q.forget(replicas)
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	q.turn++
	turns := (len(replicas) + queuesATick - 1) / queuesATick
	slots := make(chan struct{}, queueReaders)
	var all sync.WaitGroup
	for i, r := range replicas {
		if i%turns != q.turn%turns {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if seconds, requests, err := q.ask(ctx, r.Address); err == nil {
				q.note(replicaKey(r.Environment, r.ID), r.Address, seconds, requests, time.Now())
			}
		})
	}
	all.Wait()
}

func (q *queues) forget(replicas []greenlight.Replica) {
	wanted := make(map[string]bool, len(replicas))
	for _, r := range replicas {
		wanted[replicaKey(r.Environment, r.ID)] = true
	}
	for key := range q.known {
		if !wanted[key] {
			delete(q.known, key)
		}
	}
}

// ask reads the counters of all models of a model server together.
func (q *queues) ask(ctx context.Context, address string) (seconds, requests float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return 0, 0, err
	}
	answer, err := q.client.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxQueueText))
	if err != nil {
		return 0, 0, err
	}
	eachSeries(text, func(name, _, value []byte) {
		switch string(name) {
		case "greenlight_model_queue_seconds_sum":
			v, _ := number(value)
			seconds += v
		case "greenlight_model_queue_seconds_count":
			v, _ := number(value)
			requests += v
		}
	})
	return seconds, requests, nil
}

// note takes in an answer. The first one of a process tells nothing yet.
func (q *queues) note(key, address string, seconds, requests float64, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.known[key]
	if w == nil {
		w = new(wait)
		q.known[key] = w
	}
	w.lastSeconds, w.lastReq = seconds-w.seconds, requests-w.requests
	if w.at.IsZero() || w.address != address || w.lastSeconds < 0 || w.lastReq < 0 {
		w.lastSeconds, w.lastReq = 0, 0
	}
	w.address, w.at, w.seconds, w.requests = address, now, seconds, requests
}

// grown is the time that a replica's requests waited and their number,
// between its last two answers; none when the last is too old.
func (q *queues) grown(key string, now time.Time) (seconds, requests float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.known[key]
	if w == nil || now.Sub(w.at) > queueForgiven {
		return 0, 0
	}
	return w.lastSeconds, w.lastReq
}
