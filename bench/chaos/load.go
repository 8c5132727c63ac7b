package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bench "github.com/greenlight-dev/greenlight/bench/system"
)

// Half of the clients send POST, half GET; of each, half keep their
// connection.
const clients = 16

var requests = map[string][]byte{
	"GET": []byte("GET /v2/models/penguins HTTP/1.1\r\nHost: chaos\r\n\r\n"),
	"POST": fmt.Appendf(nil, "POST /predict HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(bench.Row), bench.Row),
}

// load sends requests at a steady rate until it is told to end.
type load struct {
	address string
	stop    context.CancelFunc
	clients sync.WaitGroup
	sent    atomic.Int64

	mu           sync.Mutex
	failures     []failure
	disturbances []disturbance
}

// failure is a request that was not answered as it should have been.
type failure struct {
	method string
	sent   time.Time
	err    error
}

func (f failure) String() string { return fmt.Sprintf("%s: %v", f.method, f.err) }

// disturbance is the time that something was broken for.
type disturbance struct{ from, to time.Time }

func (d disturbance) took() time.Duration { return d.to.Sub(d.from) }

// tally is what a load saw.
type tally struct {
	requests     int64
	failures     []failure
	disturbances []disturbance
}

// inFlightSlack is how long before a kill a request may have been sent that
// was in flight then: the slowest answer that is still usual on a busy
// machine.
const inFlightSlack = time.Second

// during tells whether a request sent then met a disturbance.
func (t tally) during(sent time.Time) bool {
	return slices.ContainsFunc(t.disturbances, func(d disturbance) bool {
		return sent.After(d.from.Add(-inFlightSlack)) && !sent.After(d.to)
	})
}

func (t tally) inFlight() int {
	n := 0
	for _, f := range t.failures {
		if t.during(f.sent) {
			n++
		}
	}
	return n
}

func (t tally) longest() time.Duration {
	var most time.Duration
	for _, d := range t.disturbances {
		most = max(most, d.took())
	}
	return most
}

func startLoad(ctx context.Context, address string, rate float64) (*load, error) {
	if rate <= 0 {
		return nil, errors.New("-rate must be above 0")
	}
	ctx, stop := context.WithCancel(ctx)
	l := &load{address: address, stop: stop}
	every := time.Duration(float64(clients) / rate * float64(time.Second))
	for i := range clients {
		c := &client{load: l, method: []string{"GET", "POST"}[i%2], keep: i%4 < 2}
		l.clients.Go(func() { c.run(ctx, every, time.Duration(i)*every/clients) })
	}
	return l, nil
}

// end stops the load; it may be called again.
func (l *load) end() tally {
	l.stop()
	l.clients.Wait()
	return tally{l.sent.Load(), l.failures, l.disturbances}
}

func (l *load) sofar() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d requests, %d failed", l.sent.Load(), len(l.failures))
}

// disturbed says when something was broken.
func (l *load) disturbed(from, to time.Time) {
	l.mu.Lock()
	l.disturbances = append(l.disturbances, disturbance{from, to})
	l.mu.Unlock()
}

// client sends one request after the other.
type client struct {
	load   *load
	method string
	keep   bool
	conn   net.Conn
	r      *bufio.Reader
}

func (c *client) run(ctx context.Context, every, after time.Duration) {
	pause(ctx, after)
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer c.close()
	for ctx.Err() == nil {
		sent := time.Now()
		c.load.sent.Add(1)
		if err := c.once(); err != nil {
			c.close()
			c.load.mu.Lock()
			c.load.failures = append(c.load.failures, failure{c.method, sent, err})
			c.load.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// once sends one request. A connection that the gateway said it would close
// is given up, and so is one that was closed while nothing was asked, as every
// client does.
func (c *client) once() error {
	if c.conn != nil && closed(c.conn) {
		c.close()
	}
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.load.address, 5*time.Second)
		if err != nil {
			return err
		}
		c.conn, c.r = conn, bufio.NewReader(conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write(requests[c.method]); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.Close || !c.keep {
		c.close()
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s", answer.Status, body)
	}
	return nil
}

// closed tells whether the other side has closed a connection.
func closed(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && err != syscall.EAGAIN
	})
	return gone || err != nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is left to write
		c.conn = nil
	}
}
